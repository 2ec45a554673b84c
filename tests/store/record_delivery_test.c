/* Records of deliveries, due rows, attempts, dead letters and counters. */
#include "tests/store/golden.h"

static struct buf encoded;

static int setup(void **state)
{
    (void)state;
    buf_init(&encoded, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&encoded);
    return 0;
}

static enum err decode_delivery(struct span in)
{
    struct delivery d;
    return record_delivery_decode(in, &d);
}

static void a_delivery_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct delivery in = {
        .state = DELIVERY_DEAD,
        .reason = REASON_EXHAUSTED,
        .tries = 10,
        .created = {1700000000000001},
        .due = {1700000000000002},
        .finished = {1700000000000003},
        .manual_due = {1700000000000004},
        .last_attempt = golden_id(5),
        .last_status = 503,
    };
    struct delivery out;
    record_delivery_encode(&in, &encoded);
    golden_same("delivery", &encoded);
    assert_int_equal(record_delivery_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.state, in.state);
    assert_int_equal(out.reason, in.reason);
    assert_int_equal(out.tries, in.tries);
    assert_int_equal(out.last_status, in.last_status);
    assert_int_equal(out.created.us, in.created.us);
    assert_int_equal(out.due.us, in.due.us);
    assert_int_equal(out.finished.us, in.finished.us);
    assert_int_equal(out.manual_due.us, in.manual_due.us);
    assert_memory_equal(&out.last_attempt, &in.last_attempt, ID_BYTES);
    golden_mutations(&encoded, decode_delivery);
}

static void a_delivery_whose_failure_was_told_says_so_beside_its_state(void **state)
{
    (void)state;
    const struct delivery in = {
        .state = DELIVERY_RETRYING, .tries = 4, .due = {1700000000000002}, .reported = true};
    struct delivery out;
    record_delivery_encode(&in, &encoded);
    golden_same("delivery_reported", &encoded);
    assert_int_equal(record_delivery_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.state, in.state);
    assert_true(out.reported);
    golden_mutations(&encoded, decode_delivery);
}

static void a_replayed_delivery_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct delivery in = {.state = DELIVERY_SCHEDULED,
                          .created = {1700000000000001},
                          .due = {1700000000000002},
                          .replayed = {1700000000000002}},
                    out;
    record_delivery_encode(&in, &encoded);
    golden_same("delivery_replayed", &encoded);
    assert_int_equal(record_delivery_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.replayed.us, in.replayed.us);
    assert_int_equal(out.created.us, in.created.us);
    golden_mutations(&encoded, decode_delivery);
}

static void a_delivery_in_a_line_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct delivery in = {.state = DELIVERY_SCHEDULED,
                          .created = {1700000000000001},
                          .due = {1700000000000002},
                          .ticket = golden_id(7),
                          .held = true};
    struct delivery out;
    memset(in.line, 0xcc, LINE_BYTES);
    record_delivery_encode(&in, &encoded);
    golden_same("delivery_line", &encoded);
    assert_int_equal(record_delivery_decode(buf_view(&encoded), &out), ERR_OK);
    assert_true(out.held);
    assert_memory_equal(out.line, in.line, LINE_BYTES);
    assert_memory_equal(&out.ticket, &in.ticket, ID_BYTES);
    golden_mutations(&encoded, decode_delivery);
}

static void a_delivery_has_one_size_in_every_state(void **state)
{
    (void)state;
    size_t size = 0;
    for (int s = DELIVERY_SCHEDULED; s <= DELIVERY_NONE; s++) {
        struct delivery d = {.state = (enum delivery_state)s, .tries = (uint16_t)(s * 1000)};
        buf_clear(&encoded);
        record_delivery_encode(&d, &encoded);
        assert_true(size == 0 || size == encoded.len);
        size = encoded.len;
    }
}

static enum err decode_due(struct span in)
{
    uint16_t tries;
    return record_due_decode(in, &tries);
}

static void a_due_row_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    uint16_t tries;
    record_due_encode(0x0102, &encoded);
    golden_same("due", &encoded);
    assert_int_equal(record_due_decode(buf_view(&encoded), &tries), ERR_OK);
    assert_int_equal(tries, 0x0102);
    golden_mutations(&encoded, decode_due);
}

static struct attempt sample_attempt(void)
{
    return (struct attempt){
        .endpoint = golden_id(3),
        .endpoint_number = 7,
        .started = {1700000000000001},
        .duration_us = 123456,
        .queued_us = 1,
        .dns_us = 200,
        .connect_us = 3000,
        .tls_us = 40000,
        .first_byte_us = 500000,
        .outcome = ATTEMPT_STATUS,
        .trigger = TRIGGER_MANUAL,
        .status = 503,
        .number = 3,
        .url = SPAN("https://example.com/hook"),
        .response = SPAN("try \0 later"),
    };
}

static enum err decode_attempt(struct span in)
{
    struct attempt *a;
    enum err e = record_attempt_decode(in, true, &a);
    attempt_free(&a);
    return e;
}

static void an_attempt_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct attempt in = sample_attempt(), *out;
    record_attempt_encode(&in, &encoded);
    golden_same("attempt", &encoded);
    assert_int_equal(record_attempt_decode(buf_view(&encoded), true, &out), ERR_OK);
    assert_memory_equal(&out->endpoint, &in.endpoint, ID_BYTES);
    assert_int_equal(out->endpoint_number, in.endpoint_number);
    assert_int_equal(out->started.us, in.started.us);
    assert_int_equal(out->duration_us, in.duration_us);
    assert_int_equal(out->queued_us, in.queued_us);
    assert_int_equal(out->dns_us, in.dns_us);
    assert_int_equal(out->connect_us, in.connect_us);
    assert_int_equal(out->tls_us, in.tls_us);
    assert_int_equal(out->first_byte_us, in.first_byte_us);
    assert_int_equal(out->outcome, in.outcome);
    assert_int_equal(out->trigger, in.trigger);
    assert_int_equal(out->status, in.status);
    assert_int_equal(out->number, in.number);
    assert_true(span_eq(out->url, in.url));
    assert_true(span_eq(out->response, in.response));
    attempt_free(&out);
    golden_mutations(&encoded, decode_attempt);
}

static void an_attempt_can_be_had_without_its_response(void **state)
{
    (void)state;
    struct attempt in = sample_attempt(), *out;
    record_attempt_encode(&in, &encoded);
    assert_int_equal(record_attempt_decode(buf_view(&encoded), false, &out), ERR_OK);
    assert_true(span_eq(out->url, in.url));
    assert_int_equal(out->response.len, 0);
    attempt_free(&out);
}

static void a_time_that_no_clock_can_take_is_damage(void **state)
{
    (void)state;
    struct attempt in = sample_attempt();
    in.tls_us = INT64_MAX;
    record_attempt_encode(&in, &encoded);
    assert_int_equal(decode_attempt(buf_view(&encoded)), ERR_OK);
    golden_replace(&encoded, SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
                   SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(decode_attempt(buf_view(&encoded)), ERR_CORRUPT);
}

static enum err decode_dead(struct span in)
{
    struct dead_record d;
    return record_dead_decode(in, &d);
}

static void a_dead_letter_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct dead_record in = {.died = {1700000000000001},
                             .reason = REASON_ENDPOINT_DISABLED,
                             .event_type = SPAN("invoice.paid")},
                       out;
    record_dead_encode(&in, &encoded);
    golden_same("dead", &encoded);
    assert_int_equal(record_dead_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.died.us, in.died.us);
    assert_int_equal(out.reason, in.reason);
    assert_true(span_eq(out.event_type, in.event_type));
    golden_mutations(&encoded, decode_dead);
}

static enum err decode_count(struct span in)
{
    struct endpoint_counts c;
    return record_count_decode(in, &c);
}

static void a_counter_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct endpoint_counts in = {.waiting = UINT64_C(1) << 33, .dead = 2}, out;
    record_count_encode(&in, &encoded);
    golden_same("count", &encoded);
    assert_int_equal(record_count_decode(buf_view(&encoded), &out), ERR_OK);
    assert_true(out.waiting == in.waiting && out.dead == in.dead);
    golden_mutations(&encoded, decode_count);
}

static enum err decode_stat(struct span in)
{
    struct stat_record out;
    return record_stat_decode(in, &out);
}

static void statistics_are_written_as_their_golden_file_says(void **state)
{
    (void)state;
    struct stat_record in = {.stats = {{1, 2, 300, 4, 5}, UINT64_C(1) << 33, 7}, .inexact = true};
    struct stat_record out;
    record_stat_encode(&in, &encoded);
    golden_same("stat", &encoded);
    assert_int_equal(record_stat_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out.stats, &in.stats, sizeof in.stats);
    assert_true(out.inexact);
    assert_int_equal(out.app, 0);
    golden_mutations(&encoded, decode_stat);
    buf_clear(&encoded);
    in.app = 0x01020304;
    record_stat_encode(&in, &encoded);
    golden_same("stat_app", &encoded);
    assert_int_equal(record_stat_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.app, in.app);
    golden_mutations(&encoded, decode_stat);
}

int main(void)
{
#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORD_TEST(a_delivery_is_written_as_its_golden_file_says),
        RECORD_TEST(a_delivery_whose_failure_was_told_says_so_beside_its_state),
        RECORD_TEST(a_replayed_delivery_is_written_as_its_golden_file_says),
        RECORD_TEST(a_delivery_in_a_line_is_written_as_its_golden_file_says),
        RECORD_TEST(a_delivery_has_one_size_in_every_state),
        RECORD_TEST(a_due_row_is_written_as_its_golden_file_says),
        RECORD_TEST(an_attempt_is_written_as_its_golden_file_says),
        RECORD_TEST(an_attempt_can_be_had_without_its_response),
        RECORD_TEST(a_time_that_no_clock_can_take_is_damage),
        RECORD_TEST(a_dead_letter_is_written_as_its_golden_file_says),
        RECORD_TEST(a_counter_is_written_as_its_golden_file_says),
        RECORD_TEST(statistics_are_written_as_their_golden_file_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
