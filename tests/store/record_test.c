/* The writer's own records, and the grammar that all records share. */
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

/* ---------------------------------------------------------------- health */

static enum err decode_health(struct span in)
{
    struct endpoint_health h;
    return record_health_decode(in, &h);
}

static void an_endpoint_s_health_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    const struct endpoint_health in = {
        .failing_since = {1700000000000001},
        .failures = 0x01020304,
        .disabled_at = {1700000000000002},
        .breaker = {.opened_at = {1700000000000003},
                    .probe_at = {1700000000000004},
                    .probes = 5,
                    .cause = ATTEMPT_STATUS,
                    .status = 503},
    };
    struct endpoint_health out;
    record_health_encode(&in, &encoded);
    golden_same("health", &encoded);
    assert_int_equal(record_health_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.failing_since.us, in.failing_since.us);
    assert_int_equal(out.failures, in.failures);
    assert_int_equal(out.disabled_at.us, in.disabled_at.us);
    assert_true(breaker_mark_same(&out.breaker, &in.breaker));
    golden_mutations(&encoded, decode_health);
}

/* ---------------------------------------------------------------- task */

static const struct task task = {
    .kind = TASK_DEAD_REPLAY,
    .app_number = 7,
    .endpoint = 0x01020304,
    .cursor_number = 9,
    .since = {1700000000000001},
    .until = {1700000000000002},
    .event_type = "invoice.paid",
    .finished = true,
    .done = UINT64_C(1) << 40,
    .created = {1700000000000003},
    .updated = {1700000000000004},
};

static void a_task_with_a_rate_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct task in = task, out;
    in.rate = 25;
    in.next_ns = INT64_C(1700000000000000005);
    record_task_encode(&in, &encoded);
    golden_same("task_paced", &encoded);
    assert_int_equal(record_task_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.rate, in.rate);
    assert_int_equal(out.next_ns, in.next_ns);
    static const struct task bad[] = {
        {.rate = RATE_MAX + 1}, {.rate = 1, .next_ns = -1}, {.rate = 1, .next_ns = INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&encoded);
        record_task_encode(&bad[i], &encoded);
        assert_int_equal(record_task_decode(buf_view(&encoded), &out), ERR_CORRUPT);
    }
}

static enum err decode_task(struct span in)
{
    struct task t;
    return record_task_decode(in, &t);
}

static void a_task_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct task in = task, out;
    in.org = golden_id(1);
    in.app = golden_id(2);
    in.cursor = golden_id(3);
    in.message = golden_id(4);
    record_task_encode(&in, &encoded);
    golden_same("task", &encoded);
    assert_int_equal(record_task_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.kind, in.kind);
    assert_int_equal(out.app_number, in.app_number);
    assert_int_equal(out.endpoint, in.endpoint);
    assert_int_equal(out.cursor_number, in.cursor_number);
    assert_int_equal(out.since.us, in.since.us);
    assert_int_equal(out.until.us, in.until.us);
    assert_string_equal(out.event_type, in.event_type);
    assert_int_equal(out.finished, in.finished);
    assert_int_equal(out.done, in.done);
    assert_int_equal(out.created.us, in.created.us);
    assert_int_equal(out.updated.us, in.updated.us);
    assert_memory_equal(&out.org, &in.org, ID_BYTES);
    assert_memory_equal(&out.app, &in.app, ID_BYTES);
    assert_memory_equal(&out.cursor, &in.cursor, ID_BYTES);
    assert_memory_equal(&out.message, &in.message, ID_BYTES);
}

static void a_failed_task_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct task in = task, out;
    in.kind = TASK_EVENT_TYPES;
    in.failed = true;
    in.results = 65536;
    record_task_encode(&in, &encoded);
    golden_same("task_failed", &encoded);
    assert_int_equal(record_task_decode(buf_view(&encoded), &out), ERR_OK);
    assert_true(out.finished && out.failed);
    assert_int_equal(out.results, 65536);
    golden_mutations(&encoded, decode_task);
}

static void a_task_that_walks_lines_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct task in = task, out;
    in.kind = TASK_ORDER_CHANGED;
    in.place = (struct line_place){.ticket = golden_id(5), .message = golden_id(6)};
    memset(in.place.line, 0xcc, LINE_BYTES);
    record_task_encode(&in, &encoded);
    golden_same("task_lines", &encoded);
    assert_int_equal(record_task_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out.place, &in.place, sizeof in.place);
    golden_mutations(&encoded, decode_task);
}

static enum err decode_result(struct span in)
{
    struct task_result r;
    return record_task_result_decode(in, &r);
}

static void a_result_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    const struct task_result in = {
        .deliveries = UINT64_C(1) << 40, .catch_all = true, .uid = SPAN("customer-1")};
    struct task_result out;
    record_task_result_encode(&in, &encoded);
    golden_same("task_result", &encoded);
    assert_int_equal(record_task_result_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out.deliveries, in.deliveries);
    assert_true(out.catch_all);
    assert_true(span_is(out.uid, "customer-1"));
    golden_mutations(&encoded, decode_result);
}

static void a_damaged_task_is_corrupt(void **state)
{
    (void)state;
    record_task_encode(&task, &encoded);
    golden_mutations(&encoded, decode_task);
}

static enum err decode_filter(struct span in)
{
    struct task_filter *f;
    enum err e = record_task_filter_decode(in, &f);
    free(f);
    return e;
}

static void a_task_s_filter_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    const struct span types[] = {SPAN("user.signup"), SPAN("user.deleted")};
    const struct task_filter in = {
        .states = 1u << DELIVERY_DEAD | 1u << DELIVERY_NONE,
        .status_class = 500,
        .message = {2, types, SPAN("red"), SPAN("t1")},
    };
    struct task_filter *out;
    record_task_filter_encode(&in, &encoded);
    golden_same("task_filter", &encoded);
    assert_int_equal(record_task_filter_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out->states, in.states);
    assert_int_equal(out->status_class, 500);
    assert_int_equal(out->message.event_type_count, 2);
    assert_true(span_eq(out->message.event_types[1], types[1]));
    assert_true(span_eq(out->message.channel, in.message.channel));
    assert_true(span_eq(out->message.tag, in.message.tag));
    free(out);
    golden_mutations(&encoded, decode_filter);
}

static void a_filter_of_nothing_is_any(void **state)
{
    (void)state;
    const struct task_filter in = {.status_class = -1};
    struct task_filter *out;
    record_task_filter_encode(&in, &encoded);
    assert_int_equal(record_task_filter_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(out->status_class, -1);
    assert_int_equal(out->message.event_type_count, 0);
    free(out);
}

/* ---------------------------------------------------------------- marks */

static enum err decode_marks(struct span in)
{
    struct marks m;
    return record_marks_decode(in, &m);
}

static void marks_are_written_as_their_golden_file_says(void **state)
{
    (void)state;
    struct marks in = {.message = golden_id(5),
                       .attempt = golden_id(6),
                       .next_app = 11,
                       .next_endpoint = 12,
                       .next_version = UINT64_MAX},
                 out;
    record_marks_encode(&in, &encoded);
    golden_same("marks", &encoded);
    assert_int_equal(record_marks_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out.message, &in.message, ID_BYTES);
    assert_memory_equal(&out.attempt, &in.attempt, ID_BYTES);
    assert_int_equal(out.next_app, 11);
    assert_int_equal(out.next_endpoint, 12);
    assert_true(out.next_version == UINT64_MAX);
    golden_mutations(&encoded, decode_marks);
}

/* ---------------------------------------------------------------- answer */

static enum err decode_answer(struct span in)
{
    uint16_t status;
    uint8_t hash[8];
    struct span answer;
    return record_answer_decode(in, &status, hash, &answer);
}

static void an_answer_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    static const uint8_t hash[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint16_t status;
    uint8_t got[8];
    struct span answer;
    record_answer_encode(202, hash, SPAN("{\"id\":\"msg_1\"}"), &encoded);
    golden_same("answer", &encoded);
    assert_int_equal(record_answer_decode(buf_view(&encoded), &status, got, &answer), ERR_OK);
    assert_int_equal(status, 202);
    assert_memory_equal(got, hash, 8);
    assert_true(span_is(answer, "{\"id\":\"msg_1\"}"));
    golden_mutations(&encoded, decode_answer);
}

/* ---------------------------------------------------------------- grammar */

static void varints_have_one_encoding_each(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        buf_clear(&encoded);
        codec_varint(&encoded, values[i]);
        assert_int_equal(encoded.len, codec_varint_len(values[i]));
        struct reader r = reader_of(buf_view(&encoded));
        assert_true(codec_read_varint(&r) == values[i]);
        assert_int_equal(codec_finished(&r), ERR_OK);
    }
    static const struct span refused[] = {
        SPAN("\x80"),                                     /* cut */
        SPAN("\x81\x00"),                                 /* longer than needed */
        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* over 64 bits */
        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct reader r = reader_of(refused[i]);
        (void)codec_read_varint(&r);
        assert_true(r.failed);
    }
}

static void tags_that_step_back_come_twice_or_are_empty_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct span fields;
        unsigned read;
    } cases[] = {
        {SPAN("\x01\x01z\x02\x01y"), 2}, {SPAN("\x02\x01z\x02\x01y"), 2},
        {SPAN("\x01\x01z\x01\x01y"), 1}, {SPAN("\x02\x01z\x01\x01y"), 1},
        {SPAN("\x01\x00"), 0},           {SPAN("\x00\x01z"), 0},
        {SPAN("\x01\x02z"), 0},          {SPAN("\x01"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader r = reader_of(cases[i].fields);
        struct codec_tagged f = {.lists = CODEC_LIST(2)};
        unsigned n = 0;
        while (codec_read_tagged(&r, &f))
            n++;
        assert_int_equal(n, cases[i].read);
        assert_int_equal(codec_finished(&r), n == 2 ? ERR_OK : ERR_CORRUPT);
    }
}

static enum err decode_org(struct span in)
{
    struct id org;
    return record_org_decode(in, &org);
}

static void an_organisation_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct id in = golden_id(7), out;
    record_org_encode(&in, &encoded);
    golden_same("organisation", &encoded);
    assert_int_equal(record_org_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(id_cmp(&in, &out), 0);
    golden_mutations(&encoded, decode_org);
}

static void a_bound_record_says_the_same_and_knows_its_key(void **state)
{
    (void)state;
    struct id in = golden_id(7), out;
    record_org_encode(&in, &encoded);
    assert_false(codec_is_moved(buf_view(&encoded), SPAN("any"))); /* it is not bound */
    codec_bind(&encoded, SPAN("key"));
    golden_same("organisation_bound", &encoded);
    assert_int_equal(record_org_decode(buf_view(&encoded), &out), ERR_OK);
    assert_int_equal(id_cmp(&in, &out), 0);
    assert_false(codec_is_moved(buf_view(&encoded), SPAN("key")));
    assert_true(codec_is_moved(buf_view(&encoded), SPAN("kez")));
    assert_false(codec_is_moved(span_of(encoded.ptr, 8), SPAN("kez"))); /* cut, not moved */
    golden_mutations(&encoded, decode_org);
}

static void another_version_is_corrupt(void **state)
{
    (void)state;
    struct marks m = {0};
    record_marks_encode(&m, &encoded);
    encoded.ptr[0] = CODEC_BOUND + 1;
    assert_int_equal(record_marks_decode(buf_view(&encoded), &m), ERR_CORRUPT);
}

int main(void)
{
#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORD_TEST(an_endpoint_s_health_is_written_as_its_golden_file_says),
        RECORD_TEST(a_task_is_written_as_its_golden_file_says),
        RECORD_TEST(a_task_with_a_rate_is_written_as_its_golden_file_says),
        RECORD_TEST(a_failed_task_is_written_as_its_golden_file_says),
        RECORD_TEST(a_task_that_walks_lines_is_written_as_its_golden_file_says),
        RECORD_TEST(a_result_is_written_as_its_golden_file_says),
        RECORD_TEST(a_damaged_task_is_corrupt),
        RECORD_TEST(a_task_s_filter_is_written_as_its_golden_file_says),
        RECORD_TEST(a_filter_of_nothing_is_any),
        RECORD_TEST(marks_are_written_as_their_golden_file_says),
        RECORD_TEST(an_answer_is_written_as_its_golden_file_says),
        RECORD_TEST(an_organisation_is_written_as_its_golden_file_says),
        RECORD_TEST(a_bound_record_says_the_same_and_knows_its_key),
        RECORD_TEST(varints_have_one_encoding_each),
        RECORD_TEST(tags_that_step_back_come_twice_or_are_empty_are_refused),
        RECORD_TEST(another_version_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
