/* What the fuzz targets share. A target is one function that takes any bytes and checks a property
 * of what a parser makes of them; it is linked with libFuzzer (`make fuzz`), and with replay.c, so
 * that `make test` shows it every input of its corpus. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/buf.h"

#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property; when it does not hold the process dies, which keeps the input. */
#define HOLDS(condition) \
    ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__, __func__))

_Noreturn static inline void fuzz_broken(const char *what, const char *file, int line,
                                         const char *function)
{
    fprintf(stderr, "%s:%d: %s: does not hold: %s\n", file, line, function, what);
    abort();
}

/* Whether the target must have its planted bug: fuzzing has to find it, or finds nothing else. */
static inline bool fuzz_planted(void)
{
    static int planted = -1;
    if (planted < 0)
        planted = getenv("FUZZ_PLANT") != NULL;
    return planted;
}

/* One byte off the front, below `limit`: what the rest is for. */
static inline unsigned fuzz_choice(struct span *input, unsigned limit)
{
    unsigned choice = input->len ? (uint8_t)input->ptr[0] % limit : 0;
    *input = span_skip(*input, 1);
    return choice;
}

/* A copy of exactly its length, so that a sanitizer sees a read past the end; free it. */
static inline struct span fuzz_copy(struct span s)
{
    char *copy = malloc(s.len + (s.len == 0));
    HOLDS(copy);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return span_of(copy, s.len);
}

/* The same with a NUL behind it; one inside cuts the text off. free it. */
static inline char *fuzz_text(struct span s)
{
    char *copy = malloc(s.len + 1);
    HOLDS(copy);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

/* Whether every byte is one of these. */
static inline bool fuzz_only(struct span s, const char *bytes)
{
    for (size_t i = 0; i < s.len; i++)
        if (!memchr(bytes, s.ptr[i], strlen(bytes)))
            return false;
    return true;
}

#define FUZZ_DIGITS "0123456789"
#define FUZZ_ALNUM FUZZ_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define FUZZ_TOKEN FUZZ_ALNUM "!#$%&'*+-.^_`|~" /* RFC 9110 section 5.6.2 */

/* No control bytes but tabs. */
static inline bool fuzz_is_field_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c != '\t' && (c < 32 || c == 127))
            return false;
    }
    return true;
}

#endif
