/* What each operation of the route tables takes and answers. The tables say who may call it; this
 * says what it is for. Immutable static storage, any thread. */
#ifndef ADMIN_SCHEMA_OPERATION_H
#define ADMIN_SCHEMA_OPERATION_H

#include "admin/schema.h"

/* Marks of an operation. */
#define OPERATION_PAGE 1u          /* the answer is a page of `out` */
#define OPERATION_BODY_OPTIONAL 2u /* the body may be left out */
#define OPERATION_TEXT 4u          /* the answer is plain text */
#define OPERATION_HTML 8u          /* the answer is a page for people */
#define OPERATION_CLOUD_EVENT 16u  /* the body may be a CloudEvent … */
#define OPERATION_CLOUD_EVENTS 32u /* … or a batch of them */

struct operation {
    const char *name;  /* as in struct route */
    const char *about; /* one sentence */
    const struct schema *in;
    const struct schema *out;         /* NULL: an empty answer */
    unsigned status, other_status;    /* of success; other_status 0: none */
    const struct schema_field *query; /* NULL: no parameters */
    unsigned marks;
};

/* What the operation takes besides its JSON, up to a type that is NULL. */
struct operation_body {
    const char *type; /* of the content */
    const struct schema *in;
};
const struct operation_body *schema_other_bodies(const struct operation *op);

/* NULL: none of this name. */
const struct operation *schema_operation(const char *name);

/* The schema of a {parameter} of a path; a text when the name is not known. */
const struct schema *schema_parameter(struct span name);

#endif
