/* Listening sockets, made here or inherited. */
#ifndef RESCOLDO_SERVER_LISTENING_SOCKET_H
#define RESCOLDO_SERVER_LISTENING_SOCKET_H

#include "base/compiler.h"
#include "base/status.h"
#include "server/address.h"

#include <stdbool.h>
#include <sys/types.h>

struct listening_socket {
    int descriptor; /* not blocking; -1 when closed */
    bool inherited; /* others have it too, so connections that wait in it are not lost with us */
    bool is_unix;
    struct sockaddr_storage address;
    char name[ADDRESS_TEXT_SIZE]; /* the address in words, with the port that 0 became */
    dev_t device;                 /* of a unix: socket's file, to remove no other */
    ino_t inode;
};

struct listening_options {
    bool reuse_port;    /* other processes of the same user may listen on the same address: socket(7) */
    mode_t socket_mode; /* of a unix: socket's file, which decides who may connect */
};

/* Makes a socket and listens. A file that a dead process has left at a unix: address is replaced; one behind
 * which somebody listens, and anything that is no socket, is an error. */
MUST_CHECK enum status listening_socket_open(const struct sockaddr_storage *address,
                                             const struct listening_options *options,
                                             struct listening_socket *made, struct error *error);

/* Takes over a descriptor of which the parent process says that it listens. */
MUST_CHECK enum status listening_socket_inherit(int descriptor, struct listening_socket *made,
                                                struct error *error);

/* Closes it, and removes the file that it made. */
void listening_socket_close(struct listening_socket *closed);

#endif
