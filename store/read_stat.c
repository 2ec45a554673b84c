/* Reading statistics: the rows of one endpoint lie hours apart, so they are looked up hour by hour,
 * and hours in which nothing happened are jumped over. */
#include "store/entry.h"
#include "store/read.h"
#include "store/stat.h"

/* The first row at or behind a place, and its own; ERR_NOT_FOUND. */
static enum err seek(MDB_cursor *c, uint64_t place, uint64_t *found, struct span *value)
{
    uint8_t at[8];
    put_be64(at, place);
    struct span key = span_of(at, sizeof at);
    enum err e = tree_walk(c, MDB_SET_RANGE, &key, value);
    if (!e)
        *found = stat_place(key);
    return e;
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
    for (unsigned looked = 0; hour <= last && looked < READ_ROWS_MAX; looked++) {
        const uint64_t wanted = (uint64_t)hour << 32 | endpoint;
        uint64_t found;
        struct span value;
        struct stat_record row;
        e = seek(c, wanted, &found, &value);
        if (e)
            break;
        if (found == wanted) {
            if (record_stat_decode(value, &row))
                snapshot_corrupt(r, "statistics", span_text(NULL));
            else
                add(sum, &row.stats);
        }
        uint32_t found_hour = (uint32_t)(found >> 32);
        hour = found_hour > hour ? found_hour : hour + 1;
    }
    mdb_cursor_close(c);
    if (!e && hour <= last)
        *next = (struct wall){hour * HOUR_US};
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
