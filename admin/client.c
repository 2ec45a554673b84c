/* Version 1 of the SDKs knows no canceled state and expects an empty answer to a rotated secret;
 * version 2 parses both. The route and the method are the same, so the client's name decides. */
#include "admin/client.h"

unsigned client_sdk_major(struct span user_agent)
{
    struct span name = SPAN("svix-libs/");
    if (!span_starts(user_agent, name))
        return 0;
    struct span version = span_skip(user_agent, name.len);
    unsigned major = 0;
    for (size_t i = 0; i < version.len && i < 4; i++) {
        if (version.ptr[i] < '0' || version.ptr[i] > '9')
            return version.ptr[i] == '.' ? major : 0;
        major = major * 10 + (unsigned)(version.ptr[i] - '0');
    }
    return 0;
}

unsigned client_of(const struct request *req)
{
    struct span agent;
    return request_header(req, "user-agent", &agent) ? client_sdk_major(agent) : 0;
}
