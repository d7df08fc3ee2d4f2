#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

static const uint64_t patience_ns = 300000000, interval_ns = 100000000;

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.is_terminal = isatty(STDERR_FILENO) == 1, .start_ns = clock_now_ns()};
}

void progress_show(void *context, const char *what, double fraction)
{
    struct progress *progress = context;
    uint64_t now_ns = clock_now_ns();
    if (!progress->is_terminal || now_ns - progress->start_ns < patience_ns) return;
    if (progress->shown_ns && now_ns - progress->shown_ns < interval_ns) return;
    char line[64];
    int n_columns = snprintf(line, sizeof line, "hob: %.40s %3.0f %%", what, 100 * fraction);
    fprintf(stderr, "\r%-*s", progress->n_columns, line);
    fflush(stderr);
    progress->n_columns = n_columns;
    progress->shown_ns = now_ns;
}

void progress_clear(struct progress *progress)
{
    if (!progress->shown_ns) return;
    fprintf(stderr, "\r%*s\r", progress->n_columns, "");
    fflush(stderr);
    progress->shown_ns = 0;
}
