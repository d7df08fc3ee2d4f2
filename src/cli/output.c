#include "cli/output.h"

#include "cli/command.h"
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>

static bool remember(struct output *output, bool is_good)
{
    if (!is_good && !output->error_number) output->error_number = errno ? errno : EIO;
    return is_good;
}

bool output_write(struct output *output, const void *bytes, size_t n_bytes)
{
    if (output->error_number) return false;
    return remember(output, fwrite(bytes, 1, n_bytes, output->stream) == n_bytes);
}

bool output_printf(struct output *output, const char *format, ...)
{
    if (output->error_number) return false;
    va_list args;
    va_start(args, format);
    int n_bytes = vfprintf(output->stream, format, args);
    va_end(args);
    return remember(output, n_bytes >= 0);
}

bool output_flush(struct output *output)
{
    if (output->error_number) return false;
    return remember(output, fflush(output->stream) == 0);
}

int output_finish(struct output *output, int status)
{
    bool is_closed = fclose(output->stream) == 0;
    if (!output->error_number) remember(output, is_closed);
    if (output->error_number == 0 || output->error_number == EPIPE) return status;
    report("standard output: %s", strerror(output->error_number));
    return status == STATUS_DONE ? STATUS_FAILED : status;
}
