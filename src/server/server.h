/* The life of the server: listen, answer until SIGTERM or SIGINT, finish what is in flight, end. One I/O
 * thread (the caller's), the scheduler's threads (scheduler.h), one thread that writes the log. */
#ifndef RESCOLDO_SERVER_SERVER_H
#define RESCOLDO_SERVER_SERVER_H

#include "base/compiler.h"
#include "base/status.h"
#include "engine/model.h"
#include "server/api_keys.h"
#include "server/limits.h"
#include "server/listening_socket.h"
#include "server/sandbox.h"

#include <stddef.h>

#define SERVER_MAX_ADDRESSES 32u /* inherited ones included */

struct server_options {
    const struct model_list *models; /* at least one; must outlive server_run */
    const struct sockaddr_storage
        *addresses; /* [address_count]; port 0: any free one, named in the start line */
    size_t address_count;
    size_t inherited_count; /* of descriptors on which to listen, from FIRST_INHERITED_DESCRIPTOR on */
    struct listening_options listening;
    struct limits limits;
    uint64_t memory_limit;           /* bytes; 0: none */
    const char *memory_limit_source; /* memory_plan.h */
    struct sandbox_options sandbox;
    int log_descriptor;
    int access_log_descriptor;       /* may be log_descriptor; -1: requests are not logged */
    const struct api_keys *api_keys; /* NULL: none are asked for; must outlive server_run */
    const char *const *open_paths;   /* [open_path_count] of the router, answered without a key; */
    size_t open_path_count;          /* with none given, the quiet ones */
};

enum server_end {
    SERVER_FINISHED,    /* everything accepted was answered */
    SERVER_CUT_SHORT,   /* the drain timeout passed first */
    SERVER_INTERRUPTED, /* a second signal: threads still run, so the caller must end the process and free
                           nothing */
};

/* Returns after the server has ended; STATUS_OK sets *end and *last_signal. */
MUST_CHECK enum status server_run(const struct server_options *options, enum server_end *end,
                                  int *last_signal, struct error *error);

#endif
