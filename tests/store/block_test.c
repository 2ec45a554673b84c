/* Blocks: what goes in comes out, and damage is noticed. */
#include "store/block.h"

#include "base/hash.h"
#include "store/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct block_builder builder;

static struct index_entry entry_of(const char *key, const char *value, int64_t expires)
{
    return (struct index_entry){span_text(key), span_text(value), {expires}};
}

static struct span small_block(void)
{
    struct index_entry entries[] = {entry_of("b", "one", 1), entry_of("d", "", INT64_MAX),
                                    entry_of("dd", "three", 3)};
    block_begin(&builder);
    for (size_t i = 0; i < 3; i++)
        assert_true(block_add(&builder, &entries[i]));
    return block_seal(&builder);
}

static void entries_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct block block;
    assert_int_equal(block_open(small_block(), &block), ERR_OK);
    assert_int_equal(block.count, 3);
    struct index_entry second = block_entry(&block, 1), third = block_entry(&block, 2);
    assert_true(span_is(second.key, "d") && second.value.len == 0);
    assert_true(second.expires.us == INT64_MAX);
    assert_true(span_is(third.key, "dd") && span_is(third.value, "three") && third.expires.us == 3);
    assert_true(span_is(block_builder_key(&builder, 0), "b"));
}

static void a_search_finds_the_first_key_that_is_not_less(void **state)
{
    (void)state;
    struct block block;
    assert_int_equal(block_open(small_block(), &block), ERR_OK);
    const struct {
        const char *key;
        unsigned at;
    } cases[] = {{"a", 0}, {"b", 0}, {"bb", 1}, {"d", 1}, {"da", 2}, {"dd", 2}, {"ddd", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(block_lower(&block, span_text(cases[i].key)), cases[i].at);
}

static void a_full_block_refuses_and_stays_within_its_bound(void **state)
{
    (void)state;
    char key[BLOCK_KEY_MAX], value[INDEX_VALUE_MAX];
    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    for (size_t key_len = 1; key_len <= BLOCK_KEY_MAX; key_len++) {
        struct index_entry e = {span_of(key, key_len), span_of(value, key_len / 2), {7}};
        unsigned added = 0;
        block_begin(&builder);
        while (block_add(&builder, &e))
            added++;
        struct span sealed = block_seal(&builder);
        struct block block;
        assert_true(added > 10 && sealed.len <= BLOCK_BYTES_MAX);
        assert_int_equal(block_open(sealed, &block), ERR_OK);
        assert_int_equal(block.count, added);
    }
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state)
{
    (void)state;
    struct span good = small_block();
    uint8_t copy[256];
    struct block block;
    for (size_t bit = 0; bit < good.len * 8; bit++) {
        memcpy(copy, good.ptr, good.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(block_open(span_of(copy, good.len), &block), ERR_CORRUPT);
    }
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(block_open(span_of(good.ptr, len), &block), ERR_CORRUPT);
}

/* A checksum proves the bytes, not that they are a block. */
static void what_is_no_block_is_not_opened_though_its_checksum_is_right(void **state)
{
    (void)state;
    enum { KEY_LEN = BLOCK_HEAD, KEY = BLOCK_HEAD + BLOCK_ENTRY_HEAD, OFFSET = KEY + 1 };
    static const struct {
        size_t len; /* of one whose only entry has a key of a byte; its offset stands last */
        uint8_t count[2], key_len, offset;
        bool good;
    } cases[] = {
        {OFFSET + 2, {0, 1}, 1, BLOCK_HEAD, true},
        {OFFSET + 2, {0, 1}, 1, BLOCK_HEAD + 1, false},
        {OFFSET + 2, {0, 1}, 0, BLOCK_HEAD, false},
        {OFFSET + 2, {0, 1}, 2, BLOCK_HEAD, false},
        {OFFSET + 3, {0, 1}, 1, BLOCK_HEAD, false},
        {OFFSET + 2, {0, 0}, 1, BLOCK_HEAD, false},
        {OFFSET + 2, {0xff, 0xff}, 1, BLOCK_HEAD, false},
        {BLOCK_HEAD + 2, {0, 1}, 0, BLOCK_HEAD, false},
        {BLOCK_HEAD - 1, {0, 0}, 0, 0, false},
        {BLOCK_HEAD - 2, {0, 0}, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[32] = {CODEC_VERSION};
        size_t len = cases[i].len;
        struct block block;
        memcpy(bytes + CODEC_HEAD, cases[i].count, 2);
        bytes[KEY_LEN] = cases[i].key_len;
        put_be16(bytes + len - 2, cases[i].offset);
        put_be32(bytes + 1, hash_checksum(span_of(bytes + CODEC_HEAD, len - CODEC_HEAD)));
        assert_int_equal(block_open(span_of(bytes, len), &block),
                         cases[i].good ? ERR_OK : ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_out_as_they_went_in),
        cmocka_unit_test(a_search_finds_the_first_key_that_is_not_less),
        cmocka_unit_test(a_full_block_refuses_and_stays_within_its_bound),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
        cmocka_unit_test(what_is_no_block_is_not_opened_though_its_checksum_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
