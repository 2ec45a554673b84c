/* The statistics against the deliveries that they count. Both trees are in the order of the hours,
 * so that one hour's endpoints are in memory at a time. */
#include "store/check.h"
#include "store/stat.h"

#include "base/map.h"

struct counted {
    uint32_t endpoint; /* the key */
    struct endpoint_stats stats;
    bool inexact;
    struct counted *next;
};

struct hour {
    uint32_t hour;
    struct map *map;
    struct counted *list;
};

static struct span key_of(const void *value)
{
    const struct counted *n = value;
    return span_of(&n->endpoint, sizeof n->endpoint);
}

static void hour_clear(struct hour *h)
{
    while (h->list) {
        struct counted *n = h->list;
        h->list = n->next;
        free(n);
    }
    map_free(&h->map);
}

static struct counted *counted_of(struct hour *h, uint32_t endpoint)
{
    if (!h->map)
        h->map = map_new(key_of);
    if (!h->map)
        return NULL;
    struct counted *n = map_get(h->map, span_of(&endpoint, sizeof endpoint));
    if (n)
        return n;
    n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->endpoint = endpoint;
    if (!map_put(h->map, n)) {
        free(n);
        return NULL;
    }
    n->next = h->list;
    h->list = n;
    return n;
}

static enum err count_delivery(struct hour *h, struct span key, struct span value)
{
    struct delivery d;
    struct reader r = reader_of(span_skip(key, ID_BYTES));
    struct counted *n = counted_of(h, read_u32(&r));
    if (!n)
        return ERR_NO_MEMORY;
    if (record_delivery_decode(value, &d))
        n->inexact = true; /* check_messages says so */
    else
        n->stats.deliveries[stat_class_of(&d)]++;
    return ERR_OK;
}

/* Reads the deliveries of the next hour that has any, not beyond `last`. */
static enum err read_hour(struct check_walk *w, uint32_t last, struct hour *h)
{
    enum err e = ERR_OK;
    bool begun = false;
    while (!e && w->more) {
        struct id message = check_prefix(w->key);
        uint32_t hour = stat_hour(id_time(&message));
        if (hour > last || (begun && hour != h->hour))
            return ERR_OK;
        h->hour = hour;
        begun = true;
        if (w->key.len == ID_BYTES + 4)
            e = count_delivery(h, w->key, w->value);
        if (!e)
            e = check_next(w);
    }
    return e;
}

static bool same(const struct endpoint_stats *a, const struct endpoint_stats *b)
{
    return memcmp(a->deliveries, b->deliveries, sizeof a->deliveries) == 0;
}

static void compare_row(struct check *c, struct hour *h, uint32_t endpoint,
                        const struct stat_record *row)
{
    static const struct endpoint_stats none;
    struct counted *n = h->map ? map_take(h->map, span_of(&endpoint, sizeof endpoint)) : NULL;
    if (row->inexact || (n && n->inexact))
        return;
    if (!same(n ? &n->stats : &none, &row->stats))
        check_say(c,
                  "the statistics of endpoint number %u in hour %u are not those of its deliveries",
                  endpoint, h->hour);
}

/* What no row spoke of. */
static void compare_rest(struct check *c, const struct hour *h)
{
    size_t at = 0;
    for (const struct counted *n; h->map && (n = map_each(h->map, &at));)
        if (!n->inexact)
            check_say(c, "endpoint number %u has no statistics in hour %u", n->endpoint, h->hour);
}

static uint32_t row_hour(const struct check_walk *w)
{
    struct reader r = reader_of(w->key);
    return w->more ? read_u32(&r) : UINT32_MAX;
}

static enum err compare_hour(struct check *c, struct check_walk *rows, struct hour *h)
{
    enum err e = ERR_OK;
    while (!e && rows->more && row_hour(rows) == h->hour) {
        struct reader r = reader_of(span_skip(rows->key, 4));
        uint32_t endpoint = read_u32(&r);
        struct stat_record row;
        if (rows->key.len != 8 || record_stat_decode(rows->value, &row))
            check_say(c, "a row of statistics does not decode");
        else
            compare_row(c, h, endpoint, &row);
        e = check_next(rows);
    }
    compare_rest(c, h);
    return e;
}

enum err check_stats(struct check *c)
{
    struct check_walk deliveries = {0}, rows = {0};
    enum err e = check_open(c, TREE_DELIVERY, &deliveries);
    if (!e)
        e = check_open(c, TREE_STAT, &rows);
    while (!e && (deliveries.more || rows.more)) {
        struct hour h = {.hour = row_hour(&rows)};
        e = read_hour(&deliveries, h.hour, &h);
        if (!e)
            e = compare_hour(c, &rows, &h);
        hour_clear(&h);
    }
    check_close(&deliveries);
    check_close(&rows);
    return e;
}
