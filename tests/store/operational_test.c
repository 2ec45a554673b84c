/* Operational events: with their cause or not at all, and never about themselves. */
#include "tests/store/rig.h"

#include <fcntl.h>

static struct rig r;
static struct app a;
static struct endpoint listener;

static struct endpoint operational_endpoint(void)
{
    struct app home = {.id = store_default_org(r.s), .org = store_default_org(r.s)};
    return rig_endpoint_new(&r, &home);
}

static void listen_to_all(void)
{
    listener = operational_endpoint();
    OK(rig_put_endpoint(&r, &listener));
}

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    listen_to_all();
}

/* The i-th event that the listener was handed; the caller frees it. */
static struct message *event(unsigned i)
{
    struct message *m = NULL;
    for (unsigned n = 0; n < r.deliveries && !m; n++)
        if (r.delivered[n].endpoint == listener.number && i-- == 0)
            OK(rig_load(&r, &r.delivered[n].message, &m));
    assert_non_null(m);
    return m;
}

static unsigned events(void)
{
    unsigned count = 0;
    for (unsigned n = 0; n < r.deliveries; n++)
        count += r.delivered[n].endpoint == listener.number;
    return count;
}

/* Whether the i-th event is of this type and has `part` in its payload. */
static void expect(unsigned i, const char *type, const char *part)
{
    struct message *m = event(i);
    char text[1024], start[128];
    assert_true(m->payload.len < sizeof text);
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(m->payload));
    snprintf(start, sizeof start, "{\"type\":\"%s\",\"data\":{", type);
    assert_true(span_is(m->event_type, type));
    assert_true(span_starts(m->payload, span_text(start)));
    assert_non_null(strstr(text, part));
    message_unref(&m);
}

static const char *named(const char *member, const char *prefix, const struct id *id)
{
    static char text[128];
    char name[ID_MAX + 1];
    id_format(id, prefix, name);
    snprintf(text, sizeof text, "\"%s\":\"%s\"", member, name);
    return text;
}

/* ---------------------------------------------------------------- what is told */

static void every_change_of_an_endpoint_is_told(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    expect(0, "endpoint.created", named("endpointId", ID_ENDPOINT, &e.id));
    expect(0, "endpoint.created", named("appId", ID_APP, &a.id));
    expect(0, "endpoint.created", "\"appUid\":\"one\"");
    e.uid = SPAN("mine");
    OK(rig_put_endpoint(&r, &e));
    expect(1, "endpoint.updated", "\"endpointUid\":\"mine\"");
    rig_disable(&r, &e, true);
    expect(2, "endpoint.updated", "");
    expect(3, "endpoint.disabled", "\"trigger\":\"manual\"");
    rig_disable(&r, &e, false);
    expect(4, "endpoint.updated", "");
    expect(5, "endpoint.enabled", named("endpointId", ID_ENDPOINT, &e.id));
    struct endpoint_op removal = {.number = e.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    expect(6, "endpoint.deleted", "\"endpointUid\":\"mine\"");
    assert_int_equal(events(), 7);
    rig_close(&r);
}

static void an_endpoint_that_is_gone_is_told_to_be_disabled_with_the_reason(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    op.disable_endpoint = true;
    OK(rig_do(&r, &op.op, STORE_OUTCOME));
    assert_int_equal(events(), 2);
    expect(1, "endpoint.disabled", "\"trigger\":\"automatic\",\"reason\":\"gone\"");
    rig_close(&r);
}

static void a_delivery_that_keeps_failing_is_told_once_and_so_is_its_recovery(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    for (int n = 1; n <= 6; n++) {
        rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
        assert_int_equal(events(), n < 4 ? 1 : 2);
    }
    expect(1, "message.attempt.failing", named("msgId", ID_MESSAGE, &id));
    expect(1, "message.attempt.failing", "\"responseStatusCode\":500");
    rig_restart(&r);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    assert_int_equal(events(), 1);
    expect(0, "message.attempt.recovered", "\"responseStatusCode\":200");
    OK(rig_resend(&r, &id, e.number));
    rig_conclude(&r, &id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    assert_int_equal(events(), 1);
    rig_close(&r);
}

static void the_recovery_of_an_endpoint_that_is_gone_is_not_told(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    for (int n = 1; n <= 4; n++)
        rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    expect(1, "message.attempt.failing", named("msgId", ID_MESSAGE, &id));
    struct outcome_op under_way = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    struct endpoint_op removal = {.number = e.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    OK(rig_do(&r, &under_way.op, STORE_OUTCOME));
    assert_int_equal(under_way.state, DELIVERY_DELIVERED);
    expect(2, "endpoint.deleted", named("endpointId", ID_ENDPOINT, &e.id));
    assert_int_equal(events(), 3);
    rig_close(&r);
}

static void the_end_of_a_schedule_is_told_and_a_later_success_as_a_recovery(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct message *m = rig_message("a", "{}");
    struct rig_ingest i;
    m->event_id = SPAN("order-1");
    OK(rig_ingest(&r, &a, m, NULL, NULL, &i));
    rig_kill(&r, &m->id, &e);
    expect(1, "message.attempt.exhausted", "\"msgEventId\":\"order-1\"");
    OK(rig_resend(&r, &m->id, e.number));
    rig_conclude(&r, &m->id, &e, TRIGGER_MANUAL, OUTCOME_DEAD);
    assert_int_equal(events(), 2);
    OK(rig_resend(&r, &m->id, e.number));
    rig_conclude(&r, &m->id, &e, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    expect(2, "message.attempt.recovered", named("endpointId", ID_ENDPOINT, &e.id));
    assert_int_equal(events(), 3);
    message_unref(&m);
    rig_close(&r);
}

static void a_success_without_a_told_failure_is_no_recovery(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct id id = rig_send(&r, &a);
    for (int n = 0; n < 3; n++)
        rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    rig_conclude(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DELIVERED);
    assert_int_equal(events(), 1);
    rig_close(&r);
}

static void the_end_of_a_task_is_told(void **state)
{
    (void)state;
    begin();
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct recover_op op = {.endpoint = e.number, .task = id_fresh(r.now)};
    OK(rig_do(&r, &op.op, STORE_RECOVER));
    rig_turns(&r, 3);
    assert_int_equal(events(), 2);
    expect(1, "background_task.finished", named("taskId", ID_TASK, &op.task));
    expect(1, "background_task.finished",
           "\"status\":\"finished\",\"task\":\"endpoint.recover\","
           "\"data\":{\"processed\":0,\"messagesSent\":0}");
    rig_close(&r);
}

static void the_endpoints_of_a_deleted_application_are_told_to_be_deleted(void **state)
{
    (void)state;
    begin();
    rig_add_endpoint(&r, &a);
    rig_add_endpoint(&r, &a);
    struct app_op op = {.id = a.id};
    OK(rig_do(&r, &op.op, STORE_APP_DELETE));
    rig_turns(&r, 3);
    assert_int_equal(events(), 4);
    expect(2, "endpoint.deleted", named("appId", ID_APP, &a.id));
    struct message *last[2] = {event(2), event(3)};
    assert_false(span_eq(last[0]->payload, last[1]->payload));
    message_unref(&last[0]);
    message_unref(&last[1]);
    rig_close(&r);
}

static void only_what_was_asked_for_is_told(void **state)
{
    (void)state;
    begin();
    struct span filter = SPAN("endpoint.deleted");
    listener.filters = &filter;
    listener.filter_count = 1;
    OK(rig_put_endpoint(&r, &listener));
    struct endpoint e = rig_add_endpoint(&r, &a);
    struct endpoint_op removal = {.number = e.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    assert_int_equal(events(), 1);
    expect(0, "endpoint.deleted", named("endpointId", ID_ENDPOINT, &e.id));
    rig_close(&r);
}

/* ---------------------------------------------------------------- what is not */

static void nothing_is_told_about_operational_endpoints(void **state)
{
    (void)state;
    begin();
    struct endpoint second = operational_endpoint();
    rig_add_endpoint(&r, &a);
    struct message *m = event(0);
    for (int n = 0; n < 5; n++)
        rig_conclude(&r, &m->id, &listener, TRIGGER_SCHEDULED, OUTCOME_RETRY);
    rig_kill(&r, &m->id, &listener);
    OK(rig_resend(&r, &m->id, listener.number));
    rig_conclude(&r, &m->id, &listener, TRIGGER_MANUAL, OUTCOME_DELIVERED);
    OK(rig_put_endpoint(&r, &second));
    rig_disable(&r, &second, true);
    struct endpoint_op removal = {.number = second.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    rig_turns(&r, 2);
    assert_int_equal(events(), 1);
    message_unref(&m);
    rig_close(&r);
}

static void a_deleted_listener_is_told_nothing(void **state)
{
    (void)state;
    begin();
    struct endpoint second = operational_endpoint();
    OK(rig_put_endpoint(&r, &second));
    struct endpoint_op removal = {.number = listener.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    rig_add_endpoint(&r, &a);
    assert_int_equal(events(), 0);
    assert_int_equal(r.deliveries, 1);
    rig_restart(&r);
    rig_add_endpoint(&r, &a);
    assert_int_equal(r.deliveries, 1);
    assert_int_equal(r.delivered[0].endpoint, second.number);
    removal = (struct endpoint_op){.number = second.number};
    OK(rig_do(&r, &removal.op, STORE_ENDPOINT_DELETE));
    rig_add_endpoint(&r, &a);
    assert_int_equal(r.deliveries, 1);
    rig_close(&r);
}

static void another_organisation_is_told_nothing(void **state)
{
    (void)state;
    begin();
    struct app other = {
        .id = id_random(r.now), .org = id_random(r.now), .name = SPAN("x"), .created = r.now};
    struct app_op op = {.app = &other};
    OK(rig_do(&r, &op.op, STORE_APP_PUT));
    rig_add_endpoint(&r, &other);
    assert_int_equal(events(), 0);
    rig_close(&r);
}

static void no_reference_leads_to_the_application_of_operational_endpoints(void **state)
{
    (void)state;
    begin();
    struct id org = store_default_org(r.s);
    char text[ID_MAX + 1];
    struct span ref = span_of(text, id_format(&org, ID_APP, text));
    struct store_read *read;
    struct app *found, *rows[8];
    struct page page = {.limit = 8};
    struct page_result result;
    OK(store_read_begin(r.s, &read));
    assert_int_equal(store_app_get(read, &org, ref, &found), ERR_NOT_FOUND);
    OK(store_app_list(read, &org, &page, rows, &result));
    assert_int_equal(result.count, 1);
    app_free(&rows[0]);
    OK(store_operational_app(read, &org, &found));
    assert_int_equal(found->number, listener.app_number);
    app_free(&found);
    store_read_end(&read);
    struct message *m = rig_message("a", "{}");
    struct ingest_item item = {.message = m};
    struct ingest_op op = {.org = org, .app = ref, .count = 1, .items = &item};
    assert_int_equal(rig_do(&r, &op.op, STORE_INGEST), ERR_NOT_FOUND);
    message_unref(&m);
    rig_close(&r);
}

static void an_organisation_with_the_id_of_an_application_has_no_operational_one(void **state)
{
    (void)state;
    begin();
    struct store_read *read;
    struct app *found;
    OK(store_read_begin(r.s, &read));
    assert_int_equal(store_operational_app(read, &a.id, &found), ERR_NOT_FOUND);
    store_read_end(&read);
    struct app home = {.id = a.id, .org = a.id};
    struct endpoint e = rig_endpoint_new(&r, &home);
    assert_int_equal(rig_put_endpoint(&r, &e), ERR_NOT_FOUND);
    rig_close(&r);
}

/* ---------------------------------------------------------------- how long */

static void events_expire_as_messages_do_and_their_endpoints_stay(void **state)
{
    (void)state;
    begin();
    rig_add_endpoint(&r, &a);
    struct message *m = event(0), *later;
    struct id id = m->id;
    message_unref(&m);
    rig_advance(&r, 10 * DAY_US);
    rig_kill(&r, &id, &listener);
    rig_advance(&r, 21 * DAY_US);
    rig_turns(&r, 3);
    OK(rig_load(&r, &id, &later)); /* its dead letter holds it for a while */
    message_unref(&later);
    rig_advance(&r, 31 * DAY_US);
    rig_turns(&r, 3);
    assert_int_equal(rig_load(&r, &id, &later), ERR_NOT_FOUND);
    rig_restart(&r);
    rig_add_endpoint(&r, &a);
    assert_int_equal(events(), 1);
    rig_close(&r);
}

/* ---------------------------------------------------------------- with the cause or not at all */

static void an_event_does_not_outlive_an_aborted_cause(void **state)
{
    (void)state;
    char path[128];
    begin();
    int fd, good;
    assert_int_equal(mdb_env_get_fd(r.s->env.mdb, &fd), 0);
    good = dup(fd);
    snprintf(path, sizeof path, "%s/data.mdb", r.dir);
    int broken = open(path, O_RDONLY);
    assert_true(broken >= 0 && dup2(broken, fd) >= 0);
    close(broken);
    struct endpoint e = rig_endpoint_new(&r, &a);
    assert_int_equal(rig_put_endpoint(&r, &e), ERR_IO);
    assert_int_equal(events(), 0);
    assert_true(dup2(good, fd) >= 0);
    close(good);
    rig_restart(&r);
    struct store_read *read;
    struct message *rows[8];
    struct page page = {.limit = 8};
    struct page_result result;
    static const struct message_filter all;
    OK(store_read_begin(r.s, &read));
    OK(store_message_list(read, listener.app_number, &page, &all, false, rows, &result));
    assert_int_equal(result.count, 0);
    store_read_end(&read);
    rig_close(&r);
}

static void without_room_an_outcome_goes_on_and_its_event_is_left_out(void **state)
{
    (void)state;
    rig_make(&r);
    r.settings.map_size = 64 << 20;
    rig_start(&r);
    a = rig_app(&r, "one");
    struct endpoint e = rig_add_endpoint(&r, &a);
    listen_to_all();
    struct id id = rig_send(&r, &a);
    int fd, good;
    assert_int_equal(mdb_env_get_fd(r.s->env.mdb, &fd), 0);
    good = dup(fd);
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0 && dup2(full, fd) >= 0);
    close(full);
    struct outcome_op op = rig_outcome(&r, &id, &e, TRIGGER_SCHEDULED, OUTCOME_DEAD);
    struct ingest_item item = {.message = rig_message("a", "{}")};
    struct ingest_op refused = {.org = a.org, .app = SPAN("one"), .count = 1, .items = &item};
    unsigned before = r.done;
    rig_submit(&r, &op.op, STORE_OUTCOME);
    rig_submit(&r, &refused.op, STORE_INGEST);
    rig_await(&r, before + 1);
    assert_true(dup2(good, fd) >= 0);
    close(good);
    rig_await(&r, before + 2);
    OK(op.op.result);
    assert_int_equal(rig_state(&r, &id, e.number), DELIVERY_DEAD);
    assert_int_equal(events(), 0);
    message_unref(&item.message);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_an_endpoint_is_told),
        cmocka_unit_test(an_endpoint_that_is_gone_is_told_to_be_disabled_with_the_reason),
        cmocka_unit_test(a_delivery_that_keeps_failing_is_told_once_and_so_is_its_recovery),
        cmocka_unit_test(the_recovery_of_an_endpoint_that_is_gone_is_not_told),
        cmocka_unit_test(the_end_of_a_schedule_is_told_and_a_later_success_as_a_recovery),
        cmocka_unit_test(a_success_without_a_told_failure_is_no_recovery),
        cmocka_unit_test(the_end_of_a_task_is_told),
        cmocka_unit_test(the_endpoints_of_a_deleted_application_are_told_to_be_deleted),
        cmocka_unit_test(only_what_was_asked_for_is_told),
        cmocka_unit_test(nothing_is_told_about_operational_endpoints),
        cmocka_unit_test(a_deleted_listener_is_told_nothing),
        cmocka_unit_test(events_expire_as_messages_do_and_their_endpoints_stay),
        cmocka_unit_test(another_organisation_is_told_nothing),
        cmocka_unit_test(no_reference_leads_to_the_application_of_operational_endpoints),
        cmocka_unit_test(an_organisation_with_the_id_of_an_application_has_no_operational_one),
        cmocka_unit_test(an_event_does_not_outlive_an_aborted_cause),
        cmocka_unit_test(without_room_an_outcome_goes_on_and_its_event_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
