/* Linear probing, at most half full. A slot of an older stamp is free. */
#include "store/batch_table.h"

#include "base/hash.h"

#define CAP_FIRST 1024

void batch_table_init(struct batch_table *b)
{
    *b = (struct batch_table){.stamp = 1};
}

void batch_table_free(struct batch_table *b)
{
    free(b->slot);
    batch_table_init(b);
}

void batch_table_clear(struct batch_table *b)
{
    b->count = 0;
    if (++b->stamp == 0) {
        for (size_t i = 0; i < b->cap; i++)
            b->slot[i].stamp = 0;
        b->stamp = 1;
    }
}

/* The slot of the key, or the free one where it belongs. */
static struct batch_table_slot *slot_of(const struct batch_table *b, enum index_family family,
                                        struct span key)
{
    size_t mask = b->cap - 1;
    for (size_t at = (size_t)hash_table(key) + family;; at++) {
        struct batch_table_slot *s = &b->slot[at & mask];
        if (s->stamp != b->stamp || (memtable_family(s->table, s->node) == family &&
                                     span_eq(memtable_entry(s->table, s->node).key, key)))
            return s;
    }
}

static struct batch_table_slot *slot_of_node(const struct batch_table *b,
                                             const struct memtable *table, memtable_node node)
{
    return slot_of(b, memtable_family(table, node), memtable_entry(table, node).key);
}

static bool grow(struct batch_table *b)
{
    struct batch_table old = *b;
    b->cap = old.cap ? old.cap * 2 : CAP_FIRST;
    b->slot = calloc(b->cap, sizeof *b->slot);
    if (!b->slot) {
        *b = old;
        return false;
    }
    for (size_t i = 0; i < old.cap; i++)
        if (old.slot[i].stamp == old.stamp)
            *slot_of_node(b, old.slot[i].table, old.slot[i].node) = old.slot[i];
    free(old.slot);
    return true;
}

bool batch_table_put(struct batch_table *b, const struct memtable *table, memtable_node node)
{
    if (2 * (b->count + 1) > b->cap && !grow(b))
        return false;
    struct batch_table_slot *s = slot_of_node(b, table, node);
    b->count += s->stamp != b->stamp;
    *s = (struct batch_table_slot){.stamp = b->stamp, .node = node, .table = table};
    return true;
}

bool batch_table_get(const struct batch_table *b, enum index_family family, struct span key,
                     struct index_entry *out)
{
    if (b->count == 0)
        return false;
    const struct batch_table_slot *s = slot_of(b, family, key);
    if (s->stamp != b->stamp)
        return false;
    *out = memtable_entry(s->table, s->node);
    return true;
}
