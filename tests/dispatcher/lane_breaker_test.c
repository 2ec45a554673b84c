/* What an open breaker holds back, and how its probe goes. */
#include "lane_fixture.h"

#define NOW 1000
#define WAIT (10 * US_PER_S)

static const struct breaker_policy policy = {.attempts = 2, .waits = {.count = 1, .us = {WAIT}}};
static const struct result good = {ATTEMPT_SUCCESS, 200, -1}, sick = {ATTEMPT_REFUSED, 0, -1};

/* Ends an attempt made with that version; returns what the store is told. *opened: the breaker
 * opened. */
static struct outcome_op judge_version(struct fixture *f, struct claim *c, uint64_t version,
                                       const struct result *r, int64_t now, bool *opened)
{
    struct outcome_op op = {.health = HEALTH_SAME, .endpoint_version = version};
    struct breaker_event event = {.result = r, .ended = at(now), .now = {now}};
    *opened = lane_judge(f->lane, c, &policy, &event, &op);
    return op;
}

/* With the endpoint as it is. */
static struct outcome_op judge(struct fixture *f, struct claim *c, const struct result *r,
                               int64_t now, bool *opened)
{
    return judge_version(f, c, f->lane->version, r, now, opened);
}

static struct outcome_op end_with(struct fixture *f, const struct result *r, int64_t now)
{
    bool opened;
    struct claim *c = start(f);
    struct outcome_op op = judge(f, c, r, now, &opened);
    if (opened)
        lane_unready(f->lane, f->held, &f->bytes);
    end(f, c, WALL_NEVER);
    return op;
}

/* Two sick attempts, with three more deliveries in memory. */
static void open_breaker(struct fixture *f)
{
    for (uint32_t n = 1; n <= 5; n++)
        assert_true(hand_bytes(f, n, NOW, 10 + n, NOW, 100));
    assert_int_equal(end_with(f, &sick, NOW).health, HEALTH_FAILED);
    const struct outcome_op op = end_with(f, &sick, NOW);
    assert_int_equal(op.health, HEALTH_FAILED);
    assert_int_equal(op.failures, 2);
    assert_int_equal(op.breaker.probe_at.us, NOW + WAIT);
}

static void read_page_at(struct fixture *f, int64_t now)
{
    const struct due_row rows[] = {row(3, NOW), row(4, NOW), row(5, NOW)};
    assert_true(lane_wants_page(f->lane, at(now)));
    lane_page(f->lane, f->held, rows, 3, WALL_NEVER, 20, at(now));
}

static void when_it_opens_memory_is_given_back_and_the_lane_sleeps_until_the_probe(void **state)
{
    struct fixture *f = *state;
    open_breaker(f);
    assert_int_equal(lane_held(f->lane), 0);
    assert_int_equal(f->bytes.used, 0);
    assert_int_equal(f->lane->next_due.us, NOW);
    assert_false(lane_can_go(f->lane, at(NOW + WAIT - 1)));
    assert_int_equal(lane_wake_at(f->lane).us, NOW + WAIT);
    assert_true(lane_can_go(f->lane, at(NOW + WAIT)));
}

static void a_failed_proxy_says_nothing_of_the_endpoint(void **state)
{
    struct fixture *f = *state;
    static const struct result failed = {ATTEMPT_PROXY, 0, -1};
    for (uint32_t n = 1; n <= 5; n++)
        assert_true(hand_bytes(f, n, NOW, 10 + n, NOW, 100));
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_with(f, &failed, NOW).health, HEALTH_SAME);
    assert_int_equal(f->lane->breaker.state, BREAKER_CLOSED);
    assert_int_equal(f->lane->failures, 0);
}

static void while_it_is_open_hand_offs_stay_on_disk(void **state)
{
    struct fixture *f = *state;
    open_breaker(f);
    read_page_at(f, NOW + WAIT);
    lane_unready(f->lane, f->held, &f->bytes);
    f->lane->next_due = WALL_NEVER; /* as if nothing were due any more: the lane were hot */
    assert_false(hand(f, 6, NOW + WAIT, 30, NOW + WAIT));
    assert_int_equal(f->lane->next_due.us, NOW + WAIT);
}

static void the_probe_goes_alone_and_its_success_lets_the_rest_go(void **state)
{
    struct fixture *f = *state;
    bool opened;
    open_breaker(f);
    read_page_at(f, NOW + WAIT);
    struct claim *probe = start(f);
    assert_true(probe->probe != 0);
    assert_false(lane_has_room(f->lane, at(NOW + WAIT)));
    assert_int_equal(lane_wake_at(f->lane).us, WALL_NEVER.us);
    const struct outcome_op op = judge(f, probe, &good, NOW + WAIT, &opened);
    assert_false(opened);
    assert_int_equal(op.health, HEALTH_WORKS);
    assert_int_equal(op.breaker.opened_at.us, 0);
    end(f, probe, WALL_NEVER);
    assert_true(lane_can_go(f->lane, at(NOW + WAIT)));
}

static void a_sick_probe_opens_it_again(void **state)
{
    struct fixture *f = *state;
    open_breaker(f);
    read_page_at(f, NOW + WAIT);
    const struct outcome_op op = end_with(f, &sick, NOW + WAIT);
    assert_int_equal(op.breaker.probes, 1);
    assert_int_equal(op.breaker.probe_at.us, NOW + 2 * WAIT);
    assert_int_equal(lane_held(f->lane), 0);
    assert_int_equal(lane_wake_at(f->lane).us, NOW + 2 * WAIT);
}

static void a_probe_that_is_abandoned_leaves_its_place_to_another(void **state)
{
    struct fixture *f = *state;
    open_breaker(f);
    read_page_at(f, NOW + WAIT);
    struct claim *probe = start(f);
    assert_false(lane_can_go(f->lane, at(NOW + WAIT)));
    lane_abandon(f->lane, f->held, probe, &f->bytes);
    assert_true(lane_can_go(f->lane, at(NOW + WAIT)));
    probe = start(f);
    end(f, probe, WALL_NEVER); /* refused: an outcome without an attempt */
    assert_true(lane_can_go(f->lane, at(NOW + WAIT)));
}

static void no_token_is_asked_for_before_the_breaker_lets(void **state)
{
    struct fixture *f = *state;
    const struct mono now = {NOW + WAIT};
    lane_set_rates(f->lane, 1, NULL, (struct mono){NOW});
    open_breaker(f);
    assert_false(lane_has_room(f->lane, at(NOW)));
    read_page_at(f, NOW + WAIT);
    assert_true(lane_has_room(f->lane, at(NOW + WAIT)));
    assert_true(lane_has_token(f->lane, at(NOW + WAIT), now));
    assert_int_equal(f->lane->breaker.state, BREAKER_OPEN); /* asking begins no probe */
}

static void a_success_is_told_only_when_there_was_a_failure(void **state)
{
    struct fixture *f = *state;
    static const struct result refused = {ATTEMPT_STATUS, 404, -1};
    for (uint32_t n = 1; n <= 4; n++)
        assert_true(hand(f, n, NOW, 10 + n, NOW));
    assert_int_equal(end_with(f, &good, NOW).health, HEALTH_SAME);
    assert_int_equal(end_with(f, &refused, NOW).health, HEALTH_FAILED);
    assert_int_equal(end_with(f, &good, NOW).health, HEALTH_WORKS);
    assert_int_equal(end_with(f, &good, NOW).health, HEALTH_SAME);
}

static void what_waits_for_the_breaker_is_not_overdue(void **state)
{
    struct fixture *f = *state;
    assert_true(hand(f, 9, NOW, 11, NOW));
    assert_int_equal(lane_oldest_due(f->lane, at(NOW)).us, NOW);
    assert_true(hand(f, 8, NOW, 12, NOW));
    end_with(f, &sick, NOW);
    end_with(f, &sick, NOW);
    lane_due(f->lane, at(NOW), 13);
    assert_int_equal(lane_oldest_due(f->lane, at(NOW)).us, WALL_NEVER.us);
}

static void a_clock_that_is_set_moves_the_probe_along(void **state)
{
    struct fixture *f = *state;
    open_breaker(f);
    lane_clock_moved(f->lane, -500);
    assert_int_equal(lane_wake_at(f->lane).us, NOW + WAIT - 500);
}

static void a_changed_endpoint_closes_it_unless_the_store_keeps_it_open(void **state)
{
    struct fixture *f = *state;
    const struct endpoint_health well = {.failures = 0};
    const struct endpoint_health failing = {
        .failing_since = at(NOW),
        .failures = 2,
        .breaker = {.opened_at = at(NOW), .probe_at = at(NOW + WAIT)}};
    lane_set_health(f->lane, &well, 1, &policy, at(NOW));
    open_breaker(f);
    lane_set_health(f->lane, &well, 1, &policy, at(NOW)); /* the same version: memory is newer */
    assert_int_equal(f->lane->breaker.state, BREAKER_OPEN);
    lane_set_health(f->lane, &failing, 2, &policy, at(NOW));
    assert_int_equal(f->lane->breaker.state, BREAKER_OPEN);
    assert_int_equal(f->lane->failures, 2);
    lane_set_health(f->lane, &well, 3, &policy, at(NOW));
    assert_int_equal(f->lane->breaker.state, BREAKER_CLOSED);
    assert_int_equal(f->lane->failures, 0);
}

/* A probe under way with version 1 of the endpoint, of which version 2 has that health. */
static struct claim *probe_across_a_change(struct fixture *f, const struct endpoint_health *health)
{
    static const struct endpoint_health well;
    lane_set_health(f->lane, &well, 1, &policy, at(NOW));
    open_breaker(f);
    read_page_at(f, NOW + WAIT);
    struct claim *probe = start(f);
    lane_set_health(f->lane, health, 2, &policy, at(NOW + WAIT));
    return probe;
}

static void a_probe_counts_though_the_endpoint_was_changed_under_it(void **state)
{
    struct fixture *f = *state;
    bool opened;
    const struct endpoint_health failing = {
        .failing_since = at(NOW),
        .failures = 2,
        .breaker = {.opened_at = at(NOW), .probe_at = at(NOW + WAIT)}};
    struct claim *probe = probe_across_a_change(f, &failing);
    assert_false(breaker_lets(&f->lane->breaker, at(NOW + WAIT)));
    const struct outcome_op op = judge_version(f, probe, 1, &sick, NOW + WAIT, &opened);
    assert_true(opened);
    assert_int_equal(op.health, HEALTH_FAILED);
    assert_int_equal(op.endpoint_version, 2);
    assert_int_equal(op.breaker.probe_at.us, NOW + 2 * WAIT);
    lane_unready(f->lane, f->held, &f->bytes);
    end(f, probe, WALL_NEVER);
    assert_int_equal(lane_wake_at(f->lane).us, NOW + 2 * WAIT);
}

static void a_probe_of_what_a_change_has_cured_says_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct endpoint_health well;
    bool opened;
    struct claim *probe = probe_across_a_change(f, &well);
    assert_true(breaker_lets(&f->lane->breaker, at(NOW + WAIT)));
    const struct outcome_op op = judge_version(f, probe, 1, &sick, NOW + WAIT, &opened);
    assert_int_equal(op.health, HEALTH_SAME);
    assert_int_equal(op.endpoint_version, 1);
    assert_int_equal(f->lane->breaker.state, BREAKER_CLOSED);
    assert_int_equal(f->lane->breaker.now.attempts, 0);
    end(f, probe, WALL_NEVER);
}

static void an_attempt_from_before_a_change_says_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct endpoint_health well;
    bool opened;
    lane_set_health(f->lane, &well, 1, &policy, at(NOW));
    assert_true(hand(f, 1, NOW, 11, NOW));
    struct claim *c = start(f);
    lane_set_health(f->lane, &well, 2, &policy, at(NOW));
    assert_int_equal(judge_version(f, c, 1, &sick, NOW, &opened).health, HEALTH_SAME);
    assert_int_equal(f->lane->failures, 0);
    end(f, c, WALL_NEVER);
}

static void who_was_left_open_is_doubtful_until_it_is_changed(void **state)
{
    struct fixture *f = *state;
    static const struct endpoint_health well;
    const struct endpoint_health kept = {
        .failing_since = at(NOW), .failures = 7, .breaker = {.opened_at = at(NOW)}};
    assert_int_equal(f->lane->trust, TRUST_NEW);
    lane_set_health(f->lane, &kept, 5, &policy, at(NOW));
    assert_int_equal(f->lane->trust, TRUST_DOUBTFUL);
    lane_set_health(f->lane, &kept, 6, &policy, at(NOW));
    assert_int_equal(f->lane->trust, TRUST_DOUBTFUL);
    lane_set_health(f->lane, &well, 7, &policy, at(NOW));
    assert_int_equal(f->lane->trust, TRUST_NEW);
}

static void a_new_lane_takes_what_was_kept(void **state)
{
    struct fixture *f = *state;
    const struct endpoint_health kept = {
        .failing_since = at(NOW),
        .failures = 7,
        .breaker = {.opened_at = at(NOW), .probe_at = at(NOW + WAIT), .probes = 3},
    };
    lane_set_health(f->lane, &kept, 5, &policy, at(NOW));
    assert_int_equal(f->lane->failures, 7);
    lane_due(f->lane, at(NOW), 11);
    assert_int_equal(lane_wake_at(f->lane).us, NOW + WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(when_it_opens_memory_is_given_back_and_the_lane_sleeps_until_the_probe),
        TEST(a_failed_proxy_says_nothing_of_the_endpoint),
        TEST(while_it_is_open_hand_offs_stay_on_disk),
        TEST(the_probe_goes_alone_and_its_success_lets_the_rest_go),
        TEST(a_sick_probe_opens_it_again),
        TEST(a_probe_that_is_abandoned_leaves_its_place_to_another),
        TEST(no_token_is_asked_for_before_the_breaker_lets),
        TEST(a_success_is_told_only_when_there_was_a_failure),
        TEST(what_waits_for_the_breaker_is_not_overdue),
        TEST(a_clock_that_is_set_moves_the_probe_along),
        TEST(a_changed_endpoint_closes_it_unless_the_store_keeps_it_open),
        TEST(a_probe_counts_though_the_endpoint_was_changed_under_it),
        TEST(a_probe_of_what_a_change_has_cured_says_nothing),
        TEST(an_attempt_from_before_a_change_says_nothing),
        TEST(who_was_left_open_is_doubtful_until_it_is_changed),
        TEST(a_new_lane_takes_what_was_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
