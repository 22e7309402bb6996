/* Files of this folder that the program carries; the Makefile makes the arrays. */
#ifndef RESCOLDO_SERVER_EMBEDDED_H
#define RESCOLDO_SERVER_EMBEDDED_H

#include <stddef.h>

extern const unsigned char openapi_document[]; /* openapi.json */
extern const size_t openapi_document_size;

#endif
