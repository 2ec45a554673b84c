/* Names and texts of the error list, generated from it so that they cannot drift apart. */
#include "base/err.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} errors[] = {
#define ERR_ROW(name, text) {#name, text},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

const char *err_name(enum err e)
{
    return (size_t)e < sizeof errors / sizeof *errors ? errors[e].name : "UNKNOWN";
}

const char *err_text(enum err e)
{
    return (size_t)e < sizeof errors / sizeof *errors ? errors[e].text : "unknown error";
}
