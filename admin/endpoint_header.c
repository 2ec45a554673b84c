/* Header names are compared without case everywhere here, as receivers compare them. Credentials
 * are written once and never read back: GET names them and keeps the values. */
#include "admin/endpoint_header.h"

#include "admin/context.h"
#include "admin/endpoint.h"
#include "admin/endpoint_auth.h"
#include "admin/field.h"
#include "admin/handlers.h"

void endpoint_header_check(struct body *b, const char *field, const struct text_map *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct text_pair *pair = &map->pairs[i];
        const char *why = NULL;
        if (!pair->null && dispatcher_header_check(pair->name, pair->value, &why) != ERR_OK)
            body_refuse(b, field, why);
        if (text_map_find_header(map, pair->name) != pair)
            body_refuse(b, field, "two headers have the same name");
    }
}

static bool contains(struct span name, const char *word)
{
    struct span part = span_text(word);
    for (size_t i = 0; i + part.len <= name.len; i++)
        if (span_eq_nocase(span_of(name.ptr + i, part.len), part))
            return true;
    return false;
}

bool endpoint_header_sensitive(struct span name)
{
    static const char *const words[] = {"auth",     "cookie",     "key",     "token", "secret",
                                        "password", "credential", "session", "jwt",   "signature"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains(name, words[i]))
            return true;
    return false;
}

void endpoint_header_out(struct json_writer *w, const struct text_map *map)
{
    jw_object(w);
    jw_name(w, "headers");
    jw_object(w);
    for (unsigned i = 0; i < map->count; i++)
        if (!endpoint_header_sensitive(map->pairs[i].name))
            jw_member_string(w, map->pairs[i].name.ptr, map->pairs[i].value);
    jw_end_object(w);
    jw_name(w, "sensitive");
    jw_array(w);
    for (unsigned i = 0; i < map->count; i++)
        if (endpoint_header_sensitive(map->pairs[i].name))
            jw_string(w, map->pairs[i].name);
    jw_end_array(w);
    jw_end_object(w);
}

void endpoint_header_remove(struct text_map *map, struct span name)
{
    struct text_pair *pair = text_map_find_header(map, name);
    if (pair)
        *pair = map->pairs[--map->count];
}

void endpoint_header_merge(struct text_map *map, const struct text_map *change)
{
    for (unsigned i = 0; i < change->count; i++) {
        const struct text_pair *pair = &change->pairs[i];
        endpoint_header_remove(map, pair->name);
        if (!pair->null)
            map->pairs[map->count++] = *pair;
    }
}

void endpoint_header_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_endpoint(req, &l))
        return;
    struct arena arena;
    struct text_map map;
    arena_init(&arena, NULL, 0, ADMIN_BODY_MAX);
    enum err e = text_map_parse(&arena, l.endpoint->headers, &map);
    struct buf out;
    struct json_writer w;
    buf_init(&out, ADMIN_BODY_MAX);
    jw_init(&w, &out);
    if (!e)
        endpoint_header_out(&w, &map);
    arena_free(&arena);
    lookup_release(&l);
    if (e)
        request_fail_err(req, e, NULL);
    else
        request_reply(req, 200, &out);
}

static bool put_step(struct request *req, struct write *w)
{
    struct text_map map = {0};
    if (!endpoint_load(req, w))
        return false;
    write_open_body(req, w, false);
    body_require(&w->body, "headers", body_map(&w->body, "headers", false, &map));
    endpoint_header_check(&w->body, "headers", &map);
    w->endpoint.headers = body_map_json(&w->body, "headers", &map, ENDPOINT_HEADERS_MAX);
    endpoint_auth_agree(&w->body, "headers", &w->endpoint);
    endpoint_prepare_put(w, 204);
    return write_body_good(req, w);
}

void endpoint_header_put_route(struct request *req)
{
    write_run(req, put_step);
}

/* The stored headers in an array with room for the change. */
static enum err load(struct write *w, unsigned more, struct text_map *out)
{
    struct text_map stored;
    enum err e = text_map_parse(&w->body.arena, w->endpoint.headers, &stored);
    if (e)
        return e;
    out->count = stored.count;
    out->pairs = arena_alloc(&w->body.arena, (stored.count + more + 1) * sizeof *out->pairs);
    if (!out->pairs)
        return ERR_NO_MEMORY;
    if (stored.count)
        memcpy(out->pairs, stored.pairs, stored.count * sizeof *out->pairs);
    return ERR_OK;
}

static bool patch_step(struct request *req, struct write *w)
{
    static const struct text_rule name_rule = {.min = 1, .max = 256};
    struct text_map change = {0}, map = {0};
    unsigned removed = 0;
    if (!endpoint_load(req, w))
        return false;
    write_open_body(req, w, false);
    struct body *b = &w->body;
    body_require(b, "headers", body_map(b, "headers", true, &change));
    endpoint_header_check(b, "headers", &change);
    body_texts(b, "deleteHeaders", &name_rule, 0, ENDPOINT_FILTERS_MAX, w->texts, &removed);
    if (b->result == ERR_OK)
        b->result = load(w, change.count, &map);
    if (!write_body_good(req, w))
        return false;
    endpoint_header_merge(&map, &change);
    for (unsigned i = 0; i < removed; i++)
        endpoint_header_remove(&map, w->texts[i]);
    w->endpoint.headers = body_map_json(b, "headers", &map, ENDPOINT_HEADERS_MAX);
    endpoint_auth_agree(b, "headers", &w->endpoint);
    endpoint_prepare_put(w, 204);
    return write_body_good(req, w);
}

void endpoint_header_patch_route(struct request *req)
{
    write_run(req, patch_step);
}
