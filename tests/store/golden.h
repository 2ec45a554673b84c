/* Golden records: what the encoders wrote at a version, as hex so that diffs read. With
 * GOLDEN_WRITE=1 in the environment a missing file is written; an existing one never is. Tests run
 * from the top of the tree. */
#ifndef TESTS_STORE_GOLDEN_H
#define TESTS_STORE_GOLDEN_H

#include "base/hash.h"
#include "store/codec.h"
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN_LINE 32

static inline struct id golden_id(uint8_t fill)
{
    struct id id;
    memset(id.b, fill, sizeof id.b);
    return id;
}

static inline void golden_path(const char *name, char path[256])
{
    snprintf(path, 256, "tests/store/golden/%s.v%d.hex", name, CODEC_VERSION);
}

static inline void golden_write(const char *path, struct span record)
{
    FILE *f = fopen(path, "wx");
    assert_non_null(f);
    for (size_t i = 0; i < record.len; i++)
        fprintf(f, "%02x%s", (uint8_t)record.ptr[i],
                i % GOLDEN_LINE == GOLDEN_LINE - 1 || i + 1 == record.len ? "\n" : "");
    fclose(f);
}

/* Reads the file into *out; the caller frees it. */
static inline void golden_read(const char *path, struct buf *out)
{
    buf_init(out, 64 * 1024);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (unsigned byte; fscanf(f, "%2x", &byte) == 1;)
        buf_u8(out, (uint8_t)byte);
    fclose(f);
    assert_false(out->failed);
}

/* The encoder still writes what it wrote when the file was made. */
static inline void golden_same(const char *name, const struct buf *record)
{
    char path[256];
    golden_path(name, path);
    assert_false(record->failed);
    if (getenv("GOLDEN_WRITE") && access(path, F_OK) != 0)
        golden_write(path, buf_view(record));
    struct buf golden;
    golden_read(path, &golden);
    assert_int_equal(golden.len, record->len);
    assert_memory_equal(golden.ptr, record->ptr, golden.len);
    buf_free(&golden);
}

typedef enum err golden_decode(struct span in);

/* Decodes a copy that ends where its memory ends, so that reading on is seen by the sanitizer. */
static inline enum err golden_decode_copy(golden_decode *decode, const char *ptr, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, ptr, len);
    enum err e = decode(span_of(copy, len));
    free(copy);
    return e;
}

static inline void golden_sum(char *record, size_t len)
{
    uint32_t sum = hash_checksum(span_of(record + CODEC_HEAD, len - CODEC_HEAD));
    for (int i = 0; i < 4; i++)
        record[1 + i] = (char)(uint8_t)(sum >> (24 - 8 * i));
}

/* Puts `fresh` where `old` first stands, under a right checksum: a record as no encoder writes it. */
static inline void golden_replace(struct buf *record, struct span old, struct span fresh)
{
    struct buf changed;
    const char *at = memmem(record->ptr, record->len, old.ptr, old.len);
    assert_non_null(at);
    const char *rest = at + old.len;
    buf_init(&changed, record->max);
    buf_bytes(&changed, record->ptr, (size_t)(at - record->ptr));
    buf_span(&changed, fresh);
    buf_bytes(&changed, rest, (size_t)(record->ptr + record->len - rest));
    assert_false(changed.failed);
    golden_sum(changed.ptr, changed.len);
    buf_free(record);
    *record = changed;
}

/* A record that has as many of a field as it may is sound, and corrupt with one more. `value` is
 * that of such a field, under 128 bytes. */
static inline void golden_one_too_many(struct buf *record, struct span value, golden_decode *decode)
{
    char twice[2 * 130];
    const char *at = memmem(record->ptr, record->len, value.ptr, value.len);
    assert_true(at && value.len < 128);
    size_t len = value.len + 2; /* with its tag and its length */
    memcpy(twice, at - 2, len);
    memcpy(twice + len, at - 2, len);
    assert_int_equal(decode(buf_view(record)), ERR_OK);
    golden_replace(record, span_of(twice, len), span_of(twice, 2 * len));
    assert_int_equal(decode(buf_view(record)), ERR_CORRUPT);
}

/* Every flipped bit and every cut is ERR_CORRUPT; the same damage under a right checksum is an
 * answer, never a crash. */
static inline void golden_mutations(const struct buf *record, golden_decode *decode)
{
    assert_int_equal(golden_decode_copy(decode, record->ptr, record->len), ERR_OK);
    for (size_t len = 0; len < record->len; len++)
        assert_int_equal(golden_decode_copy(decode, record->ptr, len), ERR_CORRUPT);
    for (size_t bit = 0; bit < 8 * record->len; bit++) {
        record->ptr[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(golden_decode_copy(decode, record->ptr, record->len), ERR_CORRUPT);
        record->ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    char *damaged = malloc(record->len);
    assert_non_null(damaged);
    for (size_t bit = 8 * CODEC_HEAD; bit < 8 * record->len; bit++) {
        memcpy(damaged, record->ptr, record->len);
        damaged[bit / 8] ^= (char)(1 << bit % 8);
        golden_sum(damaged, record->len);
        (void)golden_decode_copy(decode, damaged, record->len);
    }
    for (size_t len = CODEC_HEAD; len < record->len; len++) {
        memcpy(damaged, record->ptr, len);
        golden_sum(damaged, len);
        (void)golden_decode_copy(decode, damaged, len);
    }
    free(damaged);
}

#endif
