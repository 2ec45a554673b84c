/* The breaker on the whole way from hand-off to outcome. Attempts are counted where they arrive;
 * waits that must not end are hours long, and those that must end are short. */
#include "delivery_fixture.h"

#define ENOUGH 4
#define LONG (3600 * US_PER_S)

static void with_breaker(struct fixture *f, int64_t wait_us)
{
    f->settings.endpoint_max_in_flight = 1;
    f->settings.retry_schedule = (struct durations){.count = 1, .us = {LONG}};
    f->settings.breaker =
        (struct breaker_policy){.attempts = ENOUGH, .waits = {.count = 1, .us = {wait_us}}};
}

static void send_all(struct fixture *f, unsigned messages)
{
    for (unsigned i = 0; i < messages; i++)
        fake_add(f->store, 1, "{}", (struct wall){0});
}

static void wait_until_open(struct fixture *f)
{
    fake_wait_outcomes(f->store, ENOUGH);
    while (counter_get(&dispatcher_stats(f->dispatcher)->breakers_open) != 1)
        sched_yield();
}

static void an_open_breaker_holds_back_what_is_due_and_what_is_asked_for(void **state)
{
    struct fixture *f = *state;
    with_breaker(f, LONG);
    endpoint_at(f, 1, "/status/500");
    endpoint_at(f, 2, "/status/200"); /* numbers 1 and 3 are of one thread */
    endpoint_at(f, 3, "/status/200");
    go(f);
    send_all(f, 20);
    wait_until_open(f);
    fake_resend(f->store, 1, &f->store->messages[0]->id);
    send_all(f, 5);
    for (unsigned i = 0; i < 30; i++)
        fake_add(f->store, 2 + i % 2, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, ENOUGH + 30);
    assert_int_equal(f->receiver.requests, ENOUGH + 30);
    assert_int_equal(dispatcher_oldest_due_age(f->dispatcher), 0);
    assert_int_equal(f->store->health[1].failures, ENOUGH);
    assert_int_equal(f->store->health[1].breaker.cause, ATTEMPT_STATUS);
    assert_int_equal(f->store->health[1].breaker.status, 500);
}

static void waiting_consumes_no_attempt_and_a_changed_endpoint_gets_all(void **state)
{
    struct fixture *f = *state;
    with_breaker(f, LONG);
    endpoint_at(f, 1, "/status/500");
    go(f);
    send_all(f, 20);
    wait_until_open(f);
    endpoint_at(f, 1, "/status/200");
    fake_wait_outcomes(f->store, 20);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(f->store->outcomes[i].attempt.number, 1);
    assert_int_equal(counter_get(&dispatcher_stats(f->dispatcher)->breakers_open), 0);
    assert_int_equal(f->store->health[1].breaker.opened_at.us, 0);
}

static void each_probe_of_a_dead_endpoint_is_one_attempt(void **state)
{
    struct fixture *f = *state;
    with_breaker(f, 2000);
    f->settings.endpoint_max_in_flight = 8;
    endpoint_at(f, 1, "/status/500");
    go(f);
    send_all(f, 20);
    fake_wait_outcomes(f->store, 20);
    /* Eight may have been under way when it opened; each later one came after a wait. */
    unsigned probes = f->store->health[1].breaker.probes;
    assert_true(probes >= 1 && probes + 12 >= 20);
}

static void an_open_breaker_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    with_breaker(f, LONG);
    endpoint_at(f, 1, "/status/500");
    go(f);
    send_all(f, 20);
    wait_until_open(f);
    dispatcher_stop(f->dispatcher);
    dispatcher_free(&f->dispatcher);
    unsigned before = f->store->outcome_count;
    go(f);
    assert_int_equal(counter_get(&dispatcher_stats(f->dispatcher)->breakers_open), 1);
    endpoint_at(f, 2, "/status/200");
    fake_add(f->store, 2, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, before + 1);
    assert_int_equal(f->receiver.requests, before + 1);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(an_open_breaker_holds_back_what_is_due_and_what_is_asked_for),
        TEST(waiting_consumes_no_attempt_and_a_changed_endpoint_gets_all),
        TEST(each_probe_of_a_dead_endpoint_is_one_attempt),
        TEST(an_open_breaker_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
