/* One rule for one kind of text, wherever it appears. */
#include "admin/field.h"

const struct text_rule field_event_type = {
    .min = 1, .max = EVENT_TYPE_MAX, .also = FIELD_IDENTIFIER};
const struct text_rule field_channel = {.min = 1, .max = CHANNEL_MAX, .also = FIELD_CHANNEL};
const struct text_rule field_feature_flag = {
    .min = 1, .max = NAME_MAX_LEN, .also = FIELD_IDENTIFIER};
const struct text_rule field_description = {.max = DESCRIPTION_MAX};

void field_refuse_rates(struct body *b)
{
    static const char *const rates[] = {"throttleRate", "rateLimit", NULL};
    body_unsupported(b, rates);
}

enum field field_metadata(struct body *b, struct span *out)
{
    struct text_map map;
    enum field state = body_map(b, "metadata", false, &map);
    if (state == FIELD_VALUE)
        *out = body_map_json(b, "metadata", &map, METADATA_MAX);
    return state;
}

void field_uid(struct body *b, const struct text_rule *rule, bool replace, struct span path,
               struct span *out)
{
    const char *why;
    switch (body_text(b, "uid", rule, out)) {
    case FIELD_VALUE:
        return;
    case FIELD_NULL:
        *out = span_text(NULL);
        return;
    case FIELD_ABSENT:
        if (replace)
            *out = path.len && text_check(rule, path, &why) ? path : span_text(NULL);
    }
}
