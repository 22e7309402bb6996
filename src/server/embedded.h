/* Files that the program carries, compressed (gzip, RFC 1952); the Makefile makes the arrays. */
#ifndef RESCOLDO_SERVER_EMBEDDED_H
#define RESCOLDO_SERVER_EMBEDDED_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stddef.h>

extern const unsigned char openapi_document[]; /* openapi.json of this folder */
extern const size_t openapi_document_size;

extern const unsigned char sbom_document[]; /* made by scripts/sbom: CycloneDX 1.6 */
extern const size_t sbom_document_size;

/* Appends the text of one of them; STATUS_OUT_OF_MEMORY leaves it as it was. */
MUST_CHECK enum status embedded_document_append(const unsigned char *document, size_t size,
                                                struct buffer *text, struct error *error);

#endif
