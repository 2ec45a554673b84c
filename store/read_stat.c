/* Reading statistics: the rows of one endpoint lie hours apart, so they are looked up hour by hour,
 * and hours in which nothing happened are jumped over. */
#include "store/entry.h"
#include "store/read.h"
#include "store/stat.h"

/* The first row at or behind (hour, endpoint); ERR_NOT_FOUND. */
static enum err seek(MDB_cursor *c, uint32_t hour, uint32_t endpoint, uint32_t *found_hour,
                     uint32_t *found_endpoint, struct span *value)
{
    uint8_t at[8];
    put_be32(at, hour);
    put_be32(at + 4, endpoint);
    struct span key = span_of(at, sizeof at);
    enum err e = tree_walk(c, MDB_SET_RANGE, &key, value);
    if (e)
        return e;
    struct reader r = reader_of(key);
    *found_hour = read_u32(&r);
    *found_endpoint = read_u32(&r);
    return r.failed ? ERR_CORRUPT : ERR_OK;
}

static void add(struct endpoint_stats *sum, const struct endpoint_stats *one)
{
    for (unsigned i = 0; i < STAT_CLASSES; i++)
        sum->deliveries[i] += one->deliveries[i];
    sum->succeeded += one->succeeded;
    sum->failed += one->failed;
}

enum err store_endpoint_stats(struct store_read *r, uint32_t endpoint, struct wall since,
                              struct wall until, struct endpoint_stats *sum, struct wall *next)
{
    uint32_t hour = stat_hour(since), last = stat_hour(until);
    MDB_cursor *c;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_STAT, &c);
    if (e)
        return e;
    *next = (struct wall){0};
    for (unsigned looked = 0; !e && hour <= last && looked < READ_ROWS_MAX; looked++) {
        uint32_t found_hour, found;
        struct span value;
        struct stat_record row;
        e = seek(c, hour, endpoint, &found_hour, &found, &value);
        if (e)
            break;
        if (found_hour == hour && found == endpoint) {
            if (record_stat_decode(value, &row))
                snapshot_corrupt(r, "statistics", span_text(NULL));
            else
                add(sum, &row.stats);
        }
        hour = found_hour > hour ? found_hour : hour + 1;
    }
    mdb_cursor_close(c);
    if (!e && hour <= last)
        *next = (struct wall){hour * HOUR_US};
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
