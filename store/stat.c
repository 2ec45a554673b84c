/* Counted in memory while a batch runs, and added to the rows once at its end: many events of one
 * endpoint in one hour cost one row.
 *
 * Invariant: the deliveries of a row are those whose message has an id of that hour, by their
 * records; so a row grows and shrinks with them, and one that counts nothing is removed. */
#include "store/stat.h"

#include "store/entry.h"

#include "base/map.h"

struct stat_change {
    uint8_t key[8]; /* hour, endpoint */
    int64_t deliveries[STAT_CLASSES];
    uint64_t succeeded, failed;
    bool inexact;
    struct stat_change *next;
};

static struct span change_key(const void *value)
{
    return span_of(((const struct stat_change *)value)->key, 8);
}

enum stat_class stat_class_of(const struct delivery *d)
{
    static const enum stat_class of_state[] = {
        [DELIVERY_SCHEDULED] = STAT_PENDING, [DELIVERY_RETRYING] = STAT_SENDING,
        [DELIVERY_DELIVERED] = STAT_SUCCESS, [DELIVERY_DEAD] = STAT_FAIL,
        [DELIVERY_CANCELED] = STAT_CANCELED, [DELIVERY_NONE] = STAT_FAIL,
    };
    bool untried = d->state == DELIVERY_NONE && id_is_zero(&d->last_attempt);
    return untried ? STAT_PENDING : of_state[d->state];
}

uint64_t stat_place(struct span key)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, key.ptr, key.len < sizeof bytes ? key.len : sizeof bytes);
    return get_be64(bytes);
}

/* ---------------------------------------------------------------- the batch's changes */

static struct stat_change *change_of(struct batch *b, struct wall t, uint32_t endpoint)
{
    uint8_t key[8];
    put_be32(key, stat_hour(t));
    put_be32(key + 4, endpoint);
    if (!b->stats)
        b->stats = map_new(change_key);
    struct stat_change *c = b->stats ? map_get(b->stats, span_of(key, sizeof key)) : NULL;
    if (c || !b->stats)
        return c;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    memcpy(c->key, key, sizeof key);
    if (!map_put(b->stats, c)) {
        free(c);
        return NULL;
    }
    c->next = b->stat_changes;
    b->stat_changes = c;
    return c;
}

enum err stat_move(struct batch *b, const struct delivery *d, enum stat_class from,
                   enum stat_class to)
{
    if (from == to)
        return ERR_OK;
    struct stat_change *c = change_of(b, id_time(&d->message), d->endpoint_number);
    if (!c)
        return ERR_NO_MEMORY;
    if (from != STAT_CLASSES)
        c->deliveries[from]--;
    if (to != STAT_CLASSES)
        c->deliveries[to]++;
    return ERR_OK;
}

enum err stat_inexact(struct batch *b, const struct delivery *d)
{
    struct stat_change *c = change_of(b, id_time(&d->message), d->endpoint_number);
    if (c)
        c->inexact = true;
    return c ? ERR_OK : ERR_NO_MEMORY;
}

enum err stat_attempt(struct batch *b, const struct attempt *a)
{
    struct stat_change *c = change_of(b, id_time(&a->id), a->endpoint_number);
    if (!c)
        return ERR_NO_MEMORY;
    c->succeeded += a->outcome == ATTEMPT_SUCCESS;
    c->failed += a->outcome != ATTEMPT_SUCCESS;
    return ERR_OK;
}

void stat_forget(struct batch *b)
{
    while (b->stat_changes) {
        struct stat_change *c = b->stat_changes;
        b->stat_changes = c->next;
        free(c);
    }
    map_free(&b->stats);
}

/* ---------------------------------------------------------------- rows */

static bool counts_nothing(const struct stat_record *r)
{
    uint64_t sum = r->stats.succeeded + r->stats.failed;
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        sum += r->stats.deliveries[i];
    return sum == 0;
}

static enum err put_row(struct batch *b, struct span key, const struct stat_record *r)
{
    if (counts_nothing(r))
        return batch_clear(b, TREE_STAT, key);
    buf_clear(&b->record);
    record_stat_encode(r, &b->record);
    return batch_put(b, TREE_STAT, key, 0);
}

/* Below nothing: what was taken away had been damaged when it was counted. */
static void add(uint64_t *n, int64_t change, bool *inexact)
{
    bool below = change < 0 && *n < (uint64_t)-change;
    *inexact |= below;
    *n = below ? 0 : *n + (uint64_t)change;
}

/* The number of the endpoint's application; 0 when that is gone. */
static uint32_t app_of(const struct batch *b, struct span key)
{
    struct reader endpoint = reader_of(span_skip(key, 4));
    const struct table_endpoint *ep = table_endpoint(b->s->table, read_u32(&endpoint));
    return ep && ep->app ? ep->app->number : 0;
}

static enum err write_change(struct batch *b, const struct stat_change *c)
{
    struct span key = change_key(c), value;
    struct stat_record r = {0};
    enum err e = batch_get(b, TREE_STAT, key, &value);
    bool fresh = e == ERR_NOT_FOUND;
    if (e && !fresh)
        return e;
    if (!fresh && record_stat_decode(value, &r))
        r = (struct stat_record){.inexact = true};
    r.inexact |= c->inexact;
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        add(&r.stats.deliveries[i], c->deliveries[i], &r.inexact);
    r.stats.succeeded += c->succeeded;
    r.stats.failed += c->failed;
    if (!r.app)
        r.app = app_of(b, key);
    if (fresh && !counts_nothing(&r)) {
        struct reader hour = reader_of(key);
        int64_t end = ((int64_t)read_u32(&hour) + 1) * HOUR_US;
        struct wall kept = {end + b->s->settings.message_retention_us};
        e = batch_expire(b, kept, EXPIRY_STAT, span_of(c->key, 4));
        if (e)
            return e;
    }
    return put_row(b, key, &r);
}

enum err stat_write(struct batch *b)
{
    enum err e = ERR_OK;
    for (const struct stat_change *c = b->stat_changes; c && !e; c = c->next)
        e = write_change(b, c);
    return e;
}

/* ---------------------------------------------------------------- expiry */

enum err stat_expire(struct batch *b, struct span hour, unsigned limit, bool *done)
{
    struct treekey from = {.len = 0}, prefix = {.len = hour.len};
    memcpy(prefix.b, hour.ptr, hour.len);
    from = prefix;
    *done = false;
    while (b->rows < limit) {
        struct span key, value;
        struct stat_record r;
        enum err e = batch_first(b, TREE_STAT, key_span(&prefix), key_span(&from), &key, &value);
        if (e) {
            *done = e == ERR_NOT_FOUND;
            return *done ? ERR_OK : e;
        }
        if (key_copy(key, &from) || record_stat_decode(value, &r)) {
            e = batch_drop(b, TREE_STAT, key);
        } else if (r.stats.succeeded || r.stats.failed) {
            r.stats.succeeded = r.stats.failed = 0;
            e = put_row(b, key_span(&from), &r);
        }
        if (e)
            return e;
        from.b[from.len++] = 0; /* the smallest key behind this one */
    }
    return ERR_OK;
}
