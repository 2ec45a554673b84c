/* What a JSON value looks like: the shapes of requests and answers as tables, and their JSON Schema
 * (draft 2020-12, which OpenAPI 3.1 uses). Immutable static storage, any thread.
 *
 * Limits come from base/bounds.h and choices from the functions that write them, so that the
 * description follows the code. */
#ifndef ADMIN_SCHEMA_H
#define ADMIN_SCHEMA_H

#include "base/json_writer.h"

enum schema_kind {
    SCHEMA_TEXT,
    SCHEMA_TIME,    /* RFC 3339 */
    SCHEMA_CHOICE,  /* one of the texts that `choice` names */
    SCHEMA_INTEGER, /* with `choice`: one of those numbers */
    SCHEMA_BOOLEAN,
    SCHEMA_OBJECT, /* with these fields; without fields: any object */
    SCHEMA_MAP,    /* an object of `item` by name */
    SCHEMA_LIST,   /* of `item` */
    SCHEMA_EITHER, /* `item` or `other` */
    SCHEMA_NULL,
    SCHEMA_ANY, /* whatever JSON can say */
};

struct schema {
    enum schema_kind kind;
    const char *name;  /* of the component; NULL: written in place */
    const char *about; /* a sentence or two; may be NULL */
    int64_t min, max;  /* bytes of a text, items of a list, the value of an integer; max 0: none */
    const char *pattern, *format;      /* of a text; may be NULL */
    bool unique;                       /* a list whose items differ */
    const struct schema *item, *other; /* see above */
    const struct schema_field *fields; /* ends with a name that is NULL */
    const char *(*choice)(unsigned i); /* NULL past the last */
    const char *example;               /* JSON; an object's is made of those of its fields */
};

/* Marks of a field, a query parameter included. */
#define SCHEMA_REQUIRED 1u /* in a request: must be given; in an answer: is always there */
#define SCHEMA_NULLABLE 2u
#define SCHEMA_RARE 4u /* left out of the object's example */

struct schema_field {
    const char *name;
    const struct schema *type;
    unsigned marks;
    const char *about;   /* NULL: the type's */
    const char *example; /* NULL: the type's */
};

/* The schema in full, a named one too; named ones inside it become references. */
void schema_write(struct json_writer *w, const struct schema *s);
/* A reference when it has a name, else the schema in full. */
void schema_write_use(struct json_writer *w, const struct schema *s);
/* A field's type with what the field says about it. */
void schema_write_field(struct json_writer *w, const struct schema_field *f);
/* An example of the value. */
void schema_write_example(struct json_writer *w, const struct schema *s);

/* Named schemas in the order in which they were first met, those inside others included. */
#define SCHEMA_COMPONENTS_MAX 256
struct schema_set {
    unsigned count;
    const struct schema *items[SCHEMA_COMPONENTS_MAX];
};
/* Adds the schema and all below it. */
void schema_collect(struct schema_set *set, const struct schema *s);

#endif
