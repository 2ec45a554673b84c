/* Applications, endpoints, event types, keys and consumers against the trees that lead to them. */
#include "store/check.h"

/* Calls `row` for every row of a tree. */
static enum err each_row(struct check *c, enum tree tree,
                         enum err (*row)(struct check *c, struct span key, struct span value))
{
    struct check_walk w;
    enum err e = check_open(c, tree, &w);
    while (!e && w.more) {
        e = row(c, w.key, w.value);
        if (!e)
            e = check_next(&w);
    }
    check_close(&w);
    return e;
}

/* ---------------------------------------------------------------- applications */

static enum err uid_leads_to_app(struct check *c, const struct app *a)
{
    struct treekey key = key_id_text(&a->org, a->uid);
    struct id found;
    enum err e = read_id_at(c->r, TREE_APP_UID, &key, &found);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT || (!e && id_cmp(&found, &a->id) != 0)) {
        check_say(c, "the uid of %s does not lead to it", check_id(&a->id, ID_APP).text);
        return ERR_OK;
    }
    return e;
}

static enum err app_row(struct check *c, struct span key, struct span value)
{
    struct app *a;
    enum err e = record_app_decode(value, &a);
    if (e == ERR_NO_MEMORY)
        return e;
    struct id id = check_prefix(key);
    if (e) {
        check_say(c, "%s does not decode", check_id(&id, ID_APP).text);
        return ERR_OK;
    }
    if (key.len != ID_BYTES || id_cmp(&id, &a->id) != 0)
        check_say(c, "%s stands under another id", check_id(&a->id, ID_APP).text);
    if (a->number >= c->marks.next_app)
        check_say(c, "%s has a number not yet given out", check_id(&a->id, ID_APP).text);
    struct treekey listed = key_id_id(&a->org, &a->id);
    if (!app_is_operational(&a->id, &a->org))
        e = check_row_exists(c, TREE_APP_ORG, &listed, "an application is not in its list");
    if (!e && a->uid.len > 0)
        e = uid_leads_to_app(c, a);
    app_free(&a);
    return e;
}

static enum err app_org_row(struct check *c, struct span key, struct span value)
{
    if (key.len != 2 * ID_BYTES || value.len) {
        check_say(c, "a row of the list of applications has a bad form");
        return ERR_OK;
    }
    struct id id = check_prefix(span_skip(key, ID_BYTES));
    struct treekey at = key_id(&id);
    return check_row_exists(c, TREE_APP, &at, "a listed application does not exist");
}

static enum err app_uid_row(struct check *c, struct span key, struct span value)
{
    struct id org = check_prefix(key);
    struct app *a = NULL;
    struct id id;
    bool right = key.len > ID_BYTES && read_as_id(value, &id);
    if (right) {
        struct check_text text = check_id(&id, ID_APP);
        enum err e = store_app_get(c->r, &org, span_text(text.text), &a);
        if (e && e != ERR_NOT_FOUND && e != ERR_CORRUPT)
            return e;
        right = !e && span_eq(a->uid, span_skip(key, ID_BYTES));
    }
    if (!right)
        check_say(c, "an application's uid leads to none, or to one with another uid");
    app_free(&a);
    return ERR_OK;
}

/* ---------------------------------------------------------------- endpoints */

static enum err leads_to_endpoint(struct check *c, enum tree tree, const struct treekey *key,
                                  const struct endpoint *ep, const char *what)
{
    uint32_t number;
    enum err e = read_number_at(c->r, tree, key, &number);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT || (!e && number != ep->number)) {
        check_say(c, "%s of %s does not lead to it", what, check_id(&ep->id, ID_ENDPOINT).text);
        return ERR_OK;
    }
    return e;
}

/* The endpoints and consumers of a deleted application are removed by its task. */
static enum err is_being_deleted(struct check *c, const struct id *app, bool *yes)
{
    struct check_walk w;
    *yes = false;
    enum err e = check_open(c, TREE_TASK, &w);
    while (!e && w.more && !*yes) {
        struct task task;
        *yes = !record_task_decode(w.value, &task) && task.kind == TASK_APP_DELETED &&
               id_cmp(&task.app, app) == 0;
        e = check_next(&w);
    }
    check_close(&w);
    return e;
}

static enum err endpoint_has_app(struct check *c, const struct endpoint *ep)
{
    struct treekey key = key_id(&ep->app);
    struct span value;
    enum err e = snapshot_get(c->r, TREE_APP, &key, &value);
    if (e != ERR_NOT_FOUND)
        return e;
    bool deleting;
    e = is_being_deleted(c, &ep->app, &deleting);
    if (!e && !deleting)
        check_say(c, "%s has no application", check_id(&ep->id, ID_ENDPOINT).text);
    return e;
}

static enum err endpoint_references(struct check *c, const struct endpoint *ep)
{
    struct treekey by_id = key_id(&ep->id);
    struct treekey by_app = key_number_id(ep->app_number, &ep->id);
    enum err e = leads_to_endpoint(c, TREE_ENDPOINT_ID, &by_id, ep, "the id");
    if (!e)
        e = leads_to_endpoint(c, TREE_ENDPOINT_APP, &by_app, ep, "the application's list");
    if (!e && ep->uid.len > 0) {
        struct treekey by_uid = key_number_text(ep->app_number, ep->uid);
        e = leads_to_endpoint(c, TREE_ENDPOINT_UID, &by_uid, ep, "the uid");
    }
    return e ? e : endpoint_has_app(c, ep);
}

static enum err endpoint_row(struct check *c, struct span key, struct span value)
{
    struct endpoint *ep;
    uint32_t number = 0;
    c->report->endpoints++;
    enum err e = record_endpoint_decode(value, c->r->store->vault, &ep);
    if (e == ERR_NO_MEMORY)
        return e;
    bool keyed = read_as_number(key, &number);
    if (e) {
        check_say(c, "endpoint number %u does not decode", number);
        return ERR_OK;
    }
    struct check_text name = check_id(&ep->id, ID_ENDPOINT);
    if (!keyed || ep->number != number)
        check_say(c, "%s stands under another number", name.text);
    if (ep->number >= c->marks.next_endpoint)
        check_say(c, "%s has a number not yet given out", name.text);
    e = endpoint_references(c, ep);
    endpoint_free(&ep);
    return e;
}

/* Rows of ENDPOINT_ID, _UID and _APP: each names an endpoint that exists. */
static enum err endpoint_reference_row(struct check *c, struct span key, struct span value)
{
    (void)key;
    uint32_t number;
    if (!read_as_number(value, &number)) {
        check_say(c, "a reference to an endpoint does not decode");
        return ERR_OK;
    }
    struct treekey at = key_number(number);
    return check_row_exists(c, TREE_ENDPOINT, &at, "a reference leads to no endpoint");
}

/* ---------------------------------------------------------------- event types and keys */

static enum err event_type_row(struct check *c, struct span key, struct span value)
{
    struct event_type *t;
    enum err e = record_event_type_decode(value, &t);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e) {
        check_say(c, "an event type does not decode");
        return ERR_OK;
    }
    struct treekey own = key_id_text(&t->org, t->name);
    if (!span_eq(key, key_span(&own)))
        check_say(c, "event type %.*s stands under another name", SPAN_ARG(t->name));
    event_type_free(&t);
    return ERR_OK;
}

static enum err key_row(struct check *c, struct span key, struct span value)
{
    struct api_key k;
    struct id id = check_prefix(key);
    if (record_key_decode(value, &k))
        check_say(c, "%s does not decode", check_id(&id, ID_KEY).text);
    else if (key.len != ID_BYTES || id_cmp(&id, &k.id) != 0)
        check_say(c, "%s stands under another id", check_id(&k.id, ID_KEY).text);
    return ERR_OK;
}

static enum err health_row(struct check *c, struct span key, struct span value)
{
    struct endpoint_health health;
    uint32_t number = 0;
    if (!read_as_number(key, &number) || record_health_decode(value, &health)) {
        check_say(c, "the health of endpoint number %u does not decode", number);
        return ERR_OK;
    }
    if (!health.failing_since.us && !health.disabled_at.us && !health.breaker.opened_at.us)
        check_say(c, "the health of endpoint number %u says nothing", number);
    check_key(c, key, value, "a record of health");
    struct treekey at = key_number(number);
    return check_row_exists(c, TREE_ENDPOINT, &at, "a record of health belongs to no endpoint");
}

/* ---------------------------------------------------------------- consumers */

static enum err consumer_row(struct check *c, struct span key, struct span value)
{
    struct consumer consumer;
    struct id app = check_prefix(key);
    struct treekey at = key_id(&app);
    struct span unused;
    c->consumers++;
    if (key.len != ID_BYTES + CONSUMER_NAME || record_consumer_decode(value, &consumer))
        check_say(c, "a consumer of %s does not decode", check_id(&app, ID_APP).text);
    enum err e = snapshot_get(c->r, TREE_APP, &at, &unused);
    if (e != ERR_NOT_FOUND)
        return e;
    bool deleting;
    e = is_being_deleted(c, &app, &deleting);
    if (!e && !deleting)
        check_say(c, "a consumer of %s has no application", check_id(&app, ID_APP).text);
    return e;
}

enum err check_entities(struct check *c)
{
    static const struct {
        enum tree tree;
        enum err (*row)(struct check *c, struct span key, struct span value);
    } trees[] = {
        {TREE_APP, app_row},
        {TREE_APP_ORG, app_org_row},
        {TREE_APP_UID, app_uid_row},
        {TREE_ENDPOINT, endpoint_row},
        {TREE_ENDPOINT_ID, endpoint_reference_row},
        {TREE_ENDPOINT_UID, endpoint_reference_row},
        {TREE_ENDPOINT_APP, endpoint_reference_row},
        {TREE_HEALTH, health_row},
        {TREE_EVENT_TYPE, event_type_row},
        {TREE_KEY, key_row},
        {TREE_CONSUMER, consumer_row},
    };
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof trees / sizeof trees[0] && !e; i++)
        e = each_row(c, trees[i].tree, trees[i].row);
    return e;
}
