/* Records of messages and of the chunks of long payloads. */
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

static struct message sample(struct span payload)
{
    return (struct message){
        .created = {1700000000000001},
        .expires = {1707776000000001},
        .app = golden_id(1),
        .app_number = 42,
        .event_type = SPAN("invoice.paid"),
        .event_id = SPAN("evt-1"),
        .ordering_key = SPAN("customer-1"),
        .channel_count = 2,
        .channels = {SPAN("eu"), SPAN("us")},
        .tag_count = 1,
        .tags = {SPAN("blue")},
        .content_type = SPAN("application/cloudevents+json"),
        .headers = SPAN("{\"x-a\":\"b\"}"),
        .payload = payload,
    };
}

/* A payload of `len` bytes in which every chunk differs. */
static char *long_payload(size_t len)
{
    char *p = malloc(len);
    assert_non_null(p);
    for (size_t i = 0; i < len; i++)
        p[i] = (char)('a' + (i / 100 + i) % 26);
    return p;
}

static void compare_head(const struct message *a, const struct message *b)
{
    assert_int_equal(a->created.us, b->created.us);
    assert_int_equal(a->expires.us, b->expires.us);
    assert_int_equal(a->deliver_at.us, b->deliver_at.us);
    assert_memory_equal(&a->app, &b->app, ID_BYTES);
    assert_int_equal(a->app_number, b->app_number);
    assert_int_equal(a->only_endpoint, b->only_endpoint);
    assert_true(span_eq(a->event_type, b->event_type));
    assert_true(span_eq(a->event_id, b->event_id));
    assert_true(span_eq(a->ordering_key, b->ordering_key));
    assert_int_equal(a->channel_count, b->channel_count);
    for (unsigned i = 0; i < a->channel_count; i++)
        assert_true(span_eq(a->channels[i], b->channels[i]));
    assert_int_equal(a->tag_count, b->tag_count);
    for (unsigned i = 0; i < a->tag_count; i++)
        assert_true(span_eq(a->tags[i], b->tags[i]));
    assert_true(span_eq(a->content_type, b->content_type));
    assert_true(span_eq(a->headers, b->headers));
    assert_int_equal(a->expunged, b->expunged);
}

static enum err decode(struct span in)
{
    struct message *m;
    size_t missing;
    for (int content = 0; content < 2; content++) {
        enum err e = record_message_decode(in, content, &m, &missing);
        if (e)
            return e;
        message_unref(&m);
    }
    return ERR_OK;
}

static void a_message_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{\"amount\": 1.50}")), *out;
    size_t missing;
    record_message_encode(&in, &encoded);
    golden_same("message", &encoded);
    assert_int_equal(record_message_chunks(&in), 0);
    assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
    assert_int_equal(missing, 0);
    compare_head(out, &in);
    assert_true(span_eq(out->payload, in.payload));
    assert_int_equal(record_message_verify(out), ERR_OK);
    message_unref(&out);
    golden_mutations(&encoded, decode);
}

static void no_message_has_more_channels_or_tags_than_it_may(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{}"));
    in.channel_count = MESSAGE_CHANNELS_MAX;
    in.tag_count = TAGS_MAX;
    for (unsigned i = 0; i < MESSAGE_CHANNELS_MAX; i++)
        in.channels[i] = SPAN("channel");
    for (unsigned i = 0; i < TAGS_MAX; i++)
        in.tags[i] = SPAN("tag");
    record_message_encode(&in, &encoded);
    golden_one_too_many(&encoded, SPAN("channel"), decode);
    buf_clear(&encoded);
    record_message_encode(&in, &encoded);
    golden_one_too_many(&encoded, SPAN("tag"), decode);
}

static enum err decode_expires(struct span in)
{
    struct wall expires;
    return record_message_expires(in, &expires);
}

static void when_a_message_expires_can_be_had_alone(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{}"));
    struct wall expires;
    record_message_encode(&in, &encoded);
    assert_int_equal(record_message_expires(buf_view(&encoded), &expires), ERR_OK);
    assert_int_equal(expires.us, in.expires.us);
    golden_mutations(&encoded, decode_expires);
    encoded.len = CODEC_HEAD + 1 + 8 + 7; /* all but the last byte of it */
    golden_sum(encoded.ptr, encoded.len);
    assert_int_equal(decode_expires(buf_view(&encoded)), ERR_CORRUPT);
}

static void a_delayed_message_keeps_its_time_even_in_chunks(void **state)
{
    (void)state;
    for (size_t len = 10; len <= 4000; len += 3990) {
        char *payload = long_payload(len);
        struct message in = sample(span_of(payload, len)), *out;
        size_t missing;
        in.deliver_at = (struct wall){INT64_C(1700000000123456)};
        buf_clear(&encoded);
        record_message_encode(&in, &encoded);
        assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
        compare_head(out, &in);
        assert_int_equal(missing > 0, record_message_chunks(&in) > 0);
        message_unref(&out);
        golden_mutations(&encoded, decode);
        free(payload);
    }
}

static void an_example_keeps_its_only_endpoint(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{}")), *out;
    size_t missing;
    in.only_endpoint = 7;
    record_message_encode(&in, &encoded);
    golden_same("message_only", &encoded);
    assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
    compare_head(out, &in);
    assert_true(span_eq(out->payload, in.payload));
    message_unref(&out);
    golden_mutations(&encoded, decode);
}

static void a_cloud_event_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct message in = sample(SPAN("[1, 2]")), *out;
    size_t missing;
    in.attributes = SPAN("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"a\"}");
    in.traceparent = SPAN("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    in.tracestate = SPAN("a=1");
    record_message_encode(&in, &encoded);
    golden_same("message_cloud_event", &encoded);
    assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
    compare_head(out, &in);
    assert_true(span_eq(out->attributes, in.attributes));
    assert_true(span_eq(out->traceparent, in.traceparent));
    assert_true(span_eq(out->tracestate, in.tracestate));
    message_unref(&out);
    golden_mutations(&encoded, decode);
}

static void a_head_can_be_had_without_its_payload(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{\"amount\": 1.50}")), *out;
    size_t missing;
    record_message_encode(&in, &encoded);
    assert_int_equal(record_message_decode(buf_view(&encoded), false, &out, &missing), ERR_OK);
    compare_head(out, &in);
    assert_int_equal(out->payload.len, 0);
    message_unref(&out);
}

static void an_expunged_message_keeps_its_head_only(void **state)
{
    (void)state;
    struct message in = sample(SPAN("{\"secret\": 1}")), *out;
    size_t missing;
    in.expunged = true;
    record_message_encode(&in, &encoded);
    golden_same("message_expunged", &encoded);
    assert_null(memmem(encoded.ptr, encoded.len, "secret", 6));
    assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
    compare_head(out, &in);
    assert_int_equal(out->payload.len, 0);
    assert_int_equal(missing, 0);
    message_unref(&out);
}

static void a_record_is_inline_up_to_its_bound_and_chunked_beyond(void **state)
{
    (void)state;
    struct message in = sample((struct span){0});
    record_message_encode(&in, &encoded);
    size_t room = INLINE_BYTES_MAX - encoded.len;
    char *payload = long_payload(room + 1);
    in.payload = span_of(payload, room);
    buf_clear(&encoded);
    record_message_encode(&in, &encoded);
    assert_int_equal(encoded.len, INLINE_BYTES_MAX);
    assert_int_equal(record_message_chunks(&in), 0);
    in.payload.len++;
    buf_clear(&encoded);
    record_message_encode(&in, &encoded);
    assert_int_equal(encoded.len, INLINE_BYTES_MAX - room);
    assert_int_equal(record_message_chunks(&in), 1);
    free(payload);
}

/* Takes a message apart and puts it together again. */
static struct message *round_trip(const struct message *in)
{
    struct message *out;
    size_t missing;
    buf_clear(&encoded);
    record_message_encode(in, &encoded);
    assert_int_equal(record_message_decode(buf_view(&encoded), true, &out, &missing), ERR_OK);
    assert_int_equal(missing, record_message_chunks(in) ? in->payload.len : 0);
    assert_int_equal(record_message_chunks(out), record_message_chunks(in));
    for (unsigned i = 0; i < record_message_chunks(in); i++) {
        buf_clear(&encoded);
        record_body_encode(in, i, &encoded);
        assert_true(encoded.len <= INLINE_BYTES_MAX);
        assert_int_equal(record_body_decode(buf_view(&encoded), i, out), ERR_OK);
    }
    assert_int_equal(record_message_verify(out), ERR_OK);
    return out;
}

static void payloads_of_every_size_come_back_byte_for_byte(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,    1,    1500, 1894, 1895,  1896,       1901,
                                   3790, 3791, 5685, 5686, 65536, 1024 * 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *payload = long_payload(sizes[i] ? sizes[i] : 1);
        struct message in = sample(span_of(payload, sizes[i]));
        struct message *out = round_trip(&in);
        assert_true(span_eq(out->payload, in.payload));
        message_unref(&out);
        free(payload);
    }
}

static const struct message *body_message;

static enum err decode_body(struct span in)
{
    struct message *m;
    size_t missing;
    struct buf head;
    buf_init(&head, 64 * 1024);
    record_message_encode(body_message, &head);
    enum err e = record_message_decode(buf_view(&head), true, &m, &missing);
    if (!e)
        e = record_body_decode(in, 1, m);
    message_unref(&m);
    buf_free(&head);
    return e;
}

static void a_damaged_chunk_is_corrupt(void **state)
{
    (void)state;
    char *payload = long_payload(2000);
    struct message in = sample(span_of(payload, 2000));
    body_message = &in;
    record_body_encode(&in, 1, &encoded);
    golden_mutations(&encoded, decode_body);
    free(payload);
}

static void chunks_of_another_payload_do_not_verify(void **state)
{
    (void)state;
    char *payload = long_payload(4000), *other = long_payload(4000);
    other[3000] ^= 1;
    struct message in = sample(span_of(payload, 4000)), swapped = sample(span_of(other, 4000));
    struct message *out = round_trip(&in);
    buf_clear(&encoded);
    record_body_encode(&swapped, 1, &encoded);
    assert_int_equal(record_body_decode(buf_view(&encoded), 1, out), ERR_OK);
    assert_int_equal(record_message_verify(out), ERR_CORRUPT);
    /* Nor does a chunk in another's place, or beyond the end. */
    buf_clear(&encoded);
    record_body_encode(&in, 2, &encoded);
    assert_int_equal(record_body_decode(buf_view(&encoded), 1, out), ERR_CORRUPT);
    assert_int_equal(record_body_decode(buf_view(&encoded), 3, out), ERR_CORRUPT);
    message_unref(&out);
    free(payload);
    free(other);
}

int main(void)
{
#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORD_TEST(a_message_is_written_as_its_golden_file_says),
        RECORD_TEST(no_message_has_more_channels_or_tags_than_it_may),
        RECORD_TEST(when_a_message_expires_can_be_had_alone),
        RECORD_TEST(a_delayed_message_keeps_its_time_even_in_chunks),
        RECORD_TEST(a_cloud_event_is_written_as_its_golden_file_says),
        RECORD_TEST(a_head_can_be_had_without_its_payload),
        RECORD_TEST(an_example_keeps_its_only_endpoint),
        RECORD_TEST(an_expunged_message_keeps_its_head_only),
        RECORD_TEST(a_record_is_inline_up_to_its_bound_and_chunked_beyond),
        RECORD_TEST(payloads_of_every_size_come_back_byte_for_byte),
        RECORD_TEST(a_damaged_chunk_is_corrupt),
        RECORD_TEST(chunks_of_another_payload_do_not_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
