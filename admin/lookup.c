/* Every route that names an entity comes through here, so that the rule of tenants stands in one
 * place: an entity is reached through its application, and an application through its organisation
 * and, for an application token, through that token alone. */
#include "admin/lookup.h"

enum err lookup_begin(const struct request *req, struct lookup *l)
{
    return l->read ? ERR_OK : store_read_begin(request_store(req), &l->read);
}

bool lookup_is_operational(const struct request *req)
{
    return !request_has_param(req, "app");
}

enum err lookup_find_app(const struct request *req, struct lookup *l)
{
    const struct principal *who = request_principal(req);
    enum err e = lookup_begin(req, l);
    if (!e && lookup_is_operational(req))
        return store_operational_app(l->read, &who->org, &l->app);
    if (!e)
        e = store_app_get(l->read, &who->org, request_param(req, "app"), &l->app);
    if (!e && who->scope == SCOPE_APP && id_cmp(&who->app, &l->app->id) != 0) {
        app_free(&l->app);
        e = ERR_NOT_FOUND;
    }
    return e;
}

enum err lookup_find_endpoint(const struct request *req, struct lookup *l)
{
    enum err e = lookup_find_app(req, l);
    if (!e)
        e = store_endpoint_get(l->read, l->app->number, request_param(req, "endpoint"),
                               &l->endpoint);
    return e;
}

static bool answered(struct request *req, struct lookup *l, enum err e)
{
    if (e)
        lookup_fail(req, l, e);
    return e == ERR_OK;
}

bool lookup_app(struct request *req, struct lookup *l)
{
    return answered(req, l, lookup_find_app(req, l));
}

bool lookup_endpoint(struct request *req, struct lookup *l)
{
    return answered(req, l, lookup_find_endpoint(req, l));
}

static enum err find_message(const struct request *req, struct lookup *l, bool content)
{
    return store_message_get(l->read, l->app->number, request_param(req, "msg"), content,
                             &l->message);
}

bool lookup_message(struct request *req, struct lookup *l, bool content)
{
    return lookup_app(req, l) && answered(req, l, find_message(req, l, content));
}

bool lookup_message_endpoint(struct request *req, struct lookup *l, bool content)
{
    return lookup_endpoint(req, l) && answered(req, l, find_message(req, l, content));
}

enum err lookup_message_by_id(struct lookup *l, const struct id *id, bool content,
                              struct message **out)
{
    char text[ID_MAX + 1];
    size_t len = id_format(id, ID_MESSAGE, text);
    return store_message_get(l->read, l->app->number, span_of(text, len), content, out);
}

void lookup_fail(struct request *req, struct lookup *l, enum err e)
{
    lookup_release(l);
    request_fail_err(req, e, NULL);
}

void lookup_unpin(struct lookup *l)
{
    if (l->read)
        store_read_end(&l->read);
}

void lookup_release(struct lookup *l)
{
    lookup_unpin(l);
    if (l->app)
        app_free(&l->app);
    if (l->endpoint)
        endpoint_free(&l->endpoint);
    if (l->message)
        message_unref(&l->message);
}
