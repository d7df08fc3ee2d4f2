/* Many runs of many models, for conformance suites: `hob run --cases`.
 *
 * Each case runs in a process of its own, so one that crashes or leaks costs one answer and nothing else. */
#ifndef CLI_CASES_H
#define CLI_CASES_H

#include "cli/command.h"

/* path: a file of lines "model<TAB>data set folder<TAB>output folder", or "-". Returns what the program exits with: a case
 * that fails is an answer, not a failure. */
int cases_run(const char *path, size_t n_threads, struct output *output);

#endif
