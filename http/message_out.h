/* MessageOut of the API, shared by the routes that create messages and those that read them. */
#ifndef HTTP_MESSAGE_OUT_H
#define HTTP_MESSAGE_OUT_H

#include "base/json_writer.h"
#include "store/model.h"

/* `content`: with the payload, otherwise `{}` (never absent: the SDKs' models require it). */
void message_out(struct json_writer *w, const struct message *m, bool content);
/* Its members alone, inside an object that the caller opened: for answers that add fields. */
void message_out_members(struct json_writer *w, const struct message *m, bool content);

#endif
