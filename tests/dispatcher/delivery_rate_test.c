/* Rates on the whole way from hand-off to outcome: what an endpoint's or an application's rate
 * spreads, and that waiting costs no attempt. Only lower bounds of time are judged. */
#include "delivery_fixture.h"
#include "dispatcher/throttle.h"

#define MESSAGES 12
#define PER_SECOND 20

static void send_all(struct fixture *f, unsigned endpoints)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        fake_add(f->store, 1 + i % endpoints, "{}", (struct wall){0});
}

/* So many attempts were made no faster than the rate with its slack allows. */
static void expect_spread(struct fixture *f, unsigned attempts)
{
    int64_t first = INT64_MAX, last = 0;
    fake_wait_outcomes(f->store, attempts);
    for (unsigned i = 0; i < attempts; i++) {
        int64_t started = f->store->outcomes[i].attempt.started.us;
        first = started < first ? started : first;
        last = started > last ? started : last;
    }
    int64_t interval = US_PER_S / PER_SECOND;
    assert_true(last - first >= (attempts - 1) * interval - 2 * THROTTLE_SLACK_US);
    assert_int_equal(f->receiver.requests, attempts);
}

static void expect_first_attempts(struct fixture *f)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_int_equal(f->store->outcomes[i].attempt.outcome, ATTEMPT_SUCCESS);
        assert_int_equal(f->store->outcomes[i].attempt.number, 1);
    }
}

static void an_endpoint_s_rate_spreads_its_attempts(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    f->store->rates[1] = PER_SECOND;
    go(f);
    send_all(f, 1);
    expect_spread(f, MESSAGES);
    expect_first_attempts(f);
}

static void an_application_s_rate_spans_its_endpoints_and_the_threads(void **state)
{
    struct fixture *f = *state;
    for (uint32_t n = 1; n <= 3; n++)
        endpoint_at(f, n, "/status/200");
    f->store->app_rate = PER_SECOND;
    go(f);
    send_all(f, 3);
    expect_spread(f, MESSAGES);
    expect_first_attempts(f);
}

static void retries_wait_for_tokens_too(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/500");
    f->store->rates[1] = PER_SECOND;
    go(f);
    for (int i = 0; i < 4; i++)
        fake_add(f->store, 1, "{}", (struct wall){0});
    expect_spread(f, 12); /* each with two retries after a millisecond */
}

static void a_rate_that_is_lifted_lets_those_that_waited_go(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    endpoint_at(f, 2, "/status/200");
    f->store->app_rate = 1;
    go(f);
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 1);
    for (unsigned i = 0; i < 2 * 3600; i++) /* two hours' worth */
        fake_add(f->store, 1 + i % 2, "{}", (struct wall){0});
    fake_app_rate(f->store, 0);
    fake_wait_outcomes(f->store, 1 + 2 * 3600);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(an_endpoint_s_rate_spreads_its_attempts),
        TEST(an_application_s_rate_spans_its_endpoints_and_the_threads),
        TEST(retries_wait_for_tokens_too),
        TEST(a_rate_that_is_lifted_lets_those_that_waited_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
