/* Generating: how long until the first token of a fresh process, how fast a prompt is read, how fast tokens follow. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/load.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/report.h"

enum { MAX_TOKENS = 1 << 20 };

struct generation {
    const struct bench *bench;
    int32_t *prompt;
    double first_token_ms;          /* from before opening to the first token behind a prompt of one */
    struct samples prefill, decode; /* a whole prompt; a token */
    struct stopwatch token;
    bool has_first; /* of this continuation: the token that the prompt gave, whose time is the prompt's */
    struct progress progress;
};

/* Reading the last position again is the prompt's work too; what counts as a token's begins after its first one. */
static bool on_generated(void *context, const hob_generated *generated)
{
    struct generation *generation = context;
    if (generated->id == HOB_NO_TOKEN) return true;
    if (generation->has_first) samples_add(&generation->decode, &generation->token);
    generation->has_first = true;
    progress_show(&generation->progress, "generating", samples_progress(&generation->decode));
    generation->token = stopwatch_start();
    return true;
}

static hob_status read_first_token(struct generation *generation, hob_error *error)
{
    const struct bench *bench = generation->bench;
    hob_generate_options how = {.max_tokens = 1, .ignores_end = true};
    TRY(hob_generate(bench->session, generation->prompt, 1, &how, NULL, NULL, NULL, error));
    generation->first_token_ms = stopwatch_ms(&bench->opening);
    return HOB_OK;
}

static hob_status measure_prefill(struct generation *generation, hob_error *error)
{
    hob_session *session = generation->bench->session;
    for (bool is_warm = false; !samples_are_enough(&generation->prefill); is_warm = true) {
        TRY(hob_session_rewind(session, 0, error));
        struct stopwatch watch = stopwatch_start();
        TRY(hob_session_append(session, generation->prompt, generation->bench->settings->n_prompt, error));
        if (is_warm) samples_add(&generation->prefill, &watch);
        progress_show(&generation->progress, "reading the prompt", samples_progress(&generation->prefill));
    }
    return HOB_OK;
}

/* max_tokens: with the first, which belongs to the prompt. */
static hob_status generate(struct generation *generation, size_t max_tokens, hob_on_generated *on_token,
                           hob_error *error)
{
    const struct bench *bench = generation->bench;
    hob_generate_options how = {.max_tokens = max_tokens, .ignores_end = true};
    generation->has_first = false;
    return hob_generate(bench->session, generation->prompt, bench->settings->n_prompt, &how, on_token, generation, NULL,
                        error);
}

/* Whole continuations until there are enough tokens. */
static hob_status measure_decode(struct generation *generation, hob_error *error)
{
    size_t n_generate = generation->bench->settings->n_generate;
    if (n_generate == 0) return HOB_OK;
    TRY(generate(generation, 1 + (n_generate < BENCH_WARM_UPS ? n_generate : BENCH_WARM_UPS), NULL, error));
    while (!samples_are_enough(&generation->decode)) TRY(generate(generation, 1 + n_generate, on_generated, error));
    return HOB_OK;
}

static double per_s(double n, double ms)
{
    return ms > 0 ? n * 1000 / ms : 0;
}

static int print_json(const struct generation *generation)
{
    const struct bench_settings *settings = generation->bench->settings;
    const struct samples *prefill = &generation->prefill, *decode = &generation->decode;
    double n_prompt = (double)settings->n_prompt, n_generate = (double)settings->n_generate;
    double prefill_cpu_ms = samples_median_cpu_ms(prefill), decode_cpu_ms = samples_median_cpu_ms(decode);
    json_t *object =
        json_pack("{s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "load_ms", generation->bench->load_ms,
                  "first_token_ms", generation->first_token_ms, "prompt", (json_int_t)settings->n_prompt, "generate",
                  (json_int_t)settings->n_generate, "prefill_ms", samples_median_ms(prefill), "prefill_tokens_per_s",
                  per_s(n_prompt, samples_median_ms(prefill)), "prefill_best_tokens_per_s",
                  per_s(n_prompt, samples_best_ms(prefill)), "prefill_cpu_ms", prefill_cpu_ms, "decode_ms",
                  samples_median_ms(decode), "decode_tokens_per_s", per_s(1, samples_median_ms(decode)),
                  "decode_best_tokens_per_s", per_s(1, samples_best_ms(decode)), "decode_cpu_ms", decode_cpu_ms);
    json_t *rest =
        json_pack("{s:f, s:I, s:f, s:f, s:I}", "cpu_ms", prefill_cpu_ms + n_generate * decode_cpu_ms, "runs",
                  (json_int_t)prefill->n, "peak_rss_mb", memory_peak_mb(), "anon_rss_mb", memory_anonymous_mb(),
                  "threads", (json_int_t)hob_session_n_threads(generation->bench->session));
    if (object && (!rest || json_object_update(object, rest) != 0)) {
        json_decref(object);
        object = NULL;
    }
    json_decref(rest);
    return json_print(object, generation->bench->line->output);
}

static void print_row(struct output *output, const char *name, size_t n_tokens, const struct samples *samples,
                      double tokens_a_sample)
{
    output_printf(output, "%-8s %7zu %11.2f %11.2f %11.2f %11.1f %6zu\n", name, n_tokens, samples_median_ms(samples),
                  samples_best_ms(samples), samples_median_cpu_ms(samples),
                  per_s(tokens_a_sample, samples_median_ms(samples)), samples->n);
}

static int print_table(const struct generation *generation)
{
    const struct bench *bench = generation->bench;
    struct output *output = bench->line->output;
    size_t n_threads = hob_session_n_threads(bench->session), n_prompt = bench->settings->n_prompt;
    output_printf(output, "opened in %.1f ms, first token after %.1f ms, %zu thread%s\n", bench->load_ms,
                  generation->first_token_ms, n_threads, n_threads == 1 ? "" : "s");
    output_printf(output, "%-8s %7s %11s %11s %11s %11s %6s\n", "", "tokens", "median ms", "best ms", "CPU ms",
                  "tokens/s", "runs");
    print_row(output, "prefill", n_prompt, &generation->prefill, (double)n_prompt);
    if (bench->settings->n_generate > 0) print_row(output, "decode", 1, &generation->decode, 1);
    output_printf(output, "memory: at most %.1f MB, of it private now %.1f MB\n", memory_peak_mb(),
                  memory_anonymous_mb());
    return STATUS_DONE;
}

static hob_status prepare(struct generation *generation, hob_error *error)
{
    const struct bench *bench = generation->bench;
    const struct bench_settings *settings = bench->settings;
    hob_model_kind kind = hob_model_get_info(bench->model).kind;
    if (kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "%s: found %s, expected a language model", bench->path, model_kind_text(kind));
    generation->prompt = bench_make_ids(bench->model, settings->n_prompt, 0, 40000);
    if (generation->prompt && samples_init(&generation->prefill, settings->n_runs) &&
        samples_init(&generation->decode, settings->n_runs * settings->n_generate))
        return HOB_OK;
    FAIL(error, HOB_NO_MEMORY, "no memory for a prompt of %zu tokens and its measurements", settings->n_prompt);
}

static hob_status measure(struct generation *generation, hob_error *error)
{
    TRY(prepare(generation, error));
    TRY(read_first_token(generation, error));
    TRY(measure_prefill(generation, error));
    return measure_decode(generation, error);
}

int bench_generate(struct bench *bench)
{
    const struct bench_settings *settings = bench->settings;
    if (settings->n_prompt == 0 || settings->n_prompt > MAX_TOKENS || settings->n_generate > MAX_TOKENS)
        return report_usage(bench->line->command,
                            "found --prompt %zu and --generate %zu, expected at least 1 and 0 tokens, at most %d",
                            settings->n_prompt, settings->n_generate, MAX_TOKENS);
    hob_error error;
    struct generation generation = {.bench = bench};
    progress_init(&generation.progress);
    hob_status result = bench_open(bench, (int64_t)(settings->n_prompt + settings->n_generate) + 1, &error);
    if (result == HOB_OK) result = measure(&generation, &error);
    progress_clear(&generation.progress);
    int status = result != HOB_OK    ? report_error(&error)
                 : settings->is_json ? print_json(&generation)
                                     : print_table(&generation);
    memory_free(generation.prompt);
    samples_release(&generation.prefill);
    samples_release(&generation.decode);
    return status;
}
