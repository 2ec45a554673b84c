/* Without filters a look-up of a new idempotency key, the most common one, would touch every run.
 *
 * The probes are first + i * step of one 128-bit hash (Kirsch and Mitzenmacher: as good as seven
 * hashes). The hash is stable on disk, and bits are numbered by bytes, so that a stored filter
 * means the same on every machine. */
#include "store/filter.h"

#include "base/hash.h"
#include "store/entry.h"

#include <assert.h>
#include <stdatomic.h>

#define BITS_PER_KEY 10
#define PROBES 7

struct filter {
    atomic_uint references;
    size_t bytes;
    uint8_t data[];
};

struct filter_hash filter_hash_of(struct span key)
{
    uint8_t hash[16];
    hash_128(key, hash);
    return (struct filter_hash){.first = get_be64(hash), .step = get_be64(hash + 8) | 1};
}

size_t filter_size(uint64_t keys)
{
    uint64_t bits = keys * BITS_PER_KEY;
    return (size_t)((bits + 63) / 64 * 8 + 8);
}

struct filter *filter_new(size_t bytes)
{
    assert(bytes >= 8 && bytes % 8 == 0);
    struct filter *f = calloc(1, sizeof *f + bytes);
    if (!f)
        return NULL;
    atomic_init(&f->references, 1);
    f->bytes = bytes;
    return f;
}

struct filter *filter_ref(struct filter *f)
{
    atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
    return f;
}

void filter_unref(struct filter **f)
{
    struct filter *old = *f;
    *f = NULL;
    if (old && atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) == 1)
        free(old);
}

void filter_add(struct filter *f, struct filter_hash hash)
{
    uint64_t bits = (uint64_t)f->bytes * 8;
    for (unsigned i = 0; i < PROBES; i++, hash.first += hash.step) {
        uint64_t bit = hash.first % bits;
        f->data[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

bool filter_maybe(const struct filter *f, struct filter_hash hash)
{
    uint64_t bits = (uint64_t)f->bytes * 8;
    for (unsigned i = 0; i < PROBES; i++, hash.first += hash.step) {
        uint64_t bit = hash.first % bits;
        if (!(f->data[bit / 8] & 1u << bit % 8))
            return false;
    }
    return true;
}

size_t filter_bytes(const struct filter *f)
{
    return f->bytes;
}

uint8_t *filter_data(struct filter *f)
{
    return f->data;
}
