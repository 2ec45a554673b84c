#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/router.h"

static void handler(struct request *req)
{
    (void)req;
}

#define ROUTE(method, path)                                    \
    {                                                          \
        METHOD_##method, path, ACCESS_PUBLIC, 0, handler, path \
    }
static const struct route first[] = {
    ROUTE(GET, "/api/v1/app"),
    ROUTE(POST, "/api/v1/app"),
    ROUTE(GET, "/api/v1/app/{app}"),
    ROUTE(DELETE, "/api/v1/app/{app}"),
    ROUTE(GET, "/api/v1/app/{app}/msg/{msg}"),
    ROUTE(DELETE, "/api/v1/app/{app}/msg/{msg}/content"),
    ROUTE(POST, "/api/v1/app/{app}/msg/precheck/active"),
    ROUTE(GET, "/api/v1/app/{app}/attempt/msg/{msg}"),
    ROUTE(GET, "/"),
};
static const struct route second[] = {
    ROUTE(POST, "/api/v1/app/{app}/msg"),
    ROUTE(HEAD, "/own-head"),
    ROUTE(GET, "/own-head"),
};
static int first_context, second_context;

static int set_up(void **state)
{
    const struct route_table tables[] = {
        {first, sizeof first / sizeof first[0], &first_context},
        {second, sizeof second / sizeof second[0], &second_context},
    };
    struct router *r;
    assert_int_equal(router_new(tables, 2, &r), ERR_OK);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct router *r = *state;
    router_free(&r);
    return 0;
}

/* The pattern that a path finds for a method, "405" or "404". */
static const char *found(void **state, enum method m, const char *path)
{
    struct router_match match;
    if (!router_find(*state, span_text(path), &match))
        return "404";
    return match.by_method[m] ? match.by_method[m]->path : "405";
}

static void each_path_finds_its_route(void **state)
{
    static const struct {
        enum method method;
        const char *path, *wanted;
    } rows[] = {
        {METHOD_GET, "/api/v1/app", "/api/v1/app"},
        {METHOD_GET, "/api/v1/app/", "/api/v1/app"},
        {METHOD_POST, "/api/v1/app", "/api/v1/app"},
        {METHOD_PUT, "/api/v1/app", "405"},
        {METHOD_GET, "/api/v1/app/x", "/api/v1/app/{app}"},
        {METHOD_GET, "/api/v1/app/x/", "/api/v1/app/{app}"},
        {METHOD_POST, "/api/v1/app/x/msg", "/api/v1/app/{app}/msg"},
        {METHOD_GET, "/api/v1/app/x/msg", "405"},
        {METHOD_GET, "/api/v1/app/x/msg/y", "/api/v1/app/{app}/msg/{msg}"},
        {METHOD_GET, "/api/v1/app/x/msg/precheck", "/api/v1/app/{app}/msg/{msg}"},
        {METHOD_POST, "/api/v1/app/x/msg/precheck/active", "/api/v1/app/{app}/msg/precheck/active"},
        {METHOD_DELETE, "/api/v1/app/x/msg/precheck/content",
         "/api/v1/app/{app}/msg/{msg}/content"},
        {METHOD_GET, "/api/v1/app/msg", "/api/v1/app/{app}"},
        {METHOD_GET, "/", "/"},
        {METHOD_GET, "/api", "404"},
        {METHOD_GET, "/api/v1", "404"},
        {METHOD_GET, "/api/v1/apps", "404"},
        {METHOD_GET, "/API/v1/app", "404"},
        {METHOD_GET, "/api/v1/app//msg/y", "404"},
        {METHOD_GET, "//api/v1/app", "404"},
        {METHOD_GET, "/api/v1/app/x/attempt/msg", "404"},
        {METHOD_GET, "/api/v1/app/x/y/z/a/b/c/d/e/f", "404"},
        {METHOD_GET, "api/v1/app", "404"},
        {METHOD_GET, "*", "404"},
        {METHOD_HEAD, "/api/v1/app", "/api/v1/app"},
        {METHOD_HEAD, "/api/v1/app/x/msg", "405"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(found(state, rows[i].method, rows[i].path), rows[i].wanted);
}

static void parameters_come_in_the_order_of_the_path(void **state)
{
    struct router_match match;
    assert_true(router_find(*state, SPAN("/api/v1/app/a%20b/msg/precheck/content"), &match));
    assert_int_equal(match.param_count, 2);
    assert_true(span_is(match.params[0], "a%20b"));
    assert_true(span_is(match.params[1], "precheck"));
    const struct route *route = match.by_method[METHOD_DELETE];
    assert_true(span_is(router_param_name(route, 0), "app"));
    assert_true(span_is(router_param_name(route, 1), "msg"));
    assert_null(router_param_name(route, 2).ptr);
}

static void each_route_has_the_context_of_its_table(void **state)
{
    struct router_match match;
    assert_true(router_find(*state, SPAN("/api/v1/app/x"), &match));
    assert_ptr_equal(match.context[METHOD_GET], &first_context);
    assert_ptr_equal(match.context[METHOD_HEAD], &first_context);
    assert_true(router_find(*state, SPAN("/api/v1/app/x/msg"), &match));
    assert_ptr_equal(match.context[METHOD_POST], &second_context);
}

static void allow_names_every_method_of_the_path(void **state)
{
    struct router_match match;
    char text[ROUTER_ALLOW_MAX];
    assert_true(router_find(*state, SPAN("/api/v1/app"), &match));
    router_allow(&match, text);
    assert_string_equal(text, "GET, POST, HEAD");
    struct router_match all;
    for (unsigned m = 0; m < METHOD_COUNT; m++)
        all.by_method[m] = &first[0];
    router_allow(&all, text);
    assert_string_equal(text, "GET, POST, PUT, PATCH, DELETE, HEAD");
}

static void a_route_of_its_own_for_head_comes_first(void **state)
{
    struct router_match match;
    assert_true(router_find(*state, SPAN("/own-head"), &match));
    assert_ptr_equal(match.by_method[METHOD_HEAD], &second[1]);
}

static void method_names_are_exact(void **state)
{
    (void)state;
    enum method m;
    assert_true(router_method(SPAN("PATCH"), &m));
    assert_int_equal(m, METHOD_PATCH);
    assert_false(router_method(SPAN("patch"), &m));
    assert_false(router_method(SPAN("OPTIONS"), &m));
    assert_false(router_method(SPAN(""), &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_path_finds_its_route, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_come_in_the_order_of_the_path, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_route_has_the_context_of_its_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(allow_names_every_method_of_the_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_route_of_its_own_for_head_comes_first, set_up, tear_down),
        cmocka_unit_test(method_names_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
