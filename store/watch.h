/* Waiting until an application has a new message, without a thread and without a snapshot.
 *
 * Whoever waits enters, takes the mark, looks, and arms the watch with that mark; once woken it
 * looks again. Nothing is told about the message: many of those who wait filter. */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include "store/store.h"

/* Somebody who waits until an application has a new message. It belongs to the waiting side, but
 * for the time between enter and leave, in which the store has it too. Any thread, one at a time. */
struct store_watch {
    uint32_t app_number;
    /* On the writer thread after a commit with a message of the application that readers can see by
     * then, once for each arming. It must not block and not call the store; it may put into an
     * inbox. */
    void (*wake)(struct store_watch *w);
    /* The store's own. */
    bool armed;
    struct store_watch *previous, *next;
};
/* Takes a place. ERR_BUSY when WATCHES_MAX, or WATCHES_PER_APP_MAX of the application, are taken. */
enum err store_watch_enter(struct store *s, struct store_watch *w) MUST_CHECK;
/* To be taken before the snapshot in which no message was found … */
uint64_t store_watch_mark(struct store *s);
/* … and given here. False: something was committed meanwhile; look again. */
bool store_watch_arm(struct store *s, struct store_watch *w, uint64_t mark) MUST_CHECK;
/* Afterwards `wake` neither runs nor will. */
void store_watch_disarm(struct store *s, struct store_watch *w);
/* Disarms it and gives the place back. */
void store_watch_leave(struct store *s, struct store_watch *w);

#endif
