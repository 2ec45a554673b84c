/* Health answers from the HTTP thread alone: that it answers is what it says. A process whose disk
 * failed stops and answers nothing. */
#include "admin/handlers.h"

void health_get_route(struct request *req)
{
    request_reply_empty(req, 204);
}
