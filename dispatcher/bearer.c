/* Why a fetch is no part of one attempt: many attempts need the same token, and the one that asked
 * first may end before it comes.
 *
 * Invariants: a bearer that is being fetched or waited for stays; its `fetch` is NULL exactly when
 * no transfer of its own is under way; a fresh connection is made for each fetch and closed after
 * it, because credentials travel on it. What the server said is never kept or shown: it may be
 * anybody's. */
#include "dispatcher/bearer.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "dispatcher/grant.h"

#include <assert.h>
#include <openssl/crypto.h>

#define LINE_MAX_BYTES 8192 /* credentials: three bytes for one, and base64 of that */
#define FORM_MAX_BYTES (16 * 1024)
#define RENEW_REST_US (5 * US_PER_S) /* after a renewal that failed, while the old token serves */

TAILQ_HEAD(bearer_waits, bearer_wait);

struct bearer {
    struct bearers *all;
    uint8_t key[GRANT_KEY_BYTES]; /* as the destination has it */
    struct id endpoint;           /* for the log */
    struct destination *server;   /* where it is fetched */
    struct buf token;
    uint64_t serial;
    struct mono renew_at, end_at; /* of the token */
    struct mono failed, refused;  /* the last time; {0}: never */

    struct transfer *fetch;
    struct buf form, line, answer; /* of the fetch */
    struct curl_slist headers[3];  /* likewise */
    struct bearer_waits waiting;
    TAILQ_ENTRY(bearer) by_use;
};

struct bearers {
    struct transfers *transfers;
    const struct outbound *outbound;
    struct map *table;
    uint64_t serial;                        /* the last one given out */
    TAILQ_HEAD(bearer_list, bearer) by_use; /* the most recently used first */
};

static struct span key_of(const void *value)
{
    const struct bearer *b = value;
    return span_of(b->key, sizeof b->key);
}

struct bearers *bearers_new(struct transfers *transfers, const struct outbound *outbound)
{
    struct bearers *bs = calloc(1, sizeof *bs);
    if (!bs)
        return NULL;
    bs->transfers = transfers;
    bs->outbound = outbound;
    TAILQ_INIT(&bs->by_use);
    bs->table = map_new(key_of);
    if (!bs->table)
        bearers_free(&bs);
    return bs;
}

static void wipe(struct buf *b)
{
    if (b->ptr)
        OPENSSL_cleanse(b->ptr, b->cap);
    buf_free(b);
}

static void fetch_over(struct bearer *b)
{
    b->fetch = NULL;
    wipe(&b->form);
    wipe(&b->line);
    wipe(&b->answer);
}

static void bearer_free(struct bearer *b)
{
    assert(TAILQ_EMPTY(&b->waiting));
    if (b->fetch)
        transfer_abort(b->fetch);
    fetch_over(b);
    wipe(&b->token);
    destination_unref(&b->server);
    free(b);
}

static void forget(struct bearer *b)
{
    map_take(b->all->table, key_of(b));
    TAILQ_REMOVE(&b->all->by_use, b, by_use);
    bearer_free(b);
}

void bearers_free(struct bearers **bs)
{
    struct bearers *self = *bs;
    if (!self)
        return;
    *bs = NULL;
    for (struct bearer *b; (b = TAILQ_FIRST(&self->by_use));)
        forget(b);
    map_free(&self->table);
    free(self);
}

/* ---------------------------------------------------------------- the table */

/* Those not used for longest go when there is no room, and when they serve nobody any more. */
static void make_room(struct bearers *bs, struct mono now)
{
    for (struct bearer *b = TAILQ_LAST(&bs->by_use, bearer_list), *newer; b; b = newer) {
        newer = TAILQ_PREV(b, bearer_list, by_use);
        const bool over = b->end_at.us <= now.us && now.us - b->refused.us > GRANT_REFUSED_REST_US;
        if (map_count(bs->table) < BEARERS_MAX && !over)
            return;
        if (!b->fetch && TAILQ_EMPTY(&b->waiting))
            forget(b);
    }
}

static struct bearer *bearer_add(struct bearers *bs, const struct destination *d, struct mono now)
{
    make_room(bs, now);
    struct bearer *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->all = bs;
    memcpy(b->key, d->grant_key, sizeof b->key);
    b->endpoint = d->endpoint->id;
    TAILQ_INIT(&b->waiting);
    buf_init(&b->token, ACCESS_TOKEN_MAX);
    buf_init(&b->form, FORM_MAX_BYTES);
    buf_init(&b->line, LINE_MAX_BYTES);
    buf_init(&b->answer, TOKEN_ANSWER_MAX);
    b->server = destination_at(d->endpoint->auth.token_url, d->number, bs->outbound);
    if (!b->server || !map_put(bs->table, b)) {
        bearer_free(b);
        return NULL;
    }
    TAILQ_INSERT_HEAD(&bs->by_use, b, by_use);
    return b;
}

static struct bearer *bearer_find(const struct bearers *bs, const struct destination *d)
{
    return map_get(bs->table, span_of(d->grant_key, sizeof d->grant_key));
}

static struct bearer *bearer_of(struct bearers *bs, const struct destination *d, struct mono now)
{
    struct bearer *b = bearer_find(bs, d);
    if (!b)
        return bearer_add(bs, d, now);
    TAILQ_REMOVE(&bs->by_use, b, by_use);
    TAILQ_INSERT_HEAD(&bs->by_use, b, by_use);
    return b;
}

/* ---------------------------------------------------------------- fetching */

/* The old token stays when no new one came. */
static bool take_answer(struct bearer *b, const struct result *r, struct mono now)
{
    struct buf fresh;
    int64_t lifetime_us = 0;
    buf_init(&fresh, ACCESS_TOKEN_MAX);
    const bool good = buf_reserve(&fresh, ACCESS_TOKEN_MAX) && r->outcome == ATTEMPT_SUCCESS &&
                      !grant_answer(buf_view(&b->answer), &fresh, &lifetime_us);
    if (!good) {
        wipe(&fresh);
        b->failed = now;
        return false;
    }
    wipe(&b->token);
    buf_span(&b->token, buf_view(&fresh));
    wipe(&fresh);
    b->serial = ++b->all->serial;
    b->renew_at = grant_renew_at(now, lifetime_us);
    b->end_at = grant_end_at(now, lifetime_us);
    return true;
}

/* One class for whatever the server did, so that a URL of a tenant's choice tells nothing more. */
static struct result failure_of(const struct result *r)
{
    const bool ours = r->outcome == ATTEMPT_PROXY || r->outcome == ATTEMPT_INTERNAL;
    const bool asks_to_wait =
        r->outcome == ATTEMPT_STATUS && (r->status == 429 || r->status == 503);
    return (struct result){.outcome = ours ? r->outcome : ATTEMPT_TOKEN,
                           .retry_after_us = asks_to_wait ? r->retry_after_us : -1};
}

static void tell(struct bearer *b, bool good, const struct result *failure)
{
    const struct span none = {0};
    struct bearer_waits waiting = TAILQ_HEAD_INITIALIZER(waiting);
    TAILQ_CONCAT(&waiting, &b->waiting, link);
    for (struct bearer_wait *w; (w = TAILQ_FIRST(&waiting));) {
        TAILQ_REMOVE(&waiting, w, link);
        w->bearer = NULL;
        w->serial = b->serial;
        w->done(w, good ? buf_view(&b->token) : none, good ? NULL : failure);
    }
}

static void on_fetched(void *owner, struct transfer *t)
{
    struct bearer *b = owner;
    struct result r;
    struct attempt timing;
    transfer_result(t, &r, &timing);
    const bool good = take_answer(b, &r, clock_mono());
    const struct result failure = failure_of(&r);
    if (!good)
        log_info("no access token", LOG_ID("endpoint", ID_ENDPOINT, &b->endpoint),
                 LOG_TEXT_FIELD("outcome", attempt_class_name(r.outcome)),
                 LOG_INT("status", r.status), LOG_END);
    fetch_over(b);
    tell(b, good, &failure);
}

static void link_headers(struct bearer *b)
{
    static char accept[] = "accept: application/json", expect[] = "expect:";
    b->headers[0] = (struct curl_slist){accept, &b->headers[1]};
    b->headers[1] = (struct curl_slist){expect, b->line.len ? &b->headers[2] : NULL};
    b->headers[2] = (struct curl_slist){b->line.ptr, NULL};
}

/* False when out of memory. */
static bool fetch(struct bearer *b, const struct destination *d)
{
    grant_request(&d->endpoint->auth, &b->form, &b->line);
    if (b->form.failed || b->line.failed || !buf_reserve(&b->answer, TOKEN_ANSWER_MAX)) {
        fetch_over(b);
        return false;
    }
    link_headers(b);
    const struct transfer_post post = {.headers = b->headers,
                                       .body = buf_view(&b->form),
                                       .response = &b->answer,
                                       .timeout_us = BEARER_FETCH_US,
                                       .ended = on_fetched,
                                       .owner = b};
    b->server->timeout_us = d->timeout_us;
    b->fetch = transfer_post(b->all->transfers, b->server, &post);
    if (!b->fetch)
        fetch_over(b);
    return b->fetch != NULL;
}

/* ---------------------------------------------------------------- attempts */

static bool serves(const struct bearer *b, struct mono now)
{
    return b->token.len > 0 && now.us < b->end_at.us;
}

static bool should_renew(const struct bearer *b, struct mono now)
{
    return !b->fetch && now.us >= b->renew_at.us &&
           (!b->failed.us || now.us - b->failed.us >= RENEW_REST_US);
}

enum bearer_answer bearers_ask(struct bearers *bs, struct destination *destination, struct mono now,
                               struct bearer_wait *wait, struct span *token)
{
    assert(!wait->bearer && destination->endpoint->auth.kind == AUTH_OAUTH2);
    struct bearer *b = bearer_of(bs, destination, now);
    if (!b)
        return BEARER_FAILED;
    if (serves(b, now)) {
        /* One that cannot begin now begins with a later attempt. */
        if (should_renew(b, now) && b->server->resolved && !fetch(b, destination))
            b->failed = now;
        *token = buf_view(&b->token);
        wait->serial = b->serial;
        return BEARER_READY;
    }
    if (!b->fetch && !fetch(b, destination))
        return BEARER_FAILED;
    wait->bearer = b;
    TAILQ_INSERT_TAIL(&b->waiting, wait, link);
    return BEARER_WAITS;
}

bool bearers_would_look_up(const struct bearers *bs, const struct destination *destination,
                           struct mono now)
{
    const struct bearer *b = bearer_find(bs, destination);
    return !b || (!serves(b, now) && !b->fetch && !b->server->resolved);
}

void bearer_cancel(struct bearer_wait *wait)
{
    if (wait->bearer)
        TAILQ_REMOVE(&wait->bearer->waiting, wait, link);
    wait->bearer = NULL;
}

void bearers_refused(struct bearers *bs, const struct destination *destination, uint64_t serial,
                     struct mono now)
{
    struct bearer *b = bearer_find(bs, destination);
    if (!b || b->serial != serial || !b->token.len || !grant_ended_by_refusal(b->refused, now))
        return;
    b->refused = now;
    wipe(&b->token);
}
