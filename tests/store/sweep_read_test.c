/* Every call that a read makes fails once: the read says so, or shows what it shows without the
 * fault. Of a record that is rotten or missing it says so, or leaves the record out: it never shows
 * another one. */
#include "tests/store/sweep_world.h"

/* What a read shows is a number. */
enum kind {
    ONE,   /* a hash */
    ROWS,  /* a set of bits, of which some may be left out */
    FIGURE /* of rows, of which some may be left out */
};

static struct reading {
    enum err (*read)(struct store_read *r, uint64_t *shown);
    enum kind kind;
    uint64_t good; /* what it shows without a fault */
} reading;

/* ---------------------------------------------------------------- a trial */

static void judge(enum err e, uint64_t shown)
{
    if (sweep.way == FAULT_WAYS) {
        if (e)
            SWEEP_FAIL("%s", err_text(e));
        reading.good = shown;
    }
    bool partly = reading.kind == FIGURE || (reading.kind == ROWS && !(shown & ~reading.good));
    if (!e && shown != reading.good && !(partly && sweep_lies()))
        SWEEP_FAIL("shows %llx, not %llx", (unsigned long long)shown,
                   (unsigned long long)reading.good);
}

static void trial(void)
{
    struct store_read *r = NULL;
    uint64_t shown = 0;
    fault_shield(false);
    sweep_begin();
    enum err e = store_read_begin(sweep.r.s, &r);
    if (!e)
        e = reading.read(r, &shown);
    store_read_end(&r);
    sweep_end();
    fault_shield(true);
    judge(e, shown);
}

static void sweep_read(const char *name, enum err (*read)(struct store_read *r, uint64_t *shown),
                       enum kind kind)
{
    reading = (struct reading){.read = read, .kind = kind};
    sweep_all(name, trial);
}

#define SWEEP(read, kind) sweep_read(#read, read, kind)

static uint64_t seen(struct span s)
{
    return s.len ? UINT64_C(1) << 32 | hash_checksum(s) : 1;
}

/* Of a row. */
static uint64_t bit(uint64_t hash)
{
    return UINT64_C(1) << (hash * UINT64_C(0x9E3779B97F4A7C15) >> 58);
}

static uint64_t seen_id(const struct id *id)
{
    return seen(span_of(id->b, ID_BYTES));
}

/* ---------------------------------------------------------------- entities */

static enum err app_by_uid(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_app_get(r, &world.org, SPAN("one"), &a);
    *shown = e ? 0 : seen(a->name) + seen_id(&a->id);
    app_free(&a);
    return e;
}

static enum err app_by_id(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.app.id, ID_APP, ref);
    enum err e = store_app_get(r, &world.org, span_text(ref), &a);
    *shown = e ? 0 : seen(a->name) + seen_id(&a->id);
    app_free(&a);
    return e;
}

static enum err app_loaded(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_app_load(r, &world.app.id, &a);
    *shown = e ? 0 : seen(a->name);
    app_free(&a);
    return e;
}

/* When its row is lost it is one that was not made yet. */
static enum err operational_app(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_operational_app(r, &world.org, &a);
    *shown = e ? 0 : 1 + a->number;
    app_free(&a);
    return e;
}

static enum err apps(struct store_read *r, uint64_t *shown)
{
    struct app *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result result;
    enum err e = store_app_list(r, &world.org, &page, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++) {
        *shown |= bit(seen_id(&rows[i]->id));
        app_free(&rows[i]);
    }
    return e;
}

static enum err endpoint_by_uid(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    enum err e = store_endpoint_get(r, world.app.number, SPAN("plain"), &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static enum err endpoint_by_id(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.fifo.id, ID_ENDPOINT, ref);
    enum err e = store_endpoint_get(r, world.app.number, span_text(ref), &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static enum err endpoint_loaded(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    enum err e = store_endpoint_load(r, world.plain.number, &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static enum err endpoints(struct store_read *r, uint64_t *shown)
{
    struct endpoint *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result result;
    enum err e = store_endpoint_list(r, world.app.number, &page, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++) {
        *shown |= bit(seen_id(&rows[i]->id));
        endpoint_free(&rows[i]);
    }
    return e;
}

static void add_endpoint(void *context, uint32_t number, struct wall first_due)
{
    *(uint64_t *)context += number * (uint64_t)(1 + (first_due.us == RIG_EPOCH));
}

static enum err each_endpoint(struct store_read *r, uint64_t *shown)
{
    return store_each_endpoint(r, add_endpoint, shown);
}

static enum err health(struct store_read *r, uint64_t *shown)
{
    struct endpoint_health h;
    enum err e = store_health_get(r, world.plain.number, &h);
    *shown = e ? 0 : (uint64_t)h.failing_since.us;
    return e;
}

static void add_health(void *context, uint32_t number, const struct endpoint_health *h)
{
    *(uint64_t *)context += number + (uint64_t)h->failing_since.us;
}

static enum err each_health(struct store_read *r, uint64_t *shown)
{
    return store_each_health(r, add_health, shown);
}

static enum err event_type(struct store_read *r, uint64_t *shown)
{
    struct event_type *t = NULL;
    enum err e = store_event_type_get(r, &world.org, SPAN("a"), &t);
    *shown = e ? 0 : seen(t->name) + t->version;
    event_type_free(&t);
    return e;
}

static enum err event_types(struct store_read *r, uint64_t *shown)
{
    struct event_type *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result result;
    enum err e = store_event_type_list(r, &world.org, &page, (struct span){0}, true, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++) {
        *shown |= bit(seen(rows[i]->name));
        event_type_free(&rows[i]);
    }
    return e;
}

static enum err keys(struct store_read *r, uint64_t *shown)
{
    struct api_key *all = NULL;
    size_t count = 0;
    enum err e = store_key_list(r, &all, &count);
    for (size_t i = 0; !e && i < count; i++)
        *shown |= bit(seen_id(&all[i].id));
    free(all);
    return e;
}

static enum err portal_token(struct store_read *r, uint64_t *shown)
{
    struct portal_token t;
    (void)r;
    enum err e = store_portal_find(sweep.r.s, &world.app.id, world.portal[0], sweep.r.now, &t);
    *shown = e ? 0 : t.session[0];
    return e;
}

static enum err consumer(struct store_read *r, uint64_t *shown)
{
    const uint8_t name[CONSUMER_NAME] = {1};
    struct consumer c;
    bool fades;
    enum err e = store_consumer_get(r, &world.app.id, name, sweep.r.now, &c, &fades);
    *shown = e ? 0 : seen_id(&c.position);
    return e;
}

static void entities_are_shown_as_they_are(void **state)
{
    (void)state;
    SWEEP(app_by_uid, ONE);
    SWEEP(app_by_id, ONE);
    SWEEP(app_loaded, ONE);
    SWEEP(operational_app, FIGURE);
    SWEEP(apps, ROWS);
    SWEEP(endpoint_by_uid, ONE);
    SWEEP(endpoint_by_id, ONE);
    SWEEP(endpoint_loaded, ONE);
    SWEEP(endpoints, ROWS);
    SWEEP(each_endpoint, FIGURE);
    SWEEP(health, FIGURE);
    SWEEP(each_health, FIGURE);
    SWEEP(event_type, ONE);
    SWEEP(event_types, ROWS);
    SWEEP(keys, ROWS);
    SWEEP(portal_token, ONE);
    SWEEP(consumer, ONE);
}

/* ---------------------------------------------------------------- messages */

static uint64_t take_message(struct message **m, enum err e)
{
    uint64_t sum = e ? 0 : seen_id(&(*m)->id) + seen((*m)->payload);
    message_unref(m);
    return sum;
}

static enum err message(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.message[DONE], ID_MESSAGE, ref);
    enum err e = store_message_get(r, world.app.number, span_text(ref), true, &m);
    *shown = take_message(&m, e);
    return e;
}

static enum err message_by_event_id(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    enum err e = store_message_get(r, world.app.number, SPAN("dead"), false, &m);
    *shown = take_message(&m, e);
    return e;
}

static enum err long_message(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    enum err e = store_message_load(r, &world.message[LONG], &m);
    *shown = take_message(&m, e);
    return e;
}

static enum err list_messages(struct store_read *r, const struct page *page,
                              const struct message_filter *filter, bool content, uint64_t *shown)
{
    struct message *rows[PAGE_MAX];
    struct page_result result;
    enum err e = store_message_list(r, world.app.number, page, filter, content, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(take_message(&rows[i], ERR_OK));
    return e;
}

static enum err messages(struct store_read *r, uint64_t *shown)
{
    const struct page page = {.limit = PAGE_MAX};
    const struct message_filter all = {0};
    return list_messages(r, &page, &all, true, shown);
}

static enum err messages_filtered(struct store_read *r, uint64_t *shown)
{
    const struct page page = {.limit = PAGE_MAX, .ascending = true, .before = WALL_NEVER};
    const struct span types[] = {SPAN("a")};
    const struct message_filter filter = {.event_type_count = 1,
                                          .event_types = types,
                                          .channel = SPAN("c"),
                                          .tag = SPAN("t"),
                                          .endpoint = &world.plain};
    return list_messages(r, &page, &filter, false, shown);
}

static enum err messages_behind(struct store_read *r, uint64_t *shown)
{
    const struct page page = {
        .limit = PAGE_MAX, .has_cursor = true, .cursor = world.message[DEAD], .backward = true};
    const struct message_filter all = {0};
    return list_messages(r, &page, &all, false, shown);
}

static uint64_t seen_delivery(const struct delivery *d)
{
    return seen_id(&d->message) * (1 + d->state) + d->endpoint_number;
}

static enum err delivery(struct store_read *r, uint64_t *shown)
{
    struct delivery d;
    enum err e = store_delivery_get(r, &world.message[DONE], world.plain.number, &d);
    *shown = e ? 0 : seen_delivery(&d);
    return e;
}

static enum err waits_for(struct store_read *r, uint64_t *shown)
{
    struct delivery d;
    struct id first = {{0}};
    enum err e = store_delivery_get(r, &world.line[1], world.keyed.number, &d);
    if (!e)
        e = store_delivery_waits_for(r, &d, &first);
    *shown = e ? 0 : seen_id(&first);
    return e;
}

static enum err attempt(struct store_read *r, uint64_t *shown)
{
    struct attempt *a = NULL;
    enum err e = store_attempt_get(r, &world.message[DONE], &world.attempt, true, &a);
    *shown = e ? 0 : seen(a->response) + seen_id(&a->id);
    attempt_free(&a);
    return e;
}

static uint64_t take_attempts(struct attempt **rows, unsigned count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        sum |= bit(seen_id(&rows[i]->id));
        attempt_free(&rows[i]);
    }
    return sum;
}

static enum err attempts_of_endpoint(struct store_read *r, uint64_t *shown)
{
    struct attempt *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct attempt_filter filter = {.status = -1, .message.channel = SPAN("c")};
    struct page_result result;
    enum err e =
        store_attempts_of_endpoint(r, world.plain.number, &page, &filter, true, rows, &result);
    *shown = e ? 0 : take_attempts(rows, result.count);
    return e;
}

static enum err attempts_of_message(struct store_read *r, uint64_t *shown)
{
    struct attempt *rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX, .backward = true};
    const struct attempt_filter filter = {.status = -1};
    struct page_result result;
    enum err e =
        store_attempts_of_message(r, &world.message[DONE], &page, &filter, false, rows, &result);
    *shown = e ? 0 : take_attempts(rows, result.count);
    return e;
}

static enum err deliveries_of_message(struct store_read *r, uint64_t *shown)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result result;
    enum err e = store_deliveries_of_message(r, &world.message[DONE], &page, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(seen_delivery(&rows[i]));
    return e;
}

static enum err deliveries_of_endpoint(struct store_read *r, uint64_t *shown)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct message_filter filter = {.tag = SPAN("t")};
    struct page_result result;
    enum err e =
        store_deliveries_of_endpoint(r, world.plain.number, &page, 0, &filter, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(seen_delivery(&rows[i]));
    return e;
}

static enum err dead_letters(struct store_read *r, uint64_t *shown)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct dead_filter filter = {.event_type = SPAN("a")};
    struct page_result result;
    enum err e = store_dead_list(r, world.plain.number, &page, &filter, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(seen_delivery(&rows[i]));
    return e;
}

static enum err due_page(struct store_read *r, uint64_t *shown)
{
    struct due_row rows[64];
    unsigned count = 0;
    struct wall next;
    enum err e = store_due_page(r, world.plain.number, (struct wall){0}, WALL_NEVER, rows, 64,
                                &count, &next);
    for (unsigned i = 0; !e && i < count; i++)
        *shown += seen_id(&rows[i].message) + rows[i].tries;
    return e;
}

static enum err stats(struct store_read *r, uint64_t *shown)
{
    struct endpoint_stats sum = {.succeeded = 0};
    struct wall next;
    enum err e = store_endpoint_stats(r, world.plain.number, wall_add(sweep.r.now, -DAY_US),
                                      sweep.r.now, &sum, &next);
    *shown = e ? 0 : 1 + sum.succeeded + 100 * sum.failed;
    return e;
}

static void messages_and_what_became_of_them_are_shown_as_they_are(void **state)
{
    (void)state;
    SWEEP(message, ONE);
    SWEEP(message_by_event_id, ONE);
    SWEEP(long_message, ONE);
    SWEEP(messages, ROWS);
    SWEEP(messages_filtered, ROWS);
    SWEEP(messages_behind, ROWS);
    SWEEP(delivery, ONE);
    SWEEP(waits_for, FIGURE);
    SWEEP(attempt, ONE);
    SWEEP(attempts_of_endpoint, ROWS);
    SWEEP(attempts_of_message, ROWS);
    SWEEP(deliveries_of_message, ROWS);
    SWEEP(deliveries_of_endpoint, ROWS);
    SWEEP(dead_letters, ROWS);
    SWEEP(due_page, FIGURE);
    SWEEP(stats, FIGURE);
}

/* ---------------------------------------------------------------- tasks, care */

static enum err task(struct store_read *r, uint64_t *shown)
{
    struct task_info t;
    enum err e = store_task_get(r, &world.org, &world.usage, &t);
    *shown = e ? 0 : 1 + t.done;
    return e;
}

static enum err tasks(struct store_read *r, uint64_t *shown)
{
    struct task_info rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    const struct task_query query = {.status = TASK_ANY};
    struct page_result result;
    enum err e = store_task_list(r, &world.org, &page, &query, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(seen_id(&rows[i].id));
    return e;
}

static void add_result(void *context, const struct task_result *row)
{
    *(uint64_t *)context += seen(row->uid) + row->deliveries;
}

static enum err task_results(struct store_read *r, uint64_t *shown)
{
    struct task_result_place at = {.event_type = ""};
    bool more;
    return store_task_results(r, &world.usage, &at, add_result, shown, &more);
}

static void count_finding(void *context, const char *finding)
{
    (void)finding;
    ++*(uint64_t *)context;
}

/* What it reads rotten it reports, or reads again right. */
static enum err check(struct store_read *r, uint64_t *shown)
{
    struct check_report report;
    (void)r;
    return store_check(sweep.r.s, count_finding, shown, &report);
}

static void tasks_are_shown_as_they_are_and_check_ends(void **state)
{
    (void)state;
    SWEEP(task, ONE);
    SWEEP(tasks, ROWS);
    SWEEP(task_results, FIGURE);
    SWEEP(check, FIGURE);
}

/* ---------------------------------------------------------------- the group */

static int set_up(void **state)
{
    (void)state;
    world_fill();
    OK(store_open(&sweep.r.settings, &sweep.r.s));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(&sweep.r.s);
    print_message("%u of %u\n", sweep.struck, sweep.trials);
    sweep_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_are_shown_as_they_are),
        cmocka_unit_test(messages_and_what_became_of_them_are_shown_as_they_are),
        cmocka_unit_test(tasks_are_shown_as_they_are_and_check_ends),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
