/* Open addressing with linear probing. Deleting shifts the followers back instead of leaving a
 * mark, so that lookups do not slow down with age.
 *
 * Invariants: the capacity is a power of two and at least a quarter of the slots is empty; between
 * a value's home slot and its slot there is no empty one. */
#include "base/map.h"

#include "base/hash.h"

#include <assert.h>

#define FIRST_CAPACITY 16

struct slot {
    uint64_t hash;
    void *value; /* NULL: empty */
};

struct map {
    struct span (*key_of)(const void *value);
    struct slot *slots;
    size_t cap;
    size_t count;
};

struct map *map_new(struct span (*key_of)(const void *value))
{
    struct map *m = calloc(1, sizeof *m);
    struct slot *slots = calloc(FIRST_CAPACITY, sizeof *slots);

    if (!m || !slots) {
        free(slots);
        free(m);
        return NULL;
    }
    *m = (struct map){.key_of = key_of, .slots = slots, .cap = FIRST_CAPACITY};
    return m;
}

void map_free(struct map **m)
{
    if (!*m)
        return;
    free((*m)->slots);
    free(*m);
    *m = NULL;
}

/* The slot of the key, or the empty one where it would go. */
static struct slot *find(const struct map *m, struct span key, uint64_t hash)
{
    size_t at = hash & (m->cap - 1);

    for (;; at = (at + 1) & (m->cap - 1)) {
        struct slot *slot = &m->slots[at];
        if (!slot->value || (slot->hash == hash && span_eq(m->key_of(slot->value), key)))
            return slot;
    }
}

void *map_get(const struct map *m, struct span key)
{
    return find(m, key, hash_table(key))->value;
}

static bool grow(struct map *m)
{
    struct slot *bigger = calloc(m->cap * 2, sizeof *bigger);
    size_t mask = m->cap * 2 - 1;

    if (!bigger)
        return false;
    for (size_t i = 0; i < m->cap; i++) {
        if (!m->slots[i].value)
            continue;
        size_t at = m->slots[i].hash & mask;
        while (bigger[at].value)
            at = (at + 1) & mask;
        bigger[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = bigger;
    m->cap *= 2;
    return true;
}

bool map_put(struct map *m, void *value)
{
    struct span key = m->key_of(value);
    uint64_t hash = hash_table(key);

    if ((m->count + 1) * 4 > m->cap * 3 && !grow(m))
        return false;
    struct slot *slot = find(m, key, hash);
    assert(!slot->value);
    *slot = (struct slot){hash, value};
    m->count++;
    return true;
}

void *map_take(struct map *m, struct span key)
{
    struct slot *slot = find(m, key, hash_table(key));
    size_t mask = m->cap - 1;
    size_t hole = (size_t)(slot - m->slots);
    void *value = slot->value;

    if (!value)
        return NULL;
    for (size_t at = (hole + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        size_t home = m->slots[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it would stand before its home slot */
        m->slots[hole] = m->slots[at];
        hole = at;
    }
    m->slots[hole] = (struct slot){0, NULL};
    m->count--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

void *map_each(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
