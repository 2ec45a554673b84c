/* A token is random and long, so that its hash needs no salt and no slow function: there is nothing
 * to guess. It is in the answer that creates it and nowhere else, not even in the answer that is
 * kept for a repeated request. */
#include "admin/key.h"

#include "admin/entity_out.h"
#include "admin/handlers.h"
#include "admin/list.h"
#include "admin/write.h"
#include "base/rand.h"

#include <assert.h>

static const char *const scope_names[] = {
    [SCOPE_ADMIN] = "admin", [SCOPE_INGEST] = "ingest", [SCOPE_READ] = "read", [SCOPE_APP] = "app"};

void key_secret_make(char secret[KEY_SECRET_LEN + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[33] = {0};
    char *at = secret;
    rand_bytes(bytes, 32);
    for (size_t i = 0; i < sizeof bytes; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0 && at < secret + KEY_SECRET_LEN; shift -= 6)
            *at++ = digits[bits >> shift & 63];
    }
    *at = '\0';
    assert(at == secret + KEY_SECRET_LEN);
}

void key_token_make(char token[KEY_TOKEN_LEN + 1], uint8_t hash[SHA256_BYTES])
{
    memcpy(token, "sh_", 3);
    key_secret_make(token + 3);
    hash_sha256(span_of(token, KEY_TOKEN_LEN), hash);
}

const char *key_scope_name(enum key_scope scope)
{
    assert((size_t)scope < sizeof scope_names / sizeof *scope_names);
    return scope_names[scope];
}

bool key_scope_parse(struct span name, enum key_scope *out)
{
    for (size_t i = 0; i < sizeof scope_names / sizeof *scope_names; i++) {
        if (!span_is(name, scope_names[i]))
            continue;
        *out = (enum key_scope)i;
        return true;
    }
    return false;
}

static enum err find_app(struct request *req, struct write *w, struct span ref, struct id *out)
{
    enum err e = lookup_begin(req, &w->found);
    if (!e)
        e = store_app_get(w->found.read, &request_principal(req)->org, ref, &w->found.app);
    if (!e)
        *out = w->found.app->id;
    return e;
}

static void read_scope(struct request *req, struct write *w)
{
    static const struct text_rule ref_rule = {.min = 1, .max = UID_MAX};
    struct body *b = &w->body;
    struct api_key *key = &w->key_op.key;
    struct span scope = {0}, app = {0};
    body_require(b, "scope", body_text(b, "scope", &ref_rule, &scope));
    if (b->result == ERR_OK && !key_scope_parse(scope, &key->scope))
        body_refuse(b, "scope", "must be admin, ingest, read or app");
    enum field state = body_text(b, "appId", &ref_rule, &app);
    if (key->scope == SCOPE_APP)
        body_require(b, "appId", state);
    else if (state == FIELD_VALUE)
        body_refuse(b, "appId", "belongs to the scope app alone");
    if (b->result != ERR_OK || state != FIELD_VALUE)
        return;
    enum err e = find_app(req, w, app, &key->app);
    if (e == ERR_NOT_FOUND)
        body_refuse(b, "appId", "no such application");
    else if (e)
        b->result = e;
}

/* The stored answer has no token: one that leaks from the disk would be a key. So a repeated
 * request gets the key that it made, and the token only the first time. */
static void add_token(struct request *req, struct write *w)
{
    (void)req;
    if (w->op.replayed)
        return;
    buf_clear(&w->op.answer);
    struct json_writer out = write_answer(w);
    entity_out_key(&out, &w->key_op.key, span_of(w->token, KEY_TOKEN_LEN));
}

static bool create_step(struct request *req, struct write *w)
{
    static const struct text_rule name_rule = {.max = sizeof w->key_op.key.name - 1};
    struct api_key *key = &w->key_op.key;
    struct span name = {0};
    write_open_body(req, w, false);
    body_text(&w->body, "name", &name_rule, &name);
    read_scope(req, w);
    key->created = clock_wall();
    if (body_time(&w->body, "expiresAt", &key->expires) == FIELD_VALUE &&
        key->expires.us <= key->created.us)
        body_refuse(&w->body, "expiresAt", "must be in the future");
    if (!write_body_good(req, w))
        return false;
    if (name.len)
        memcpy(key->name, name.ptr, name.len);
    key->id = id_fresh(key->created);
    key->org = request_principal(req)->org;
    key_token_make(w->token, key->hash);
    write_prepare(w, STORE_KEY_PUT, 201);
    struct json_writer out = write_answer(w);
    entity_out_key(&out, key, span_text(NULL));
    w->before_reply = add_token;
    return true;
}

void key_create_route(struct request *req)
{
    write_run(req, create_step);
}

/* All keys of the organisation; the others are dropped from the array. */
static enum err load_all(struct request *req, struct lookup *l, struct api_key **keys,
                         size_t *count)
{
    size_t all = 0;
    *count = 0;
    *keys = NULL;
    enum err e = lookup_begin(req, l);
    if (!e)
        e = store_key_list(l->read, keys, &all);
    for (size_t i = 0; !e && i < all; i++)
        if (id_cmp(&(*keys)[i].org, &request_principal(req)->org) == 0)
            (*keys)[(*count)++] = (*keys)[i];
    return e;
}

void key_list_route(struct request *req)
{
    struct lookup l = {0};
    struct api_key *keys;
    size_t count;
    enum err e = load_all(req, &l, &keys, &count);
    lookup_release(&l);
    if (e) {
        request_fail_err(req, e, NULL);
        return;
    }
    struct buf out;
    struct json_writer w;
    buf_init(&out, REPLY_MAX);
    jw_init(&w, &out);
    page_params_open(&w);
    for (size_t i = 0; i < count; i++)
        entity_out_key(&w, &keys[i], span_text(NULL));
    page_params_close_ids(&w, ID_KEY, count ? &keys[0].id : NULL,
                          count ? &keys[count - 1].id : NULL, true);
    free(keys);
    request_reply(req, 200, &out);
}

static bool revoke_step(struct request *req, struct write *w)
{
    struct id id;
    struct api_key *keys = NULL;
    size_t count = 0;
    bool found = false;
    enum err e = id_parse(request_param(req, "key"), ID_KEY, &id) ? ERR_NOT_FOUND : ERR_OK;
    if (!e)
        e = load_all(req, &w->found, &keys, &count);
    for (size_t i = 0; i < count && !found; i++)
        if ((found = id_cmp(&keys[i].id, &id) == 0))
            w->key_op.key = keys[i];
    free(keys);
    if (!write_good(req, e ? e : found ? ERR_OK : ERR_NOT_FOUND))
        return false;
    write_prepare(w, STORE_KEY_REVOKE, 204);
    return true;
}

void key_revoke_route(struct request *req)
{
    write_run(req, revoke_step);
}
