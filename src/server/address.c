#include "server/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static enum status malformed(const char *text, struct error *error) {
    return error_set(
        error, STATUS_INVALID_ARGUMENT,
        "\"%.100s\" is not HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080 (names are not "
        "looked up), and not unix:PATH",
        text);
}

/* 0 to 65535 in digits, or -1. */
static int parse_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return -1;
    long port = strtol(text, NULL, 10);
    return port <= 65535 ? (int)port : -1;
}

static enum status parse_path(const char *path, struct sockaddr_storage *address, struct error *error) {
    struct sockaddr_un *local = (struct sockaddr_un *)address;
    size_t size = strlen(path);
    if (size == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "unix: has no path, expected unix:PATH");
    if (size >= sizeof local->sun_path)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the path of a socket may have %zu bytes, \"%.100s\" has %zu",
                         sizeof local->sun_path - 1, path, size);
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, size + 1);
    return STATUS_OK;
}

enum status address_parse(const char *text, struct sockaddr_storage *address, struct error *error) {
    memset(address, 0, sizeof *address);
    if (strncmp(text, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0)
        return parse_path(text + strlen(UNIX_SCHEME), address, error);
    const char *colon = strrchr(text, ':');
    int port = colon == NULL ? -1 : parse_port(colon + 1);
    size_t host_size = colon == NULL ? 0 : (size_t)(colon - text);
    char host[INET6_ADDRSTRLEN + 1];
    bool brackets = host_size > 2 && text[0] == '[' && text[host_size - 1] == ']';
    if (port < 0 || host_size == 0 || host_size - (brackets ? 2 : 0) >= sizeof host)
        return malformed(text, error);
    snprintf(host, sizeof host, "%.*s", (int)(host_size - (brackets ? 2 : 0)), text + (brackets ? 1 : 0));
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    if (brackets) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 ? STATUS_OK : malformed(text, error);
    }
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, number, &four->sin_addr) == 1 ? STATUS_OK : malformed(text, error);
}

const char *address_path(const struct sockaddr_storage *address) {
    return ((const struct sockaddr_un *)address)->sun_path;
}

void address_print(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_SIZE]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_UNIX) {
        snprintf(text, ADDRESS_TEXT_SIZE, UNIX_SCHEME "%s", address_path(address));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(text, ADDRESS_TEXT_SIZE, "[%s]:%u", host, (unsigned)ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(text, ADDRESS_TEXT_SIZE, "%s:%u", host, (unsigned)ntohs(four->sin_port));
    }
}

socklen_t address_size(const struct sockaddr_storage *address) {
    switch (address->ss_family) {
    case AF_UNIX:
        return sizeof(struct sockaddr_un);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_in);
    }
}
