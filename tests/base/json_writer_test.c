/* JSON going out: commas, escapes and values; nesting mistakes are bugs. */
#include "base/json_writer.h"

#include "base/json_scan.h"
#include "tests/base/check.h"

#include <math.h>

struct fixture {
    struct buf out;
    struct json_writer w;
};

static int begin(void **state)
{
    static struct fixture f;

    buf_init(&f.out, 10000);
    jw_init(&f.w, &f.out);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    buf_free(&((struct fixture *)*state)->out);
    return 0;
}

static void commas_stand_between_members_and_items_only(void **state)
{
    struct fixture *f = *state;

    jw_object(&f->w);
    jw_name(&f->w, "a");
    jw_array(&f->w);
    jw_int(&f->w, 1);
    jw_array(&f->w);
    jw_end_array(&f->w);
    jw_object(&f->w);
    jw_end_object(&f->w);
    jw_null(&f->w);
    jw_end_array(&f->w);
    jw_member_bool(&f->w, "b", true);
    jw_member_null(&f->w, "c");
    jw_end_object(&f->w);
    jw_finish(&f->w);
    check_text(buf_view(&f->out), "{\"a\":[1,[],{},null],\"b\":true,\"c\":null}");
}

static void strings_are_escaped_as_rfc_8259_asks(void **state)
{
    struct fixture *f = *state;

    jw_string(&f->w, SPAN("a\"b\\c/\b\f\n\r\t\v\x01\x1f\x7f \xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"));
    check_text(buf_view(&f->out), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u000b\\u0001\\u001f\x7f "
                                  "\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"");
}

static void a_nul_inside_a_string_is_escaped(void **state)
{
    struct fixture *f = *state;

    jw_string(&f->w, SPAN("a\0b"));
    check_text(buf_view(&f->out), "\"a\\u0000b\"");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    struct fixture *f = *state;

    jw_string(&f->w, SPAN("a\xff"
                          "b\xc3"
                          "\xed\xa0\x80"
                          "\xc0\xaf"
                          "\xe2\x82"));
    check_text(buf_view(&f->out), "\"a\xef\xbf\xbd"
                                  "b\xef\xbf\xbd"
                                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                  "\xef\xbf\xbd\xef\xbf\xbd"
                                  "\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void check_round_trip(struct fixture *f, struct span text)
{
    struct json_value value;
    struct json_error error;
    struct buf back;

    buf_clear(&f->out);
    buf_init(&back, text.len);
    jw_string(&f->w, text);
    assert_int_equal(json_check(buf_view(&f->out), 0, &value, &error), ERR_OK);
    assert_int_equal(json_text(value, &back), ERR_OK);
    assert_true(span_eq(buf_view(&back), text));
    buf_free(&back);
}

static void each_byte_of_a_string_comes_back_wherever_it_stands(void **state)
{
    for (size_t len = 1; len < 40; len++)
        for (size_t place = 0; place < len; place++)
            for (char c = 1; c < 0x7f; c++) {
                char text[40];
                memset(text, 'a', len);
                text[place] = c;
                check_round_trip(*state, span_of(text, len));
            }
}

static void integers_are_written_to_both_ends(void **state)
{
    struct fixture *f = *state;

    jw_array(&f->w);
    jw_int(&f->w, INT64_MIN);
    jw_int(&f->w, INT64_MAX);
    jw_int(&f->w, 0);
    jw_end_array(&f->w);
    check_text(buf_view(&f->out), "[-9223372036854775808,9223372036854775807,0]");
}

static void doubles_come_back_and_are_never_nan(void **state)
{
    struct fixture *f = *state;

    jw_array(&f->w);
    jw_double(&f->w, 0.1);
    jw_double(&f->w, 1.0 / 3);
    jw_double(&f->w, -2);
    jw_double(&f->w, 1e300);
    jw_double(&f->w, (double)INFINITY);
    jw_double(&f->w, (double)NAN);
    jw_end_array(&f->w);
    check_text(buf_view(&f->out), "[0.1,0.33333333333333331,-2,1e+300,null,null]");
}

static void members_write_ids_times_and_raw_json(void **state)
{
    struct fixture *f = *state;
    struct id id = {{0}};

    jw_object(&f->w);
    jw_member_id(&f->w, "id", ID_APP, &id);
    jw_member_time(&f->w, "at", (struct wall){1});
    jw_member_time(&f->w, "never", (struct wall){0});
    jw_member_raw(&f->w, "raw", SPAN("{ \"x\": 1.50 }"));
    jw_member_raw(&f->w, "none", (struct span){NULL, 0});
    jw_member_string(&f->w, "empty", (struct span){NULL, 0});
    jw_member_int(&f->w, "n", -5);
    jw_end_object(&f->w);
    jw_finish(&f->w);
    check_text(buf_view(&f->out),
               "{\"id\":\"app_000000000000000000000000000\",\"at\":\"1970-01-01T00:00:00.000001Z\","
               "\"never\":null,\"raw\":{ \"x\": 1.50 },\"none\":null,\"empty\":\"\",\"n\":-5}");
}

static void nesting_goes_as_deep_as_promised(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < JSON_WRITER_DEPTH; i++)
        jw_array(&f->w);
    for (int i = 0; i < JSON_WRITER_DEPTH; i++)
        jw_end_array(&f->w);
    jw_finish(&f->w);
    assert_int_equal(f->out.len, 2 * JSON_WRITER_DEPTH);
}

int main(void)
{
#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_WRITER(commas_stand_between_members_and_items_only),
        WITH_WRITER(strings_are_escaped_as_rfc_8259_asks),
        WITH_WRITER(a_nul_inside_a_string_is_escaped),
        WITH_WRITER(bytes_that_are_not_utf8_become_replacement_characters),
        WITH_WRITER(each_byte_of_a_string_comes_back_wherever_it_stands),
        WITH_WRITER(integers_are_written_to_both_ends),
        WITH_WRITER(doubles_come_back_and_are_never_nan),
        WITH_WRITER(members_write_ids_times_and_raw_json),
        WITH_WRITER(nesting_goes_as_deep_as_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
