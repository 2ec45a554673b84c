/* The guard's verdict on addresses by the million: 16 bytes each on stdin, one letter each on
 * stdout, p(ublic), a(llowed) or r(efused). The socket and the text entrance must agree on each.
 *
 *     judge 4|6 [SUBNETS]      an IPv4 address stands in the first 4 of its 16 bytes */
#include "dispatcher/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define CHUNK 4096

static char letter(enum guard_answer answer)
{
    switch (answer) {
    case GUARD_PUBLIC:
        return 'p';
    case GUARD_ALLOWED:
        return 'a';
    case GUARD_REFUSED:
        return 'r';
    }
    abort();
}

static enum guard_answer judge_socket(const struct guard *g, int family, const uint8_t *bytes)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (family == AF_INET) {
        memcpy(&in4.sin_addr, bytes, 4);
        return guard_judge(g, (const struct sockaddr *)&in4);
    }
    memcpy(&in6.sin6_addr, bytes, 16);
    return guard_judge(g, (const struct sockaddr *)&in6);
}

static char judge(const struct guard *g, int family, const uint8_t *bytes)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, bytes, text, sizeof text);
    enum guard_answer by_socket = judge_socket(g, family, bytes);
    if (guard_judge_text(g, text) != by_socket) {
        fprintf(stderr, "judge: %s is another as text\n", text);
        exit(1);
    }
    return letter(by_socket);
}

int main(int count, char **words)
{
    static uint8_t in[CHUNK][16];
    static char out[CHUNK];
    struct guard guard;
    const char *why = "usage: judge 4|6 [SUBNETS]";
    if (count < 2 || guard_parse(count > 2 ? words[2] : "", &guard, &why)) {
        fprintf(stderr, "judge: %s\n", why);
        return 2;
    }
    int family = strcmp(words[1], "4") == 0 ? AF_INET : AF_INET6;
    for (size_t n; (n = fread(in, sizeof *in, CHUNK, stdin)) > 0;) {
        for (size_t i = 0; i < n; i++)
            out[i] = judge(&guard, family, in[i]);
        if (fwrite(out, 1, n, stdout) != n)
            return 1;
    }
    return fflush(stdout) || ferror(stdin);
}
