/* Matching walks the path once; where a literal and a parameter could both match, the literal is
 * tried first. The depth of the tree bounds the work, not the number of routes. */
#include "http/router.h"

#include <assert.h>

struct node {
    struct span segment; /* of a literal */
    struct node *children, *next;
    struct node *param; /* the child that takes any segment */
    const struct route *by_method[METHOD_COUNT];
    void *context[METHOD_COUNT];
};

struct router {
    struct node root;
};

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_HEAD] = "HEAD",
};

bool router_method(struct span name, enum method *out)
{
    for (unsigned m = 0; m < METHOD_COUNT; m++)
        if (span_is(name, method_names[m])) {
            *out = (enum method)m;
            return true;
        }
    return false;
}

const char *router_method_name(enum method m)
{
    return method_names[m];
}

static bool is_param(struct span segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* Cuts the next segment off "/a/b"; false at the end. A single slash at the end is no segment. */
static bool next_segment(struct span *path, struct span *segment)
{
    if (path->len < 2 || path->ptr[0] != '/')
        return false;
    *path = span_skip(*path, 1);
    size_t len = 0;
    while (len < path->len && path->ptr[len] != '/')
        len++;
    *segment = span_of(path->ptr, len);
    *path = span_skip(*path, len);
    return true;
}

/* The child of `parent` for a segment of a pattern, made when it is missing. */
static struct node *child_of(struct node *parent, struct span segment)
{
    struct node **place = &parent->param;
    if (!is_param(segment)) {
        place = &parent->children;
        while (*place && !span_eq((*place)->segment, segment))
            place = &(*place)->next;
    }
    if (!*place) {
        *place = calloc(1, sizeof **place);
        if (*place)
            (*place)->segment = segment;
    }
    return *place;
}

static enum err add(struct router *r, const struct route *route, void *context)
{
    struct node *node = &r->root;
    struct span path = span_text(route->path), segment;
    while (node && next_segment(&path, &segment))
        node = child_of(node, segment);
    if (!node)
        return ERR_NO_MEMORY;
    assert(!node->by_method[route->method]);
    node->by_method[route->method] = route;
    node->context[route->method] = context;
    return ERR_OK;
}

/* A route for GET answers HEAD too, unless the path has a route of its own for it. */
static void let_get_answer_head(struct node *node)
{
    if (!node->by_method[METHOD_HEAD]) {
        node->by_method[METHOD_HEAD] = node->by_method[METHOD_GET];
        node->context[METHOD_HEAD] = node->context[METHOD_GET];
    }
    for (struct node *child = node->children; child; child = child->next)
        let_get_answer_head(child);
    if (node->param)
        let_get_answer_head(node->param);
}

enum err router_new(const struct route_table *tables, size_t count, struct router **out)
{
    struct router *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    enum err e = ERR_OK;
    for (size_t t = 0; !e && t < count; t++)
        for (size_t i = 0; !e && i < tables[t].count; i++)
            e = add(r, &tables[t].routes[i], tables[t].context);
    if (e) {
        router_free(&r);
        return e;
    }
    let_get_answer_head(&r->root);
    *out = r;
    return ERR_OK;
}

static void free_below(struct node *node)
{
    struct node *next = NULL;
    for (struct node *child = node->children; child; child = next) {
        next = child->next;
        free_below(child);
        free(child);
    }
    if (node->param)
        free_below(node->param);
    free(node->param);
}

void router_free(struct router **r)
{
    if (*r)
        free_below(&(*r)->root);
    free(*r);
    *r = NULL;
}

static bool has_routes(const struct node *node)
{
    for (unsigned m = 0; m < METHOD_COUNT; m++)
        if (node->by_method[m])
            return true;
    return false;
}

/* Recursion is bounded by the depth of the longest pattern: it descends one node a segment. */
static const struct node *find(const struct node *node, struct span path, struct router_match *out)
{
    struct span segment;
    if (!next_segment(&path, &segment))
        return (path.len == 0 || span_is(path, "/")) && has_routes(node) ? node : NULL;
    for (const struct node *child = node->children; child; child = child->next)
        if (span_eq(child->segment, segment)) {
            const struct node *found = find(child, path, out);
            if (found)
                return found;
        }
    if (!node->param || segment.len == 0 || out->param_count == ROUTE_PARAMS_MAX)
        return NULL;
    out->params[out->param_count++] = segment;
    const struct node *found = find(node->param, path, out);
    if (!found)
        out->param_count--;
    return found;
}

bool router_find(const struct router *r, struct span path, struct router_match *out)
{
    out->param_count = 0;
    const struct node *found = find(&r->root, path, out);
    if (!found)
        return false;
    memcpy(out->by_method, found->by_method, sizeof out->by_method);
    memcpy(out->context, found->context, sizeof out->context);
    return true;
}

void router_allow(const struct router_match *match, char out[ROUTER_ALLOW_MAX])
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned m = 0; m < METHOD_COUNT; m++)
        if (match->by_method[m]) {
            int n =
                snprintf(out + at, ROUTER_ALLOW_MAX - at, "%s%s", at ? ", " : "", method_names[m]);
            assert(n > 0 && at + (size_t)n < ROUTER_ALLOW_MAX);
            at += (size_t)n;
        }
}

struct span router_param_name(const struct route *route, unsigned i)
{
    struct span path = span_text(route->path), segment;
    while (next_segment(&path, &segment))
        if (is_param(segment) && i-- == 0)
            return span_of(segment.ptr + 1, segment.len - 2);
    return span_of(NULL, 0);
}
