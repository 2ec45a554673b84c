/* One rule for one kind of text, wherever it appears. */
#include "admin/field.h"

const struct text_rule field_event_type = {
    .min = 1, .max = EVENT_TYPE_MAX, .also = FIELD_IDENTIFIER};
const struct text_rule field_channel = {.min = 1, .max = CHANNEL_MAX, .also = FIELD_CHANNEL};
const struct text_rule field_tag = {.min = 1, .max = CHANNEL_MAX};
const struct text_rule field_feature_flag = {
    .min = 1, .max = NAME_MAX_LEN, .also = FIELD_IDENTIFIER};
const struct text_rule field_description = {.max = DESCRIPTION_MAX};

void field_rate(struct body *b, bool replace, int64_t *out)
{
    int64_t rate = 0, older = 0;
    enum field state = body_integer(b, "throttleRate", 1, RATE_MAX, &rate);
    enum field of_older = body_integer(b, "rateLimit", 1, RATE_MAX, &older);
    if (state == FIELD_VALUE && of_older == FIELD_VALUE && rate != older)
        body_refuse(b, "rateLimit", "throttleRate and rateLimit must not differ");
    if (state == FIELD_VALUE || of_older == FIELD_VALUE)
        *out = rate ? rate : older;
    else if (replace || state == FIELD_NULL || of_older == FIELD_NULL)
        *out = 0;
}

void field_metadata(struct body *b, bool replace, struct span *out)
{
    struct text_map map;
    enum field state = body_map(b, "metadata", false, &map);
    if (state == FIELD_VALUE)
        *out = body_map_json(b, "metadata", &map, METADATA_MAX);
    else if (replace || state == FIELD_NULL)
        *out = span_text(NULL);
}

void field_choice(struct body *b, const char *name, const char *(*choice)(unsigned i),
                  const char *wrong, unsigned *out)
{
    static const struct text_rule rule = {.min = 1, .max = 64};
    struct span text = {0};
    enum field state = body_text(b, name, &rule, &text);
    if (state == FIELD_NULL)
        *out = 0;
    if (state != FIELD_VALUE)
        return;
    for (unsigned i = 0; choice(i); i++)
        if (span_is(text, choice(i))) {
            *out = i;
            return;
        }
    body_refuse(b, name, wrong);
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
