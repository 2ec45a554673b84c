/* Many event types in one commit: all of them, and only what says something new. */
#include "tests/store/rig.h"

static struct rig r;

static struct event_type *get(const char *name)
{
    struct id org = store_default_org(r.s);
    struct event_type *t = NULL;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    enum err e = store_event_type_get(read, &org, span_text(name), &t);
    store_read_end(&read);
    assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
    return t;
}

static void put(const struct event_type *types, unsigned count, const struct span *archive,
                unsigned archive_count)
{
    struct event_types_op op = {.org = store_default_org(r.s),
                                .now = r.now,
                                .types = types,
                                .count = count,
                                .archive = archive,
                                .archive_count = archive_count};
    OK(rig_do(&r, &op.op, STORE_EVENT_TYPES_PUT));
}

static void what_is_new_is_made_and_what_is_known_is_replaced(void **state)
{
    (void)state;
    rig_open(&r);
    const struct event_type first[] = {{.name = SPAN("a"), .description = SPAN("A")},
                                       {.name = SPAN("b"), .archived = true}};
    put(first, 2, NULL, 0);
    struct wall begun = r.now;
    rig_advance(&r, US_PER_S);
    const struct event_type second[] = {{.name = SPAN("b"), .description = SPAN("B")}};
    put(second, 1, NULL, 0);
    rig_restart(&r);
    struct event_type *a = get("a"), *b = get("b");
    assert_true(span_is(a->description, "A") && span_is(b->description, "B"));
    assert_false(b->archived);
    assert_int_equal(b->created.us, begun.us);
    assert_int_equal(b->updated.us, r.now.us);
    assert_true(b->version > a->version);
    event_type_free(&a);
    event_type_free(&b);
    rig_close(&r);
}

static void what_says_the_same_is_left_alone(void **state)
{
    (void)state;
    rig_open(&r);
    const struct event_type types[] = {{.name = SPAN("a"),
                                        .schemas = SPAN("{\"1\":{}}"),
                                        .flag_count = 1,
                                        .flags = {SPAN("beta")}}};
    put(types, 1, NULL, 0);
    struct event_type *before = get("a");
    rig_advance(&r, US_PER_S);
    put(types, 1, NULL, 0);
    struct event_type *after = get("a");
    assert_int_equal(before->version, after->version);
    assert_int_equal(before->updated.us, after->updated.us);
    event_type_free(&before);
    event_type_free(&after);
    rig_close(&r);
}

static void others_are_archived_once_and_unknown_ones_left_out(void **state)
{
    (void)state;
    rig_open(&r);
    const struct event_type types[] = {{.name = SPAN("a"), .description = SPAN("kept")}};
    const struct span others[] = {SPAN("a"), SPAN("unknown")};
    put(types, 1, NULL, 0);
    put(NULL, 0, others, 2);
    struct event_type *once = get("a");
    assert_true(once->archived && span_is(once->description, "kept"));
    put(NULL, 0, others, 2);
    struct event_type *twice = get("a");
    assert_int_equal(once->version, twice->version);
    assert_null(get("unknown"));
    event_type_free(&once);
    event_type_free(&twice);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_is_made_and_what_is_known_is_replaced),
        cmocka_unit_test(what_says_the_same_is_left_alone),
        cmocka_unit_test(others_are_archived_once_and_unknown_ones_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
