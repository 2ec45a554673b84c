/* The address guard: the edges of every range, the forms that hide an IPv4 address, and the list of
 * allowed subnets. */
#include "dispatcher/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct guard strict = {0};

static enum guard_answer judge_socket(const struct guard *g, const char *text)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
        return guard_judge(g, (const struct sockaddr *)&in4);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return guard_judge(g, (const struct sockaddr *)&in6);
}

/* Both entrances must agree. */
static void expect(const struct guard *g, const char *text, enum guard_answer expected)
{
    enum guard_answer by_text = guard_judge_text(g, text), by_socket = judge_socket(g, text);
    if (by_text != expected || by_socket != expected)
        fail_msg("%s: text %d, socket %d, expected %d", text, by_text, by_socket, expected);
}

static struct guard allowing(const char *subnets)
{
    struct guard g;
    const char *why = "";
    if (guard_parse(subnets, &g, &why))
        fail_msg("%s: %s", subnets, why);
    return g;
}

/* `before` and `after` are NULL where the neighbour is special too. */
struct range {
    const char *before, *first, *last, *after;
};

static const struct range ranges4[] = {
    {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
    {NULL, "240.0.0.0", "255.255.255.255", NULL},
};

static const struct range ranges6[] = {
    {NULL, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2003::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     NULL},
};

static void expect_range(const struct range *r, const char *prefix)
{
    const struct {
        const char *text;
        enum guard_answer expected;
    } edges[] = {{r->before, GUARD_PUBLIC},
                 {r->first, GUARD_REFUSED},
                 {r->last, GUARD_REFUSED},
                 {r->after, GUARD_PUBLIC}};
    for (size_t i = 0; i < 4; i++) {
        char text[2 * INET6_ADDRSTRLEN];
        if (!edges[i].text)
            continue;
        snprintf(text, sizeof text, "%s%s", prefix, edges[i].text);
        expect(&strict, text, edges[i].expected);
    }
}

static void special_ranges_are_refused_up_to_their_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ranges4 / sizeof *ranges4; i++)
        expect_range(&ranges4[i], "");
    for (size_t i = 0; i < sizeof ranges6 / sizeof *ranges6; i++)
        expect_range(&ranges6[i], "");
}

static void mapped_addresses_are_judged_by_the_embedded_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ranges4 / sizeof *ranges4; i++)
        expect_range(&ranges4[i], "::ffff:");
}

static void forms_that_carry_an_ipv4_address_are_refused(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "::8.8.8.8",                                /* IPv4-compatible */
        "::127.0.0.1",        "::ffff:0:8.8.8.8",   /* IPv4-translated, RFC 2765 */
        "::fffe:8.8.8.8",                           /* beside the mapped range */
        "64:ff9b::8.8.8.8",                         /* NAT64 */
        "64:ff9b::127.0.0.1", "64:ff9b:1::8.8.8.8", /* local NAT64 */
        "2002:808:808::1",                          /* 6to4 of 8.8.8.8 */
        "2002:7f00:1::",      "2001:0:808:808::1",  /* Teredo */
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        expect(&strict, forms[i], GUARD_REFUSED);
}

static void internal_and_multicast_ipv6_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "::",      "::1",     "100::1",  "5f00::1", "fc00::1",    "fdff::1",    "fe80::1",
        "febf::1", "fec0::1", "ff02::1", "ff0e::1", "2001:10::1", "2001:20::1", "fd00:ec2::254"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        expect(&strict, refused[i], GUARD_REFUSED);
}

static void ordinary_addresses_are_public(void **state)
{
    (void)state;
    static const char *const public[] = {
        "1.1.1.1",      "8.8.8.8",       "93.184.216.34", "2606:4700::1111", "2001:4860:4860::8888",
        "2a00:1450::1", "::ffff:8.8.8.8"};
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        expect(&strict, public[i], GUARD_PUBLIC);
}

static void texts_that_are_not_exactly_an_address_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "localhost",
                                        "fe80::1%eth0",
                                        "2606:4700::1111%eth0",
                                        "0x08080808",
                                        "134744072",
                                        "8.8.8",
                                        "8.8.8.08",
                                        "8.8.8.8 ",
                                        " 8.8.8.8",
                                        "8.8.8.8:80",
                                        "8.8.8.8.8",
                                        "[2606:4700::1111]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(guard_judge_text(&strict, texts[i]), GUARD_REFUSED);
}

static void localhost_and_what_is_below_it_names_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool expected;
    } rows[] = {
        {"localhost", true},
        {"localhost.", true},
        {"LocalHost", true},
        {"a.localhost", true},
        {"A.b.LOCALHOST.", true},
        {"", false},
        {".", false},
        {"ocalhost", false},
        {"xlocalhost", false},
        {"xn--localhost", false},
        {"localhost..", false},
        {"localhost.localdomain", false},
        {"localhost.example.com", false},
        {"127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (guard_names_loopback(span_text(rows[i].name)) != rows[i].expected)
            fail_msg("%s", rows[i].name);
}

static void a_name_of_loopback_s_is_allowed_with_either_address(void **state)
{
    (void)state;
    struct guard four = allowing("127.0.0.1/32"), six = allowing("::1/128");
    struct guard others = allowing("127.0.0.2/31,10.0.0.0/8");
    assert_int_equal(guard_judge_loopback(&strict), GUARD_REFUSED);
    assert_int_equal(guard_judge_loopback(&others), GUARD_REFUSED);
    assert_int_equal(guard_judge_loopback(&four), GUARD_ALLOWED);
    assert_int_equal(guard_judge_loopback(&six), GUARD_ALLOWED);
}

static void other_address_families_are_refused(void **state)
{
    (void)state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct guard g = allowing("0.0.0.0/0,::/0");
    assert_int_equal(guard_judge(&g, &local), GUARD_REFUSED);
}

static void named_subnets_are_allowed_and_only_they(void **state)
{
    (void)state;
    struct guard g = allowing("127.0.0.0/8, ::1/128 ,10.1.0.0/17,fd00:1::/33");
    assert_int_equal(g.count, 4);
    static const struct {
        const char *text;
        enum guard_answer expected;
    } rows[] = {
        {"127.0.0.1", GUARD_ALLOWED},
        {"127.255.255.255", GUARD_ALLOWED},
        {"::ffff:127.0.0.1", GUARD_ALLOWED},
        {"::1", GUARD_ALLOWED},
        {"::2", GUARD_REFUSED},
        {"10.1.0.0", GUARD_ALLOWED},
        {"10.1.127.255", GUARD_ALLOWED},
        {"10.1.128.0", GUARD_REFUSED},
        {"::ffff:10.1.1.1", GUARD_ALLOWED},
        {"::ffff:10.2.0.1", GUARD_REFUSED},
        {"fd00:1:7fff::1", GUARD_ALLOWED},
        {"fd00:1:8000::1", GUARD_REFUSED},
        {"192.168.0.1", GUARD_REFUSED},
        {"8.8.8.8", GUARD_PUBLIC},
        {"::127.0.0.1", GUARD_REFUSED},
        {"64:ff9b::127.0.0.1", GUARD_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(&g, rows[i].text, rows[i].expected);
}

static void public_addresses_stay_public_in_an_allowed_subnet(void **state)
{
    (void)state;
    struct guard g = allowing("0.0.0.0/0,::/0");
    expect(&g, "8.8.8.8", GUARD_PUBLIC);
    expect(&g, "2606:4700::1111", GUARD_PUBLIC);
    expect(&g, "10.0.0.1", GUARD_ALLOWED);
    expect(&g, "fe80::1", GUARD_ALLOWED);
}

static void all_of_ipv6_does_not_allow_mapped_ipv4(void **state)
{
    (void)state;
    struct guard g = allowing("::/0");
    expect(&g, "::ffff:10.0.0.1", GUARD_REFUSED);
    expect(&g, "::1", GUARD_ALLOWED);
}

static void no_subnets_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(allowing(NULL).count, 0);
    assert_int_equal(allowing("").count, 0);
    assert_int_equal(allowing("  ").count, 0);
}

static void wrong_subnets_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "127.0.0.1",
        "127.0.0.0/",
        "127.0.0.0/33",
        "127.0.0.0/-1",
        "127.0.0.0/8x",
        "127.0.0.0/ 8",
        "/8",
        "localhost/8",
        "127.1/8",
        "10.0.0.1/8",
        "::1/64",
        "::/129",
        "::/0128",
        "fe80::%lo/10",
        "10.0.0.0/8,,::1/128",
        ",",
        "10.0.0.0/8,",
        "::ffff:10.0.0.0/104",
        "0x7f.0.0.0/8",
        "10.0.0.0/8/8",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/128",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct guard g;
        const char *why = NULL;
        if (guard_parse(wrong[i], &g, &why) != ERR_INVALID)
            fail_msg("%s was accepted", wrong[i]);
        assert_non_null(why);
    }
}

static void the_list_of_subnets_has_a_bound(void **state)
{
    (void)state;
    char list[(GUARD_SUBNETS_MAX + 1) * 16] = "";
    size_t len = 0;
    struct guard g;
    const char *why;
    for (int i = 0; i <= GUARD_SUBNETS_MAX; i++) {
        len += (size_t)snprintf(list + len, sizeof list - len, "%s10.%d.0.0/16", i ? "," : "", i);
        assert_int_equal(guard_parse(list, &g, &why), i < GUARD_SUBNETS_MAX ? ERR_OK : ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_ranges_are_refused_up_to_their_edges),
        cmocka_unit_test(mapped_addresses_are_judged_by_the_embedded_one),
        cmocka_unit_test(forms_that_carry_an_ipv4_address_are_refused),
        cmocka_unit_test(internal_and_multicast_ipv6_is_refused),
        cmocka_unit_test(ordinary_addresses_are_public),
        cmocka_unit_test(texts_that_are_not_exactly_an_address_are_refused),
        cmocka_unit_test(localhost_and_what_is_below_it_names_loopback),
        cmocka_unit_test(a_name_of_loopback_s_is_allowed_with_either_address),
        cmocka_unit_test(other_address_families_are_refused),
        cmocka_unit_test(named_subnets_are_allowed_and_only_they),
        cmocka_unit_test(public_addresses_stay_public_in_an_allowed_subnet),
        cmocka_unit_test(all_of_ipv6_does_not_allow_mapped_ipv4),
        cmocka_unit_test(no_subnets_is_an_empty_list),
        cmocka_unit_test(wrong_subnets_are_refused_with_a_reason),
        cmocka_unit_test(the_list_of_subnets_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
