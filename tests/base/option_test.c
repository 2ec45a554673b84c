/* Options: precedence of the sources, every type, and errors that name key, source and rule. */
#include "base/option.h"

#include "tests/base/check.h"

#include <unistd.h>

struct target {
    const char *config;
    const char *listen;
    const char *secret;
    bool https_only;
    int64_t threads;
    double jitter;
    int64_t map_size;
    int64_t timeout;
    int signature;
    struct durations schedule;
};

#define AT(field) .offset = offsetof(struct target, field)

static const char *const signatures[] = {"hmac", "ed25519", NULL};

static const struct option table[] = {
    {"config", OPTION_TEXT, AT(config), .help = "File with options."},
    {"listen", OPTION_TEXT, AT(listen), .fallback = "127.0.0.1:8071", .help = "Address."},
    {"main-secret", OPTION_TEXT, AT(secret), .secret = true, .help = "Secret."},
    {"https-only", OPTION_FLAG, AT(https_only), .fallback = "false", .help = "Refuse http."},
    {"threads", OPTION_INTEGER, AT(threads), .fallback = "2", .min = 1, .max = 64,
     .help = "Count."},
    {"retry-jitter", OPTION_NUMBER, AT(jitter), .fallback = "1", .min = 0, .max = 1,
     .help = "Spread."},
    {"map-size", OPTION_SIZE, AT(map_size), .fallback = "1g", .min = 1 << 20, .max = 1LL << 40,
     .help = "Size."},
    {"timeout", OPTION_DURATION, AT(timeout), .fallback = "15s", .min = 1000, .max = 60e6,
     .help = "Time."},
    {"signature", OPTION_CHOICE, AT(signature), .fallback = "hmac", .choices = signatures,
     .help = "Kind."},
    {"schedule", OPTION_DURATIONS, AT(schedule), .fallback = "5s,5m", .min = 1000, .max = 86400e6,
     .help = "Delays."},
};
#define COUNT (sizeof table / sizeof *table)

struct loaded {
    struct target target;
    struct option_error error;
    char *rest[16];
    int rest_count;
    enum err e;
};

extern char **environ;

/* Words and environment are NULL-terminated lists. */
static struct loaded load_by(enum err (*how)(const struct option *, size_t, void *, int, char **,
                                             char **, int *, struct option_error *),
                             char **words, char **env)
{
    struct loaded l = {.e = ERR_OK};
    char **real = environ;
    int argc = 0;

    while (words[argc])
        argc++;
    environ = env;
    l.e = how(table, COUNT, &l.target, argc, words, l.rest, &l.rest_count, &l.error);
    environ = real;
    return l;
}

static struct loaded load(char **words, char **env)
{
    return load_by(option_load, words, env);
}

static void release(struct loaded *l)
{
    option_release(table, COUNT, &l->target);
    assert_null(l->target.listen);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

static void expect_error(char **words, char **env, const char *text)
{
    struct loaded l = load(words, env);

    assert_int_equal(l.e, ERR_INVALID);
    assert_string_equal(l.error.text, text);
    assert_null(l.target.listen);
}

static void without_any_source_the_defaults_hold(void **state)
{
    (void)state;
    struct loaded l = load(WORDS(NULL), WORDS(NULL));

    assert_int_equal(l.e, ERR_OK);
    assert_null(l.target.config);
    assert_null(l.target.secret);
    assert_string_equal(l.target.listen, "127.0.0.1:8071");
    assert_false(l.target.https_only);
    assert_int_equal(l.target.threads, 2);
    assert_true(l.target.jitter == 1);
    assert_int_equal(l.target.map_size, 1 << 30);
    assert_int_equal(l.target.timeout, 15 * US_PER_S);
    assert_int_equal(l.target.signature, 0);
    assert_int_equal(l.target.schedule.count, 2);
    assert_int_equal(l.target.schedule.us[1], 300 * US_PER_S);
    release(&l);
}

static void words_alone_ignore_the_environment(void **state)
{
    (void)state;
    char **env = WORDS("SUREHOOK_LISTEN=:9", "SUREHOOK_NO_SUCH=1", "SUREHOOK_CONFIG=/no/such");
    struct loaded l = load_by(option_load_words, WORDS("--threads", "3"), env);

    assert_int_equal(l.e, ERR_OK);
    assert_string_equal(l.target.listen, "127.0.0.1:8071");
    assert_int_equal(l.target.threads, 3);
    release(&l);
}

static void every_type_is_read_from_the_command_line(void **state)
{
    (void)state;
    struct loaded l = load(WORDS("--listen", ":1", "--https-only", "--threads=64", "--retry-jitter",
                                 "0.25", "--map-size=2GiB", "--timeout=1s500ms", "--signature",
                                 "ed25519", "--schedule", "1ms, 2s ,3m", "--main-secret=-x=y"),
                           WORDS(NULL));

    assert_int_equal(l.e, ERR_OK);
    assert_string_equal(l.target.listen, ":1");
    assert_true(l.target.https_only);
    assert_int_equal(l.target.threads, 64);
    assert_true(l.target.jitter == 0.25);
    assert_int_equal(l.target.map_size, INT64_C(2) << 30);
    assert_int_equal(l.target.timeout, 1500000);
    assert_int_equal(l.target.signature, 1);
    assert_int_equal(l.target.schedule.count, 3);
    assert_int_equal(l.target.schedule.us[0], 1000);
    assert_int_equal(l.target.schedule.us[2], 180 * US_PER_S);
    assert_string_equal(l.target.secret, "-x=y");
    release(&l);
}

static void an_empty_schedule_is_no_retries(void **state)
{
    (void)state;
    struct loaded l = load(WORDS("--schedule="), WORDS(NULL));

    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(l.target.schedule.count, 0);
    release(&l);
}

static void words_that_are_not_options_are_left_in_order(void **state)
{
    (void)state;
    struct loaded l = load(WORDS("create", "--threads", "3", "-", "--", "--threads"), WORDS(NULL));

    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(l.rest_count, 3);
    assert_string_equal(l.rest[0], "create");
    assert_string_equal(l.rest[1], "-");
    assert_string_equal(l.rest[2], "--threads");
    assert_int_equal(l.target.threads, 3);
    release(&l);
}

/* A configuration file in a temporary directory. */
struct file {
    char dir[32];
    char path[64];
};

static struct file make_file(const char *text)
{
    struct file f = {.dir = "/tmp/option_test.XXXXXX"};

    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof f.path, "%s/conf", f.dir);
    FILE *stream = fopen(f.path, "we");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
    return f;
}

static void remove_file(struct file *f)
{
    unlink(f->path);
    rmdir(f->dir);
}

static void the_command_line_wins_over_the_environment_and_that_over_the_file(void **state)
{
    (void)state;
    struct file f = make_file("threads = 3\n timeout=3s\nlisten\t=\t:3 \nmap-size = 3m\r\n");
    struct loaded l = load(WORDS("--threads=1", "--config", f.path),
                           WORDS("SUREHOOK_THREADS=2", "SUREHOOK_TIMEOUT=2s", "OTHER=1"));

    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(l.target.threads, 1);
    assert_int_equal(l.target.timeout, 2 * US_PER_S);
    assert_string_equal(l.target.listen, ":3");
    assert_int_equal(l.target.map_size, 3 << 20);
    assert_int_equal(l.target.signature, 0);
    release(&l);
    remove_file(&f);
}

static void comments_begin_at_the_start_or_behind_white_space(void **state)
{
    (void)state;
    struct file f = make_file("# all\n  # indented\n\nlisten = a#b # c\nmain-secret=#no\n");
    struct loaded l = load(WORDS("--config", f.path), WORDS(NULL));

    assert_int_equal(l.e, ERR_OK);
    assert_string_equal(l.target.listen, "a#b");
    assert_string_equal(l.target.secret, "#no");
    release(&l);
    remove_file(&f);
}

static void errors_name_the_key_its_source_and_the_rule(void **state)
{
    (void)state;
    expect_error(WORDS(NULL), WORDS("SUREHOOK_RETRY_JITTER=1.5"),
                 "retry-jitter: 1.5 is over the maximum 1 (from SUREHOOK_RETRY_JITTER)");
    expect_error(WORDS("--threads=0"), WORDS(NULL),
                 "threads: 0 is under the minimum 1 (from --threads)");
    expect_error(WORDS("--threads=2.5"), WORDS(NULL),
                 "threads: \"2.5\" is not a whole number (from --threads)");
    expect_error(WORDS("--retry-jitter=nan"), WORDS(NULL),
                 "retry-jitter: \"nan\" is not a number (from --retry-jitter)");
    expect_error(WORDS("--map-size=1k"), WORDS(NULL),
                 "map-size: 1k is under the minimum 1m (from --map-size)");
    expect_error(WORDS("--timeout=1h"), WORDS(NULL),
                 "timeout: 1h is over the maximum 1m (from --timeout)");
    expect_error(WORDS("--timeout=15"), WORDS(NULL),
                 "timeout: \"15\" is not a duration such as 250ms or 1h30m (from --timeout)");
    expect_error(WORDS("--signature=rsa"), WORDS(NULL),
                 "signature: \"rsa\" is not one of hmac, ed25519 (from --signature)");
    expect_error(WORDS("--https-only=yes"), WORDS(NULL),
                 "https-only: \"yes\" is not true or false (from --https-only)");
    expect_error(WORDS("--schedule=1s,,2s"), WORDS(NULL),
                 "schedule: \"1s,,2s\" is not durations separated by commas (from --schedule)");
    expect_error(WORDS("--schedule=1s,"), WORDS(NULL),
                 "schedule: \"1s,\" is not durations separated by commas (from --schedule)");
    expect_error(WORDS("--schedule=1s,0"), WORDS(NULL),
                 "schedule: 0 is under the minimum 1ms (from --schedule)");
}

static void an_empty_secret_is_refused_rather_than_ignored(void **state)
{
    (void)state;
    expect_error(WORDS(NULL), WORDS("SUREHOOK_MAIN_SECRET="),
                 "main-secret: an empty secret protects nothing (from SUREHOOK_MAIN_SECRET)");
}

static void unknown_keys_are_errors_in_every_source(void **state)
{
    (void)state;
    struct file f = make_file("\nthread = 3\n");
    char expected[128];

    expect_error(WORDS("--thread=1"), WORDS(NULL), "unknown option --thread");
    expect_error(WORDS("-t"), WORDS(NULL), "unknown option -t");
    expect_error(WORDS(NULL), WORDS("SUREHOOK_THREAD=1"),
                 "unknown option SUREHOOK_THREAD in the environment");
    expect_error(WORDS(NULL), WORDS("SUREHOOK_threads=1"),
                 "unknown option SUREHOOK_threads in the environment");
    snprintf(expected, sizeof expected, "unknown option thread (from %s, line 2)", f.path);
    expect_error(WORDS("--config", f.path), WORDS(NULL), expected);
    remove_file(&f);
}

static void a_key_given_twice_in_one_source_is_an_error(void **state)
{
    (void)state;
    struct file f = make_file("threads = 3\nthreads = 3\n");
    char expected[128];

    expect_error(WORDS("--threads=1", "--threads=1"), WORDS(NULL),
                 "threads: given twice (from --threads)");
    expect_error(WORDS(NULL), WORDS("SUREHOOK_THREADS=1", "SUREHOOK_THREADS=1"),
                 "threads: given twice (from SUREHOOK_THREADS)");
    snprintf(expected, sizeof expected, "threads: given twice (from %s, line 2)", f.path);
    expect_error(WORDS("--config", f.path, "--threads=1"), WORDS(NULL), expected);
    remove_file(&f);
}

static void a_missing_value_is_an_error(void **state)
{
    (void)state;
    struct file f = make_file("threads\n");
    char expected[128];

    expect_error(WORDS("--threads"), WORDS(NULL), "threads: a value is missing (from --threads)");
    expect_error(WORDS("--threads="), WORDS(NULL),
                 "threads: \"\" is not a whole number (from --threads)");
    snprintf(expected, sizeof expected, "%s, line 1: not of the form name = value", f.path);
    expect_error(WORDS("--config", f.path), WORDS(NULL), expected);
    remove_file(&f);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    expect_error(WORDS("--config=/nonexistent/conf"), WORDS(NULL),
                 "config: cannot read /nonexistent/conf: No such file or directory");
}

static void help_is_aligned_and_shows_the_defaults(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 10000);
    option_help(table + 3, 2, &b);
    check_text(buf_view(&b), "  --https-only   Refuse http.\n"
                             "  --threads n    Count. [2]\n");
    buf_clear(&b);
    option_help(table + 8, 1, &b);
    check_text(buf_view(&b), "  --signature hmac|ed25519  Kind. [hmac]\n");
    buf_free(&b);
}

static void long_help_is_wrapped_at_words_under_its_column(void **state)
{
    (void)state;
    static const struct option wordy = {
        "name", OPTION_TEXT, 0,
        .help =
            "A sentence that is so long that one line of one hundred columns has no room for the "
            "last few words of it."};
    struct buf b;

    buf_init(&b, 10000);
    option_help(&wordy, 1, &b);
    check_text(buf_view(&b),
               "  --name text  A sentence that is so long that one line of one hundred "
               "columns has no room for the\n"
               "               last few words of it.\n");
    buf_free(&b);
}

static void the_reference_is_a_table_with_defaults_and_ranges(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 10000);
    option_reference(table + 6, 3, &b);
    check_text(buf_view(&b), "| Option | Value | Default | Range | Meaning |\n"
                             "|---|---|---|---|---|\n"
                             "| `map-size` | size | `1g` | 1m to 1t | Size. |\n"
                             "| `timeout` | duration | `15s` | 1ms to 1m | Time. |\n"
                             "| `signature` | hmac, ed25519 | `hmac` |  | Kind. |\n");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_source_the_defaults_hold),
        cmocka_unit_test(words_alone_ignore_the_environment),
        cmocka_unit_test(every_type_is_read_from_the_command_line),
        cmocka_unit_test(an_empty_schedule_is_no_retries),
        cmocka_unit_test(words_that_are_not_options_are_left_in_order),
        cmocka_unit_test(the_command_line_wins_over_the_environment_and_that_over_the_file),
        cmocka_unit_test(comments_begin_at_the_start_or_behind_white_space),
        cmocka_unit_test(errors_name_the_key_its_source_and_the_rule),
        cmocka_unit_test(an_empty_secret_is_refused_rather_than_ignored),
        cmocka_unit_test(unknown_keys_are_errors_in_every_source),
        cmocka_unit_test(a_key_given_twice_in_one_source_is_an_error),
        cmocka_unit_test(a_missing_value_is_an_error),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(help_is_aligned_and_shows_the_defaults),
        cmocka_unit_test(long_help_is_wrapped_at_words_under_its_column),
        cmocka_unit_test(the_reference_is_a_table_with_defaults_and_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
