/* An ordered endpoint, of which the store lets one delivery go at a time. */
#include "delivery_fixture.h"

enum { MESSAGES = 40 };

static void fill(struct fixture *f, struct id ids[MESSAGES], uint32_t endpoint)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        ids[i] = fake_add(f->store, endpoint, "{\"a\":1}", (struct wall){1 + i});
}

static void what_is_let_go_by_an_outcome_is_sent_after_it(void **state)
{
    struct fixture *f = *state;
    struct id ids[MESSAGES];
    endpoint_at(f, 1, "/status/200");
    fill(f, ids, 1);
    fake_line(f->store, 1);
    go(f);
    fake_wait_outcomes(f->store, MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++) {
        const struct fake_outcome *o = &f->store->outcomes[i];
        assert_memory_equal(&o->attempt.message, &ids[i], sizeof ids[i]);
        assert_int_equal(o->verdict, OUTCOME_DELIVERED);
    }
    assert_int_equal(f->receiver.requests, MESSAGES);
}

static void a_retry_and_a_death_hold_back_and_let_go_alike(void **state)
{
    struct fixture *f = *state;
    struct id ids[MESSAGES];
    endpoint_at(f, 1, "/status/404"); /* alive: it keeps its place among the quick */
    fill(f, ids, 1);
    fake_line(f->store, 1);
    go(f);
    fake_wait_outcomes(f->store, 3 * MESSAGES);
    for (unsigned i = 0; i < 3 * MESSAGES; i++)
        assert_memory_equal(&f->store->outcomes[i].attempt.message, &ids[i / 3], sizeof ids[0]);
}

static void only_outcomes_of_an_ordered_endpoint_are_urgent(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    endpoint_at(f, 2, "/status/200");
    fake_add(f->store, 1, "{}", (struct wall){1});
    fake_add(f->store, 2, "{}", (struct wall){1});
    fake_line(f->store, 1);
    go(f);
    fake_wait_outcomes(f->store, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct fake_outcome *o = &f->store->outcomes[i];
        assert_int_equal(o->urgent, o->attempt.endpoint_number == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_let_go_by_an_outcome_is_sent_after_it),
        TEST(a_retry_and_a_death_hold_back_and_let_go_alike),
        TEST(only_outcomes_of_an_ordered_endpoint_are_urgent),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
