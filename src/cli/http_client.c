#include "cli/http_client.h"

#include "server/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static enum status connect_to(const struct sockaddr_storage *address, const char *name, unsigned seconds,
                              int *descriptor, struct error *error) {
    int made = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0)
        return error_set_errno(error, errno, "cannot make a socket");
    const struct timeval limit = {.tv_sec = (time_t)seconds};
    if (setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        connect(made, (const struct sockaddr *)address, address_size(address)) != 0) {
        int reason = errno;
        close(made);
        return error_set_errno(error, reason, "cannot reach %s", name);
    }
    *descriptor = made;
    return STATUS_OK;
}

static enum status send_all(int descriptor, struct bytes data, struct error *error) {
    size_t done = 0;
    while (done < data.size) {
        ssize_t sent = send(descriptor, data.data + done, data.size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return error_set_errno(error, errno, "cannot send the request");
        done += (size_t)sent;
    }
    return STATUS_OK;
}

static enum status receive(int descriptor, unsigned seconds, char *buffer, size_t capacity, size_t *size,
                           struct error *error) {
    *size = 0;
    while (*size < capacity) {
        ssize_t count = recv(descriptor, buffer + *size, capacity - *size, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_set(error, STATUS_DEADLINE_EXCEEDED, "no reply within %u seconds", seconds);
        if (count < 0)
            return error_set_errno(error, errno, "cannot read the reply");
        if (count == 0)
            break;
        *size += (size_t)count;
    }
    return STATUS_OK;
}

static enum status read_reply(const char *text, struct http_reply *reply, struct error *error) {
    static const char version[] = "HTTP/1.1 ";
    const char *digits = text + strlen(version);
    if (strncmp(text, version, strlen(version)) != 0 || strspn(digits, "0123456789") != 3)
        return error_set(error, STATUS_INVALID_DATA, "the reply is not HTTP/1.1");
    reply->status = (int)strtol(digits, NULL, 10);
    const char *blank = strstr(text, "\r\n\r\n");
    reply->body = blank == NULL ? "" : blank + 4;
    return STATUS_OK;
}

enum status http_exchange(const struct sockaddr_storage *address, const char *name, struct bytes request,
                          unsigned timeout_seconds, char *buffer, size_t capacity, struct http_reply *reply,
                          struct error *error) {
    int descriptor = -1;
    size_t size = 0;
    enum status status = connect_to(address, name, timeout_seconds, &descriptor, error);
    if (status != STATUS_OK)
        return status;
    status = send_all(descriptor, request, error);
    if (status == STATUS_OK)
        status = receive(descriptor, timeout_seconds, buffer, capacity - 1, &size, error);
    close(descriptor);
    buffer[size] = '\0';
    return status == STATUS_OK ? read_reply(buffer, reply, error) : status;
}
