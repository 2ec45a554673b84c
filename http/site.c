/* The refusals' names and their counting, in one table. */
#include "http/site.h"

const char *refusal_name(enum refusal r)
{
    static const char *const names[REFUSAL_COUNT] = {
        [REFUSED_MALFORMED] = "malformed",
        [REFUSED_TOO_LARGE] = "too_large",
        [REFUSED_TIMEOUT] = "timeout",
        [REFUSED_UNAUTHENTICATED] = "unauthenticated",
        [REFUSED_FORBIDDEN] = "forbidden",
        [REFUSED_INVALID] = "invalid",
        [REFUSED_BUSY] = "busy",
        [REFUSED_FULL] = "full",
        [REFUSED_CONNECTIONS] = "connections",
    };
    return names[r];
}

void site_count_status(struct site *site, unsigned status)
{
    static const struct {
        unsigned status;
        enum refusal refusal;
    } refusals[] = {
        {400, REFUSED_INVALID},   {401, REFUSED_UNAUTHENTICATED}, {403, REFUSED_FORBIDDEN},
        {413, REFUSED_TOO_LARGE}, {422, REFUSED_INVALID},         {503, REFUSED_BUSY},
        {507, REFUSED_FULL},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].status == status)
            counter_add(&site->stats.refused[refusals[i].refusal], 1);
}
