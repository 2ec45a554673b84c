/* Where threads meet: lock, append, unlock, wake when it was empty. The receiver takes the whole
 * list and handles it outside the lock.
 *
 * Items are intrusive: embed `struct inbox_item` as the first member. Order is that of appending. */
#ifndef BASE_INBOX_H
#define BASE_INBOX_H

#include "base/clock.h"

struct inbox_item {
    struct inbox_item *next;
};

struct inbox;

/* NULL when out of memory or descriptors. */
struct inbox *inbox_new(void);
/* Must be empty. Nulls the pointer. */
void inbox_free(struct inbox **in);

/* Any thread. The item belongs to the receiver afterwards. */
void inbox_put(struct inbox *in, struct inbox_item *item);
/* The same for a list linked by `next`, first..last, in that order: one lock, one wake. */
void inbox_put_list(struct inbox *in, struct inbox_item *first, struct inbox_item *last);
/* The receiver only: detaches everything (NULL when empty) and resets the wake-up. */
struct inbox_item *inbox_take(struct inbox *in);
/* An eventfd that is readable while items wait, for the receiver's epoll. */
int inbox_fd(const struct inbox *in);
/* The receiver only: waits until something arrives or the deadline passes (MONO_NEVER: for ever). */
void inbox_wait(struct inbox *in, struct mono deadline);
/* Makes the fd readable without an item. Any thread. */
void inbox_wake(struct inbox *in);
/* How many items wait, at some moment between call and return. Any thread. */
size_t inbox_count(const struct inbox *in);

#endif
