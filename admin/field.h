/* Rules for texts that several entities share. */
#ifndef ADMIN_FIELD_H
#define ADMIN_FIELD_H

#include "admin/body.h"
#include "base/bounds.h"

#define FIELD_IDENTIFIER "-_."
#define FIELD_CHANNEL "-_.:"

extern const struct text_rule field_event_type; /* the name of an event type */
extern const struct text_rule field_channel;
extern const struct text_rule field_tag;
extern const struct text_rule field_feature_flag;
extern const struct text_rule field_description;

/* Reads `throttleRate`, or `rateLimit`, its older name, into *out: 1 to RATE_MAX a second. Null
 * clears it (0), and so does absence with `replace` (POST, PUT); in a PATCH absent leaves it
 * alone. */
void field_rate(struct body *b, bool replace, int64_t *out);
/* Reads `metadata` into *out as compact JSON. Null clears it, and so does absence with `replace`
 * (POST, PUT). */
void field_metadata(struct body *b, bool replace, struct span *out);

/* Reads a text that `choice` names (NULL past the last) into *out, as its place there. Null is the
 * first; absent leaves it alone. `wrong` says what it must be. */
void field_choice(struct body *b, const char *name, const char *(*choice)(unsigned i),
                  const char *wrong, unsigned *out);

/* Reads `uid` into *out. With `replace` (POST, PUT) an absent one and null clear it, unless the
 * path names the entity by a uid: then absent keeps that. In a PATCH absent leaves it alone. */
void field_uid(struct body *b, const struct text_rule *rule, bool replace, struct span path,
               struct span *out);

#endif
