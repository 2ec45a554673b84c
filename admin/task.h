/* Background tasks: work that the store does in steps after its commit. */
#ifndef ADMIN_TASK_H
#define ADMIN_TASK_H

#include "admin/write.h"

/* Gives a new task its id and renders the answer that announces it. `kind` as task_info names
 * it. */
void task_render_new(struct write *w, const char *kind, struct id *id);

/* The kinds and the statuses that a list can be filtered by; NULL past the last. */
const char *task_kind_name(unsigned i);
const char *task_status_name(unsigned i);

#endif
