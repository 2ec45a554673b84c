/* `surehook key create|list|revoke`. */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/control.h"

static const char help[] =
    "usage: surehook key create --scope admin|ingest|read|app [--app ID-or-uid] [--org ID]\n"
    "                           [--name TEXT] [--expires DURATION] [--data DIR]\n"
    "       surehook key list [--data DIR]\n"
    "       surehook key revoke KEY-ID [--data DIR]\n"
    "\n"
    "Works on a running service through its control socket, and on a stopped one.\n"
    "The token is printed once, by create; only its hash is stored.\n"
    "The options of `surehook serve` that open the data directory are taken, too.\n";

/* Options that belong to `key create` and not to the service: taken out of argv into the request. */
static const char *const own_options[] = {"scope", "app", "org", "name", "expires"};

/* A text that is not UTF-8 stays an empty one: dropped, an option would count as not given. */
static void keep(json_t *request, const char *name, const char *value)
{
    json_t *text = json_string(value);
    json_object_set_new(request, name, text ? text : json_string(""));
}

static bool take_own(json_t *request, const char *word, const char *value, bool *used_value)
{
    if (strncmp(word, "--", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof own_options / sizeof *own_options; i++) {
        size_t len = strlen(own_options[i]);
        if (strncmp(word + 2, own_options[i], len) != 0)
            continue;
        if (word[2 + len] == '=') {
            keep(request, own_options[i], word + 3 + len);
            return true;
        }
        if (word[2 + len] == 0 && value) {
            keep(request, own_options[i], value);
            *used_value = true;
            return true;
        }
    }
    return false;
}

static void print_key(const json_t *key)
{
    const char *app = json_string_value(json_object_get(key, "app"));
    const char *expires = json_string_value(json_object_get(key, "expires"));
    printf("%s  %-6s  %s  %s  %s%s%s%s\n", json_string_value(json_object_get(key, "id")),
           json_string_value(json_object_get(key, "scope")),
           json_string_value(json_object_get(key, "org")),
           json_string_value(json_object_get(key, "created")),
           json_string_value(json_object_get(key, "name")), app ? "  " : "", app ? app : "",
           expires ? "  (expires)" : "");
}

static int print_answer(const json_t *answer)
{
    const char *token = json_string_value(json_object_get(answer, "token"));
    const json_t *keys = json_object_get(answer, "keys");
    if (token) {
        printf("%s\n", token);
        fprintf(stderr, "%s: keep the token, it is not shown again\n",
                json_string_value(json_object_get(answer, "id")));
    }
    for (size_t i = 0; i < json_array_size(keys); i++)
        print_key(json_array_get(keys, i));
    return 0;
}

/* Splits argv into the request's own options and what config_load gets. */
static json_t *request_from(int argc, char **argv, char **others, int *other_count)
{
    json_t *request = json_object();
    *other_count = 0;
    for (int i = 0; i < argc; i++) {
        bool used_value = false;
        if (!take_own(request, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_value))
            others[(*other_count)++] = argv[i];
        i += used_value;
    }
    return request;
}

static int run(json_t *request, const struct config *config, char **words, int word_count)
{
    const char *verb = word_count > 0 ? words[0] : "";
    bool create = strcmp(verb, "create") == 0, list = strcmp(verb, "list") == 0;
    bool revoke = strcmp(verb, "revoke") == 0;
    if (!(create || list || revoke) || word_count != (revoke ? 2 : 1) ||
        (!create && json_object_size(request))) {
        fputs(help, stderr);
        return 2;
    }
    char name[32];
    snprintf(name, sizeof name, "key.%s", verb);
    json_object_set_new(request, "do", json_string(name));
    if (revoke)
        json_object_set_new(request, "id", json_string(words[1]));
    json_t *answer = control_run(config, request);
    int status = answer ? print_answer(answer) : 1;
    json_decref(answer);
    return status;
}

int command_key(int argc, char **argv)
{
    char *others[64], *words[64];
    int other_count = 0, word_count = 0;
    if (argc > 0 && argc <= 2 && strcmp(argv[argc - 1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc == 0 || argc > 64) {
        fputs(help, stderr);
        return 2;
    }
    json_t *request = request_from(argc, argv, others, &other_count);
    struct config config;
    int status = 2;
    if (!config_load(&config, other_count, others, words, &word_count)) {
        log_setup(LOG_WARN, LOG_TEXT);
        status = run(request, &config, words, word_count);
        config_release(&config);
    }
    json_decref(request);
    return status;
}
