/* hob stop: asks the daemon to end, and waits until it has. */
#include "cli/command.h"
#include "cli/daemon_client.h"
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

struct settings {
    struct daemon_choice daemon;
};

static const struct option_def options[] = {
    OPTION_DAEMON_SOCKET(struct settings),
    OPTION_DAEMON_CONFIG(struct settings),
};

/* A descriptor of the process: its number alone may be another's by the time one looks. */
static void wait_for_end(pid_t pid)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0) return; /* it is gone already */
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    while (poll(&watched, 1, -1) < 0 && errno == EINTR) continue;
    close(fd);
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words) return report_usage(line->command, "unexpected '%s'", line->words[0]);
    hob_error error;
    json_t *reply = NULL;
    if (daemon_ask_chosen(&settings->daemon, "POST", "/hob/stop", &reply, &error) != HOB_OK) return report_error(&error);
    pid_t pid = (pid_t)json_integer_value(json_object_get(reply, "pid"));
    json_decref(reply);
    if (pid > 0) wait_for_end(pid);
    return STATUS_DONE;
}

const struct command_def command_stop = {
    .name = "stop",
    .synopsis = "[--socket PATH]",
    .summary = "End the daemon that runs once its requests are answered",
    .details = "Waits until it has ended. Exits with 1 where none runs.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
