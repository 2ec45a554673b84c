/* The filter of an endpoint as a function of plain values, so that fan-out, large fan-out and tests
 * share one answer. Names are compared whole and byte for byte: a prefix is not a match. */
#include "store/match.h"

static bool contains(const struct span *set, unsigned count, struct span name)
{
    for (unsigned i = 0; i < count; i++)
        if (span_eq(set[i], name))
            return true;
    return false;
}

bool match(const struct match_rule *rule, const struct match_subject *subject)
{
    if (rule->filter_count && !contains(rule->filters, rule->filter_count, subject->event_type))
        return false;
    if (!rule->channel_count)
        return true;
    for (unsigned i = 0; i < subject->channel_count; i++)
        if (contains(rule->channels, rule->channel_count, subject->channels[i]))
            return true;
    return false;
}

bool match_play(struct span url)
{
    struct span scheme = span_cut(&url, ':');
    if (!span_is(scheme, "https") || !span_starts(url, SPAN("//")))
        return false;
    url = span_skip(url, 2);
    struct span host = span_cut(&url, '/');
    host = span_cut(&host, ':');
    return span_is(host, "play.svix.com") || span_is(host, "api.play.svix.com");
}
