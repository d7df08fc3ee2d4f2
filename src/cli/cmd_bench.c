/* How fast a model runs here, measured on token ids that need no text and no tokenizer. */
#include "cli/bench.h"
#include "cli/report.h"

enum { MAX_RUNS = 1000000 };

static const struct bench_settings defaults = {.lengths = "16,32,128", .n_prompt = 512, .n_generate = 128};

static const struct option_def options[] = {
    {.name = "lengths",
     .argument = "LIST",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct bench_settings, lengths),
     .help = "embed: tokens of each text, as 16,32,128 (default)"},
    {.name = "batch",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct bench_settings, is_batch),
     .help = "embed: all lengths as one batch"},
    {.name = "prompt",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct bench_settings, n_prompt),
     .help = "generate: tokens of the prompt (512)"},
    {.name = "generate",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct bench_settings, n_generate),
     .help = "generate: tokens behind it (128)"},
    {.name = "runs",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct bench_settings, n_runs),
     .help = "so many; 0, as without it: enough for a steady median"},
    {.name = "cache-type",
     .argument = "TYPE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct bench_settings, cache_type),
     .help = "generate: how keys and values are kept: f32, f16, q8_0 or q4_0"},
    OPTION_THREADS(struct bench_settings),
    OPTION_JSON(struct bench_settings, "one JSON object a line"),
};

static const struct {
    const char *name;
    int (*run)(struct bench *bench);
} measurements[] = {{"embed", bench_embed}, {"generate", bench_generate}};

static int run(const struct command_line *line)
{
    if (line->n_words != 2)
        return report_usage(line->command, "found %zu words, expected embed or generate, and a MODEL", line->n_words);
    const struct bench_settings *settings = line->settings;
    if (settings->n_runs > MAX_RUNS)
        return report_usage(line->command, "--runs: found %zu, expected at most %d", settings->n_runs, MAX_RUNS);
    struct bench bench = {.settings = settings, .line = line, .path = line->words[1]};
    for (size_t i = 0; i < sizeof measurements / sizeof measurements[0]; i++) {
        if (strcmp(line->words[0], measurements[i].name) != 0) continue;
        int status = measurements[i].run(&bench);
        bench_release(&bench);
        return status;
    }
    return report_usage(line->command, "'%s' cannot be measured: expected embed or generate", line->words[0]);
}

const struct command_def command_bench = {
    .name = "bench",
    .synopsis = "embed MODEL [--lengths LIST] [--batch] [--runs N] [--threads N] [--json]\n"
                "       hob bench generate MODEL [--prompt N] [--generate N] [--runs N] [--threads N] [--json]",
    .summary = "Measure how fast a model runs",
    .details = "Times are medians after a warm-up, without tokenizing. CPU time counts all threads and, unlike the "
               "clock, leaves\n"
               "out the moments when another program had the processor.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct bench_settings),
    .defaults = &defaults,
    .run = run,
};
