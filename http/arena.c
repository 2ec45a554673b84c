/* A request needs a few small pieces (its path, decoded parameters, an operation) that all die
 * together; one malloc each would cost more than everything else the head needs. */
#include "http/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define ALIGNMENT 16
#define BLOCK_LEAST (16 * 1024)

struct arena_block {
    struct arena_block *next;
    _Alignas(ALIGNMENT) char bytes[];
};

void arena_init(struct arena *a, void *first, size_t len, size_t max)
{
    *a = (struct arena){.at = first, .end = first ? (char *)first + len : NULL, .max = max};
}

static bool grow(struct arena *a, size_t size)
{
    size_t len = size > BLOCK_LEAST ? size : BLOCK_LEAST;
    if (len > a->max - a->total)
        len = size;
    if (len > a->max - a->total)
        return false;
    struct arena_block *block = malloc(sizeof *block + len);
    if (!block)
        return false;
    block->next = a->more;
    a->more = block;
    a->total += len;
    a->at = block->bytes;
    a->end = block->bytes + len;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->max)
        return NULL;
    size_t pad = (size_t)(-(uintptr_t)a->at & (ALIGNMENT - 1));
    if (!a->at || (size_t)(a->end - a->at) < pad + size) {
        if (!grow(a, size))
            return NULL;
        pad = 0;
    }
    char *out = a->at + pad;
    a->at = out + size;
    return out;
}

struct span arena_copy(struct arena *a, struct span s)
{
    char *out = arena_alloc(a, s.len + 1);
    if (!out)
        return span_of(NULL, 0);
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return span_of(out, s.len);
}

void arena_free(struct arena *a)
{
    while (a->more) {
        struct arena_block *block = a->more;
        a->more = block->next;
        free(block);
    }
    a->total = 0;
}
