/* Waiting for messages: a commit wakes those of its application, once an arming, and none is
 * missed between the look and the arming. */
#include "store/watch.h"

#include "tests/store/rig.h"

static struct rig r;
static struct app a, b;

struct sleeper {
    struct store_watch watch; /* first */
    atomic_uint woken;
};

static void wake(struct store_watch *w)
{
    atomic_fetch_add(&((struct sleeper *)w)->woken, 1);
}

static struct sleeper sleeper_of(const struct app *app)
{
    return (struct sleeper){.watch = {.app_number = app->number, .wake = wake}};
}

static void begin(void)
{
    rig_open(&r);
    a = rig_app(&r, "one");
    b = rig_app(&r, "two");
}

static bool arm(struct sleeper *s)
{
    return store_watch_arm(r.s, &s->watch, store_watch_mark(r.s));
}

static void a_message_wakes_its_application_once(void **state)
{
    (void)state;
    begin();
    struct sleeper mine = sleeper_of(&a), other = sleeper_of(&b), unarmed = sleeper_of(&a);
    OK(store_watch_enter(r.s, &mine.watch));
    OK(store_watch_enter(r.s, &other.watch));
    OK(store_watch_enter(r.s, &unarmed.watch));
    assert_true(arm(&mine) && arm(&other));
    rig_send(&r, &a);
    rig_send(&r, &a);
    rig_turn(&r);
    assert_int_equal(atomic_load(&mine.woken), 1);
    assert_int_equal(atomic_load(&other.woken), 0);
    assert_int_equal(atomic_load(&unarmed.woken), 0);
    assert_true(arm(&mine));
    store_watch_disarm(r.s, &mine.watch);
    rig_send(&r, &a);
    assert_int_equal(atomic_load(&mine.woken), 1);
    store_watch_leave(r.s, &unarmed.watch);
    store_watch_leave(r.s, &mine.watch);
    store_watch_leave(r.s, &other.watch);
    rig_close(&r);
}

static void what_is_committed_before_the_arming_is_told(void **state)
{
    (void)state;
    begin();
    struct sleeper s = sleeper_of(&a);
    OK(store_watch_enter(r.s, &s.watch));
    uint64_t mark = store_watch_mark(r.s);
    rig_send(&r, &a);
    assert_false(store_watch_arm(r.s, &s.watch, mark));
    assert_true(arm(&s));
    rig_turn(&r); /* no message */
    assert_int_equal(atomic_load(&s.woken), 0);
    store_watch_leave(r.s, &s.watch);
    rig_close(&r);
}

static void a_refused_message_and_a_repeated_one_wake_nobody(void **state)
{
    (void)state;
    begin();
    struct sleeper s = sleeper_of(&a);
    struct message *m[3];
    struct rig_ingest i;
    for (int n = 0; n < 3; n++) {
        m[n] = rig_message("a", "{}");
        m[n]->event_id = SPAN("same");
    }
    OK(rig_ingest(&r, &a, m[0], "key", "body", &i));
    OK(store_watch_enter(r.s, &s.watch));
    assert_true(arm(&s));
    OK(rig_ingest(&r, &a, m[1], "key", "body", &i));
    assert_true(i.op.op.replayed);
    assert_int_equal(rig_ingest(&r, &a, m[2], NULL, NULL, &i), ERR_CONFLICT);
    assert_int_equal(atomic_load(&s.woken), 0);
    store_watch_leave(r.s, &s.watch);
    for (int n = 0; n < 3; n++)
        message_unref(&m[n]);
    rig_close(&r);
}

/* In one commit with a message of another application, and with what is none. */
static void a_batch_of_which_nothing_is_taken_wakes_nobody(void **state)
{
    (void)state;
    begin();
    rig_stop(&r);
    r.settings.group_wait_us = 20000;
    rig_start(&r);
    struct sleeper mine = sleeper_of(&a), other = sleeper_of(&b);
    struct ingest_item items[3];
    struct rig_ingest first;
    for (int n = 0; n < 3; n++) {
        items[n] = (struct ingest_item){.message = rig_message("a", "{}")};
        items[n].message->event_id = SPAN("same");
    }
    struct ingest_op refused = {
        .org = a.org, .app = a.uid, .batch = true, .count = 2, .items = items};
    struct ingest_op taken = {.org = b.org, .app = b.uid, .count = 1, .items = items + 2};
    OK(rig_ingest(&r, &a, items[0].message, NULL, NULL, &first));
    OK(store_watch_enter(r.s, &mine.watch));
    OK(store_watch_enter(r.s, &other.watch));
    assert_true(arm(&mine) && arm(&other));
    struct resend_op resend = {.message = {{7}}};
    unsigned wanted = r.done + 3;
    rig_submit(&r, &refused.op, STORE_INGEST);
    rig_submit(&r, &taken.op, STORE_INGEST);
    rig_submit(&r, &resend.op, STORE_RESEND);
    rig_await(&r, wanted);
    assert_int_equal(items[0].result, ERR_CONFLICT);
    assert_int_equal(items[1].result, ERR_CONFLICT);
    assert_int_equal(atomic_load(&mine.woken), 0);
    assert_int_equal(atomic_load(&other.woken), 1);
    store_watch_leave(r.s, &mine.watch);
    store_watch_leave(r.s, &other.watch);
    for (int n = 0; n < 3; n++)
        message_unref(&items[n].message);
    rig_close(&r);
}

static void places_are_bounded_for_each_application_and_in_all(void **state)
{
    (void)state;
    begin();
    static struct sleeper all[WATCHES_MAX + 1];
    unsigned apps = WATCHES_MAX / WATCHES_PER_APP_MAX;
    for (unsigned i = 0; i < WATCHES_MAX; i++) {
        all[i] = sleeper_of(&a);
        all[i].watch.app_number = 1 + 256 * (i % apps);
        OK(store_watch_enter(r.s, &all[i].watch));
    }
    all[WATCHES_MAX] = sleeper_of(&b);
    assert_int_equal(store_watch_enter(r.s, &all[WATCHES_MAX].watch), ERR_BUSY);
    store_watch_leave(r.s, &all[0].watch);
    all[WATCHES_MAX].watch.app_number = 1 + 256;
    assert_int_equal(store_watch_enter(r.s, &all[WATCHES_MAX].watch), ERR_BUSY);
    all[WATCHES_MAX].watch.app_number = 1;
    OK(store_watch_enter(r.s, &all[WATCHES_MAX].watch));
    for (unsigned i = 1; i <= WATCHES_MAX; i++)
        store_watch_leave(r.s, &all[i].watch);
    rig_close(&r);
}

/* A reader that looks, arms and sleeps sees every message though they come at any moment. */
struct reader_thread {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store_watch watch;
    bool woken; /* under lock */
};

static void wake_reader(struct store_watch *w)
{
    struct reader_thread *t =
        (struct reader_thread *)((char *)w - offsetof(struct reader_thread, watch));
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static unsigned look(struct id *cursor)
{
    static const struct message_filter all;
    struct page page = {
        .limit = PAGE_MAX, .has_cursor = true, .cursor = *cursor, .ascending = true};
    struct message *rows[PAGE_MAX];
    struct page_result result;
    struct store_read *read;
    OK(store_read_begin(r.s, &read));
    OK(store_message_list(read, a.number, &page, &all, false, rows, &result));
    store_read_end(&read);
    for (unsigned i = 0; i < result.count; i++) {
        assert_true(id_cmp(&rows[i]->id, cursor) > 0);
        *cursor = rows[i]->id;
        message_unref(&rows[i]);
    }
    return result.count;
}

#define RACE_MESSAGES 400

static void *read_all(void *context)
{
    struct reader_thread *t = context;
    struct id cursor = {{0}};
    unsigned seen = 0;
    while (seen < RACE_MESSAGES) {
        uint64_t mark = store_watch_mark(r.s);
        unsigned found = look(&cursor);
        seen += found;
        if (found || !store_watch_arm(r.s, &t->watch, mark))
            continue;
        pthread_mutex_lock(&t->lock);
        while (!t->woken)
            pthread_cond_wait(&t->changed, &t->lock);
        t->woken = false;
        pthread_mutex_unlock(&t->lock);
    }
    return NULL;
}

static void no_message_is_slept_through(void **state)
{
    (void)state;
    begin();
    struct reader_thread t = {.watch = {.app_number = a.number, .wake = wake_reader}};
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.changed, NULL);
    OK(store_watch_enter(r.s, &t.watch));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_all, &t), 0);
    for (unsigned i = 0; i < RACE_MESSAGES; i++)
        rig_send(&r, i % 4 == 3 ? &b : &a);
    for (unsigned i = 0; i < RACE_MESSAGES / 4; i++)
        rig_send(&r, &a);
    pthread_join(thread, NULL);
    store_watch_leave(r.s, &t.watch);
    pthread_mutex_destroy(&t.lock);
    pthread_cond_destroy(&t.changed);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_wakes_its_application_once),
        cmocka_unit_test(what_is_committed_before_the_arming_is_told),
        cmocka_unit_test(a_refused_message_and_a_repeated_one_wake_nobody),
        cmocka_unit_test(a_batch_of_which_nothing_is_taken_wakes_nobody),
        cmocka_unit_test(places_are_bounded_for_each_application_and_in_all),
        cmocka_unit_test(no_message_is_slept_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
