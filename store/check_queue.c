/* Due rows, lines and dead letters against their deliveries, counters against what they count,
 * expiry rows against what is to expire. The trees are walked side by side by endpoint number. */
#include "store/check.h"

#include "base/hash.h"

/* The number that a key begins with; above every number at the end of the walk. */
static uint64_t head_number(const struct check_walk *w)
{
    if (!w->more)
        return UINT64_MAX;
    struct reader r = reader_of(w->key);
    return read_u32(&r);
}

/* The delivery that a row speaks of; not *found, and a finding, when it cannot be read. */
static enum err delivery_of(struct check *c, const struct id *message, uint32_t endpoint,
                            const char *row, struct delivery *d, bool *found)
{
    enum err e = read_delivery(c->r, message, endpoint, d);
    *found = !e;
    if (e != ERR_NOT_FOUND && e != ERR_CORRUPT)
        return e;
    check_say(c, "%s of %s at endpoint number %u has no delivery", row,
              check_id(message, ID_MESSAGE).text, endpoint);
    return ERR_OK;
}

static enum err due_row(struct check *c, struct span key, struct span value,
                        struct endpoint_counts *counts)
{
    uint32_t endpoint;
    struct wall due;
    struct id message;
    enum attempt_trigger trigger;
    uint16_t tries;
    if (key_due_parse(key, &endpoint, &due, &message, &trigger)) {
        check_say(c, "a due row has a bad key");
        return ERR_OK;
    }
    struct check_text name = check_id(&message, ID_MESSAGE);
    if (record_due_decode(value, &tries))
        check_say(c, "the due row of %s does not decode", name.text);
    struct delivery d;
    bool found;
    enum err e = delivery_of(c, &message, endpoint, "a due row", &d, &found);
    bool manual = trigger == TRIGGER_MANUAL;
    counts->waiting += !manual;
    if (e || !found)
        return e;
    bool unfinished = d.state == DELIVERY_SCHEDULED || d.state == DELIVERY_RETRYING;
    bool wanted = manual || (unfinished && !d.held);
    if (!wanted || (manual ? d.manual_due : d.due).us != due.us)
        check_say(c, "%s is due at endpoint number %u where its delivery is %s", name.text,
                  endpoint, delivery_state_name(d.state));
    return ERR_OK;
}

static enum err dead_row(struct check *c, struct span key, struct span value,
                         struct endpoint_counts *counts)
{
    struct reader r = reader_of(key);
    uint32_t endpoint = read_u32(&r);
    struct id message;
    struct dead_record dead;
    c->report->dead++;
    counts->dead++;
    if (!read_as_id(read_rest(&r), &message)) {
        check_say(c, "a dead letter has a bad key");
        return ERR_OK;
    }
    if (record_dead_decode(value, &dead))
        check_say(c, "the dead letter of %s does not decode", check_id(&message, ID_MESSAGE).text);
    struct delivery d;
    bool found;
    enum err e = delivery_of(c, &message, endpoint, "a dead letter", &d, &found);
    if (!e && found && d.state != DELIVERY_DEAD)
        check_say(c, "%s is a dead letter of endpoint number %u but its delivery is %s",
                  check_id(&message, ID_MESSAGE).text, endpoint, delivery_state_name(d.state));
    return e;
}

/* The first of a line is the first row with its endpoint and line. */
static bool begins_line(struct check *c, struct span key)
{
    bool begins = memcmp(c->line, key.ptr, sizeof c->line) != 0;
    memcpy(c->line, key.ptr, sizeof c->line);
    return begins;
}

static enum err line_row(struct check *c, struct span key, struct span value,
                         struct endpoint_counts *counts)
{
    uint32_t endpoint;
    struct line_place at;
    struct delivery d;
    bool found;
    if (key_line_parse(key, &endpoint, &at) || value.len) {
        check_say(c, "a place in a line has a bad form");
        return ERR_OK;
    }
    struct check_text name = check_id(&at.message, ID_MESSAGE);
    bool first = begins_line(c, key);
    if (id_cmp(&at.ticket, &c->marks.message) > 0)
        check_say(c, "the ticket of %s is above the high-water mark", name.text);
    enum err e = delivery_of(c, &at.message, endpoint, "a place in a line", &d, &found);
    if (e || !found)
        return e;
    if (id_cmp(&d.ticket, &at.ticket) != 0 || memcmp(d.line, at.line, LINE_BYTES) != 0)
        check_say(c, "%s stands in a line of endpoint number %u that its delivery does not know",
                  name.text, endpoint);
    if (first && d.held && !c->relining)
        check_say(c, "%s is held at endpoint number %u and is the first of its line", name.text,
                  endpoint);
    counts->waiting += d.held;
    return ERR_OK;
}

typedef enum err row_check(struct check *c, struct span key, struct span value,
                           struct endpoint_counts *counts);

static enum err rows_of(struct check *c, struct check_walk *w, uint64_t number, row_check *row,
                        struct endpoint_counts *counts)
{
    enum err e = ERR_OK;
    while (!e && head_number(w) == number) {
        e = row(c, w->key, w->value, counts);
        if (!e)
            e = check_next(w);
    }
    return e;
}

static enum err count_row(struct check *c, struct span key, struct span value,
                          struct endpoint_counts *counts)
{
    if (key.len != sizeof(uint32_t) || record_count_decode(value, counts))
        check_say(c, "a counter does not decode");
    return ERR_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum err check_endpoints(struct check *c)
{
    struct check_walk due = {0}, line = {0}, dead = {0}, count = {0};
    enum err e = check_open(c, TREE_DUE, &due);
    if (!e)
        e = check_open(c, TREE_LINE, &line);
    if (!e)
        e = check_open(c, TREE_DEAD, &dead);
    if (!e)
        e = check_open(c, TREE_COUNT, &count);
    while (!e && (due.more || line.more || dead.more || count.more)) {
        uint64_t number = least(least(head_number(&due), head_number(&line)),
                                least(head_number(&dead), head_number(&count)));
        struct endpoint_counts found = {0}, counted = {0};
        e = rows_of(c, &due, number, due_row, &found);
        if (!e)
            e = rows_of(c, &line, number, line_row, &found);
        if (!e)
            e = rows_of(c, &dead, number, dead_row, &found);
        if (!e)
            e = rows_of(c, &count, number, count_row, &counted);
        if (!e && (found.waiting != counted.waiting || found.dead != counted.dead))
            check_say(c,
                      "endpoint number %llu: %llu wait and %llu are dead, its counters say %llu "
                      "and %llu",
                      (unsigned long long)number, (unsigned long long)found.waiting,
                      (unsigned long long)found.dead, (unsigned long long)counted.waiting,
                      (unsigned long long)counted.dead);
    }
    check_close(&due);
    check_close(&line);
    check_close(&dead);
    check_close(&count);
    return e;
}

/* ---------------------------------------------------------------- expiry */

/* It may have gone before, with its application. */
static enum err meet_consumer(struct check *c, const struct treekey *key)
{
    struct span value;
    enum err e = snapshot_get(c->r, TREE_CONSUMER, key, &value);
    c->consumers -= !e;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Rows of before the checksum have none. */
static bool expiry_proved(struct span key, struct span value)
{
    struct reader r = reader_of(value);
    return value.len == 0 || (value.len == 4 && read_u32(&r) == hash_checksum(key));
}

static enum err expiry_row(struct check *c, struct span key, struct span value, uint64_t *messages)
{
    static const struct {
        enum tree tree;
        const char *finding;
    } kinds[] = {
        [EXPIRY_MESSAGE] = {TREE_MESSAGE, "an expiry row names no message"},
        [EXPIRY_ANSWER] = {TREE_ANSWER, "an expiry row names no stored answer"},
        [EXPIRY_TASK] = {TREE_TASK, "an expiry row names no task"},
    };
    struct wall when;
    enum expiry_kind kind;
    struct span what;
    if (key_expiry_parse(key, &when, &kind, &what) || what.len == 0 || what.len > TREE_KEY_MAX) {
        check_say(c, "an expiry row has a bad key");
        return ERR_OK;
    }
    *messages += kind == EXPIRY_MESSAGE;
    struct renewal renewal;
    if (kind == EXPIRY_MESSAGE ? value.len && record_renewal_decode(value, &renewal)
                               : !expiry_proved(key, value))
        check_say(c, "an expiry row does not match its checksum");
    if (kind == EXPIRY_STAT || kind == EXPIRY_PORTAL)
        return ERR_OK; /* the rows of an hour, and tokens, may have gone before */
    struct treekey at = {.len = what.len};
    memcpy(at.b, what.ptr, what.len);
    if (kind == EXPIRY_CONSUMER)
        return meet_consumer(c, &at);
    return check_row_exists(c, kinds[kind].tree, &at, kinds[kind].finding);
}

static enum err check_expiry(struct check *c)
{
    struct check_walk w;
    uint64_t messages = 0;
    enum err e = check_open(c, TREE_EXPIRY, &w);
    while (!e && w.more) {
        e = expiry_row(c, w.key, w.value, &messages);
        if (!e)
            e = check_next(&w);
    }
    check_close(&w);
    if (!e && messages != c->report->messages)
        check_say(c, "%llu messages have %llu expiry rows", (unsigned long long)c->report->messages,
                  (unsigned long long)messages);
    if (!e && c->consumers)
        check_say(c, "consumers and their expiry rows differ");
    return e;
}

static enum err check_answers(struct check *c)
{
    struct check_walk w;
    enum err e = check_open(c, TREE_ANSWER, &w);
    while (!e && w.more) {
        uint16_t status;
        uint8_t hash[8];
        struct span answer;
        if (record_answer_decode(w.value, &status, hash, &answer))
            check_say(c, "a stored answer does not decode");
        e = check_next(&w);
    }
    check_close(&w);
    return e;
}

enum err check_queues(struct check *c)
{
    enum err e = check_endpoints(c);
    if (!e)
        e = check_expiry(c);
    return e ? e : check_answers(c);
}
