/* The entries of the running batch by key: they are in the memtable's arena, but not linked yet. A
 * hash table that is emptied by raising a stamp, so that a small batch after a huge one pays for
 * itself alone. Owned by the writer's thread. */
#ifndef STORE_BATCH_TABLE_H
#define STORE_BATCH_TABLE_H

#include "store/memtable.h"

struct batch_table_slot {
    uint32_t stamp; /* live when it is the table's */
    memtable_node node;
    const struct memtable *table;
};

struct batch_table {
    uint32_t stamp;
    size_t count, cap; /* cap: 0 or a power of two */
    struct batch_table_slot *slot;
};

void batch_table_init(struct batch_table *b);
void batch_table_free(struct batch_table *b);
void batch_table_clear(struct batch_table *b);
/* The newest node of a key wins. False: out of memory, nothing changed. */
bool batch_table_put(struct batch_table *b, const struct memtable *table,
                     memtable_node node) MUST_CHECK;
/* False: not in the batch. Valid until the batch ends. */
bool batch_table_get(const struct batch_table *b, enum index_family family, struct span key,
                     struct index_entry *out);

#endif
