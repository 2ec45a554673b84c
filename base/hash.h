/* Digests, checksums and text encodings of bytes. All pure, any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/buf.h"

#define SHA256_BYTES 32

void hash_sha256(struct span data, uint8_t out[SHA256_BYTES]);
void hash_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES]);
/* A fast checksum against accidents, not against attackers: XXH3, the low 32 bits. */
uint32_t hash_checksum(struct span data);
/* A 64-bit hash for tables, seeded once per process from the kernel, so that a client cannot
 * choose colliding keys. Not stable between processes. */
uint64_t hash_table(struct span data);
/* A 128-bit hash that is stable on disk (XXH3-128, seed 0): identity of an idempotency key. The
 * caller mixes a secret in where an attacker chooses the input. */
void hash_128(struct span data, uint8_t out[16]);
/* Equal, in time that depends on the length alone. */
bool hash_same(struct span a, struct span b);

/* RFC 4648 base64 with padding. */
void base64_encode(struct span data, struct buf *out);
/* Strict: ERR_INVALID on any character, padding or trailing bit that an encoder would not write. */
enum err base64_decode(struct span text, struct buf *out) MUST_CHECK;
/* RFC 4648 base64url; the decoder takes it without padding (as JWT writes it). */
enum err base64url_decode(struct span text, struct buf *out) MUST_CHECK;

#endif
