/* Rules for texts that several entities share. */
#ifndef ADMIN_FIELD_H
#define ADMIN_FIELD_H

#include "admin/body.h"
#include "base/bounds.h"

#define FIELD_IDENTIFIER "-_."
#define FIELD_CHANNEL "-_.:"

extern const struct text_rule field_event_type; /* the name of an event type */
extern const struct text_rule field_channel;
extern const struct text_rule field_feature_flag;
extern const struct text_rule field_description;

/* Rates and other limits that the API has and this version does not enforce. */
void field_refuse_rates(struct body *b);
/* Reads `metadata` into *out as compact JSON. */
enum field field_metadata(struct body *b, struct span *out);

/* Reads `uid` into *out. With `replace` (POST, PUT) an absent one and null clear it, unless the
 * path names the entity by a uid: then absent keeps that. In a PATCH absent leaves it alone. */
void field_uid(struct body *b, const struct text_rule *rule, bool replace, struct span path,
               struct span *out);

#endif
