/* Paging of lists: the query parameters limit, iterator, order, before and after on the way in, the
 * envelope {"data":[…],"iterator":…,"prevIterator":…,"done":…} on the way out. */
#ifndef HTTP_PAGE_PARAMS_H
#define HTTP_PAGE_PARAMS_H

#include "http/request.h"

#define PAGE_DEFAULT 50 /* rows when the client names no limit */

/* What kind of list it is. Static storage. */
struct page_kind {
    const char *prefix; /* of the ids in the iterator ("app_"); NULL: the rows are named by text */
    bool ascending;     /* the order without `order` */
    bool times;         /* takes before and after */
};

struct page_params {
    struct page page;        /* page.ascending is set when `order` asks for the other order */
    struct span cursor_name; /* of lists by text: where to continue; empty: from the start */
};

/* An iterator is where a page ended: the id or the name of its last row, behind a "-" when it goes
 * back from there. A name that begins like one that goes back, or with "~", stands behind a "~". */
#define PAGE_ITERATOR_MAX (NAME_MAX_LEN + 1)
/* Sets the cursor and the direction in *out. ERR_INVALID when the text is not what
 * page_iterator_format writes for a row of such a list. Pure. */
enum err page_iterator_parse(struct span text, const struct page_kind *kind,
                             struct page_params *out) MUST_CHECK;
/* `name` is at most NAME_MAX_LEN bytes (asserted). Returns what it wrote. Pure. */
struct span page_iterator_format(struct span name, bool backward, char out[PAGE_ITERATOR_MAX + 1]);

/* Reads the parameters. False: a 422 was replied. The spans live as long as the request. */
bool page_params(struct request *req, const struct page_kind *kind, struct page_params *out);

/* {"data":[ … */
void page_params_open(struct json_writer *w);
/* … ],"iterator":last,"prevIterator":-first,"done":…}. Both empty (an empty page) write null. */
void page_params_close(struct json_writer *w, struct span first, struct span last, bool done);
/* The same with ids; NULL for none. */
void page_params_close_ids(struct json_writer *w, const char *prefix, const struct id *first,
                           const struct id *last, bool done);

#endif
