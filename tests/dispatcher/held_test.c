#include "dispatcher/held.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct id id_of(uint32_t n)
{
    struct id id = {{0}};
    memcpy(id.b + 16, &n, sizeof n);
    return id;
}

static void a_delivery_is_never_held_twice(void **state)
{
    (void)state;
    struct held *h = held_new();
    struct claim *c, *other;
    struct id id = id_of(7);
    assert_int_equal(held_add(h, 1, &id, &c), ERR_OK);
    assert_int_equal(held_add(h, 1, &id, &other), ERR_CONFLICT);
    assert_int_equal(held_add(h, 2, &id, &other), ERR_OK);
    assert_ptr_equal(held_find(h, 1, &id), c);
    assert_int_equal(held_count(h), 2);
    held_release(h, c);
    assert_null(held_find(h, 1, &id));
    assert_int_equal(held_add(h, 1, &id, &c), ERR_OK);
    held_free(&h);
    assert_null(h);
}

static void a_new_claim_is_ready_and_knows_nothing(void **state)
{
    (void)state;
    struct held *h = held_new();
    struct claim *c;
    struct id id = id_of(1);
    assert_int_equal(held_add(h, 1, &id, &c), ERR_OK);
    c->tries = 5;
    c->message = message_new();
    held_release(h, c);
    assert_int_equal(held_add(h, 1, &id, &c), ERR_OK);
    assert_int_equal(c->state, CLAIM_READY);
    assert_int_equal(c->tries, 0);
    assert_null(c->message);
    assert_true(c->again.us == WALL_NEVER.us);
    held_free(&h);
}

static void *ask(void *context)
{
    struct held *h = context;
    bool seen = false;
    for (uint32_t n = 0; n < 20000; n++) {
        struct id id = id_of(n % 64);
        seen |= held_has(h, 1, &id);
    }
    return seen ? h : NULL;
}

static void other_threads_may_ask_meanwhile(void **state)
{
    (void)state;
    struct held *h = held_new();
    struct id fixed = id_of(63);
    struct claim *kept, *c;
    assert_int_equal(held_add(h, 1, &fixed, &kept), ERR_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, h), 0);
    for (uint32_t n = 0; n < 20000; n++) {
        struct id id = id_of(n % 63);
        assert_int_equal(held_add(h, 1, &id, &c), ERR_OK);
        held_release(h, c);
    }
    void *seen;
    pthread_join(thread, &seen);
    assert_ptr_equal(seen, h);
    assert_int_equal(held_count(h), 1);
    held_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_never_held_twice),
        cmocka_unit_test(a_new_claim_is_ready_and_knows_nothing),
        cmocka_unit_test(other_threads_may_ask_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
