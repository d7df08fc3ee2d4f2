#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
    log_sink *sink;
    void *context;
    enum log_level least_important;
} log_target;

void log_set_sink(log_sink *sink, void *context, enum log_level least_important)
{
    log_target.sink = sink;
    log_target.context = context;
    log_target.least_important = least_important;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_target.sink || level > log_target.least_important) return;
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_target.sink(log_target.context, level, message);
}
