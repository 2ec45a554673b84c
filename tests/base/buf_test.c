/* Buffers: the maximum, the sticky error, and the reading side. */
#include "tests/base/check.h"

static void content_is_always_followed_by_a_nul(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 1000);
    assert_null(b.ptr);
    for (size_t i = 0; i < 1000; i++) {
        buf_char(&b, 'x');
        assert_int_equal(b.ptr[b.len], '\0');
        assert_int_equal(b.len, i + 1);
    }
    buf_clear(&b);
    assert_int_equal(b.ptr[0], '\0');
    buf_free(&b);
}

static void the_maximum_can_be_reached_but_not_passed(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 5);
    buf_text(&b, "12345");
    assert_false(b.failed);
    check_text(buf_view(&b), "12345");
    buf_char(&b, '6');
    assert_true(b.failed);
    check_text(buf_view(&b), "12345");
    buf_free(&b);
}

static void after_a_failed_append_every_later_one_does_nothing(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 4);
    buf_text(&b, "ab");
    buf_text(&b, "too long");
    buf_text(&b, "c");
    buf_printf(&b, "%d", 1);
    assert_true(b.failed);
    check_text(buf_view(&b), "ab");
    assert_null(buf_take(&b, NULL));
    buf_text(&b, "abcd");
    assert_false(b.failed);
    check_text(buf_view(&b), "abcd");
    buf_free(&b);
}

static void printf_grows_the_buffer_and_respects_the_maximum(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 300);
    buf_text(&b, "ab");
    buf_printf(&b, "%0200d", 7);
    assert_int_equal(b.len, 202);
    assert_int_equal(b.ptr[201], '7');
    buf_printf(&b, "%0200d", 7);
    assert_true(b.failed);
    assert_int_equal(b.len, 202);
    assert_int_equal(b.ptr[202], '\0');
    buf_free(&b);
}

static void reserving_more_than_the_maximum_fails_without_wrapping(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    buf_char(&b, 'x');
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_clear(&b);
    assert_true(buf_reserve(&b, 100));
    buf_free(&b);
}

static void decimals_are_written_without_printf(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    buf_decimal(&b, 0);
    buf_char(&b, ' ');
    buf_decimal(&b, 1234567890);
    buf_char(&b, ' ');
    buf_decimal(&b, UINT64_MAX);
    check_text(buf_view(&b), "0 1234567890 18446744073709551615");
    buf_free(&b);
}

static void taking_hands_over_the_bytes_and_empties_the_buffer(void **state)
{
    (void)state;
    struct buf b;
    size_t len;

    buf_init(&b, 10);
    assert_null(buf_take(&b, &len));
    assert_int_equal(len, 0);
    buf_text(&b, "abc");
    char *taken = buf_take(&b, &len);
    assert_string_equal(taken, "abc");
    assert_int_equal(len, 3);
    assert_null(b.ptr);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 10);
    free(taken);
}

static void integers_are_big_endian_and_come_back(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 100);
    buf_u8(&b, 0x01);
    buf_u16(&b, 0x0203);
    buf_u32(&b, 0x04050607);
    buf_u64(&b, UINT64_C(0x08090a0b0c0d0e0f));
    buf_text(&b, "tail");
    assert_memory_equal(b.ptr, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 15);
    struct reader r = reader_of(buf_view(&b));
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0x04050607);
    assert_true(read_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
    check_text(read_span(&r, 2), "ta");
    check_text(read_rest(&r), "il");
    assert_false(r.failed);
    assert_true(r.at == r.end);
    buf_free(&b);
}

static void reading_past_the_end_yields_zero_and_sticks(void **state)
{
    (void)state;
    struct reader r = reader_of(SPAN("\xff\xff\xff"));

    assert_int_equal(read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(read_u8(&r), 0);
    assert_int_equal(read_rest(&r).len, 0);
    r = reader_of(SPAN("abc"));
    assert_int_equal(read_span(&r, SIZE_MAX).len, 0);
    assert_true(r.failed);
    r = reader_of((struct span){NULL, 0});
    assert_int_equal(read_rest(&r).len, 0);
    assert_false(r.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_always_followed_by_a_nul),
        cmocka_unit_test(the_maximum_can_be_reached_but_not_passed),
        cmocka_unit_test(after_a_failed_append_every_later_one_does_nothing),
        cmocka_unit_test(printf_grows_the_buffer_and_respects_the_maximum),
        cmocka_unit_test(reserving_more_than_the_maximum_fails_without_wrapping),
        cmocka_unit_test(decimals_are_written_without_printf),
        cmocka_unit_test(taking_hands_over_the_bytes_and_empties_the_buffer),
        cmocka_unit_test(integers_are_big_endian_and_come_back),
        cmocka_unit_test(reading_past_the_end_yields_zero_and_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
