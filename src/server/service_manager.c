#include "server/service_manager.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The variable's number; false when it is not set or not a number. */
static bool read_number(const char *name, uint64_t *number) {
    const char *text = getenv(name);
    if (text == NULL || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    *number = strtoull(text, NULL, 10);
    return errno == 0;
}

/* A variable that names a process is meant for that one alone, and not for those that inherit it. */
static bool is_meant_for_us(const char *name) {
    uint64_t process;
    return read_number(name, &process) && process == (uint64_t)getpid();
}

enum status inherited_descriptors(size_t maximum, size_t *count, struct error *error) {
    uint64_t number = 0;
    bool ours = is_meant_for_us("LISTEN_PID");
    bool known = ours && read_number("LISTEN_FDS", &number);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    *count = 0;
    if (!ours)
        return STATUS_OK;
    if (!known || number > maximum)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "LISTEN_FDS is not a number of sockets from 0 to %zu", maximum);
    *count = (size_t)number;
    return STATUS_OK;
}

static enum status parse_address(const char *path, struct sockaddr_un *address, socklen_t *size,
                                 struct error *error) {
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length < 2 || length >= sizeof address->sun_path)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "NOTIFY_SOCKET is \"%.100s\", expected a path or @name of a socket", path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@')
        address->sun_path[0] = '\0'; /* an abstract name: unix(7) */
    return STATUS_OK;
}

enum status service_manager_connect(struct service_manager *manager, struct error *error) {
    *manager = (struct service_manager){.socket = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0')
        return STATUS_OK;
    struct sockaddr_un address;
    socklen_t size = 0;
    enum status status = parse_address(path, &address, &size, error);
    if (status != STATUS_OK)
        return status;
    manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (manager->socket < 0 || connect(manager->socket, (const struct sockaddr *)&address, size) != 0) {
        status = error_set_errno(error, errno, "cannot reach NOTIFY_SOCKET %.100s", path);
        service_manager_disconnect(manager);
        return status;
    }
    uint64_t microseconds;
    bool wanted = getenv("WATCHDOG_PID") == NULL || is_meant_for_us("WATCHDOG_PID");
    if (wanted && read_number("WATCHDOG_USEC", &microseconds))
        manager->watchdog_milliseconds = microseconds / 1000;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    return STATUS_OK;
}

void service_manager_tell(const struct service_manager *manager, const char *assignments) {
    if (manager->socket >= 0)
        (void)send(manager->socket, assignments, strlen(assignments), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void service_manager_disconnect(struct service_manager *manager) {
    if (manager->socket >= 0)
        close(manager->socket);
    manager->socket = -1;
}
