/* Why prepared: reading the record, parsing headers and keying a MAC would cost more than the rest
 * of an attempt, and an endpoint's configuration seldom changes.
 *
 * Invariant: a destination in the cache has a slot, and *slot is it; one that was forgotten lives
 * on for the attempts in hand alone, so that none ever sends half of an old and half of a new
 * configuration. Headers are judged again here, although they were when they were stored: fails
 * closed, because the rules may have become stricter since. */
#include "dispatcher/destination.h"

#include "base/json_scan.h"
#include "base/hash.h"
#include "base/log.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/grant.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/crypto.h>

#define AUTHORIZATION_MAX 2048 /* base64 of user, colon and secret, and the name of the header */
#define GRANT_PARTS_MAX (AUTH_USER_MAX + AUTH_SECRET_MAX + URL_MAX + 2 * AUTH_SCOPE_MAX + 64)

void destinations_init(struct destinations *cache, const struct outbound *outbound)
{
    *cache = (struct destinations){.outbound = outbound};
    TAILQ_INIT(&cache->by_use);
}

void destinations_clear(struct destinations *cache)
{
    for (struct destination *d; (d = TAILQ_FIRST(&cache->by_use));)
        destination_forget(cache, d->slot);
}

struct destination *destination_ref(struct destination *d)
{
    d->refs++;
    return d;
}

void destination_unref(struct destination **d)
{
    struct destination *self = *d;
    *d = NULL;
    if (!self || --self->refs > 0)
        return;
    assert(!self->slot);
    signer_free(&self->signer);
    curl_slist_free_all(self->headers);
    free(self->content_type);
    if (self->authorization)
        OPENSSL_cleanse(self->authorization, strlen(self->authorization));
    free(self->authorization);
    identity_free(&self->identity);
    free(self->route);
    free(self->url);
    curl_url_cleanup(self->parsed);
    endpoint_free(&self->endpoint);
    free(self);
}

void destination_touch(struct destinations *cache, struct destination *d)
{
    if (TAILQ_FIRST(&cache->by_use) == d)
        return;
    TAILQ_REMOVE(&cache->by_use, d, by_use);
    TAILQ_INSERT_HEAD(&cache->by_use, d, by_use);
}

void destination_forget(struct destinations *cache, struct destination **slot)
{
    struct destination *d = *slot;
    if (!d)
        return;
    assert(d->slot == slot);
    TAILQ_REMOVE(&cache->by_use, d, by_use);
    cache->count--;
    cache->certificate_bytes -= d->certificate_bytes;
    d->slot = NULL;
    *slot = NULL;
    destination_unref(&d);
}

/* One "name: value" line to where it belongs. */
static bool header_add(struct span name, struct span value, struct curl_slist **list,
                       char **content_type)
{
    struct buf line;
    buf_init(&line, ENDPOINT_HEADERS_MAX + 16);
    buf_span(&line, name);
    buf_text(&line, ": ");
    buf_span(&line, span_trim(value));
    char *text = buf_take(&line, NULL);
    if (!text)
        return false;
    if (span_eq_nocase(name, SPAN("content-type"))) {
        free(*content_type);
        *content_type = text;
        return true;
    }
    struct curl_slist *longer = curl_slist_append(*list, text);
    free(text);
    if (longer)
        *list = longer;
    return longer != NULL;
}

bool destination_headers(struct span json, struct curl_slist **list, char **content_type)
{
    struct json_value object, item;
    struct json_error error;
    if (json.len == 0)
        return true;
    if (json_check(json, 2, &object, &error) || object.type != JSON_OBJECT) {
        log_warn("stored headers not sent", LOG_TEXT_FIELD("why", "not an object"), LOG_END);
        return true;
    }

    struct buf value;
    buf_init(&value, ENDPOINT_HEADERS_MAX);
    struct json_walk walk = json_walk(object);
    bool good = true;
    for (struct span name; good && json_next(&walk, &name, &item);) {
        const char *why = "not a plain name with text as its value";
        buf_clear(&value);
        if (walk.name_escaped || item.type != JSON_STRING || json_text(item, &value) ||
            dispatcher_header_check(name, buf_view(&value), &why)) {
            log_warn("stored header not sent", LOG_SPAN("name", name), LOG_TEXT_FIELD("why", why),
                     LOG_END);
            continue;
        }
        good = header_add(name, buf_view(&value), list, content_type);
    }
    buf_free(&value);
    return good;
}

/* Whether the host needs no lookup, as an address or a name of loopback's, and if so whether it is
 * an allowed special one. */
static bool judge_known(const struct guard *guard, const char *host, bool *special)
{
    uint8_t address[16];
    bool literal =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    bool loopback = guard_names_loopback(span_text(host));
    if (literal)
        *special = guard_judge_text(guard, host) == GUARD_ALLOWED;
    else if (loopback)
        *special = guard_judge_loopback(guard) == GUARD_ALLOWED;
    return literal || loopback;
}

static enum err prepare_host(struct destination *d, char *host, const struct outbound *outbound)
{
    if (*host == '[') { /* an IPv6 address comes in brackets */
        host[strlen(host) - 1] = 0;
        host++;
    }
    d->resolved = judge_known(&outbound->guard, host, &d->special);
    return route_new(outbound, host, &d->route);
}

/* curl knows loopback's names by itself, but asks a resolver for one with the root's dot. */
static enum err drop_root(struct destination *d, char *host)
{
    const size_t len = strlen(host);
    char *url = NULL;
    if (!guard_names_loopback(span_text(host)) || host[len - 1] != '.')
        return ERR_OK;
    host[len - 1] = 0;
    free(d->url);
    d->url = NULL;
    if (!curl_url_set(d->parsed, CURLUPART_HOST, host, 0) &&
        !curl_url_get(d->parsed, CURLUPART_URL, &url, 0))
        d->url = strdup(url);
    curl_free(url);
    return d->url ? ERR_OK : ERR_NO_MEMORY;
}

static enum err prepare_url(struct destination *d, struct span url, const struct outbound *outbound)
{
    d->url = strndup(url.ptr ? url.ptr : "", url.len);
    d->parsed = curl_url();
    char *scheme = NULL, *host = NULL;
    enum err e = ERR_NO_MEMORY;
    if (!d->url || !d->parsed)
        goto out;
    e = ERR_INVALID;
    if (curl_url_set(d->parsed, CURLUPART_URL, d->url, 0) ||
        curl_url_get(d->parsed, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(d->parsed, CURLUPART_HOST, &host, 0))
        goto out;
    d->tls = strcmp(scheme, "https") == 0;
    e = drop_root(d, host);
    if (!e)
        e = prepare_host(d, host, outbound);
out:
    curl_free(host);
    curl_free(scheme);
    return e;
}

struct destination *destination_at(struct span url, uint32_t number,
                                   const struct outbound *outbound)
{
    struct destination *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->refs = 1;
    d->number = number;
    if (prepare_url(d, url, outbound))
        destination_unref(&d);
    return d;
}

static bool prepare_basic(struct destination *d)
{
    struct buf line;
    buf_init(&line, AUTHORIZATION_MAX);
    buf_reserve(&line, AUTHORIZATION_MAX); /* at once: a growing buffer leaves copies behind */
    grant_basic(&d->endpoint->auth, &line);
    d->authorization = buf_take(&line, NULL);
    return d->authorization != NULL;
}

static bool prepare_grant(struct destination *d)
{
    const struct endpoint_auth *a = &d->endpoint->auth;
    const struct span parts[] = {a->user, a->secret, a->token_url, a->scope, a->audience};
    struct buf all;
    buf_init(&all, GRANT_PARTS_MAX);
    buf_reserve(&all, GRANT_PARTS_MAX);
    buf_u32(&all, d->number);
    buf_u8(&all, (uint8_t)a->client_auth);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_u32(&all, (uint32_t)parts[i].len);
        buf_span(&all, parts[i]);
    }
    hash_sha256(buf_view(&all), d->grant_key);
    const bool good = !all.failed;
    if (all.ptr)
        OPENSSL_cleanse(all.ptr, all.cap);
    buf_free(&all);
    return good;
}

static bool prepare_auth(struct destination *d)
{
    switch (d->endpoint->auth.kind) {
    case AUTH_BASIC:
        return prepare_basic(d);
    case AUTH_OAUTH2:
        return prepare_grant(d);
    case AUTH_NONE:
    case AUTH_KINDS:
        break;
    }
    return true;
}

static enum err prepare(struct destination *d, const struct outbound *outbound)
{
    d->number = d->endpoint->number;
    d->timeout_us = d->endpoint->timeout_us;
    enum err e = prepare_url(d, d->endpoint->url, outbound);
    if (e)
        return e;
    if (!destination_headers(d->endpoint->headers, &d->headers, &d->content_type) ||
        !prepare_auth(d) || !identity_init(&d->identity, &d->endpoint->tls, d->number))
        return ERR_NO_MEMORY;
    const struct endpoint_tls *tls = &d->endpoint->tls;
    d->certificate_bytes = 2 * (tls->ca.len + tls->certificate.len) + tls->key.len;
    d->cloud_events = d->endpoint->cloud_events;
    d->signer = signer_new(d->endpoint->keys, d->endpoint->key_count);
    return d->signer ? ERR_OK : ERR_NO_MEMORY;
}

static bool is_full(const struct destinations *cache, const struct destination *d)
{
    const bool heavy =
        cache->certificate_bytes + d->certificate_bytes > DESTINATION_CERTIFICATES_MAX;
    return cache->count == DESTINATIONS_MAX || (heavy && d->certificate_bytes > 0);
}

static void insert(struct destinations *cache, struct destination *d, struct destination **slot)
{
    while (is_full(cache, d))
        destination_forget(cache, TAILQ_LAST(&cache->by_use, destination_list)->slot);
    TAILQ_INSERT_HEAD(&cache->by_use, d, by_use);
    cache->count++;
    cache->certificate_bytes += d->certificate_bytes;
    d->slot = slot;
    *slot = d;
}

enum err destination_load(struct destinations *cache, struct store_read *read, uint32_t number,
                          struct id *id, struct destination **slot)
{
    destination_forget(cache, slot);
    struct destination *d = calloc(1, sizeof *d);
    if (!d)
        return ERR_NO_MEMORY;
    d->refs = 1;
    enum err e = store_endpoint_load(read, number, &d->endpoint);
    if (!e)
        *id = d->endpoint->id;
    if (!e && d->endpoint->disabled)
        e = ERR_DISABLED;
    if (!e)
        e = prepare(d, cache->outbound);
    if (e) {
        if (e == ERR_INVALID)
            log_error("endpoint cannot be used", LOG_ID("endpoint", ID_ENDPOINT, &d->endpoint->id),
                      LOG_END);
        destination_unref(&d);
        return e;
    }
    insert(cache, d, slot);
    return ERR_OK;
}
