/* What a lane says of a delivery, and who frees an inquiry. */
#include "lane_fixture.h"

#include "dispatcher/inquiry.h"

#define NOW 1000
#define LATER 2000

static struct claim *take(struct fixture *f)
{
    assert_true(hand_bytes(f, 1, NOW, 11, NOW, 100));
    const struct id message = id_of(1);
    struct claim *c = held_find(f->held, ENDPOINT, &message);
    assert_non_null(c);
    return c;
}

static void expect(const struct fixture *f, const struct claim *c, enum live_kind kind,
                   int64_t until)
{
    const struct live live = inquiry_look(f->lane, c, at(NOW));
    assert_int_equal(live.kind, kind);
    assert_int_equal(live.until.us, until);
}

/* Each is put on top of those before it and hides them. */
static void a_lane_says_what_must_end_first(void **state)
{
    struct fixture *f = *state;
    const struct claim *c = take(f);
    expect(f, c, LIVE_TURN, 0);
    f->lane->token_at = at(LATER);
    expect(f, c, LIVE_RATE, LATER);
    f->lane->in_flight = limit_allowed(&f->lane->limit);
    expect(f, c, LIVE_LIMIT, 0);
    f->lane->rest_until = at(LATER + 1);
    expect(f, c, LIVE_REST, LATER + 1);
    f->lane->breaker.state = BREAKER_OPEN;
    f->lane->breaker.mark.probe_at = at(LATER + 2);
    expect(f, c, LIVE_BREAKER, LATER + 2);
    f->lane->breaker.state = BREAKER_HALF_OPEN;
    expect(f, c, LIVE_BREAKER, 0);
    f->lane->asleep = true;
    expect(f, c, LIVE_ASLEEP, 0);
    f->lane->in_flight = 0;
}

static void what_has_come_holds_nothing_back(void **state)
{
    struct fixture *f = *state;
    f->lane->token_at = f->lane->rest_until = at(NOW);
    f->lane->breaker.state = BREAKER_OPEN;
    f->lane->breaker.mark.probe_at = at(NOW);
    expect(f, NULL, LIVE_TURN, 0);
}

static void an_attempt_is_under_way_until_its_outcome_is_stored(void **state)
{
    struct fixture *f = *state;
    take(f);
    struct claim *c = lane_pop(f->lane);
    lane_start(f->lane, c);
    f->lane->rest_until = at(LATER);
    expect(f, c, LIVE_FLYING, 0);
    lane_settle(f->lane, c, &f->bytes);
    expect(f, c, LIVE_ENDING, 0);
    lane_settled(f->lane, f->held, c, WALL_NEVER);
    expect(f, NULL, LIVE_REST, LATER);
}

static void an_endpoint_without_a_lane_is_free_to_go(void **state)
{
    (void)state;
    assert_int_equal(inquiry_look(NULL, NULL, at(NOW)).kind, LIVE_TURN);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

/* Under the address sanitizer this finds what is freed twice, too early or never. */
static void an_inquiry_outlives_whoever_lets_go_first(void **state)
{
    (void)state;
    const struct id message = id_of(1);
    const struct live rest = {LIVE_REST, at(LATER)};
    int calls = 0;
    struct inquiry *q = inquiry_new(&message, ENDPOINT, count_call, &calls);
    assert_int_equal(inquiry_end(&q).kind, LIVE_UNKNOWN);
    assert_null(q);

    q = inquiry_new(&message, ENDPOINT, count_call, &calls);
    inquiry_answer(inquiry_of_mail(inquiry_mail(q)), rest);
    assert_int_equal(calls, 1);
    assert_int_equal(inquiry_end(&q).until.us, LATER);

    q = inquiry_new(&message, ENDPOINT, count_call, &calls);
    struct inquiry *asked = inquiry_of_mail(inquiry_mail(q));
    assert_int_equal(inquiry_end(&q).kind, LIVE_UNKNOWN);
    inquiry_answer(asked, rest);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lane_says_what_must_end_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_come_holds_nothing_back, setup, teardown),
        cmocka_unit_test_setup_teardown(an_attempt_is_under_way_until_its_outcome_is_stored, setup,
                                        teardown),
        cmocka_unit_test(an_endpoint_without_a_lane_is_free_to_go),
        cmocka_unit_test(an_inquiry_outlives_whoever_lets_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
