/* The program hob: finds the command, reads its options by its rows, runs it, and says what went wrong. */
#include "base/log.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/report.h"
#include "hob/hob.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void log_to_stderr(void *context, enum log_level level, const char *message)
{
    (void)context;
    report("%s%s", level == LOG_WARNING ? "warning: " : "", message);
}

static int run_command(const struct command_def *command, size_t n_arguments, const char *const *arguments,
                       struct output *output)
{
    struct options parsed;
    int status = options_parse(command, n_arguments, arguments, &parsed);
    if (status == STATUS_DONE && parsed.wants_help) help_command(output, command);
    else if (status == STATUS_DONE)
        status = command->run(&(struct command_line){.command = command,
                                                     .settings = parsed.settings,
                                                     .words = parsed.words,
                                                     .n_words = parsed.n_words,
                                                     .output = output});
    options_release(&parsed);
    return status;
}

/* The options that stand where a command would. */
static int run_program_option(const char *option, struct output *output)
{
    if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) help_overview(output);
    else if (strcmp(option, "--version") == 0) output_printf(output, "hob %s\n", hob_version());
    else return report_usage(NULL, "unknown option %s", option);
    return STATUS_DONE;
}

static int run_program(size_t n_arguments, const char *const *arguments, struct output *output)
{
    if (n_arguments == 0) return report_usage(NULL, "expected a command");
    if (arguments[0][0] == '-') return run_program_option(arguments[0], output);
    const struct command_def *command = command_find(arguments[0]);
    if (!command) return help_unknown_command(arguments[0]);
    return run_command(command, n_arguments - 1, arguments + 1, output);
}

/* A file that is opened must never get the number of a standard stream that the caller closed: data meant for the one would
 * end up in the other. What stands in refuses use as a closed one does. */
static void occupy_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        int stand_in = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (stand_in >= 0 && stand_in != fd) close(stand_in);
    }
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe fails instead, and output.h ends the command quietly */
    log_set_sink(log_to_stderr, NULL, LOG_WARNING);
    struct output output = {.stream = stdout};
    size_t n_arguments = argc > 0 ? (size_t)argc - 1 : 0;
    int status = run_program(n_arguments, (const char *const *)argv + 1, &output);
    return output_finish(&output, status);
}
