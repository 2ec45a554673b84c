/* Memory that many share, so that large holders leave room for small ones. Any thread.
 *
 * A share may grow while it stays no larger than what is left for all others: the dynamic
 * threshold of switches with a shared buffer (Choudhury and Hahne, 1998). One alone gets half; a
 * thousand that hoard get a thousandth each, and whoever needs half as much still finds room. */
#ifndef HTTP_BUDGET_H
#define HTTP_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    size_t max; /* bytes; written before it is shared */
    _Atomic size_t used;
};

/* Moves *share, which is the caller's, to `wanted` bytes. False, and nothing changed: it would be
 * too much. Less, or nothing, is always granted. */
bool budget_move(struct budget *b, size_t *share, size_t wanted)
    __attribute__((warn_unused_result));
void budget_leave(struct budget *b, size_t *share);

#endif
