/* Everything that waits to be written out stands in a memtable, and every list and look-up of the
 * service passes through it. Readers take no lock: a skip list without deletion needs one release
 * store per level to publish a node, and one acquire load per step to follow it.
 *
 * Invariants
 *   - the arena is handed out from low to high; a node's place is also its age;
 *   - within a list nodes are ordered by key, and among equal keys the newest is first;
 *   - a finger is only a hint: what it points to is checked before it is believed;
 *   - a key that was linked has its bits in the sieve: most keys that are looked up whole are new,
 *     and a search that ends at the sieve costs two cache lines instead of a descent;
 *   - a node's height follows from its place, so that the same entries in the same order always
 *     fill the same bytes: a tail that came from two tables fits two tables when it is read
 * back. */
#include "store/memtable.h"

#include "base/hash.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>

#define HEIGHT_MAX 10 /* 4^10 nodes before searches slow down; an arena holds far fewer */

/* Fingers remember where a new key probably belongs: a search from the top is some twenty cache
 * misses. Walked families count up behind a number (an application's, an endpoint's): there is a
 * finger for each front, as a new key mostly stands right behind the last one with the same front.
 * Hashes are spread evenly: their fingers share the range, and a new key stands a few links behind
 * its finger's or the one before. Each of the lowest levels has its own fingers. */
#define FINGERS 8192u
#define FINGER_LEVELS 2u
#define FINGERS_BACK 16u    /* how far to look for one that knows a node */
#define FINGER_STEPS_MAX 6u /* then it stands for too many others: from the top is cheaper */

/* A link: the first four bytes of the next node's key, then its place (0: the end). Most
 * comparisons end at those four bytes, without touching the node, which is a cache miss. */
typedef _Atomic uint64_t link_word;

/* Bits of the sieve: an arena of 8 MiB holds some 20,000 keys that are looked up whole, of which
 * one in a hundred is then taken for another. */
#define SIEVE_BITS (1u << 19)
#define SIEVE_PROBES 3u

struct node {
    int64_t expires_us;
    uint8_t family, key_len, value_len, height;
    link_word next[]; /* `height` of them; then key and value */
};

struct memtable {
    atomic_uint references;

    /* owned by the writer */
    memtable_node used, capacity;
    size_t count[INDEX_FAMILIES];
    /* the last node linked that reaches the level */
    memtable_node finger[INDEX_FAMILIES][FINGER_LEVELS][FINGERS];

    /* shared */
    uint8_t *arena;
    _Atomic unsigned height[INDEX_FAMILIES]; /* only grows; a late reader of it is only slower */
    link_word head[INDEX_FAMILIES][HEIGHT_MAX];
    _Atomic uint64_t sieve[SIEVE_BITS / 64];
};

_Static_assert(sizeof(struct node) + HEIGHT_MAX * sizeof(link_word) + INDEX_KEY_MAX +
                       INDEX_VALUE_MAX + 7 <=
                   MEMTABLE_NODE_MAX,
               "MEMTABLE_NODE_MAX bounds every node");

/* Place 0 means "none", so the arena begins behind it. */
#define ARENA_START 8u

struct memtable *memtable_new(size_t bytes)
{
    assert(bytes >= 4096 && bytes <= 1u << 30);
    struct memtable *t = calloc(1, sizeof *t);
    uint8_t *arena = malloc(bytes);
    if (!t || !arena) {
        free(t);
        free(arena);
        return NULL;
    }
    atomic_init(&t->references, 1);
    t->arena = arena;
    t->capacity = (memtable_node)bytes;
    t->used = ARENA_START;
    return t;
}

struct memtable *memtable_ref(struct memtable *t)
{
    atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
    return t;
}

void memtable_unref(struct memtable **t)
{
    struct memtable *old = *t;
    *t = NULL;
    if (old && atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) == 1) {
        free(old->arena);
        free(old);
    }
}

size_t memtable_room(const struct memtable *t)
{
    return (t->capacity - t->used) / MEMTABLE_NODE_MAX;
}

bool memtable_grow(struct memtable *t)
{
    assert(t->capacity <= 1u << 30);
    uint8_t *arena = realloc(t->arena, (size_t)t->capacity * 2);
    if (!arena)
        return false;
    t->arena = arena;
    t->capacity *= 2;
    return true;
}

static struct node *node_at(const struct memtable *t, memtable_node at)
{
    return (struct node *)(void *)(t->arena + at);
}

static const char *node_key(const struct node *n)
{
    return (const char *)(n->next + n->height);
}

static memtable_node node_size(unsigned height, size_t key_len, size_t value_len)
{
    size_t size = sizeof(struct node) + height * sizeof(link_word) + key_len + value_len;
    return (memtable_node)((size + 7) & ~(size_t)7);
}

/* One in four nodes of a level reaches the next, by a mix (splitmix64) of the node's place. */
static unsigned height_of(memtable_node at)
{
    uint64_t z = (uint64_t)at * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    unsigned height = 1 + (unsigned)__builtin_ctzll(z | UINT64_C(1) << 62) / 2;
    return height < HEIGHT_MAX ? height : HEIGHT_MAX;
}

memtable_node memtable_add(struct memtable *t, enum index_family family,
                           const struct index_entry *e)
{
    assert(e->key.len >= 1 && e->key.len <= INDEX_KEY_MAX && e->value.len <= INDEX_VALUE_MAX);
    memtable_node at = t->used;
    unsigned height = height_of(at);
    memtable_node size = node_size(height, e->key.len, e->value.len);
    if (size > t->capacity - at)
        return 0;

    struct node *n = node_at(t, at);
    n->expires_us = e->expires.us;
    n->family = (uint8_t)family;
    n->key_len = (uint8_t)e->key.len;
    n->value_len = (uint8_t)e->value.len;
    n->height = (uint8_t)height;
    char *key = (char *)(n->next + height);
    memcpy(key, e->key.ptr, e->key.len);
    if (e->value.len > 0)
        memcpy(key + e->key.len, e->value.ptr, e->value.len);
    t->used = at + size;
    return at;
}

void memtable_truncate(struct memtable *t, memtable_node mark)
{
    assert(mark >= ARENA_START && mark <= t->used);
    t->used = mark;
}

memtable_node memtable_start(const struct memtable *t)
{
    (void)t;
    return ARENA_START;
}

memtable_node memtable_mark(const struct memtable *t)
{
    return t->used;
}

memtable_node memtable_after(const struct memtable *t, memtable_node at)
{
    const struct node *n = node_at(t, at);
    return at + node_size(n->height, n->key_len, n->value_len);
}

enum index_family memtable_family(const struct memtable *t, memtable_node node)
{
    return (enum index_family)node_at(t, node)->family;
}

size_t memtable_count(const struct memtable *t, enum index_family family)
{
    return t->count[family];
}

struct index_entry memtable_entry(const struct memtable *t, memtable_node node)
{
    const struct node *n = node_at(t, node);
    const char *key = node_key(n);
    return (struct index_entry){
        .key = span_of(key, n->key_len),
        .value = span_of(key + n->key_len, n->value_len),
        .expires = {n->expires_us},
    };
}

/* ------------------------------------------------ the list */

static link_word *links(const struct memtable *t, enum index_family family, memtable_node at)
{
    return at ? node_at(t, at)->next : ((struct memtable *)(uintptr_t)t)->head[family];
}

static uint32_t key_front(struct span key)
{
    uint8_t front[4] = {0};
    memcpy(front, key.ptr, key.len < 4 ? key.len : 4);
    return (uint32_t)get_be16(front) << 16 | get_be16(front + 2);
}

static int node_cmp(const struct memtable *t, memtable_node at, struct span key)
{
    const struct node *n = node_at(t, at);
    return entry_key_cmp(span_of(node_key(n), n->key_len), key);
}

/* A way down the list: it begins at a node in front of the key (0: the head) that reaches the level
 * under `level`, and may follow so many links. */
struct descent {
    memtable_node at;
    unsigned level, steps;
};

/* The first node whose key is >= `key`, and d->at the node in front of it; with `path` the node in
 * front of it on every level passed. A node that stopped the search on one level stops it on the
 * next without being compared again. When d->level is not 0 afterwards the steps did not do. */
static memtable_node descend(const struct memtable *t, enum index_family family, struct span key,
                             struct descent *d, memtable_node *path)
{
    uint32_t front = key_front(key);
    memtable_node stop = 0;
    while (d->level > 0 && d->steps > 0) {
        link_word *from = &links(t, family, d->at)[d->level - 1];
        uint64_t link = atomic_load_explicit(from, memory_order_acquire);
        memtable_node next = (memtable_node)link;
        uint32_t next_front = (uint32_t)(link >> 32);
        if (next == 0 || next == stop || next_front > front ||
            (next_front == front && node_cmp(t, next, key) >= 0)) {
            stop = next;
            d->level--;
            if (path)
                path[d->level] = d->at;
        } else {
            d->at = next;
            d->steps--;
        }
    }
    return stop;
}

/* The same from the top; *before is the node in front of it. */
static memtable_node lower(const struct memtable *t, enum index_family family, struct span key,
                           memtable_node *before, memtable_node *path)
{
    unsigned height = atomic_load_explicit(&t->height[family], memory_order_relaxed);
    struct descent d = {0, height, UINT_MAX};
    memtable_node first = descend(t, family, key, &d, path);
    *before = d.at;
    return first;
}

/* ------------------------------------------------ fingers */

static bool is_hash(enum index_family family, struct span key)
{
    return family == INDEX_IDEMPOTENCY && key.len == 16;
}

static bool has_fingers(enum index_family family, struct span key)
{
    return is_hash(family, key) || !family_is_point(family);
}

static unsigned finger_of(enum index_family family, struct span key)
{
    uint64_t front = key_front(key);
    return (unsigned)(is_hash(family, key) ? front * FINGERS >> 32 : front % FINGERS);
}

/* What the key's own finger knows, or the nearest before it, from `back` on: a node that reaches
 * `level`. 0: nothing. */
static memtable_node finger_near(const struct memtable *t, enum index_family family,
                                 struct span key, unsigned level, unsigned back)
{
    if (level >= FINGER_LEVELS || !has_fingers(family, key))
        return 0;
    const memtable_node *finger = t->finger[family][level];
    unsigned own = finger_of(family, key);
    for (; back <= FINGERS_BACK && back <= own; back++)
        if (finger[own - back])
            return finger[own - back];
    return 0;
}

static void finger_set(struct memtable *t, enum index_family family, struct span key,
                       memtable_node at, unsigned height)
{
    if (!has_fingers(family, key))
        return;
    unsigned own = finger_of(family, key);
    for (unsigned level = 0; level < height && level < FINGER_LEVELS; level++)
        t->finger[family][level][own] = at;
}

/* The node in front of the key on each of so many levels. */
static void find_path(const struct memtable *t, enum index_family family, struct span key,
                      unsigned height, memtable_node *path)
{
    memtable_node at = finger_near(t, family, key, height - 1, 0);
    if (at && node_cmp(t, at, key) >= 0)
        at = finger_near(t, family, key, height - 1, 1);
    if (at && node_cmp(t, at, key) < 0) {
        struct descent d = {at, height, FINGER_STEPS_MAX};
        (void)descend(t, family, key, &d, path);
        if (d.level == 0)
            return;
    }
    (void)lower(t, family, key, &at, path);
}

/* ------------------------------------------------ the sieve */

/* The places of a key's bits are parts of one hash. */
static uint64_t sieve_hash(enum index_family family, struct span key)
{
    return hash_table(key) + (uint64_t)family * UINT64_C(0x9e3779b97f4a7c15);
}

static void sieve_add(struct memtable *t, enum index_family family, struct span key)
{
    uint64_t hash = sieve_hash(family, key);
    for (unsigned i = 0; i < SIEVE_PROBES; i++, hash >>= 20) {
        _Atomic uint64_t *word = &t->sieve[hash % SIEVE_BITS / 64];
        uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);
        atomic_store_explicit(word, bits | UINT64_C(1) << hash % 64, memory_order_relaxed);
    }
}

/* False: the key was never linked. */
static bool sieve_maybe(const struct memtable *t, enum index_family family, struct span key)
{
    uint64_t hash = sieve_hash(family, key);
    for (unsigned i = 0; i < SIEVE_PROBES; i++, hash >>= 20) {
        uint64_t bits =
            atomic_load_explicit(&t->sieve[hash % SIEVE_BITS / 64], memory_order_relaxed);
        if (!(bits >> hash % 64 & 1))
            return false;
    }
    return true;
}

static void link_node(struct memtable *t, memtable_node at)
{
    struct node *n = node_at(t, at);
    enum index_family family = (enum index_family)n->family;
    struct span key = span_of(node_key(n), n->key_len);
    memtable_node path[HEIGHT_MAX] = {0};
    find_path(t, family, key, n->height, path);
    if (n->height > atomic_load_explicit(&t->height[family], memory_order_relaxed))
        atomic_store_explicit(&t->height[family], n->height, memory_order_relaxed);
    if (family_is_point(family))
        sieve_add(t, family, key);
    finger_set(t, family, key, at, n->height);
    uint64_t word = (uint64_t)key_front(key) << 32 | at;
    for (unsigned level = 0; level < n->height; level++) {
        link_word *link = &links(t, family, path[level])[level];
        uint64_t next = atomic_load_explicit(link, memory_order_relaxed);
        atomic_store_explicit(&n->next[level], next, memory_order_relaxed);
        atomic_store_explicit(link, word, memory_order_release);
    }
    t->count[family]++;
}

/* A finger's node is seldom cached: it is fetched while the node before is linked. */
static void fetch_finger(const struct memtable *t, memtable_node at)
{
    const struct node *n = node_at(t, at);
    struct span key = span_of(node_key(n), n->key_len);
    __builtin_prefetch(
        node_at(t, finger_near(t, (enum index_family)n->family, key, n->height - 1u, 0)));
}

void memtable_link(struct memtable *t, memtable_node mark)
{
    for (memtable_node at = mark, after; at < t->used; at = after) {
        after = memtable_after(t, at);
        if (after < t->used)
            fetch_finger(t, after);
        link_node(t, at);
    }
}

static memtable_node following(const struct memtable *t, enum index_family family, memtable_node at)
{
    return (memtable_node)atomic_load_explicit(&links(t, family, at)[0], memory_order_acquire);
}

static bool same_key(const struct memtable *t, memtable_node a, memtable_node b)
{
    return node_cmp(t, a, memtable_entry(t, b).key) == 0;
}

/* From the first node of a key: its newest visible one; 0: none is. */
static memtable_node newest(const struct memtable *t, memtable_node limit, memtable_node first)
{
    enum index_family family = memtable_family(t, first);
    for (memtable_node at = first; at && same_key(t, at, first); at = following(t, family, at))
        if (at < limit)
            return at;
    return 0;
}

/* Forward: the first visible node at or behind this one. */
static memtable_node visible_from(const struct memtable *t, memtable_node limit,
                                  enum index_family family, memtable_node at)
{
    while (at && at >= limit)
        at = following(t, family, at);
    return at;
}

/* Backward: the newest visible node of the last key before `key`. Nodes link forward only, so that
 * each key passed over costs a search. */
static memtable_node visible_before(const struct memtable *t, memtable_node limit,
                                    enum index_family family, struct span key)
{
    memtable_node before, unused;
    (void)lower(t, family, key, &before, NULL);
    while (before) {
        struct span at = memtable_entry(t, before).key;
        memtable_node first = lower(t, family, at, &unused, NULL);
        memtable_node found = newest(t, limit, first);
        if (found)
            return found;
        before = unused;
    }
    return 0;
}

memtable_node memtable_find(const struct memtable *t, memtable_node limit, enum index_family family,
                            struct span key)
{
    memtable_node before;
    if (family_is_point(family) && !sieve_maybe(t, family, key))
        return 0;
    memtable_node first = lower(t, family, key, &before, NULL);
    return first && node_cmp(t, first, key) == 0 ? newest(t, limit, first) : 0;
}

memtable_node memtable_seek(const struct memtable *t, memtable_node limit, enum index_family family,
                            struct span key, bool backward)
{
    if (backward) {
        memtable_node found = memtable_find(t, limit, family, key);
        return found ? found : visible_before(t, limit, family, key);
    }
    memtable_node before;
    return visible_from(t, limit, family, lower(t, family, key, &before, NULL));
}

memtable_node memtable_next(const struct memtable *t, memtable_node limit, memtable_node node,
                            bool backward)
{
    enum index_family family = memtable_family(t, node);
    if (backward)
        return visible_before(t, limit, family, memtable_entry(t, node).key);
    memtable_node at = following(t, family, node);
    while (at && same_key(t, at, node))
        at = following(t, family, at);
    if (at)
        __builtin_prefetch(node_at(t, following(t, family, at))); /* for the next call */
    return visible_from(t, limit, family, at);
}
