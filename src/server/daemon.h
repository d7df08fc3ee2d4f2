/* The daemon, from its configuration to its end. */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "config/config.h"

struct daemon_options {
    const struct config_sources *sources; /* read again on SIGHUP */
};

/* Runs until SIGTERM, SIGINT, `hob stop` or idleness. On SIGHUP the configuration is read again; a broken one is logged and changes
 * nothing. Returns after all is drained (at most stop_timeout_s). */
HOB_MUST_CHECK hob_status daemon_run(const struct daemon_options *options, hob_error *error);

#endif
