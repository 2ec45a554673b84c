/* The description of the API (OpenAPI 3.1), made of the route tables and the shapes. */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H

#include "http/server.h"

/* Appends the document. Pure. */
void openapi_write(const struct route_table *tables, size_t count, struct buf *out);

#endif
