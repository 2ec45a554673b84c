/* A receiver that misbehaves on purpose: the other end of a delivery for tests, and for people who
 * want to see what becomes of one. Not for production.
 *
 * What a listener does to whoever connects is one row of a table, a struct chaos_behaviour: plain
 * data, so that a new one needs no new code. One thread with epoll serves all, because what is
 * tested beside it must not lose its processor to a thread per victim. */
#ifndef HTTP_CHAOS_H
#define HTTP_CHAOS_H

#include "base/clock.h"
#include "http/listen_address.h"
#include "http/receiver.h"

enum chaos_cue {
    CHAOS_ON_REQUEST, /* once a whole request has come */
    CHAOS_ON_ACCEPT,  /* at once, whatever comes or not */
    CHAOS_ON_BYTES,   /* at the first bytes: half of a handshake */
    CHAOS_DEAF,       /* never: nothing is read at all */
};

enum chaos_end {
    CHAOS_HOLD, /* silence, until the peer goes */
    CHAOS_CLOSE,
    CHAOS_RESET,
};

struct chaos_behaviour {
    const char *name, *help;
    enum chaos_cue cue;
    struct span opening; /* sent at once */
    struct span piece;   /* then this, again and again */
    uint64_t pieces;     /* so often; UINT64_MAX: without end */
    int64_t pause_us;    /* behind the opening and each piece; 0: as fast as the peer reads */
    enum chaos_end end;
};

/* Those that flood nobody, for people. */
extern const struct chaos_behaviour chaos_gentle[];
extern const size_t chaos_gentle_count;
/* For an option: "none", then the names of chaos_gentle in its order, then NULL. */
extern const char *const chaos_choices[];

/* What a listener saw. */
struct chaos_figures {
    uint64_t connections, begun; /* begun: misbehaved to */
    int64_t longest_us;          /* the longest that a connection lasted which has ended */
};

struct chaos;

/* `handler` (NULL: none) is told of each misbehaviour as it begins, on the thread of the receiver,
 * with the request, or with method NULL when there was none; what it returns is not used. NULL when
 * out of memory or descriptors. */
struct chaos *chaos_new(unsigned (*handler)(void *context, const struct received *r),
                        void *context);
/* A listener at "127.0.0.1:0" or the like; its real address goes to `address`. Only before
 * chaos_start. `behaviour` is borrowed. Errors of listen_address_bind, ERR_NO_MEMORY. */
enum err chaos_listen(struct chaos *c, const char *listen, const struct chaos_behaviour *behaviour,
                      char address[LISTEN_ADDRESS_MAX]) MUST_CHECK;
enum err chaos_start(struct chaos *c) MUST_CHECK;
/* Of the listener `index`, in the order of chaos_listen; {0} beyond the last. Any thread. */
struct chaos_figures chaos_figures(struct chaos *c, size_t index);
/* Ends every connection and the thread; also where chaos_start failed. Nulls the pointer. */
void chaos_stop(struct chaos **c);

#endif
