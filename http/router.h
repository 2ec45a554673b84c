/* Finds the route of a path: a tree over path segments, built once at start. Immutable afterwards,
 * any thread. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/server.h"

#define METHOD_COUNT (METHOD_HEAD + 1)

struct router;

/* Asserts that no two routes have the same method and path. The routes themselves are not
 * copied. */
enum err router_new(const struct route_table *tables, size_t count, struct router **out) MUST_CHECK;
/* Nulls the pointer. */
void router_free(struct router **r);

/* The routes of one path, by method. */
struct router_match {
    const struct route *by_method[METHOD_COUNT]; /* HEAD is answered by GET's route */
    void *context[METHOD_COUNT];
    unsigned param_count;
    struct span params[ROUTE_PARAMS_MAX]; /* as in the path, not decoded, in the path's order */
};
/* False: no route has this path, whatever the method. A trailing slash makes no difference.
 * Segments of text are preferred over {parameters}. */
bool router_find(const struct router *r, struct span path, struct router_match *out);

/* "GET, HEAD, POST": the methods that the path takes; room for all. */
#define ROUTER_ALLOW_MAX 48
void router_allow(const struct router_match *match, char out[ROUTER_ALLOW_MAX]);

/* The name of the i-th {parameter} of a route's path. */
struct span router_param_name(const struct route *route, unsigned i);

/* False: not a method that any route has. */
bool router_method(struct span name, enum method *out);
const char *router_method_name(enum method m);

#endif
