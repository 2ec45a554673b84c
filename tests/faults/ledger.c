/* Messages that are expunged or expire have no place in a ledger: what stands in it is owed. */
#include "tests/faults/ledger.h"

#include <inttypes.h>

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    if (!f || getdelim(&text, &room, 0, f) < 0) {
        perror(path);
        exit(2);
    }
    fclose(f);
    return text;
}

static bool parse(struct span line, struct owed *row)
{
    struct span after = span_cut(&line, ' '), id = span_cut(&line, ' ');
    struct span fan_out = span_cut(&line, ' ');
    *row = (struct owed){.after = strtoull(after.ptr, NULL, 10), .payload = line};
    row->fan_out = (unsigned)strtoul(fan_out.ptr, NULL, 10);
    return line.len > 0 && !id_parse(id, ID_MESSAGE, &row->message);
}

static int order(const void *a, const void *b)
{
    const struct owed *x = a, *y = b;
    return x->after < y->after ? -1 : x->after > y->after;
}

void ledger_load(struct ledger *l, const char *path)
{
    *l = (struct ledger){.text = read_file(path)};
    struct span rest = span_text(l->text);
    size_t room = 0;
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        if (l->count == room) {
            room = room ? 2 * room : 1024;
            l->rows = realloc(l->rows, room * sizeof *l->rows);
            if (!l->rows)
                abort();
        }
        if (!parse(line, &l->rows[l->count++])) {
            fprintf(stderr, "%s: line %zu is not of a ledger\n", path, l->count);
            exit(2);
        }
    }
    if (l->count)
        qsort(l->rows, l->count, sizeof *l->rows, order);
}

void ledger_free(struct ledger *l)
{
    free(l->rows);
    free(l->text);
    *l = (struct ledger){0};
}

enum ledger_answer ledger_look(const struct owed *row, struct store_read *r)
{
    struct delivery deliveries[PAGE_MAX];
    const struct page page = {.limit = PAGE_MAX};
    struct page_result found = {0};
    struct message *m = NULL;
    enum err e = store_message_load(r, &row->message, &m);
    if (e)
        return e == ERR_NOT_FOUND ? LEDGER_LOST : LEDGER_DAMAGED;
    bool same = span_eq(m->payload, row->payload);
    message_unref(&m);
    if (!same)
        return LEDGER_WRONG;
    e = store_deliveries_of_message(r, &row->message, &page, deliveries, &found);
    if (e)
        return LEDGER_DAMAGED;
    return found.count == row->fan_out ? LEDGER_KEPT : LEDGER_PARTIAL;
}
