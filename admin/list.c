/* A page is bounded in rows by its limit, and in bytes here: rows that do not fit any more are left
 * to the next page, whose iterator is the last row written. Backwards that would lose the rows next
 * to the iterator, so a page too large is refused there. */
#include "admin/list.h"

#define CLOSING_BYTES 4096 /* the envelope's end, and a row's own fields beside its payload */
#define ROW_BYTES 16384

void list_open(struct list *l, const char *prefix, const struct page *page)
{
    *l = (struct list){.prefix = prefix, .backward = page->backward};
    buf_init(&l->out, REPLY_MAX);
    jw_init(&l->json, &l->out);
    page_params_open(&l->json);
}

bool list_row(struct list *l, const struct id *id, size_t bytes)
{
    size_t left = REPLY_MAX - l->out.len;
    if (l->cut || (l->count > 0 && left < bytes + ROW_BYTES + CLOSING_BYTES)) {
        l->cut = true;
        return false;
    }
    if (l->count++ == 0)
        l->first = *id;
    l->last = *id;
    return true;
}

void list_reply(struct request *req, struct list *l, const struct page_result *result)
{
    if (l->cut && l->backward) {
        buf_free(&l->out);
        request_invalid(req, "query", "limit", "the page would be too large; ask for fewer rows");
        return;
    }
    struct id first = l->first, last = l->last;
    bool stopped = result->more && !l->cut && !id_is_zero(&result->last);
    if (stopped && l->backward)
        first = result->last;
    else if (stopped)
        last = result->last;
    page_params_close_ids(&l->json, l->prefix, id_is_zero(&first) ? NULL : &first,
                          id_is_zero(&last) ? NULL : &last, !result->more && !l->cut);
    jw_finish(&l->json);
    request_reply(req, 200, &l->out);
}
