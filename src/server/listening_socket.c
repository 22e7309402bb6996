#include "server/listening_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024

static enum status fail(const struct listening_socket *made, int reason, struct error *error) {
    return error_set(error, STATUS_INPUT_OUTPUT, "cannot listen on %s: %s", made->name, strerror(reason));
}

/* Does nobody listen behind this file any more? */
static bool is_stale(const struct sockaddr_storage *address) {
    struct stat file;
    if (lstat(address_path(address), &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool refused =
        connect(probe, (const struct sockaddr *)address, address_size(address)) != 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

/* The file's permissions hold from the first moment, since it gets its name with them. */
static int bind_path(const struct listening_socket *made, mode_t mode) {
    mode_t before = umask(~mode & 0777);
    int outcome =
        bind(made->descriptor, (const struct sockaddr *)&made->address, address_size(&made->address));
    int reason = errno;
    umask(before);
    errno = reason;
    return outcome;
}

static enum status bind_unix(struct listening_socket *made, mode_t mode, struct error *error) {
    int outcome = bind_path(made, mode);
    if (outcome != 0 && errno == EADDRINUSE) {
        struct stat there;
        if (lstat(address_path(&made->address), &there) == 0 && !S_ISSOCK(there.st_mode))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "cannot listen on %s: what is there is not a socket", made->name);
        if (!is_stale(&made->address) || unlink(address_path(&made->address)) != 0)
            return fail(made, EADDRINUSE, error);
        outcome = bind_path(made, mode);
    }
    struct stat file;
    if (outcome != 0 || lstat(address_path(&made->address), &file) != 0)
        return fail(made, errno, error);
    made->device = file.st_dev;
    made->inode = file.st_ino;
    return STATUS_OK;
}

static enum status bind_internet(const struct listening_socket *made, bool reuse_port, struct error *error) {
    const int yes = 1;
    if (setsockopt(made->descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (reuse_port && setsockopt(made->descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) ||
        bind(made->descriptor, (const struct sockaddr *)&made->address, address_size(&made->address)) != 0)
        return fail(made, errno, error);
    return STATUS_OK;
}

static void read_name(struct listening_socket *made) {
    socklen_t size = sizeof made->address;
    if (getsockname(made->descriptor, (struct sockaddr *)&made->address, &size) == 0)
        address_print(&made->address, made->name);
}

enum status listening_socket_open(const struct sockaddr_storage *address,
                                  const struct listening_options *options, struct listening_socket *made,
                                  struct error *error) {
    *made = (struct listening_socket){.address = *address, .is_unix = address->ss_family == AF_UNIX};
    address_print(address, made->name);
    made->descriptor = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made->descriptor < 0)
        return fail(made, errno, error);
    enum status status = made->is_unix ? bind_unix(made, options->socket_mode, error)
                                       : bind_internet(made, options->reuse_port, error);
    if (status == STATUS_OK && listen(made->descriptor, LISTEN_BACKLOG) != 0)
        status = fail(made, errno, error);
    if (status != STATUS_OK) {
        listening_socket_close(made);
        return status;
    }
    read_name(made);
    return STATUS_OK;
}

static bool has_option(int descriptor, int option, int expected) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

enum status listening_socket_inherit(int descriptor, struct listening_socket *made, struct error *error) {
    *made = (struct listening_socket){.descriptor = descriptor, .inherited = true};
    if (!has_option(descriptor, SO_TYPE, SOCK_STREAM) || !has_option(descriptor, SO_ACCEPTCONN, 1))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the inherited descriptor %d is not a listening stream socket", descriptor);
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
        return error_set_errno(error, errno, "cannot set up the inherited descriptor %d", descriptor);
    read_name(made);
    made->is_unix = made->address.ss_family == AF_UNIX;
    return STATUS_OK;
}

void listening_socket_close(struct listening_socket *closed) {
    if (closed->descriptor < 0)
        return;
    struct stat file;
    if (closed->inode != 0 && lstat(address_path(&closed->address), &file) == 0 &&
        file.st_dev == closed->device && file.st_ino == closed->inode)
        (void)unlink(address_path(&closed->address));
    close(closed->descriptor);
    closed->descriptor = -1;
}
