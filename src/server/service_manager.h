/* systemd's two protocols, without its library: sockets that it has made for us (sd_listen_fds(3)), and
 * telling it how we are (sd_notify(3)). Both are environment variables and one datagram socket. */
#ifndef RESCOLDO_SERVER_SERVICE_MANAGER_H
#define RESCOLDO_SERVER_SERVICE_MANAGER_H

#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define FIRST_INHERITED_DESCRIPTOR 3

/* How many descriptors, from FIRST_INHERITED_DESCRIPTOR on, are meant for this process: LISTEN_FDS when
 * LISTEN_PID is ours. At most `maximum`, else an error. */
MUST_CHECK enum status inherited_descriptors(size_t maximum, size_t *count, struct error *error);

struct service_manager {
    int socket;                     /* -1: there is none */
    uint64_t watchdog_milliseconds; /* within which it wants to hear from us; 0: it does not */
};

/* Connects to $NOTIFY_SOCKET, if there is one. */
MUST_CHECK enum status service_manager_connect(struct service_manager *manager, struct error *error);

/* Sends assignments such as "READY=1\nSTATUS=...". Never waits; what can't be sent is lost. */
void service_manager_tell(const struct service_manager *manager, const char *assignments);

void service_manager_disconnect(struct service_manager *manager);

#endif
