/* The exposition is read back line by line, as a scraper does (text format 0.0.4). */
#include "admin/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct store_stats store;
static struct dispatcher_stats dispatcher;
static struct http_stats http;
static struct metrics_moment moment;

static struct buf written(const struct http_stats *server)
{
    struct buf out;
    struct metrics_sources from = {
        .store = &store, .dispatcher = &dispatcher, .http = server, .moment = &moment};
    buf_init(&out, 256 * 1024);
    metrics_write(&from, &out);
    assert_false(out.failed);
    return out;
}

static int fresh(void **state)
{
    (void)state;
    memset(&store, 0, sizeof store);
    memset(&dispatcher, 0, sizeof dispatcher);
    memset(&http, 0, sizeof http);
    memset(&moment, 0, sizeof moment);
    histogram_init(&store.commit_us, 50);
    histogram_init(&store.commit_rows, 1);
    histogram_init(&dispatcher.attempt_us, 100);
    histogram_init(&dispatcher.queued_us, 100);
    histogram_init(&http.request_us, 100);
    return 0;
}

static bool name_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    return letter || (!first && c >= '0' && c <= '9');
}

/* name{label="value"} number */
static void expect_sample(struct span line, struct span family)
{
    size_t n = 0;
    while (n < line.len && name_char(line.ptr[n], n == 0))
        n++;
    assert_true(n >= family.len && span_starts(line, family));
    struct span rest = span_skip(line, n);
    if (rest.len && rest.ptr[0] == '{') {
        const char *end = memchr(rest.ptr, '}', rest.len);
        assert_non_null(end);
        assert_true(end[-1] == '"' && end[1] == ' ');
        rest = span_skip(rest, (size_t)(end - rest.ptr) + 1);
    }
    assert_true(rest.len > 1 && rest.ptr[0] == ' ');
    char text[64], *stop;
    assert_true(rest.len < sizeof text);
    memcpy(text, rest.ptr, rest.len);
    text[rest.len] = '\0';
    assert_true(strtod(text, &stop) >= 0);
    assert_string_equal(stop, "");
}

static void every_line_is_help_type_or_a_sample_of_its_family(void **state)
{
    (void)state;
    struct buf out = written(&http);
    struct span rest = buf_view(&out);
    struct span family = {0};
    unsigned families = 0;
    while (rest.ptr && rest.len) {
        struct span line = span_cut(&rest, '\n');
        if (span_starts(line, SPAN("# HELP "))) {
            line = span_skip(line, 7);
            family = span_cut(&line, ' ');
            assert_true(line.len > 0);
            struct span type = span_cut(&rest, '\n');
            assert_true(span_starts(type, SPAN("# TYPE ")));
            type = span_skip(type, 7);
            assert_true(span_eq(span_cut(&type, ' '), family));
            assert_true(span_is(type, "counter") || span_is(type, "gauge") ||
                        span_is(type, "histogram"));
            families++;
            continue;
        }
        expect_sample(line, family);
    }
    assert_true(families > 20);
    assert_int_equal(out.ptr[out.len - 1], '\n');
    buf_free(&out);
}

static void no_family_appears_twice(void **state)
{
    (void)state;
    struct buf out = written(&http);
    for (char *at = out.ptr; (at = strstr(at, "# TYPE ")); at++) {
        char line[160];
        size_t len = strcspn(at + 7, " ") + 8;
        assert_true(len < sizeof line);
        memcpy(line, at, len);
        line[len] = '\0';
        assert_null(strstr(at + 1, line));
    }
    buf_free(&out);
}

static void figures_come_from_their_counters_in_their_unit(void **state)
{
    (void)state;
    counter_add(&store.accepted, 12345678901234u);
    counter_add(&dispatcher.attempts[ATTEMPT_TIMEOUT], 3);
    counter_add(&http.refused[REFUSED_FULL], 4);
    counter_add(&moment.oldest_due_us, 1500000);
    struct buf out = written(&http);
    assert_non_null(strstr(out.ptr, "\nsurehook_messages_accepted_total 12345678901234\n"));
    assert_non_null(strstr(out.ptr, "\nsurehook_attempts_total{outcome=\"timeout\"} 3\n"));
    assert_non_null(strstr(out.ptr, "\nsurehook_http_refused_total{reason=\"full\"} 4\n"));
    assert_non_null(strstr(out.ptr, "\nsurehook_oldest_due_age_seconds 1.5\n"));
    buf_free(&out);
}

static void buckets_are_cumulative_and_end_at_infinity_with_the_count(void **state)
{
    (void)state;
    histogram_add(&store.commit_us, 40);
    histogram_add(&store.commit_us, 70);
    histogram_add(&store.commit_us, 3600 * US_PER_S);
    struct buf out = written(NULL);
    assert_non_null(strstr(out.ptr, "\nsurehook_commit_seconds_bucket{le=\"5e-05\"} 1\n"
                                    "surehook_commit_seconds_bucket{le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(out.ptr, "\nsurehook_commit_seconds_bucket{le=\"+Inf\"} 3\n"
                                    "surehook_commit_seconds_sum 3600.00011\n"
                                    "surehook_commit_seconds_count 3\n"));
    buf_free(&out);
}

static void without_a_server_its_metrics_are_left_out(void **state)
{
    (void)state;
    struct buf out = written(NULL);
    assert_null(strstr(out.ptr, "surehook_http_"));
    buf_free(&out);
}

static void the_process_is_measured(void **state)
{
    (void)state;
    metrics_measure(&moment);
    assert_true(counter_get(&moment.resident_bytes) > 100 * 1024);
    assert_true(counter_get(&moment.open_files) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_line_is_help_type_or_a_sample_of_its_family, fresh),
        cmocka_unit_test_setup(no_family_appears_twice, fresh),
        cmocka_unit_test_setup(figures_come_from_their_counters_in_their_unit, fresh),
        cmocka_unit_test_setup(buckets_are_cumulative_and_end_at_infinity_with_the_count, fresh),
        cmocka_unit_test_setup(without_a_server_its_metrics_are_left_out, fresh),
        cmocka_unit_test_setup(the_process_is_measured, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
