/* The scanner: the whole of JSONTestSuite, real events, damaged input, and the walk over members.
 *
 * Input is copied into memory of exactly its length, so that a sanitizer sees a read past the end. */
#include "base/json_scan.h"

#include "base/bounds.h"
#include "base/rand.h"
#include "tests/base/check.h"

#include <dirent.h>

#define SUITE "tests/data/json-test-suite"
#define EVENTS "tests/data/events.ndjson"

static struct buf slurp(const char *path)
{
    struct buf b;
    char chunk[65536];
    size_t got;
    FILE *f = fopen(path, "re");

    if (!f)
        fail_msg("cannot read %s; run the tests in the project's folder", path);
    buf_init(&b, 16 << 20);
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_bytes(&b, chunk, got);
    fclose(f);
    return b;
}

static enum err check(struct span input, struct json_value *out)
{
    struct json_error error;

    return json_check(input, JSON_DEPTH_MAX, out, &error);
}

static struct json_value accepted(const char *text)
{
    struct json_value value;

    if (check(span_text(text), &value))
        fail_msg("%s was refused", text);
    return value;
}

/* Every part of an accepted document is a document. Returns the number of values. */
static unsigned check_parts(struct json_value value)
{
    unsigned n = 1;

    if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
        return n;
    struct json_walk w = json_walk(value);
    struct span name;
    struct json_value item, again;
    while (json_next(&w, &name, &item)) {
        assert_int_equal(check(item.raw, &again), ERR_OK);
        assert_int_equal(again.type, item.type);
        assert_ptr_equal(again.raw.ptr, item.raw.ptr);
        assert_int_equal(again.raw.len, item.raw.len);
        assert_int_equal(again.escaped, item.escaped);
        n += check_parts(item);
    }
    return n;
}

/* Checks a copy without slack behind it; true when it was accepted. */
static bool check_copy(struct span input)
{
    char *copy = malloc(input.len + (input.len == 0));
    struct json_value value;

    assert_non_null(copy);
    if (input.len)
        memcpy(copy, input.ptr, input.len);
    bool ok = !check(span_of(copy, input.len), &value);
    if (ok)
        check_parts(value);
    free(copy);
    return ok;
}

static void the_test_suite_is_judged_as_its_file_names_say(void **state)
{
    (void)state;
    DIR *dir = opendir(SUITE);
    unsigned judged = 0;

    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof path, SUITE "/%s", d->d_name);
        if (d->d_name[1] != '_')
            continue;
        struct buf b = slurp(path);
        bool ok = check_copy(buf_view(&b));
        if ((d->d_name[0] == 'y' && !ok) || (d->d_name[0] == 'n' && ok))
            fail_msg("%s was %s", d->d_name, ok ? "accepted" : "refused");
        judged++;
        buf_free(&b);
    }
    closedir(dir);
    assert_int_equal(judged, 318);
}

static void real_events_are_accepted_and_every_cut_of_them_refused(void **state)
{
    (void)state;
    struct buf events = slurp(EVENTS);
    struct span rest = buf_view(&events);
    unsigned n = 0;

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        assert_true(check_copy(line));
        for (size_t len = n % 97; len < line.len; len += 97) {
            struct json_value value;
            assert_int_equal(check(span_of(line.ptr, len), &value), ERR_INVALID);
        }
        n++;
    }
    assert_int_equal(n, 110);
    buf_free(&events);
}

static void damaged_input_is_refused_or_walks_to_its_end(void **state)
{
    (void)state;
    static const char bytes[] = "\"\\{}[],:0-.eE1tfnu \t\n\x01\x7f\x80\xbf\xc3\xe2\xed\xf0\xff";
    static const char sample[] =
        "{\"a\\u00e9\":[1,-2.5e+3,{\"b\":\"caf\xc3\xa9 \\\\\"},[]],\"c\":true,"
        "\"d\":{\"e\":null,\"f\":\"0123456789abcdef\"} , \"g\":\"\"}";
    struct rng rng;

    rng_seed(&rng, 11);
    for (int i = 0; i < 200000; i++) {
        char text[sizeof sample];
        memcpy(text, sample, sizeof sample);
        for (uint64_t changes = 1 + rng_next(&rng) % 3; changes; changes--)
            text[rng_next(&rng) % (sizeof sample - 1)] = bytes[rng_next(&rng) % (sizeof bytes - 1)];
        check_copy(span_of(text, sizeof sample - 1 - rng_next(&rng) % 2));
    }
}

static void nesting_is_accepted_to_the_depth_and_no_deeper(void **state)
{
    (void)state;
    struct buf b;
    struct json_value value;
    struct json_error error;

    buf_init(&b, 1000);
    for (int i = 0; i < 5; i++)
        buf_text(&b, "[{\"a\":");
    buf_text(&b, "1");
    for (int i = 0; i < 5; i++)
        buf_text(&b, "}]");
    assert_int_equal(json_check(buf_view(&b), 10, &value, &error), ERR_OK);
    assert_int_equal(json_check(buf_view(&b), 9, &value, &error), ERR_INVALID);
    assert_string_equal(error.what, "nested too deeply");
    assert_int_equal(json_check(SPAN("1"), 0, &value, &error), ERR_OK);
    buf_free(&b);
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
        size_t at;
    } cases[] = {
        {"", "a value is expected", 0},
        {"  ", "a value is expected", 2},
        {"{\"a\" 1}", "a colon is expected behind a name", 5},
        {"{\"a\":1,}", "a name in quotes is expected", 7},
        {"[1 2]", "a comma or a closing bracket is expected", 3},
        {"[1}", "a comma or a closing bracket is expected", 2},
        {"[1", "an object or array is not closed", 2},
        {"{} x", "something follows the value", 3},
        {"[\"a\nb\"]", "control character in a string", 3},
        {"[\"\\x\"]", "unknown escape in a string", 3},
        {"\"\\u12g4\"", "\\u needs four hexadecimal digits", 5},
        {"\"ab", "unfinished string", 3},
        {"\"0123456789\xff\"", "invalid UTF-8 in a string", 11},
        {"-", "a digit is missing in a number", 1},
        {"1.e1", "a digit is missing in a number", 2},
        {"tru", "a value is expected", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_value value;
        struct json_error error;
        assert_int_equal(json_check(span_text(cases[i].text), 64, &value, &error), ERR_INVALID);
        assert_string_equal(error.what, cases[i].what);
        if (error.at != cases[i].at)
            fail_msg("%s: at %zu instead of %zu", cases[i].text, error.at, cases[i].at);
    }
}

/* What a string of `len` letters with `c` at `place` is refused for, and where; NULL: it is good. */
static const char *fault_of(uint8_t c, size_t place, size_t len, size_t *at)
{
    bool last = place + 1 == len;

    *at = place + (c == '"' || c == '\\' ? 2 : 1);
    if (c == '"')
        return "something follows the value";
    if (c == '\\' && last) /* escapes the closing quote */
        *at = len + 2;
    if (c == '\\')
        return last ? "unfinished string" : "unknown escape in a string";
    return c < 0x20    ? "control character in a string"
           : c >= 0x80 ? "invalid UTF-8 in a string"
                       : NULL;
}

static void check_byte(uint8_t c, size_t place, size_t len)
{
    size_t shift = (place + len) % 16, at;
    char *memory = malloc(shift + len + 2), *text = memory + shift;
    struct json_value value;
    struct json_error error = {0};

    assert_non_null(memory);
    memset(text, 'a', len + 2);
    text[0] = text[len + 1] = '"';
    text[1 + place] = (char)c;
    const char *fault = fault_of(c, place, len, &at);
    enum err e = json_check(span_of(text, len + 2), 1, &value, &error);
    assert_int_equal(e, fault ? ERR_INVALID : ERR_OK);
    if (fault) {
        assert_string_equal(error.what, fault);
        assert_int_equal(error.at, at);
    }
    free(memory);
}

static void each_byte_of_a_string_is_judged_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t len = 1; len < 50; len++)
        for (size_t place = 0; place < len; place++)
            for (unsigned c = 0; c < 256; c++)
                check_byte((uint8_t)c, place, len);
}

static void the_raw_extent_excludes_white_space_around_a_value(void **state)
{
    (void)state;
    check_text(accepted(" \r\n\t{ \"a\" : 1 } \n").raw, "{ \"a\" : 1 }");
    check_text(accepted(" -1.5E+3 ").raw, "-1.5E+3");
    check_text(accepted(" \"x\" ").raw, "\"x\"");
}

static void walking_an_object_yields_names_and_exact_extents(void **state)
{
    (void)state;
    static const struct {
        const char *name, *raw;
        enum json_type type;
        bool name_escaped, escaped;
    } expected[] = {
        {"eventType", "\"user.created\"", JSON_STRING, false, false},
        {"payload", "{ \"n\": 1.50, \"s\": \"}]\\\"\", \"x\":[[],{}] }", JSON_OBJECT, false, false},
        {"", "\"\\n\"", JSON_STRING, false, true},
        {"a\\u0062", "[1,[2]]", JSON_ARRAY, true, false},
        {"t", "true", JSON_BOOL, false, false},
        {"f", "false", JSON_BOOL, false, false},
        {"n", "null", JSON_NULL, false, false},
        {"i", "-0.1e5", JSON_NUMBER, false, false},
    };
    struct json_value value = accepted(
        "{\"eventType\":\"user.created\" , \"payload\" :\n{ \"n\": 1.50, \"s\": \"}]\\\"\", "
        "\"x\":[[],{}] },\"\":\"\\n\",\"a\\u0062\":[1,[2]],\"t\":true,\"f\":false ,"
        "\"n\":null,\"i\":-0.1e5 }");
    struct json_walk w = json_walk(value);
    struct span name;
    struct json_value item;

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(json_next(&w, &name, &item));
        check_text(name, expected[i].name);
        check_text(item.raw, expected[i].raw);
        assert_int_equal(item.type, expected[i].type);
        assert_int_equal(item.escaped, expected[i].escaped);
        assert_int_equal(w.name_escaped, expected[i].name_escaped);
    }
    assert_false(json_next(&w, &name, &item));
    assert_int_equal(check_parts(value), 17);
}

static void walking_an_array_yields_items_without_names(void **state)
{
    (void)state;
    struct json_walk w = json_walk(accepted("[ 1 ,\"a\",[ ] ]"));
    struct span name;
    struct json_value item;

    assert_true(json_next(&w, &name, &item));
    check_text(item.raw, "1");
    assert_int_equal(name.len, 0);
    assert_true(json_next(&w, &name, &item));
    check_text(item.raw, "\"a\"");
    assert_true(json_next(&w, &name, &item));
    check_text(item.raw, "[ ]");
    assert_false(json_next(&w, &name, &item));
    w = json_walk(accepted("{ }"));
    assert_false(json_next(&w, &name, &item));
}

/* The longest of a document's containers is found without a search, the others with one. */
static void every_container_has_its_exact_extent_wherever_the_longest_stands(void **state)
{
    (void)state;
    static const char *const members[] = {"{\"b\":[1,2,{}]}", "[]", "[[\"]\"],{\"}\":{}}]", "{}",
                                          "{\"b\":[1,2,{}]}"};
    for (unsigned first = 0; first < 5; first++) {
        struct buf text;
        buf_init(&text, 256);
        buf_text(&text, "[");
        for (unsigned i = 0; i < 5; i++) {
            buf_text(&text, i ? " , " : " ");
            buf_text(&text, members[(first + i) % 5]);
        }
        buf_text(&text, " ]");
        buf_char(&text, '\0');
        assert_false(text.failed);
        struct json_walk w = json_walk(accepted(text.ptr));
        struct span name;
        struct json_value item;
        for (unsigned i = 0; i < 5; i++) {
            assert_true(json_next(&w, &name, &item));
            assert_true(span_is(item.raw, members[(first + i) % 5]));
        }
        assert_false(json_next(&w, &name, &item));
        buf_free(&text);
    }
}

static void escapes_are_decoded_to_utf8(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041z\"", "aAz"},
        {"\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud834\\uDD1E!\"", "\xf0\x9d\x84\x9e!"},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
        {"\"\xc3\xa9\\n\"", "\xc3\xa9\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_int_equal(json_text(accepted(pairs[i][0]), &b), ERR_OK);
        check_text(buf_view(&b), pairs[i][1]);
        buf_free(&b);
    }
}

static void lone_surrogates_and_escaped_nuls_are_not_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\"\\ud800\"",        "\"\\udc00\"",   "\"\\ud800x\"",       "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"", "\"a\\u0000b\"", "\"\\udc00\\ud800\"", "1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf b;
        buf_init(&b, 100);
        if (!json_text(accepted(texts[i]), &b))
            fail_msg("%s was decoded", texts[i]);
        buf_free(&b);
    }
}

static void a_text_over_the_maximum_is_too_large(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 3);
    assert_int_equal(json_text(accepted("\"abcd\""), &b), ERR_TOO_LARGE);
    buf_free(&b);
}

static void plain_strings_are_borrowed_without_a_copy(void **state)
{
    (void)state;
    struct json_value value = accepted("\"abc\"");
    struct span text;

    assert_int_equal(json_plain(value, &text), ERR_OK);
    check_text(text, "abc");
    assert_ptr_equal(text.ptr, value.raw.ptr + 1);
    assert_int_equal(json_plain(accepted("\"a\\n\""), &text), ERR_INVALID);
    assert_int_equal(json_plain(accepted("1"), &text), ERR_INVALID);
}

static void integers_are_whole_and_within_their_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err e;
        int64_t v;
    } cases[] = {
        {"0", ERR_OK, 0},
        {"-0", ERR_OK, 0},
        {"-5", ERR_OK, -5},
        {"9223372036854775807", ERR_OK, INT64_MAX},
        {"-9223372036854775808", ERR_OK, INT64_MIN},
        {"9223372036854775808", ERR_INVALID, 0},
        {"-9223372036854775809", ERR_INVALID, 0},
        {"1.0", ERR_INVALID, 0},
        {"1e3", ERR_INVALID, 0},
        {"\"1\"", ERR_INVALID, 0},
        {"true", ERR_INVALID, 0},
    };
    int64_t v;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (json_int64(accepted(cases[i].text), INT64_MIN, INT64_MAX, &v) != cases[i].e)
            fail_msg("%s", cases[i].text);
        if (!cases[i].e)
            assert_true(v == cases[i].v);
    }
    assert_int_equal(json_int64(accepted("5"), 5, 5, &v), ERR_OK);
    assert_int_equal(json_int64(accepted("4"), 5, 9, &v), ERR_INVALID);
    assert_int_equal(json_int64(accepted("10"), 5, 9, &v), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_test_suite_is_judged_as_its_file_names_say),
        cmocka_unit_test(real_events_are_accepted_and_every_cut_of_them_refused),
        cmocka_unit_test(damaged_input_is_refused_or_walks_to_its_end),
        cmocka_unit_test(nesting_is_accepted_to_the_depth_and_no_deeper),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(each_byte_of_a_string_is_judged_wherever_it_stands),
        cmocka_unit_test(the_raw_extent_excludes_white_space_around_a_value),
        cmocka_unit_test(walking_an_object_yields_names_and_exact_extents),
        cmocka_unit_test(walking_an_array_yields_items_without_names),
        cmocka_unit_test(every_container_has_its_exact_extent_wherever_the_longest_stands),
        cmocka_unit_test(escapes_are_decoded_to_utf8),
        cmocka_unit_test(lone_surrogates_and_escaped_nuls_are_not_text),
        cmocka_unit_test(a_text_over_the_maximum_is_too_large),
        cmocka_unit_test(plain_strings_are_borrowed_without_a_copy),
        cmocka_unit_test(integers_are_whole_and_within_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
