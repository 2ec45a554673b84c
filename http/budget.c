/* Two that grow at once may both be refused, though one would have fitted; never both be granted
 * what only one may have. */
#include "http/budget.h"

#include <assert.h>

static void give_back(struct budget *b, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
    assert(before >= bytes);
}

bool budget_move(struct budget *b, size_t *share, size_t wanted)
{
    if (wanted <= *share) {
        give_back(b, *share - wanted);
        *share = wanted;
        return true;
    }
    size_t more = wanted - *share;
    size_t used = atomic_fetch_add_explicit(&b->used, more, memory_order_relaxed) + more;
    if (used > b->max || wanted > b->max - used) {
        give_back(b, more);
        return false;
    }
    *share = wanted;
    return true;
}

void budget_leave(struct budget *b, size_t *share)
{
    give_back(b, *share);
    *share = 0;
}
