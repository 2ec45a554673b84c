/* The two clocks, and RFC 3339 text without the C library's time zones and locales.
 *
 * The calendar is the proleptic Gregorian one in years 0000-9999; what lies outside is written as
 * the nearest moment inside. */
#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>

static _Atomic bool faked;
static _Atomic int64_t fake_wall_us, fake_mono_us;

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    int failed = clock_gettime(which, &t);
    assert(!failed);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

struct wall clock_wall(void)
{
    if (atomic_load_explicit(&faked, memory_order_acquire))
        return (struct wall){fake_wall_us};
    return (struct wall){read_clock(CLOCK_REALTIME)};
}

struct mono clock_mono(void)
{
    if (atomic_load_explicit(&faked, memory_order_acquire))
        return (struct mono){fake_mono_us};
    return (struct mono){read_clock(CLOCK_MONOTONIC)};
}

void clock_fake(struct wall wall, struct mono mono)
{
    fake_wall_us = wall.us;
    fake_mono_us = mono.us;
    atomic_store_explicit(&faked, true, memory_order_release);
}

void clock_real(void)
{
    atomic_store_explicit(&faked, false, memory_order_release);
}

static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

struct wall wall_add(struct wall t, int64_t us)
{
    return (struct wall){add_clamped(t.us, us)};
}

struct mono mono_add(struct mono t, int64_t us)
{
    return (struct mono){add_clamped(t.us, us)};
}

#define DAY_S 86400
#define EPOCH_DAYS 719468                               /* 0000-03-01 to 1970-01-01 */
#define YEAR_0000_US (INT64_C(-62167219200) * US_PER_S) /* 0000-01-01T00:00:00Z */
#define YEAR_9999_US (INT64_C(253402300800) * US_PER_S - 1)

/* Days since 1970-01-01 and back, counted in eras of 400 years that begin on 1 March, so that the
 * leap day is the last day of a year. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = year - (month <= 2) + 400; /* 400 more: never negative */
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (era - 1) * 146097 + day_of_era - EPOCH_DAYS;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + EPOCH_DAYS + 146097; /* one era more: never negative */
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + (era - 1) * 400 + (*month <= 2));
}

static char *put_digits(char *at, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

void wall_format(struct wall t, char out[WALL_TEXT_LEN + 1])
{
    int64_t us = t.us < YEAR_0000_US ? YEAR_0000_US : t.us > YEAR_9999_US ? YEAR_9999_US : t.us;
    int64_t since_0000 = us - YEAR_0000_US;
    int64_t fraction = since_0000 % US_PER_S;
    int64_t second = since_0000 / US_PER_S % DAY_S;
    int year, month, day;
    char *at = out;

    date_from_days(since_0000 / US_PER_S / DAY_S + YEAR_0000_US / US_PER_S / DAY_S, &year, &month,
                   &day);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, second % 60, 2);
    *at++ = '.';
    at = put_digits(at, fraction, 6);
    *at++ = 'Z';
    *at = '\0';
}

/* Takes exactly `width` digits off the front. */
static bool take_number(struct span *s, size_t width, int *out)
{
    *out = 0;
    if (s->len < width)
        return false;
    for (size_t i = 0; i < width; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        *out = *out * 10 + (s->ptr[i] - '0');
    }
    *s = span_skip(*s, width);
    return true;
}

/* Takes one character out of `set` off the front. */
static bool take_char(struct span *s, const char *set)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(set, s->ptr[0]))
        return false;
    *s = span_skip(*s, 1);
    return true;
}

static bool take_date(struct span *s, int64_t *days)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;

    if (!take_number(s, 4, &year) || !take_char(s, "-") || !take_number(s, 2, &month) ||
        !take_char(s, "-") || !take_number(s, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    *days = days_from_date(year, month, day);
    return true;
}

/* hh:mm:ss and a fraction of up to nine digits; what is below a microsecond is cut off. Second 60
 * is a leap second and means the first moment after it. */
static bool take_time(struct span *s, int64_t *us)
{
    int hour, minute, second;

    if (!take_number(s, 2, &hour) || !take_char(s, ":") || !take_number(s, 2, &minute) ||
        !take_char(s, ":") || !take_number(s, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *us = (hour * 3600 + minute * 60 + second) * US_PER_S;
    if (!take_char(s, "."))
        return true;
    int64_t unit = US_PER_S / 10;
    int digits = 0, digit;
    while (take_number(s, 1, &digit)) {
        *us += digit * unit;
        unit /= 10;
        digits++;
    }
    return digits >= 1 && digits <= 9;
}

static bool take_offset(struct span *s, int64_t *us)
{
    int hour, minute;

    *us = 0;
    if (take_char(s, "Zz"))
        return true;
    if (span_eq(*s, SPAN(" UTC"))) {
        *s = span_skip(*s, s->len);
        return true;
    }
    int64_t sign = s->len && s->ptr[0] == '-' ? -1 : 1;
    if (!take_char(s, "+-") || !take_number(s, 2, &hour) || !take_char(s, ":") ||
        !take_number(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *us = sign * (hour * 3600 + minute * 60) * US_PER_S;
    return true;
}

enum err wall_parse(struct span text, struct wall *out)
{
    int64_t days, time_us, offset_us;

    if (!take_date(&text, &days) || !take_char(&text, "Tt ") || !take_time(&text, &time_us) ||
        !take_offset(&text, &offset_us) || text.len != 0)
        return ERR_INVALID;
    out->us = days * DAY_S * US_PER_S + time_us - offset_us;
    return ERR_OK;
}
