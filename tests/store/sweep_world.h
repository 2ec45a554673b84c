/* What a sweep begins from: an application with endpoints of every kind, and messages in every
 * state. */
#ifndef TESTS_STORE_SWEEP_WORLD_H
#define TESTS_STORE_SWEEP_WORLD_H

#include "tests/store/sweep.h"

#include "store/read.h"

#define SWEEP_LINE 3    /* messages that wait in a line */
#define SWEEP_LONG 6000 /* bytes of the payload that is kept in chunks */
#define SWEEP_FILLERS 9 /* applications: with the others as many as a map holds until it grows */

enum { DONE, RETRYING, DEAD, ALSO_DEAD, WAITING, LONG, FAILING, REPORTED, SWEEP_MESSAGES };

static struct {
    struct id org;
    struct app app, other;
    struct endpoint plain, fifo, keyed;
    struct endpoint late;              /* made after the messages */
    struct endpoint ears;              /* operational */
    struct id message[SWEEP_MESSAGES]; /* to plain, fifo and keyed; by state at plain */
    struct id line[SWEEP_LINE];        /* with the ordering key "k" */
    struct id lined[SWEEP_LINE];       /* with "d": at keyed two are dead, the last waits */
    struct id attempt;                 /* of DONE */
    struct id usage, bulk;             /* tasks that have ended */
    struct api_key key;
    uint8_t portal[2][32];
    char payload[SWEEP_LONG + 1];
} world;

static inline struct id world_send(const char *event_id, const char *key, const char *payload)
{
    struct message *m = rig_message("a", payload);
    struct rig_ingest i;
    m->event_id = span_text(event_id);
    m->ordering_key = span_text(key);
    m->channel_count = 1;
    m->channels[0] = SPAN("c");
    m->tag_count = 1;
    m->tags[0] = SPAN("t");
    OK(rig_ingest(&sweep.r, &world.app, m, event_id, "body", &i));
    struct id id = m->id;
    message_unref(&m);
    return id;
}

static inline struct endpoint world_endpoint(const char *uid, enum ordering ordering)
{
    static struct span filters[2];
    filters[0] = SPAN("a");
    filters[1] = SPAN("b");
    struct endpoint e = rig_endpoint_new(&sweep.r, &world.app);
    e.uid = span_text(uid);
    e.ordering = ordering;
    e.key_count = 1;
    e.keys[0] = (struct signing_key){.kind = KEY_HMAC, .len = 32};
    e.filter_count = 2;
    e.filters = filters;
    OK(rig_put_endpoint(&sweep.r, &e));
    return e;
}

static inline struct id world_conclude(const struct id *message, const struct endpoint *e,
                                       int verdict)
{
    struct outcome_op op = rig_outcome(&sweep.r, message, e, TRIGGER_SCHEDULED, verdict);
    op.urgent = true;
    op.health = verdict == OUTCOME_DELIVERED ? HEALTH_WORKS : HEALTH_FAILED;
    op.endpoint_version = e->version;
    op.failures = 1;
    op.retry_at = sweep.r.now;
    OK(rig_do(&sweep.r, &op.op, STORE_OUTCOME));
    return op.attempt.id;
}

static inline void world_move(void)
{
    world.attempt = world_conclude(&world.message[DONE], &world.plain, OUTCOME_DELIVERED);
    world_conclude(&world.message[DONE], &world.fifo, OUTCOME_DELIVERED);
    world_conclude(&world.message[DONE], &world.keyed, OUTCOME_DELIVERED);
    world_conclude(&world.message[DEAD], &world.plain, OUTCOME_DEAD);
    world_conclude(&world.message[ALSO_DEAD], &world.plain, OUTCOME_DEAD);
    world_conclude(&world.message[RETRYING], &world.plain, OUTCOME_RETRY);
    for (int i = 0; i < 3; i++)
        world_conclude(&world.message[FAILING], &world.plain, OUTCOME_RETRY);
    for (int i = 0; i < 4; i++)
        world_conclude(&world.message[REPORTED], &world.plain, OUTCOME_RETRY);
    for (int i = 0; i < 2; i++)
        world_conclude(&world.lined[i], &world.keyed, OUTCOME_DEAD);
    OK(rig_resend(&sweep.r, &world.message[LONG], world.keyed.number));
}

/* Under which the answer to the making of the event type is stored. */
static inline struct idempotency world_key(void)
{
    return (struct idempotency){.used = true, .key = {4}, .lifetime_us = DAY_US};
}

static inline void world_configure(void)
{
    struct rig *r = &sweep.r;
    world.org = store_default_org(r->s);
    world.app = rig_app(r, "one");
    world.other = rig_app(r, "two");
    const struct app home = {.id = world.org, .org = world.org};
    world.ears = rig_endpoint_new(r, &home);
    OK(rig_put_endpoint(r, &world.ears));
    for (int i = 0; i < SWEEP_FILLERS; i++)
        (void)rig_app(r, "");
    world.plain = world_endpoint("plain", ORDERING_NONE);
    world.fifo = world_endpoint("fifo", ORDERING_FIFO);
    world.keyed = world_endpoint("keyed", ORDERING_KEY);
    struct event_type type = {
        .org = world.org, .name = SPAN("a"), .created = r->now, .updated = r->now};
    struct event_type_op type_op = {.type = &type, .op.answer_status = 201};
    type_op.op.idempotency = world_key();
    buf_init(&type_op.op.answer, 100);
    buf_span(&type_op.op.answer, SPAN("{}"));
    OK(rig_do(r, &type_op.op, STORE_EVENT_TYPE_PUT));
    buf_free(&type_op.op.answer);
    world.key = (struct api_key){.id = id_random(r->now), .hash = {1}, .org = world.org};
    struct key_op key_op = {.key = world.key};
    OK(rig_do(r, &key_op.op, STORE_KEY_PUT));
    for (int i = 0; i < 2; i++) {
        struct portal_op op = {.token = {.org = world.org,
                                         .app = world.app.id,
                                         .created = r->now,
                                         .expires = wall_add(r->now, DAY_US),
                                         .session = {(uint8_t)i + 1}}};
        memset(op.token.hash, i + 1, sizeof op.token.hash);
        memcpy(world.portal[i], op.token.hash, sizeof op.token.hash);
        OK(rig_do(r, &op.op, STORE_PORTAL_PUT));
    }
}

static inline void world_tasks(void)
{
    struct rig *r = &sweep.r;
    world.usage = id_random(r->now);
    world.bulk = id_random(r->now);
    struct aggregate_op usage = {.org = world.org, .until = r->now, .task = world.usage};
    OK(rig_do(r, &usage.op, STORE_AGGREGATE));
    struct replay_op replay = {.endpoint = world.plain.number,
                               .until = wall_add(r->now, -DAY_US),
                               .states = 1 << DELIVERY_DELIVERED,
                               .status_class = -1,
                               .task = world.bulk};
    OK(rig_do(r, &replay.op, STORE_REPLAY));
    rig_turns(r, 4);
    /* One that goes on when its attempts were made. */
    replay = (struct replay_op){.endpoint = world.keyed.number,
                                .states = 1 << DELIVERY_DEAD,
                                .status_class = -1,
                                .task = id_random(r->now)};
    rig_advance(r, US_PER_MS);
    OK(rig_do(r, &replay.op, STORE_REPLAY));
    rig_turns(r, 4);
}

static inline void world_fill(void)
{
    struct rig *r = &sweep.r;
    const char *const names[SWEEP_MESSAGES] = {"done",    "retrying", "dead",    "also",
                                               "waiting", "long",     "failing", "reported"};
    const char *const lines[2][SWEEP_LINE] = {{"k1", "k2", "k3"}, {"d1", "d2", "d3"}};
    memset(world.payload, 'x', SWEEP_LONG);
    sweep_make();
    rig_start(r);
    world_configure();
    for (unsigned i = 0; i < SWEEP_MESSAGES; i++)
        world.message[i] = world_send(names[i], "", i == LONG ? world.payload : "{\"n\":1}");
    for (unsigned i = 0; i < SWEEP_LINE; i++) {
        world.line[i] = world_send(lines[0][i], "k", "{}");
        world.lined[i] = world_send(lines[1][i], "d", "{}");
    }
    world_move();
    world.late = world_endpoint("late", ORDERING_NONE);
    struct consumer_op consumer = {
        .app = world.app.id, .name = {1}, .position = world.message[DONE]};
    OK(rig_do(r, &consumer.op, STORE_CONSUMER_PUT));
    world_tasks();
    rig_check(r);
    store_close(&r->s);
    sweep_keep();
}

#endif
