/* Asks the daemon that runs, by its UNIX socket: one request, one reply in JSON.
 *
 *     json_t *reply;
 *     if (daemon_ask(socket_path, "GET", "/hob/status", &reply, &error) != HOB_OK) return report_error(&error);
 */
#ifndef CLI_DAEMON_CLIENT_H
#define CLI_DAEMON_CLIENT_H

#include "cli/command.h"
#include "config/config.h"
#include "hob/status.h"

#include <jansson.h>

/* ret_reply: json_decref. Fails: HOB_NOT_FOUND (nobody answers there), HOB_IO (what answers is no daemon, or it said no: with its words). */
HOB_MUST_CHECK hob_status daemon_ask(const char *socket_path, const char *method, const char *path, json_t **ret_reply, hob_error *error);

/* Which daemon is meant: rows and settings that several commands have. */
struct daemon_choice {
    const char *config_path, *socket_path;
};
#define OPTION_DAEMON_CONFIG(settings)                                                                      \
    {.name = "config", .argument = "FILE", .kind = OPTION_TEXT, .offset = offsetof(settings, daemon.config_path), \
     .help = "the configuration that names the socket (HOB_CONFIG)"}
#define OPTION_DAEMON_SOCKET(settings)                                                                      \
    {.name = "socket", .argument = "PATH", .kind = OPTION_TEXT, .offset = offsetof(settings, daemon.socket_path), \
     .help = "the daemon's UNIX socket; without it the configured one"}
/* The same of the daemon that is meant. Fails as the two. */
HOB_MUST_CHECK hob_status daemon_ask_chosen(const struct daemon_choice *choice, const char *method, const char *path, json_t **ret_reply,
                                            hob_error *error);
/* ret_path: free with memory_free. */
HOB_MUST_CHECK hob_status daemon_find(const struct daemon_choice *choice, char **ret_path, hob_error *error);

#endif
