#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/address_table.h"

#include <arpa/inet.h>
#include <stdlib.h>

static struct address_key key_of(int family, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    void *where = family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr;
    assert_int_equal(inet_pton(family, text, where), 1);
    return address_key_of(family == AF_INET ? (void *)&in : (void *)&in6);
}

static void an_address_has_its_own_limit(void **state)
{
    (void)state;
    struct address_table *t = address_table_new(10, 2);
    struct address_key a = key_of(AF_INET, "127.0.0.1"), b = key_of(AF_INET, "127.0.0.2");
    assert_int_equal(address_table_enter(t, a), ERR_OK);
    assert_int_equal(address_table_enter(t, a), ERR_OK);
    assert_int_equal(address_table_enter(t, a), ERR_BUSY);
    assert_int_equal(address_table_enter(t, b), ERR_OK);
    address_table_leave(t, a);
    assert_int_equal(address_table_enter(t, a), ERR_OK);
    address_table_free(&t);
    assert_null(t);
}

static void all_together_have_a_limit(void **state)
{
    (void)state;
    struct address_table *t = address_table_new(2, 2);
    assert_int_equal(address_table_enter(t, key_of(AF_INET, "10.0.0.1")), ERR_OK);
    assert_int_equal(address_table_enter(t, key_of(AF_INET, "10.0.0.2")), ERR_OK);
    assert_int_equal(address_table_enter(t, key_of(AF_INET, "10.0.0.3")), ERR_FULL);
    assert_int_equal(address_table_count(t, key_of(AF_INET, "10.0.0.3")), 0);
    assert_int_equal(address_table_count(t, key_of(AF_INET, "10.0.0.1")), 1);
    address_table_leave(t, key_of(AF_INET, "10.0.0.1"));
    assert_int_equal(address_table_enter(t, key_of(AF_INET, "10.0.0.3")), ERR_OK);
    address_table_free(&t);
}

static void addresses_of_one_line_count_as_one(void **state)
{
    (void)state;
    struct address_key a = key_of(AF_INET6, "2001:db8:1:2::1");
    struct address_key same = key_of(AF_INET6, "2001:db8:1:2:ffff::9");
    struct address_key other = key_of(AF_INET6, "2001:db8:1:3::1");
    struct address_key v4 = key_of(AF_INET, "192.0.2.7");
    struct address_key mapped = key_of(AF_INET6, "::ffff:192.0.2.7");
    assert_memory_equal(&a, &same, sizeof a);
    assert_memory_not_equal(&a, &other, sizeof a);
    assert_memory_equal(&v4, &mapped, sizeof v4);
}

/* Against a plain array of counts, with enough collisions that gaps must be closed rightly. */
static void it_agrees_with_a_simple_model(void **state)
{
    (void)state;
    enum { ADDRESSES = 64, ALL = 60, EACH = 3 };
    unsigned model[ADDRESSES] = {0}, total = 0, seed = 1;
    struct address_table *t = address_table_new(ALL, EACH);
    for (int step = 0; step < 100000; step++) {
        seed = seed * 1103515245 + 12345;
        unsigned i = (seed >> 16) % ADDRESSES;
        struct address_key key = {{(uint8_t)i}};
        if (seed >> 31) {
            enum err wanted = model[i] == EACH ? ERR_BUSY : total == ALL ? ERR_FULL : ERR_OK;
            assert_int_equal(address_table_enter(t, key), wanted);
            model[i] += wanted == ERR_OK;
            total += wanted == ERR_OK;
        } else if (model[i] > 0) {
            address_table_leave(t, key);
            model[i]--;
            total--;
        }
        assert_int_equal(address_table_count(t, key), model[i]);
    }
    address_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_own_limit),
        cmocka_unit_test(all_together_have_a_limit),
        cmocka_unit_test(addresses_of_one_line_count_as_one),
        cmocka_unit_test(it_agrees_with_a_simple_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
