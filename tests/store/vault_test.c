/* Sealing of secrets. */
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct span bound = SPAN("ep_1"), secret = SPAN("the signing key");
static struct buf sealed, opened;
static struct vault *none, *one, *two;

static int setup(void **state)
{
    (void)state;
    buf_init(&sealed, 1024);
    buf_init(&opened, 1024);
    return vault_new(NULL, &none) || vault_new("one", &one) || vault_new("two", &two) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    vault_free(&none);
    vault_free(&one);
    vault_free(&two);
    buf_free(&sealed);
    buf_free(&opened);
    return 0;
}

static void what_was_sealed_opens_again(void **state)
{
    (void)state;
    vault_seal(one, bound, secret, &sealed);
    assert_false(sealed.failed);
    assert_null(memmem(sealed.ptr, sealed.len, secret.ptr, secret.len));
    assert_int_equal(vault_open(one, bound, buf_view(&sealed), &opened), ERR_OK);
    assert_true(span_eq(buf_view(&opened), secret));
}

static void two_sealings_of_one_secret_differ(void **state)
{
    (void)state;
    vault_seal(one, bound, secret, &sealed);
    vault_seal(one, bound, secret, &opened);
    assert_false(span_eq(buf_view(&sealed), buf_view(&opened)));
}

static void another_main_secret_or_another_owner_does_not_open(void **state)
{
    (void)state;
    vault_seal(one, bound, secret, &sealed);
    assert_int_equal(vault_open(two, bound, buf_view(&sealed), &opened), ERR_CORRUPT);
    assert_int_equal(vault_open(one, SPAN("ep_2"), buf_view(&sealed), &opened), ERR_CORRUPT);
    assert_int_equal(vault_open(none, bound, buf_view(&sealed), &opened), ERR_INVALID);
    assert_int_equal(opened.len, 0);
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    vault_seal(one, bound, secret, &sealed);
    for (size_t bit = 8; bit < 8 * sealed.len; bit++) {
        sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(vault_open(one, bound, buf_view(&sealed), &opened), ERR_CORRUPT);
        sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(vault_open(one, bound, span_of(sealed.ptr, len), &opened), ERR_CORRUPT);
}

static void plain_bytes_open_under_any_vault(void **state)
{
    (void)state;
    vault_seal(none, bound, secret, &sealed);
    assert_int_equal(vault_open(one, bound, buf_view(&sealed), &opened), ERR_OK);
    assert_true(span_eq(buf_view(&opened), secret));
    buf_clear(&opened);
    assert_int_equal(vault_open(none, bound, buf_view(&sealed), &opened), ERR_OK);
    assert_true(span_eq(buf_view(&opened), secret));
}

static void an_unknown_form_is_corrupt(void **state)
{
    (void)state;
    assert_int_equal(vault_open(none, bound, SPAN("\x02key"), &opened), ERR_CORRUPT);
    assert_int_equal(vault_open(none, bound, (struct span){0}, &opened), ERR_CORRUPT);
}

static void what_does_not_fit_or_has_no_memory_does_not_open(void **state)
{
    (void)state;
    const struct vault *const vaults[] = {none, one};
    for (size_t i = 0; i < 2; i++) {
        struct buf small;
        buf_init(&small, secret.len - 1);
        buf_clear(&sealed);
        vault_seal(vaults[i], bound, secret, &sealed);
        assert_int_equal(vault_open(vaults[i], bound, buf_view(&sealed), &small), ERR_CORRUPT);
        assert_int_equal(small.len, 0);
        buf_free(&small);
        opened.failed = true; /* as after an append that found no memory */
        assert_int_equal(vault_open(vaults[i], bound, buf_view(&sealed), &opened), ERR_NO_MEMORY);
        assert_int_equal(opened.len, 0);
    }
}

int main(void)
{
#define VAULT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        VAULT_TEST(what_was_sealed_opens_again),
        VAULT_TEST(two_sealings_of_one_secret_differ),
        VAULT_TEST(another_main_secret_or_another_owner_does_not_open),
        VAULT_TEST(every_flipped_bit_and_every_cut_is_noticed),
        VAULT_TEST(plain_bytes_open_under_any_vault),
        VAULT_TEST(an_unknown_form_is_corrupt),
        VAULT_TEST(what_does_not_fit_or_has_no_memory_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
