/* How the rates of an endpoint and of its application hold a lane back. */
#include "lane_fixture.h"

static struct mono mono_at(int64_t us)
{
    return (struct mono){us};
}

static bool has_token(struct fixture *f, int64_t now)
{
    return lane_has_token(f->lane, at(now), mono_at(now));
}

static void begin_attempt(struct fixture *f, int64_t now)
{
    assert_true(has_token(f, now));
    struct claim *c = start(f);
    lane_take_token(f->lane, mono_at(now));
    end(f, c, WALL_NEVER);
}

static void a_lane_without_a_token_sleeps_until_the_next(void **state)
{
    struct fixture *f = *state;
    lane_set_rates(f->lane, 10, NULL, mono_at(1000));
    assert_true(hand(f, 1, 1000, 11, 1000));
    assert_true(hand(f, 2, 1000, 12, 1000));
    begin_attempt(f, 1000);
    assert_false(has_token(f, 1000));
    assert_false(lane_can_go(f->lane, at(1000)));
    assert_int_equal(lane_wake_at(f->lane).us, 101000);
    assert_true(lane_can_go(f->lane, at(101000)));
    begin_attempt(f, 101000);
}

static void asking_for_a_token_takes_none(void **state)
{
    struct fixture *f = *state;
    lane_set_rates(f->lane, 1, NULL, mono_at(1000));
    assert_true(hand(f, 1, 1000, 11, 1000));
    for (int i = 0; i < 5; i++)
        assert_true(has_token(f, 1000));
    struct claim *c = lane_pop(f->lane); /* refused without an attempt */
    lane_abandon(f->lane, f->held, c, &f->bytes);
    assert_true(has_token(f, 1000));
}

static void pages_are_read_while_the_lane_waits_for_a_token(void **state)
{
    struct fixture *f = *state;
    lane_set_rates(f->lane, 1, NULL, mono_at(1000));
    assert_true(hand(f, 1, 1000, 11, 1000));
    assert_true(hand(f, 2, 1000, 12, 1000));
    begin_attempt(f, 1000);
    assert_false(has_token(f, 1000));
    lane_due(f->lane, at(5000), 13);
    assert_int_equal(lane_wake_at(f->lane).us, 5000);
    assert_true(lane_can_go(f->lane, at(5000)));
    struct due_row rows[] = {row(3, 5000)};
    lane_page(f->lane, f->held, rows, 1, WALL_NEVER, 13, at(5000));
    assert_false(lane_can_go(f->lane, at(5000)));
    assert_int_equal(lane_wake_at(f->lane).us, 1001000);
}

static void a_wait_for_a_token_outlasts_no_change_and_no_clock(void **state)
{
    struct fixture *f = *state;
    lane_set_rates(f->lane, 1, NULL, mono_at(1000));
    assert_true(hand(f, 1, 1000, 11, 1000));
    assert_true(hand(f, 2, 1000, 12, 1000));
    begin_attempt(f, 1000);
    assert_false(has_token(f, 1000));
    lane_clock_moved(f->lane, -500);
    assert_int_equal(lane_wake_at(f->lane).us, 1000500);
    lane_changed(f->lane);
    assert_false(f->lane->rated);
    f->lane->changed = false;
    assert_true(lane_can_go(f->lane, at(1000)));
    lane_set_rates(f->lane, 1000, NULL, mono_at(1000));
    assert_false(has_token(f, 1000));
    assert_int_equal(lane_wake_at(f->lane).us, 2000);
}

static void the_endpoint_s_rate_is_asked_before_the_application_s(void **state)
{
    struct fixture *f = *state;
    struct throttles all;
    assert_true(throttles_init(&all));
    struct throttle *throttle = throttle_get(&all, 1, 100, 1, mono_at(1000));
    lane_set_rates(f->lane, 1, throttle, mono_at(1000));
    for (uint32_t n = 0; n < 3; n++)
        assert_true(hand(f, n, 1000, 11 + n, 1000));
    begin_attempt(f, 1000);
    assert_false(f->lane->reservation.held);
    assert_false(has_token(f, 1000));
    assert_false(f->lane->reservation.held);
    assert_true(has_token(f, 1001000));
    assert_true(f->lane->reservation.held);
    lane_set_rates(f->lane, 0, NULL, mono_at(1001000));
    assert_true(has_token(f, 1001000));
    throttles_clear(&all);
}

static void what_waits_for_a_token_keeps_no_body_in_memory(void **state)
{
    struct fixture *f = *state;
    lane_set_rates(f->lane, 1, NULL, mono_at(1000));
    assert_true(hand(f, 1, 1000, 11, 1000));
    assert_true(f->bytes.used > 0);
    begin_attempt(f, 1000);
    assert_int_equal(f->bytes.used, 0);
    assert_false(has_token(f, 1000));
    assert_true(hand_bytes(f, 2, 1000, 12, 1000, 100000));
    assert_int_equal(f->bytes.used, 0);
    assert_null(f->lane->backlog.first->message);
    begin_attempt(f, 1001000);
}

static void what_waits_at_a_doubtful_endpoint_keeps_no_body_in_memory(void **state)
{
    struct fixture *f = *state;
    f->lane->trust = TRUST_DOUBTFUL;
    assert_true(hand_bytes(f, 1, 1000, 11, 1000, 100000));
    assert_int_equal(f->bytes.used, 0);
    f->lane->trust = trust_after(f->lane->trust, true);
    assert_true(hand_bytes(f, 2, 1000, 12, 1000, 100000));
    assert_true(f->bytes.used >= 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lane_without_a_token_sleeps_until_the_next),
        TEST(asking_for_a_token_takes_none),
        TEST(pages_are_read_while_the_lane_waits_for_a_token),
        TEST(a_wait_for_a_token_outlasts_no_change_and_no_clock),
        TEST(the_endpoint_s_rate_is_asked_before_the_application_s),
        TEST(what_waits_for_a_token_keeps_no_body_in_memory),
        TEST(what_waits_at_a_doubtful_endpoint_keeps_no_body_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
