/* One HTTP thread: a libmicrohttpd daemon in external mode, driven by our own epoll loop. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include "http/site.h"

struct loop;

/* Takes the listening socket over (also when it fails). */
enum err loop_new(struct site *site, int listen_fd, struct loop **out) MUST_CHECK;
enum err loop_start(struct loop *l) MUST_CHECK;
/* Asks a started loop to stop accepting, to finish what is under way until the deadline, and to
 * end. Any thread. */
void loop_stop(struct loop *l, struct mono deadline);
/* Waits for the end; that may be after the deadline when the store still has an operation. */
void loop_join(struct loop *l);
/* Nulls the pointer. Not started, or joined. */
void loop_free(struct loop **l);

#endif
