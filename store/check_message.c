/* Messages and what shares their prefix: bodies, deliveries and attempts are walked side by side
 * with the messages, so that each row is seen once and a row without a message is noticed. */
#include "store/check.h"

#include "base/hash.h"

/* A message of the walk, with what its rows must agree to. */
struct subject {
    struct id id;
    struct message *m; /* NULL: it did not decode */
    struct check_text name;
    unsigned chunks; /* of its body, found */
    bool held;       /* a delivery keeps it beyond its expiry */
};

typedef enum err row_check(struct check *c, struct subject *s, struct span key, struct span value);

/* Before its expiry: the index knows its entries, and retention has not touched it. */
static bool fresh(const struct check *c, const struct subject *s)
{
    return s->m && s->m->expires.us > c->now.us;
}

/* Says a finding unless the index leads from `key` to `wanted`. */
static enum err index_leads(struct check *c, enum index_family family, const struct treekey *key,
                            struct span wanted, const char *what, const struct check_text *name)
{
    uint8_t value[INDEX_VALUE_MAX];
    size_t len = 0;
    enum err e = index_view_get(c->r->view, c->r->txn, family, key_span(key), c->now, value, &len);
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (e || !span_eq(span_of(value, len), wanted))
        check_say(c, "the index does not lead to %s of %s", what, name->text);
    return ERR_OK;
}

/* ---------------------------------------------------------------- rows of a message */

static enum err body_row(struct check *c, struct subject *s, struct span key, struct span value)
{
    (void)c;
    (void)key;
    (void)value;
    s->chunks++;
    return ERR_OK;
}

static bool unfinished(const struct delivery *d)
{
    return d->state == DELIVERY_SCHEDULED || d->state == DELIVERY_RETRYING;
}

static enum err delivery_rows(struct check *c, const struct subject *s, const struct delivery *d,
                              uint32_t endpoint)
{
    enum err e = ERR_OK;
    if (unfinished(d) && !d->held) {
        struct treekey due = key_due(endpoint, d->due, &s->id, TRIGGER_SCHEDULED);
        e = check_row_exists(c, TREE_DUE, &due, "an unfinished delivery is not due");
    }
    if (!e && !id_is_zero(&d->ticket)) {
        struct line_place at = {.ticket = d->ticket, .message = s->id};
        memcpy(at.line, d->line, LINE_BYTES);
        struct treekey place = key_line(endpoint, &at);
        e = check_row_exists(c, TREE_LINE, &place, "a delivery's place in its line is not there");
        if (!unfinished(d))
            check_say(c, "%s is finished at endpoint number %u and stands in a line", s->name.text,
                      endpoint);
    }
    if (!e && d->manual_due.us > 0) {
        struct treekey due = key_due(endpoint, d->manual_due, &s->id, TRIGGER_MANUAL);
        e = check_row_exists(c, TREE_DUE, &due, "a waiting manual attempt is not due");
    }
    if (!e && d->state == DELIVERY_DEAD) {
        struct treekey dead = key_number_id(endpoint, &s->id);
        e = check_row_exists(c, TREE_DEAD, &dead, "a dead delivery is not a dead letter");
    }
    return e;
}

static enum err delivery_row(struct check *c, struct subject *s, struct span key, struct span value)
{
    struct delivery d;
    uint32_t endpoint;
    c->report->deliveries++;
    if (!read_as_number(span_skip(key, ID_BYTES), &endpoint)) {
        check_say(c, "a delivery of %s has a bad key", s->name.text);
        return ERR_OK;
    }
    if (record_delivery_decode(value, &d) || d.due.us < 0 || d.manual_due.us < 0) {
        check_say(c, "the delivery of %s to endpoint number %u does not decode", s->name.text,
                  endpoint);
        return ERR_OK;
    }
    s->held |= unfinished(&d) || d.manual_due.us > 0 || d.state == DELIVERY_DEAD;
    if (endpoint >= c->marks.next_endpoint)
        check_say(c, "%s goes to an endpoint not yet made", s->name.text);
    if (unfinished(&d) != (d.due.us > 0))
        check_say(c, "%s at endpoint number %u is %s but its due time says otherwise", s->name.text,
                  endpoint, delivery_state_name(d.state));
    enum err e = delivery_rows(c, s, &d, endpoint);
    if (e || !fresh(c, s))
        return e;
    struct treekey entry = key_number_id(endpoint, &s->id);
    return index_leads(c, INDEX_ENDPOINT_MESSAGE, &entry, (struct span){0}, "a delivery", &s->name);
}

static enum err attempt_row(struct check *c, struct subject *s, struct span key, struct span value)
{
    struct attempt *a;
    c->report->attempts++;
    enum err e = record_attempt_decode(value, false, &a);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e || key.len != 2 * ID_BYTES) {
        check_say(c, "an attempt of %s does not decode", s->name.text);
        attempt_free(&a);
        return ERR_OK;
    }
    struct id id = check_prefix(span_skip(key, ID_BYTES));
    if (id_cmp(&id, &c->marks.attempt) > 0)
        check_say(c, "%s is above the high-water mark", check_id(&id, ID_ATTEMPT).text);
    struct treekey entry = key_number_id(a->endpoint_number, &id);
    attempt_free(&a);
    if (!fresh(c, s))
        return ERR_OK;
    return index_leads(c, INDEX_ENDPOINT_ATTEMPT, &entry, span_of(s->id.b, ID_BYTES), "an attempt",
                       &s->name);
}

/* Hands the rows of one message to `row`; those before it have none. */
static enum err rows_of(struct check *c, struct check_walk *w, struct subject *s, row_check *row,
                        const char *noun)
{
    enum err e = ERR_OK;
    while (!e && w->more) {
        struct id of = check_prefix(w->key);
        int order = s ? id_cmp(&of, &s->id) : -1;
        if (order > 0)
            return ERR_OK;
        if (order == 0)
            e = row(c, s, w->key, w->value);
        else
            check_say(c, "%s of %s has no message", noun, check_id(&of, ID_MESSAGE).text);
        if (!e)
            e = check_next(w);
    }
    return e;
}

/* ---------------------------------------------------------------- the message itself */

static enum err message_entries(struct check *c, const struct subject *s)
{
    const struct message *m = s->m;
    if (!fresh(c, s)) /* retention may have moved the row; check_queues counts them */
        return ERR_OK;
    struct treekey expiry = key_expiry(m->expires, EXPIRY_MESSAGE, span_of(s->id.b, ID_BYTES));
    struct treekey entry = key_number_id(m->app_number, &s->id);
    enum err e = check_row_exists(c, TREE_EXPIRY, &expiry, "a message never expires");
    if (!e)
        e = index_leads(c, INDEX_APP_MESSAGE, &entry, (struct span){0}, "the entry", &s->name);
    if (e || m->event_id.len == 0)
        return e;
    struct treekey event = key_number(m->app_number);
    hash_128(m->event_id, event.b + event.len);
    event.len += 16;
    return index_leads(c, INDEX_EVENT_ID, &event, span_of(s->id.b, ID_BYTES), "the eventId",
                       &s->name);
}

/* The payload with all its checksums. One that retention is taking away piece by piece is not
 * missed: nothing is to be delivered from it any more. */
static enum err message_payload(struct check *c, const struct subject *s)
{
    if (!fresh(c, s) && !s->held)
        return ERR_OK;
    struct message *whole;
    enum err e = read_message(c->r, &s->id, true, &whole);
    if (e && e != ERR_CORRUPT)
        return e;
    if (e)
        check_say(c, "the payload of %s is damaged", s->name.text);
    else if (s->chunks != record_message_chunks(whole))
        check_say(c, "%s has %u pieces of body instead of %u", s->name.text, s->chunks,
                  record_message_chunks(whole));
    message_unref(&whole);
    return ERR_OK;
}

static enum err load(struct check *c, struct span key, struct subject *s)
{
    *s = (struct subject){.id = check_prefix(key)};
    s->name = check_id(&s->id, ID_MESSAGE);
    c->report->messages++;
    if (key.len != ID_BYTES)
        check_say(c, "a message has a bad key");
    if (id_cmp(&s->id, &c->marks.message) > 0)
        check_say(c, "%s is above the high-water mark", s->name.text);
    enum err e = read_message(c->r, &s->id, false, &s->m);
    if (e != ERR_CORRUPT && e != ERR_NOT_FOUND)
        return e;
    check_say(c, "%s does not decode", s->name.text);
    return ERR_OK;
}

struct walks {
    struct check_walk messages, bodies, deliveries, attempts;
};

/* The rows beside one message, or with s NULL those behind the last one. */
static enum err beside(struct check *c, struct walks *w, struct subject *s)
{
    enum err e = rows_of(c, &w->bodies, s, body_row, "a piece of body");
    if (!e)
        e = rows_of(c, &w->deliveries, s, delivery_row, "a delivery");
    return e ? e : rows_of(c, &w->attempts, s, attempt_row, "an attempt");
}

static enum err one_message(struct check *c, struct walks *w)
{
    struct subject s;
    enum err e = load(c, w->messages.key, &s);
    if (!e)
        e = beside(c, w, &s);
    if (!e && s.m)
        e = message_payload(c, &s);
    if (!e && s.m)
        e = message_entries(c, &s);
    message_unref(&s.m);
    return e;
}

enum err check_messages(struct check *c)
{
    struct walks w = {0};
    enum err e = check_open(c, TREE_MESSAGE, &w.messages);
    if (!e)
        e = check_open(c, TREE_BODY, &w.bodies);
    if (!e)
        e = check_open(c, TREE_DELIVERY, &w.deliveries);
    if (!e)
        e = check_open(c, TREE_ATTEMPT, &w.attempts);
    while (!e && w.messages.more) {
        e = one_message(c, &w);
        if (!e)
            e = check_next(&w.messages);
    }
    if (!e)
        e = beside(c, &w, NULL);
    check_close(&w.messages);
    check_close(&w.bodies);
    check_close(&w.deliveries);
    check_close(&w.attempts);
    return e;
}
