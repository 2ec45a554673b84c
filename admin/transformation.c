/* Transformations of an endpoint's payloads. This version has none: reading shows that there is
 * none, and whatever would make one is refused rather than kept and never run. */
#include "admin/handlers.h"

#include "admin/body.h"
#include "admin/lookup.h"

#define NOT_BUILT "transformations are not built yet"

void transformation_get_route(struct request *req)
{
    struct lookup l = {0};
    if (!lookup_endpoint(req, &l))
        return;
    lookup_release(&l);
    struct buf out;
    struct json_writer w;
    buf_init(&out, 256);
    jw_init(&w, &out);
    jw_object(&w);
    jw_member_null(&w, "code");
    jw_member_bool(&w, "enabled", false);
    jw_member_null(&w, "variables");
    jw_member_null(&w, "updatedAt");
    jw_end_object(&w);
    request_reply(req, 200, &out);
}

static void refuse_any(struct body *b)
{
    static const struct text_rule code_rule = {.max = ADMIN_BODY_MAX};
    struct span code;
    struct text_map variables;
    bool enabled = false;
    if (body_bool(b, "enabled", &enabled) == FIELD_VALUE && enabled)
        body_refuse(b, "enabled", NOT_BUILT);
    if (body_text(b, "code", &code_rule, &code) == FIELD_VALUE)
        body_refuse(b, "code", NOT_BUILT);
    if (body_map(b, "variables", false, &variables) == FIELD_VALUE && variables.count)
        body_refuse(b, "variables", NOT_BUILT);
}

/* What asks for none is done at once. */
void transformation_patch_route(struct request *req)
{
    struct lookup l = {0};
    struct body b;
    if (!lookup_endpoint(req, &l))
        return;
    lookup_release(&l);
    body_open(&b, request_body(req), false);
    refuse_any(&b);
    if (body_good(req, &b))
        request_reply_empty(req, 204);
    body_close(&b);
}
