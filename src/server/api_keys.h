/* The keys that a server asks for. A file has one a line: the key, and after white space a name for the log,
 * if wanted; empty lines and those that begin with "#" are skipped. Only SHA-256 digests of the keys stay in
 * memory, and a key is compared with all of them in a time that does not depend on which one it is near to.
 */
#ifndef RESCOLDO_SERVER_API_KEYS_H
#define RESCOLDO_SERVER_API_KEYS_H

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "server/http_request.h"

#include <stdbool.h>

#define API_KEY_MAX_BYTES      512u
#define API_KEY_NAME_MAX_BYTES 64u
#define API_KEYS_MAX           1000u

struct api_keys;

/* At least one key, each of at most API_KEY_MAX_BYTES visible ASCII characters, or an error that gives the
 * line, and never the key. */
MUST_CHECK enum status api_keys_read(const char *path, struct api_keys **keys, struct error *error);
MUST_CHECK enum status api_keys_parse(struct bytes text, struct api_keys **keys, struct error *error);
void api_keys_free(struct api_keys *keys);

/* Has the request one of the keys: "Authorization: Bearer KEY", "Authorization: KEY" or "Api-Key: KEY", each
 * field at most once? *name becomes the key's name, "" when it has none; it lives as long as the keys. */
bool api_keys_permit(const struct api_keys *keys, const struct http_request *request, const char **name);

#endif
