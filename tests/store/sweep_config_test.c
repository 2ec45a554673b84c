/* Every call that the writer makes for a change of the configuration fails once
 * (tests/store/sweep_step.h). */
#include "tests/store/sweep_step.h"

/* ---------------------------------------------------------------- configuration */

static enum err put_app(void)
{
    struct app a = world.app;
    struct app_op op = {.app = &a};
    a.uid = SPAN("renamed");
    a.throttle_rate = 7;
    return ask(&op.op, STORE_APP_PUT);
}

static enum err delete_app(void)
{
    struct app_op op = {.id = world.app.id};
    return ask(&op.op, STORE_APP_DELETE);
}

static enum err put_endpoint(struct endpoint e)
{
    struct endpoint_op op = {.endpoint = &e};
    return ask(&op.op, STORE_ENDPOINT_PUT);
}

static enum err create_endpoint(void)
{
    struct endpoint e = rig_endpoint_new(&sweep.r, &world.app);
    e.uid = SPAN("fresh");
    e.key_count = 1;
    e.keys[0] = (struct signing_key){.kind = KEY_HMAC, .len = 32};
    return put_endpoint(e);
}

/* The first of its organisation makes its home. */
static enum err create_operational(void)
{
    const struct id org = {{5}};
    struct endpoint e = rig_endpoint_new(&sweep.r, &(struct app){.id = org, .org = org});
    return put_endpoint(e);
}

static enum err rename_endpoint(void)
{
    struct endpoint e = world.plain;
    e.uid = SPAN("renamed");
    return put_endpoint(e);
}

static enum err disable_endpoint(void)
{
    struct endpoint e = world.keyed;
    e.disabled = true;
    e.disabled_reason = SPAN("manual");
    return put_endpoint(e);
}

static enum err reorder_endpoint(void)
{
    struct endpoint e = world.keyed;
    e.ordering = ORDERING_FIFO;
    return put_endpoint(e);
}

static enum err unorder_endpoint(void)
{
    struct endpoint e = world.fifo;
    e.ordering = ORDERING_NONE;
    return put_endpoint(e);
}

static enum err recover_endpoint(void)
{
    const struct id task = id_random(sweep.r.now);
    struct endpoint e = world.plain;
    struct endpoint_op op = {.endpoint = &e, .recover_task = &task};
    return ask(&op.op, STORE_ENDPOINT_PUT);
}

static enum err delete_endpoint(void)
{
    struct endpoint_op op = {.number = world.keyed.number};
    return ask(&op.op, STORE_ENDPOINT_DELETE);
}

static void configuration_changes_whole_or_not_at_all(void **state)
{
    (void)state;
    SWEEP(put_app, TREE_APP);
    SWEEP(delete_app, TREE_APP);
    SWEEP(create_endpoint, TREE_ENDPOINT);
    SWEEP(create_operational, TREE_ENDPOINT);
    SWEEP(rename_endpoint, TREE_ENDPOINT);
    SWEEP(disable_endpoint, TREE_ENDPOINT);
    SWEEP(reorder_endpoint, TREE_ENDPOINT);
    SWEEP(unorder_endpoint, TREE_ENDPOINT);
    SWEEP(recover_endpoint, TREE_ENDPOINT);
    SWEEP(delete_endpoint, TREE_ENDPOINT);
}

static enum err put_event_type(void)
{
    struct event_type type = {.org = world.org, .name = SPAN("b"), .created = sweep.r.now};
    struct event_type_op op = {.type = &type};
    op.op.idempotency = (struct idempotency){.used = true, .key = {3}, .lifetime_us = DAY_US};
    op.op.answer_status = 201;
    buf_init(&op.op.answer, 100);
    buf_span(&op.op.answer, SPAN("{}"));
    enum err e = ask(&op.op, STORE_EVENT_TYPE_PUT);
    buf_free(&op.op.answer);
    return e;
}

/* Nothing is done: the answer is the stored one. */
static enum err put_event_type_again(void)
{
    struct event_type type = {.org = world.org, .name = SPAN("a"), .created = sweep.r.now};
    struct event_type_op op = {.type = &type, .op.idempotency = world_key()};
    buf_init(&op.op.answer, 100);
    enum err e = ask(&op.op, STORE_EVENT_TYPE_PUT);
    if (!e && !sweep_lies() && !(op.op.replayed && span_is(buf_view(&op.op.answer), "{}")))
        SWEEP_FAIL("another answer");
    buf_free(&op.op.answer);
    return e;
}

static enum err delete_event_type(void)
{
    struct event_type type = {.org = world.org, .name = SPAN("a")};
    struct event_type_op op = {.type = &type};
    return ask(&op.op, STORE_EVENT_TYPE_DELETE);
}

static enum err put_event_types(void)
{
    const struct event_type types[] = {{.name = SPAN("b")}, {.name = SPAN("c")}};
    const struct span names[] = {SPAN("a")};
    struct event_types_op op = {.org = world.org,
                                .now = sweep.r.now,
                                .types = types,
                                .count = 2,
                                .archive = names,
                                .archive_count = 1};
    return ask(&op.op, STORE_EVENT_TYPES_PUT);
}

static enum err put_key(void)
{
    struct key_op op = {.key = {.id = id_random(sweep.r.now), .hash = {2}, .org = world.org}};
    return ask(&op.op, STORE_KEY_PUT);
}

static enum err revoke_key(void)
{
    struct key_op op = {.key = world.key};
    return ask(&op.op, STORE_KEY_REVOKE);
}

static enum err put_portal(void)
{
    struct portal_op op = {.token = {.org = world.org,
                                     .app = world.app.id,
                                     .hash = {9},
                                     .created = sweep.r.now,
                                     .expires = wall_add(sweep.r.now, DAY_US)}};
    return ask(&op.op, STORE_PORTAL_PUT);
}

static enum err put_portal_creating(void)
{
    const struct app fresh = {.id = id_random(sweep.r.now), .org = world.org, .name = SPAN("n")};
    struct portal_op op = {.token = {.org = world.org,
                                     .app = fresh.id,
                                     .hash = {9},
                                     .expires = wall_add(sweep.r.now, DAY_US)},
                           .create = &fresh};
    return ask(&op.op, STORE_PORTAL_PUT);
}

static enum err end_portal(void)
{
    struct portal_end_op op = {.app = world.app.id, .hash = world.portal[0]};
    return ask(&op.op, STORE_PORTAL_END);
}

static enum err end_portals(void)
{
    struct portal_end_op op = {.app = world.app.id, .at = wall_add(sweep.r.now, US_PER_S)};
    return ask(&op.op, STORE_PORTAL_END);
}

static enum err put_consumer(void)
{
    struct consumer_op op = {.app = world.app.id, .name = {2}, .position = world.message[RETRYING]};
    return ask(&op.op, STORE_CONSUMER_PUT);
}

static void small_records_change_whole_or_not_at_all(void **state)
{
    (void)state;
    SWEEP(put_event_type, TREE_EVENT_TYPE);
    SWEEP(put_event_type_again, TREES);
    SWEEP(delete_event_type, TREE_EVENT_TYPE);
    SWEEP(put_event_types, TREE_EVENT_TYPE);
    SWEEP(put_key, TREE_KEY);
    SWEEP(revoke_key, TREE_KEY);
    SWEEP(put_portal, TREE_PORTAL);
    SWEEP(put_portal_creating, TREE_PORTAL);
    SWEEP(end_portal, TREE_PORTAL);
    SWEEP(end_portals, TREE_PORTAL);
    SWEEP(put_consumer, TREE_CONSUMER);
}

/* ---------------------------------------------------------------- among damaged rows */

static enum err disable_plain(void)
{
    struct endpoint e = world.plain;
    e.disabled = true;
    e.disabled_reason = SPAN("manual");
    return put_endpoint(e);
}

static void damaged_rows_are_removed_or_stay(void **state)
{
    (void)state;
    SWEEP_DAMAGED(disable_plain);
    SWEEP_DAMAGED(reorder_endpoint);
    SWEEP_DAMAGED(delete_endpoint);
    SWEEP_DAMAGED(delete_app);
    SWEEP_DAMAGED(put_portal);
    SWEEP_DAMAGED(end_portals);
}

/* ---------------------------------------------------------------- the group */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_changes_whole_or_not_at_all),
        cmocka_unit_test(small_records_change_whole_or_not_at_all),
        cmocka_unit_test(damaged_rows_are_removed_or_stay),
    };
    return cmocka_run_group_tests(tests, sweep_set_up, sweep_tear_down);
}
