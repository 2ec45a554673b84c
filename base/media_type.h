/* Media types (RFC 9110 section 8.3.1): what a Content-Type says. Pure, any thread. */
#ifndef BASE_MEDIA_TYPE_H
#define BASE_MEDIA_TYPE_H

#include "base/span.h"

/* Borrowed from the text. */
struct media_type {
    struct span whole;         /* "type/subtype" */
    struct span type, subtype; /* as written: compare them without regard to case */
    struct span charset;       /* without its quotes; empty: not named */
};

/* False: not a media type with well-formed parameters. */
bool media_type_parse(struct span text, struct media_type *out);

/* JSON, or a format that is written in it ("+json"). */
bool media_type_is_json(const struct media_type *m);
/* Text in UTF-8 as far as the type tells: text, XML or a format that is written in it, of no other
 * charset. */
bool media_type_is_utf8_text(const struct media_type *m);
/* The charset is UTF-8, a part of it (US-ASCII), or not named. */
bool media_type_is_utf8(const struct media_type *m);

#endif
