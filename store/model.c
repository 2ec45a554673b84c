/* Life and names of the store's nouns. */
#include "store/model.h"

#include <assert.h>
#include <openssl/crypto.h>

void app_free(struct app **app)
{
    if (*app)
        free((*app)->block);
    free(*app);
    *app = NULL;
}

void endpoint_free(struct endpoint **endpoint)
{
    struct endpoint *e = *endpoint;
    if (e) {
        OPENSSL_cleanse(e->keys, sizeof e->keys);
        transport_wipe(&e->auth, &e->tls);
        free(e->block);
    }
    free(e);
    *endpoint = NULL;
}

void event_type_free(struct event_type **type)
{
    if (*type)
        free((*type)->block);
    free(*type);
    *type = NULL;
}

void attempt_free(struct attempt **attempt)
{
    if (*attempt)
        free((*attempt)->block);
    free(*attempt);
    *attempt = NULL;
}

const char *cloud_events_name(unsigned mode)
{
    static const char *const names[] = {"none", "structured", "binary"};
    _Static_assert(sizeof names / sizeof *names == CLOUD_EVENTS_END, "one name a mode");
    return mode < CLOUD_EVENTS_END ? names[mode] : NULL;
}

struct message *message_new(void)
{
    struct message *m = calloc(1, sizeof *m);
    if (m)
        atomic_init(&m->refs, 1);
    return m;
}

struct message *message_new_with(size_t room, char **at)
{
    struct message *m = malloc(sizeof *m + room);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    atomic_init(&m->refs, 1);
    m->block_len = room;
    *at = (char *)(m + 1);
    return m;
}

struct message *message_ref(struct message *m)
{
    unsigned before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return m;
}

void message_unref(struct message **m)
{
    struct message *gone = *m;
    *m = NULL;
    if (!gone)
        return;
    /* Release: whatever this thread did with the message happens before its end; acquire: the last
     * holder sees that of all others. */
    unsigned before = atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    free(gone->block);
    free(gone);
}

const char *delivery_state_name(enum delivery_state s)
{
    switch (s) {
    case DELIVERY_SCHEDULED:
        return "scheduled";
    case DELIVERY_RETRYING:
        return "retrying";
    case DELIVERY_DELIVERED:
        return "delivered";
    case DELIVERY_DEAD:
        return "dead";
    case DELIVERY_CANCELED:
        return "canceled";
    case DELIVERY_NONE:
        return "none";
    }
    return "unknown";
}

const char *ordering_name(unsigned ordering)
{
    static const char *const names[] = {"none", "key", "fifo"};
    _Static_assert(sizeof names / sizeof *names == ORDERINGS, "one name an ordering");
    return ordering < ORDERINGS ? names[ordering] : NULL;
}

const char *delivery_reason_name(enum delivery_reason r)
{
    switch (r) {
    case REASON_NONE:
        return "";
    case REASON_EXHAUSTED:
        return "exhausted";
    case REASON_ENDPOINT_DISABLED:
        return "endpoint_disabled";
    case REASON_ENDPOINT_DELETED:
        return "endpoint_deleted";
    case REASON_MESSAGE_EXPIRED:
        return "message_expired";
    case REASON_MESSAGE_EXPUNGED:
        return "message_expunged";
    case REASON_UNREADABLE:
        return "unreadable";
    case REASON_CANCELED:
        return "canceled";
    }
    return "unknown";
}

const char *operational_event_name(unsigned kind)
{
    static const char *const names[] = {
        [OPERATIONAL_ENDPOINT_CREATED] = "endpoint.created",
        [OPERATIONAL_ENDPOINT_UPDATED] = "endpoint.updated",
        [OPERATIONAL_ENDPOINT_DELETED] = "endpoint.deleted",
        [OPERATIONAL_ENDPOINT_ENABLED] = "endpoint.enabled",
        [OPERATIONAL_ENDPOINT_DISABLED] = "endpoint.disabled",
        [OPERATIONAL_ATTEMPT_EXHAUSTED] = "message.attempt.exhausted",
        [OPERATIONAL_ATTEMPT_FAILING] = "message.attempt.failing",
        [OPERATIONAL_ATTEMPT_RECOVERED] = "message.attempt.recovered",
        [OPERATIONAL_TASK_FINISHED] = "background_task.finished",
    };
    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

static const struct {
    const char *name, *text;
} classes[] = {
    [ATTEMPT_SUCCESS] = {"success", "The endpoint accepted the message."},
    [ATTEMPT_STATUS] = {"status", "The endpoint answered with a status that is not a success."},
    [ATTEMPT_REFUSED] = {"refused", "The connection was refused or closed before a response."},
    [ATTEMPT_TIMEOUT] = {"timeout", "The endpoint did not answer in time."},
    [ATTEMPT_DNS] = {"dns", "The host name of the endpoint did not resolve."},
    [ATTEMPT_TLS] = {"tls", "The TLS handshake failed or the certificate is not valid."},
    [ATTEMPT_BLOCKED] = {"blocked", "The endpoint's address is not allowed."},
    [ATTEMPT_PROTOCOL] = {"protocol", "The response was not valid HTTP, or too large."},
    [ATTEMPT_INTERNAL] = {"internal", "The attempt failed on our side."},
    [ATTEMPT_TOKEN] = {"token", "No access token could be had for the endpoint."},
    [ATTEMPT_PROXY] = {"proxy", "The service's own way out failed: its proxy made no connection."},
};

const char *attempt_class_name(enum attempt_class c)
{
    return (size_t)c < sizeof classes / sizeof classes[0] ? classes[c].name : "unknown";
}

const char *attempt_class_text(enum attempt_class c)
{
    return (size_t)c < sizeof classes / sizeof classes[0] ? classes[c].text : "Unknown.";
}

static bool same_keys(const struct endpoint *a, const struct endpoint *b)
{
    bool same = a->key_count == b->key_count;
    for (unsigned i = 0; i < a->key_count && same; i++) {
        const struct signing_key *k = &a->keys[i], *l = &b->keys[i];
        same = k->kind == l->kind && span_eq(span_of(k->bytes, k->len), span_of(l->bytes, l->len));
    }
    return same;
}

bool endpoint_cured(const struct endpoint *before, const struct endpoint *after)
{
    if (after->disabled)
        return false;
    return before->disabled || !span_eq(before->url, after->url) ||
           !span_eq(before->headers, after->headers) || !same_keys(before, after) ||
           before->timeout_us != after->timeout_us || (before->paused && !after->paused) ||
           !transport_auth_same(&before->auth, &after->auth) ||
           !transport_tls_same(&before->tls, &after->tls);
}
