/* Explains a delivery. The dispatcher is asked first and the snapshot taken afterwards, so that
 * what is stored is never older than what is under way; while the dispatcher answers the request
 * holds neither a thread nor a snapshot. A dispatcher that does not answer in time is left out:
 * what is stored is told all the same. */
#include "admin/context.h"
#include "admin/explanation.h"
#include "admin/handlers.h"
#include "admin/lookup.h"

#define INQUIRY_US US_PER_S
#define ATTEMPTS_SHOWN 50 /* the newest ones */
#define ANSWER_MAX (64 * 1024)

struct explain {
    struct store_op carrier; /* first: request_wait hands it back; never submitted */
    struct inquiry *inquiry;
};

struct facts {
    struct explanation about;
    struct endpoint_health health;
    struct delivery delivery;
    struct attempt *attempts[ATTEMPTS_SHOWN];
};

/* An endpoint that got the message among very many may have its attempts beyond what a list looks
 * at: the last one is known without it. */
static enum err find_attempts(struct lookup *l, struct facts *f)
{
    const struct page page = {.limit = ATTEMPTS_SHOWN};
    const struct attempt_filter filter = {.status = -1, .endpoint = l->endpoint->number};
    struct page_result result = {0};
    enum err e = store_attempts_of_message(l->read, &l->message->id, &page, &filter, false,
                                           f->attempts, &result);
    f->about.attempt_count = e ? 0 : result.count;
    if (e || !f->about.delivery || id_is_zero(&f->delivery.last_attempt))
        return e;
    f->about.more_attempts = result.more;
    if (result.count)
        return ERR_OK;
    e = store_attempt_get(l->read, &l->message->id, &f->delivery.last_attempt, false,
                          &f->attempts[0]);
    f->about.attempt_count = e ? 0 : 1;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err find_facts(struct lookup *l, struct facts *f)
{
    enum err e = store_health_get(l->read, l->endpoint->number, &f->health);
    if (e)
        return e;
    e = store_delivery_get(l->read, &l->message->id, l->endpoint->number, &f->delivery);
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (!e) {
        f->about.delivery = &f->delivery;
        e = store_delivery_waits_for(l->read, &f->delivery, &f->about.waits_for);
        if (e)
            return e;
    }
    return find_attempts(l, f);
}

static void reply(struct request *req, struct live live)
{
    struct lookup l = {0};
    if (!lookup_message_endpoint(req, &l, false))
        return;
    struct facts f = {.about = {.now = clock_wall(), .live = live}};
    enum err e = find_facts(&l, &f);
    if (e) {
        lookup_fail(req, &l, e);
        goto out;
    }
    f.about.app = l.app;
    f.about.endpoint = l.endpoint;
    f.about.message = l.message;
    f.about.health = &f.health;
    f.about.attempts = f.attempts;
    f.about.waiting = store_endpoint_counts(request_store(req), l.endpoint->number).waiting;
    struct buf body;
    struct json_writer w;
    buf_init(&body, ANSWER_MAX);
    jw_init(&w, &body);
    explanation_out(&w, &f.about);
    lookup_release(&l);
    request_reply(req, 200, &body);
out:
    for (unsigned i = 0; i < f.about.attempt_count; i++)
        attempt_free(&f.attempts[i]);
}

/* On the dispatcher's thread. */
static void answered(void *context)
{
    request_wake(context);
}

static void heard(struct request *req, struct store_op *op)
{
    reply(req, inquiry_end(&((struct explain *)op)->inquiry));
}

void explain_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_message_endpoint(req, &l, false))
        return;
    struct explain *x = request_alloc(req, sizeof *x);
    if (x)
        x->inquiry = inquiry_new(&l.message->id, l.endpoint->number, answered, req);
    lookup_release(&l);
    if (!x || !x->inquiry) {
        request_fail_err(req, ERR_NO_MEMORY, NULL);
        return;
    }
    if (request_wait(req, mono_add(clock_mono(), INQUIRY_US), &x->carrier, heard))
        dispatcher_inquire(context_of(req)->dispatcher, x->inquiry);
    else
        heard(req, &x->carrier);
}
