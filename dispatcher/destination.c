/* Why prepared: reading the record, parsing headers and keying a MAC would cost more than the rest
 * of an attempt, and an endpoint's configuration seldom changes.
 *
 * Invariant: a destination in the cache has a slot, and *slot is it; one that was forgotten lives
 * on for the attempts in hand alone, so that none ever sends half of an old and half of a new
 * configuration. Headers are judged again here, although they were when they were stored: fails
 * closed, because the rules may have become stricter since. */
#include "dispatcher/destination.h"

#include "base/json_scan.h"
#include "base/log.h"
#include "dispatcher/dispatcher.h"

#include <arpa/inet.h>
#include <assert.h>

void destinations_init(struct destinations *cache, const struct guard *guard)
{
    *cache = (struct destinations){.guard = guard};
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
    free(self->url);
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

/* Whether the host of the URL is an address, and if so an allowed special one. */
static bool judge_literal(const struct guard *guard, CURLU *url, bool *special)
{
    char *host = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0))
        return false;
    char *end = host + strlen(host);
    char *start = host;
    if (*host == '[') { /* an IPv6 address comes in brackets */
        start++;
        end[-1] = 0;
    }
    uint8_t address[16];
    bool literal =
        inet_pton(AF_INET, start, address) == 1 || inet_pton(AF_INET6, start, address) == 1;
    if (literal)
        *special = guard_judge_text(guard, start) == GUARD_ALLOWED;
    curl_free(host);
    return literal;
}

static enum err prepare_url(struct destination *d, const struct guard *guard)
{
    struct span url = d->endpoint->url;
    d->url = strndup(url.ptr ? url.ptr : "", url.len);
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    enum err e = ERR_NO_MEMORY;
    if (!d->url || !parsed)
        goto out;
    e = ERR_INVALID;
    if (curl_url_set(parsed, CURLUPART_URL, d->url, 0) ||
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0))
        goto out;
    d->tls = strcmp(scheme, "https") == 0;
    d->resolved = judge_literal(guard, parsed, &d->special);
    e = ERR_OK;
out:
    curl_free(scheme);
    curl_url_cleanup(parsed);
    return e;
}

static enum err prepare(struct destination *d, const struct guard *guard)
{
    enum err e = prepare_url(d, guard);
    if (e)
        return e;
    if (!destination_headers(d->endpoint->headers, &d->headers, &d->content_type))
        return ERR_NO_MEMORY;
    d->cloud_events = d->endpoint->cloud_events;
    d->signer = signer_new(d->endpoint->keys, d->endpoint->key_count);
    return d->signer ? ERR_OK : ERR_NO_MEMORY;
}

static void insert(struct destinations *cache, struct destination *d, struct destination **slot)
{
    if (cache->count == DESTINATIONS_MAX)
        destination_forget(cache, TAILQ_LAST(&cache->by_use, destination_list)->slot);
    TAILQ_INSERT_HEAD(&cache->by_use, d, by_use);
    cache->count++;
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
        e = prepare(d, cache->guard);
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
