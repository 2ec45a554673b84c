/* Where a host leads when there is a proxy, and the address that connections leave from. */
#include "dispatcher/route.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static const struct mono now = {1000 * US_PER_S};

static struct outbound through(const char *proxy, const char *bypass)
{
    struct outbound o = {.proxy.url = NULL};
    const char *why;
    if (proxy)
        assert_int_equal(proxy_parse(proxy, &o.proxy, &why), ERR_OK);
    if (bypass)
        assert_int_equal(proxy_parse_bypass(bypass, &o.proxy, &why), ERR_OK);
    return o;
}

static struct route *route_to(const struct outbound *o, const char *host)
{
    struct route *r;
    assert_int_equal(route_new(o, host, &r), ERR_OK);
    return r;
}

static struct addresses found(const char *first, const char *second, const char *third)
{
    const char *const texts[] = {first, second, third};
    struct addresses a = {0};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t bytes[16];
        if (texts[i] && inet_pton(AF_INET, texts[i], bytes) == 1)
            addresses_add(&a, AF_INET, bytes);
        else if (texts[i] && inet_pton(AF_INET6, texts[i], bytes) == 1)
            addresses_add(&a, AF_INET6, bytes);
    }
    return a;
}

static void without_a_proxy_there_is_no_route(void **state)
{
    (void)state;
    struct outbound none = through(NULL, NULL);
    struct outbound some = through("http://proxy.test:3128", "a.test,.b.test");
    assert_null(route_to(&none, "a.test"));
    assert_null(route_to(&some, "a.test"));
    assert_null(route_to(&some, "x.b.test"));
    struct route *r = route_to(&some, "b.test");
    assert_non_null(r);
    assert_false(route_known(r, now));
    free(r);
    outbound_free(&some);
}

static void an_address_is_known_for_ever_in_its_plain_spelling(void **state)
{
    (void)state;
    struct outbound o = through("http://proxy.test:3128", NULL);
    static const char *const hosts[][2] = {
        {"93.184.216.34", "93.184.216.34"},
        {"::ffff:93.184.216.34", "93.184.216.34"},
        {"2606:2800:220:1::34", "2606:2800:220:1::34"},
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct route *r = route_to(&o, hosts[i][0]);
        assert_true(route_known(r, (struct mono){INT64_MAX - 1}));
        assert_string_equal(route_address(r), hosts[i][1]);
        free(r);
    }
    outbound_free(&o);
}

static void a_name_of_loopback_s_is_known_for_ever_as_what_is_allowed_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *allowed, *first;
        unsigned count;
    } rows[] = {
        {"127.0.0.0/8,::1/128", "127.0.0.1", 2},
        {"127.0.0.0/8", "127.0.0.1", 1},
        {"::1/128", "::1", 1},
        {NULL, "127.0.0.1", 1}, /* for the guard to refuse */
    };
    struct outbound o = through("http://proxy.test:3128", NULL);
    const char *why;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(guard_parse(rows[i].allowed, &o.guard, &why), ERR_OK);
        struct route *r = route_to(&o, "a.localhost");
        assert_true(route_known(r, (struct mono){INT64_MAX - 1}));
        assert_int_equal(r->to.count, rows[i].count);
        assert_string_equal(route_address(r), rows[i].first);
        free(r);
    }
    outbound_free(&o);
}

static void a_name_is_known_for_a_minute(void **state)
{
    (void)state;
    struct outbound o = through("http://proxy.test:3128", NULL);
    const struct addresses none = {0}, some = found("93.184.216.34", NULL, NULL);
    struct route *r = route_to(&o, "a.test");
    r->asked = true;
    assert_false(route_found(r, &o.guard, &none, now));
    assert_false(r->asked);
    assert_false(route_known(r, now));
    assert_true(route_found(r, &o.guard, &some, now));
    assert_true(route_known(r, mono_add(now, ROUTE_US - 1)));
    assert_false(route_known(r, mono_add(now, ROUTE_US)));
    assert_false(
        route_found(r, &o.guard, &none, now)); /* it led somewhere once, and does not now */
    assert_false(route_known(r, now));
    free(r);
    outbound_free(&o);
}

static void a_refused_address_is_kept_only_when_there_is_no_other(void **state)
{
    (void)state;
    struct outbound o = through("http://proxy.test:3128", NULL);
    struct route *r = route_to(&o, "a.test");
    struct addresses mixed = found("127.0.0.1", "93.184.216.34", "::1");
    assert_true(route_found(r, &o.guard, &mixed, now));
    assert_int_equal(r->to.count, 1);
    assert_string_equal(route_address(r), "93.184.216.34");
    struct addresses bad = found("169.254.169.254", "::1", NULL);
    assert_true(route_found(r, &o.guard, &bad, now));
    assert_int_equal(r->to.count, 1);
    assert_string_equal(route_address(r), "169.254.169.254");
    free(r);
    outbound_free(&o);
}

static void a_failed_attempt_leads_the_next_one_to_the_next_address(void **state)
{
    (void)state;
    struct outbound o = through("http://proxy.test:3128", NULL);
    struct route *r = route_to(&o, "a.test");
    struct addresses two = found("2606:2800:220:1::34", "93.184.216.34", NULL);
    assert_true(route_found(r, &o.guard, &two, now));
    assert_string_equal(route_address(r), "2606:2800:220:1::34");
    assert_string_equal(route_address(r), "2606:2800:220:1::34");
    const unsigned first = r->turn;
    route_failed(r, first);
    route_failed(r, first); /* a second one that was under way with the same */
    assert_string_equal(route_address(r), "93.184.216.34");
    route_failed(r, r->turn);
    assert_string_equal(route_address(r), "2606:2800:220:1::34");
    free(r);
    outbound_free(&o);
}

static void addresses_are_bounded(void **state)
{
    (void)state;
    struct addresses a = {0};
    for (uint8_t i = 0; i < RESOLVER_ADDRESSES_MAX + 3; i++)
        addresses_add(&a, AF_INET, (uint8_t[]){1, 1, 1, i});
    assert_int_equal(a.count, RESOLVER_ADDRESSES_MAX);
    assert_string_equal(a.text[RESOLVER_ADDRESSES_MAX - 1], "1.1.1.7");
}

/* ---------------------------------------------------------------- the source address */

static void sources_are_one_address_of_each_family(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool four, six;
    } good[] = {{NULL, false, false},
                {" ", false, false},
                {"127.0.0.1", true, false},
                {" 127.0.0.9 ", true, false}};
    static const char *const bad[] = {
        "localhost", "127.0.0.1,",   "127.0.0.1,127.0.0.2", "127.1",
        "0.0.0.0",   "::",           "::ffff:127.0.0.1",    "127.0.0.1/32",
        "::1%lo",    "203.0.113.77", "2001:db8::77",        "127.0.0.1 127.0.0.2"};
    struct source s;
    const char *why;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(source_parse(good[i].text, &s, &why), ERR_OK);
        assert_int_equal(s.has4, good[i].four);
        assert_int_equal(s.has6, good[i].six);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (source_parse(bad[i], &s, &why) != ERR_INVALID)
            fail_msg("%s was accepted", bad[i]);
}

static void a_family_without_a_source_is_not_used(void **state)
{
    (void)state;
    const struct source any = {.has4 = false}, four = {.has4 = true}, six = {.has6 = true};
    assert_true(source_takes(&any, AF_INET) && source_takes(&any, AF_INET6));
    assert_true(source_takes(&four, AF_INET) && !source_takes(&four, AF_INET6));
    assert_true(!source_takes(&six, AF_INET) && source_takes(&six, AF_INET6));
}

static void a_socket_is_bound_to_the_source_without_a_port(void **state)
{
    (void)state;
    struct source s;
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    const char *why;
    assert_int_equal(source_parse("127.0.0.9", &s, &why), ERR_OK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(source_bind(&s, fd, AF_INET));
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    assert_int_equal(own.sin_addr.s_addr, inet_addr("127.0.0.9"));
    assert_int_equal(own.sin_port, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_proxy_there_is_no_route),
        cmocka_unit_test(an_address_is_known_for_ever_in_its_plain_spelling),
        cmocka_unit_test(a_name_of_loopback_s_is_known_for_ever_as_what_is_allowed_of_it),
        cmocka_unit_test(a_name_is_known_for_a_minute),
        cmocka_unit_test(a_refused_address_is_kept_only_when_there_is_no_other),
        cmocka_unit_test(a_failed_attempt_leads_the_next_one_to_the_next_address),
        cmocka_unit_test(addresses_are_bounded),
        cmocka_unit_test(sources_are_one_address_of_each_family),
        cmocka_unit_test(a_family_without_a_source_is_not_used),
        cmocka_unit_test(a_socket_is_bound_to_the_source_without_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
