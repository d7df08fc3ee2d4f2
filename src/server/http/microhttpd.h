/* libmicrohttpd, loaded when a daemon starts and not before: it brings a dozen libraries that no other command needs, and that would cost each
 * of them two milliseconds and three megabytes. */
#ifndef SERVER_HTTP_MICROHTTPD_H
#define SERVER_HTTP_MICROHTTPD_H

#include "hob/status.h"

/* Before its first call; a second time does nothing. Not thread-safe. Fails: HOB_UNSUPPORTED (it is not installed: the message names the
 * package). */
HOB_MUST_CHECK hob_status microhttpd_load(hob_error *error);

#endif
