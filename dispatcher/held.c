/* Why a set of its own: a page read from disk must skip what is in memory already, a resend must be
 * refused while an attempt is under way, and both questions are asked by (endpoint, message).
 *
 * Invariant: a claim is in the table from held_add to held_release, and nowhere else. Claims are
 * recycled through a short list, so that the happy path allocates nothing. */
#include "dispatcher/held.h"

#include "base/map.h"

#include <assert.h>
#include <pthread.h>

#define UNUSED_MAX 1024

static_assert(sizeof(struct claim_key) == sizeof(uint32_t) + ID_BYTES,
              "the key is hashed as bytes: no padding");

struct held {
    pthread_mutex_t lock; /* guards `table` */
    struct map *table;
    /* owned by the dispatcher thread */
    struct claim *unused;
    size_t unused_count;
};

static struct span key_of_claim(const void *value)
{
    const struct claim *c = value;
    return span_of(&c->key, sizeof c->key);
}

static struct claim_key key_make(uint32_t endpoint, const struct id *message)
{
    return (struct claim_key){endpoint, *message};
}

void claim_set_state(struct claim *c, enum claim_state to)
{
    assert((c->state == CLAIM_READY && to == CLAIM_IN_FLIGHT) ||
           (c->state == CLAIM_IN_FLIGHT && to == CLAIM_SETTLING));
    c->state = to;
}

struct held *held_new(void)
{
    struct held *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->table = map_new(key_of_claim);
    if (!h->table) {
        free(h);
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void held_free(struct held **h)
{
    struct held *self = *h;
    if (!self)
        return;
    *h = NULL;
    size_t at = 0;
    for (struct claim *c; (c = map_each(self->table, &at));) {
        message_unref(&c->message);
        free(c);
    }
    map_free(&self->table);
    while (self->unused) {
        struct claim *c = self->unused;
        self->unused = c->next;
        free(c);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static struct claim *claim_take(struct held *h)
{
    struct claim *c = h->unused;
    if (!c)
        return malloc(sizeof *c);
    h->unused = c->next;
    h->unused_count--;
    return c;
}

static void claim_give(struct held *h, struct claim *c)
{
    if (h->unused_count == UNUSED_MAX) {
        free(c);
        return;
    }
    c->next = h->unused;
    h->unused = c;
    h->unused_count++;
}

enum err held_add(struct held *h, uint32_t endpoint, const struct id *message, struct claim **out)
{
    struct claim *c = claim_take(h);
    if (!c)
        return ERR_NO_MEMORY;
    *c = (struct claim){.key = key_make(endpoint, message), .again = WALL_NEVER};

    enum err e = ERR_OK;
    pthread_mutex_lock(&h->lock);
    if (map_get(h->table, key_of_claim(c)))
        e = ERR_CONFLICT;
    else if (!map_put(h->table, c))
        e = ERR_NO_MEMORY;
    pthread_mutex_unlock(&h->lock);

    if (e) {
        claim_give(h, c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

struct claim *held_find(struct held *h, uint32_t endpoint, const struct id *message)
{
    struct claim_key key = key_make(endpoint, message);
    pthread_mutex_lock(&h->lock);
    struct claim *c = map_get(h->table, span_of(&key, sizeof key));
    pthread_mutex_unlock(&h->lock);
    return c;
}

bool held_has(struct held *h, uint32_t endpoint, const struct id *message)
{
    return held_find(h, endpoint, message) != NULL;
}

void held_release(struct held *h, struct claim *c)
{
    pthread_mutex_lock(&h->lock);
    struct claim *taken = map_take(h->table, key_of_claim(c));
    pthread_mutex_unlock(&h->lock);
    assert(taken == c);
    message_unref(&c->message);
    claim_give(h, c);
}

size_t held_count(struct held *h)
{
    pthread_mutex_lock(&h->lock);
    size_t n = map_count(h->table);
    pthread_mutex_unlock(&h->lock);
    return n;
}
