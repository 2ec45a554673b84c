/* A line is the rows of one prefix, in the order of their tickets; who is first may go.
 *
 * Invariants, in every commit
 *   - an unfinished delivery with a ticket has one row in its line, and every row such a delivery;
 *   - the first of a line is not held, unless its endpoint's lines are being rearranged;
 *   - one that is held has no due row; nobody is held anew who was let go before.
 *
 * The last makes a change of the option safe: what is due may be under way, and is never called
 * back. While lines are rearranged nobody is let go: older ones of a line may not have come yet.
 *
 * Rows that damage has parted from their deliveries are dropped when they are met, because a line
 * that waits for nobody would wait for ever. */
#include "store/order.h"

#include "store/task.h"

#include "base/hash.h"

bool order_line(enum ordering ordering, struct span ordering_key, uint8_t line[LINE_BYTES])
{
    memset(line, 0, LINE_BYTES);
    if (ordering == ORDERING_KEY && ordering_key.len)
        hash_128(ordering_key, line);
    return ordering == ORDERING_FIFO || (ordering == ORDERING_KEY && ordering_key.len > 0);
}

enum err order_line_of(struct batch *b, const struct table_endpoint *ep, const struct id *message,
                       uint8_t line[LINE_BYTES], bool *stands)
{
    struct message *m = NULL;
    if (ep->ordering == ORDERING_KEY) {
        enum err e = message_head(b, message, &m);
        if (batch_broken_by(e))
            return e;
    }
    *stands = order_line(ep->ordering, m ? m->ordering_key : (struct span){0}, line);
    message_unref(&m);
    return ERR_OK;
}

/* ---------------------------------------------------------------- rows */

static struct line_place place_of(const struct delivery *d)
{
    struct line_place at = {.ticket = d->ticket, .message = d->message};
    memcpy(at.line, d->line, LINE_BYTES);
    return at;
}

static enum err put_row(struct batch *b, const struct delivery *d)
{
    const struct line_place at = place_of(d);
    struct treekey key = key_line(d->endpoint_number, &at);
    return batch_put_span(b, TREE_LINE, key_span(&key), (struct span){0}, 0);
}

static enum err clear_row(struct batch *b, const struct delivery *d)
{
    const struct line_place at = place_of(d);
    struct treekey key = key_line(d->endpoint_number, &at);
    return batch_clear(b, TREE_LINE, key_span(&key));
}

static void forget_place(struct delivery *d)
{
    d->ticket = (struct id){{0}};
    memset(d->line, 0, LINE_BYTES);
    d->held = false;
}

/* The first place behind `from` within `prefix`; rows with a bad key are dropped. */
static enum err first_place(struct batch *b, const struct treekey *prefix,
                            const struct treekey *from, struct line_place *at)
{
    for (;;) {
        struct span key, value;
        uint32_t endpoint;
        enum err e = batch_first(b, TREE_LINE, key_span(prefix), key_span(from), &key, &value);
        if (e || !key_line_parse(key, &endpoint, at))
            return e;
        e = batch_drop(b, TREE_LINE, key);
        if (e)
            return e;
    }
}

enum err order_next(struct batch *b, uint32_t endpoint, struct line_place *at)
{
    struct treekey prefix = key_number(endpoint), from = key_line(endpoint, at);
    from.b[from.len++] = 0; /* the smallest key behind this one */
    return first_place(b, &prefix, &from, at);
}

/* Whether the delivery stands at this place. One with a damaged record knows neither its place nor
 * when it is due; it is unfinished until an attempt has told, so it stands here. */
static bool stands_at(const struct batch *b, struct delivery *d, const struct line_place *at)
{
    if (delivery_unfinished(d) && !d->due.us) {
        memcpy(d->line, at->line, LINE_BYTES);
        d->ticket = at->ticket;
        d->due = b->now;
        d->held = true;
        return true;
    }
    return delivery_unfinished(d) && id_cmp(&d->ticket, &at->ticket) == 0 &&
           memcmp(d->line, at->line, LINE_BYTES) == 0;
}

enum err order_load(struct batch *b, uint32_t endpoint, const struct line_place *at,
                    struct delivery *d)
{
    enum err e = delivery_load(b, &at->message, endpoint, d);
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (!e && stands_at(b, d, at))
        return ERR_OK;
    struct treekey key = key_line(endpoint, at);
    e = batch_clear(b, TREE_LINE, key_span(&key));
    return e ? e : ERR_NOT_FOUND;
}

static enum err load_first(struct batch *b, uint32_t endpoint, const uint8_t line[LINE_BYTES],
                           struct delivery *d)
{
    struct treekey prefix = key_line_begin(endpoint, line);
    struct line_place at;
    for (;;) {
        enum err e = first_place(b, &prefix, &prefix, &at);
        if (e)
            return e;
        e = order_load(b, endpoint, &at, d);
        if (e != ERR_NOT_FOUND)
            return e;
    }
}

/* ---------------------------------------------------------------- moves */

enum err order_enter(struct batch *b, const struct table_endpoint *ep, struct delivery *d,
                     const uint8_t line[LINE_BYTES], const struct id *ticket)
{
    struct delivery first;
    enum err e = load_first(b, ep->number, line, &first);
    if (e && e != ERR_NOT_FOUND)
        return e;
    memcpy(d->line, line, LINE_BYTES);
    d->ticket = *ticket;
    d->held = !e || ep->relining;
    return put_row(b, d);
}

enum err order_flow(struct batch *b, uint32_t endpoint, const uint8_t line[LINE_BYTES])
{
    struct delivery first;
    enum err e = load_first(b, endpoint, line, &first);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    return first.held ? delivery_release(b, &first) : ERR_OK;
}

enum err order_leave(struct batch *b, struct delivery *d)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, d->endpoint_number);
    uint8_t line[LINE_BYTES];
    memcpy(line, d->line, LINE_BYTES);
    enum err e = clear_row(b, d);
    forget_place(d);
    /* What a deleted endpoint holds is canceled as it is. */
    bool stays = !ep || ep->deleted || ep->relining;
    return e || stays ? e : order_flow(b, d->endpoint_number, line);
}

enum err order_move(struct batch *b, struct delivery *d, const uint8_t *line)
{
    enum err e = clear_row(b, d);
    if (e)
        return e;
    if (line) {
        memcpy(d->line, line, LINE_BYTES);
        e = put_row(b, d);
        return e ? e : delivery_store(b, d);
    }
    bool held = d->held;
    forget_place(d);
    return held ? delivery_release(b, d) : delivery_store(b, d);
}

enum err order_mend(struct batch *b, uint32_t endpoint)
{
    const struct table_endpoint *ep = table_endpoint(b->s->table, endpoint);
    if (!ep || ep->deleted || ep->ordering == ORDERING_NONE)
        return ERR_OK;
    const struct task task = {
        .kind = TASK_ORDER_FLOW,
        .org = ep->app->org,
        .app = ep->app->id,
        .app_number = ep->app->number,
        .endpoint = endpoint,
    };
    return tasks_add(b, &task);
}
