/* A lane of its own for each test, with what feeds it. */
#ifndef TESTS_DISPATCHER_LANE_FIXTURE_H
#define TESTS_DISPATCHER_LANE_FIXTURE_H

#include "dispatcher/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ENDPOINT 7

struct fixture {
    struct held *held;
    struct budget bytes;
    struct lane *lane;
};

static inline struct wall at(int64_t us)
{
    return (struct wall){us};
}

static inline struct id id_of(uint32_t n)
{
    struct id id = {{0}};
    for (int i = 0; i < 4; i++)
        id.b[19 - i] = (uint8_t)(n >> (8 * i));
    return id;
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->held = held_new();
    f->bytes.max = 1 << 20;
    f->lane = lane_new(ENDPOINT, 8, WALL_NEVER, 10);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    for (struct claim *c; (c = lane_pop(f->lane));)
        lane_abandon(f->lane, f->held, c, &f->bytes);
    assert_int_equal(f->bytes.used, 0);
    lane_free(&f->lane);
    held_free(&f->held);
    free(f);
    return 0;
}

/* With a body of this size. */
static inline bool hand_bytes(struct fixture *f, uint32_t n, int64_t due, uint64_t txn, int64_t now,
                              size_t bytes)
{
    struct handoff *h = calloc(1, sizeof *h);
    h->txn = txn;
    h->endpoint = ENDPOINT;
    h->due = at(due);
    h->message = message_new();
    h->message->id = id_of(n);
    h->message->block_len = bytes;
    return lane_handoff(f->lane, f->held, &f->bytes, h, at(now));
}

static inline bool hand(struct fixture *f, uint32_t n, int64_t due, uint64_t txn, int64_t now)
{
    return hand_bytes(f, n, due, txn, now, 0);
}

static inline struct due_row row(uint32_t n, int64_t due)
{
    return (struct due_row){.due = at(due), .message = id_of(n), .trigger = TRIGGER_SCHEDULED};
}

static inline struct claim *start(struct fixture *f)
{
    struct claim *c = lane_pop(f->lane);
    assert_non_null(c);
    lane_start(f->lane, c);
    return c;
}

static inline void end(struct fixture *f, struct claim *c, struct wall retry_at)
{
    lane_settle(f->lane, c, &f->bytes);
    lane_settled(f->lane, f->held, c, retry_at);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
