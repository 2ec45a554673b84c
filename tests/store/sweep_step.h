/* One operation of the writer, while a call of its fails: it is refused and has changed nothing, or
 * it is done; the store opens again and agrees with itself. A record that is read rotten never ends
 * the process. One that is there for a cursor and not for a look-up may: then LMDB contradicts
 * itself. */
#ifndef TESTS_STORE_SWEEP_STEP_H
#define TESTS_STORE_SWEEP_STEP_H

#include "tests/store/sweep_world.h"

/* What a case does. */
static struct step {
    enum err (*act)(void);
    enum tree tree; /* where an operation that is done leaves a mark, and one that is refused none;
                       TREES: it has no answer to be judged by */
    int64_t later_us; /* the clock moves on before */
    bool damaged;     /* there are rows with bad keys, which whatever meets them removes */
} step;
static uint32_t untouched; /* the digest of step.tree in the image */

/* ---------------------------------------------------------------- a trial */

static inline enum err submit(struct store_op *op, enum store_op_kind kind)
{
    op->kind = kind;
    op->owner = &sweep.r;
    op->done = rig_done;
    return store_submit(sweep.r.s, op);
}

/* Submits and waits; what the store said. */
static inline enum err ask(struct store_op *op, enum store_op_kind kind)
{
    unsigned wanted = sweep.r.done + 1;
    enum err e = submit(op, kind);
    if (e)
        return e;
    rig_await(&sweep.r, wanted);
    return op->result;
}

/* Lets background work go on: operations that end their batch and change nothing. */
static inline void turn(unsigned times)
{
    while (times--) {
        struct key_op op = {.key.id = {{9}}};
        (void)ask(&op.op, STORE_KEY_REVOKE);
    }
}

/* One behind all others of the application, of each endpoint and of a message, with a key that is
 * too long; and a place in a line that is nobody's. */
static inline void plant_damage(void)
{
    struct line_place nobody = {.ticket = {{1}}, .message = {{1}}};
    hash_128(SPAN("k"), nobody.line);
    const struct treekey place = key_line(world.keyed.number, &nobody);
    const struct treekey app = key_id(&world.app.id), list = key_number(world.app.number);
    const struct treekey plain = key_number(world.plain.number);
    const struct treekey keyed = key_number(world.keyed.number);
    const struct treekey message = key_id(&world.message[DONE]);
    const struct {
        enum tree tree;
        const struct treekey *prefix;
    } rows[] = {{TREE_DUE, &plain},  {TREE_DUE, &keyed},    {TREE_DEAD, &plain},
                {TREE_DEAD, &keyed}, {TREE_LINE, &keyed},   {TREE_ENDPOINT_APP, &list},
                {TREE_PORTAL, &app}, {TREE_CONSUMER, &app}, {TREE_DELIVERY, &message}};
    uint8_t key[400];
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(sweep.r.s->env.mdb, NULL, 0, &txn), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(key, 0xff, sizeof key);
        memcpy(key, rows[i].prefix->b, rows[i].prefix->len);
        OK(tree_put(&sweep.r.s->env, txn, rows[i].tree, span_of(key, sizeof key), SPAN("x"), 0));
    }
    OK(tree_put(&sweep.r.s->env, txn, TREE_LINE, key_span(&place), (struct span){0}, 0));
    assert_int_equal(mdb_txn_commit(txn), 0);
}

/* What a new process finds. */
static inline void judge(enum err said)
{
    struct rig *r = &sweep.r;
    struct check_report report;
    OK(store_open(&r->settings, &r->s));
    OK(store_check(r->s, sweep_lies() ? sweep_ignore : rig_report, NULL, &report));
    if (report.errors && !sweep_lies() && !step.damaged)
        SWEEP_FAIL("%u findings", (unsigned)report.errors);
    bool marked = step.tree != TREES && sweep_digest(r->s, step.tree) != untouched;
    if (step.tree != TREES && marked == (said != ERR_OK))
        SWEEP_FAIL("%s, and %s is there", err_text(said), marked ? "something" : "nothing");
    store_close(&r->s);
}

static inline void trial(void)
{
    struct rig *r = &sweep.r;
    sweep_restore();
    rig_start(r);
    turn(2);
    if (step.damaged)
        plant_damage();
    rig_advance(r, step.later_us);
    sweep_begin();
    enum err said = step.act();
    turn(6);
    sweep_end();
    if (r->failures && sweep.way == FAULT_ROTTEN)
        SWEEP_FAIL("a bad record ended the process");
    rig_stop(r);
    if (sweep.way == FAULT_WAYS)
        OK(said);
    judge(said);
}

static inline void sweep_step(const char *name, struct step s)
{
    struct rig *r = &sweep.r;
    step = s;
    sweep_restore();
    OK(store_open(&r->settings, &r->s));
    untouched = step.tree == TREES ? 0 : sweep_digest(r->s, step.tree);
    store_close(&r->s);
    sweep_all(name, trial);
}

/* A moment later, so that what a task is to find lies before it. */
#define SWEEP(act, tree) sweep_step(#act, (struct step){act, tree, US_PER_S, false})
#define SWEEP_DAMAGED(act) sweep_step(#act, (struct step){act, TREES, US_PER_S, true})

/* ---------------------------------------------------------------- the group */

static inline int sweep_set_up(void **state)
{
    (void)state;
    world_fill();
    return 0;
}

static inline int sweep_tear_down(void **state)
{
    (void)state;
    print_message("%u of %u\n", sweep.struck, sweep.trials);
    sweep_remove();
    return 0;
}

#endif
