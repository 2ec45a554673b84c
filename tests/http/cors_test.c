/* Pages of other origins: let in by the option, on every answer; otherwise not a word. */
#include "tests/http/sample_routes.h"

#define PAGE "Host: h\r\nOrigin: https://page.example\r\n"
#define ASK PAGE "Access-Control-Request-Method: POST\r\n"
#define OPEN "Access-Control-Allow-Origin: *\r\n"

static int set_up_open(void **state)
{
    struct http_settings settings = default_settings();
    settings.cors = true;
    *state = start_server(&settings);
    return 0;
}

static struct answer ask(int fd, const char *request, int status)
{
    assert_true(say(fd, span_text(request)));
    struct answer a = hear(fd, true);
    assert_int_equal(a.status, status);
    return a;
}

static void a_preflight_is_answered_without_a_token(void **state)
{
    int fd = dial(*state);
    struct answer a = ask(fd, "OPTIONS /api/v1/app/app_x/msg HTTP/1.1\r\n" ASK "\r\n", 204);
    assert_non_null(strstr(a.text, OPEN));
    assert_non_null(strstr(a.text, "Access-Control-Allow-Methods: POST\r\n"));
    assert_non_null(strstr(a.text, "Access-Control-Allow-Headers: *, authorization\r\n"));
    assert_non_null(strstr(a.text, "Access-Control-Max-Age: 600\r\n"));
    answer_free(&a);
    expect(fd, "GET /api/v1/hello HTTP/1.1\r\n" PAGE "\r\n", 200);
    close(fd);
}

static void every_answer_may_be_read_a_refusal_too(void **state)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET /api/v1/hello HTTP/1.1\r\n" PAGE "\r\n", 200},
        {"GET /api/v1/org HTTP/1.1\r\n" PAGE "\r\n", 401},
        {"GET /nowhere HTTP/1.1\r\n" PAGE "\r\n", 404},
        {"OPTIONS /nowhere HTTP/1.1\r\n" ASK "\r\n", 404},
        {"OPTIONS /api/v1/hello HTTP/1.1\r\n" PAGE "\r\n", 405},
        {"POST /api/v1/echo HTTP/1.1\r\n" PAGE "Content-Length: 1001\r\n\r\n", 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = dial(*state);
        struct answer a = ask(fd, cases[i].request, cases[i].status);
        assert_non_null(strstr(a.text, OPEN));
        assert_non_null(strstr(a.text, "Access-Control-Expose-Headers: *\r\n"));
        answer_free(&a);
        close(fd);
    }
}

static void without_the_option_no_page_is_let_in(void **state)
{
    int fd = dial(*state);
    struct answer a = ask(fd, "OPTIONS /api/v1/echo HTTP/1.1\r\n" ASK "\r\n", 405);
    assert_null(strstr(a.text, "Access-Control"));
    answer_free(&a);
    a = ask(fd, "GET /api/v1/hello HTTP/1.1\r\n" PAGE "\r\n", 200);
    assert_null(strstr(a.text, "Access-Control"));
    answer_free(&a);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_preflight_is_answered_without_a_token, set_up_open,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_answer_may_be_read_a_refusal_too, set_up_open,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_the_option_no_page_is_let_in, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, serve_samples, NULL);
}
