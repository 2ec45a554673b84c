/* Everything that is read back from the disk. A decoder accepts what its encoder writes and nothing
 * else: whatever is accepted is, encoded again, the same bytes. A record with any bit flipped is
 * refused, and what a short record claims takes no more than bounded memory.
 *
 * Input: a byte for the kind of record, then its bytes without version and checksum, which are put
 * in front, so that the fuzzer need not find them. */
#include "store/block.h"
#include "store/codec.h"
#include "store/record.h"
#include "store/run.h"
#include "store/tail.h"
#include "store/vault.h"
#include "tests/fuzz/fuzz.h"

#include "base/hash.h"

#define RECORD_MAX (64 * 1024)

static struct vault *plain_vault; /* made once, as the store makes its own; kept */

/* ---------------------------------------------------------------- decode, encode again */

static enum err round_app(struct span in, struct buf *out)
{
    struct app *a;
    enum err e = record_app_decode(in, &a);
    if (!e)
        record_app_encode(a, out);
    app_free(&a);
    return e;
}

static enum err round_endpoint(struct span in, struct buf *out)
{
    struct endpoint *ep;
    enum err e = record_endpoint_decode(in, plain_vault, &ep);
    if (!e)
        record_endpoint_encode(ep, plain_vault, out);
    endpoint_free(&ep);
    return e;
}

static enum err round_event_type(struct span in, struct buf *out)
{
    struct event_type *t;
    enum err e = record_event_type_decode(in, &t);
    if (!e)
        record_event_type_encode(t, out);
    event_type_free(&t);
    return e;
}

/* A payload of chunks: what the chunks of such a message bring arrives, and verifies. */
static void check_chunks(struct message *m)
{
    struct buf record;
    struct message *again;
    size_t missing;
    buf_init(&record, RECORD_MAX);
    memset((char *)m->payload.ptr, 'x', m->payload.len);
    record_message_encode(m, &record);
    HOLDS(record_message_decode(buf_view(&record), true, &again, &missing) == ERR_OK);
    for (unsigned i = 0; missing && i < record_message_chunks(m); i++) {
        buf_clear(&record);
        record_body_encode(m, i, &record);
        HOLDS(record_body_decode(buf_view(&record), i + 1, again) != ERR_OK ||
              record.len == INLINE_BYTES_MAX);
        HOLDS(record_body_decode(buf_view(&record), i, again) == ERR_OK);
    }
    HOLDS(record_message_verify(again) == ERR_OK);
    HOLDS(span_eq(again->payload, m->payload));
    message_unref(&again);
    buf_free(&record);
}

static enum err round_message(struct span in, struct buf *out)
{
    struct message *m, *head;
    size_t missing, head_missing;
    struct wall expires;
    enum err e = record_message_decode(in, true, &m, &missing);
    enum err e2 = record_message_decode(in, false, &head, &head_missing);
    HOLDS(e == e2);
    if (!e) {
        HOLDS(missing <= BATCH_BODY_MAX && m->payload.len <= BATCH_BODY_MAX);
        HOLDS(missing == head_missing && !head->payload.len);
        HOLDS(record_message_expires(in, &expires) == ERR_OK && expires.us == m->expires.us);
        if (missing && missing <= 4 * INLINE_BYTES_MAX)
            check_chunks(m);
        else if (!missing && in.len <= INLINE_BYTES_MAX)
            record_message_encode(m, out);
    }
    message_unref(&m);
    message_unref(&head);
    return e;
}

static enum err round_attempt(struct span in, struct buf *out)
{
    struct attempt *a, *bare;
    enum err e = record_attempt_decode(in, true, &a), e2 = record_attempt_decode(in, false, &bare);
    HOLDS(e == e2);
    if (!e) {
        HOLDS(!bare->response.len && span_eq(bare->url, a->url));
        record_attempt_encode(a, out);
    }
    attempt_free(&a);
    attempt_free(&bare);
    return e;
}

static enum err round_task_filter(struct span in, struct buf *out)
{
    struct task_filter *f;
    enum err e = record_task_filter_decode(in, &f);
    if (!e)
        record_task_filter_encode(f, out);
    free(f);
    return e;
}

static enum err round_answer(struct span in, struct buf *out)
{
    uint16_t status;
    uint8_t hash[8];
    struct span answer;
    enum err e = record_answer_decode(in, &status, hash, &answer);
    if (!e)
        record_answer_encode(status, hash, answer, out);
    return e;
}

static enum err round_due(struct span in, struct buf *out)
{
    uint16_t tries;
    enum err e = record_due_decode(in, &tries);
    if (!e)
        record_due_encode(tries, out);
    return e;
}

/* A record that is a plain value. */
#define ROUND_OF(noun, type)                                      \
    static enum err round_##noun(struct span in, struct buf *out) \
    {                                                             \
        type value;                                               \
        enum err e = record_##noun##_decode(in, &value);          \
        if (!e)                                                   \
            record_##noun##_encode(&value, out);                  \
        return e;                                                 \
    }

ROUND_OF(key, struct api_key)
ROUND_OF(delivery, struct delivery)
ROUND_OF(renewal, struct renewal)
ROUND_OF(dead, struct dead_record)
ROUND_OF(portal, struct portal_token)
ROUND_OF(consumer, struct consumer)
ROUND_OF(health, struct endpoint_health)
ROUND_OF(count, struct endpoint_counts)
ROUND_OF(stat, struct stat_record)
ROUND_OF(task, struct task)
ROUND_OF(task_result, struct task_result)
ROUND_OF(marks, struct marks)
ROUND_OF(org, struct id)

/* ---------------------------------------------------------------- the index */

static enum err round_block(struct span in, struct buf *out)
{
    struct block block;
    struct block_builder b;
    enum err e = block_open(in, &block);
    if (e)
        return e;
    block_begin(&b);
    for (unsigned i = 0; i < block.count; i++) {
        struct index_entry entry = block_entry(&block, i), parsed = entry;
        enum index_family family;
        HOLDS(entry.key.len >= 1 && entry.key.len <= BLOCK_KEY_MAX);
        HOLDS(entry.value.len <= INDEX_VALUE_MAX);
        HOLDS(!tail_entry_parse(&parsed, &family) || (family < INDEX_FAMILIES && parsed.key.len));
        if (!block_add(&b, &entry))
            return ERR_OK; /* more than an encoder puts into one */
    }
    buf_span(out, block_seal(&b));
    return ERR_OK;
}

/* Its encoder writes to LMDB: here only what it may claim is bounded. */
static enum err round_run(struct span in, struct buf *out)
{
    static const uint8_t number[8];
    enum run_state state;
    struct run *run = NULL;
    enum err e = run_decode(span_of(number, sizeof number), in, &run, &state);
    (void)out;
    if (!e) {
        HOLDS(run->family < INDEX_FAMILIES && run->level < INDEX_LEVELS);
        HOLDS(run->figures.first.len <= INDEX_KEY_MAX && run->figures.last.len <= INDEX_KEY_MAX);
        HOLDS(state >= RUN_BUILDING && state <= RUN_DOOMED);
        run_unref(&run);
    }
    return e;
}

static const struct kind {
    enum err (*round)(struct span in, struct buf *out);
} kinds[] = {
    {round_app},     {round_endpoint}, {round_event_type},  {round_key},         {round_message},
    {round_attempt}, {round_delivery}, {round_due},         {round_renewal},     {round_dead},
    {round_portal},  {round_consumer}, {round_health},      {round_answer},      {round_count},
    {round_stat},    {round_task},     {round_task_filter}, {round_task_result}, {round_marks},
    {round_block},   {round_run},      {round_org},
};
#define KINDS (sizeof kinds / sizeof *kinds)
enum { KEYS = 30, VAULT, CHOICES }; /* behind the kinds, which only grow at their end */

/* ---------------------------------------------------------------- properties */

/* A flip is tried for few of the inputs, and then for one bit: of 32 bits of checksum one flip in
 * four billion is missed, and none here may be by chance. */
static void check_flip(const struct kind *kind, struct span record)
{
    const uint32_t sum = hash_checksum(record);
    struct span copy;
    struct buf out;
    if (sum % 16)
        return;
    copy = fuzz_copy(record);
    buf_init(&out, RECORD_MAX);
    if (!fuzz_planted())
        ((char *)copy.ptr)[(sum >> 8) % copy.len] ^= (char)(1 << (sum >> 4 & 7));
    HOLDS(kind->round(copy, &out) != ERR_OK);
    buf_free(&out);
    free((char *)copy.ptr);
}

/* Bound to its key it says the same, and it is noticed under another. Blocks never are. */
static void check_bound(const struct kind *kind, struct span record, struct span wanted)
{
    struct buf bound, out;
    buf_init(&bound, RECORD_MAX);
    buf_init(&out, RECORD_MAX);
    buf_span(&bound, record);
    codec_bind(&bound, SPAN("its key"));
    if (kind->round != round_block && !bound.failed) {
        HOLDS(!codec_is_moved(record, SPAN("any key")));
        HOLDS(!codec_is_moved(buf_view(&bound), SPAN("its key")));
        HOLDS(codec_is_moved(buf_view(&bound), SPAN("another key")));
        HOLDS(kind->round(buf_view(&bound), &out) == ERR_OK);
        HOLDS(span_eq(buf_view(&out), wanted));
    }
    buf_free(&bound);
    buf_free(&out);
}

static void check_record(const struct kind *kind, struct span fields)
{
    struct buf record, out;
    buf_init(&record, RECORD_MAX);
    buf_init(&out, RECORD_MAX);
    size_t start = codec_begin(&record);
    buf_span(&record, fields);
    codec_end(&record, start);
    struct span in = record.failed ? (struct span){0} : fuzz_copy(buf_view(&record));
    if (in.len) {
        enum err e = kind->round(in, &out);
        HOLDS(!e || e == ERR_CORRUPT || e == ERR_INVALID || e == ERR_NO_MEMORY);
        HOLDS(!out.failed);
        if (!e && out.len)
            HOLDS(span_eq(buf_view(&out), in));
        if (!e)
            check_bound(kind, in, buf_view(&out));
        check_flip(kind, in);
    }
    free((char *)in.ptr);
    buf_free(&record);
    buf_free(&out);
}

/* Keys are read back as what they were made of. */
static void check_key(struct span key)
{
    uint32_t endpoint;
    struct wall when;
    struct id message;
    enum attempt_trigger trigger;
    struct line_place place;
    enum expiry_kind kind;
    struct span what;
    struct treekey built;
    if (key_due_parse(key, &endpoint, &when, &message, &trigger) == ERR_OK) {
        built = key_due(endpoint, when, &message, trigger);
        HOLDS(span_eq(key_span(&built), key));
    }
    if (key_line_parse(key, &endpoint, &place) == ERR_OK) {
        built = key_line(endpoint, &place);
        HOLDS(span_eq(key_span(&built), key));
    }
    if (key_expiry_parse(key, &when, &kind, &what) == ERR_OK) {
        HOLDS(kind < EXPIRY_KINDS);
        built = key_expiry(when, kind, what);
        HOLDS(span_eq(key_span(&built), key));
    }
}

/* What was sealed opens to itself, for its owner alone, and not once a bit of it changed. */
static void check_vault(struct span plain)
{
    static struct vault *vault;
    struct buf sealed, opened;
    buf_init(&sealed, RECORD_MAX);
    buf_init(&opened, RECORD_MAX);
    if (!vault)
        HOLDS(vault_new("a main secret", &vault) == ERR_OK);
    vault_seal(vault, SPAN("owner"), plain, &sealed);
    HOLDS(!sealed.failed);
    HOLDS(vault_open(vault, SPAN("owner"), buf_view(&sealed), &opened) == ERR_OK);
    HOLDS(span_eq(buf_view(&opened), plain));
    HOLDS(vault_open(vault, SPAN("other"), buf_view(&sealed), &opened) != ERR_OK);
    /* its first byte says how it is sealed, and is under the record's checksum */
    sealed.ptr[1 + hash_checksum(plain) % (sealed.len - 1)] ^= 1;
    HOLDS(vault_open(vault, SPAN("owner"), buf_view(&sealed), &opened) != ERR_OK);
    buf_free(&sealed);
    buf_free(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    const unsigned choice = fuzz_choice(&input, CHOICES);
    if (!plain_vault)
        HOLDS(vault_new(NULL, &plain_vault) == ERR_OK);
    if (choice < KINDS)
        check_record(&kinds[choice], input);
    else if (choice == KEYS)
        check_key(input);
    else if (choice == VAULT)
        check_vault(span_of(input.ptr, input.len < 128 ? input.len : 128));
    return 0;
}
