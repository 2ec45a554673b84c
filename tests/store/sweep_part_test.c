/* Parts of the store that a whole operation seldom strains, each alone: every call that they make
 * fails once (tests/store/fault.h). Nothing is written: batches are aborted. */
#include "tests/store/hand.h"
#include "tests/store/sweep.h"

#include "store/stat.h"

#define FULL_MAP 12 /* values that a map takes before it grows */

static void strike(void)
{
    fault_shield(false);
    sweep_begin();
}

static bool struck;

static void spare(void)
{
    unsigned before = sweep.struck;
    fault_shield(true);
    sweep_end();
    struck = sweep.struck > before;
}

/* An error is told, and damage is not one that ends a batch. What has its memory from an earlier
 * trial may not ask for it again. */
static void expect_told(enum err e)
{
    bool told = !struck                    ? !e
                : sweep.way == FAULT_ERROR ? e == ERR_IO || e == ERR_NO_MEMORY
                : sweep.way == FAULT_FULL  ? e == ERR_FULL
                                           : !batch_broken_by(e);
    if (!told)
        SWEEP_FAIL("%s", err_text(e));
}

/* ---------------------------------------------------------------- a record */

static struct endpoint sample(void)
{
    return (struct endpoint){
        .id = {{1}},
        .number = 7,
        .url = SPAN("https://example.com/hook"),
        .key_count = 1,
        .keys = {{.kind = KEY_HMAC, .len = 24, .bytes = {1, 2, 3}}},
        .retry = {.kind = RETRY_EXPONENTIAL,
                  .attempts_max = 3,
                  .jitter_percent = 20,
                  .factor = 2,
                  .delay_ms = {1000, 60000}},
        .auth = {.kind = AUTH_BASIC, .user = SPAN("user"), .secret = SPAN("the password")},
        .tls = {.ca = SPAN("an authority")},
    };
}

static const struct vault *vault;

static void write_and_read(void)
{
    const struct endpoint in = sample();
    struct endpoint *out = NULL;
    struct buf record;
    buf_init(&record, 64 * 1024);
    strike();
    record_endpoint_encode(&in, vault, &record);
    enum err e =
        record.failed ? ERR_NO_MEMORY : record_endpoint_decode(buf_view(&record), vault, &out);
    spare();
    expect_told(e);
    assert_true(e ? !out
                  : out->key_count == 1 && transport_auth_same(&out->auth, &in.auth) &&
                        transport_tls_same(&out->tls, &in.tls) &&
                        memcmp(&out->retry, &in.retry, sizeof in.retry) == 0);
    endpoint_free(&out);
    buf_free(&record);
}

static void an_endpoint_is_written_and_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct vault *plain, *sealing;
    OK(vault_new(NULL, &plain));
    OK(vault_new(SWEEP_SECRET, &sealing));
    vault = plain;
    sweep_all("plain", write_and_read);
    vault = sealing;
    sweep_all("sealed", write_and_read);
    vault_free(&plain);
    vault_free(&sealing);
}

/* ---------------------------------------------------------------- in memory */

static void put_key(void)
{
    struct table *t = table_new();
    struct api_key key = {.scope = SCOPE_APP}, found;
    for (uint8_t n = 0; n < FULL_MAP; n++) {
        key.hash[0] = n;
        OK(table_key_put(t, &key));
    }
    key.hash[0] = FULL_MAP;
    strike();
    enum err e = table_key_put(t, &key);
    spare();
    expect_told(e);
    for (uint8_t n = 0; n <= FULL_MAP; n++) {
        key.hash[0] = n;
        assert_int_equal(table_key_find(t, key.hash, (struct wall){1}, &found),
                         n == FULL_MAP && e ? ERR_NOT_FOUND : ERR_OK);
    }
    table_free(&t);
}

/* The last of an application whose list of endpoints grows as well. */
static void put_endpoint(void)
{
    struct table *t = table_new();
    const struct app a = {.id = {{1}}, .number = 1};
    struct endpoint ep = {.url = SPAN("http://receiver.example/")};
    struct table_app *app;
    struct table_endpoint *fresh;
    OK(table_app_new(&a, &app));
    OK(table_app_put(t, app));
    for (ep.number = 1; ep.number <= FULL_MAP; ep.number++) {
        OK(table_endpoint_new(&ep, &fresh));
        OK(table_endpoint_put(t, fresh, ep.number <= FULL_MAP - 4 ? 0 : 1));
    }
    OK(table_endpoint_new(&ep, &fresh));
    strike();
    enum err e = table_endpoint_put(t, fresh, 1);
    spare();
    expect_told(e);
    assert_int_equal(app->endpoint_count, e ? 4 : 5);
    assert_int_equal(table_endpoint(t, ep.number) != NULL, !e);
    table_free(&t);
}

static void count_many(void)
{
    struct batch b = {.rows = 0};
    struct attempt attempt = {.id = id_random((struct wall){RIG_EPOCH})};
    enum err e = ERR_OK;
    strike();
    for (uint32_t n = 0; n <= FULL_MAP && !e; n++) {
        attempt.endpoint_number = n;
        e = stat_attempt(&b, &attempt);
    }
    spare();
    expect_told(e);
    stat_forget(&b);
    assert_true(!b.stats && !b.stat_changes);
}

static void what_grows_in_memory_is_as_it_was_when_it_cannot(void **state)
{
    (void)state;
    sweep_all("a key", put_key);
    sweep_all("an endpoint", put_endpoint);
    sweep_all("statistics", count_many);
}

/* ---------------------------------------------------------------- what a stop left */

static struct batch batch;
static struct endpoint lined, disabled, deleted, other;
static struct id sent[2];

/* An unfinished task of each kind of turn. */
static void leave_work(void)
{
    struct rig *r = &sweep.r;
    static struct id ids[4];
    sweep_make();
    rig_start(r);
    struct app a = rig_app(r, "one"), b = rig_app(r, "two");
    lined = rig_endpoint_new(r, &a);
    lined.ordering = ORDERING_FIFO;
    OK(rig_put_endpoint(r, &lined));
    disabled = rig_add_endpoint(r, &a);
    deleted = rig_add_endpoint(r, &a);
    other = rig_add_endpoint(r, &b);
    rig_send_all(r, &a, ids, 4);
    rig_send(r, &b);
    rig_kill(r, &ids[0], &lined);
    hand_begin(r, &batch);
    for (unsigned i = 0; i < 2; i++)
        sent[i] = hand_send(r, &batch, &a);
    struct recover_op recover = {.endpoint = lined.number, .task = id_random(r->now)};
    hand_do(r, &batch, &recover.op, STORE_RECOVER);
    struct aggregate_op usage = {
        .org = store_default_org(r->s), .until = r->now, .task = id_random(r->now)};
    hand_do(r, &batch, &usage.op, STORE_AGGREGATE);
    lined.ordering = ORDERING_KEY;
    struct endpoint_op reorder = {.endpoint = &lined};
    hand_do(r, &batch, &reorder.op, STORE_ENDPOINT_PUT);
    disabled.disabled = true;
    struct endpoint_op disable = {.endpoint = &disabled};
    hand_do(r, &batch, &disable.op, STORE_ENDPOINT_PUT);
    struct endpoint_op removal = {.number = deleted.number};
    hand_do(r, &batch, &removal.op, STORE_ENDPOINT_DELETE);
    removal.number = other.number;
    hand_do(r, &batch, &removal.op, STORE_ENDPOINT_DELETE);
}

static void load(void)
{
    const struct store *s = sweep.r.s;
    struct store fresh = {.env = s->env, .vault = s->vault, .table = table_new()};
    struct tasks *tasks = tasks_new();
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(s->env.mdb, NULL, MDB_RDONLY, &txn), 0);
    strike();
    enum err e = table_load(fresh.table, &s->env, txn, s->vault);
    if (!e)
        e = tasks_load(tasks, &fresh, txn);
    spare();
    expect_told(e);
    assert_true(e || sweep_lies() || tasks_fan_out(tasks));
    mdb_txn_abort(txn);
    tasks_free(&tasks);
    table_free(&fresh.table);
}

static void step(void)
{
    struct rig *r = &sweep.r;
    struct endpoint_counts before = store_endpoint_counts(r->s, deleted.number);
    bool more;
    OK(batch_begin(&batch, r->now));
    strike();
    enum err e = tasks_step(&batch, COMMIT_ROWS_MAX, &more);
    spare();
    expect_told(e);
    batch_abort(&batch);
    struct endpoint_counts after = store_endpoint_counts(r->s, deleted.number);
    assert_int_equal(after.waiting, before.waiting);
}

static void what_was_left_is_gone_on_with_whole_or_not_at_all(void **state)
{
    (void)state;
    struct rig *r = &sweep.r;
    leave_work();
    sweep_all("loading", load);
    sweep_all("tasks", step);
    while (hand_step(r, &batch, STEP_ROWS_MAX))
        ;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(rig_state(r, &sent[i], lined.number), DELIVERY_SCHEDULED);
    assert_int_equal(store_endpoint_counts(r->s, disabled.number).waiting, 0);
    assert_int_equal(store_endpoint_counts(r->s, other.number).waiting, 0);
    hand_end(r, &batch);
    rig_start(r);
    rig_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_is_written_and_read_whole_or_not_at_all),
        cmocka_unit_test(what_grows_in_memory_is_as_it_was_when_it_cannot),
        cmocka_unit_test(what_was_left_is_gone_on_with_whole_or_not_at_all),
    };
    fault_shield(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
