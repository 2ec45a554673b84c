/* Ids: the text form, and order that survives clocks that stand still or step back. */
#include "base/id.h"

#include "tests/base/check.h"

static const struct wall NOW = {INT64_C(1767323045123456)};

static void check_round_trip(const struct id *id, const char *expected)
{
    char text[ID_MAX + 1];
    struct id back;

    assert_int_equal(id_format(id, "", text), ID_TEXT);
    if (expected)
        assert_string_equal(text, expected);
    assert_int_equal(id_parse(span_text(text), "", &back), ERR_OK);
    assert_int_equal(id_cmp(id, &back), 0);
}

static void the_text_is_that_of_other_ksuid_libraries(void **state)
{
    (void)state;
    struct id zero = {{0}}, full;
    memset(&full, 0xff, sizeof full);
    struct id known = {{0x06, 0x69, 0xf7, 0xef, 0xb5, 0xa1, 0xcd, 0x34, 0xb5, 0xf9,
                        0x9d, 0x11, 0x54, 0xfb, 0x68, 0x53, 0x34, 0x5c, 0x97, 0x35}};

    check_round_trip(&zero, "000000000000000000000000000");
    check_round_trip(&full, "aWgEPTl1tmebfsQzFP4bxwgy80V");
    check_round_trip(&known, "0ujtsYcgvSTl8PAuAdqWYSMnLOv");
}

static void random_ids_come_back_from_their_text(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct id id = id_random((struct wall){NOW.us + i * INT64_C(12345678)});
        check_round_trip(&id, NULL);
    }
}

static void text_order_is_byte_order(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct id a = id_random(NOW), b = id_random(NOW);
        char ta[ID_MAX + 1], tb[ID_MAX + 1];
        id_format(&a, ID_MESSAGE, ta);
        id_format(&b, ID_MESSAGE, tb);
        assert_int_equal(id_cmp(&a, &b) < 0, strcmp(ta, tb) < 0);
    }
}

static void only_the_exact_form_is_an_id(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "msg_",
        "0ujtsYcgvSTl8PAuAdqWYSMnLOv",
        "app_0ujtsYcgvSTl8PAuAdqWYSMnLOv",
        "msg_0ujtsYcgvSTl8PAuAdqWYSMnLO",
        "msg_0ujtsYcgvSTl8PAuAdqWYSMnLOvv",
        "msg_0ujtsYcgvSTl8PAuAdqWYSMnLO-",
        "msg_aWgEPTl1tmebfsQzFP4bxwgy80W", /* one more than fits 20 bytes */
        "msg_zzzzzzzzzzzzzzzzzzzzzzzzzzz",
        "MSG_0ujtsYcgvSTl8PAuAdqWYSMnLOv",
    };
    struct id id;

    assert_int_equal(id_parse(SPAN("msg_0ujtsYcgvSTl8PAuAdqWYSMnLOv"), ID_MESSAGE, &id), ERR_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!id_parse(span_text(texts[i]), ID_MESSAGE, &id))
            fail_msg("%s was accepted", texts[i]);
}

static void an_id_tells_its_moment_to_four_milliseconds(void **state)
{
    (void)state;
    struct id id = id_random(NOW);
    int64_t late = NOW.us - id_time(&id).us;

    assert_in_range(late, 0, 3999);
}

static void the_floor_of_a_moment_is_below_its_ids_and_above_earlier_ones(void **state)
{
    (void)state;
    struct id floor = id_floor(NOW);

    for (int i = 0; i < 100; i++) {
        struct id same = id_random(NOW), before = id_random(wall_add(NOW, -4 * US_PER_MS));
        assert_true(id_cmp(&floor, &same) <= 0);
        assert_true(id_cmp(&before, &floor) < 0);
    }
}

static void moments_outside_the_range_of_ids_are_clamped(void **state)
{
    (void)state;
    struct id early = id_floor((struct wall){0}), late = id_floor(WALL_NEVER);

    assert_true(id_is_zero(&early));
    assert_memory_equal(late.b, "\xff\xff\xff\xff", 4);
}

static void check_increasing(struct id_gen *gen, struct wall now)
{
    struct id before = gen->last;
    struct id id = id_next(gen, now);

    assert_true(id_cmp(&before, &id) < 0);
    assert_int_equal(id_cmp(&id, &gen->last), 0);
}

static void ids_increase_while_the_clock_stands_still(void **state)
{
    (void)state;
    struct id_gen gen = {{{0}}};

    for (int i = 0; i < 10000; i++)
        check_increasing(&gen, NOW);
    assert_in_range(NOW.us - id_time(&gen.last).us, 0, 3999);
}

static void ids_increase_when_the_clock_steps_back(void **state)
{
    (void)state;
    struct id_gen gen = {{{0}}};

    for (int i = 0; i < 1000; i++)
        check_increasing(&gen, (struct wall){NOW.us - i * US_PER_S});
    check_increasing(&gen, wall_add(NOW, US_PER_S));
    assert_true(id_time(&gen.last).us > NOW.us);
}

static void ids_continue_from_the_stored_mark(void **state)
{
    (void)state;
    struct id_gen gen = {id_random(wall_add(NOW, 3600 * US_PER_S))};

    check_increasing(&gen, NOW);
    memset(&gen.last, 0xff, ID_BYTES);
    memset(gen.last.b, 0, 5);
    check_increasing(&gen, (struct wall){0});
}

static void fresh_ids_increase_within_the_process(void **state)
{
    (void)state;
    struct id last = id_fresh(NOW);

    for (int i = 0; i < 1000; i++) {
        struct id id = id_fresh(wall_add(NOW, -i * US_PER_MS));
        assert_true(id_cmp(&last, &id) < 0);
        last = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_that_of_other_ksuid_libraries),
        cmocka_unit_test(random_ids_come_back_from_their_text),
        cmocka_unit_test(text_order_is_byte_order),
        cmocka_unit_test(only_the_exact_form_is_an_id),
        cmocka_unit_test(an_id_tells_its_moment_to_four_milliseconds),
        cmocka_unit_test(the_floor_of_a_moment_is_below_its_ids_and_above_earlier_ones),
        cmocka_unit_test(moments_outside_the_range_of_ids_are_clamped),
        cmocka_unit_test(ids_increase_while_the_clock_stands_still),
        cmocka_unit_test(ids_increase_when_the_clock_steps_back),
        cmocka_unit_test(ids_continue_from_the_stored_mark),
        cmocka_unit_test(fresh_ids_increase_within_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
