/* A dispatcher on the store in memory, and a receiver for its endpoints to point at. */
#ifndef TESTS_DISPATCHER_DELIVERY_FIXTURE_H
#define TESTS_DISPATCHER_DELIVERY_FIXTURE_H

#include "fake_store.h"
#include "receiver.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fixture {
    struct store *store;
    struct dispatcher *dispatcher;
    struct receiver receiver;
    struct dispatcher_settings settings;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    receiver_start(&f->receiver);
    f->settings = (struct dispatcher_settings){
        .threads = 2,
        .retry_schedule = {.count = 2, .us = {1000, 1000}},
        .request_timeout_us = 20 * US_PER_S,
        .connect_timeout_us = 5 * US_PER_S,
        .endpoint_max_in_flight = 8,
        .max_in_flight = 64,
        .allow_subnets = "127.0.0.0/8",
        .user_agent = "Surehook/test",
    };
    *state = f;
    return 0;
}

static inline void go(struct fixture *f)
{
    assert_int_equal(dispatcher_new(&f->settings, f->store, &f->dispatcher), ERR_OK);
    f->store->listener = dispatcher_listener(f->dispatcher);
    assert_int_equal(dispatcher_start(f->dispatcher), ERR_OK);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    dispatcher_stop(f->dispatcher);
    dispatcher_free(&f->dispatcher);
    receiver_stop(&f->receiver);
    fake_free(f->store);
    free(f);
    return 0;
}

static inline void endpoint_at(struct fixture *f, uint32_t number, const char *path)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f->receiver.port, path);
    fake_endpoint(f->store, number, url);
}

/* One message to endpoint 1 at this path, and the outcome of its first attempt. */
static inline const struct fake_outcome *deliver(struct fixture *f, const char *path)
{
    endpoint_at(f, 1, path);
    go(f);
    fake_add(f->store, 1, "{\"a\":1}", (struct wall){0});
    fake_wait_outcomes(f->store, 1);
    return &f->store->outcomes[0];
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
