/* The share of fresh deliveries of a lane that is behind. That none is lost or sent twice, the
 * model of lane_test.c and the simulator show. */
#include "lane_fixture.h"

#define LATE (100 * US_PER_S) /* when the oldest has been due for long */
#define BACKLOG 10000         /* numbers below it are of the backlog */

/* So many of the backlog are due since the start, one page of them is in memory. */
static void fall_behind(struct fixture *f, unsigned share)
{
    struct due_row rows[READY_MAX];
    f->lane->fresh_share = share;
    lane_due(f->lane, at(1), 11);
    for (uint32_t n = 0; n < READY_MAX; n++)
        rows[n] = row(n, 1 + n);
    lane_page(f->lane, f->held, rows, READY_MAX, at(1 + READY_MAX), 12, at(LATE));
}

static bool hand_fresh(struct fixture *f, uint32_t n)
{
    return hand(f, BACKLOG + n, LATE, 100 + n, LATE);
}

static bool is_fresh(const struct claim *c)
{
    const struct id first = id_of(BACKLOG);
    return id_cmp(&c->key.message, &first) >= 0;
}

static void a_share_of_the_attempts_is_fresh(void **state)
{
    struct fixture *f = *state;
    static const unsigned shares[] = {10, 25, 50, 90};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        unsigned fresh = 0, next = 0;
        f->lane->page_txn = 0;
        fall_behind(f, shares[s]);
        while (f->lane->ready > f->lane->fresh_ready) {
            while (hand_fresh(f, next))
                next++;
            struct claim *c = start(f);
            fresh += is_fresh(c);
            end(f, c, WALL_NEVER);
        }
        assert_in_range(fresh * (100 - shares[s]) / shares[s], READY_MAX - 10, READY_MAX + 10);
        while (f->lane->ready > 0)
            end(f, start(f), WALL_NEVER);
        f->lane->next_due = WALL_NEVER;
    }
}

static void the_list_of_fresh_ones_is_short_and_keeps_no_bodies(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 25); /* and cold */
    for (uint32_t n = 0; n < LANE_FRESH_MAX; n++)
        assert_true(hand_fresh(f, n));
    assert_false(hand_fresh(f, LANE_FRESH_MAX));
    assert_int_equal(f->bytes.used, 0);
    assert_int_equal(f->lane->ready, READY_MAX + LANE_FRESH_MAX);
}

static void a_burst_at_a_healthy_endpoint_keeps_its_order(void **state)
{
    struct fixture *f = *state;
    const int64_t now = LATE;
    f->lane->fresh_share = 25;
    for (uint32_t n = 0; n < READY_MAX; n++)
        assert_true(hand(f, n, now, 11 + n, now));
    assert_false(hand(f, READY_MAX, now, 200, now));     /* it turns cold, … */
    assert_false(hand(f, READY_MAX + 1, now, 201, now)); /* … but is not behind */
    assert_true(hand(f, READY_MAX + 2, now + LANE_BEHIND_US, 202, now + LANE_BEHIND_US));
    assert_int_equal(f->lane->fresh_ready, 1);
}

static void a_hot_lane_can_be_behind_too(void **state)
{
    struct fixture *f = *state;
    f->lane->fresh_share = 50;
    for (uint32_t n = 0; n < 20; n++)
        assert_true(hand(f, n, 100 + n, 11 + n, 1000));
    assert_true(hand_fresh(f, 0));
    assert_int_equal(f->lane->fresh_ready, 1);
    assert_true(f->lane->next_due.us == WALL_NEVER.us);
    end(f, start(f), WALL_NEVER);
    struct claim *c = start(f);
    assert_true(is_fresh(c));
    end(f, c, WALL_NEVER);
}

static void nothing_is_fresh_without_a_share(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 0);
    assert_false(hand_fresh(f, 0));
    f->lane->fresh_share = 25;
    lane_changed(f->lane); /* what the endpoint wants now is not known yet */
    assert_false(hand_fresh(f, 1));
}

static void nothing_is_fresh_for_one_that_sleeps_or_is_cut_off(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 25);
    f->lane->breaker.state = BREAKER_OPEN;
    assert_false(hand_fresh(f, 0));
    f->lane->breaker.state = BREAKER_CLOSED;
    lane_sleep(f->lane, f->held, &f->bytes);
    assert_false(hand_fresh(f, 1));
}

static void a_page_passes_over_what_is_held_as_fresh(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 25);
    assert_true(hand_fresh(f, 0));
    f->lane->fresh_share = 0;
    for (unsigned i = 0; i < READY_MAX; i++)
        end(f, start(f), WALL_NEVER);
    assert_true(lane_wants_page(f->lane, at(LATE)));
    struct due_row rows[] = {row(READY_MAX, 1 + READY_MAX), row(BACKLOG, LATE)};
    lane_page(f->lane, f->held, rows, 2, WALL_NEVER, 200, at(LATE));
    assert_int_equal(f->lane->ready, 2);
    assert_int_equal(f->lane->fresh_ready, 1);
    assert_true(f->lane->fresh.first->again.us == WALL_NEVER.us);
}

static void what_goes_back_to_the_disk_comes_with_its_page(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 25);
    assert_true(hand_fresh(f, 0));
    lane_unready(f->lane, f->held, &f->bytes);
    assert_int_equal(f->lane->ready, 0);
    assert_int_equal(f->lane->fresh_ready, 0);
    assert_int_equal(held_count(f->held), 0);
    assert_int_equal(f->lane->next_due.us, 1);
    struct due_row rows[] = {row(0, 1), row(BACKLOG, LATE)};
    lane_page(f->lane, f->held, rows, 2, WALL_NEVER, 200, at(LATE));
    assert_int_equal(f->lane->ready, 2);
    assert_int_equal(f->lane->fresh_ready, 0);
}

static void a_retry_of_a_fresh_one_is_no_longer_fresh(void **state)
{
    struct fixture *f = *state;
    fall_behind(f, 90);
    assert_true(hand_fresh(f, 0));
    struct claim *c;
    while (!is_fresh(c = start(f)))
        end(f, c, WALL_NEVER);
    end(f, c, at(LATE + 1));
    assert_int_equal(f->lane->fresh_ready, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_share_of_the_attempts_is_fresh),
        TEST(the_list_of_fresh_ones_is_short_and_keeps_no_bodies),
        TEST(a_burst_at_a_healthy_endpoint_keeps_its_order),
        TEST(a_hot_lane_can_be_behind_too),
        TEST(nothing_is_fresh_without_a_share),
        TEST(nothing_is_fresh_for_one_that_sleeps_or_is_cut_off),
        TEST(a_page_passes_over_what_is_held_as_fresh),
        TEST(what_goes_back_to_the_disk_comes_with_its_page),
        TEST(a_retry_of_a_fresh_one_is_no_longer_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
