/* What a hostile or broken receiver does, and what it costs us: never more than the timeouts, never
 * more memory than the bounds, and never a wrong verdict. */
#include "delivery_fixture.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>

/* Longer than any step of these tests should take, shorter than the request's timeout. */
#define SOON_US (10 * US_PER_S)

static void assert_outcome(const struct fake_outcome *o, enum attempt_class outcome, int verdict)
{
    assert_int_equal(o->attempt.outcome, outcome);
    assert_int_equal(o->verdict, verdict);
    assert_true(o->attempt.duration_us < SOON_US);
}

static void dripping_headers_end_with_the_request_timeout(void **state)
{
    struct fixture *f = *state;
    f->settings.request_timeout_us = 200 * US_PER_MS;
    assert_outcome(deliver(f, "/drip-headers"), ATTEMPT_TIMEOUT, OUTCOME_RETRY);
}

/* Stands in front of libcurl's: one that is told of no timeout keeps none. Every option's argument
 * fits a pointer. */
static atomic_bool timeouts_are_forgotten;

#undef curl_easy_setopt
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    static CURLcode (*_Atomic real)(CURL *, CURLoption, ...);
    if (!real)
        real = (CURLcode(*)(CURL *, CURLoption, ...))dlsym(RTLD_NEXT, "curl_easy_setopt");
    va_list arguments;
    va_start(arguments, option);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return real(easy, option,
                option == CURLOPT_TIMEOUT_MS && timeouts_are_forgotten ? NULL : argument);
}

static void what_libcurl_forgets_is_ended_by_our_own_clock(void **state)
{
    struct fixture *f = *state;
    f->settings.request_timeout_us = 200 * US_PER_MS;
    timeouts_are_forgotten = true;
    const struct fake_outcome *o = deliver(f, "/drip-headers");
    timeouts_are_forgotten = false;
    assert_outcome(o, ATTEMPT_TIMEOUT, OUTCOME_RETRY);
}

static void endless_informational_answers_are_a_protocol_error(void **state)
{
    assert_outcome(deliver(*state, "/informed"), ATTEMPT_PROTOCOL, OUTCOME_RETRY);
}

static void a_switch_of_protocols_that_nobody_asked_for_is_no_answer(void **state)
{
    struct fixture *f = *state;
    f->settings.request_timeout_us = 200 * US_PER_MS;
    assert_outcome(deliver(f, "/switch"), ATTEMPT_TIMEOUT, OUTCOME_RETRY);
}

static void endless_trailers_do_not_change_the_verdict(void **state)
{
    assert_outcome(deliver(*state, "/trailers"), ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
}

static void a_tls_handshake_that_stalls_ends_with_the_connect_timeout(void **state)
{
    struct fixture *f = *state;
    char url[64];
    f->settings.connect_timeout_us = 200 * US_PER_MS;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", f->receiver.port);
    fake_endpoint(f->store, 1, url);
    go(f);
    fake_add(f->store, 1, "{}", (struct wall){0}); /* the receiver waits for an HTTP head */
    fake_wait_outcomes(f->store, 1);
    assert_outcome(&f->store->outcomes[0], ATTEMPT_TIMEOUT, OUTCOME_RETRY);
}

static void a_reset_before_the_answer_is_refused(void **state)
{
    assert_outcome(deliver(*state, "/reset"), ATTEMPT_REFUSED, OUTCOME_RETRY);
}

static void a_reset_in_the_body_does_not_change_the_verdict(void **state)
{
    assert_outcome(deliver(*state, "/reset-after"), ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
}

static void a_body_that_is_cut_off_does_not_change_the_verdict(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/cut");
    assert_outcome(o, ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
    assert_int_equal(o->response_len, 4);
}

/* The receiver answers after the first 64 KiB. */
static void deliver_large(struct fixture *f, const char *path)
{
    char *body = malloc((1 << 20) + 1);
    memset(body, 'x', 1 << 20);
    body[1 << 20] = 0;
    endpoint_at(f, 1, path);
    go(f);
    fake_add(f->store, 1, body, (struct wall){0});
    free(body);
    fake_wait_outcomes(f->store, 1);
}

static void a_refusal_before_the_body_was_sent_decides(void **state)
{
    struct fixture *f = *state;
    deliver_large(f, "/status/413");
    assert_outcome(&f->store->outcomes[0], ATTEMPT_STATUS, OUTCOME_RETRY);
    assert_int_equal(f->store->outcomes[0].attempt.status, 413);
}

static void a_success_before_the_body_was_sent_decides(void **state)
{
    struct fixture *f = *state;
    deliver_large(f, "/status/200");
    assert_outcome(&f->store->outcomes[0], ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
}

static void deliver_one_at_a_time(struct fixture *f, const char *path)
{
    enum { MANY = 12 };
    endpoint_at(f, 1, path);
    for (unsigned n = 0; n < MANY; n++)
        fake_add(f->store, 1, "{}", (struct wall){1000 + n});
    go(f);
    fake_wait_outcomes(f->store, MANY);
    for (unsigned n = 0; n < MANY; n++)
        assert_outcome(&f->store->outcomes[n], ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
    for (unsigned n = 1; n < MANY; n++) {
        const struct attempt *before = &f->store->outcomes[n - 1].attempt;
        const struct attempt *after = &f->store->outcomes[n].attempt;
        assert_true(after->started.us >= before->started.us + before->duration_us);
    }
}

/* Or those that succeed while they hold slots and memory would get all of both. */
static void an_endpoint_whose_answers_are_cut_off_gets_one_attempt_at_a_time(void **state)
{
    deliver_one_at_a_time(*state, "/endless");
}

static void so_does_one_whose_trailers_are_cut_off(void **state)
{
    deliver_one_at_a_time(*state, "/trailers");
}

static void a_connection_closed_after_each_answer_costs_no_attempt(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/once");
    go(f);
    for (unsigned n = 1; n <= 20; n++) {
        fake_add(f->store, 1, "{}", (struct wall){0});
        fake_wait_outcomes(f->store, n);
        assert_outcome(&f->store->outcomes[n - 1], ATTEMPT_SUCCESS, OUTCOME_DELIVERED);
    }
    assert_int_equal(f->receiver.requests, 20);
}

static void the_answer_to_a_gone_delivery_stops_nobody(void **state)
{
    struct fixture *f = *state;
    f->store->forgetful = true;
    endpoint_at(f, 1, "/status/410");
    go(f);
    struct id first = fake_add(f->store, 1, "{}", (struct wall){0});
    receiver_wait_requests(&f->receiver, 1);
    while (dispatcher_in_flight(f->dispatcher, &first, 1))
        sched_yield();
    fake_add(f->store, 1, "{}", (struct wall){0});
    receiver_wait_requests(&f->receiver, 2);
}

static void an_expunged_message_dies_unsent(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    struct id id = fake_add(f->store, 1, "{}", (struct wall){1000});
    fake_expunge(f->store, &id);
    go(f);
    fake_wait_outcomes(f->store, 1);
    assert_int_equal(f->store->outcomes[0].verdict, OUTCOME_DEAD);
    assert_int_equal(f->store->outcomes[0].reason, REASON_MESSAGE_EXPUNGED);
    assert_int_equal(f->receiver.requests, 0);
}

static void a_message_expunged_while_it_waits_in_memory_dies_unsent(void **state)
{
    struct fixture *f = *state;
    f->settings.retry_schedule.count = 0;
    deliver(f, "/later"); /* the endpoint rests now */
    struct id id = fake_add(f->store, 1, "{}", (struct wall){0});
    while (!dispatcher_in_flight(f->dispatcher, &id, 1))
        sched_yield();
    fake_expunge(f->store, &id);
    clock_fake(wall_add(clock_wall(), 10 * US_PER_S), mono_add(clock_mono(), 10 * US_PER_S));
    endpoint_at(f, 1, "/status/200");
    fake_wait_outcomes(f->store, 2);
    clock_real();
    assert_int_equal(f->store->outcomes[1].reason, REASON_MESSAGE_EXPUNGED);
    assert_int_equal(f->receiver.requests, 1);
}

static void a_clock_set_back_does_not_prolong_a_rest(void **state)
{
    struct fixture *f = *state;
    f->settings.threads = 1;
    f->settings.retry_schedule.count = 0;
    deliver(f, "/later"); /* rests for 100 s */
    struct id id = fake_add(f->store, 1, "{}", (struct wall){1000});
    while (!dispatcher_in_flight(f->dispatcher, &id, 1))
        sched_yield();
    int64_t hour = 3600 * US_PER_S, rest = 200 * US_PER_S;
    struct wall wall = clock_wall();
    struct mono mono = clock_mono();
    clock_fake(wall_add(wall, -hour), mono);
    endpoint_at(f, 3, "/status/200"); /* the thread has seen the new time once this is delivered */
    fake_add(f->store, 3, "{}", (struct wall){1000});
    fake_wait_outcomes(f->store, 2);
    clock_fake(wall_add(wall, rest - hour), mono_add(mono, rest));
    fake_add(f->store, 3, "{}", (struct wall){1000});
    fake_wait_outcomes(f->store, 4);
    clock_real();
}

static void a_status_that_has_come_counts_even_when_the_stop_cuts_its_body(void **state)
{
    struct fixture *f = *state;
    f->settings.drain_us = 500 * US_PER_MS; /* the body would take a second */
    endpoint_at(f, 1, "/drip");
    go(f);
    fake_add(f->store, 1, "{}", (struct wall){0});
    receiver_wait_requests(&f->receiver, 1);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->store->outcome_count, 1);
    assert_int_equal(f->store->outcomes[0].verdict, OUTCOME_DELIVERED);
}

static void a_busy_thread_leaves_slots_to_the_others(void **state)
{
    struct fixture *f = *state;
    f->settings.max_in_flight = 8;
    f->settings.drain_us = 0;
    endpoint_at(f, 1, "/status/200");
    for (unsigned n = 2; n < FAKE_ENDPOINTS; n += 2) { /* of the other thread, one attempt each */
        endpoint_at(f, n, "/hang");
        fake_add(f->store, n, "{}", (struct wall){1000 + n});
    }
    go(f);
    receiver_wait_requests(&f->receiver, 6); /* all but those of the other thread */
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 1);
    assert_int_equal(f->store->outcomes[0].attempt.endpoint_number, 1);
    assert_int_equal(counter_get(&dispatcher_stats(f->dispatcher)->in_flight), 6);
    assert_int_equal(f->receiver.requests, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dripping_headers_end_with_the_request_timeout),
        TEST(what_libcurl_forgets_is_ended_by_our_own_clock),
        TEST(endless_informational_answers_are_a_protocol_error),
        TEST(a_switch_of_protocols_that_nobody_asked_for_is_no_answer),
        TEST(endless_trailers_do_not_change_the_verdict),
        TEST(a_tls_handshake_that_stalls_ends_with_the_connect_timeout),
        TEST(a_reset_before_the_answer_is_refused),
        TEST(a_reset_in_the_body_does_not_change_the_verdict),
        TEST(a_body_that_is_cut_off_does_not_change_the_verdict),
        TEST(a_refusal_before_the_body_was_sent_decides),
        TEST(a_success_before_the_body_was_sent_decides),
        TEST(an_endpoint_whose_answers_are_cut_off_gets_one_attempt_at_a_time),
        TEST(so_does_one_whose_trailers_are_cut_off),
        TEST(a_connection_closed_after_each_answer_costs_no_attempt),
        TEST(the_answer_to_a_gone_delivery_stops_nobody),
        TEST(an_expunged_message_dies_unsent),
        TEST(a_message_expunged_while_it_waits_in_memory_dies_unsent),
        TEST(a_clock_set_back_does_not_prolong_a_rest),
        TEST(a_status_that_has_come_counts_even_when_the_stop_cuts_its_body),
        TEST(a_busy_thread_leaves_slots_to_the_others),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
