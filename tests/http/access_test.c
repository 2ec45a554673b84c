/* Who may come in: what each route answers to each token. */
#include "tests/http/sample_routes.h"

#define HOST "Host: h\r\n"
#define AUTHORIZED(name) HOST "Authorization: Bearer " name "\r\n\r\n"

static void a_route_asks_for_a_token_and_for_its_scope(void **state)
{
    int fd = dial(*state);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" HOST "\r\n", 401);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("wrong"), 401);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" HOST "Authorization: Basic YTpi\r\n\r\n", 401);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("admin"), 200);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("read"), 200);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("ingest"), 403);
    expect(fd, "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("app"), 403);
    assert_int_equal(refused(*state, REFUSED_UNAUTHENTICATED), 3);
    assert_int_equal(refused(*state, REFUSED_FORBIDDEN), 2);
    close(fd);
}

static void a_token_that_cannot_be_looked_up_now_is_503_and_not_401(void **state)
{
    static const char request[] =
        "GET /api/v1/org HTTP/1.1\r\n" AUTHORIZED("shp_1srOrx2ZWZBpBUvZwXKQmoEYga2_secret");
    int fd = dial(*state);
    expect(fd, request, 401);
    atomic_store(&fake.portal_answer, ERR_BUSY);
    expect(fd, request, 503);
    atomic_store(&fake.portal_answer, ERR_CORRUPT);
    expect(fd, request, 401);
    close(fd);
}

static void another_application_is_404_for_the_token_of_one(void **state)
{
    struct id own = id_floor((struct wall){US_PER_S * 1600000000});
    struct id other = id_floor((struct wall){US_PER_S * 1700000000});
    char text[ID_MAX + 1], request[256];
    int fd = dial(*state);
    id_format(&own, ID_APP, text);
    snprintf(request, sizeof request, "GET /api/v1/app/%s HTTP/1.1\r\n" AUTHORIZED("app"), text);
    expect(fd, request, 200);
    id_format(&other, ID_APP, text);
    snprintf(request, sizeof request, "GET /api/v1/app/%s HTTP/1.1\r\n" AUTHORIZED("app"), text);
    expect(fd, request, 404);
    expect(fd, "GET /api/v1/app/some-uid HTTP/1.1\r\n" AUTHORIZED("app"), 200);
    close(fd);
}

int main(void)
{
#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_route_asks_for_a_token_and_for_its_scope),
        WITH_SERVER(a_token_that_cannot_be_looked_up_now_is_503_and_not_401),
        WITH_SERVER(another_application_is_404_for_the_token_of_one),
    };
    return cmocka_run_group_tests(tests, serve_samples, NULL);
}
