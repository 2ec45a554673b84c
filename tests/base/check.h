/* What every unit test of base/ needs: cmocka with its prerequisites, and a comparison of bytes. */
#ifndef TESTS_BASE_CHECK_H
#define TESTS_BASE_CHECK_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails and shows both texts unless the span holds exactly the text. */
static inline void check_text(struct span got, const char *expected)
{
    if (!span_is(got, expected))
        fail_msg("\"%.*s\" instead of \"%s\"", SPAN_ARG(got), expected);
}

#endif
