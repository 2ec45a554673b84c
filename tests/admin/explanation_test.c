/* Every rule and every reason to wait by table, and the answer that is made of them. */
#include "admin/explanation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW ((struct wall){INT64_C(1700000000000000)})
#define BEFORE ((struct wall){NOW.us - US_PER_S})
#define AFTER ((struct wall){NOW.us + US_PER_S})
#define LATER ((struct wall){NOW.us + 2 * US_PER_S})

/* An endpoint that takes everything, and a message of yesterday's second that is due. */
struct scene {
    struct app app;
    struct endpoint endpoint;
    struct endpoint_health health;
    struct message message;
    struct delivery delivery;
    struct attempt attempt;
    struct attempt *attempts[1];
    struct span filter;
    struct explanation x;
};

static struct scene *scene_set(struct scene *s)
{
    *s = (struct scene){
        .endpoint = {.number = 7, .created = BEFORE, .updated = BEFORE},
        .message = {.created = BEFORE, .event_type = SPAN("a.b")},
        .delivery = {.state = DELIVERY_SCHEDULED, .created = BEFORE, .due = BEFORE},
        .attempt = {.number = 2, .outcome = ATTEMPT_STATUS, .status = 503, .started = BEFORE},
    };
    s->attempts[0] = &s->attempt;
    s->x = (struct explanation){.now = NOW,
                                .app = &s->app,
                                .endpoint = &s->endpoint,
                                .health = &s->health,
                                .message = &s->message,
                                .delivery = &s->delivery,
                                .attempts = s->attempts,
                                .waiting = 3};
    return s;
}

/* ---------------------------------------------------------------- rules */

static void each_rule_is_told(void **state)
{
    (void)state;
    static const struct rule_case {
        bool delivery, types, channels, disabled;
        const char *type, *channel; /* of the message */
        uint32_t only;
        int64_t endpoint_created, endpoint_updated; /* after the message */
        enum explanation_rule expected;
    } cases[] = {
        {true, false, false, false, "a.b", NULL, 0, -1, -1, RULE_EVERY},
        {true, true, false, false, "a.b", NULL, 0, -1, -1, RULE_TYPE},
        {true, false, true, false, "a.b", "red", 0, -1, -1, RULE_CHANNEL},
        {true, true, true, false, "a.b", "red", 0, -1, -1, RULE_CHANNEL},
        {true, true, true, false, "a.b", NULL, 7, -1, -1, RULE_ADDRESSED},
        {true, true, false, false, "a.c", NULL, 0, -1, 1, RULE_BEFORE},
        {true, false, true, true, "a.b", NULL, 0, -1, 1, RULE_BEFORE},
        {false, false, false, false, "a.b", NULL, 8, 1, 1, RULE_NOT_ADDRESSED},
        {false, true, false, true, "a.c", NULL, 0, 1, 1, RULE_CREATED_AFTER},
        {false, true, false, true, "a.c", NULL, 0, -1, 1, RULE_DISABLED},
        {false, true, true, false, "a.c", NULL, 0, -1, -1, RULE_NOT_TYPE},
        {false, true, true, false, "a.b", NULL, 0, -1, -1, RULE_NOT_CHANNEL},
        {false, false, true, false, "a.b", "blue", 0, -1, -1, RULE_NOT_CHANNEL},
        {false, true, true, false, "a.b", "red", 0, -1, 1, RULE_CHANGED},
        {false, true, true, false, "a.b", "red", 0, -1, -1, RULE_FAN_OUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rule_case *c = &cases[i];
        struct scene s;
        scene_set(&s);
        s.filter = SPAN("a.b");
        s.endpoint.filters = &s.filter;
        s.endpoint.filter_count = c->types;
        s.endpoint.channel_count = c->channels;
        s.endpoint.channels[0] = SPAN("red");
        s.endpoint.disabled = c->disabled;
        s.endpoint.created = wall_add(s.message.created, c->endpoint_created);
        s.endpoint.updated = wall_add(s.message.created, c->endpoint_updated);
        s.message.event_type = span_text(c->type);
        s.message.channel_count = c->channel != NULL;
        s.message.channels[0] = span_text(c->channel);
        s.message.only_endpoint = c->only;
        if (!c->delivery)
            s.x.delivery = NULL;
        if (explanation_rule(&s.x) != c->expected)
            fail_msg("case %zu: rule %d", i, (int)explanation_rule(&s.x));
    }
}

static void manual_attempts_alone_make_no_match(void **state)
{
    (void)state;
    struct scene s;
    scene_set(&s)->delivery.state = DELIVERY_NONE;
    assert_int_equal(explanation_rule(&s.x), RULE_CHANGED);
    s.endpoint.created = AFTER;
    assert_int_equal(explanation_rule(&s.x), RULE_CREATED_AFTER);
}

/* ---------------------------------------------------------------- waiting */

static void expect_next(const struct scene *s, enum explanation_wait wait, struct wall at)
{
    const struct explanation_next next = explanation_next(&s->x);
    assert_int_equal(next.wait, wait);
    assert_int_equal(next.at.us, at.us);
}

/* Each is put on top of those before it and hides them. */
static void each_reason_to_wait_is_told_before_those_that_end_later(void **state)
{
    (void)state;
    const struct wall none = {0};
    struct scene s;
    scene_set(&s);
    expect_next(&s, WAIT_TURN, none);
    s.x.live = (struct live){LIVE_RATE, AFTER};
    expect_next(&s, WAIT_RATE, AFTER);
    s.x.live = (struct live){LIVE_LIMIT, none};
    expect_next(&s, WAIT_LIMIT, none);
    s.x.live = (struct live){LIVE_REST, AFTER};
    expect_next(&s, WAIT_REST, AFTER);
    s.x.live = (struct live){LIVE_BREAKER, LATER};
    expect_next(&s, WAIT_BREAKER, LATER);
    s.delivery.due = AFTER;
    expect_next(&s, WAIT_DELIVER_AT, AFTER);
    s.delivery.state = DELIVERY_RETRYING;
    expect_next(&s, WAIT_RETRY, AFTER);
    s.health.breaker = (struct breaker_mark){.opened_at = BEFORE, .probe_at = BEFORE};
    expect_next(&s, WAIT_RETRY, AFTER);
    s.health.breaker.probe_at = LATER;
    expect_next(&s, WAIT_BREAKER, LATER);
    s.delivery.held = true;
    expect_next(&s, WAIT_ORDER, none);
    s.endpoint.paused = true;
    expect_next(&s, WAIT_PAUSED, none);
    s.endpoint.disabled = true;
    expect_next(&s, WAIT_DISABLED, none);
    s.x.live = (struct live){LIVE_FLYING, none};
    expect_next(&s, WAIT_DISABLED, none); /* what flew has landed: the next is not due */
    s.delivery.held = false;
    s.delivery.due = BEFORE;
    expect_next(&s, WAIT_OUTCOME, none);
    s.x.live.kind = LIVE_ENDING;
    expect_next(&s, WAIT_OUTCOME, none);
    s.delivery.state = DELIVERY_DELIVERED;
    expect_next(&s, WAIT_NOTHING, none);
}

static void a_moment_that_has_come_is_not_told_as_one_that_comes(void **state)
{
    (void)state;
    struct scene s;
    scene_set(&s)->health.breaker = (struct breaker_mark){.opened_at = BEFORE, .probe_at = BEFORE};
    expect_next(&s, WAIT_BREAKER, (struct wall){0});
    s.health.breaker = (struct breaker_mark){.probe_at = {0}};
    s.x.live = (struct live){LIVE_RATE, BEFORE};
    expect_next(&s, WAIT_RATE, (struct wall){0});
}

static void a_manual_attempt_comes_whatever_the_state_and_the_order(void **state)
{
    (void)state;
    for (int at = DELIVERY_SCHEDULED; at <= DELIVERY_NONE; at++) {
        struct scene s;
        scene_set(&s)->delivery.state = (enum delivery_state)at;
        s.delivery.held = true;
        s.delivery.manual_due = BEFORE;
        expect_next(&s, WAIT_TURN, (struct wall){0});
        assert_true(explanation_next(&s.x).manual);
        s.endpoint.paused = true;
        expect_next(&s, WAIT_PAUSED, (struct wall){0});
    }
}

static void nothing_comes_for_what_has_ended_or_does_not_match(void **state)
{
    (void)state;
    struct scene s;
    scene_set(&s);
    for (int at = DELIVERY_DELIVERED; at <= DELIVERY_NONE; at++) {
        s.delivery.state = (enum delivery_state)at;
        s.x.live = (struct live){LIVE_TURN, {0}};
        expect_next(&s, WAIT_NOTHING, (struct wall){0});
    }
    s.x.delivery = NULL;
    expect_next(&s, WAIT_FAN_OUT, (struct wall){0});
    s.endpoint.updated = NOW;
    expect_next(&s, WAIT_NOTHING, (struct wall){0});
}

/* ---------------------------------------------------------------- words */

static char *answer_of(const struct scene *s)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 16 * 1024);
    jw_init(&w, &out);
    explanation_out(&w, &s->x);
    jw_finish(&w);
    char *text = buf_take(&out, NULL);
    assert_non_null(text);
    return text;
}

static void expect_has(const struct scene *s, const char *part)
{
    char *text = answer_of(s);
    if (!strstr(text, part))
        fail_msg("%s\nis not in\n%s", part, text);
    free(text);
}

static void a_retry_is_told_in_words(void **state)
{
    (void)state;
    struct scene s;
    scene_set(&s)->delivery.state = DELIVERY_RETRYING;
    s.delivery.due = AFTER;
    s.x.attempt_count = 1;
    expect_has(&s,
               "\"summary\":\"Not delivered yet: attempt 2 got status 503, and the next is due at "
               "2023-11-14T22:13:21.000000Z.\"");
    expect_has(&s, "\"next\":{\"what\":\"retry\",\"at\":\"2023-11-14T22:13:21.000000Z\","
                   "\"triggerType\":0,\"waitsFor\":null,\"why\":\"Attempt 2 got status 503, and ");
    s.attempt.status = 0;
    s.attempt.outcome = ATTEMPT_TIMEOUT;
    expect_has(&s, "\"why\":\"Attempt 2 failed (timeout), and ");
    s.x.attempt_count = 0;
    s.delivery.tries = 2;
    expect_has(&s, "\"why\":\"Attempt 2 failed, and ");
}

static void every_state_rule_and_reason_makes_a_whole_answer(void **state)
{
    (void)state;
    for (int at = DELIVERY_SCHEDULED; at <= DELIVERY_NONE; at++)
        for (int kind = LIVE_UNKNOWN; kind <= LIVE_LIMIT; kind++)
            for (int reason = REASON_NONE; reason <= REASON_CANCELED; reason++) {
                struct scene s;
                scene_set(&s)->delivery.state = (enum delivery_state)at;
                s.delivery.reason = (enum delivery_reason)reason;
                s.delivery.replayed = BEFORE;
                s.x.attempt_count = 1;
                s.x.more_attempts = true;
                s.x.live = (struct live){(enum live_kind)kind, AFTER};
                expect_has(&s, "\"what\":\"replayed\"");
                expect_has(&s, at == DELIVERY_DEAD ? "\"replay\",\"resend\"]" : "\"can\":[");
                expect_has(&s, "\"what\":\"earlier_attempts\"");
            }
}

static void a_rate_names_whose_it_is(void **state)
{
    (void)state;
    struct scene s;
    scene_set(&s)->x.live = (struct live){LIVE_RATE, AFTER};
    s.endpoint.throttle_rate = 5;
    expect_has(&s, "Not delivered yet: the endpoint's rate of 5 a second holds it back.");
    s.app.throttle_rate = 9;
    expect_has(&s,
               "the endpoint's rate of 5 a second or the application's rate of 9 a second holds");
}

static void names_are_there_for_each_value(void **state)
{
    (void)state;
    assert_string_equal(explanation_wait_name(WAIT_TURN - 1), "turn");
    assert_string_equal(explanation_wait_name(WAIT_RETRY - 1), "retry");
    assert_null(explanation_wait_name(WAIT_TURN));
    assert_string_equal(explanation_rule_name(RULE_NOT_ADDRESSED), "not_addressed");
    assert_string_equal(explanation_rule_name(RULE_FAN_OUT), "fan_out");
    assert_null(explanation_rule_name(RULE_FAN_OUT + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_told),
        cmocka_unit_test(manual_attempts_alone_make_no_match),
        cmocka_unit_test(each_reason_to_wait_is_told_before_those_that_end_later),
        cmocka_unit_test(a_moment_that_has_come_is_not_told_as_one_that_comes),
        cmocka_unit_test(a_manual_attempt_comes_whatever_the_state_and_the_order),
        cmocka_unit_test(nothing_comes_for_what_has_ended_or_does_not_match),
        cmocka_unit_test(a_retry_is_told_in_words),
        cmocka_unit_test(every_state_rule_and_reason_makes_a_whole_answer),
        cmocka_unit_test(a_rate_names_whose_it_is),
        cmocka_unit_test(names_are_there_for_each_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
