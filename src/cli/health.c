/* rescoldo health: is a server ready? A container's HEALTHCHECK has no curl, so this asks by itself. */
#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/options.h"
#include "server/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static enum status ask(const struct target *target, char *buffer, size_t capacity, const char **body,
                       struct error *error) {
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                          target->path, target->host);
    if (length < 0 || (size_t)length >= sizeof request)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the URL is too long");
    struct http_reply reply;
    enum status status = http_exchange(&target->address, target->authority, bytes_of(request, (size_t)length),
                                       TIMEOUT_SECONDS, buffer, capacity, &reply, error);
    if (status != STATUS_OK)
        return status;
    if (reply.status != 200)
        return error_set(error, STATUS_INVALID_DATA, "not ready: status %d, %.200s", reply.status,
                         reply.body);
    *body = reply.body;
    return STATUS_OK;
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
