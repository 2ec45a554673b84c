/* One client must not take every connection. The table is open addressing with linear probing,
 * twice as large as there may be connections, so it is never full and needs no memory later. */
#include "http/address_table.h"

#include "base/hash.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>

struct slot {
    struct address_key key;
    uint32_t count; /* 0: free */
};

struct address_table {
    pthread_mutex_t lock;
    /* under the lock */
    size_t total, max, max_each;
    size_t mask;
    struct slot slots[];
};

struct address_key address_key_of(const struct sockaddr *sa)
{
    struct address_key key = {{0}};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        memcpy(key.b + 4, &in->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            memcpy(key.b + 4, in6->sin6_addr.s6_addr + 12, 4);
        else
            memcpy(key.b, &in6->sin6_addr, 8);
    }
    return key;
}

struct address_table *address_table_new(size_t max, size_t max_each)
{
    size_t slots = 2;
    while (slots < 2 * max)
        slots *= 2;
    struct address_table *t = calloc(1, sizeof *t + slots * sizeof t->slots[0]);
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->max = max;
    t->max_each = max_each;
    t->mask = slots - 1;
    return t;
}

void address_table_free(struct address_table **t)
{
    if (*t)
        pthread_mutex_destroy(&(*t)->lock);
    free(*t);
    *t = NULL;
}

static size_t home_of(const struct address_table *t, struct address_key key)
{
    return (size_t)hash_table(span_of(key.b, sizeof key.b)) & t->mask;
}

/* The slot of the key, or the free one where it belongs. */
static size_t slot_of(const struct address_table *t, struct address_key key)
{
    size_t at = home_of(t, key);
    while (t->slots[at].count && memcmp(&t->slots[at].key, &key, sizeof key) != 0)
        at = (at + 1) & t->mask;
    return at;
}

enum err address_table_enter(struct address_table *t, struct address_key key)
{
    pthread_mutex_lock(&t->lock);
    struct slot *slot = &t->slots[slot_of(t, key)];
    enum err e = slot->count >= t->max_each ? ERR_BUSY : t->total >= t->max ? ERR_FULL : ERR_OK;
    if (!e) {
        slot->key = key;
        slot->count++;
        t->total++;
    }
    pthread_mutex_unlock(&t->lock);
    return e;
}

size_t address_table_count(struct address_table *t, struct address_key key)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->slots[slot_of(t, key)].count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

/* Ensures: every key is still found from its home slot without meeting a free one. */
static void close_gap(struct address_table *t, size_t gap)
{
    for (size_t at = (gap + 1) & t->mask; t->slots[at].count; at = (at + 1) & t->mask) {
        size_t home = home_of(t, t->slots[at].key);
        if (((at - home) & t->mask) >= ((at - gap) & t->mask)) {
            t->slots[gap] = t->slots[at];
            t->slots[at].count = 0;
            gap = at;
        }
    }
}

void address_table_leave(struct address_table *t, struct address_key key)
{
    pthread_mutex_lock(&t->lock);
    size_t at = slot_of(t, key);
    assert(t->slots[at].count > 0 && t->total > 0);
    t->total--;
    if (--t->slots[at].count == 0)
        close_gap(t, at);
    pthread_mutex_unlock(&t->lock);
}
