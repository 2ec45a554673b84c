/* `surehook check`: every record decodes, and every index says what the records say. For people
 * after an accident and for tests after every kill. */
#include "store/check.h"

#include "store/codec.h"

#include <assert.h>
#include <stdarg.h>

#define FINDING_MAX 512

void check_say(struct check *c, const char *format, ...)
{
    char text[FINDING_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->report->errors++;
    c->say(c->context, text);
}

enum err check_open(struct check *c, enum tree tree, struct check_walk *w)
{
    *w = (struct check_walk){0};
    enum err e = tree_cursor(&c->r->store->env, c->r->txn, tree, &w->cursor);
    if (!e)
        e = tree_walk(w->cursor, MDB_FIRST, &w->key, &w->value);
    w->more = !e;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err check_next(struct check_walk *w)
{
    assert(w->more);
    enum err e = tree_walk(w->cursor, MDB_NEXT, &w->key, &w->value);
    w->more = !e;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

void check_close(struct check_walk *w)
{
    if (w->cursor)
        mdb_cursor_close(w->cursor);
    w->cursor = NULL;
}

enum err check_row_exists(struct check *c, enum tree tree, const struct treekey *key,
                          const char *what)
{
    struct span value;
    enum err e = snapshot_get(c->r, tree, key, &value);
    if (e != ERR_NOT_FOUND)
        return e;
    check_say(c, "%s", what);
    return ERR_OK;
}

struct check_text check_id(const struct id *id, const char *prefix)
{
    struct check_text t = {""};
    id_format(id, prefix, t.text);
    return t;
}

struct id check_prefix(struct span key)
{
    struct id id = {{0}};
    if (key.len >= ID_BYTES)
        memcpy(id.b, key.ptr, ID_BYTES);
    return id;
}

void check_key(struct check *c, struct span key, struct span value, const char *noun)
{
    if (codec_is_moved(value, key))
        check_say(c, "%s stands under another key", noun);
}

/* Each of the rows that every store has, and no other. */
static enum err check_meta(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_META, &w);
    while (!e && w.more) {
        struct id org;
        if (span_is(w.key, META_MARKS)) {
            if (record_marks_decode(w.value, &c->marks))
                check_say(c, "the high-water marks do not decode");
        } else if (span_is(w.key, META_ORG)) {
            if (record_org_decode(w.value, &org))
                check_say(c, "the default organisation does not decode");
        } else if (!span_is(w.key, META_FORMAT) && !span_is(w.key, META_SECRET)) {
            check_say(c, "a row of META has an unknown name");
        }
        e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static enum err check_tasks(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_TASK, &w);
    while (!e && w.more) {
        struct task task;
        if (w.key.len != ID_BYTES || record_task_decode(w.value, &task))
            check_say(c, "a task does not decode");
        else if (task.kind == TASK_ORDER_CHANGED || task.kind == TASK_ORDER_FLOW)
            c->relining |= !task.finished;
        check_key(c, w.key, w.value, "a task");
        e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static enum err check_portal(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_PORTAL, &w);
    while (!e && w.more) {
        struct portal_token t;
        if (w.key.len != ID_BYTES + sizeof t.hash || record_portal_decode(w.value, &t))
            check_say(c, "a portal token does not decode");
        check_key(c, w.key, w.value, "a portal token");
        e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static enum err check_task_filters(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_TASK_FILTER, &w);
    while (!e && w.more) {
        struct id id = check_prefix(w.key);
        struct treekey task = key_id(&id);
        struct task_filter *filter;
        e = record_task_filter_decode(w.value, &filter);
        if (e == ERR_CORRUPT)
            check_say(c, "the filter of a task does not decode");
        free(filter);
        check_key(c, w.key, w.value, "the filter of a task");
        if (!e || e == ERR_CORRUPT)
            e = check_row_exists(c, TREE_TASK, &task, "a task's filter has no task");
        if (!e)
            e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static enum err check_task_results(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_TASK_RESULT, &w);
    while (!e && w.more) {
        struct id id = check_prefix(w.key);
        struct treekey task = key_id(&id);
        struct task_result result;
        struct reader unused;
        /* An event type's row of before the binding has no value. */
        bool whole = w.key.len == 2 * ID_BYTES ? !record_task_result_decode(w.value, &result)
                                               : w.value.len == 0 || !codec_open(w.value, &unused);
        if (w.key.len < 2 * ID_BYTES || w.key.len > 2 * ID_BYTES + EVENT_TYPE_MAX || !whole)
            check_say(c, "a row of a task's result does not decode");
        check_key(c, w.key, w.value, "a row of a task's result");
        e = check_row_exists(c, TREE_TASK, &task, "a task's result has no task");
        if (!e)
            e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static void index_finding(void *context, const char *finding)
{
    check_say(context, "index: %s", finding);
}

static enum err check_rows(struct check *c)
{
    enum err e = check_meta(c);
    if (!e)
        e = check_tasks(c);
    if (!e)
        e = check_task_filters(c);
    if (!e)
        e = check_task_results(c);
    if (!e)
        e = check_portal(c);
    if (!e)
        e = check_entities(c);
    if (!e)
        e = check_messages(c);
    if (!e)
        e = check_queues(c);
    return e ? e : check_stats(c);
}

enum err store_check(struct store *s, void (*say)(void *context, const char *finding),
                     void *context, struct check_report *report)
{
    *report = (struct check_report){0};
    struct check c = {.say = say, .context = context, .report = report, .now = clock_wall()};
    enum err e = store_read_begin(s, &c.r);
    if (e)
        return e;
    e = check_pages(&c);
    if (!e && report->errors) {
        check_say(&c, "the rows were not looked at: LMDB would follow damaged pages");
    } else if (!e) {
        e = check_rows(&c);
        if (!e)
            e = index_check(s->index, c.r->txn, index_finding, &c, &report->index_entries);
    }
    store_read_end(&c.r);
    return e;
}
