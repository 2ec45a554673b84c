/* A page of a list on its way out. */
#ifndef ADMIN_LIST_H
#define ADMIN_LIST_H

#include "admin/lookup.h"
#include "http/page_params.h"

struct list {
    const char *prefix; /* of the rows' ids */
    bool backward;
    struct buf out;
    struct json_writer json;
    unsigned count;
    struct id first, last;
    bool cut; /* the page ended before its rows did: it would have passed its bound in bytes */
};

void list_open(struct list *l, const char *prefix, const struct page *page);
/* Before a row is written. False: the page is full, with `bytes` more it would pass REPLY_MAX;
 * write no more rows. The first row always fits. */
bool list_row(struct list *l, const struct id *id, size_t bytes);
/* Ends the page and replies. `result` tells where a list stopped that looked at its share of rows
 * without filling the page. */
void list_reply(struct request *req, struct list *l, const struct page_result *result);

#endif
