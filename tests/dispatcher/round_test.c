/* Whose turn it is: among applications, then among the endpoints of one. */
#include "dispatcher/round.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY 10000

struct fixture {
    struct round round;
    struct round_member *members; /* MANY of one application, then one of another */
    uint64_t bytes[2];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_true(round_init(&f->round));
    f->members = calloc(MANY + 1, sizeof *f->members);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i <= MANY; i++)
        round_leave(&f->round, &f->members[i]);
    assert_int_equal(map_count(f->round.by_app), 0);
    round_clear(&f->round);
    free(f->members);
    free(f);
    return 0;
}

static void join_all(struct fixture *f)
{
    for (unsigned i = 0; i <= MANY; i++) {
        assert_true(round_join(&f->round, &f->members[i], i < MANY ? 1 : 2));
        round_add(&f->round, &f->members[i], ROUND_QUICK);
    }
}

/* One sends a body of so many bytes; which application it was. */
static unsigned go(struct fixture *f, enum round_pool pool, const uint64_t bytes[2])
{
    struct round_member *m = round_next(&f->round, pool);
    const unsigned app = m == &f->members[MANY];
    round_charge(&f->round, m, bytes[app]);
    f->bytes[app] += bytes[app] + TURN_OVERHEAD;
    return app;
}

static void ten_thousand_endpoints_have_the_share_of_one(void **state)
{
    struct fixture *f = *state;
    static const uint64_t sizes[][2] = {{1024, 1024}, {200, 1 << 20}, {1 << 20, 200}, {0, 5000}};
    join_all(f);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        memset(f->bytes, 0, sizeof f->bytes);
        for (int i = 0; i < 60000; i++)
            go(f, ROUND_QUICK, sizes[s]);
        assert_in_range(f->bytes[0] * 100 / f->bytes[1], 90, 111);
    }
}

static void nobody_waits_for_more_than_a_round_of_applications(void **state)
{
    struct fixture *f = *state;
    const uint64_t bytes[2] = {1024, 1024};
    uint64_t since = 0;
    join_all(f);
    for (int i = 0; i < 50000; i++) {
        since = go(f, ROUND_QUICK, bytes) ? 0 : since + 1024 + TURN_OVERHEAD;
        assert_in_range(since, 0, ROUND_ALLOWANCE + 1024 + TURN_OVERHEAD);
    }
}

/* One attempt at a time: it leaves after each and comes back a little later. */
static void who_joins_anew_for_each_attempt_waits_for_two_rounds_at_most(void **state)
{
    struct fixture *f = *state;
    const uint64_t bytes[2] = {1024, 1024};
    struct round_member *lone = &f->members[MANY];
    uint64_t since = 0;
    struct rng rng;
    rng_seed(&rng, 3);
    join_all(f);
    for (int i = 0; i < 50000; i++) {
        const unsigned app = go(f, ROUND_QUICK, bytes);
        since += app || !lone->turn.in ? 0 : 1024 + TURN_OVERHEAD;
        assert_in_range(since, 0, 2 * (ROUND_ALLOWANCE + 1024 + TURN_OVERHEAD));
        if (app) {
            since = 0;
            round_remove(&f->round, lone);
        } else if (rng_unit(&rng) < 0.2) {
            round_add(&f->round, lone, ROUND_QUICK);
        }
    }
}

static void the_endpoints_of_one_application_share_its_turns(void **state)
{
    struct fixture *f = *state;
    unsigned turns[5] = {0};
    for (unsigned i = 0; i < 5; i++) {
        round_join(&f->round, &f->members[i], 1);
        round_add(&f->round, &f->members[i], ROUND_QUICK);
    }
    for (int i = 0; i < 50000; i++) {
        struct round_member *m = round_next(&f->round, ROUND_QUICK);
        round_charge(&f->round, m, 100);
        turns[m - f->members]++;
    }
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(turns[i], 9900, 10100);
}

static void those_of_unknown_applications_share_the_turns_of_one(void **state)
{
    struct fixture *f = *state;
    const uint64_t bytes[2] = {0, 0};
    for (unsigned i = 0; i < MANY; i++)
        round_add(&f->round, &f->members[i], ROUND_QUICK);
    round_join(&f->round, &f->members[MANY], 2);
    round_add(&f->round, &f->members[MANY], ROUND_QUICK);
    for (int i = 0; i < 20000; i++)
        go(f, ROUND_QUICK, bytes);
    assert_in_range(f->bytes[0] * 100 / f->bytes[1], 95, 106);
    /* Joining takes one out; known once, its application stays. */
    assert_true(round_join(&f->round, &f->members[0], 1));
    assert_false(f->members[0].turn.in);
    assert_false(round_join(&f->round, &f->members[0], 2));
}

static void the_pools_are_rounds_of_their_own(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 4; i++) {
        round_join(&f->round, &f->members[i], i < 2 ? 1 : 2);
        round_add(&f->round, &f->members[i], i % 2 ? ROUND_SLOW : ROUND_QUICK);
    }
    for (int i = 0; i < 100; i++) {
        struct round_member *m = round_next(&f->round, i % 3 ? ROUND_SLOW : ROUND_QUICK);
        assert_int_equal((m - f->members) % 2, i % 3 ? 1 : 0);
        round_charge(&f->round, m, 3000);
    }
    round_add(&f->round, &f->members[1], ROUND_QUICK); /* moved */
    round_remove(&f->round, &f->members[3]);
    assert_true(round_is_empty(&f->round, ROUND_SLOW));
    assert_null(round_next(&f->round, ROUND_SLOW));
    assert_false(round_is_empty(&f->round, ROUND_QUICK));
}

static void adding_twice_and_removing_twice_do_no_harm(void **state)
{
    struct fixture *f = *state;
    struct round_member *m = &f->members[0];
    for (int known = 0; known < 2; known++) {
        round_add(&f->round, m, ROUND_QUICK);
        round_add(&f->round, m, ROUND_QUICK);
        assert_ptr_equal(round_next(&f->round, ROUND_QUICK), m);
        round_remove(&f->round, m);
        round_remove(&f->round, m);
        assert_null(round_next(&f->round, ROUND_QUICK));
        round_join(&f->round, m, 7);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_endpoints_have_the_share_of_one),
        TEST(nobody_waits_for_more_than_a_round_of_applications),
        TEST(who_joins_anew_for_each_attempt_waits_for_two_rounds_at_most),
        TEST(the_endpoints_of_one_application_share_its_turns),
        TEST(those_of_unknown_applications_share_the_turns_of_one),
        TEST(the_pools_are_rounds_of_their_own),
        TEST(adding_twice_and_removing_twice_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
