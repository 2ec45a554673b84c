/* The members stand in the order of the SDKs' model. A message whose body is not JSON (it was sent
 * as `rawPayload`, and has its content type with it) shows `{}`: the models require an object. */
#include "http/message_out.h"

#include "base/json_scan.h"

static void strings(struct json_writer *w, const char *name, const struct span *list,
                    unsigned count)
{
    if (count == 0) {
        jw_member_null(w, name);
        return;
    }
    jw_name(w, name);
    jw_array(w);
    for (unsigned i = 0; i < count; i++)
        jw_string(w, list[i]);
    jw_end_array(w);
}

/* Only raw payloads have a content type; others were an object when they were accepted. */
static bool shows_payload(const struct message *m)
{
    if (m->expunged || m->payload.len == 0)
        return false;
    if (m->content_type.len == 0)
        return true;
    struct json_value value;
    struct json_error error;
    return !json_check(m->payload, JSON_DEPTH_MAX, &value, &error) && value.type == JSON_OBJECT;
}

void message_out_members(struct json_writer *w, const struct message *m, bool content)
{
    if (m->event_id.len > 0)
        jw_member_string(w, "eventId", m->event_id);
    else
        jw_member_null(w, "eventId");
    jw_member_string(w, "eventType", m->event_type);
    jw_member_raw(w, "payload", content && shows_payload(m) ? m->payload : SPAN("{}"));
    strings(w, "channels", m->channels, m->channel_count);
    jw_member_id(w, "id", ID_MESSAGE, &m->id);
    jw_member_time(w, "timestamp", m->created);
    strings(w, "tags", m->tags, m->tag_count);
    jw_member_time(w, "deliverAt", m->deliver_at);
    if (m->ordering_key.len > 0)
        jw_member_string(w, "orderingKey", m->ordering_key);
    else
        jw_member_null(w, "orderingKey");
    if (m->attributes.len > 0)
        jw_member_raw(w, "cloudEvent", m->attributes);
}

void message_out(struct json_writer *w, const struct message *m, bool content)
{
    jw_object(w);
    message_out_members(w, m, content);
    jw_end_object(w);
}
