/* What ingest may take of the map, as a policy of plain numbers. */
#include "store/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MAP UINT64_C(1000000)

static struct room measured(uint64_t used)
{
    struct room r = room_of(MAP);
    room_measured(&r, used);
    return r;
}

static void a_new_room_is_measured_first(void **state)
{
    (void)state;
    struct room r = room_of(MAP);
    assert_true(room_due(&r));
    room_measured(&r, 0);
    assert_false(room_due(&r));
}

static void ingest_ends_at_nine_tenths(void **state)
{
    (void)state;
    struct room below = measured(900000), above = measured(900001);
    assert_false(room_full(&below));
    assert_true(room_full(&above));
    assert_true(room_due(&above)); /* until there is room again, every commit is measured */
}

static void what_may_have_reached_the_limit_is_measured(void **state)
{
    (void)state;
    struct room r = measured(700000);
    r.taken = 100000;
    assert_false(room_due(&r));
    r.taken = 100001;
    assert_true(room_due(&r));
    room_measured(&r, 750000);
    assert_int_equal(r.taken, 0);
    assert_false(room_due(&r));
}

static void far_from_the_limit_commits_are_counted(void **state)
{
    (void)state;
    struct room r = measured(0);
    unsigned commits = 0;
    for (; !room_due(&r); r.commits++)
        commits++;
    assert_in_range(commits, 10, 1000);
    room_measured(&r, 0);
    room_doubt(&r); /* of what was measured before a deletion */
    assert_true(room_due(&r));
}

static void no_single_commit_takes_what_belongs_to_the_outcomes(void **state)
{
    (void)state;
    struct room r = measured(890000);
    assert_true(room_fits(&r, 30000));
    assert_false(room_fits(&r, 30001));
    r.taken = 20000;
    assert_true(room_fits(&r, 10000));
    assert_false(room_fits(&r, 10001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_room_is_measured_first),
        cmocka_unit_test(ingest_ends_at_nine_tenths),
        cmocka_unit_test(what_may_have_reached_the_limit_is_measured),
        cmocka_unit_test(far_from_the_limit_commits_are_counted),
        cmocka_unit_test(no_single_commit_takes_what_belongs_to_the_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
