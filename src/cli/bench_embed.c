/* Embedding texts of given lengths: each length by itself, or all of them as one batch. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/load.h"
#include "cli/json.h"
#include "cli/option_value.h"
#include "cli/progress.h"
#include "cli/report.h"

enum { MAX_LENGTHS = 1024, MAX_TOKENS = 1 << 20 };

/* All texts are beginnings of the same ids. */
struct texts {
    size_t lengths[MAX_LENGTHS];
    size_t n, longest;
    int32_t *ids;
    const int32_t *all_ids[MAX_LENGTHS];
    float *vectors; /* [n, width] */
};

/* "16,32,128" */
static int parse_lengths(const struct command_line *line, const char *text, struct texts *texts)
{
    for (const char *at = text;; at++) {
        char word[24];
        size_t n_bytes = strcspn(at, ",");
        uint64_t length = 0;
        snprintf(word, sizeof word, "%.*s", (int)(n_bytes < sizeof word ? n_bytes : sizeof word - 1), at);
        if (!parse_unsigned(word, MAX_TOKENS, &length) || length == 0 || texts->n == MAX_LENGTHS)
            return report_usage(line->command,
                                "--lengths: found '%s', expected at most %d numbers from 1 to %d with commas between",
                                text, MAX_LENGTHS, MAX_TOKENS);
        texts->lengths[texts->n++] = (size_t)length;
        if (length > texts->longest) texts->longest = (size_t)length;
        at += n_bytes;
        if (!*at) return STATUS_DONE;
    }
}

static hob_status prepare(const struct bench *bench, struct texts *texts, hob_error *error)
{
    hob_model_info info = hob_model_get_info(bench->model);
    if (info.kind != HOB_MODEL_ENCODER)
        FAIL(error, HOB_UNSUPPORTED, "%s: found %s, expected an encoder", bench->path, model_kind_text(info.kind));
    texts->ids = bench_make_ids(bench->model, texts->longest, 1000, 20000);
    texts->vectors = memory_new(texts->n * (size_t)info.width, sizeof(float));
    if (!texts->ids || !texts->vectors) FAIL(error, HOB_NO_MEMORY, "no memory for %zu texts", texts->n);
    for (size_t i = 0; i < texts->n; i++) texts->all_ids[i] = texts->ids;
    return HOB_OK;
}

static hob_status measure(const struct bench *bench, const struct texts *texts, size_t first, size_t n,
                          struct samples *samples, hob_error *error)
{
    struct progress progress;
    progress_init(&progress);
    hob_status status = HOB_OK;
    for (int warm_ups = 0; status == HOB_OK && !samples_are_enough(samples);) {
        struct stopwatch watch = stopwatch_start();
        status = hob_embed_ids(bench->session, texts->all_ids, texts->lengths + first, n, NULL, texts->vectors, error);
        if (warm_ups++ >= BENCH_WARM_UPS) samples_add(samples, &watch);
        progress_show(&progress, "measuring", samples_progress(samples));
    }
    progress_clear(&progress);
    return status;
}

static int print_json(const struct bench *bench, const char *name, size_t n_tokens, const struct samples *samples)
{
    double median_ms = samples_median_ms(samples);
    return json_print(json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:I}", "case", name, "tokens",
                                (json_int_t)n_tokens, "median_ms", median_ms, "best_ms", samples_best_ms(samples),
                                "cpu_ms", samples_median_cpu_ms(samples), "tokens_per_s",
                                (double)n_tokens * 1000 / median_ms, "runs", (json_int_t)samples->n, "peak_rss_mb",
                                memory_peak_mb(), "anon_rss_mb", memory_anonymous_mb(), "load_ms", bench->load_ms,
                                "threads", (json_int_t)hob_session_n_threads(bench->session)),
                      bench->line->output);
}

static int print_row(const struct bench *bench, const char *name, size_t n_tokens, const struct samples *samples)
{
    double median_ms = samples_median_ms(samples);
    output_printf(bench->line->output, "%-12s %7zu %10.2f %10.2f %10.2f %10.0f %6zu %9.1f %11.1f\n", name, n_tokens,
                  median_ms, samples_best_ms(samples), samples_median_cpu_ms(samples),
                  (double)n_tokens * 1000 / median_ms, samples->n, memory_peak_mb(), memory_anonymous_mb());
    return STATUS_DONE;
}

static void print_heading(const struct bench *bench)
{
    output_printf(bench->line->output, "opened in %.1f ms, %zu thread%s\n%-12s %7s %10s %10s %10s %10s %6s %9s %11s\n",
                  bench->load_ms, hob_session_n_threads(bench->session),
                  hob_session_n_threads(bench->session) == 1 ? "" : "s", "case", "tokens", "median ms", "best ms",
                  "CPU ms", "tokens/s", "runs", "peak MB", "private MB");
}

/* n texts from the first on, as one case. */
static int run_case(const struct bench *bench, const struct texts *texts, size_t first, size_t n)
{
    struct samples samples;
    hob_error error;
    char name[32];
    size_t n_tokens = 0;
    for (size_t i = first; i < first + n; i++) n_tokens += texts->lengths[i];
    snprintf(name, sizeof name, bench->settings->is_batch ? "batch of %zu" : "1x%zu",
             bench->settings->is_batch ? n : n_tokens);
    if (!samples_init(&samples, bench->settings->n_runs)) {
        report("no memory for the measurements");
        return STATUS_FAILED;
    }
    int status = measure(bench, texts, first, n, &samples, &error) == HOB_OK ? STATUS_DONE : report_error(&error);
    if (status == STATUS_DONE)
        status = (bench->settings->is_json ? print_json : print_row)(bench, name, n_tokens, &samples);
    samples_release(&samples);
    output_flush(bench->line->output);
    return status;
}

static int run_cases(struct bench *bench, struct texts *texts)
{
    hob_error error;
    if (bench_open(bench, 0, &error) != HOB_OK || prepare(bench, texts, &error) != HOB_OK) return report_error(&error);
    if (!bench->settings->is_json) print_heading(bench);
    if (bench->settings->is_batch) return run_case(bench, texts, 0, texts->n);
    int status = STATUS_DONE;
    for (size_t i = 0; i < texts->n && status == STATUS_DONE; i++) status = run_case(bench, texts, i, 1);
    return status;
}

int bench_embed(struct bench *bench)
{
    struct texts texts = {0};
    int status = parse_lengths(bench->line, bench->settings->lengths, &texts);
    if (status == STATUS_DONE) status = run_cases(bench, &texts);
    memory_free(texts.ids);
    memory_free(texts.vectors);
    return status;
}
