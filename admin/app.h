/* For routes that make an application on their way. */
#ifndef ADMIN_APP_H
#define ADMIN_APP_H

#include "admin/write.h"

/* Reads ApplicationIn in the member `application` of w->body into w->app, as a new application with
 * the uid in `path`. What breaks a rule is recorded in w->body. */
enum field app_read_described(struct request *req, struct write *w, struct span path);

#endif
