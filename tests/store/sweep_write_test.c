/* Every call that the writer makes for events, and for what becomes of them, fails once
 * (tests/store/sweep_step.h). */
#include "tests/store/sweep_step.h"

/* ---------------------------------------------------------------- events */

static void render(struct ingest_op *op, struct buf *answer)
{
    (void)op;
    buf_span(answer, SPAN("[]"));
}

/* One message of each kind, to all endpoints. The last of three has an event id that is taken. */
static enum err ingest(struct span app, const struct app *create, unsigned count, bool batch)
{
    struct ingest_item items[3] = {{.message = NULL}};
    struct ingest_op op = {.org = world.org,
                           .app = app,
                           .create = create,
                           .count = count,
                           .items = items,
                           .batch = batch,
                           .render = render,
                           .op.answer_status = 202,
                           .op.idempotency = {.used = true, .key = {7}, .lifetime_us = DAY_US}};
    buf_init(&op.op.answer, 1000);
    for (unsigned i = 0; i < count; i++) {
        items[i].message = rig_message("a", i ? "{}" : world.payload);
        items[i].message->ordering_key = SPAN("k");
        items[i].message->event_id = i == 2  ? SPAN("done")
                                     : batch ? (struct span){0}
                                             : SPAN("fresh");
        items[i].identity =
            (struct idempotency){.used = true, .key = {(uint8_t)(8 + i)}, .lifetime_us = DAY_US};
    }
    enum err e = ask(&op.op, STORE_INGEST);
    for (unsigned i = 0; i < count; i++)
        message_unref(&items[i].message);
    buf_free(&op.op.answer);
    return e;
}

static enum err ingest_one(void)
{
    return ingest(SPAN("one"), NULL, 1, false);
}

static enum err ingest_batch(void)
{
    return ingest(SPAN("one"), NULL, 3, true);
}

static enum err ingest_creating(void)
{
    const struct app fresh = {
        .id = id_random(sweep.r.now), .org = world.org, .uid = SPAN("three"), .name = SPAN("n")};
    return ingest(SPAN("three"), &fresh, 1, false);
}

static void events_are_accepted_whole_or_not_at_all(void **state)
{
    (void)state;
    SWEEP(ingest_one, TREE_MESSAGE);
    SWEEP(ingest_batch, TREE_MESSAGE);
    SWEEP(ingest_creating, TREE_MESSAGE);
}

/* ---------------------------------------------------------------- outcomes */

static enum err conclude(const struct id *message, const struct endpoint *e, uint64_t version,
                         int verdict, bool gone)
{
    struct outcome_op op = {.verdict = verdict, .reason = REASON_EXHAUSTED};
    op.due = op.attempt.started = (struct wall){RIG_EPOCH};
    op.retry_at = wall_add(sweep.r.now, US_PER_S);
    op.health = verdict == OUTCOME_DELIVERED ? HEALTH_WORKS : HEALTH_FAILED;
    op.endpoint_version = version;
    op.failures = 5;
    op.urgent = true;
    op.disable_endpoint = gone;
    op.breaker = (struct breaker_mark){.opened_at = sweep.r.now};
    op.attempt.message = *message;
    op.attempt.endpoint = e->id;
    op.attempt.endpoint_number = e->number;
    op.attempt.url = e->url;
    op.attempt.status = verdict == OUTCOME_DELIVERED ? 200 : 500;
    return ask(&op.op, STORE_OUTCOME);
}

static enum err deliver(void)
{
    return conclude(&world.message[WAITING], &world.plain, world.plain.version, OUTCOME_DELIVERED,
                    false);
}

static enum err deliver_in_line(void)
{
    return conclude(&world.line[0], &world.keyed, world.keyed.version, OUTCOME_DELIVERED, false);
}

static enum err retry(void)
{
    return conclude(&world.message[WAITING], &world.plain, world.plain.version, OUTCOME_RETRY,
                    false);
}

static enum err give_up(void)
{
    return conclude(&world.message[WAITING], &world.plain, world.plain.version, OUTCOME_DEAD,
                    false);
}

static enum err gone(void)
{
    return conclude(&world.message[WAITING], &world.plain, world.plain.version, OUTCOME_DEAD, true);
}

/* It was delivered before: only what claimed it goes. */
static enum err fail_late(void)
{
    return conclude(&world.message[DONE], &world.plain, world.plain.version, OUTCOME_RETRY, false);
}

/* The fourth failure is told. */
static enum err fail_again(void)
{
    return conclude(&world.message[FAILING], &world.plain, world.plain.version, OUTCOME_RETRY,
                    false);
}

static enum err recover_at_last(void)
{
    return conclude(&world.message[REPORTED], &world.plain, world.plain.version, OUTCOME_DELIVERED,
                    false);
}

static enum err deliver_by_hand(void)
{
    struct outcome_op op = {.verdict = OUTCOME_DELIVERED,
                            .due = {RIG_EPOCH},
                            .attempt = {.message = world.message[LONG],
                                        .endpoint = world.keyed.id,
                                        .endpoint_number = world.keyed.number,
                                        .trigger = TRIGGER_MANUAL,
                                        .status = 200}};
    return ask(&op.op, STORE_OUTCOME);
}

/* A message that the store does not know: only what claimed it goes. */
static enum err deliver_what_is_gone(void)
{
    const struct id unknown = {{7}};
    enum err e = conclude(&unknown, &world.plain, 0, OUTCOME_DELIVERED, false);
    return e == ERR_NOT_FOUND
               ? conclude(&world.message[WAITING], &world.plain, 0, OUTCOME_RETRY, false)
               : e;
}

static enum err fail_after_deletion(void)
{
    struct endpoint_op removal = {.number = world.plain.number};
    struct rig *r = &sweep.r;
    struct outcome_op op = {.verdict = OUTCOME_RETRY,
                            .due = {RIG_EPOCH},
                            .retry_at = wall_add(r->now, US_PER_S),
                            .attempt = {.message = world.message[WAITING],
                                        .endpoint = world.plain.id,
                                        .endpoint_number = world.plain.number}};
    unsigned before = r->done;
    enum err e = submit(&removal.op, STORE_ENDPOINT_DELETE);
    if (e)
        return e;
    e = submit(&op.op, STORE_OUTCOME);
    rig_await(r, before + (e ? 1 : 2));
    return e ? e : op.op.result;
}

static void outcomes_move_all_that_hangs_on_them_or_nothing(void **state)
{
    (void)state;
    SWEEP(deliver, TREE_ATTEMPT);
    SWEEP(deliver_in_line, TREE_ATTEMPT);
    SWEEP(retry, TREE_ATTEMPT);
    SWEEP(give_up, TREE_ATTEMPT);
    SWEEP(gone, TREE_ATTEMPT);
    SWEEP(fail_late, TREE_ATTEMPT);
    SWEEP(fail_again, TREE_ATTEMPT);
    SWEEP(recover_at_last, TREE_ATTEMPT);
    SWEEP(deliver_by_hand, TREE_ATTEMPT);
    SWEEP(deliver_what_is_gone, TREE_DUE);
    SWEEP(fail_after_deletion, TREE_ATTEMPT);
}

/* ---------------------------------------------------------------- attempts on request */

static enum err resend(void)
{
    struct resend_op op = {.message = world.message[DONE], .endpoint = world.plain.number};
    return ask(&op.op, STORE_RESEND);
}

/* Of a message that the endpoint never got. */
static enum err resend_fresh(void)
{
    struct resend_op op = {.message = world.message[LONG], .endpoint = world.late.number};
    return ask(&op.op, STORE_RESEND);
}

static enum err dead(int verb, bool named)
{
    struct dead_op op = {.verb = verb, .endpoint = world.plain.number};
    if (named) {
        op.messages = &world.message[DEAD];
        op.message_count = 2;
    } else {
        op.task = id_random(sweep.r.now);
    }
    return ask(&op.op, STORE_DEAD);
}

static enum err replay_named(void)
{
    return dead(DEAD_REPLAY, true);
}

static enum err purge_named(void)
{
    return dead(DEAD_PURGE, true);
}

/* At the end of their line. */
static enum err replay_lined(void)
{
    struct dead_op op = {.verb = DEAD_REPLAY,
                         .endpoint = world.keyed.number,
                         .messages = world.lined,
                         .message_count = 2};
    return ask(&op.op, STORE_DEAD);
}

static enum err replay_at_a_pace(void)
{
    struct dead_op op = {.verb = DEAD_REPLAY,
                         .app = world.app.number,
                         .rate = 10,
                         .event_type = SPAN("a"),
                         .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_DEAD);
}

static enum err replay_all(void)
{
    return dead(DEAD_REPLAY, false);
}

static enum err purge_app(void)
{
    struct dead_op op = {
        .verb = DEAD_PURGE, .app = world.app.number, .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_DEAD);
}

static enum err recover(void)
{
    struct recover_op op = {.endpoint = world.plain.number, .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_RECOVER);
}

static enum err replay_missing(void)
{
    struct replay_op op = {
        .endpoint = world.late.number, .missing = true, .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_REPLAY);
}

static enum err replay_bulk(void)
{
    struct replay_op op = {.endpoint = world.plain.number,
                           .states = 1 << DELIVERY_DELIVERED | 1 << DELIVERY_DEAD,
                           .status_class = -1,
                           .filter.channel = SPAN("c"),
                           .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_REPLAY);
}

static void attempts_on_request_are_asked_for_whole_or_not_at_all(void **state)
{
    (void)state;
    SWEEP(resend, TREE_DUE);
    SWEEP(resend_fresh, TREE_DUE);
    SWEEP(replay_named, TREE_DEAD);
    SWEEP(purge_named, TREE_DEAD);
    SWEEP(replay_lined, TREE_DEAD);
    SWEEP(replay_at_a_pace, TREE_TASK);
    SWEEP(replay_all, TREE_TASK);
    SWEEP(purge_app, TREE_TASK);
    SWEEP(recover, TREE_TASK);
    SWEEP_DAMAGED(recover);
    SWEEP(replay_missing, TREE_TASK);
    SWEEP(replay_bulk, TREE_TASK);
}

/* ---------------------------------------------------------------- deletions and figures */

static enum err expunge_messages(void)
{
    struct expunge_op op = {
        .app = world.app.number, .message_count = SWEEP_MESSAGES, .messages = world.message};
    return ask(&op.op, STORE_EXPUNGE);
}

static enum err expunge_response(void)
{
    struct expunge_op op = {.app = world.app.number,
                            .message_count = 1,
                            .messages = &world.message[DONE],
                            .attempt = world.attempt};
    return ask(&op.op, STORE_EXPUNGE);
}

static enum err expunge_all(void)
{
    struct expunge_all_op op = {.app = world.app.number, .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_EXPUNGE_ALL);
}

static enum err figures(bool event_types, unsigned apps)
{
    const struct id named[] = {world.app.id, world.other.id, {{7}}};
    struct aggregate_op op = {.org = world.org,
                              .event_types = event_types,
                              .until = sweep.r.now,
                              .apps = named,
                              .app_count = apps,
                              .task = id_random(sweep.r.now)};
    return ask(&op.op, STORE_AGGREGATE);
}

static enum err usage(void)
{
    return figures(false, 0);
}

static enum err usage_of_some(void)
{
    return figures(false, 3);
}

static enum err event_types_asked_for(void)
{
    return figures(true, 0);
}

static void deletions_and_figures_are_whole_or_not_at_all(void **state)
{
    (void)state;
    SWEEP(expunge_messages, TREE_MESSAGE);
    SWEEP(expunge_response, TREE_ATTEMPT);
    SWEEP(expunge_all, TREE_TASK);
    SWEEP(usage, TREE_TASK);
    SWEEP(usage_of_some, TREE_TASK);
    SWEEP(event_types_asked_for, TREE_TASK);
}

/* ---------------------------------------------------------------- expiry */

static enum err pass_time(void)
{
    turn(6);
    return ERR_OK;
}

static void what_expires_leaves_whole(void **state)
{
    (void)state;
    sweep_step("the first day", (struct step){pass_time, TREES, 2 * DAY_US, false});
    sweep_step("a week", (struct step){pass_time, TREES, 8 * DAY_US, false});
    sweep_step("the retention", (struct step){pass_time, TREES, 31 * DAY_US, false});
    sweep_step("the retention of the dead", (struct step){pass_time, TREES, 62 * DAY_US, false});
    sweep_step("damaged deliveries", (struct step){pass_time, TREES, 62 * DAY_US, true});
}

/* ---------------------------------------------------------------- the group */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_accepted_whole_or_not_at_all),
        cmocka_unit_test(outcomes_move_all_that_hangs_on_them_or_nothing),
        cmocka_unit_test(attempts_on_request_are_asked_for_whole_or_not_at_all),
        cmocka_unit_test(deletions_and_figures_are_whole_or_not_at_all),
        cmocka_unit_test(what_expires_leaves_whole),
    };
    return cmocka_run_group_tests(tests, sweep_set_up, sweep_tear_down);
}
