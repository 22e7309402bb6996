/* Files of this folder that the program carries; the Makefile makes the arrays. */
#ifndef RESCOLDO_SERVER_EMBEDDED_H
#define RESCOLDO_SERVER_EMBEDDED_H

#include <stddef.h>

extern const unsigned char openapi_document[]; /* openapi.json */
extern const size_t openapi_document_size;

extern const unsigned char sbom_document[]; /* made by scripts/sbom: CycloneDX 1.6 */
extern const size_t sbom_document_size;

#endif
