/* From a hand-off to the outcome, over real sockets on loopback, with a store in memory. */
#include "delivery_fixture.h"

static void a_handoff_is_signed_and_delivered_without_reading_the_disk(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/status/200");
    assert_int_equal(o->verdict, OUTCOME_DELIVERED);
    assert_int_equal(o->attempt.outcome, ATTEMPT_SUCCESS);
    assert_int_equal(o->attempt.status, 200);
    assert_int_equal(o->attempt.number, 1);
    assert_int_equal(o->response_len, 5);
    assert_int_equal(f->store->loads, 0);
    const char *last = f->receiver.last;
    assert_non_null(strstr(last, "POST /status/200 HTTP/1.1\r\n"));
    assert_non_null(strstr(last, "\r\ncontent-type: application/json\r\n"));
    assert_non_null(strstr(last, "\r\nwebhook-id: msg_"));
    assert_non_null(strstr(last, "\r\nwebhook-timestamp: "));
    assert_non_null(strstr(last, "\r\nwebhook-signature: v1,"));
    assert_non_null(strstr(last, "\r\nUser-Agent: Surehook/test\r\n"));
    assert_non_null(strstr(last, "\r\nx-tenant: blue\r\n"));
    assert_null(strstr(last, "evil"));
    assert_null(strstr(last, "svix-"));
    assert_null(strcasestr(last, "expect"));
    assert_non_null(strstr(last, "\r\n\r\n{\"a\":1}"));
}

static void both_prefixes_carry_the_same_signature(void **state)
{
    struct fixture *f = *state;
    f->settings.signature_headers = SIGNATURE_BOTH;
    deliver(f, "/status/204");
    const char *ours = strstr(f->receiver.last, "webhook-signature: ");
    const char *theirs = strstr(f->receiver.last, "svix-signature: ");
    assert_non_null(ours);
    assert_non_null(theirs);
    assert_memory_equal(strchr(ours, ' '), strchr(theirs, ' '), 48);
}

static void a_failure_is_retried_and_dies_at_the_end_of_the_schedule(void **state)
{
    struct fixture *f = *state;
    deliver(f, "/status/500");
    fake_wait_outcomes(f->store, 3);
    const struct fake_outcome *o = f->store->outcomes;
    assert_int_equal(o[0].verdict, OUTCOME_RETRY);
    assert_int_equal(o[1].verdict, OUTCOME_RETRY);
    assert_int_equal(o[1].attempt.number, 2);
    assert_int_equal(o[2].verdict, OUTCOME_DEAD);
    assert_int_equal(o[2].reason, REASON_EXHAUSTED);
    assert_int_equal(f->receiver.requests, 3);
    assert_int_equal(f->receiver.connections, 1);
}

static void gone_disables_the_endpoint_and_what_waits_is_not_sent(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/status/410");
    assert_true(o->disable);
    assert_int_equal(o->verdict, OUTCOME_DEAD);
    fake_add(f->store, 1, "{}", (struct wall){0});
    endpoint_at(f, 3, "/status/200"); /* same thread: heard after the above */
    fake_add(f->store, 3, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 2);
    assert_int_equal(f->store->outcomes[1].attempt.endpoint_number, 3);
    assert_int_equal(f->receiver.requests, 2);
}

static void retry_after_puts_off_the_retry(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/later");
    assert_int_equal(o->verdict, OUTCOME_RETRY);
    assert_true(o->retry_at.us >= o->attempt.started.us + 100 * US_PER_S);
}

static void a_redirect_is_a_failure(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/redirect");
    assert_int_equal(o->attempt.outcome, ATTEMPT_STATUS);
    assert_int_equal(o->attempt.status, 302);
}

static void an_informational_status_never_decides(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/early");
    assert_int_equal(o->attempt.status, 200);
    assert_int_equal(o->verdict, OUTCOME_DELIVERED);
}

static void a_dripping_body_costs_a_second_and_its_status_decides(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/drip");
    assert_int_equal(o->verdict, OUTCOME_DELIVERED);
    assert_true(o->attempt.duration_us < f->settings.request_timeout_us / 2);
}

static void an_endless_body_is_cut(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/endless");
    assert_int_equal(o->verdict, OUTCOME_DELIVERED);
    assert_int_equal(o->response_len, ATTEMPT_BODY_KEPT_MAX);
}

static void endless_headers_are_a_protocol_error(void **state)
{
    struct fixture *f = *state;
    const struct fake_outcome *o = deliver(f, "/headers");
    assert_int_equal(o->attempt.outcome, ATTEMPT_PROTOCOL);
    assert_int_equal(o->attempt.status, 0);
}

static void what_is_not_http_is_a_protocol_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(deliver(f, "/garbage")->attempt.outcome, ATTEMPT_PROTOCOL);
}

static void a_receiver_that_never_answers_times_out(void **state)
{
    struct fixture *f = *state;
    f->settings.request_timeout_us = 100 * US_PER_MS;
    const struct fake_outcome *o = deliver(f, "/hang");
    assert_int_equal(o->attempt.outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(o->verdict, OUTCOME_RETRY);
}

static void a_closed_port_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0); /* bound, never listening */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    fake_endpoint(f->store, 1, url);
    go(f);
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 1);
    close(fd);
    assert_int_equal(f->store->outcomes[0].attempt.outcome, ATTEMPT_REFUSED);
}

static void an_internal_address_is_blocked_before_any_connection(void **state)
{
    struct fixture *f = *state;
    f->settings.allow_subnets = NULL;
    const struct fake_outcome *o = deliver(f, "/status/200");
    assert_int_equal(o->attempt.outcome, ATTEMPT_BLOCKED);
    assert_int_equal(f->receiver.connections, 0);
}

static void a_name_that_leads_to_an_internal_address_is_blocked(void **state)
{
    struct fixture *f = *state;
    char url[64];
    f->settings.allow_subnets = NULL;
    snprintf(url, sizeof url, "http://localhost:%u/status/200", f->receiver.port);
    fake_endpoint(f->store, 1, url);
    go(f);
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 1);
    assert_int_equal(f->store->outcomes[0].attempt.outcome, ATTEMPT_BLOCKED);
    assert_int_equal(f->receiver.connections, 0);
}

static void one_connection_serves_many_messages(void **state)
{
    struct fixture *f = *state;
    f->settings.endpoint_max_in_flight = 1;
    endpoint_at(f, 1, "/status/200");
    go(f);
    for (int i = 0; i < 500; i++)
        fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 500);
    assert_int_equal(f->receiver.requests, 500);
    assert_int_equal(f->receiver.connections, 1);
    assert_int_equal(f->store->row_count, 0);
}

static void an_endpoint_that_hangs_does_not_hold_up_another(void **state)
{
    struct fixture *f = *state;
    f->settings.threads = 1;
    f->settings.drain_us = 0;
    endpoint_at(f, 1, "/hang");
    endpoint_at(f, 2, "/status/200");
    go(f);
    for (int i = 0; i < 200; i++) {
        fake_add(f->store, 1, "{}", (struct wall){0});
        fake_add(f->store, 2, "{}", (struct wall){0});
    }
    fake_wait_outcomes(f->store, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(f->store->outcomes[i].attempt.endpoint_number, 2);
}

static void a_backlog_on_disk_is_delivered_after_a_start(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    endpoint_at(f, 2, "/status/200");
    for (int i = 0; i < 300; i++)
        fake_add(f->store, 1 + (uint32_t)i % 2, "{}", (struct wall){1000 + i});
    go(f);
    assert_true(dispatcher_oldest_due_age(f->dispatcher) >= 0);
    fake_wait_outcomes(f->store, 300);
    assert_int_equal(f->receiver.requests, 300);
    assert_int_equal(f->store->row_count, 0);
}

static void what_is_in_flight_at_the_stop_stays_due(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/hang");
    f->settings.drain_us = 0;
    go(f);
    struct id id = fake_add(f->store, 1, "{}", (struct wall){0});
    receiver_wait_requests(&f->receiver, 1);
    assert_true(dispatcher_in_flight(f->dispatcher, &id, 1));
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->store->outcome_count, 0);
    assert_int_equal(f->store->row_count, 1);
    assert_false(dispatcher_in_flight(f->dispatcher, &id, 1));
}

static void an_unreadable_message_dies_and_blocks_nobody(void **state)
{
    struct fixture *f = *state;
    endpoint_at(f, 1, "/status/200");
    fake_add(f->store, 1, "{}", (struct wall){1000});
    f->store->unreadable = true;
    go(f);
    fake_wait_outcomes(f->store, 1);
    assert_int_equal(f->store->outcomes[0].verdict, OUTCOME_DEAD);
    assert_int_equal(f->store->outcomes[0].reason, REASON_UNREADABLE);
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 2);
    assert_int_equal(f->store->outcomes[1].verdict, OUTCOME_DELIVERED);
}

/* What was in memory, what came by hand and what is due by itself alike, each before the other
 * endpoint's event, which comes last. */
static void a_paused_endpoint_gets_nothing_before_it_is_resumed(void **state)
{
    struct fixture *f = *state;
    f->settings.endpoint_max_in_flight = 1;
    f->settings.threads = 1;
    endpoint_at(f, 1, "/hang");
    endpoint_at(f, 2, "/status/200");
    f->settings.request_timeout_us = US_PER_S; /* for the change before it */
    fake_add(f->store, 1, "{}", (struct wall){1000});
    struct id second = fake_add(f->store, 1, "{}", (struct wall){1001});
    go(f);
    receiver_wait_requests(&f->receiver, 1);
    fake_pause(f->store, 1, true);
    fake_wait_outcomes(f->store, 1);
    fake_add(f->store, 1, "{}", (struct wall){0});
    fake_resend(f->store, 1, &second);
    fake_add(f->store, 2, "{}", (struct wall){0});
    fake_wait_outcomes(f->store, 2);
    assert_int_equal(f->receiver.requests, 2);
    assert_int_equal(f->store->outcomes[1].attempt.endpoint_number, 2);
    assert_false(dispatcher_in_flight(f->dispatcher, &second, 1));
    assert_int_equal(dispatcher_oldest_due_age(f->dispatcher), 0);
    fake_pause(f->store, 1, false);
    receiver_wait_requests(&f->receiver, 3);
    fake_wait_outcomes(f->store, 3);
    assert_int_equal(f->store->outcomes[2].attempt.endpoint_number, 1);
}

static void what_is_ready_when_the_endpoint_is_disabled_stays_with_the_store(void **state)
{
    struct fixture *f = *state;
    f->settings.endpoint_max_in_flight = 1;
    f->settings.request_timeout_us = US_PER_S; /* for the change before it */
    endpoint_at(f, 1, "/hang");
    fake_add(f->store, 1, "{}", (struct wall){1000});
    struct id second = fake_add(f->store, 1, "{}", (struct wall){1001});
    go(f);
    receiver_wait_requests(&f->receiver, 1);
    fake_disable(f->store, 1);
    fake_wait_outcomes(f->store, 1);
    dispatcher_stop(f->dispatcher);
    assert_int_equal(f->receiver.requests, 1);
    assert_false(dispatcher_in_flight(f->dispatcher, &second, 1));
    assert_int_equal(f->store->row_count, 2);
}

static void a_resend_while_an_attempt_is_in_flight_comes_after_it(void **state)
{
    struct fixture *f = *state;
    f->settings.request_timeout_us = 300 * US_PER_MS;
    f->settings.retry_schedule.count = 0;
    endpoint_at(f, 1, "/hang");
    go(f);
    struct id id = fake_add(f->store, 1, "{}", (struct wall){0});
    receiver_wait_requests(&f->receiver, 1);
    fake_resend(f->store, 1, &id);
    endpoint_at(f, 1, "/status/200");
    fake_wait_outcomes(f->store, 2);
    assert_int_equal(f->store->outcomes[0].attempt.trigger, TRIGGER_SCHEDULED);
    assert_int_equal(f->store->outcomes[0].attempt.outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(f->store->outcomes[1].attempt.trigger, TRIGGER_MANUAL);
    assert_int_equal(f->store->outcomes[1].verdict, OUTCOME_DELIVERED);
}

static void an_outcome_that_could_not_be_stored_is_tried_again(void **state)
{
    struct fixture *f = *state;
    f->store->fail_outcomes = 1;
    const struct fake_outcome *o = deliver(f, "/status/200");
    assert_int_equal(o->verdict, OUTCOME_DELIVERED);
    assert_int_equal(f->receiver.requests, 2);
}

static void a_changed_url_is_used_at_once(void **state)
{
    struct fixture *f = *state;
    deliver(f, "/status/500");
    endpoint_at(f, 1, "/status/201");
    fake_add(f->store, 1, "{}", (struct wall){0});
    for (unsigned n = 2; f->store->row_count > 0; n++)
        fake_wait_outcomes(f->store, n);
    assert_int_equal(f->store->outcomes[f->store->outcome_count - 1].attempt.status, 201);
}

static void settings_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    f->settings.allow_subnets = "not a subnet";
    assert_int_equal(dispatcher_new(&f->settings, f->store, &f->dispatcher), ERR_INVALID);
    f->settings.allow_subnets = NULL;
    f->settings.max_in_flight = 0;
    assert_int_equal(dispatcher_new(&f->settings, f->store, &f->dispatcher), ERR_INVALID);
    f->settings.max_in_flight = 1;
    go(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handoff_is_signed_and_delivered_without_reading_the_disk),
        TEST(both_prefixes_carry_the_same_signature),
        TEST(a_failure_is_retried_and_dies_at_the_end_of_the_schedule),
        TEST(gone_disables_the_endpoint_and_what_waits_is_not_sent),
        TEST(retry_after_puts_off_the_retry),
        TEST(a_redirect_is_a_failure),
        TEST(an_informational_status_never_decides),
        TEST(a_dripping_body_costs_a_second_and_its_status_decides),
        TEST(an_endless_body_is_cut),
        TEST(endless_headers_are_a_protocol_error),
        TEST(what_is_not_http_is_a_protocol_error),
        TEST(a_receiver_that_never_answers_times_out),
        TEST(a_closed_port_is_refused),
        TEST(an_internal_address_is_blocked_before_any_connection),
        TEST(a_name_that_leads_to_an_internal_address_is_blocked),
        TEST(one_connection_serves_many_messages),
        TEST(an_endpoint_that_hangs_does_not_hold_up_another),
        TEST(a_backlog_on_disk_is_delivered_after_a_start),
        TEST(what_is_in_flight_at_the_stop_stays_due),
        TEST(an_unreadable_message_dies_and_blocks_nobody),
        TEST(a_paused_endpoint_gets_nothing_before_it_is_resumed),
        TEST(what_is_ready_when_the_endpoint_is_disabled_stays_with_the_store),
        TEST(a_resend_while_an_attempt_is_in_flight_comes_after_it),
        TEST(an_outcome_that_could_not_be_stored_is_tried_again),
        TEST(a_changed_url_is_used_at_once),
        TEST(settings_out_of_range_are_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
