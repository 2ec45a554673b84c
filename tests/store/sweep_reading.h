/* Every read of the store, each as a function that says what it shows as a number: a hash, a set of
 * bits, or a figure. */
#ifndef TESTS_STORE_SWEEP_READING_H
#define TESTS_STORE_SWEEP_READING_H

#include "tests/store/sweep_world.h"

/* What a read shows is a number. */
enum kind {
    ONE,   /* a hash */
    ROWS,  /* a set of bits, of which some may be left out */
    FIGURE /* of rows, of which some may be left out */
};

struct reading {
    enum err (*read)(struct store_read *r, uint64_t *shown);
    enum kind kind;
    uint64_t good; /* what it shows without a fault */
};

static inline uint64_t seen(struct span s)
{
    return s.len ? UINT64_C(1) << 32 | hash_checksum(s) : 1;
}

/* Of a row. */
static inline uint64_t bit(uint64_t hash)
{
    return UINT64_C(1) << (hash * UINT64_C(0x9E3779B97F4A7C15) >> 58);
}

static inline uint64_t seen_id(const struct id *id)
{
    return seen(span_of(id->b, ID_BYTES));
}

/* ---------------------------------------------------------------- entities */

static inline enum err app_by_uid(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_app_get(r, &world.org, SPAN("one"), &a);
    *shown = e ? 0 : seen(a->name) + seen_id(&a->id);
    app_free(&a);
    return e;
}

static inline enum err app_by_id(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.app.id, ID_APP, ref);
    enum err e = store_app_get(r, &world.org, span_text(ref), &a);
    *shown = e ? 0 : seen(a->name) + seen_id(&a->id);
    app_free(&a);
    return e;
}

static inline enum err app_loaded(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_app_load(r, &world.app.id, &a);
    *shown = e ? 0 : seen(a->name);
    app_free(&a);
    return e;
}

/* When its row is lost it is one that was not made yet. */
static inline enum err operational_app(struct store_read *r, uint64_t *shown)
{
    struct app *a = NULL;
    enum err e = store_operational_app(r, &world.org, &a);
    *shown = e ? 0 : 1 + a->number;
    app_free(&a);
    return e;
}

/* One that has none yet is shown an empty one. */
static inline enum err operational_app_to_be(struct store_read *r, uint64_t *shown)
{
    const struct id org = {{5}};
    struct app *a = NULL;
    enum err e = store_operational_app(r, &org, &a);
    *shown = e ? 0 : 1 + a->number;
    app_free(&a);
    return e;
}

static inline enum err apps(struct store_read *r, uint64_t *shown)
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

static inline enum err endpoint_by_uid(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    enum err e = store_endpoint_get(r, world.app.number, SPAN("plain"), &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static inline enum err endpoint_by_id(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.fifo.id, ID_ENDPOINT, ref);
    enum err e = store_endpoint_get(r, world.app.number, span_text(ref), &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static inline enum err endpoint_loaded(struct store_read *r, uint64_t *shown)
{
    struct endpoint *ep = NULL;
    enum err e = store_endpoint_load(r, world.plain.number, &ep);
    *shown = e ? 0 : seen(ep->url) + ep->number;
    endpoint_free(&ep);
    return e;
}

static inline enum err endpoints(struct store_read *r, uint64_t *shown)
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

static inline void add_endpoint(void *context, uint32_t number, struct wall first_due)
{
    *(uint64_t *)context += number * (uint64_t)(1 + (first_due.us == RIG_EPOCH));
}

static inline enum err each_endpoint(struct store_read *r, uint64_t *shown)
{
    return store_each_endpoint(r, add_endpoint, shown);
}

static inline enum err health(struct store_read *r, uint64_t *shown)
{
    struct endpoint_health h;
    enum err e = store_health_get(r, world.plain.number, &h);
    *shown = e ? 0 : (uint64_t)h.failing_since.us;
    return e;
}

static inline void add_health(void *context, uint32_t number, const struct endpoint_health *h)
{
    *(uint64_t *)context += number + (uint64_t)h->failing_since.us;
}

static inline enum err each_health(struct store_read *r, uint64_t *shown)
{
    return store_each_health(r, add_health, shown);
}

static inline enum err event_type(struct store_read *r, uint64_t *shown)
{
    struct event_type *t = NULL;
    enum err e = store_event_type_get(r, &world.org, SPAN("a"), &t);
    *shown = e ? 0 : seen(t->name) + t->version;
    event_type_free(&t);
    return e;
}

static inline enum err event_types(struct store_read *r, uint64_t *shown)
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

static inline enum err keys(struct store_read *r, uint64_t *shown)
{
    struct api_key *all = NULL;
    size_t count = 0;
    enum err e = store_key_list(r, &all, &count);
    for (size_t i = 0; !e && i < count; i++)
        *shown |= bit(seen_id(&all[i].id));
    free(all);
    return e;
}

static inline enum err portal_token(struct store_read *r, uint64_t *shown)
{
    struct portal_token t;
    (void)r;
    enum err e = store_portal_find(sweep.r.s, &world.app.id, world.portal[0], sweep.r.now, &t);
    *shown = e ? 0 : t.session[0];
    return e;
}

static inline enum err consumer(struct store_read *r, uint64_t *shown)
{
    const uint8_t name[CONSUMER_NAME] = {1};
    struct consumer c;
    bool fades;
    enum err e = store_consumer_get(r, &world.app.id, name, sweep.r.now, &c, &fades);
    *shown = e ? 0 : seen_id(&c.position);
    return e;
}

/* ---------------------------------------------------------------- messages */

static inline uint64_t take_message(struct message **m, enum err e)
{
    uint64_t sum = e ? 0 : seen_id(&(*m)->id) + seen((*m)->payload);
    message_unref(m);
    return sum;
}

static inline enum err message(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    char ref[ID_MAX + 1];
    id_format(&world.message[DONE], ID_MESSAGE, ref);
    enum err e = store_message_get(r, world.app.number, span_text(ref), true, &m);
    *shown = take_message(&m, e);
    return e;
}

static inline enum err message_by_event_id(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    enum err e = store_message_get(r, world.app.number, SPAN("dead"), false, &m);
    *shown = take_message(&m, e);
    return e;
}

static inline enum err long_message(struct store_read *r, uint64_t *shown)
{
    struct message *m = NULL;
    enum err e = store_message_load(r, &world.message[LONG], &m);
    *shown = take_message(&m, e);
    return e;
}

static inline enum err list_messages(struct store_read *r, const struct page *page,
                                     const struct message_filter *filter, bool content,
                                     uint64_t *shown)
{
    struct message *rows[PAGE_MAX];
    struct page_result result;
    enum err e = store_message_list(r, world.app.number, page, filter, content, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(take_message(&rows[i], ERR_OK));
    return e;
}

static inline enum err messages(struct store_read *r, uint64_t *shown)
{
    const struct page page = {.limit = PAGE_MAX};
    const struct message_filter all = {0};
    return list_messages(r, &page, &all, true, shown);
}

static inline enum err messages_filtered(struct store_read *r, uint64_t *shown)
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

static inline enum err messages_behind(struct store_read *r, uint64_t *shown)
{
    const struct page page = {
        .limit = PAGE_MAX, .has_cursor = true, .cursor = world.message[DEAD], .backward = true};
    const struct message_filter all = {0};
    return list_messages(r, &page, &all, false, shown);
}

static inline uint64_t seen_delivery(const struct delivery *d)
{
    return seen_id(&d->message) * (1 + d->state) + d->endpoint_number;
}

static inline enum err delivery(struct store_read *r, uint64_t *shown)
{
    struct delivery d;
    enum err e = store_delivery_get(r, &world.message[DONE], world.plain.number, &d);
    *shown = e ? 0 : seen_delivery(&d);
    return e;
}

static inline enum err waits_for(struct store_read *r, uint64_t *shown)
{
    struct delivery d;
    struct id first = {{0}};
    enum err e = store_delivery_get(r, &world.line[1], world.keyed.number, &d);
    if (!e)
        e = store_delivery_waits_for(r, &d, &first);
    *shown = e ? 0 : seen_id(&first);
    return e;
}

static inline enum err attempt(struct store_read *r, uint64_t *shown)
{
    struct attempt *a = NULL;
    enum err e = store_attempt_get(r, &world.message[DONE], &world.attempt, true, &a);
    *shown = e ? 0 : seen(a->response) + seen_id(&a->id);
    attempt_free(&a);
    return e;
}

static inline uint64_t take_attempts(struct attempt **rows, unsigned count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        sum |= bit(seen_id(&rows[i]->id));
        attempt_free(&rows[i]);
    }
    return sum;
}

static inline enum err attempts_of_endpoint(struct store_read *r, uint64_t *shown)
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

static inline enum err attempts_of_message(struct store_read *r, uint64_t *shown)
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

static inline enum err deliveries_of_message(struct store_read *r, uint64_t *shown)
{
    struct delivery rows[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result result;
    enum err e = store_deliveries_of_message(r, &world.message[DONE], &page, rows, &result);
    for (unsigned i = 0; !e && i < result.count; i++)
        *shown |= bit(seen_delivery(&rows[i]));
    return e;
}

/* The second alone, and what is needed for the third. */
static inline enum err deliveries_in_pages(struct store_read *r, uint64_t *shown)
{
    struct delivery row;
    const struct page page = {.limit = 1, .has_cursor = true, .cursor = world.plain.id};
    struct page_result result;
    enum err e = store_deliveries_of_message(r, &world.message[DONE], &page, &row, &result);
    if (!e && result.count)
        *shown = bit(seen_delivery(&row));
    return e;
}

static inline enum err deliveries_of_endpoint(struct store_read *r, uint64_t *shown)
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

static inline enum err dead_letters(struct store_read *r, uint64_t *shown)
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

static inline enum err due_page(struct store_read *r, uint64_t *shown)
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

static inline enum err stats(struct store_read *r, uint64_t *shown)
{
    struct endpoint_stats sum = {.succeeded = 0};
    struct wall next;
    enum err e = store_endpoint_stats(r, world.plain.number, wall_add(sweep.r.now, -DAY_US),
                                      sweep.r.now, &sum, &next);
    *shown = e ? 0 : 1 + sum.succeeded + 100 * sum.failed;
    return e;
}

/* ---------------------------------------------------------------- tasks, care */

static inline enum err task(struct store_read *r, uint64_t *shown)
{
    struct task_info t;
    enum err e = store_task_get(r, &world.org, &world.usage, &t);
    *shown = e ? 0 : 1 + t.done;
    return e;
}

static inline enum err tasks(struct store_read *r, uint64_t *shown)
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

static inline void add_result(void *context, const struct task_result *row)
{
    *(uint64_t *)context += seen(row->uid) + row->deliveries;
}

static inline enum err task_results(struct store_read *r, uint64_t *shown)
{
    struct task_result_place at = {.event_type = ""};
    bool more;
    return store_task_results(r, &world.usage, &at, add_result, shown, &more);
}

static inline void count_finding(void *context, const char *finding)
{
    (void)finding;
    ++*(uint64_t *)context;
}

/* What it reads rotten it reports, or reads again right. */
static inline enum err check(struct store_read *r, uint64_t *shown)
{
    struct check_report report;
    (void)r;
    return store_check(sweep.r.s, count_finding, shown, &report);
}

/* ---------------------------------------------------------------- all of them */

#define READING(read, kind) \
    {                       \
#read,              \
        {                   \
            read, kind, 0   \
        }                   \
    }

static struct {
    const char *name;
    struct reading reading;
} readings[] = {
    READING(app_by_uid, ONE),
    READING(app_by_id, ONE),
    READING(app_loaded, ONE),
    READING(operational_app, FIGURE),
    READING(operational_app_to_be, ONE),
    READING(apps, ROWS),
    READING(endpoint_by_uid, ONE),
    READING(endpoint_by_id, ONE),
    READING(endpoint_loaded, ONE),
    READING(endpoints, ROWS),
    READING(each_endpoint, FIGURE),
    READING(health, FIGURE),
    READING(each_health, FIGURE),
    READING(event_type, ONE),
    READING(event_types, ROWS),
    READING(keys, ROWS),
    READING(portal_token, ONE),
    READING(consumer, ONE),
    READING(message, ONE),
    READING(message_by_event_id, ONE),
    READING(long_message, ONE),
    READING(messages, ROWS),
    READING(messages_filtered, ROWS),
    READING(messages_behind, ROWS),
    READING(delivery, ONE),
    READING(waits_for, FIGURE),
    READING(attempt, ONE),
    READING(attempts_of_endpoint, ROWS),
    READING(attempts_of_message, ROWS),
    READING(deliveries_of_message, ROWS),
    READING(deliveries_in_pages, FIGURE),
    READING(deliveries_of_endpoint, ROWS),
    READING(dead_letters, ROWS),
    READING(due_page, FIGURE),
    READING(stats, FIGURE),
    READING(task, ONE),
    READING(tasks, ROWS),
    READING(task_results, FIGURE),
    READING(check, FIGURE),
};
#define READINGS (sizeof readings / sizeof *readings)

#endif
