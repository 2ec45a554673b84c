/* The chaos receiver of the tests: a listener for each behaviour, the gentle ones of `surehook
 * listen --chaos` and those that flood.
 *
 * Prints one line of JSON once it listens: the port of each. A line on stdin is answered by one
 * line of JSON: what each listener saw. Ends with its stdin. */
#include "http/chaos.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define ENDLESS UINT64_MAX

/* A gzip file up to the middle of its first block, in which every further zero byte stands for
 * 1,032 more: a bomb without end. */
#define GZIP_OPENING                                                                               \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08" \
    "\x0a"
#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_128 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16

static const struct chaos_behaviour wild[] = {
    {.name = "endless-body",
     .opening = SPAN(OK "\r\n"),
     .piece = SPAN("0123456789abcdef0123456789abcdef"),
     .pieces = ENDLESS},
    {.name = "endless-chunks",
     .opening = SPAN(OK "transfer-encoding: chunked\r\n\r\n"),
     .piece = SPAN("10\r\n0123456789abcdef\r\n"),
     .pieces = ENDLESS},
    {.name = "endless-trailers",
     .opening = SPAN(OK "transfer-encoding: chunked\r\n\r\n0\r\n"),
     .piece = SPAN("x-filler: 0123456789abcdef\r\n"),
     .pieces = ENDLESS},
    {.name = "endless-refusal",
     .opening = SPAN("HTTP/1.1 500 No\r\n\r\n"),
     .piece = SPAN("0123456789abcdef0123456789abcdef"),
     .pieces = ENDLESS},
    {.name = "drip-refusal",
     .opening = SPAN("HTTP/1.1 500 No\r\n\r\n"),
     .piece = SPAN("x"),
     .pieces = ENDLESS,
     .pause_us = US_PER_S},
    {.name = "headers-100000",
     .opening = SPAN(OK),
     .piece = SPAN("x-filler: 0123456789abcdef\r\n"),
     .pieces = 100000},
    {.name = "headers-short", /* the most lines in the fewest bytes */
     .opening = SPAN(OK),
     .piece = SPAN("x:\r\n"),
     .pieces = 100000},
    {.name = "header-endless",
     .opening = SPAN(OK "x-long: "),
     .piece = SPAN("0123456789abcdef"),
     .pieces = ENDLESS},
    {.name = "informational-flood",
     .piece = SPAN("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
     .pieces = ENDLESS},
    {.name = "continue-flood", .piece = SPAN("HTTP/1.1 100 Continue\r\n\r\n"), .pieces = ENDLESS},
    {.name = "switching-protocols",
     .opening = SPAN("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
     .piece = SPAN("x"),
     .pieces = ENDLESS,
     .pause_us = 5 * US_PER_MS},
    {.name = "gzip-bomb",
     .opening = SPAN(OK "content-encoding: gzip\r\n\r\n" GZIP_OPENING),
     .piece = SPAN(ZEROS_128),
     .pieces = ENDLESS},
    {.name = "gzip-bomb-in-transfer",
     .opening = SPAN(OK "transfer-encoding: gzip\r\n\r\n" GZIP_OPENING),
     .piece = SPAN(ZEROS_128),
     .pieces = ENDLESS},
    {.name = "encodings",
     .opening = SPAN(OK "transfer-encoding: gzip, gzip, gzip, gzip, gzip, gzip, gzip\r\n\r\n")},
    {.name = "garbage-flood",
     .piece = SPAN("\x80\x13\xff\x00\x9a\r\xc3\n\x07\x7f\xee\x01zz\x00\xfe"),
     .pieces = ENDLESS},
    {.name = "garbage-in-headers", .opening = SPAN(OK "\x01\xff no header\r\n\r\n")},
    {.name = "length-negative", .opening = SPAN(OK "content-length: -1\r\n\r\n")},
    {.name = "length-huge",
     .opening = SPAN(OK "content-length: 99999999999999999999\r\n\r\n"),
     .end = CHAOS_CLOSE},
    {.name = "chunk-huge",
     .opening = SPAN(OK "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
     .end = CHAOS_CLOSE},
    {.name = "status-000", .opening = SPAN("HTTP/1.1 000 Zero\r\n\r\n"), .end = CHAOS_CLOSE},
    {.name = "http2-unasked",
     .opening = SPAN("\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
     .end = CHAOS_HOLD},
    {.name = "tls-flood",
     .cue = CHAOS_ON_BYTES,
     .piece = SPAN("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
     .pieces = ENDLESS},
    {.name = "tls-drip",
     .cue = CHAOS_ON_BYTES,
     .opening = SPAN("\x16\x03\x03\x40\x00\x02\x00\x00\x76\x03\x03"),
     .piece = SPAN("x"),
     .pieces = ENDLESS,
     .pause_us = US_PER_S},
    {.name = "tls-plain", .cue = CHAOS_ON_BYTES, .opening = SPAN(OK "\r\n"), .end = CHAOS_CLOSE},
};
#define WILD_COUNT (sizeof wild / sizeof *wild)

static const struct chaos_behaviour *behaviour(size_t i)
{
    return i < WILD_COUNT                        ? &wild[i]
           : i < WILD_COUNT + chaos_gentle_count ? &chaos_gentle[i - WILD_COUNT]
                                                 : NULL;
}

/* One line: what each listens on. */
static void listen_for_all(struct chaos *c)
{
    char address[LISTEN_ADDRESS_MAX];
    for (size_t i = 0; behaviour(i); i++) {
        if (chaos_listen(c, "127.0.0.1:0", behaviour(i), address))
            abort();
        printf("%c\"%s\":%s", i ? ',' : '{', behaviour(i)->name, strrchr(address, ':') + 1);
    }
    printf("}\n");
}

static void report(struct chaos *c)
{
    for (size_t i = 0; behaviour(i); i++) {
        const struct chaos_figures f = chaos_figures(c, i);
        printf("%c\"%s\":{\"connections\":%llu,\"begun\":%llu,\"longest_us\":%lld}", i ? ',' : '{',
               behaviour(i)->name, (unsigned long long)f.connections, (unsigned long long)f.begun,
               (long long)f.longest_us);
    }
    printf("}\n");
    fflush(stdout);
}

int main(void)
{
    char line[64];
    struct chaos *c = chaos_new(NULL, NULL);
    if (!c)
        return 1;
    listen_for_all(c);
    if (chaos_start(c))
        return 1;
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        report(c);
    chaos_stop(&c);
    return 0;
}
