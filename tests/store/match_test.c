#include "store/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct span a = SPAN("a"), b = SPAN("b"), ab = SPAN("ab"), none = {0};

static void an_endpoint_takes_what_its_types_and_channels_ask_for(void **state)
{
    (void)state;
    const struct {
        unsigned filters, rule_channels, channels;
        struct span filter, rule_channel, type, channel;
        bool takes;
    } rows[] = {
        {0, 0, 0, none, none, a, none, true}, /* no rule takes everything */
        {1, 0, 0, a, none, a, none, true},    /* the type is asked for */
        {1, 0, 0, a, none, b, none, false},
        {1, 0, 0, a, none, ab, none, false}, /* a prefix is not the name */
        {1, 0, 0, ab, none, a, none, false},
        {0, 1, 0, none, a, a, none, false}, /* a message without channels meets none */
        {0, 1, 1, none, a, b, a, true},
        {0, 1, 1, none, a, b, b, false},
        {0, 0, 1, none, none, a, b, true}, /* no channel rule takes every channel */
        {1, 1, 1, a, b, a, b, true},       /* both must hold */
        {1, 1, 1, a, b, b, b, false},
        {1, 1, 1, a, b, a, a, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct match_rule rule = {rows[i].filters, &rows[i].filter, rows[i].rule_channels,
                                        &rows[i].rule_channel};
        const struct match_subject subject = {rows[i].type, rows[i].channels, &rows[i].channel};
        assert_int_equal(match(&rule, &subject), rows[i].takes);
    }
}

static void one_of_many_is_enough(void **state)
{
    (void)state;
    const struct span many[] = {a, ab, b}, other[] = {SPAN("x"), b};
    const struct match_rule rule = {3, many, 3, many};
    const struct match_subject meets = {b, 2, other}, misses = {b, 1, other};
    assert_true(match(&rule, &meets));
    assert_false(match(&rule, &misses));
}

static void a_place_to_play_is_known_by_its_host_alone(void **state)
{
    (void)state;
    const struct {
        const char *url;
        bool play;
    } rows[] = {
        {"https://play.svix.com/in/e_1/", true},
        {"https://api.play.svix.com:443/in/e_1/", true},
        {"http://play.svix.com/in/e_1/", false}, /* it has no such door */
        {"https://play.svix.com.example/in/", false},
        {"https://display.svix.com/in/", false},
        {"https://user@play.svix.com/in/", false},
        {"https://example.com/https://play.svix.com/", false},
        {"https:", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(match_play(span_text(rows[i].url)), rows[i].play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_takes_what_its_types_and_channels_ask_for),
        cmocka_unit_test(one_of_many_is_enough),
        cmocka_unit_test(a_place_to_play_is_known_by_its_host_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
