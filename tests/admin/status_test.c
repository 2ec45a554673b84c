/* Every state of a delivery against the status that the API shows for it, and the filters back. */
#include "admin/client.h"
#include "admin/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void each_state_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum delivery_state state;
        enum status expanded, folded;
    } cases[] = {
        {DELIVERY_SCHEDULED, STATUS_PENDING, STATUS_PENDING},
        {DELIVERY_RETRYING, STATUS_SENDING, STATUS_SENDING},
        {DELIVERY_DELIVERED, STATUS_SUCCESS, STATUS_SUCCESS},
        {DELIVERY_DEAD, STATUS_FAIL, STATUS_FAIL},
        {DELIVERY_CANCELED, STATUS_CANCELED, STATUS_SUCCESS},
        {DELIVERY_NONE, STATUS_PENDING, STATUS_PENDING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delivery d = {.state = cases[i].state};
        assert_int_equal(status_of_delivery(&d, true), cases[i].expanded);
        assert_int_equal(status_of_delivery(&d, false), cases[i].folded);
    }
}

static void a_manual_attempt_that_failed_shows_as_failed(void **state)
{
    (void)state;
    struct delivery d = {.state = DELIVERY_NONE, .last_attempt = {.b = {1}}};
    assert_int_equal(status_of_delivery(&d, true), STATUS_FAIL);
}

static void a_filter_by_status_finds_exactly_what_shows_that_status(void **state)
{
    (void)state;
    for (int expanded = 0; expanded < 2; expanded++) {
        for (int s = 0; s <= STATUS_LAST; s++) {
            for (int at = DELIVERY_SCHEDULED; at <= DELIVERY_DEAD; at++) {
                struct delivery d = {.state = (enum delivery_state)at};
                bool shows = (int)status_of_delivery(&d, expanded) == s;
                bool found = status_states((enum status)s, expanded) >> at & 1;
                assert_int_equal(shows, found);
            }
        }
    }
    assert_true(status_states(STATUS_SUCCESS, false) >> DELIVERY_CANCELED & 1);
    assert_false(status_states(STATUS_SUCCESS, true) >> DELIVERY_CANCELED & 1);
}

static void the_next_attempt_is_the_earlier_of_scheduled_and_manual(void **state)
{
    (void)state;
    static const struct {
        int64_t due, manual, next;
    } cases[] = {{0, 0, 0}, {5, 0, 5}, {0, 7, 7}, {5, 7, 5}, {9, 7, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct delivery d = {.due = {cases[i].due}, .manual_due = {cases[i].manual}};
        assert_int_equal(status_next_attempt(&d).us, cases[i].next);
        d.held = true; /* when its turn comes depends on another */
        assert_int_equal(status_next_attempt(&d).us, cases[i].manual);
    }
}

static void the_generation_of_an_sdk_stands_in_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *agent;
        unsigned major;
    } cases[] = {
        {"svix-libs/1.79.0/python", 1},
        {"svix-libs/2.9.1/javascript", 2},
        {"svix-libs/12.0", 12},
        {"curl/7.88.1", 0},
        {"svix-libs/", 0},
        {"svix-libs/x.1", 0},
        {"svix-libs/99999.1", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(client_sdk_major(span_text(cases[i].agent)), cases[i].major);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_status),
        cmocka_unit_test(a_manual_attempt_that_failed_shows_as_failed),
        cmocka_unit_test(a_filter_by_status_finds_exactly_what_shows_that_status),
        cmocka_unit_test(the_next_attempt_is_the_earlier_of_scheduled_and_manual),
        cmocka_unit_test(the_generation_of_an_sdk_stands_in_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
