/* What option.c and the printed forms of the table share. */
#ifndef BASE_OPTION_PRINT_H
#define BASE_OPTION_PRINT_H

#include "base/option.h"

bool option_has_range(const struct option *o);
/* A minimum or maximum of the option, in the unit in which its value is written. */
void option_print_bound(const struct option *o, double bound, struct buf *out);

#endif
