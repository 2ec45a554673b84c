/* The circuit breaker: what opens it, who may go meanwhile, and what closes it. */
#include "dispatcher/breaker.h"

#include "base/bounds.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S US_PER_S
#define EPOCH INT64_C(1700000000000000)

static const struct breaker_policy policy = {.attempts = 4,
                                             .waits = {.count = 3, .us = {10 * S, 20 * S, 60 * S}}};
static const struct result good = {ATTEMPT_SUCCESS, 200, -1}, sick = {ATTEMPT_STATUS, 503, -1};

static struct wall wall_at(int64_t s)
{
    return (struct wall){EPOCH + s * S};
}

/* An attempt that ends `s` seconds after the epoch. */
static struct breaker_event event_at(const struct result *r, uint32_t probe, int64_t s)
{
    return (struct breaker_event){
        .result = r, .probe = probe, .ended = wall_at(s), .now = {1 + s * S}};
}

static bool observe(struct breaker *b, const struct result *r, uint32_t probe, int64_t s)
{
    const struct breaker_event event = event_at(r, probe, s);
    return breaker_observe(b, &policy, &event);
}

static struct breaker opened(void)
{
    struct breaker b = {.state = BREAKER_CLOSED};
    for (int i = 0; i < 4; i++)
        assert_int_equal(observe(&b, &sick, 0, 0), i == 3);
    assert_int_equal(b.state, BREAKER_OPEN);
    return b;
}

static void each_outcome_is_a_sign_or_none(void **state)
{
    (void)state;
    static const struct {
        struct result result;
        enum breaker_sign sign;
    } rows[] = {
        {{ATTEMPT_SUCCESS, 200, -1}, SIGN_ALIVE}, {{ATTEMPT_STATUS, 301, -1}, SIGN_ALIVE},
        {{ATTEMPT_STATUS, 400, -1}, SIGN_ALIVE},  {{ATTEMPT_STATUS, 410, -1}, SIGN_ALIVE},
        {{ATTEMPT_STATUS, 429, -1}, SIGN_ALIVE},  {{ATTEMPT_STATUS, 499, -1}, SIGN_ALIVE},
        {{ATTEMPT_STATUS, 500, -1}, SIGN_SICK},   {{ATTEMPT_STATUS, 503, -1}, SIGN_SICK},
        {{ATTEMPT_STATUS, 599, -1}, SIGN_SICK},   {{ATTEMPT_REFUSED, 0, -1}, SIGN_SICK},
        {{ATTEMPT_TIMEOUT, 0, -1}, SIGN_SICK},    {{ATTEMPT_TIMEOUT, 200, -1}, SIGN_SICK},
        {{ATTEMPT_DNS, 0, -1}, SIGN_SICK},        {{ATTEMPT_TLS, 0, -1}, SIGN_SICK},
        {{ATTEMPT_BLOCKED, 0, -1}, SIGN_SICK},    {{ATTEMPT_PROTOCOL, 0, -1}, SIGN_SICK},
        {{ATTEMPT_INTERNAL, 0, -1}, SIGN_NONE},   {{ATTEMPT_PROXY, 0, -1}, SIGN_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(breaker_sign(&rows[i].result), rows[i].sign);
}

static void it_opens_when_half_of_enough_attempts_were_sick(void **state)
{
    (void)state;
    static const struct {
        const char *attempts; /* of one moment: + alive, - sick, . neither */
        bool opens;           /* at the last of them, and never before */
    } rows[] = {
        {"-", false},         {"---", false},    {"----", true},   {"--+-", true},
        {"++--", true},       {"+++-", false},   {"+++--", false}, {"+++---", true},
        {"...-..-.-", false}, {"-..-.--", true}, {"++++", false},  {"--++", false},
        {"--++-", true},
    };
    static const struct result internal = {ATTEMPT_INTERNAL, 0, -1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct breaker b = {.state = BREAKER_CLOSED};
        for (const char *c = rows[i].attempts; *c; c++) {
            const struct result *r = *c == '+' ? &good : *c == '-' ? &sick : &internal;
            assert_int_equal(observe(&b, r, 0, 0), rows[i].opens && !c[1]);
        }
        assert_int_equal(b.state, rows[i].opens ? BREAKER_OPEN : BREAKER_CLOSED);
    }
}

static void failures_further_apart_than_the_window_do_not_open_it(void **state)
{
    (void)state;
    struct breaker b = {.state = BREAKER_CLOSED};
    for (int i = 0; i < 100; i++)
        assert_false(observe(&b, &sick, 0, i * 61));
    for (int i = 0; i < 100; i++)
        assert_false(observe(&b, &sick, 0, 10000 + i * 31));
}

static void a_policy_without_attempts_or_waits_never_opens(void **state)
{
    (void)state;
    const struct breaker_policy never[] = {{.attempts = 0, .waits = policy.waits},
                                           {.attempts = 1, .waits = {.count = 0}}};
    for (int p = 0; p < 2; p++) {
        struct breaker b = {.state = BREAKER_CLOSED};
        const struct breaker_mark kept = {.opened_at = wall_at(0), .probe_at = wall_at(9)};
        for (int i = 0; i < 50; i++) {
            const struct breaker_event event = event_at(&sick, 0, 0);
            assert_false(breaker_observe(&b, &never[p], &event));
        }
        breaker_restore(&b, &never[p], &kept, wall_at(0));
        assert_true(breaker_lets(&b, wall_at(0)));
    }
}

static void while_open_nothing_goes_until_the_probe_and_then_it_alone(void **state)
{
    (void)state;
    struct breaker b = opened();
    assert_int_equal(b.mark.cause, ATTEMPT_STATUS);
    assert_int_equal(b.mark.status, 503);
    assert_int_equal(b.mark.opened_at.us, wall_at(0).us);
    assert_int_equal(b.mark.probe_at.us, wall_at(10).us);
    assert_int_equal(breaker_wake_at(&b).us, wall_at(10).us);
    assert_false(breaker_lets(&b, (struct wall){wall_at(10).us - 1}));
    assert_true(breaker_lets(&b, wall_at(10)));
    assert_true(breaker_begin(&b) != 0);
    assert_false(breaker_lets(&b, wall_at(1000)));
    assert_int_equal(breaker_wake_at(&b).us, WALL_NEVER.us);
    assert_int_equal(breaker_begin(&b), 0);
}

static void one_answered_probe_closes_it_whatever_the_answer(void **state)
{
    (void)state;
    static const struct result refused = {ATTEMPT_STATUS, 400, -1};
    const struct result *answers[] = {&good, &refused};
    for (int i = 0; i < 2; i++) {
        struct breaker b = opened();
        assert_true(observe(&b, answers[i], breaker_begin(&b), 12));
        assert_int_equal(b.state, BREAKER_CLOSED);
        assert_int_equal(b.mark.opened_at.us, 0);
        for (int n = 0; n < 3; n++)
            assert_false(observe(&b, &sick, 0, 12)); /* the window began anew */
        assert_true(observe(&b, &sick, 0, 12));
    }
}

static void each_sick_probe_waits_longer_up_to_the_last_wait(void **state)
{
    (void)state;
    static const int64_t waits[] = {20, 60, 60, 60};
    struct breaker b = opened();
    int64_t now = 10;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_true(observe(&b, &sick, breaker_begin(&b), now));
        assert_int_equal(b.mark.probe_at.us, wall_at(now + waits[i]).us);
        assert_int_equal(b.mark.probes, i + 1);
        assert_int_equal(b.mark.opened_at.us, wall_at(0).us);
        now += waits[i];
    }
}

static void a_wait_lies_between_half_and_all_of_its_step(void **state)
{
    (void)state;
    assert_int_equal(breaker_wait_us(&policy, 0, 0), 10 * S);
    assert_int_equal(breaker_wait_us(&policy, 0, 0.5), 7500000);
    for (unsigned probes = 0; probes < 9; probes++) {
        int64_t step = policy.waits.us[probes < 2 ? probes : 2];
        assert_in_range(breaker_wait_us(&policy, probes, 0.999), step / 2, step);
    }
}

static void retry_after_puts_the_probe_off_and_never_forward(void **state)
{
    (void)state;
    static const int64_t asked[] = {5, 3600};
    for (int i = 0; i < 2; i++) {
        struct breaker b = {.state = BREAKER_CLOSED};
        struct breaker_event event = event_at(&sick, 0, 0);
        event.not_before = wall_at(asked[i]);
        for (int n = 0; n < 4; n++)
            breaker_observe(&b, &policy, &event);
        assert_int_equal(b.mark.probe_at.us, wall_at(i == 0 ? 10 : 3600).us);
    }
}

static void what_was_sent_before_it_opened_says_nothing(void **state)
{
    (void)state;
    struct breaker b = opened();
    const struct breaker_mark mark = b.mark;
    assert_false(observe(&b, &good, 0, 1));
    assert_false(observe(&b, &sick, 0, 1));
    uint32_t probe = breaker_begin(&b);
    assert_false(observe(&b, &good, 0, 11));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_true(breaker_mark_same(&mark, &b.mark));
    assert_true(observe(&b, &good, probe, 11));
}

static void a_probe_that_says_nothing_lets_the_next_go_at_once(void **state)
{
    (void)state;
    static const struct result internal = {ATTEMPT_INTERNAL, 0, -1};
    struct breaker b = opened();
    uint32_t first = breaker_begin(&b);
    assert_false(observe(&b, &internal, first, 11));
    assert_true(breaker_lets(&b, wall_at(11)));
    uint32_t second = breaker_begin(&b);
    assert_true(second != first);
    breaker_lost(&b, first);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    breaker_lost(&b, second);
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void a_probe_of_before_a_reset_is_none_of_after(void **state)
{
    (void)state;
    struct breaker b = opened();
    uint32_t old = breaker_begin(&b);
    breaker_reset(&b);
    for (int i = 0; i < 4; i++)
        observe(&b, &sick, 0, 20);
    uint32_t fresh = breaker_begin(&b);
    assert_false(observe(&b, &good, old, 31));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_true(observe(&b, &good, fresh, 31));
}

static void what_was_kept_is_open_again_and_waits_no_longer_than_a_wait_can_be(void **state)
{
    (void)state;
    struct breaker half = opened(), b = {.state = BREAKER_CLOSED};
    breaker_begin(&half);
    breaker_restore(&b, &policy, &half.mark, wall_at(3));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.mark.probe_at.us, wall_at(10).us);
    struct breaker_mark far = half.mark;
    far.probe_at = wall_at(400 * 86400);
    breaker_restore(&b, &policy, &far, wall_at(3));
    assert_int_equal(b.mark.probe_at.us, wall_at(3 + RETRY_AFTER_MAX_S).us);
    breaker_restore(&b, &policy, &(struct breaker_mark){.probes = 0}, wall_at(3));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* ---------------------------------------------------------------- properties */

#define UNDER_WAY 8

/* An endpoint under random load: attempts begin when the breaker lets them, and end in any order,
 * also long after they began. */
struct world {
    struct rng rng;
    struct breaker breaker;
    struct {
        bool busy;
        uint32_t probe;
    } attempts[UNDER_WAY];
    int64_t now; /* seconds */
};

static void begin_some(struct world *w)
{
    for (int i = 0; i < UNDER_WAY; i++) {
        if (w->attempts[i].busy || rng_unit(&w->rng) < 0.5 ||
            !breaker_lets(&w->breaker, wall_at(w->now)))
            continue;
        bool closed = w->breaker.state == BREAKER_CLOSED;
        w->attempts[i].busy = true;
        w->attempts[i].probe = breaker_begin(&w->breaker);
        assert_int_equal(w->attempts[i].probe == 0, closed);
    }
}

static void end_one(struct world *w, int i)
{
    static const struct result internal = {ATTEMPT_INTERNAL, 0, -1};
    double dice = rng_unit(&w->rng);
    const struct result *r = dice < 0.6 ? &sick : dice < 0.95 ? &good : &internal;
    struct breaker_event event = event_at(r, w->attempts[i].probe, w->now);
    enum breaker_state before = w->breaker.state;
    bool probe = event.probe && event.probe == w->breaker.probe && before == BREAKER_HALF_OPEN;
    event.unit = rng_unit(&w->rng);
    bool moved = breaker_observe(&w->breaker, &policy, &event);
    w->attempts[i].busy = false;
    if (before != BREAKER_CLOSED && !probe)
        assert_false(moved); /* only the probe decides */
    if (moved && w->breaker.state == BREAKER_OPEN)
        assert_true(w->breaker.mark.probe_at.us >= event.ended.us + 5 * S);
    if (moved && before == BREAKER_CLOSED)
        assert_ptr_equal(r, &sick);
}

static void expect_sound(const struct world *w)
{
    unsigned probes = 0;
    for (int i = 0; i < UNDER_WAY; i++)
        probes += w->attempts[i].busy && w->attempts[i].probe == w->breaker.probe &&
                  w->attempts[i].probe != 0;
    if (w->breaker.state == BREAKER_HALF_OPEN)
        assert_int_equal(probes, 1);
    assert_true(probes <= 1);
    assert_int_equal(w->breaker.mark.opened_at.us == 0, w->breaker.state == BREAKER_CLOSED);
    assert_int_equal(w->breaker.mark.probe_at.us == 0, w->breaker.state == BREAKER_CLOSED);
}

static void whatever_happens_there_is_one_probe_and_it_alone_decides(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct world w = {.now = 0};
        rng_seed(&w.rng, seed);
        for (int step = 0; step < 200; step++) {
            w.now += (int64_t)(rng_unit(&w.rng) * 8);
            begin_some(&w);
            expect_sound(&w);
            int i = (int)(rng_unit(&w.rng) * UNDER_WAY);
            if (w.attempts[i].busy)
                end_one(&w, i);
            if (rng_unit(&w.rng) < 0.002)
                breaker_reset(&w.breaker);
        }
    }
}

static void it_always_gets_well_once_the_endpoint_is(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct world w = {.now = 0};
        rng_seed(&w.rng, seed);
        for (int step = 0; step < 100; step++) {
            begin_some(&w);
            end_one(&w, step % UNDER_WAY);
            w.now += 7;
        }
        while (w.breaker.state != BREAKER_CLOSED) {
            struct wall wake = breaker_wake_at(&w.breaker);
            if (wake.us != WALL_NEVER.us)
                w.now = (wake.us - EPOCH) / S + 1;
            uint32_t probe = breaker_begin(&w.breaker);
            observe(&w.breaker, &good, probe ? probe : w.breaker.probe, w.now);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_outcome_is_a_sign_or_none),
        cmocka_unit_test(it_opens_when_half_of_enough_attempts_were_sick),
        cmocka_unit_test(failures_further_apart_than_the_window_do_not_open_it),
        cmocka_unit_test(a_policy_without_attempts_or_waits_never_opens),
        cmocka_unit_test(while_open_nothing_goes_until_the_probe_and_then_it_alone),
        cmocka_unit_test(one_answered_probe_closes_it_whatever_the_answer),
        cmocka_unit_test(each_sick_probe_waits_longer_up_to_the_last_wait),
        cmocka_unit_test(a_wait_lies_between_half_and_all_of_its_step),
        cmocka_unit_test(retry_after_puts_the_probe_off_and_never_forward),
        cmocka_unit_test(what_was_sent_before_it_opened_says_nothing),
        cmocka_unit_test(a_probe_that_says_nothing_lets_the_next_go_at_once),
        cmocka_unit_test(a_probe_of_before_a_reset_is_none_of_after),
        cmocka_unit_test(what_was_kept_is_open_again_and_waits_no_longer_than_a_wait_can_be),
        cmocka_unit_test(whatever_happens_there_is_one_probe_and_it_alone_decides),
        cmocka_unit_test(it_always_gets_well_once_the_endpoint_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
