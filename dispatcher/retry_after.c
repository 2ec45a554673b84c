/* Retry-After comes from subscribers, so it is parsed by hand: no library call here depends on the
 * locale or the time zone, and nothing a peer writes can overflow.
 *
 * HTTP-date (RFC 9110 section 5.6.7) is case-sensitive and fixed in form. A day name must be a day
 * name, but whether it is the right one for the date is not checked: the date alone counts. */
#include "dispatcher/retry_after.h"

#include "base/bounds.h"

#include <time.h>

static const char day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    int year, month, day; /* month 0-11 */
    int hour, minute, second;
};

static bool take_char(struct span *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = span_skip(*s, 1);
    return true;
}

static bool take_text(struct span *s, const char *text)
{
    struct span t = span_text(text);
    if (!span_starts(*s, t))
        return false;
    *s = span_skip(*s, t.len);
    return true;
}

static bool take_number(struct span *s, unsigned digits, int *out)
{
    if (s->len < digits)
        return false;
    int value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = span_skip(*s, digits);
    *out = value;
    return true;
}

static bool take_day_name(struct span *s, bool in_full)
{
    for (unsigned i = 0; i < 7; i++) {
        struct span name = span_of(day_names[i], in_full ? strlen(day_names[i]) : 3);
        if (span_starts(*s, name)) {
            *s = span_skip(*s, name.len);
            return true;
        }
    }
    return false;
}

static bool take_month(struct span *s, int *out)
{
    for (int i = 0; i < 12; i++) {
        if (take_text(s, month_names[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool take_time(struct span *s, struct civil *c)
{
    return take_number(s, 2, &c->hour) && take_char(s, ':') && take_number(s, 2, &c->minute) &&
           take_char(s, ':') && take_number(s, 2, &c->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_imf(struct span s, struct civil *c)
{
    return take_day_name(&s, false) && take_text(&s, ", ") && take_number(&s, 2, &c->day) &&
           take_char(&s, ' ') && take_month(&s, &c->month) && take_char(&s, ' ') &&
           take_number(&s, 4, &c->year) && take_char(&s, ' ') && take_time(&s, c) &&
           take_text(&s, " GMT") && s.len == 0;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; the year is left at 0-99. */
static bool parse_rfc850(struct span s, struct civil *c)
{
    return take_day_name(&s, true) && take_text(&s, ", ") && take_number(&s, 2, &c->day) &&
           take_char(&s, '-') && take_month(&s, &c->month) && take_char(&s, '-') &&
           take_number(&s, 2, &c->year) && take_char(&s, ' ') && take_time(&s, c) &&
           take_text(&s, " GMT") && s.len == 0;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(struct span s, struct civil *c)
{
    return take_day_name(&s, false) && take_char(&s, ' ') && take_month(&s, &c->month) &&
           take_char(&s, ' ') && take_number(&s, take_char(&s, ' ') ? 1 : 2, &c->day) &&
           take_char(&s, ' ') && take_time(&s, c) && take_char(&s, ' ') &&
           take_number(&s, 4, &c->year) && s.len == 0;
}

/* False when there is no such moment. Second 60 is a leap second. */
static bool civil_seconds(const struct civil *c, int64_t *out)
{
    if (c->hour > 23 || c->minute > 59 || c->second > 60 || c->day < 1)
        return false;
    struct tm midnight = {.tm_year = c->year - 1900, .tm_mon = c->month, .tm_mday = c->day};
    time_t seconds = timegm(&midnight); /* moves 30 February into March: then the day differs */
    if (midnight.tm_mday != c->day)
        return false;
    *out = (int64_t)seconds + c->hour * 3600 + c->minute * 60 + c->second;
    return true;
}

/* RFC 9110 section 5.6.7: a two-digit year that appears to be more than 50 years in the future is
 * the most recent one in the past with these digits. So: the latest one within 50 years of now. */
static bool century_seconds(struct civil c, int64_t now_s, int64_t *out)
{
    const int64_t fifty_years = INT64_C(50) * 31556952; /* of 365.2425 days */
    time_t now = (time_t)now_s;
    struct tm today;
    if (!gmtime_r(&now, &today))
        return false;
    int two_digits = c.year;
    int this_century = (today.tm_year + 1900) / 100 * 100;
    for (int century = this_century + 100; century >= this_century - 100; century -= 100) {
        c.year = century + two_digits;
        if (civil_seconds(&c, out) && *out <= now_s + fifty_years)
            return true;
    }
    return false;
}

static bool parse_date(struct span value, int64_t now_s, int64_t *out)
{
    struct civil c = {0};
    if (parse_imf(value, &c) || parse_asctime(value, &c))
        return civil_seconds(&c, out);
    return parse_rfc850(value, &c) && century_seconds(c, now_s, out);
}

/* -1 unless all digits. Stops counting at the cap, so that no length overflows. */
static int64_t parse_seconds(struct span value)
{
    int64_t seconds = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return -1;
        if (seconds < RETRY_AFTER_MAX_S)
            seconds = seconds * 10 + (value.ptr[i] - '0');
    }
    return value.len > 0 ? seconds : -1;
}

int64_t retry_after_parse(struct span value, struct wall now)
{
    const int64_t longest = RETRY_AFTER_MAX_S * US_PER_S;
    value = span_trim(value);
    int64_t wait = parse_seconds(value) * US_PER_S;
    int64_t date;
    if (wait < 0) {
        if (!parse_date(value, now.us / US_PER_S, &date))
            return -1;
        wait = date * US_PER_S - now.us;
    }
    if (wait < 0)
        return 0;
    return wait < longest ? wait : longest;
}
