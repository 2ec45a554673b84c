/* Figures of an organisation: each delivery once, whatever happens meanwhile. */
#include "tests/store/rig.h"

#include "store/entry.h"

#define HOUR (3600 * US_PER_S)

static struct rig r;

struct result {
    unsigned count;
    struct {
        struct id app;
        uint64_t deliveries;
        bool catch_all;
        char uid[32], type[32];
    } rows[64];
};

static void expect_no_finding(void *context, const char *finding)
{
    (void)context;
    fail_msg("%s", finding);
}

static void collect(void *context, const struct task_result *row)
{
    struct result *out = context;
    assert_true(out->count < 64);
    out->rows[out->count].app = row->app;
    out->rows[out->count].deliveries = row->deliveries;
    out->rows[out->count].catch_all = row->catch_all;
    snprintf(out->rows[out->count].uid, 32, "%.*s", SPAN_ARG(row->uid));
    snprintf(out->rows[out->count].type, 32, "%.*s", SPAN_ARG(row->event_type));
    out->count++;
}

static struct task_info task_of(const struct id *id)
{
    struct id org = store_default_org(r.s);
    struct store_read *read;
    struct task_info info;
    OK(store_read_begin(r.s, &read));
    OK(store_task_get(read, &org, id, &info));
    store_read_end(&read);
    return info;
}

/* Asks, waits for the end (across restarts when `restarts`), and reads the result. */
static struct result run(struct aggregate_op *op, bool restarts)
{
    struct result result = {.count = 0};
    struct task_result_place at = {.event_type = ""};
    struct store_read *read;
    bool more;
    op->org = store_default_org(r.s);
    op->task = id_random(r.now);
    OK(rig_do(&r, &op->op, STORE_AGGREGATE));
    for (unsigned i = 0; i < 200 && !task_of(&op->task).finished; i++) {
        if (restarts)
            rig_restart(&r);
        rig_turn(&r);
    }
    assert_true(task_of(&op->task).finished);
    assert_false(task_of(&op->task).failed);
    OK(store_read_begin(r.s, &read));
    OK(store_task_results(read, &op->task, &at, collect, &result, &more));
    store_read_end(&read);
    assert_false(more);
    return result;
}

static uint64_t deliveries_of(const struct result *result, const struct app *a)
{
    for (unsigned i = 0; i < result->count; i++)
        if (id_cmp(&result->rows[i].app, &a->id) == 0)
            return result->rows[i].deliveries;
    return UINT64_MAX;
}

static struct aggregate_op usage(void)
{
    return (struct aggregate_op){.since = {r.now.us - HOUR}, .until = {r.now.us + HOUR}};
}

static void deliveries_are_counted_by_application(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        rig_open(&r);
        struct app one = rig_app(&r, "one"), two = rig_app(&r, "two"), idle = rig_app(&r, "idle");
        rig_add_endpoint(&r, &one);
        rig_add_endpoint(&r, &one);
        rig_add_endpoint(&r, &two);
        for (int i = 0; i < 5; i++)
            rig_send(&r, &one);
        rig_send(&r, &two);
        struct aggregate_op op = usage();
        struct result result = run(&op, restarts);
        assert_int_equal(result.count, 3);
        assert_int_equal(deliveries_of(&result, &one), 10);
        assert_int_equal(deliveries_of(&result, &two), 1);
        assert_int_equal(deliveries_of(&result, &idle), 0);
        assert_int_equal(task_of(&op.task).done, 3);
        rig_close(&r);
    }
}

static void only_the_hours_of_the_window_count(void **state)
{
    (void)state;
    rig_open(&r);
    struct app a = rig_app(&r, "a");
    rig_add_endpoint(&r, &a);
    struct wall begun = r.now;
    for (int hour = 0; hour < 4; hour++) {
        for (int i = 0; i <= hour; i++)
            rig_send(&r, &a);
        rig_advance(&r, HOUR);
    }
    struct aggregate_op op = {.since = {begun.us + HOUR}, .until = {begun.us + 2 * HOUR}};
    struct result result = run(&op, false);
    assert_int_equal(deliveries_of(&result, &a), 2 + 3);
    op = (struct aggregate_op){.since = {0}, .until = {INT64_C(1) << 60}};
    result = run(&op, false);
    assert_int_equal(deliveries_of(&result, &a), 1 + 2 + 3 + 4);
    rig_close(&r);
}

static void named_applications_alone_are_counted(void **state)
{
    (void)state;
    rig_open(&r);
    struct app one = rig_app(&r, "one"), two = rig_app(&r, "two");
    rig_add_endpoint(&r, &one);
    rig_add_endpoint(&r, &two);
    rig_send(&r, &one);
    rig_send(&r, &two);
    struct id named[] = {two.id, id_random(r.now)};
    struct aggregate_op op = usage();
    op.apps = named;
    op.app_count = 2;
    struct result result = run(&op, true);
    assert_int_equal(result.count, 1);
    assert_int_equal(deliveries_of(&result, &two), 1);
    assert_string_equal(result.rows[0].uid, "two");
    rig_close(&r);
}

static void a_deleted_endpoint_s_deliveries_still_count(void **state)
{
    (void)state;
    rig_open(&r);
    struct app a = rig_app(&r, "a");
    struct endpoint e = rig_add_endpoint(&r, &a);
    rig_send(&r, &a);
    struct endpoint_op gone = {.number = e.number};
    OK(rig_do(&r, &gone.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 3);
    rig_restart(&r);
    struct aggregate_op op = usage();
    struct result result = run(&op, false);
    assert_int_equal(deliveries_of(&result, &a), 1);
    rig_close(&r);
}

static void event_types_are_collected_by_application(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        rig_open(&r);
        struct app one = rig_app(&r, "one"), two = rig_app(&r, "two");
        struct span first[] = {SPAN("b"), SPAN("a")}, second[] = {SPAN("c"), SPAN("a")};
        struct endpoint e = rig_endpoint_new(&r, &one);
        e.filters = first;
        e.filter_count = 2;
        OK(rig_put_endpoint(&r, &e));
        e = rig_endpoint_new(&r, &one);
        e.filters = second;
        e.filter_count = 2;
        OK(rig_put_endpoint(&r, &e));
        rig_add_endpoint(&r, &two);
        struct aggregate_op op = {.event_types = true};
        struct result result = run(&op, restarts);
        unsigned at = id_cmp(&result.rows[0].app, &one.id) == 0 ? 0 : 1;
        assert_int_equal(result.count, 5);
        assert_false(result.rows[at].catch_all);
        for (unsigned i = 0; i < 3; i++)
            assert_string_equal(result.rows[at + 1 + i].type, names[i]);
        at = at ? 0 : 4;
        assert_int_equal(id_cmp(&result.rows[at].app, &two.id), 0);
        assert_true(result.rows[at].catch_all);
        rig_close(&r);
    }
}

/* The list leads to applications that are gone, before those that are there. */
static void plant_gone_apps(unsigned count)
{
    const struct id org = store_default_org(r.s);
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(r.s->env.mdb, NULL, 0, &txn), 0);
    for (unsigned n = 0; n < count; n++) {
        struct id gone = {{0}};
        put_be32(gone.b + 4, n + 1);
        struct treekey key = key_id_id(&org, &gone);
        OK(tree_put(&r.s->env, txn, TREE_APP_ORG, key_span(&key), (struct span){0}, 0));
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
}

/* Nothing is checked at the end: the rows stay. */
static void applications_that_are_gone_hide_none_behind_them(void **state)
{
    (void)state;
    rig_open(&r);
    struct app a = rig_app(&r, "a");
    rig_add_endpoint(&r, &a);
    rig_send(&r, &a);
    plant_gone_apps(1001); /* more than a step looks at */
    for (int types = 0; types < 2; types++) {
        struct aggregate_op op = usage();
        op.event_types = types;
        struct result result = run(&op, false);
        assert_int_equal(result.count, 1);
        assert_int_equal(deliveries_of(&result, &a), !types);
    }
    rig_stop(&r);
    rig_remove(&r);
}

/* One row more than a result may have: endpoints with filters of their own. */
static void add_too_many_types(void)
{
    enum { EACH = ENDPOINT_FILTERS_MAX };
    static char names[EACH][16];
    struct span filters[EACH];
    struct app a = rig_app(&r, "a");
    for (unsigned n = 0; n < TASK_RESULTS_MAX / EACH; n++) {
        struct endpoint e = rig_endpoint_new(&r, &a);
        for (unsigned i = 0; i < EACH; i++) {
            snprintf(names[i], sizeof names[i], "%u.%u", n, i);
            filters[i] = span_text(names[i]);
        }
        e.filters = filters;
        e.filter_count = EACH;
        OK(rig_put_endpoint(&r, &e));
    }
}

static void a_result_that_is_too_large_fails(void **state)
{
    (void)state;
    rig_open(&r);
    add_too_many_types();
    struct aggregate_op op = {
        .event_types = true, .org = store_default_org(r.s), .task = id_random(r.now)};
    OK(rig_do(&r, &op.op, STORE_AGGREGATE));
    for (unsigned i = 0; i < 1000 && !task_of(&op.task).finished; i++)
        rig_turn(&r);
    assert_true(task_of(&op.task).finished && task_of(&op.task).failed);
    const struct page page = {.limit = 10};
    struct task_query query = {.status = TASK_FAILED};
    struct task_info rows[10];
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_task_list(read, &op.org, &page, &query, rows, &result));
    assert_int_equal(result.count, 1);
    query.status = TASK_FINISHED;
    OK(store_task_list(read, &op.org, &page, &query, rows, &result));
    assert_int_equal(result.count, 0);
    store_read_end(&read);
    rig_advance(&r, DAY_US + HOUR);
    rig_turns(&r, 200); /* a step removes some hundreds of rows */
    rig_stop(&r);
    struct check_report report;
    OK(store_open(&r.settings, &r.s));
    OK(store_check(r.s, expect_no_finding, NULL, &report));
    store_close(&r.s);
    rig_start(&r);
    rig_close(&r);
}

static void a_result_goes_a_day_after_its_end(void **state)
{
    (void)state;
    rig_open(&r);
    rig_app(&r, "a");
    struct aggregate_op op = usage();
    assert_int_equal(run(&op, false).count, 1);
    rig_advance(&r, DAY_US + HOUR);
    struct result left = {.count = 0};
    struct task_result_place at = {.event_type = ""};
    struct id org = store_default_org(r.s);
    struct task_info info;
    struct store_read *read;
    bool more;
    rig_turns(&r, 3);
    OK(store_read_begin(r.s, &read));
    assert_int_equal(store_task_get(read, &org, &op.task, &info), ERR_NOT_FOUND);
    OK(store_task_results(read, &op.task, &at, collect, &left, &more));
    store_read_end(&read);
    assert_int_equal(left.count, 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_are_counted_by_application),
        cmocka_unit_test(only_the_hours_of_the_window_count),
        cmocka_unit_test(named_applications_alone_are_counted),
        cmocka_unit_test(a_deleted_endpoint_s_deliveries_still_count),
        cmocka_unit_test(event_types_are_collected_by_application),
        cmocka_unit_test(applications_that_are_gone_hide_none_behind_them),
        cmocka_unit_test(a_result_that_is_too_large_fails),
        cmocka_unit_test(a_result_goes_a_day_after_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
