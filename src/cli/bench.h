/* What the measurements of hob bench share: settings, the model, and lists of ids that stand in for text. Each measurement is a
 * file bench_<what>.c with one function that prints its lines. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/command.h"
#include "cli/samples.h"

#include "hob/hob.h"

struct bench_settings {
    const char *lengths; /* "16,32,128" */
    const char *cache_type; /* NULL: as the model has it */
    size_t n_prompt, n_generate, n_runs, n_threads;
    bool is_batch, is_json;
};

/* A model under measurement. */
struct bench {
    const struct bench_settings *settings;
    const struct command_line *line;
    const char *path;
    hob_model *model;
    hob_session *session;
    struct stopwatch opening; /* started before the model was opened */
    double load_ms;
};

enum { BENCH_WARM_UPS = 2 }; /* runs before the first that counts: the plan is made, caches and clocks are up */

/* Opens the model, with room for n_context_tokens (0: as usual). Release it either way. */
HOB_MUST_CHECK hob_status bench_open(struct bench *bench, int64_t n_context_tokens, hob_error *error);
void bench_release(struct bench *bench);

/* n ids out of the model's vocabulary, id i being (first + i * 7919 % range); free with memory_free. NULL: no memory. */
int32_t *bench_make_ids(const hob_model *model, size_t n, size_t first, size_t range);

/* Print their lines; return what the program exits with. */
int bench_embed(struct bench *bench);
int bench_generate(struct bench *bench);

#endif
