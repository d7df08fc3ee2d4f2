/* Clients that were answered before they had sent all. A socket that is closed while bytes of theirs are unread is reset, and the reply
 * may be lost with it; so what they still send is read and thrown away, for a few seconds at most.
 *
 * Owns duplicates of the sockets. The loop's thread only. */
#ifndef SERVER_HTTP_LINGER_H
#define SERVER_HTTP_LINGER_H

#include "server/loop.h"

struct lingering;

HOB_MUST_CHECK hob_status lingering_new(struct loop *loop, struct lingering **ret_lingering, hob_error *error);
void lingering_free(struct lingering *lingering); /* takes NULL */
/* fd stays the caller's, who may close it at once. Where there are too many already nothing is done. */
void lingering_add(struct lingering *lingering, int fd);

#endif
