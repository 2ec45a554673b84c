/* Golden answers: what the SDKs parse, byte for byte. */
#include "admin/entity_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 ((struct wall){INT64_C(1700000000000000)})
#define T1 ((struct wall){INT64_C(1700000001500000)})
#define TEXT0 "\"2023-11-14T22:13:20.000000Z\""
#define TEXT1 "\"2023-11-14T22:13:21.500000Z\""
#define ZERO_ID "000000000000000000000000001"

static const struct id one = {.b = {[ID_BYTES - 1] = 1}};

struct page_of {
    struct buf out;
    struct json_writer w;
};

static struct json_writer *begin(struct page_of *p)
{
    buf_init(&p->out, 64 * 1024);
    jw_init(&p->w, &p->out);
    return &p->w;
}

static void expect(struct page_of *p, const char *golden)
{
    jw_finish(&p->w);
    assert_false(p->out.failed);
    assert_string_equal(p->out.ptr, golden);
    buf_free(&p->out);
}

static void an_application_shows_null_for_what_it_lacks(void **state)
{
    (void)state;
    struct page_of p;
    struct app a = {.id = one, .name = SPAN("Acme"), .created = T0, .updated = T1};
    entity_out_app(begin(&p), &a);
    expect(&p, "{\"id\":\"app_" ZERO_ID "\",\"uid\":null,\"name\":\"Acme\",\"rateLimit\":null,"
               "\"throttleRate\":null,\"metadata\":{},\"createdAt\":" TEXT0 ",\"updatedAt\":" TEXT1
               "}");
    a.uid = SPAN("acme");
    a.metadata = SPAN("{\"k\":\"v\"}");
    entity_out_app(begin(&p), &a);
    expect(&p, "{\"id\":\"app_" ZERO_ID "\",\"uid\":\"acme\",\"name\":\"Acme\",\"rateLimit\":null,"
               "\"throttleRate\":null,\"metadata\":{\"k\":\"v\"},\"createdAt\":" TEXT0
               ",\"updatedAt\":" TEXT1 "}");
}

static struct endpoint an_endpoint(struct span *filters)
{
    filters[0] = SPAN("user.created");
    return (struct endpoint){.id = one,
                             .url = SPAN("https://example.com/"),
                             .user_version = 1,
                             .filters = filters,
                             .filter_count = 1,
                             .channels = {SPAN("c1")},
                             .channel_count = 1,
                             .key_count = 1,
                             .keys = {{.bytes = "secret", .len = 6}},
                             .headers = SPAN("{\"Authorization\":\"secret\"}"),
                             .created = T0,
                             .updated = T1};
}

#define ENDPOINT_MEMBERS                                                                        \
    "\"id\":\"ep_" ZERO_ID "\",\"uid\":null,\"url\":\"https://example.com/\","                  \
    "\"description\":\"\",\"version\":1,\"disabled\":false,\"filterTypes\":[\"user.created\"]," \
    "\"eventTypes\":[\"user.created\"],\"channels\":[\"c1\"],\"rateLimit\":null,"               \
    "\"throttleRate\":null,\"ordering\":\"none\",\"cloudEvents\":\"none\",\"paused\":false,"    \
    "\"retryPolicy\":null,\"attemptTimeout\":null,\"maxInFlight\":null,\"freshShare\":null,"    \
    "\"metadata\":{},"                                                                          \
    "\"createdAt\":" TEXT0 ",\"updatedAt\":" TEXT1

static void an_endpoint_shows_neither_secret_nor_headers(void **state)
{
    (void)state;
    struct page_of p;
    struct span filters[1];
    struct endpoint e = an_endpoint(filters);
    const struct endpoint_health well = {.failures = 0};
    entity_out_endpoint(begin(&p), &e, &well, T1);
    expect(&p, "{" ENDPOINT_MEMBERS
               ",\"breaker\":{\"state\":\"closed\",\"reason\":null,\"statusCode\":null,"
               "\"openedAt\":null,\"nextProbeAt\":null,\"failingSince\":null},"
               "\"disabledReason\":null}");
}

static void a_breaker_is_open_until_its_probe_is_due_and_half_open_then(void **state)
{
    (void)state;
    struct page_of p;
    struct span filters[1];
    struct endpoint e = an_endpoint(filters);
    const struct endpoint_health sick = {
        .failing_since = T0,
        .failures = 10,
        .breaker = {.opened_at = T0, .probe_at = T1, .cause = ATTEMPT_STATUS, .status = 503},
    };
    entity_out_endpoint(begin(&p), &e, &sick, T0);
    expect(&p, "{" ENDPOINT_MEMBERS
               ",\"breaker\":{\"state\":\"open\",\"reason\":\"status\",\"statusCode\":503,"
               "\"openedAt\":" TEXT0 ",\"nextProbeAt\":" TEXT1 ",\"failingSince\":" TEXT0 "},"
               "\"disabledReason\":null}");
    entity_out_endpoint(begin(&p), &e, &sick, T1);
    expect(&p, "{" ENDPOINT_MEMBERS
               ",\"breaker\":{\"state\":\"half_open\",\"reason\":\"status\",\"statusCode\":503,"
               "\"openedAt\":" TEXT0 ",\"nextProbeAt\":null,\"failingSince\":" TEXT0 "},"
               "\"disabledReason\":null}");
}

static void an_endpoint_of_a_message_carries_the_state_of_its_delivery(void **state)
{
    (void)state;
    struct page_of p;
    struct span filters[1];
    struct endpoint e = an_endpoint(filters);
    struct delivery d = {.state = DELIVERY_RETRYING, .due = T1};
    entity_out_message_endpoint(begin(&p), &e, &d, true);
    expect(&p, "{" ENDPOINT_MEMBERS
               ",\"status\":3,\"statusText\":\"sending\",\"nextAttempt\":" TEXT1 "}");
}

static void an_event_type_shows_its_schemas_only_with_content(void **state)
{
    (void)state;
    struct page_of p;
    struct event_type t = {.name = SPAN("user.created"),
                           .schemas = SPAN("{\"1\":{\"type\":\"object\"}}"),
                           .flag_count = 2,
                           .flags = {SPAN("beta"), SPAN("new")},
                           .created = T0,
                           .updated = T1};
    entity_out_event_type(begin(&p), &t, true);
    expect(&p, "{\"name\":\"user.created\",\"description\":\"\",\"archived\":false,"
               "\"deprecated\":false,\"schemas\":{\"1\":{\"type\":\"object\"}},\"groupName\":null,"
               "\"featureFlag\":\"beta\",\"featureFlags\":[\"beta\",\"new\"],\"retryPolicy\":null,"
               "\"createdAt\":" TEXT0 ",\"updatedAt\":" TEXT1 "}");
    t.flag_count = 0;
    entity_out_event_type(begin(&p), &t, false);
    expect(&p,
           "{\"name\":\"user.created\",\"description\":\"\",\"archived\":false,"
           "\"deprecated\":false,\"schemas\":null,\"groupName\":null,"
           "\"featureFlag\":null,\"featureFlags\":null,\"retryPolicy\":null,\"createdAt\":" TEXT0
           ",\"updatedAt\":" TEXT1 "}");
}

#define ATTEMPT_HEAD                                                                           \
    "{\"id\":\"atmpt_" ZERO_ID "\",\"msgId\":\"msg_" ZERO_ID "\",\"endpointId\":\"ep_" ZERO_ID \
    "\",\"url\":\"https://example.com/\",\"response\":"

static void an_attempt_shows_its_response_whatever_bytes_it_had(void **state)
{
    (void)state;
    struct page_of p;
    struct attempt a = {.id = one,
                        .message = one,
                        .endpoint = one,
                        .url = SPAN("https://example.com/"),
                        .started = T0,
                        .duration_us = 12900,
                        .outcome = ATTEMPT_STATUS,
                        .status = 500,
                        .trigger = TRIGGER_MANUAL,
                        .response = SPAN("no\xff\"")};
    entity_out_attempt(begin(&p), &a, true, NULL);
    expect(&p, ATTEMPT_HEAD "\"no\xef\xbf\xbd\\\"\",\"responseStatusCode\":500,"
                            "\"responseDurationMs\":12,\"status\":2,\"statusText\":\"fail\","
                            "\"outcome\":\"status\",\"triggerType\":1,\"timestamp\":" TEXT0 "}");
    a.outcome = ATTEMPT_SUCCESS;
    a.status = 200;
    a.trigger = TRIGGER_SCHEDULED;
    entity_out_attempt(begin(&p), &a, false, NULL);
    expect(&p, ATTEMPT_HEAD "\"{}\",\"responseStatusCode\":200,\"responseDurationMs\":12,"
                            "\"status\":0,\"statusText\":\"success\",\"outcome\":\"success\","
                            "\"triggerType\":0,\"timestamp\":" TEXT0 "}");
}

static void an_attempt_without_a_response_says_why(void **state)
{
    (void)state;
    struct page_of p;
    struct attempt a = {.outcome = ATTEMPT_TIMEOUT};
    entity_out_attempt(begin(&p), &a, true, NULL);
    assert_non_null(strstr(p.out.ptr, attempt_class_text(ATTEMPT_TIMEOUT)));
    buf_free(&p.out);
}

static void a_delivery_says_what_happened_and_what_happens_next(void **state)
{
    (void)state;
    struct page_of p;
    struct delivery d = {.message = one,
                         .state = DELIVERY_DEAD,
                         .reason = REASON_EXHAUSTED,
                         .tries = 3,
                         .created = T0,
                         .finished = T1,
                         .last_attempt = one,
                         .last_status = 503};
    entity_out_delivery(begin(&p), &d, &one, false, &(struct id){{0}});
    expect(
        &p,
        "{\"msgId\":\"msg_" ZERO_ID "\",\"endpointId\":\"ep_" ZERO_ID "\","
        "\"state\":\"dead\",\"reason\":\"exhausted\",\"tries\":3,\"lastAttemptId\":\"atmpt_" ZERO_ID
        "\",\"lastStatusCode\":503,\"nextAttempt\":null,\"waitsFor\":null,\"createdAt\":" TEXT0
        ",\"finishedAt\":" TEXT1 "}");
    d = (struct delivery){.message = one, .state = DELIVERY_RETRYING, .created = T0, .due = T1};
    entity_out_delivery(begin(&p), &d, &one, true, &one);
    expect(&p, "{\"msgId\":\"msg_" ZERO_ID "\",\"endpointId\":\"ep_" ZERO_ID "\","
               "\"state\":\"in_flight\",\"reason\":null,\"tries\":0,\"lastAttemptId\":null,"
               "\"lastStatusCode\":null,\"nextAttempt\":null,\"waitsFor\":\"msg_" ZERO_ID
               "\",\"createdAt\":" TEXT0 ",\"finishedAt\":null}");
}

static void a_key_never_shows_its_hash(void **state)
{
    (void)state;
    struct page_of p;
    struct api_key k = {.id = one, .scope = SCOPE_APP, .app = one, .created = T0, .name = "ci"};
    memset(k.hash, 'h', sizeof k.hash);
    entity_out_key(begin(&p), &k, span_text(NULL));
    expect(&p,
           "{\"id\":\"key_" ZERO_ID "\",\"name\":\"ci\",\"scope\":\"app\",\"appId\":\"app_" ZERO_ID
           "\",\"createdAt\":" TEXT0 ",\"expiresAt\":null,\"token\":null}");
}

static void a_task_tells_how_far_it_is(void **state)
{
    (void)state;
    struct page_of p;
    struct task_info t = {.id = one, .kind = "endpoint.recover", .done = 7, .updated = T0};
    entity_out_task(begin(&p), &t);
    expect(&p, "{\"id\":\"qtask_" ZERO_ID "\",\"status\":\"running\",\"task\":\"endpoint.recover\","
               "\"data\":{\"processed\":7,\"messagesSent\":7},\"updatedAt\":" TEXT0 "}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_shows_null_for_what_it_lacks),
        cmocka_unit_test(an_endpoint_shows_neither_secret_nor_headers),
        cmocka_unit_test(a_breaker_is_open_until_its_probe_is_due_and_half_open_then),
        cmocka_unit_test(an_endpoint_of_a_message_carries_the_state_of_its_delivery),
        cmocka_unit_test(an_event_type_shows_its_schemas_only_with_content),
        cmocka_unit_test(an_attempt_shows_its_response_whatever_bytes_it_had),
        cmocka_unit_test(an_attempt_without_a_response_says_why),
        cmocka_unit_test(a_delivery_says_what_happened_and_what_happens_next),
        cmocka_unit_test(a_key_never_shows_its_hash),
        cmocka_unit_test(a_task_tells_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
