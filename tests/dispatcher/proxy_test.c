/* The proxy's options and the meaning of its failures, by table. */
#include "dispatcher/proxy.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *text_of(const char *text)
{
    return text ? text : "(none)";
}

struct reading {
    const char *option, *url, *user, *password, *address;
    uint16_t port;
    bool socks;
};

static const struct reading readings[] = {
    {"http://proxy.test:3128", "http://proxy.test:3128", NULL, NULL, NULL, 3128, false},
    {"http://proxy.test:3128/", "http://proxy.test:3128", NULL, NULL, NULL, 3128, false},
    {"http://proxy.test:80", "http://proxy.test:80", NULL, NULL, NULL, 80, false},
    {"https://proxy.test:443", "https://proxy.test:443", NULL, NULL, NULL, 443, false},
    {"socks5://10.0.0.5:1080", "socks5://10.0.0.5:1080", NULL, NULL, "10.0.0.5", 1080, true},
    {"http://[fd00::5]:1", "http://[fd00::5]:1", NULL, NULL, "fd00::5", 1, false},
    {"http://u:p@h:65535", "http://h:65535", "u", "p", NULL, 65535, false},
    {"http://u@h:1", "http://h:1", "u", "", NULL, 1, false},
    {"socks5://a%40b:c%3ad%2F@h:1", "socks5://h:1", "a@b", "c:d/", NULL, 1, true},
};

static void a_proxy_is_taken_apart_and_its_url_names_no_credentials(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        const struct reading *r = &readings[i];
        struct proxy p;
        const char *why = NULL;
        if (proxy_parse(r->option, &p, &why))
            fail_msg("%s: %s", r->option, why);
        assert_string_equal(p.url, r->url);
        assert_string_equal(text_of(p.user), text_of(r->user));
        assert_string_equal(text_of(p.password), text_of(r->password));
        assert_string_equal(text_of(p.address), text_of(r->address));
        assert_int_equal(p.port, r->port);
        assert_int_equal(p.socks, r->socks);
        proxy_free(&p);
        assert_null(p.url);
    }
}

static const struct {
    const char *option, *part_of_why;
} mistakes[] = {
    {"", "form scheme://host:port"},
    {"proxy.test:3128", "form scheme://host:port"},
    {"http://proxy.test", "port is missing"},
    {"http://proxy.test:", "port is missing"},
    {"http://proxy.test:0x50", "form scheme://host:port"},
    {"http://proxy.test:65536", "form scheme://host:port"},
    {"http://:3128", "form scheme://host:port"},
    {"socks5h://proxy.test:1080", "write socks5"},
    {"http://proxy.test:0", "the port"},
    {"http://%25proxy.test:3128", "the host"},
    {"socks4://proxy.test:1080", "http, https or socks5"},
    {"ftp://proxy.test:21", "http, https or socks5"},
    {"http://proxy.test:3128/path", "no meaning"},
    {"http://proxy.test:3128?query", "no meaning"},
    {"http://proxy.test:3128#fragment", "no meaning"},
    {"http://[fe80::1%25eth0]:3128", "no meaning"},
    {"http://hunter%00:hunter@proxy.test:3128", "decoded"},
    {"http://a%3ahunter:hunter@proxy.test:3128", "colon"},
    {"http://:hunter@proxy.test:3128", "user is empty"},
};

static void a_proxy_that_cannot_be_read_is_refused_without_its_credentials(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct proxy p;
        const char *why = NULL;
        if (proxy_parse(mistakes[i].option, &p, &why) != ERR_INVALID)
            fail_msg("%s was accepted as %s", mistakes[i].option, p.url);
        if (!strstr(why, mistakes[i].part_of_why))
            fail_msg("%s: \"%s\"", mistakes[i].option, why);
        assert_null(strstr(why, "hunter"));
        proxy_free(&p);
    }
}

static void a_name_or_a_password_over_the_bound_is_refused(void **state)
{
    (void)state;
    char option[600];
    struct proxy p;
    const char *why;
    for (unsigned n = 255; n <= 256; n++) {
        snprintf(option, sizeof option, "http://%0*d:x@h:1", (int)n, 0);
        assert_int_equal(proxy_parse(option, &p, &why), n == 255 ? ERR_OK : ERR_INVALID);
        proxy_free(&p);
        snprintf(option, sizeof option, "http://x:%0*d@h:1", (int)n, 0);
        assert_int_equal(proxy_parse(option, &p, &why), n == 255 ? ERR_OK : ERR_INVALID);
        proxy_free(&p);
    }
}

static struct proxy bypassing(const char *list)
{
    struct proxy p;
    const char *why = "";
    assert_int_equal(proxy_parse("http://proxy.test:3128", &p, &why), ERR_OK);
    if (proxy_parse_bypass(list, &p, &why))
        fail_msg("%s: %s", list, why);
    return p;
}

static const struct {
    const char *list, *host;
    bool name, address;
} bypasses[] = {
    {"", "example.com", false, false},
    {" ", "10.0.0.1", false, false},
    {"example.com", "example.com", true, false},
    {"EXAMPLE.com", "example.com", true, false},
    {"example.com", "example.com.", true, false},
    {"example.com", "www.example.com", false, false},
    {"example.com", "notexample.com", false, false},
    {".example.com", "www.example.com", true, false},
    {".example.com", "a.b.example.com.", true, false},
    {".example.com", "example.com", false, false},
    {".example.com", "notexample.com", false, false},
    {".com", "example.com", true, false},
    {"a.test , .b.test,10.0.0.0/8", "x.b.test", true, false},
    {"a.test , .b.test,10.0.0.0/8", "10.255.0.1", false, true},
    {"a.test , .b.test,10.0.0.0/8", "11.0.0.1", false, false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", false, true},
    {"198.51.100.7", "198.51.100.7", false, true},
    {"198.51.100.7", "198.51.100.8", false, false},
    {"fd00::/8", "fd12::1", false, true},
    {"fd00::1", "fd00::1", false, true},
    {"fd00::1", "fd00::2", false, false},
    {"0.0.0.0/0", "2001:db8::1", false, false},
};

static void the_bypass_list_names_hosts_suffixes_addresses_and_subnets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bypasses / sizeof *bypasses; i++) {
        struct proxy p = bypassing(bypasses[i].list);
        const bool name = proxy_bypasses_name(&p, bypasses[i].host);
        const bool address = proxy_bypasses_address(&p, bypasses[i].host);
        if (name != bypasses[i].name || address != bypasses[i].address)
            fail_msg("\"%s\" and %s: name %d, address %d", bypasses[i].list, bypasses[i].host, name,
                     address);
        proxy_free(&p);
    }
}

static void an_entry_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {
        ",",
        "a.test,",
        ",a.test",
        "a.test,,b.test",
        "*",
        "*.test",
        "a b",
        ".",
        "..test",
        "a..b",
        "a.test.",
        "http://a",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "1.2.3",
        "1.2.3.4:80",
        "::ffff:1.2.3.4",
        "fd00::/129",
        "[fd00::1]",
        "a.test;b.test",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct proxy p;
        const char *why = NULL;
        assert_int_equal(proxy_parse("http://proxy.test:3128", &p, &why), ERR_OK);
        if (proxy_parse_bypass(lists[i], &p, &why) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", lists[i]);
        assert_non_null(why);
        proxy_free(&p);
    }
}

static void the_bypass_list_is_bounded(void **state)
{
    (void)state;
    char list[PROXY_BYPASS_MAX * 2 + 2];
    for (size_t i = 0; i < sizeof list; i += 2)
        memcpy(list + i, "a,", 2);
    struct proxy p;
    const char *why;
    for (unsigned n = PROXY_BYPASS_MAX; n <= PROXY_BYPASS_MAX + 1; n++) {
        list[2 * n - 1] = 0;
        assert_int_equal(proxy_parse("http://proxy.test:3128", &p, &why), ERR_OK);
        assert_int_equal(proxy_parse_bypass(list, &p, &why),
                         n == PROXY_BYPASS_MAX ? ERR_OK : ERR_INVALID);
        proxy_free(&p);
        list[2 * n - 1] = ',';
    }
}

static bool at(const struct proxy *p, const char *address, uint16_t port)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, address, &in4.sin_addr) == 1)
        return proxy_is_at(p, (const struct sockaddr *)&in4);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return proxy_is_at(p, (const struct sockaddr *)&in6);
}

static void only_the_proxy_s_own_address_is_the_proxy(void **state)
{
    (void)state;
    struct proxy p;
    const char *why;
    assert_int_equal(proxy_parse("http://10.0.0.5:3128", &p, &why), ERR_OK);
    assert_true(at(&p, "10.0.0.5", 3128));
    assert_false(at(&p, "10.0.0.5", 3129));
    assert_false(at(&p, "10.0.0.6", 3128));
    assert_false(at(&p, "::1", 3128));
    proxy_free(&p);
    assert_int_equal(proxy_parse("http://[fd00:0::5]:3128", &p, &why), ERR_OK);
    assert_true(at(&p, "fd00::5", 3128));
    assert_false(at(&p, "fd00::6", 3128));
    proxy_free(&p);
    assert_int_equal(proxy_parse("http://proxy.test:3128", &p, &why), ERR_OK);
    assert_true(at(&p, "10.0.0.6", 3128));
    assert_false(at(&p, "10.0.0.6", 80));
    proxy_free(&p);
    const struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(proxy_is_at(&p, &local));
}

static const struct {
    struct proxy_failure failure;
    enum attempt_class untrusted, trusted;
} failures[] = {
    {{CURLE_COULDNT_CONNECT, 0, CURLPX_OK, false, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_COULDNT_RESOLVE_PROXY, 0, CURLPX_OK, false, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_PEER_FAILED_VERIFICATION, 0, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_RECV_ERROR, 407, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_RECV_ERROR, 403, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_RECV_ERROR, 500, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_REFUSED},
    {{CURLE_RECV_ERROR, 302, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_RECV_ERROR, 502, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_REFUSED},
    {{CURLE_RECV_ERROR, 503, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_REFUSED},
    {{CURLE_RECV_ERROR, 504, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_TIMEOUT},
    {{CURLE_RECV_ERROR, 0, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_OPERATION_TIMEDOUT, 0, CURLPX_OK, false, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_OPERATION_TIMEDOUT, 0, CURLPX_OK, true, false}, ATTEMPT_PROXY, ATTEMPT_TIMEOUT},
    {{CURLE_PROXY, 0, CURLPX_REPLY_CONNECTION_REFUSED, true, false},
     ATTEMPT_PROXY,
     ATTEMPT_REFUSED},
    {{CURLE_PROXY, 0, CURLPX_REPLY_HOST_UNREACHABLE, true, false}, ATTEMPT_PROXY, ATTEMPT_REFUSED},
    {{CURLE_PROXY, 0, CURLPX_REPLY_NETWORK_UNREACHABLE, true, false},
     ATTEMPT_PROXY,
     ATTEMPT_REFUSED},
    {{CURLE_PROXY, 0, CURLPX_REPLY_TTL_EXPIRED, true, false}, ATTEMPT_PROXY, ATTEMPT_TIMEOUT},
    {{CURLE_PROXY, 0, CURLPX_REPLY_GENERAL_SERVER_FAILURE, true, false},
     ATTEMPT_PROXY,
     ATTEMPT_PROXY},
    {{CURLE_PROXY, 0, CURLPX_REPLY_NOT_ALLOWED, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_PROXY, 0, CURLPX_USER_REJECTED, true, false}, ATTEMPT_PROXY, ATTEMPT_PROXY},
    {{CURLE_OUT_OF_MEMORY, 0, CURLPX_OK, true, false}, ATTEMPT_INTERNAL, ATTEMPT_INTERNAL},
};

static void an_endpoint_is_blamed_only_by_a_proxy_that_works_for_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct proxy_failure f = failures[i].failure;
        f.trusted = false;
        if (proxy_class(&f) != failures[i].untrusted)
            fail_msg("row %zu, not trusted: %s", i, attempt_class_name(proxy_class(&f)));
        f.trusted = true;
        if (proxy_class(&f) != failures[i].trusted)
            fail_msg("row %zu, trusted: %s", i, attempt_class_name(proxy_class(&f)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_is_taken_apart_and_its_url_names_no_credentials),
        cmocka_unit_test(a_proxy_that_cannot_be_read_is_refused_without_its_credentials),
        cmocka_unit_test(a_name_or_a_password_over_the_bound_is_refused),
        cmocka_unit_test(the_bypass_list_names_hosts_suffixes_addresses_and_subnets),
        cmocka_unit_test(an_entry_that_cannot_be_read_is_refused),
        cmocka_unit_test(the_bypass_list_is_bounded),
        cmocka_unit_test(only_the_proxy_s_own_address_is_the_proxy),
        cmocka_unit_test(an_endpoint_is_blamed_only_by_a_proxy_that_works_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
