/* Reading messages and attempts: by id, by eventId, in filtered lists. */
#include "tests/store/world.h"

#include "store/read.h"

#define APP 7
#define ENDPOINT 3
#define MESSAGES 6

static struct world w;
static struct store_read *r;
static char payload[10000];

/* Message i: at i * 20 ms; odd ones are "b"; the third has a long payload; the fifth an eventId, a
 * channel and a tag. */
static struct message sample(int i)
{
    struct message m = {
        .id = world_id(i * 20, 1),
        .created = {WORLD_NOW + i * 20 * US_PER_MS + 1},
        .expires = {WORLD_NOW + WORLD_DAY},
        .app_number = APP,
        .event_type = i % 2 ? SPAN("b") : SPAN("a"),
        .payload = i == 3 ? span_of(payload, sizeof payload) : SPAN("{\"n\": 1.0}"),
    };
    if (i == 5) {
        m.event_id = SPAN("evt-5");
        m.channel_count = 1;
        m.channels[0] = SPAN("eu");
        m.tag_count = 1;
        m.tags[0] = SPAN("blue");
    }
    return m;
}

static struct attempt sample_attempt(int i)
{
    return (struct attempt){
        .id = world_id(i * 20 + 8, 2),
        .message = world_id(i * 20, 1),
        .endpoint_number = ENDPOINT,
        .outcome = i % 2 ? ATTEMPT_STATUS : ATTEMPT_SUCCESS,
        .status = i % 2 ? 503 : 204,
        .url = SPAN("https://example.com/"),
        .response = SPAN("body"),
    };
}

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)('a' + i / 7 % 26);
    world_begin(&w);
    for (int i = 0; i < MESSAGES; i++) {
        struct message m = sample(i);
        struct attempt a = sample_attempt(i);
        world_message(&w, &m);
        world_attempt(&w, &a);
    }
    world_commit(&w);
    WORLD_OK(store_read_begin(&w.s, &r));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_read_end(&r);
    world_close(&w);
    return 0;
}

static void reopen(void)
{
    store_read_end(&r);
    WORLD_OK(store_read_begin(&w.s, &r));
}

static enum err get(int i, bool content, struct message **m)
{
    char text[ID_MAX + 1];
    struct id id = world_id(i * 20, 1);
    size_t len = id_format(&id, ID_MESSAGE, text);
    return store_message_get(r, APP, span_of(text, len), content, m);
}

static void a_message_comes_back_byte_for_byte(void **state)
{
    (void)state;
    for (int i = 0; i < MESSAGES; i++) {
        struct message in = sample(i), *m;
        WORLD_OK(get(i, true, &m));
        assert_memory_equal(&m->id, &in.id, ID_BYTES);
        assert_true(span_eq(m->payload, in.payload));
        message_unref(&m);
        WORLD_OK(store_message_load(r, &in.id, &m));
        assert_true(span_eq(m->payload, in.payload));
        message_unref(&m);
        WORLD_OK(get(i, false, &m));
        assert_int_equal(m->payload.len, 0);
        message_unref(&m);
    }
}

static void a_message_is_found_by_its_event_id(void **state)
{
    (void)state;
    struct message *m;
    struct id fifth = world_id(100, 1);
    WORLD_OK(store_message_get(r, APP, SPAN("evt-5"), true, &m));
    assert_memory_equal(&m->id, &fifth, ID_BYTES);
    message_unref(&m);
    assert_int_equal(store_message_get(r, APP + 1, SPAN("evt-5"), true, &m), ERR_NOT_FOUND);
    assert_int_equal(store_message_get(r, APP, SPAN("evt-6"), true, &m), ERR_NOT_FOUND);
    assert_int_equal(store_message_get(r, APP, SPAN("msg_5"), true, &m), ERR_NOT_FOUND);
    assert_int_equal(store_message_get(r, APP, SPAN(""), true, &m), ERR_NOT_FOUND);
}

static void an_index_entry_of_another_event_id_does_not_lead_to_the_message(void **state)
{
    (void)state;
    struct id fifth = world_id(100, 1);
    struct treekey key = key_number(APP);
    hash_128(SPAN("collides"), key.b + key.len);
    key.len += 16;
    world_begin(&w);
    world_index(&w, INDEX_EVENT_ID, key, span_of(fifth.b, ID_BYTES));
    world_commit(&w);
    reopen();
    struct message *m;
    assert_int_equal(store_message_get(r, APP, SPAN("collides"), true, &m), ERR_NOT_FOUND);
    assert_null(m);
}

static void a_message_of_another_application_does_not_exist(void **state)
{
    (void)state;
    char text[ID_MAX + 1];
    struct id id = world_id(0, 1);
    size_t len = id_format(&id, ID_MESSAGE, text);
    struct message *m;
    assert_int_equal(store_message_get(r, APP + 1, span_of(text, len), true, &m), ERR_NOT_FOUND);
    assert_null(m);
}

static void damage_to_any_piece_of_a_message_is_corrupt(void **state)
{
    (void)state;
    struct id third = world_id(60, 1);
    struct message *m;
    world_begin(&w);
    world_damage(&w, TREE_BODY, key_body(&third, 2));
    world_commit(&w);
    reopen();
    assert_int_equal(get(3, true, &m), ERR_CORRUPT);
    assert_null(m);
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
    world_begin(&w);
    world_del(&w, TREE_BODY, key_body(&third, 2));
    world_commit(&w);
    reopen();
    assert_int_equal(get(3, true, &m), ERR_CORRUPT);
}

/* ---------------------------------------------------------------- lists */

static const struct message_filter everything;

static void expect_messages(const struct page *page, const struct message_filter *filter,
                            const char *expected)
{
    struct message *rows[PAGE_MAX];
    struct page_result result;
    char got[MESSAGES + 1] = "";
    WORLD_OK(store_message_list(r, APP, page, filter, true, rows, &result));
    for (unsigned i = 0; i < result.count; i++) {
        got[i] = (char)('0' + (id_time(&rows[i]->id).us - WORLD_NOW) / 20 / US_PER_MS);
        assert_true(rows[i]->payload.len > 0);
        message_unref(&rows[i]);
    }
    assert_string_equal(got, expected);
}

static void messages_are_listed_newest_first_and_filtered(void **state)
{
    (void)state;
    static const struct span b[] = {SPAN("b")}, both[] = {SPAN("c"), SPAN("a"), SPAN("b")};
    const struct page all = {.limit = PAGE_MAX};
    expect_messages(&all, &everything, "543210");
    expect_messages(&all, &(struct message_filter){.event_type_count = 1, .event_types = b}, "531");
    expect_messages(&all, &(struct message_filter){.event_type_count = 3, .event_types = both},
                    "543210");
    expect_messages(&all, &(struct message_filter){.channel = SPAN("eu")}, "5");
    expect_messages(&all, &(struct message_filter){.channel = SPAN("us")}, "");
    expect_messages(&all, &(struct message_filter){.tag = SPAN("blue")}, "5");
}

static void time_bounds_are_exact_to_the_microsecond(void **state)
{
    (void)state;
    int64_t third = WORLD_NOW + 60 * US_PER_MS + 1;
    struct page page = {.limit = 2, .before = {third}};
    expect_messages(&page, &everything, "21");
    page.before.us = third + 1;
    expect_messages(&page, &everything, "32");
    page = (struct page){.limit = 2, .after = {third}};
    expect_messages(&page, &everything, "54");
    page.after.us = third - 1;
    expect_messages(&page, &everything, "43");
}

static void entries_of_expired_and_damaged_messages_are_skipped(void **state)
{
    (void)state;
    struct id fourth = world_id(80, 1), second = world_id(40, 1);
    world_begin(&w);
    world_del(&w, TREE_MESSAGE, key_id(&fourth));
    world_damage(&w, TREE_MESSAGE, key_id(&second));
    world_commit(&w);
    reopen();
    expect_messages(&(struct page){.limit = PAGE_MAX}, &everything, "5310");
}

static void an_index_entry_that_names_no_message_is_skipped(void **state)
{
    (void)state;
    struct treekey key = key_number(APP);
    memset(key.b + key.len, 1, 3);
    key.len += 3;
    world_begin(&w);
    world_index(&w, INDEX_APP_MESSAGE, key, (struct span){0});
    world_commit(&w);
    reopen();
    expect_messages(&(struct page){.limit = PAGE_MAX}, &everything, "543210");
    assert_int_equal(counter_get(&w.s.stats.corrupt), 1);
}

/* ---------------------------------------------------------------- attempts */

static void expect_attempts(bool of_endpoint, const struct page *page,
                            const struct attempt_filter *filter, const char *expected)
{
    struct attempt *rows[PAGE_MAX];
    struct page_result result;
    struct id fourth = world_id(80, 1);
    char got[MESSAGES + 1] = "";
    if (of_endpoint)
        WORLD_OK(store_attempts_of_endpoint(r, ENDPOINT, page, filter, true, rows, &result));
    else
        WORLD_OK(store_attempts_of_message(r, &fourth, page, filter, true, rows, &result));
    for (unsigned i = 0; i < result.count; i++) {
        got[i] = (char)('0' + (id_time(&rows[i]->message).us - WORLD_NOW) / 20 / US_PER_MS);
        assert_true(span_is(rows[i]->response, "body"));
        attempt_free(&rows[i]);
    }
    assert_string_equal(got, expected);
}

static void attempts_are_listed_newest_first_and_filtered(void **state)
{
    (void)state;
    static const struct span b[] = {SPAN("b")};
    const struct page all = {.limit = PAGE_MAX};
    struct attempt_filter f = {.status = -1};
    expect_attempts(true, &all, &f, "543210");
    expect_attempts(false, &all, &f, "4");
    f.status = 0;
    expect_attempts(true, &all, &f, "420");
    f.status = 2;
    expect_attempts(true, &all, &f, "531");
    expect_attempts(false, &all, &f, "");
    f.status = 1;
    expect_attempts(true, &all, &f, "");
    f = (struct attempt_filter){.status = -1, .status_class = 200};
    expect_attempts(true, &all, &f, "420");
    f = (struct attempt_filter){.status = -1, .endpoint = ENDPOINT + 1};
    expect_attempts(false, &all, &f, "");
    f = (struct attempt_filter){.status = -1, .message = {.event_type_count = 1, .event_types = b}};
    expect_attempts(true, &all, &f, "531");
    f = (struct attempt_filter){.status = -1};
    expect_attempts(true, &(struct page){.limit = 2, .before = {WORLD_NOW + 68 * US_PER_MS}}, &f,
                    "21");
    expect_attempts(true, &(struct page){.limit = 2, .after = {WORLD_NOW + 68 * US_PER_MS}}, &f,
                    "54");
}

static void an_attempt_is_found_by_message_and_id(void **state)
{
    (void)state;
    struct attempt in = sample_attempt(2), *a;
    WORLD_OK(store_attempt_get(r, &in.message, &in.id, false, &a));
    assert_memory_equal(&a->id, &in.id, ID_BYTES);
    assert_memory_equal(&a->message, &in.message, ID_BYTES);
    assert_int_equal(a->response.len, 0);
    attempt_free(&a);
    struct id other = world_id(0, 1);
    assert_int_equal(store_attempt_get(r, &other, &in.id, false, &a), ERR_NOT_FOUND);
}

int main(void)
{
#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        READ_TEST(a_message_comes_back_byte_for_byte),
        READ_TEST(a_message_is_found_by_its_event_id),
        READ_TEST(an_index_entry_of_another_event_id_does_not_lead_to_the_message),
        READ_TEST(a_message_of_another_application_does_not_exist),
        READ_TEST(damage_to_any_piece_of_a_message_is_corrupt),
        READ_TEST(messages_are_listed_newest_first_and_filtered),
        READ_TEST(time_bounds_are_exact_to_the_microsecond),
        READ_TEST(entries_of_expired_and_damaged_messages_are_skipped),
        READ_TEST(an_index_entry_that_names_no_message_is_skipped),
        READ_TEST(attempts_are_listed_newest_first_and_filtered),
        READ_TEST(an_attempt_is_found_by_message_and_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
