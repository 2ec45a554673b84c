/* Operations on what is not there, is another's, is disabled or is about to end: each is refused
 * with the error that says so, and nothing is changed. */
#include "tests/store/rig.h"

#define NOBODY 77 /* a number that was never given out */

static struct rig r;
static struct app a, other;
static struct endpoint e;
static struct id id, unknown;

static int set_up(void **state)
{
    (void)state;
    rig_open(&r);
    a = rig_app(&r, "one");
    other = rig_app(&r, "two");
    e = rig_add_endpoint(&r, &a);
    id = rig_send(&r, &a);
    unknown = id_random(r.now);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(r.failures, 0);
    rig_close(&r);
    return 0;
}

static enum err put_app(struct app changed)
{
    struct app_op op = {.app = &changed};
    return rig_do(&r, &op.op, STORE_APP_PUT);
}

static void a_missing_or_foreign_application_is_refused(void **state)
{
    (void)state;
    struct app changed = a;
    changed.id = unknown;
    assert_int_equal(put_app(changed), ERR_NOT_FOUND);
    changed = a;
    changed.org = unknown;
    assert_int_equal(put_app(changed), ERR_NOT_FOUND);
    changed = a;
    changed.version++;
    assert_int_equal(put_app(changed), ERR_STALE);
    changed = a;
    changed.uid = SPAN("two");
    assert_int_equal(put_app(changed), ERR_CONFLICT);
    changed.version = 0;
    assert_int_equal(put_app(changed), ERR_CONFLICT);
    struct app_op removal = {.id = unknown};
    assert_int_equal(rig_do(&r, &removal.op, STORE_APP_DELETE), ERR_NOT_FOUND);
}

static void a_missing_or_foreign_endpoint_is_refused(void **state)
{
    (void)state;
    struct endpoint changed = e;
    changed.app = unknown;
    assert_int_equal(rig_put_endpoint(&r, &changed), ERR_NOT_FOUND);
    changed = e;
    changed.app = other.id;
    assert_int_equal(rig_put_endpoint(&r, &changed), ERR_NOT_FOUND);
    changed = e;
    changed.number = NOBODY;
    assert_int_equal(rig_put_endpoint(&r, &changed), ERR_NOT_FOUND);
    changed = e;
    changed.version++;
    assert_int_equal(rig_put_endpoint(&r, &changed), ERR_STALE);
    changed.version = 0;
    assert_int_equal(rig_put_endpoint(&r, &changed), ERR_CONFLICT);
    struct endpoint_op removal = {.number = NOBODY};
    assert_int_equal(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE), ERR_NOT_FOUND);
}

static enum err dead(struct dead_op op)
{
    op.task = id_random(r.now);
    return rig_do(&r, &op.op, STORE_DEAD);
}

static void dead_letters_of_nobody_are_refused(void **state)
{
    (void)state;
    static char name[EVENT_TYPE_MAX + 1];
    memset(name, 'x', sizeof name);
    assert_int_equal(dead((struct dead_op){.endpoint = NOBODY}), ERR_NOT_FOUND);
    assert_int_equal(dead((struct dead_op){.app = NOBODY}), ERR_NOT_FOUND);
    assert_int_equal(dead((struct dead_op){.app = a.number, .messages = &id, .message_count = 1}),
                     ERR_NOT_FOUND);
    assert_int_equal(
        dead((struct dead_op){.endpoint = e.number, .messages = &id, .message_count = 1}),
        ERR_NOT_FOUND);
    assert_int_equal(dead((struct dead_op){.app = a.number, .event_type = span_of(name, 257)}),
                     ERR_INVALID);
    rig_disable(&r, &e, true);
    assert_int_equal(dead((struct dead_op){.endpoint = e.number, .verb = DEAD_REPLAY}),
                     ERR_DISABLED);
}

static enum err recover(uint32_t endpoint)
{
    struct recover_op op = {.endpoint = endpoint, .task = id_random(r.now)};
    return rig_do(&r, &op.op, STORE_RECOVER);
}

static enum err replay(uint32_t endpoint, bool missing)
{
    struct replay_op op = {.endpoint = endpoint, .missing = missing, .task = id_random(r.now)};
    return rig_do(&r, &op.op, STORE_REPLAY);
}

static void attempts_at_nobody_or_a_disabled_one_are_refused(void **state)
{
    (void)state;
    assert_int_equal(store_endpoint_counts(r.s, NOBODY).waiting, 0);
    assert_int_equal(recover(NOBODY), ERR_NOT_FOUND);
    assert_int_equal(replay(NOBODY, false), ERR_NOT_FOUND);
    assert_int_equal(rig_resend(&r, &id, NOBODY), ERR_NOT_FOUND);
    assert_int_equal(rig_resend(&r, &unknown, e.number), ERR_NOT_FOUND);
    rig_disable(&r, &e, true);
    assert_int_equal(recover(e.number), ERR_DISABLED);
    assert_int_equal(replay(e.number, true), ERR_DISABLED);
    assert_int_equal(rig_resend(&r, &id, e.number), ERR_DISABLED);
}

/* What waits for its turn ends when nobody takes attempts any more. */
static void a_task_ends_with_its_endpoint(void **state)
{
    (void)state;
    rig_kill(&r, &id, &e);
    OK(recover(e.number));
    OK(replay(e.number, true));
    OK(replay(e.number, false));
    rig_disable(&r, &e, true);
    struct endpoint_op removal = {.number = e.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 8);
    struct task_info rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct task_query running = {.status = TASK_RUNNING};
    const struct id org = store_default_org(r.s);
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_task_list(read, &org, &page, &running, rows, &result));
    store_read_end(&read);
    assert_int_equal(result.count, 0);
}

static void content_of_others_is_not_expunged(void **state)
{
    (void)state;
    struct expunge_op response = {
        .app = a.number, .message_count = 1, .messages = &id, .attempt = unknown};
    struct expunge_op message = {.app = other.number, .message_count = 1, .messages = &id};
    struct expunge_all_op all = {.app = NOBODY, .task = id_random(r.now)};
    struct message *m;
    assert_int_equal(rig_do(&r, &response.op, STORE_EXPUNGE), ERR_NOT_FOUND);
    OK(rig_do(&r, &message.op, STORE_EXPUNGE)); /* another's is passed over */
    assert_int_equal(rig_do(&r, &all.op, STORE_EXPUNGE_ALL), ERR_NOT_FOUND);
    OK(rig_load(&r, &id, &m));
    assert_false(m->expunged);
    message_unref(&m);
}

static void a_missing_record_is_refused(void **state)
{
    (void)state;
    struct event_type type = {.org = unknown, .name = SPAN("a"), .version = 3};
    struct event_type_op put = {.type = &type};
    struct key_op revoke = {.key.id = unknown};
    struct portal_op token = {.token = {.org = a.org, .app = unknown}};
    struct portal_op foreign = {.token = {.org = unknown, .app = a.id}};
    const uint8_t hash[32] = {1};
    struct portal_end_op end = {.app = a.id, .hash = hash};
    struct consumer_op consumer = {.app = unknown};
    assert_int_equal(rig_do(&r, &put.op, STORE_EVENT_TYPE_PUT), ERR_NOT_FOUND);
    put = (struct event_type_op){.type = &type};
    assert_int_equal(rig_do(&r, &put.op, STORE_EVENT_TYPE_DELETE), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &revoke.op, STORE_KEY_REVOKE), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &token.op, STORE_PORTAL_PUT), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &foreign.op, STORE_PORTAL_PUT), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &end.op, STORE_PORTAL_END), ERR_NOT_FOUND);
    assert_int_equal(rig_do(&r, &consumer.op, STORE_CONSUMER_PUT), ERR_NOT_FOUND);
}

/* The failure of an attempt that was under way when its endpoint was deleted. */
static void an_attempt_that_outlives_its_endpoint_ends_canceled(void **state)
{
    (void)state;
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    struct endpoint_op removal = {.number = e.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    rig_turns(&r, 3);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_CANCELED);
}

int main(void)
{
#define GONE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        GONE_TEST(a_missing_or_foreign_application_is_refused),
        GONE_TEST(a_missing_or_foreign_endpoint_is_refused),
        GONE_TEST(dead_letters_of_nobody_are_refused),
        GONE_TEST(attempts_at_nobody_or_a_disabled_one_are_refused),
        GONE_TEST(a_task_ends_with_its_endpoint),
        GONE_TEST(content_of_others_is_not_expunged),
        GONE_TEST(a_missing_record_is_refused),
        GONE_TEST(an_attempt_that_outlives_its_endpoint_ends_canceled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
