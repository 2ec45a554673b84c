/* Certificates are no secret and are shown as they are kept, with when they end; the key is written
 * once and never read back.
 *
 * What is set replaces what was, whole, so that a certificate and a key always come together. */
#include "admin/endpoint_tls.h"

#include "admin/endpoint.h"
#include "admin/field.h"
#include "admin/handlers.h"
#include "dispatcher/certificate.h"

#include <openssl/crypto.h>

#define ANSWER_MAX (2 * (TLS_CA_MAX + TLS_CERTIFICATE_MAX) + 256 * 1024)

void endpoint_tls_agree(struct body *b, const char *field, const struct endpoint *e)
{
    if (transport_tls_any(&e->tls) && !span_starts(e->url, SPAN("https:")))
        body_refuse(b, field,
                    "the endpoint has certificates of its own, which only an https URL uses");
}

/* ---------------------------------------------------------------- reading */

/* Takes what was written anew into the body's arena; wipes and frees `text`. */
static struct span keep(struct body *b, const char *field, struct buf *text, size_t max)
{
    struct span kept = {0};
    if (!b->result && text->len > max)
        body_refuse(b, field, "is too large in the form in which it is kept");
    if (!b->result) {
        kept = arena_copy(&b->arena, buf_view(text));
        if (!kept.ptr)
            b->result = ERR_NO_MEMORY;
    }
    if (text->ptr)
        OPENSSL_cleanse(text->ptr, text->cap);
    buf_free(text);
    return kept;
}

static void judge(struct body *b, const char *field, enum err e, const char *why)
{
    if (e == ERR_NO_MEMORY && !b->result)
        b->result = e;
    else if (e)
        body_refuse(b, field, why);
}

/* Its lines may be longer than those that we write: half as much again is ample. */
static size_t room_for(size_t max)
{
    return max + max / 2;
}

static void read_trusted(struct body *b, struct span *out)
{
    static const struct text_rule rule = {.min = 1, .max = TLS_CA_MAX};
    struct span pem;
    struct buf text;
    const char *why = NULL;
    if (body_text(b, "caCertificate", &rule, &pem) != FIELD_VALUE)
        return;
    buf_init(&text, room_for(TLS_CA_MAX));
    judge(b, "caCertificate", certificate_read_trusted(pem, &text, &why), why);
    *out = keep(b, "caCertificate", &text, TLS_CA_MAX);
}

static void read_own(struct body *b, struct endpoint_tls *out)
{
    static const char *const names[] = {"clientCertificate", "clientKey"};
    static const struct text_rule chain_rule = {.min = 1, .max = TLS_CERTIFICATE_MAX};
    static const struct text_rule key_rule = {.min = 1, .max = TLS_KEY_MAX};
    struct span chain, key;
    struct buf chain_text, key_text;
    bool key_failed = false;
    const char *why = NULL;
    const bool has_chain = body_text(b, names[0], &chain_rule, &chain) == FIELD_VALUE;
    const bool has_key = body_text(b, names[1], &key_rule, &key) == FIELD_VALUE;
    if (has_chain != has_key)
        body_refuse(b, names[has_chain], "a client certificate and its key come together");
    if (b->result || !has_chain)
        return;
    buf_init(&chain_text, room_for(TLS_CERTIFICATE_MAX));
    buf_init(&key_text, room_for(TLS_KEY_MAX));
    /* At once: a growing buffer leaves copies behind. */
    enum err e = buf_reserve(&key_text, room_for(TLS_KEY_MAX))
                     ? certificate_read_own(chain, key, clock_wall(), &chain_text, &key_text,
                                            &key_failed, &why)
                     : ERR_NO_MEMORY;
    judge(b, names[key_failed], e, why);
    out->certificate = keep(b, names[0], &chain_text, TLS_CERTIFICATE_MAX);
    out->key = keep(b, names[1], &key_text, TLS_KEY_MAX);
}

static bool put_step(struct request *req, struct write *w)
{
    struct endpoint_tls tls = {.ca = {0}};
    if (!endpoint_load(req, w))
        return false;
    write_open_body(req, w, false);
    read_trusted(&w->body, &tls.ca);
    read_own(&w->body, &tls);
    if (!transport_tls_any(&tls))
        body_refuse(&w->body, "caCertificate",
                    "one is needed, or a client certificate with its key: DELETE takes both away");
    w->endpoint.tls = tls;
    endpoint_tls_agree(&w->body, "", &w->endpoint);
    endpoint_prepare_put(w, 204);
    return write_body_good(req, w);
}

void endpoint_tls_put_route(struct request *req)
{
    write_run(req, put_step);
}

static bool delete_step(struct request *req, struct write *w)
{
    if (!endpoint_load(req, w))
        return false;
    w->endpoint.tls = (struct endpoint_tls){.ca = {0}};
    endpoint_prepare_put(w, 204);
    return true;
}

void endpoint_tls_delete_route(struct request *req)
{
    write_run(req, delete_step);
}

/* ---------------------------------------------------------------- showing */

static void show_certificate(void *context, const struct certificate *c)
{
    struct json_writer *w = context;
    jw_object(w);
    jw_member_string(w, "subject", span_text(c->subject));
    jw_member_string(w, "issuer", span_text(c->issuer));
    jw_member_time(w, "notBefore", c->not_before);
    jw_member_time(w, "notAfter", c->not_after);
    jw_end_object(w);
}

static enum err show(struct json_writer *w, const char *text_name, const char *list_name,
                     struct span pem)
{
    enum err e = ERR_OK;
    if (pem.len)
        jw_member_string(w, text_name, pem);
    else
        jw_member_null(w, text_name);
    jw_name(w, list_name);
    jw_array(w);
    if (pem.len)
        e = certificate_each(pem, show_certificate, w);
    jw_end_array(w);
    return e;
}

void endpoint_tls_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_endpoint(req, &l))
        return;
    const struct endpoint_tls *tls = &l.endpoint->tls;
    struct buf out;
    struct json_writer w;
    buf_init(&out, ANSWER_MAX);
    jw_init(&w, &out);
    jw_object(&w);
    enum err e = show(&w, "caCertificate", "caCertificates", tls->ca);
    if (!e)
        e = show(&w, "clientCertificate", "clientCertificates", tls->certificate);
    jw_end_object(&w);
    lookup_release(&l);
    if (e)
        request_fail_err(req, e, NULL);
    else
        request_reply(req, 200, &out);
    buf_free(&out);
}
