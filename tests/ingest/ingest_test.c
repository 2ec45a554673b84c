/* The ingest routes over the wire, with a store that takes, refuses or knows what the test says. */
#include "tests/http/fixture.h"

#include "ingest/ingest.h"

#define MESSAGE "msg_1srOrx2ZWZBpBUvZwXKQmoEYga2"
#define OTHER "msg_1srOrx2ZWZBpBUvZwXKQmoEYga3"
#define CREATED ((struct wall){INT64_C(1614265330123456)})
#define PATH "/api/v1/app/my-app/msg"

/* What the store saw last, as text: "app count channels payload …". */
static char seen[4096];
static enum err load_result;

/* ---------------------------------------------------------------- the store's side */

static struct id id_of(const char *text)
{
    struct id id;
    assert_int_equal(id_parse(span_text(text), ID_MESSAGE, &id), ERR_OK);
    return id;
}

static void note(const struct ingest_op *op)
{
    int n = snprintf(seen, sizeof seen, "%.*s %u%s", SPAN_ARG(op->app), op->count,
                     op->op.idempotency.used ? " key" : "");
    for (unsigned i = 0; i < op->count && n < 3500; i++) {
        const struct message *m = op->items[i].message;
        n += snprintf(seen + n, sizeof seen - (size_t)n, " [%.*s %.*s]", SPAN_ARG(m->event_type),
                      (int)(m->payload.len < 40 ? m->payload.len : 40), m->payload.ptr);
    }
}

/* Takes every message; one with the eventId "taken" is a conflict. */
static void take(struct store_op *store_op)
{
    struct ingest_op *op = (struct ingest_op *)store_op;
    note(op);
    for (unsigned i = 0; i < op->count; i++) {
        struct ingest_item *item = &op->items[i];
        item->message->id = id_of(MESSAGE);
        item->message->created = CREATED;
        if (span_is(item->message->event_id, "taken")) {
            item->result = ERR_CONFLICT;
            item->existing = id_of(OTHER);
        }
    }
    if (!op->batch)
        store_op->result = op->items[0].result;
    if (op->batch && store_op->idempotency.used)
        op->render(op, &store_op->answer);
}

static void know(struct store_op *store_op)
{
    struct ingest_op *op = (struct ingest_op *)store_op;
    store_op->replayed = true;
    if (op->batch)
        buf_text(&store_op->answer, "{\"data\":\"as before\"}");
    else
        op->items[0].existing = id_of(OTHER);
}

static void miss_the_app(struct store_op *op)
{
    op->result = ERR_NOT_FOUND;
}

static void say_mismatch(struct store_op *op)
{
    op->result = ERR_MISMATCH;
}

enum err store_read_begin(struct store *s, struct store_read **out)
{
    (void)s;
    *out = NULL;
    return ERR_OK;
}

void store_read_end(struct store_read **r)
{
    *r = NULL;
}

enum err store_message_load(struct store_read *r, const struct id *id, struct message **out)
{
    (void)r;
    if (load_result)
        return load_result;
    *out = message_new();
    (*out)->id = *id;
    (*out)->created = CREATED;
    (*out)->event_type = SPAN("first");
    (*out)->payload = SPAN("{\"first\":true}");
    return ERR_OK;
}

/* ---------------------------------------------------------------- the client's side */

static struct ingest *ingest;

static int set_up_ingest(void **state)
{
    const struct ingest_settings settings = {.max_body = 300};
    assert_int_equal(ingest_new(&settings, &ingest), ERR_OK);
    served = ingest_routes(ingest);
    set_up(state);
    atomic_store(&fake.at_once, true);
    fake.apply = take;
    load_result = ERR_OK;
    return 0;
}

static int tear_down_ingest(void **state)
{
    tear_down(state);
    ingest_free(&ingest);
    return 0;
}

static struct answer post(void **state, const char *target, const char *headers, const char *body)
{
    size_t len = strlen(body);
    char *request = malloc(len + 1024);
    assert_non_null(request);
    snprintf(request, len + 1024,
             "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ingest\r\n%s"
             "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
             target, headers, len, body);
    int fd = dial(*state);
    assert_true(say(fd, span_text(request)));
    struct answer a = hear(fd, true);
    close(fd);
    free(request);
    return a;
}

static void answers(void **state, const char *target, const char *headers, const char *body,
                    int status, const char *wanted)
{
    struct answer a = post(state, target, headers, body);
    assert_int_equal(a.status, status);
    assert_string_equal(a.body, wanted);
    answer_free(&a);
}

#define OUT(event_id, type, payload, id)                                                  \
    "{\"eventId\":" event_id ",\"eventType\":\"" type "\",\"payload\":" payload           \
    ",\"channels\":null,\"id\":\"" id "\",\"timestamp\":\"2021-02-25T15:02:10.123456Z\"," \
    "\"tags\":null,\"deliverAt\":null,\"orderingKey\":null}"

/* ---------------------------------------------------------------- one message */

static void a_message_is_answered_with_202_when_the_store_has_it(void **state)
{
    answers(state, PATH, "", "{\"eventType\":\"a.b\",\"payload\":{ \"x\" : 1.50 }}", 202,
            OUT("null", "a.b", "{ \"x\" : 1.50 }", MESSAGE));
    assert_string_equal(seen, "my-app 1 [a.b { \"x\" : 1.50 }]");
}

static void the_payload_is_left_out_when_it_is_not_wanted(void **state)
{
    static const char body[] = "{\"eventType\":\"a.b\",\"payload\":{\"x\":1},\"eventId\":\"e\"}";
    answers(state, PATH "?with_content=false", "", body, 202, OUT("\"e\"", "a.b", "{}", MESSAGE));
    struct answer a = post(state, PATH "?with_content=no", "", body);
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "[\"query\",\"with_content\"]"));
    answer_free(&a);
}

static void what_is_no_json_says_so(void **state)
{
    static const char *const bodies[] = {"", "{", "{\"a\":1}}", "nonsense", "{'a':1}", "{} {}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct answer a = post(state, PATH, "", bodies[i]);
        assert_int_equal(a.status, 422);
        assert_non_null(strstr(a.body, "\"type\":\"value_error.jsondecode\""));
        assert_non_null(strstr(a.body, "\"loc\":[\"body\"]"));
        answer_free(&a);
    }
    answers(state, PATH, "", "[]", 422,
            "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"must be an object\","
            "\"type\":\"value_error\"}]}");
}

static void a_broken_rule_is_a_422_with_its_place(void **state)
{
    answers(state, PATH, "", "{\"payload\":{}}", 422,
            "{\"detail\":[{\"loc\":[\"body\",\"eventType\"],\"msg\":\"is required\","
            "\"type\":\"value_error.missing\"}]}");
    answers(state, PATH, "", "{\"eventType\":\"a\",\"payload\":{},\"deliverAt\":\"x\"}", 422,
            "{\"detail\":[{\"loc\":[\"body\",\"deliverAt\"],"
            "\"msg\":\"must be a date and time (RFC 3339)\",\"type\":\"value_error\"}]}");
}

static void a_known_event_id_is_a_conflict(void **state)
{
    answers(state, PATH, "", "{\"eventType\":\"a\",\"payload\":{},\"eventId\":\"taken\"}", 409,
            "{\"code\":\"conflict\",\"detail\":\"A message with this eventId exists\"}");
}

static void an_unknown_application_is_404(void **state)
{
    fake.apply = miss_the_app;
    answers(state, PATH, "", "{\"eventType\":\"a\",\"payload\":{}}", 404,
            "{\"code\":\"not_found\",\"detail\":\"Entity not found\"}");
}

#define KEY "Idempotency-Key: auto_1\r\n"

static void a_known_key_is_answered_with_the_first_message(void **state)
{
    static const char body[] = "{\"eventType\":\"second\",\"payload\":{\"x\":1}}";
    answers(state, PATH, KEY, body, 202, OUT("null", "second", "{\"x\":1}", MESSAGE));
    assert_string_equal(seen, "my-app 1 key [second {\"x\":1}]");
    fake.apply = know;
    answers(state, PATH, KEY, body, 202, OUT("null", "first", "{\"first\":true}", OTHER));
    answers(state, PATH "?with_content=false", KEY, body, 202, OUT("null", "first", "{}", OTHER));
}

static void a_known_key_whose_message_is_gone_is_still_202(void **state)
{
    fake.apply = know;
    load_result = ERR_NOT_FOUND;
    struct answer a = post(state, PATH, KEY, "{\"eventType\":\"second\",\"payload\":{\"x\":1}}");
    assert_int_equal(a.status, 202);
    assert_non_null(strstr(a.body, "\"id\":\"" OTHER "\""));
    assert_non_null(strstr(a.body, "\"payload\":{}"));
    answer_free(&a);
}

static void the_same_key_with_another_body_is_a_conflict_when_the_store_says_so(void **state)
{
    fake.apply = say_mismatch;
    struct answer a = post(state, PATH, KEY, "{\"eventType\":\"a\",\"payload\":{}}");
    assert_int_equal(a.status, 409);
    answer_free(&a);
}

static void a_refusal_of_the_store_gives_the_message_back(void **state)
{
    atomic_store(&fake.refuse_with, ERR_FULL);
    struct answer a = post(state, PATH, "", "{\"eventType\":\"a\",\"payload\":{}}");
    assert_int_equal(a.status, 507);
    answer_free(&a);
    a = post(state, PATH "/batch", "", "{\"messages\":[{\"eventType\":\"a\",\"payload\":{}}]}");
    assert_int_equal(a.status, 507);
    answer_free(&a);
}

/* ---------------------------------------------------------------- batches */

#define TAKEN(event_id)                                            \
    "{\"status\":202,\"id\":\"" MESSAGE "\",\"eventId\":" event_id \
    ",\"timestamp\":\"2021-02-25T15:02:10.123456Z\"}"
#define REFUSED(field, message)                                               \
    "{\"status\":422,\"detail\":[{\"loc\":[\"body\",\"messages\"," field "]," \
    "\"msg\":\"" message "\",\"type\":\"value_error\"}]}"

static const char mixed[] = "{\"messages\":[{\"eventType\":\"a\",\"payload\":{ }},"
                            "{\"eventType\":\"a\",\"payload\":1},"
                            "{\"eventType\":\"b\",\"payload\":{},\"eventId\":\"taken\"},"
                            "7,"
                            "{\"eventType\":\"c\",\"payload\":{},\"eventId\":\"\\u0065\"}]}";
static const char mixed_answer[] = "{\"data\":[" TAKEN("null") "," REFUSED(
    "1,\"payload\"", "must be an object") ","
                                          "{\"status\":409,\"code\":\"conflict\",\"detail\":\"A "
                                          "message with this eventId exists\","
                                          "\"id\":\"" OTHER "\"}," REFUSED(
                                              "3", "must be an object") "," TAKEN("\"e\"") "]}";

static void each_item_of_a_batch_has_its_own_result(void **state)
{
    answers(state, PATH "/batch", "", mixed, 202, mixed_answer);
    assert_string_equal(seen, "my-app 3 [a { }] [b {}] [c {}]");
}

static void the_kept_answer_of_a_batch_is_the_sent_one(void **state)
{
    answers(state, PATH "/batch", KEY, mixed, 202, mixed_answer);
    fake.apply = know;
    answers(state, PATH "/batch", KEY, mixed, 202, "{\"data\":\"as before\"}");
}

static void an_item_over_the_bound_of_a_message_is_refused_alone(void **state)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"messages\":[{\"eventType\":\"a\",\"payload\":{\"x\":\"%0280d\"}},"
             "{\"eventType\":\"a\",\"payload\":{}}]}",
             0);
    struct answer a = post(state, PATH "/batch", "", body);
    assert_int_equal(a.status, 202);
    assert_non_null(strstr(a.body, "{\"data\":[{\"status\":413,\"code\":\"payload_too_large\""));
    assert_non_null(strstr(a.body, TAKEN("null")));
    answer_free(&a);
}

static void what_is_no_batch_is_a_422(void **state)
{
    static const struct {
        const char *body, *wanted;
    } rows[] = {
        {"{\"messages\":[{}", "value_error.jsondecode"},
        {"{}", "is required"},
        {"{\"messages\":{}}", "must be a list"},
        {"{\"messages\":null}", "must be a list"},
        {"{\"messages\":[]}", "must have between 1 and 1000 items"},
        {"{\"messages\":[1],\"messages\":[2]}", "is given twice"},
        {"[]", "must be an object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer a = post(state, PATH "/batch", "", rows[i].body);
        assert_int_equal(a.status, 422);
        if (!strstr(a.body, rows[i].wanted))
            fail_msg("%s: %s", rows[i].body, a.body);
        answer_free(&a);
    }
}

/* {"messages":[item, item, …]} */
static char *batch_of(unsigned count)
{
    static const char item[] = "{\"eventType\":\"a\",\"payload\":{}},";
    struct buf b;
    buf_init(&b, BATCH_BODY_MAX);
    buf_text(&b, "{\"messages\":[");
    for (unsigned i = 0; i < count; i++)
        buf_text(&b, item);
    b.len--;
    buf_text(&b, "]}");
    char *text = buf_take(&b, NULL);
    assert_non_null(text);
    return text;
}

static void a_thousand_messages_are_a_batch_and_one_more_is_not(void **state)
{
    char *most = batch_of(BATCH_MESSAGES_MAX), *over = batch_of(BATCH_MESSAGES_MAX + 1);
    struct answer a = post(state, PATH "/batch", "", most);
    assert_int_equal(a.status, 202);
    unsigned results = 0;
    for (const char *at = a.body; (at = strstr(at, "\"status\":202")); at++)
        results++;
    assert_int_equal(results, BATCH_MESSAGES_MAX);
    answer_free(&a);
    a = post(state, PATH "/batch", "", over);
    assert_int_equal(a.status, 422);
    answer_free(&a);
    free(most);
    free(over);
}

int main(void)
{
#define WITH_INGEST(f) cmocka_unit_test_setup_teardown(f, set_up_ingest, tear_down_ingest)
    const struct CMUnitTest tests[] = {
        WITH_INGEST(a_message_is_answered_with_202_when_the_store_has_it),
        WITH_INGEST(the_payload_is_left_out_when_it_is_not_wanted),
        WITH_INGEST(what_is_no_json_says_so),
        WITH_INGEST(a_broken_rule_is_a_422_with_its_place),
        WITH_INGEST(a_known_event_id_is_a_conflict),
        WITH_INGEST(an_unknown_application_is_404),
        WITH_INGEST(a_known_key_is_answered_with_the_first_message),
        WITH_INGEST(a_known_key_whose_message_is_gone_is_still_202),
        WITH_INGEST(the_same_key_with_another_body_is_a_conflict_when_the_store_says_so),
        WITH_INGEST(a_refusal_of_the_store_gives_the_message_back),
        WITH_INGEST(each_item_of_a_batch_has_its_own_result),
        WITH_INGEST(the_kept_answer_of_a_batch_is_the_sent_one),
        WITH_INGEST(an_item_over_the_bound_of_a_message_is_refused_alone),
        WITH_INGEST(what_is_no_batch_is_a_422),
        WITH_INGEST(a_thousand_messages_are_a_batch_and_one_more_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
