/* Log lines, read back from the descriptor that stderr stands for during a test. */
#include "base/log.h"

#include "tests/base/check.h"

#include <unistd.h>

struct capture {
    int real_stderr;
    int pipe[2];
};

static int begin(void **state)
{
    static struct capture c;

    if (pipe(c.pipe) != 0)
        return -1;
    c.real_stderr = dup(STDERR_FILENO);
    clock_fake((struct wall){INT64_C(1767323045123456)}, (struct mono){1});
    log_setup(LOG_INFO, LOG_TEXT);
    *state = &c;
    return dup2(c.pipe[1], STDERR_FILENO) < 0;
}

static int end(void **state)
{
    struct capture *c = *state;

    dup2(c->real_stderr, STDERR_FILENO);
    close(c->real_stderr);
    close(c->pipe[0]);
    close(c->pipe[1]);
    clock_real();
    return 0;
}

/* One read(2): what one write(2) put into the pipe. */
static struct span read_once(struct capture *c)
{
    static char text[65536];
    ssize_t got = read(c->pipe[0], text, sizeof text);

    return span_of(text, got > 0 ? (size_t)got : 0);
}

static void a_line_has_time_level_event_and_fields(void **state)
{
    static const struct id id;

    log_info("attempt", LOG_ID("msg", ID_MESSAGE, &id), LOG_INT("status", -1),
             LOG_SPAN("host", SPAN("example.com")), LOG_END);
    check_text(read_once(*state), "2026-01-02T03:04:05.123456Z info attempt "
                                  "msg=msg_000000000000000000000000000 status=-1 "
                                  "host=example.com\n");
}

static void values_that_are_not_bare_words_are_quoted(void **state)
{
    log_warn("x", LOG_TEXT_FIELD("a", "two words"), LOG_TEXT_FIELD("b", ""),
             LOG_TEXT_FIELD("c", "line\nbreak"), LOG_TEXT_FIELD("d", "k=v"),
             LOG_TEXT_FIELD("e", NULL), LOG_TEXT_FIELD("f", "\xff"), LOG_END);
    check_text(read_once(*state), "2026-01-02T03:04:05.123456Z warn x a=\"two words\" b=\"\" "
                                  "c=\"line\\nbreak\" d=\"k=v\" e=\"\" f=\"\xef\xbf\xbd\"\n");
}

static void lines_under_the_level_are_not_written(void **state)
{
    log_debug("quiet", LOG_END);
    log_error("loud", LOG_END);
    check_text(read_once(*state), "2026-01-02T03:04:05.123456Z error loud\n");
    assert_false(log_on(LOG_DEBUG));
    assert_true(log_on(LOG_WARN));
}

static void the_json_format_is_one_object_a_line(void **state)
{
    static const struct id id;

    log_setup(LOG_DEBUG, LOG_JSON);
    log_debug("x", LOG_TEXT_FIELD("a", "\"\n"), LOG_INT("n", 5), LOG_ID("app", ID_APP, &id),
              LOG_END);
    check_text(read_once(*state),
               "{\"time\":\"2026-01-02T03:04:05.123456Z\",\"level\":\"debug\",\"event\":\"x\","
               "\"a\":\"\\\"\\n\",\"n\":5,\"app\":\"app_000000000000000000000000000\"}\n");
}

static void a_long_value_is_cut(void **state)
{
    static char long_value[100000];

    memset(long_value, 'x', sizeof long_value);
    log_info("x", LOG_SPAN("a", span_of(long_value, sizeof long_value)), LOG_INT("b", 1), LOG_END);
    struct span line = read_once(*state);
    assert_in_range(line.len, 1000, 2000);
    check_text(span_skip(line, line.len - 7), "xx b=1\n");
}

static void a_line_over_its_bound_loses_its_fields_but_is_whole(void **state)
{
    static char controls[1000];
    struct log_field fields[21] = {0};

    memset(controls, 1, sizeof controls);
    for (int i = 0; i < 20; i++)
        fields[i] = LOG_SPAN("a", span_of(controls, sizeof controls));
    log_line(LOG_ERROR, "x", fields);
    check_text(read_once(*state), "2026-01-02T03:04:05.123456Z error x\n");
}

int main(void)
{
#define WITH_CAPTURE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_CAPTURE(a_line_has_time_level_event_and_fields),
        WITH_CAPTURE(values_that_are_not_bare_words_are_quoted),
        WITH_CAPTURE(lines_under_the_level_are_not_written),
        WITH_CAPTURE(the_json_format_is_one_object_a_line),
        WITH_CAPTURE(a_long_value_is_cut),
        WITH_CAPTURE(a_line_over_its_bound_loses_its_fields_but_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
