/* Randomness: from the kernel for secrets, a small seeded generator for jitter. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* From getrandom(2); cannot fail on a running Linux, aborts if it does. Any thread. */
void rand_bytes(void *out, size_t len);

/* xoshiro256++; owned by one thread. The same seed gives the same numbers, for replayable tests. */
struct rng {
    uint64_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Uniform in [0, 1). */
double rng_unit(struct rng *r);

#endif
