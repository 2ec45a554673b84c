/* The signing secret: shown on request, rotated with a time of grace in which the old key signs on.
 * A secret is never part of a stored answer: a repeated rotation shows the key that is current. */
#include "admin/client.h"
#include "admin/endpoint.h"
#include "admin/handlers.h"
#include "dispatcher/dispatcher.h"

#define GRACE_DEFAULT_S (24 * 3600)
#define GRACE_MAX_S (7 * 24 * 3600)

static void render(struct buf *out, const struct signing_key *key)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 256);
    dispatcher_secret_format(key, &text);
    jw_init(&w, out);
    jw_object(&w);
    jw_member_string(&w, "key", buf_view(&text));
    jw_end_object(&w);
    out->failed |= text.failed;
    buf_free(&text);
}

void endpoint_secret_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_endpoint(req, &l))
        return;
    struct buf out;
    buf_init(&out, 4096);
    render(&out, &l.endpoint->keys[0]);
    lookup_release(&l);
    request_reply(req, 200, &out);
}

/* Makes `fresh` the current key; those before it that are still live move back, the latest of them
 * until `until`. False: too many are live. */
static bool rotate(struct endpoint *e, const struct signing_key *fresh, struct wall now,
                   struct wall until)
{
    struct signing_key kept[SIGNING_KEYS_MAX];
    unsigned count = 0;
    e->keys[0].expires = until;
    for (unsigned i = 0; i < e->key_count; i++)
        if (e->keys[i].expires.us > now.us)
            kept[count++] = e->keys[i];
    if (count >= SIGNING_KEYS_MAX)
        return false;
    e->keys[0] = *fresh;
    memcpy(&e->keys[1], kept, count * sizeof *kept);
    e->key_count = count + 1;
    return true;
}

/* The newer SDKs read the new key from the answer, but for operational endpoints; the API before
 * them answers 204. */
static void show_current(struct request *req, struct write *w)
{
    if (w->op.answer_status != 200)
        return;
    buf_clear(&w->op.answer);
    if (!w->op.replayed) {
        render(&w->op.answer, &w->endpoint.keys[0]);
        return;
    }
    struct lookup l = {0};
    enum err e = lookup_find_endpoint(req, &l);
    if (e)
        w->op.answer.failed = true;
    else
        render(&w->op.answer, &l.endpoint->keys[0]);
    lookup_release(&l);
}

static bool rotate_step(struct request *req, struct write *w)
{
    static const struct text_rule secret_rule = {.min = 1, .max = 256};
    struct span text;
    struct signing_key fresh;
    int64_t grace = GRACE_DEFAULT_S;
    const char *why = NULL;
    if (!endpoint_load(req, w))
        return false;
    write_open_body(req, w, true);
    body_integer(&w->body, "gracePeriodSeconds", 0, GRACE_MAX_S, &grace);
    if (body_text(&w->body, "key", &secret_rule, &text) != FIELD_VALUE)
        dispatcher_secret_make(w->endpoint.keys[0].kind, &fresh);
    else if (dispatcher_secret_parse(text, &fresh, &why) != ERR_OK)
        body_refuse(&w->body, "key", why ? why : "the secret cannot be used");
    if (!write_body_good(req, w))
        return false;

    struct wall now = clock_wall();
    fresh.expires = (struct wall){0};
    if (!rotate(&w->endpoint, &fresh, now, wall_add(now, grace * US_PER_S))) {
        request_fail(req, 409, "Too many old secrets are still valid");
        return false;
    }
    bool shown = client_of(req) >= 2 && !lookup_is_operational(req);
    endpoint_prepare_put(w, shown ? 200 : 204);
    if (w->op.answer_status == 200)
        buf_text(&w->op.answer, "{}");
    w->before_reply = show_current;
    return true;
}

void endpoint_secret_rotate_route(struct request *req)
{
    write_run(req, rotate_step);
}
