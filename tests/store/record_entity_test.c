/* Records of applications, endpoints, event types and keys. */
#include "tests/store/golden.h"

#include "store/vault.h"

static struct buf encoded;
static struct vault *plain;

static int setup(void **state)
{
    (void)state;
    buf_init(&encoded, 64 * 1024);
    return vault_new(NULL, &plain) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    vault_free(&plain);
    buf_free(&encoded);
    return 0;
}

#define ASSERT_SPAN(a, b) assert_true(span_eq(a, b))
#define ASSERT_ID(a, b) assert_memory_equal(&(a), &(b), ID_BYTES)

/* ---------------------------------------------------------------- application */

static struct app sample_app(void)
{
    return (struct app){
        .id = golden_id(1),
        .number = 42,
        .org = golden_id(2),
        .version = 3,
        .created = {1700000000000001},
        .updated = {1700000000000002},
        .uid = SPAN("customer-1"),
        .name = SPAN("Ünïcode & Söhne"),
        .metadata = SPAN("{\"plan\":\"gold\"}"),
        .throttle_rate = 100,
    };
}

static enum err decode_app(struct span in)
{
    struct app *a;
    enum err e = record_app_decode(in, &a);
    app_free(&a);
    return e;
}

static void an_application_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct app in = sample_app(), *out;
    record_app_encode(&in, &encoded);
    golden_same("app", &encoded);
    assert_int_equal(record_app_decode(buf_view(&encoded), &out), ERR_OK);
    ASSERT_ID(out->id, in.id);
    ASSERT_ID(out->org, in.org);
    assert_int_equal(out->number, in.number);
    assert_int_equal(out->version, in.version);
    assert_int_equal(out->created.us, in.created.us);
    assert_int_equal(out->updated.us, in.updated.us);
    ASSERT_SPAN(out->uid, in.uid);
    ASSERT_SPAN(out->name, in.name);
    ASSERT_SPAN(out->metadata, in.metadata);
    assert_int_equal(out->throttle_rate, in.throttle_rate);
    app_free(&out);
    golden_mutations(&encoded, decode_app);
}

/* ---------------------------------------------------------------- endpoint */

static struct span sample_filters[] = {SPAN("invoice.paid"), SPAN("invoice.void")};

static struct endpoint sample_endpoint(void)
{
    struct endpoint e = {
        .id = golden_id(3),
        .number = 7,
        .app = golden_id(1),
        .app_number = 42,
        .org = golden_id(2),
        .version = 9,
        .created = {1700000000000001},
        .updated = {1700000000000002},
        .uid = SPAN("primary"),
        .url = SPAN("https://example.com/hook"),
        .description = SPAN("the main one"),
        .user_version = -1,
        .disabled = true,
        .disabled_reason = SPAN("gone"),
        .filter_count = 2,
        .filters = sample_filters,
        .channel_count = 2,
        .channels = {SPAN("eu"), SPAN("us")},
        .metadata = SPAN("{\"a\":\"b\"}"),
        .headers = SPAN("{\"x-team\":\"42\"}"),
        .throttle_rate = 5,
        .key_count = 2,
    };
    e.keys[0] = (struct signing_key){.kind = KEY_ED25519, .len = 64};
    memset(e.keys[0].bytes, 0xaa, 64);
    e.keys[1] = (struct signing_key){.kind = KEY_HMAC, .len = 24, .expires = {1700000000000003}};
    memset(e.keys[1].bytes, 0xbb, 24);
    return e;
}

static enum err decode_endpoint(struct span in)
{
    struct endpoint *e;
    enum err err = record_endpoint_decode(in, plain, &e);
    endpoint_free(&e);
    return err;
}

static void compare_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    ASSERT_ID(a->id, b->id);
    ASSERT_ID(a->app, b->app);
    ASSERT_ID(a->org, b->org);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->app_number, b->app_number);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->created.us, b->created.us);
    assert_int_equal(a->updated.us, b->updated.us);
    assert_int_equal(a->user_version, b->user_version);
    assert_int_equal(a->disabled, b->disabled);
    assert_int_equal(a->throttle_rate, b->throttle_rate);
    ASSERT_SPAN(a->uid, b->uid);
    ASSERT_SPAN(a->url, b->url);
    ASSERT_SPAN(a->description, b->description);
    ASSERT_SPAN(a->disabled_reason, b->disabled_reason);
    ASSERT_SPAN(a->metadata, b->metadata);
    ASSERT_SPAN(a->headers, b->headers);
    assert_int_equal(a->filter_count, b->filter_count);
    for (unsigned i = 0; i < a->filter_count; i++)
        ASSERT_SPAN(a->filters[i], b->filters[i]);
    assert_int_equal(a->channel_count, b->channel_count);
    for (unsigned i = 0; i < a->channel_count; i++)
        ASSERT_SPAN(a->channels[i], b->channels[i]);
    assert_int_equal(a->key_count, b->key_count);
    for (unsigned i = 0; i < a->key_count; i++) {
        assert_int_equal(a->keys[i].kind, b->keys[i].kind);
        assert_int_equal(a->keys[i].expires.us, b->keys[i].expires.us);
        assert_int_equal(a->keys[i].len, b->keys[i].len);
        assert_memory_equal(a->keys[i].bytes, b->keys[i].bytes, a->keys[i].len);
    }
}

static void an_endpoint_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint(), *out;
    record_endpoint_encode(&in, plain, &encoded);
    golden_same("endpoint", &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    compare_endpoint(out, &in);
    endpoint_free(&out);
}

static void an_ordered_endpoint_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint(), *out;
    in.ordering = ORDERING_FIFO;
    record_endpoint_encode(&in, plain, &encoded);
    golden_same("endpoint_ordered", &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    assert_int_equal(out->ordering, ORDERING_FIFO);
    endpoint_free(&out);
    buf_clear(&encoded);
    in.ordering = ORDERINGS;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_CORRUPT);
}

static struct retry_policy sample_schedule(void)
{
    return (struct retry_policy){.kind = RETRY_SCHEDULE,
                                 .attempts_max = 2,
                                 .jitter_percent = RETRY_JITTER_OPTION,
                                 .factor = 1,
                                 .count = 2,
                                 .delay_ms = {1, RETRY_DELAY_MAX_MS}};
}

static void a_paused_endpoint_with_a_policy_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint(), *out;
    in.paused = true;
    in.retry = sample_schedule();
    in.timeout_us = 1500 * US_PER_MS;
    in.max_in_flight = 3;
    record_endpoint_encode(&in, plain, &encoded);
    golden_same("endpoint_policy", &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    compare_endpoint(out, &in);
    assert_true(out->paused);
    assert_memory_equal(&out->retry, &in.retry, sizeof in.retry);
    assert_int_equal(out->timeout_us, in.timeout_us);
    assert_int_equal(out->max_in_flight, 3);
    endpoint_free(&out);
    golden_mutations(&encoded, decode_endpoint);
}

static void an_endpoint_with_a_share_for_what_is_new_is_written_as_its_golden_file_says(
    void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint(), *out;
    in.fresh_share = 1 + FRESH_SHARE_MAX;
    record_endpoint_encode(&in, plain, &encoded);
    golden_same("endpoint_fresh_share", &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    compare_endpoint(out, &in);
    assert_int_equal(out->fresh_share, in.fresh_share);
    endpoint_free(&out);
    golden_mutations(&encoded, decode_endpoint);
    /* Behind what came before it. */
    buf_clear(&encoded);
    in.max_in_flight = 3;
    in.auth.kind = AUTH_BASIC;
    in.auth.user = SPAN("user");
    in.auth.secret = SPAN("the password");
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_OK);
}

static void a_time_or_a_limit_out_of_its_bounds_is_damage(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint();
    in.timeout_us = ATTEMPT_TIMEOUT_MAX_S * US_PER_S + 1;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_CORRUPT);
    buf_clear(&encoded);
    in.timeout_us = 0;
    in.max_in_flight = UINT16_MAX + 1;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_CORRUPT);
    buf_clear(&encoded);
    in.max_in_flight = 0;
    in.fresh_share = 2 + FRESH_SHARE_MAX;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_CORRUPT);
}

static void an_endpoint_for_cloud_events_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint(), *out;
    in.cloud_events = CLOUD_EVENTS_BINARY;
    record_endpoint_encode(&in, plain, &encoded);
    golden_same("endpoint_cloud_events", &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    assert_int_equal(out->cloud_events, CLOUD_EVENTS_BINARY);
    endpoint_free(&out);
    buf_clear(&encoded);
    in.cloud_events = CLOUD_EVENTS_END;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(decode_endpoint(buf_view(&encoded)), ERR_CORRUPT);
}

static void a_damaged_endpoint_is_corrupt(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint();
    record_endpoint_encode(&in, plain, &encoded);
    golden_mutations(&encoded, decode_endpoint);
}

static void no_endpoint_has_more_channels_or_keys_than_it_may(void **state)
{
    (void)state;
    struct endpoint in = sample_endpoint();
    const uint8_t key[10 + 24] = {KEY_HMAC, [10] = 0xdd}; /* kind, expiry, form; the key itself */
    in.channel_count = ENDPOINT_CHANNELS_MAX;
    for (unsigned i = 0; i < ENDPOINT_CHANNELS_MAX; i++)
        in.channels[i] = SPAN("channel");
    in.key_count = SIGNING_KEYS_MAX;
    for (unsigned i = 0; i < SIGNING_KEYS_MAX; i++)
        in.keys[i] = (struct signing_key){.kind = KEY_HMAC, .len = 24, .bytes = {0xdd}};
    record_endpoint_encode(&in, plain, &encoded);
    golden_one_too_many(&encoded, SPAN("channel"), decode_endpoint);
    buf_clear(&encoded);
    record_endpoint_encode(&in, plain, &encoded);
    golden_one_too_many(&encoded, span_of(key, sizeof key), decode_endpoint);
}

static void an_endpoint_of_nothing_but_defaults_survives(void **state)
{
    (void)state;
    struct endpoint in = {.number = 1}, *out;
    record_endpoint_encode(&in, plain, &encoded);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_OK);
    compare_endpoint(out, &in);
    assert_null(out->filters);
    endpoint_free(&out);
}

static void signing_keys_are_sealed_and_bound_to_their_endpoint(void **state)
{
    (void)state;
    struct vault *vault;
    assert_int_equal(vault_new("main secret", &vault), ERR_OK);
    struct endpoint in = sample_endpoint(), *out;
    record_endpoint_encode(&in, vault, &encoded);
    assert_null(memmem(encoded.ptr, encoded.len, in.keys[1].bytes, in.keys[1].len));
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), vault, &out), ERR_OK);
    compare_endpoint(out, &in);
    endpoint_free(&out);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), plain, &out), ERR_INVALID);
    assert_null(out);

    /* The same bytes under another endpoint's id. */
    char *id = memmem(encoded.ptr, encoded.len, in.id.b, ID_BYTES);
    assert_non_null(id);
    id[0] ^= 1;
    golden_sum(encoded.ptr, encoded.len);
    assert_int_equal(record_endpoint_decode(buf_view(&encoded), vault, &out), ERR_CORRUPT);
    assert_null(out);
    vault_free(&vault);
}

/* ---------------------------------------------------------------- event type, key */

static enum err decode_type(struct span in)
{
    struct event_type *t;
    enum err e = record_event_type_decode(in, &t);
    event_type_free(&t);
    return e;
}

static struct event_type sample_with_policy(void)
{
    return (struct event_type){.org = golden_id(2),
                               .name = SPAN("invoice.paid"),
                               .retry = {.kind = RETRY_EXPONENTIAL,
                                         .attempts_max = RETRY_ATTEMPTS_MAX,
                                         .jitter_percent = 20,
                                         .factor = RETRY_FACTOR_MAX,
                                         .delay_ms = {1000, 60000},
                                         .age_max_us = RETRY_AGE_MAX_US}};
}

static void an_event_type_with_a_policy_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    const struct event_type in = sample_with_policy();
    struct event_type *out;
    record_event_type_encode(&in, &encoded);
    golden_same("event_type_policy", &encoded);
    assert_int_equal(record_event_type_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out->retry, &in.retry, sizeof in.retry);
    event_type_free(&out);
    golden_mutations(&encoded, decode_type);
}

static void refused(struct retry_policy p)
{
    struct event_type in = sample_with_policy();
    in.retry = p;
    buf_clear(&encoded);
    record_event_type_encode(&in, &encoded);
    assert_int_equal(decode_type(buf_view(&encoded)), ERR_CORRUPT);
}

static void a_policy_that_would_not_end_is_damage(void **state)
{
    (void)state;
    const struct retry_policy good = sample_with_policy().retry, listed = sample_schedule();
    struct retry_policy p = good;
    p.attempts_max = 0;
    p.age_max_us = 0;
    refused(p);
    p = good;
    p.factor = 0;
    refused(p);
    p = good;
    p.delay_ms[1] = 999;
    refused(p);
    p = good;
    p.attempts_max = RETRY_ATTEMPTS_MAX + 1;
    refused(p);
    p = good;
    p.age_max_us = RETRY_AGE_MAX_US + 1;
    refused(p);
    p = good;
    p.jitter_percent = 101;
    refused(p);
    p = listed;
    p.delay_ms[0] = 0;
    refused(p);
    p.delay_ms[0] = RETRY_DELAY_MAX_MS + 1;
    refused(p);
}

static void an_event_type_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct event_type in = {
        .org = golden_id(2),
        .version = 4,
        .created = {1700000000000001},
        .updated = {1700000000000002},
        .name = SPAN("invoice.paid"),
        .description = SPAN("An invoice was paid"),
        .group_name = SPAN("invoice"),
        .flag_count = 1,
        .flags = {SPAN("beta")},
        .schemas = SPAN("{\"1\":{}}"),
        .archived = true,
        .deprecated = true,
    };
    struct event_type *out;
    record_event_type_encode(&in, &encoded);
    golden_same("event_type", &encoded);
    assert_int_equal(record_event_type_decode(buf_view(&encoded), &out), ERR_OK);
    ASSERT_ID(out->org, in.org);
    assert_int_equal(out->version, in.version);
    assert_int_equal(out->created.us, in.created.us);
    assert_int_equal(out->updated.us, in.updated.us);
    ASSERT_SPAN(out->name, in.name);
    ASSERT_SPAN(out->description, in.description);
    ASSERT_SPAN(out->group_name, in.group_name);
    assert_int_equal(out->flag_count, 1);
    ASSERT_SPAN(out->flags[0], in.flags[0]);
    ASSERT_SPAN(out->schemas, in.schemas);
    assert_true(out->archived);
    assert_true(out->deprecated);
    event_type_free(&out);
    golden_mutations(&encoded, decode_type);
}

static void no_event_type_has_more_flags_than_it_may(void **state)
{
    (void)state;
    struct event_type in = sample_with_policy();
    in.flag_count = EVENT_TYPE_FLAGS_MAX;
    for (unsigned i = 0; i < EVENT_TYPE_FLAGS_MAX; i++)
        in.flags[i] = SPAN("flag");
    record_event_type_encode(&in, &encoded);
    golden_one_too_many(&encoded, SPAN("flag"), decode_type);
}

static enum err decode_key(struct span in)
{
    struct api_key k;
    return record_key_decode(in, &k);
}

static void a_key_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct api_key in = {
        .id = golden_id(4),
        .org = golden_id(2),
        .scope = SCOPE_APP,
        .app = golden_id(1),
        .created = {1700000000000001},
        .expires = {1700000000000002},
        .name = "the build server",
    };
    struct api_key out;
    memset(in.hash, 0xcc, sizeof in.hash);
    record_key_encode(&in, &encoded);
    golden_same("key", &encoded);
    assert_int_equal(record_key_decode(buf_view(&encoded), &out), ERR_OK);
    ASSERT_ID(out.id, in.id);
    ASSERT_ID(out.org, in.org);
    ASSERT_ID(out.app, in.app);
    assert_memory_equal(out.hash, in.hash, sizeof in.hash);
    assert_int_equal(out.scope, in.scope);
    assert_int_equal(out.created.us, in.created.us);
    assert_int_equal(out.expires.us, in.expires.us);
    assert_string_equal(out.name, in.name);
    golden_mutations(&encoded, decode_key);
}

static enum err decode_portal(struct span in)
{
    struct portal_token t;
    return record_portal_decode(in, &t);
}

static void a_portal_token_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct portal_token in = {.org = golden_id(1),
                              .created = {1},
                              .expires = {2},
                              .capabilities = CAPABILITY_VIEW_BASE | CAPABILITY_CREATE_ATTEMPTS,
                              .flags = {"beta,new"},
                              .session = {7, 8, 9}};
    struct portal_token out;
    record_portal_encode(&in, &encoded);
    golden_same("portal", &encoded);
    assert_int_equal(record_portal_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out.org, &in.org, ID_BYTES);
    assert_int_equal(out.created.us, in.created.us);
    assert_int_equal(out.expires.us, in.expires.us);
    assert_int_equal(out.capabilities, in.capabilities);
    assert_string_equal(out.flags.names, in.flags.names);
    assert_memory_equal(out.session, in.session, sizeof in.session);
    golden_mutations(&encoded, decode_portal);
}

static enum err decode_consumer(struct span in)
{
    struct consumer c;
    return record_consumer_decode(in, &c);
}

static void a_consumer_is_written_as_its_golden_file_says(void **state)
{
    (void)state;
    struct consumer in = {.position = golden_id(3), .used = {7}}, out;
    record_consumer_encode(&in, &encoded);
    golden_same("consumer", &encoded);
    assert_int_equal(record_consumer_decode(buf_view(&encoded), &out), ERR_OK);
    assert_memory_equal(&out.position, &in.position, ID_BYTES);
    assert_int_equal(out.used.us, in.used.us);
    golden_mutations(&encoded, decode_consumer);
}

int main(void)
{
#define RECORD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORD_TEST(an_application_is_written_as_its_golden_file_says),
        RECORD_TEST(an_endpoint_is_written_as_its_golden_file_says),
        RECORD_TEST(an_ordered_endpoint_is_written_as_its_golden_file_says),
        RECORD_TEST(an_endpoint_for_cloud_events_is_written_as_its_golden_file_says),
        RECORD_TEST(a_damaged_endpoint_is_corrupt),
        RECORD_TEST(no_endpoint_has_more_channels_or_keys_than_it_may),
        RECORD_TEST(an_endpoint_of_nothing_but_defaults_survives),
        RECORD_TEST(signing_keys_are_sealed_and_bound_to_their_endpoint),
        RECORD_TEST(a_paused_endpoint_with_a_policy_is_written_as_its_golden_file_says),
        RECORD_TEST(an_endpoint_with_a_share_for_what_is_new_is_written_as_its_golden_file_says),
        RECORD_TEST(a_time_or_a_limit_out_of_its_bounds_is_damage),
        RECORD_TEST(an_event_type_with_a_policy_is_written_as_its_golden_file_says),
        RECORD_TEST(a_policy_that_would_not_end_is_damage),
        RECORD_TEST(an_event_type_is_written_as_its_golden_file_says),
        RECORD_TEST(no_event_type_has_more_flags_than_it_may),
        RECORD_TEST(a_key_is_written_as_its_golden_file_says),
        RECORD_TEST(a_portal_token_is_written_as_its_golden_file_says),
        RECORD_TEST(a_consumer_is_written_as_its_golden_file_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
