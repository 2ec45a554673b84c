/* Listing API keys, for the people who manage them; requests ask the table in memory. */
#include "store/read.h"

#define FIRST_ROOM 16

static enum err append(struct api_key **keys, size_t *count, size_t *room,
                       const struct api_key *key)
{
    if (*count == *room) {
        size_t more = *room ? 2 * *room : FIRST_ROOM;
        struct api_key *grown = realloc(*keys, more * sizeof **keys);
        if (!grown)
            return ERR_NO_MEMORY;
        *keys = grown;
        *room = more;
    }
    (*keys)[(*count)++] = *key;
    return ERR_OK;
}

enum err store_key_list(struct store_read *r, struct api_key **keys, size_t *count)
{
    *keys = NULL;
    *count = 0;
    size_t room = 0;
    MDB_cursor *c;
    enum err e = tree_cursor(&r->store->env, r->txn, TREE_KEY, &c);
    if (e)
        return e;
    struct span at = {0}, value;
    e = tree_walk(c, MDB_FIRST, &at, &value);
    for (; !e; e = tree_walk(c, MDB_NEXT, &at, &value)) {
        struct api_key key;
        if (record_key_decode(value, &key))
            (void)snapshot_corrupt(r, "key", at);
        else
            e = append(keys, count, &room, &key);
        if (e)
            break;
    }
    mdb_cursor_close(c);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    free(*keys);
    *keys = NULL;
    *count = 0;
    return e;
}
