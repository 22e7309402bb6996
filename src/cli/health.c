/* rescoldo health: is a server ready? A container's HEALTHCHECK has no curl, so this asks by itself. */
#include "cli/cli.h"
#include "cli/options.h"
#include "server/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 5
#define SCHEME          "http://"
#define STANDARD_PATH   "/readyz"

struct target {
    struct sockaddr_storage address;
    char authority[ADDRESS_TEXT_SIZE];
    const char *host; /* for the request */
    const char *path;
};

/* unix:SOCKET or unix:SOCKET:/PATH. */
static enum status parse_unix(const char *url, struct target *target, struct error *error) {
    const char *path = strstr(url, ":/");
    if (path != NULL && path < url + strlen(UNIX_SCHEME))
        path = strstr(path + 1, ":/");
    size_t size = path == NULL ? strlen(url) : (size_t)(path - url);
    if (size >= sizeof target->authority)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the path of \"%.100s\" is too long", url);
    snprintf(target->authority, sizeof target->authority, "%.*s", (int)size, url);
    target->host = "localhost";
    target->path = path == NULL ? STANDARD_PATH : path + 1;
    return address_parse(target->authority, &target->address, error);
}

static enum status parse_url(const char *url, struct target *target, struct error *error) {
    if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0)
        return parse_unix(url, target, error);
    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "\"%.100s\" is neither http://HOST:PORT/PATH nor unix:SOCKET:/PATH", url);
    const char *authority = url + strlen(SCHEME);
    size_t size = strcspn(authority, "/?");
    if (size >= sizeof target->authority)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the host of \"%.100s\" is too long", url);
    snprintf(target->authority, sizeof target->authority, "%.*s", (int)size, authority);
    target->host = target->authority;
    target->path = authority[size] == '/' ? authority + size : STANDARD_PATH;
    return address_parse(target->authority, &target->address, error);
}

static enum status connect_to(const struct target *target, int *descriptor, struct error *error) {
    int made = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0)
        return error_set_errno(error, errno, "cannot make a socket");
    const struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    if (setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        connect(made, (const struct sockaddr *)&target->address, address_size(&target->address)) != 0) {
        int reason = errno;
        close(made);
        return error_set_errno(error, reason, "cannot reach %s", target->authority);
    }
    *descriptor = made;
    return STATUS_OK;
}

static enum status send_all(int descriptor, const char *data, size_t size, struct error *error) {
    while (size > 0) {
        ssize_t sent = send(descriptor, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return error_set_errno(error, errno, "cannot send the request");
        data += sent;
        size -= (size_t)sent;
    }
    return STATUS_OK;
}

/* Reads up to `capacity` bytes of the reply, until the server closes. */
static enum status receive(int descriptor, char *reply, size_t capacity, size_t *size, struct error *error) {
    *size = 0;
    while (*size < capacity) {
        ssize_t count = recv(descriptor, reply + *size, capacity - *size, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_set(error, STATUS_DEADLINE_EXCEEDED, "no reply within %d seconds", TIMEOUT_SECONDS);
        if (count < 0)
            return error_set_errno(error, errno, "cannot read the reply");
        if (count == 0)
            break;
        *size += (size_t)count;
    }
    return STATUS_OK;
}

static enum status check_reply(const char *reply, const char **body, struct error *error) {
    int status = 0;
    if (sscanf(reply, "HTTP/1.1 %3d ", &status) != 1)
        return error_set(error, STATUS_INVALID_DATA, "the reply is not HTTP/1.1");
    const char *blank = strstr(reply, "\r\n\r\n");
    *body = blank == NULL ? "" : blank + 4;
    if (status != 200)
        return error_set(error, STATUS_INVALID_DATA, "not ready: status %d, %.200s", status, *body);
    return STATUS_OK;
}

static enum status ask(const struct target *target, char *reply, size_t capacity, const char **body,
                       struct error *error) {
    int descriptor = -1;
    enum status status = connect_to(target, &descriptor, error);
    if (status != STATUS_OK)
        return status;
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                          target->path, target->host);
    if (length < 0 || (size_t)length >= sizeof request)
        status = error_set(error, STATUS_INVALID_ARGUMENT, "the URL is too long");
    size_t size = 0;
    if (status == STATUS_OK)
        status = send_all(descriptor, request, (size_t)length, error);
    if (status == STATUS_OK)
        status = receive(descriptor, reply, capacity - 1, &size, error);
    close(descriptor);
    reply[size] = '\0';
    return status == STATUS_OK ? check_reply(reply, body, error) : status;
}

int command_health(int argc, char **argv) {
    const char *url = "http://127.0.0.1:8080/readyz";
    const struct option options[] = {
        {.name = "url",
         .argument = "URL",
         .text = &url,
         .help = "what to ask: http://HOST:PORT/PATH or unix:SOCKET:/PATH;\n"
                 "default http://127.0.0.1:8080/readyz"},
    };
    const struct command command = {
        .name = "health",
        .synopsis = "[--url URL]",
        .description =
            "Asks a server whether it is ready, for a container's HEALTHCHECK: exit status 0 when it is.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    int outcome = command_parse(&command, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct target target;
    if (parse_url(url, &target, &error) != STATUS_OK)
        return command_usage_error("health", "--url: %s", error.message);
    if (strpbrk(target.path, " \r\n\t") != NULL)
        return command_usage_error("health", "--url: the path \"%s\" holds white space", target.path);
    char reply[4096];
    const char *body = "";
    if (ask(&target, reply, sizeof reply, &body, &error) != STATUS_OK)
        return cli_fail("health", &error);
    printf("%s\n", body);
    return cli_finish("health", 0);
}
