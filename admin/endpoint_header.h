/* Headers that an endpoint's deliveries carry: rules and redaction. Pure. */
#ifndef ADMIN_ENDPOINT_HEADER_H
#define ADMIN_ENDPOINT_HEADER_H

#include "admin/body.h"
#include "base/json_writer.h"

/* Refuses `field` when an entry may not be sent, or two differ in case alone. A null value (a
 * deletion) passes. */
void endpoint_header_check(struct body *b, const char *field, const struct text_map *map);
/* Whether values of this header are credentials. Fails closed: a name that looks like one is
 * one. */
bool endpoint_header_sensitive(struct span name);
/* EndpointHeadersOut: values that are safe to show, and the names of those that are not. */
void endpoint_header_out(struct json_writer *w, const struct text_map *map);
/* Applies `change` to `map`, whose pairs have room for both: a null deletes, any other value
 * replaces or adds. */
void endpoint_header_merge(struct text_map *map, const struct text_map *change);
void endpoint_header_remove(struct text_map *map, struct span name);

#endif
