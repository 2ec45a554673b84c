#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/answer.h"
#include "http/message_out.h"

static struct buf out;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 64 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void an_error_has_the_code_of_its_status(void **state)
{
    (void)state;
    answer_error(&out, 404, "Entity not found");
    assert_string_equal(out.ptr, "{\"code\":\"not_found\",\"detail\":\"Entity not found\"}");
}

static void a_finding_has_its_place_with_numbers_as_numbers(void **state)
{
    (void)state;
    answer_invalid(&out, "body", "messages.3.eventType", "is \"odd\"", "value_error");
    assert_string_equal(out.ptr, "{\"detail\":[{\"loc\":[\"body\",\"messages\",3,\"eventType\"],"
                                 "\"msg\":\"is \\\"odd\\\"\",\"type\":\"value_error\"}]}");
    buf_clear(&out);
    answer_invalid(&out, "body", NULL, "m", "value_error.jsondecode");
    assert_string_equal(out.ptr, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"m\","
                                 "\"type\":\"value_error.jsondecode\"}]}");
}

static void every_store_error_has_a_refusal(void **state)
{
    (void)state;
    static const struct {
        enum err e;
        unsigned status;
    } rows[] = {
        {ERR_NOT_FOUND, 404}, {ERR_CONFLICT, 409}, {ERR_STALE, 409},   {ERR_MISMATCH, 409},
        {ERR_IN_FLIGHT, 409}, {ERR_DISABLED, 409}, {ERR_INVALID, 422}, {ERR_TOO_LARGE, 413},
        {ERR_FULL, 507},      {ERR_BUSY, 503},     {ERR_IO, 503},      {ERR_NO_MEMORY, 503},
        {ERR_STOPPING, 503},  {ERR_CORRUPT, 500},  {ERR_LOCKED, 500},  {ERR_VERSION, 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(answer_status(rows[i].e), rows[i].status);
}

/* ---------------------------------------------------------------- MessageOut */

static struct message sample(void)
{
    struct message m = {
        .created = {INT64_C(1614265330123456)},
        .event_type = SPAN("user.signup"),
        .payload = SPAN("{ \"a\" : 1.50 }"),
    };
    assert_int_equal(id_parse(SPAN("msg_1srOrx2ZWZBpBUvZwXKQmoEYga2"), ID_MESSAGE, &m.id), ERR_OK);
    return m;
}

static const char *shown(const struct message *m, bool content)
{
    struct json_writer w;
    buf_clear(&out);
    jw_init(&w, &out);
    message_out(&w, m, content);
    jw_finish(&w);
    return out.ptr;
}

#define TAIL(channels, tags)                                                \
    "\"channels\":" channels ",\"id\":\"msg_1srOrx2ZWZBpBUvZwXKQmoEYga2\"," \
    "\"timestamp\":\"2021-02-25T15:02:10.123456Z\",\"tags\":" tags          \
    ",\"deliverAt\":null,\"orderingKey\":null}"

static void a_message_shows_every_member_and_its_payload_as_it_came(void **state)
{
    (void)state;
    struct message m = sample();
    assert_string_equal(shown(&m, true), "{\"eventId\":null,\"eventType\":\"user.signup\","
                                         "\"payload\":{ \"a\" : 1.50 }," TAIL("null", "null"));
    m.event_id = SPAN("e-1");
    m.channels[0] = SPAN("one");
    m.channels[1] = SPAN("two");
    m.channel_count = 2;
    m.tags[0] = SPAN("a \"tag\"");
    m.tag_count = 1;
    assert_string_equal(shown(&m, true), "{\"eventId\":\"e-1\",\"eventType\":\"user.signup\","
                                         "\"payload\":{ \"a\" : 1.50 }," TAIL(
                                             "[\"one\",\"two\"]", "[\"a \\\"tag\\\"\"]"));
}

static void a_payload_that_is_not_wanted_gone_or_no_object_is_empty(void **state)
{
    (void)state;
    static const char empty[] = "{\"eventId\":null,\"eventType\":\"user.signup\","
                                "\"payload\":{}," TAIL("null", "null");
    struct message m = sample();
    assert_string_equal(shown(&m, false), empty);
    m.expunged = true;
    assert_string_equal(shown(&m, true), empty);
    m = sample();
    m.content_type = SPAN("text/xml");
    m.payload = SPAN("<a/>");
    assert_string_equal(shown(&m, true), empty);
    m.payload = SPAN("[1]");
    assert_string_equal(shown(&m, true), empty);
    m.payload = SPAN("{\"raw\":1}");
    assert_non_null(strstr(shown(&m, true), "\"payload\":{\"raw\":1}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_error_has_the_code_of_its_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finding_has_its_place_with_numbers_as_numbers, set_up,
                                        tear_down),
        cmocka_unit_test(every_store_error_has_a_refusal),
        cmocka_unit_test_setup_teardown(a_message_shows_every_member_and_its_payload_as_it_came,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_payload_that_is_not_wanted_gone_or_no_object_is_empty,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
