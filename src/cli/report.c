#include "cli/report.h"

#include "cli/command.h"

#include <stdarg.h>

static void report_line(const char *prefix, const char *format, va_list args)
{
    char message[1024];
    vsnprintf(message, sizeof message, format, args);
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    fprintf(stderr, "hob: %s%s%s\n", prefix, *prefix ? ": " : "", message);
}

void report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_line("", format, args);
    va_end(args);
}

int report_error(const hob_error *error)
{
    report("%s", error->message);
    return error->code == HOB_CANCELLED ? STATUS_INTERRUPTED : STATUS_FAILED;
}

int report_usage(const struct command_def *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_line(command ? command->name : "", format, args);
    va_end(args);
    fprintf(stderr, "Try 'hob %s%s--help'.\n", command ? command->name : "", command ? " " : "");
    return STATUS_USAGE;
}
