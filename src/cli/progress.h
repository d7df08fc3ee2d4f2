/* A line on standard error that says how far something is: only on a terminal, only once it takes longer than a person
 * notices, and gone when it is done. Without colour or cursor tricks, so NO_COLOR and TERM=dumb need no case of their own.
 * Not thread-safe.
 *
 *     struct progress progress;
 *     progress_init(&progress);
 *     options.progress = progress_show;  options.progress_context = &progress;
 *     …
 *     progress_clear(&progress);
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_terminal;
    uint64_t start_ns, shown_ns; /* shown_ns: of the last update; 0: nothing is shown */
    int n_columns;               /* of the line that is shown */
};

void progress_init(struct progress *progress);
/* context: a struct progress; fraction 0..1. Has the type of hob_model_options.progress. */
void progress_show(void *context, const char *what, double fraction);
void progress_clear(struct progress *progress);

#endif
