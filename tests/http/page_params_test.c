/* Paging through a real request: the parameters come from the wire, the page is shown as text. */
#include "tests/http/fixture.h"

#include "http/page_params.h"

#define ID "1srOrx2ZWZBpBUvZwXKQmoEYga2"

static void show(struct request *req, const struct page_kind *kind)
{
    struct page_params p;
    if (!page_params(req, kind, &p))
        return;
    struct buf body;
    char id[ID_MAX + 1];
    buf_init(&body, 1024);
    id_format(&p.page.cursor, "", id);
    buf_printf(&body, "%u %s%s%s%.*s before=%lld after=%lld", p.page.limit,
               p.page.has_cursor ? "cursor " : "", p.page.backward ? "backward " : "",
               p.page.ascending ? "other " : "", SPAN_ARG(p.cursor_name),
               (long long)p.page.before.us, (long long)p.page.after.us);
    if (p.page.has_cursor && kind->prefix)
        buf_printf(&body, " %s", id);
    request_reply(req, 200, &body);
}

static void show_messages(struct request *req)
{
    show(req, &(struct page_kind){.prefix = ID_MESSAGE, .times = true});
}

static void show_types(struct request *req)
{
    show(req, &(struct page_kind){.ascending = true});
}

static const struct route routes[] = {
    {METHOD_GET, "/msg", ACCESS_PUBLIC, 0, show_messages, "messages"},
    {METHOD_GET, "/type", ACCESS_PUBLIC, 0, show_types, "types"},
};

static int serve_pages(void **state)
{
    (void)state;
    served = (struct route_table){routes, sizeof routes / sizeof routes[0], NULL};
    return 0;
}

static void each_query_makes_its_page(void **state)
{
    static const struct {
        const char *target, *wanted;
    } rows[] = {
        {"/msg", "50  before=0 after=0"},
        {"/msg?limit=1", "1  before=0 after=0"},
        {"/msg?limit=250", "250  before=0 after=0"},
        {"/msg?iterator=", "50  before=0 after=0"},
        {"/msg?iterator=msg_" ID, "50 cursor  before=0 after=0 " ID},
        {"/msg?iterator=-msg_" ID, "50 cursor backward  before=0 after=0 " ID},
        {"/msg?order=descending", "50  before=0 after=0"},
        {"/msg?order=ascending", "50 other  before=0 after=0"},
        {"/msg?before=1970-01-01T00:00:01Z", "50  before=1000000 after=0"},
        {"/msg?after=1970-01-01+00%3A00%3A02.000003999+UTC", "50  before=0 after=2000003"},
        {"/msg?before=1970-01-01T01:00:01%2B01:00&after=1970-01-01T00:00:00.5Z",
         "50  before=1000000 after=500000"},
        {"/type?iterator=user.signup", "50 cursor user.signup before=0 after=0"},
        {"/type?iterator=-user.signup", "50 cursor backward user.signup before=0 after=0"},
        {"/type?iterator=~-user.signup", "50 cursor -user.signup before=0 after=0"},
        {"/type?iterator=--user.signup", "50 cursor backward -user.signup before=0 after=0"},
        {"/type?order=ascending", "50  before=0 after=0"},
        {"/type?order=descending", "50 other  before=0 after=0"},
        {"/type?before=nonsense", "50  before=0 after=0"},
    };
    int fd = dial(*state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[512];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].target);
        assert_true(say(fd, span_text(request)));
        struct answer a = hear(fd, true);
        assert_string_equal(a.body, rows[i].wanted);
        answer_free(&a);
    }
    close(fd);
}

static void each_malformed_parameter_is_a_422_that_names_it(void **state)
{
    static const struct {
        const char *target, *loc;
    } rows[] = {
        {"/msg?limit=0", "[\"query\",\"limit\"]"},
        {"/msg?limit=251", "[\"query\",\"limit\"]"},
        {"/msg?limit=-1", "[\"query\",\"limit\"]"},
        {"/msg?limit=", "[\"query\",\"limit\"]"},
        {"/msg?limit=1x", "[\"query\",\"limit\"]"},
        {"/msg?limit=4294967297", "[\"query\",\"limit\"]"},
        {"/msg?iterator=x", "[\"query\",\"iterator\"]"},
        {"/msg?iterator=-", "[\"query\",\"iterator\"]"},
        {"/msg?iterator=--msg_" ID, "[\"query\",\"iterator\"]"},
        {"/msg?iterator=app_" ID, "[\"query\",\"iterator\"]"},
        {"/msg?iterator=msg_" ID "x", "[\"query\",\"iterator\"]"},
        {"/msg?iterator=msg_zzzzzzzzzzzzzzzzzzzzzzzzzzz", "[\"query\",\"iterator\"]"},
        {"/msg?order=up", "[\"query\",\"order\"]"},
        {"/msg?before=yesterday", "[\"query\",\"before\"]"},
        {"/msg?after=", "[\"query\",\"after\"]"},
        {"/msg?iterator=~msg_" ID, "[\"query\",\"iterator\"]"},
        {"/type?iterator=-", "[\"query\",\"iterator\"]"},
        {"/type?iterator=~", "[\"query\",\"iterator\"]"},
        {"/type?iterator=~user.signup", "[\"query\",\"iterator\"]"},
    };
    int fd = dial(*state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[512];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].target);
        assert_true(say(fd, span_text(request)));
        struct answer a = hear(fd, true);
        assert_int_equal(a.status, 422);
        if (!strstr(a.body, rows[i].loc))
            fail_msg("%s: %s", rows[i].target, a.body);
        answer_free(&a);
    }
    close(fd);
}

static void a_page_names_its_first_and_its_last_row(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;
    struct id first, last;
    assert_int_equal(id_parse(SPAN("msg_" ID), ID_MESSAGE, &first), ERR_OK);
    last = first;
    buf_init(&out, 1024);
    jw_init(&w, &out);
    page_params_open(&w);
    jw_int(&w, 7);
    page_params_close_ids(&w, ID_MESSAGE, &first, &last, false);
    jw_finish(&w);
    assert_string_equal(out.ptr, "{\"data\":[7],\"iterator\":\"msg_" ID
                                 "\",\"prevIterator\":\"-msg_" ID "\",\"done\":false}");
    buf_clear(&out);
    jw_init(&w, &out);
    page_params_open(&w);
    page_params_close_ids(&w, ID_MESSAGE, NULL, NULL, true);
    jw_finish(&w);
    assert_string_equal(out.ptr, "{\"data\":[],\"iterator\":null,\"prevIterator\":null,"
                                 "\"done\":true}");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_query_makes_its_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_malformed_parameter_is_a_422_that_names_it, set_up,
                                        tear_down),
        cmocka_unit_test(a_page_names_its_first_and_its_last_row),
    };
    return cmocka_run_group_tests(tests, serve_pages, NULL);
}
