/* CloudEvents on their way in, in each mode. What is accepted keeps exactly the attributes that a
 * second reading finds, and the bytes of its data; the same event in binary mode has the same
 * identity; without one of the required attributes it is refused.
 *
 * Input: a byte for the mode, then the body; in binary mode the headers a line each before it, with
 * an empty line behind them. */
#include "ingest/cloud_event.h"
#include "tests/fuzz/json_oracle.h"

static const char *const required[] = {"specversion", "id", "source", "type"};

struct taken {
    struct message *m; /* NULL: refused */
    struct idempotency identity;
    struct envelope_fault fault;
};

static void settle(struct taken *t, enum err e)
{
    HOLDS(e == ERR_OK || e == ERR_INVALID);
    HOLDS(!e == (t->m != NULL));
    if (e) {
        HOLDS(t->fault.message && *t->fault.message && t->fault.where && t->fault.type);
        HOLDS(memchr(t->fault.field, '\0', sizeof t->fault.field));
    } else {
        HOLDS(t->identity.used);
    }
}

static struct taken take_structured(struct json_value object)
{
    struct taken t = {.m = NULL};
    static const struct head none;
    settle(&t, cloud_event_structured(object, &none, &t.m, &t.identity, &t.fault));
    return t;
}

static struct taken take_binary(const struct head *head, struct span body)
{
    struct taken t = {.m = NULL};
    settle(&t, cloud_event_binary(head, body, &t.m, &t.identity, &t.fault));
    return t;
}

static json_t *attributes_of(const struct message *m)
{
    HOLDS(m->attributes.len <= CLOUD_ATTRIBUTES_BYTES);
    json_t *v = oracle_value(m->attributes);
    HOLDS(oracle_is_object(v));
    return v;
}

/* What the store reads of the attributes is what they say. */
static void check_message(const struct message *m, const json_t *attributes)
{
    const json_t *key = json_object_get(attributes, "partitionkey");
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        HOLDS(json_string_length(json_object_get(attributes, required[i])) > 0);
    HOLDS(oracle_text_is(attributes, "specversion", SPAN("1.0")));
    HOLDS(oracle_text_is(attributes, "type", m->event_type));
    HOLDS(m->event_type.len <= 256 && fuzz_only(m->event_type, FUZZ_ALNUM "-_."));
    HOLDS(key ? oracle_text_is(attributes, "partitionkey", m->ordering_key) : !m->ordering_key.len);
    HOLDS(fuzz_is_field_value(m->content_type));
    HOLDS(json_object_size(attributes) <= CLOUD_ATTRIBUTES_MAX);
}

/* ---------------------------------------------------------------- the event again, in binary */

#define RAW_MARKS "-._~:/?#[]@!$&'()*+,;="

static void encode_value(const json_t *v, struct buf *out)
{
    const char *text = json_string_value(v);
    if (json_is_boolean(v))
        buf_text(out, json_is_true(v) ? "true" : "false");
    else if (json_is_integer(v))
        buf_printf(out, "%lld", (long long)json_integer_value(v));
    for (size_t i = 0; text && i < json_string_length(v); i++) {
        if (fuzz_only(span_of(text + i, 1), FUZZ_ALNUM RAW_MARKS))
            buf_char(out, text[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)text[i]);
    }
}

/* Fills the head from the attributes; what it points to is in `texts`, which has room for all. */
static void make_head(json_t *attributes, struct buf *texts, struct head *head)
{
    const char *name;
    json_t *v;
    *head = (struct head){.mode = HEAD_BINARY};
    json_object_foreach(attributes, name, v)
    {
        const size_t start = texts->len;
        if (strcmp(name, "datacontenttype") == 0) {
            buf_text(texts, json_string_value(v));
            head->content_type = span_of(texts->ptr + start, texts->len - start);
            head->content_types = 1;
            continue;
        }
        struct head_attribute *h = &head->attributes[head->count++];
        buf_printf(texts, "ce-%s", name);
        h->name = span_of(texts->ptr + start, texts->len - start);
        const size_t middle = texts->len;
        encode_value(v, texts);
        h->value = span_of(texts->ptr + middle, texts->len - middle);
    }
    HOLDS(!texts->failed);
}

/* An event whose encoded attributes are too long in headers may be refused; nothing else may. */
static void check_binary_twin(const struct taken *t, json_t *attributes)
{
    struct head head;
    struct buf texts;
    const bool data_needs_type =
        !json_object_get(attributes, "datacontenttype") && t->m->content_type.len;
    buf_init(&texts, 8 * CLOUD_ATTRIBUTES_BYTES);
    HOLDS(buf_reserve(&texts, 8 * CLOUD_ATTRIBUTES_BYTES));
    make_head(attributes, &texts, &head);
    struct taken twin = take_binary(&head, t->m->payload);
    if (!twin.m) {
        HOLDS(strstr(twin.fault.message, "at most"));
    } else {
        HOLDS(memcmp(twin.identity.key, t->identity.key, sizeof t->identity.key) == 0);
        HOLDS(memcmp(twin.identity.body, t->identity.body, sizeof t->identity.body) == 0);
        HOLDS(span_eq(twin.m->payload, t->m->payload));
        HOLDS(span_eq(twin.m->event_type, t->m->event_type));
        HOLDS(span_eq(twin.m->ordering_key, t->m->ordering_key));
        HOLDS(data_needs_type || span_eq(twin.m->content_type, t->m->content_type));
        message_unref(&twin.m);
    }
    buf_free(&texts);
}

/* ---------------------------------------------------------------- structured mode */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool is_base64_of(const json_t *text, struct span bytes)
{
    const char *s = json_string_value(text);
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (; s && *s && *s != '='; s++) {
        HOLDS(digit_of(*s) >= 0);
        bits = bits << 6 | (uint32_t)digit_of(*s);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n >= bytes.len || (uint8_t)bytes.ptr[n] != (uint8_t)(bits >> have))
            return false;
        n++;
    }
    return n == bytes.len;
}

static void check_data(const struct message *m, struct json_value object, const json_t *root)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *base64 = json_object_get(root, "data_base64");
    if (base64 && !oracle_is_null(base64)) {
        HOLDS(is_base64_of(base64, m->payload));
    } else if (!data || oracle_is_null(data)) {
        HOLDS(!m->payload.len);
    } else if (!oracle_is_string(data) || (m->payload.len && m->payload.ptr[0] == '"')) {
        bool is_text = oracle_is_string(data) && oracle_text_is(root, "data", m->payload);
        HOLDS(is_text || oracle_same(m->payload, data));
        HOLDS(is_text || memmem(object.raw.ptr, object.raw.len, m->payload.ptr, m->payload.len));
    } else {
        HOLDS(oracle_text_is(root, "data", m->payload));
    }
}

static void check_without_required(json_t *root)
{
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        json_t *less = json_copy(root);
        struct json_value object;
        json_object_del(less, required[i]);
        char *text = json_dumps(less, 0);
        HOLDS(text && oracle_check(span_text(text), &object));
        struct taken t = take_structured(object);
        HOLDS(!t.m);
        free(text);
        json_decref(less);
    }
}

static void check_structured(struct json_value object)
{
    struct taken t = take_structured(object);
    json_t *root = t.m ? oracle_value(object.raw) : NULL;
    if (root) {
        json_t *attributes = attributes_of(t.m), *wanted = json_copy(root), *v;
        const char *name;
        void *next;
        check_message(t.m, attributes);
        json_object_del(wanted, "data");
        json_object_del(wanted, "data_base64");
        json_object_foreach_safe(wanted, next, name, v)
        {
            if (oracle_is_null(v))
                json_object_del(wanted, name);
        }
        HOLDS(json_equal(attributes, wanted));
        check_data(t.m, object, root);
        check_binary_twin(&t, attributes);
        check_without_required(root);
        json_decref(attributes);
        json_decref(wanted);
    }
    json_decref(root);
    message_unref(&t.m);
}

static void check_json(struct span body, enum json_type type)
{
    struct json_value root, item;
    struct span name, copy = fuzz_copy(body);
    if (oracle_check(copy, &root) && root.type == type) {
        if (type == JSON_OBJECT)
            check_structured(root);
        for (struct json_walk w = json_walk(root);
             type == JSON_ARRAY && json_next(&w, &name, &item);)
            if (item.type == JSON_OBJECT)
                check_structured(item);
    }
    free((char *)copy.ptr);
}

/* ---------------------------------------------------------------- binary mode */

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* The next character of a value behind its quotes and backslashes; -1 at its end. */
static int next_of(struct span *value, bool quoted)
{
    if (quoted && value->len && value->ptr[0] == '\\')
        *value = span_skip(*value, 1);
    int c = value->len ? (unsigned char)value->ptr[0] : -1;
    *value = span_skip(*value, 1);
    return c;
}

/* HTTP binding section 3.1.3.2, backwards: whether the text, encoded, may be the header's value. */
static bool stands_for(struct span value, struct span text)
{
    const bool quoted = value.len >= 2 && value.ptr[0] == '"';
    struct span rest = quoted ? span_of(value.ptr + 1, value.len - 2) : value;
    for (size_t i = 0; i < text.len; i++) {
        int c = next_of(&rest, quoted);
        if (c == '%') {
            const int high = hex_of((char)next_of(&rest, quoted));
            c = high << 4 | hex_of((char)next_of(&rest, quoted));
        }
        if (c != (unsigned char)text.ptr[i])
            return false;
    }
    return !rest.len;
}

static void check_attribute(const struct head_attribute *h, const json_t *attributes)
{
    char *name = fuzz_text(span_skip(h->name, 3));
    for (char *c = name; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    const json_t *v = json_object_get(attributes, name);
    HOLDS(oracle_is_string(v));
    HOLDS(stands_for(h->value, span_of(json_string_value(v), json_string_length(v))));
    free(name);
}

static void check_binary(struct span input)
{
    struct head head = {.mode = HEAD_BINARY};
    struct span rest = input;
    while (rest.ptr) {
        struct span value = span_cut(&rest, '\n');
        if (!value.len)
            break;
        struct span name = span_cut(&value, ':');
        value = span_trim(value);
        if (!fuzz_is_field_value(value)) /* the guard let none pass */
            return;
        if (name.len >= 3 && strncasecmp(name.ptr, "ce-", 3) == 0 && head.count < HEADERS_MAX)
            head.attributes[head.count++] = (struct head_attribute){name, value};
        else if (span_eq_nocase(name, SPAN("content-type")) && !head.content_types++)
            head.content_type = value;
    }
    struct taken t = take_binary(&head, rest);
    if (!t.m)
        return;
    json_t *attributes = attributes_of(t.m);
    check_message(t.m, attributes);
    HOLDS(json_object_size(attributes) == head.count + (head.content_types == 1));
    for (unsigned i = 0; i < head.count; i++)
        check_attribute(&head.attributes[i], attributes);
    HOLDS(span_eq(t.m->payload, rest));
    check_binary_twin(&t, attributes);
    json_decref(attributes);
    message_unref(&t.m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    switch (fuzz_choice(&input, 3)) {
    case 0:
        check_json(input, JSON_OBJECT);
        break;
    case 1:
        check_json(input, JSON_ARRAY);
        break;
    default:
        check_binary(input);
    }
    return 0;
}
