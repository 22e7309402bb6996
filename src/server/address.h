/* Where to listen or connect: HOST:PORT, where HOST is an IPv4 address, an IPv6 address in brackets, or
 * "localhost" (127.0.0.1); or unix:PATH. Other names are not looked up: the resolver of libc opens files and
 * sockets, which a sealed server can't. */
#ifndef RESCOLDO_SERVER_ADDRESS_H
#define RESCOLDO_SERVER_ADDRESS_H

#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 128u
#define UNIX_SCHEME       "unix:"

MUST_CHECK enum status address_parse(const char *text, struct sockaddr_storage *address, struct error *error);

/* As address_parse reads it. */
void address_print(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_SIZE]);

/* The size that bind(2) and connect(2) want. */
socklen_t address_size(const struct sockaddr_storage *address);

/* The path of a unix: address. */
const char *address_path(const struct sockaddr_storage *address);

#endif
