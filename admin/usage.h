/* What the tasks of usage found. */
#ifndef ADMIN_USAGE_H
#define ADMIN_USAGE_H

#include "base/json_writer.h"
#include "store/store.h"

/* Adds the result of a finished task to its open `data`; nothing for a task of another kind. Reads
 * in short snapshots; opens its own. */
enum err usage_out(struct store *s, const struct task_info *t, struct json_writer *w) MUST_CHECK;

#endif
