/* Many runs of many models, for conformance suites: `hob run --cases`.
 *
 * Each case runs in a process of its own with a limit of time and memory, so one that crashes, hangs or swallows memory costs
 * one answer and nothing else. */
#ifndef CLI_CASES_H
#define CLI_CASES_H

#include "cli/command.h"

struct cases_options {
    size_t n_threads;
    double timeout_s; /* of one case */
};

/* path: a file of lines "model<TAB>data set folder<TAB>output folder", or "-". Returns what the program exits with: a case
 * that fails is an answer, not a failure. */
int cases_run(const char *path, const struct cases_options *options, struct output *output);

#endif
