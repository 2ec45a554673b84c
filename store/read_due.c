/* What is due: the page that a cold lane reads. On a backlog this runs for every page
 * deliveries, so it decodes keys in place and allocates one cursor. */
#include "store/read.h"

/* A damaged count of tries is no reason to withhold a delivery: its key says all that sending
 * needs, and the outcome rewrites the row. The schedule begins anew, which is late at worst. */
static uint16_t tries_of(struct store_read *r, struct span key, struct span value)
{
    uint16_t tries;
    if (!record_due_decode(value, &tries))
        return tries;
    (void)snapshot_corrupt(r, "due row", key);
    return 0;
}

enum err store_due_page(struct store_read *r, uint32_t endpoint, struct wall from, struct wall now,
                        struct due_row *rows, unsigned max, unsigned *count, struct wall *next_due)
{
    static const struct id least;
    *count = 0;
    *next_due = WALL_NEVER;
    MDB_cursor *c;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_DUE, &c);
    if (e)
        return e;
    struct treekey start = key_due(endpoint, from, &least, TRIGGER_SCHEDULED);
    struct span key = key_span(&start), value;
    e = tree_walk(c, MDB_SET_RANGE, &key, &value);
    for (; !e; e = tree_walk(c, MDB_NEXT, &key, &value)) {
        struct due_row row;
        uint32_t of;
        if (key_due_parse(key, &of, &row.due, &row.message, &row.trigger)) {
            (void)snapshot_corrupt(r, "due row", key);
            continue;
        }
        if (of != endpoint)
            break;
        if (*count == max || row.due.us > now.us) {
            *next_due = row.due;
            break;
        }
        row.tries = tries_of(r, key, value);
        rows[(*count)++] = row;
    }
    mdb_cursor_close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}
