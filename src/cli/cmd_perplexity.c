/* How well a model foretells a text: one figure, comparable with llama.cpp's. */
#include "cli/command.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/report.h"

#include "base/error.h"

struct settings {
    const char *model_path;
    size_t n_context, stride, n_threads;
    bool is_json;
};

static const struct option_def options[] = {
    {.name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, model_path),
     .help = "a language model: file or folder"},
    {.name = "context",
     .letter = 'c',
     .argument = "TOKENS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_context),
     .help = "of a window (512, or what the model has)"},
    {.name = "stride",
     .argument = "TOKENS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, stride),
     .help = "windows begin so far apart and score so many; 0: second halves"},
    {.name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct settings, is_json), .help = "one JSON object"},
    {.name = "threads",
     .letter = 't',
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_threads),
     .help = "0, as without it: all processors"},
};

static bool on_window(void *context, const hob_perplexity_result *so_far, double fraction)
{
    char what[64];
    snprintf(what, sizeof what, "perplexity %.4f", so_far->perplexity);
    progress_show(context, what, fraction);
    return !interrupt_is_asked();
}

static int print(const struct command_line *line, const hob_perplexity_result *result, size_t n_context)
{
    const struct settings *settings = line->settings;
    if (settings->is_json)
        return json_print(json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "perplexity", result->perplexity, "error",
                                    result->error, "mean_logprob", result->mean_logprob, "n_tokens",
                                    (json_int_t)result->n_tokens, "n_windows", (json_int_t)result->n_windows, "context",
                                    (json_int_t)n_context, "stride", (json_int_t)settings->stride),
                          line->output);
    output_printf(line->output, "%.4f ± %.4f  (%zu tokens scored, %zu windows of %zu)\n", result->perplexity,
                  result->error, result->n_tokens, result->n_windows, n_context);
    return STATUS_DONE;
}

/* A session as large as a window, if the one that is there is too small. */
static hob_status fit_session(struct loaded *loaded, const struct settings *settings, hob_error *error)
{
    if (settings->n_context <= hob_session_n_context_tokens(loaded->session)) return HOB_OK;
    hob_session_options how = {.n_threads = settings->n_threads, .n_context_tokens = (int64_t)settings->n_context};
    hob_session *session;
    TRY(hob_session_new(loaded->model, &how, &session, error));
    hob_session_free(loaded->session);
    loaded->session = session;
    return HOB_OK;
}

static hob_status read_text(const struct command_line *line, const struct loaded *loaded, int32_t **ret_ids,
                            size_t *ret_n_ids, hob_error *error)
{
    const hob_tokenizer *tokenizer = hob_model_tokenizer(loaded->model);
    struct buffer text = {0};
    hob_status status = HOB_OK;
    if (hob_model_get_info(loaded->model).kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "found a model that generates no text, expected a language model");
    if (!tokenizer) FAIL(error, HOB_NOT_FOUND, "found no tokenizer in the model or beside it (tokenizer.json)");
    TRY_CLEANUP(input_file(line->words[0], &text, error));
    TRY_CLEANUP(
        hob_tokenizer_encode(tokenizer, buffer_text(&text), text.n_bytes, HOB_ADD_SPECIAL, ret_ids, ret_n_ids, error));
cleanup:
    buffer_release(&text);
    return status;
}

static hob_status measure(const struct command_line *line, struct loaded *loaded, hob_perplexity_options *how,
                          hob_perplexity_result *ret_result, hob_error *error)
{
    struct progress progress;
    int32_t *ids = NULL;
    size_t n_ids;
    TRY(read_text(line, loaded, &ids, &n_ids, error));
    hob_status status = fit_session(loaded, line->settings, error);
    size_t most = status == HOB_OK ? hob_session_n_context_tokens(loaded->session) : 0;
    progress_init(&progress);
    if (!how->n_context) how->n_context = most < 512 ? most : 512;
    hob_perplexity_options shown = *how;
    shown.context = &progress;
    if (status == HOB_OK) status = hob_perplexity(loaded->session, ids, n_ids, &shown, ret_result, error);
    progress_clear(&progress);
    hob_free(ids);
    return status;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words != 1) return report_usage(line->command, "expected one FILE, or - for standard input");
    struct loaded loaded;
    hob_error error;
    hob_perplexity_result result;
    hob_perplexity_options how = {.n_context = settings->n_context, .stride = settings->stride, .on_window = on_window};
    if (load_model(settings->model_path, HOB_MODEL_DECODER, settings->n_threads, &loaded, &error) != HOB_OK)
        return report_error(&error);
    interrupt_watch();
    int status = measure(line, &loaded, &how, &result, &error) == HOB_OK ? print(line, &result, how.n_context)
                                                                         : report_error(&error);
    loaded_release(&loaded);
    return interrupt_is_asked() ? STATUS_INTERRUPTED : status;
}

const struct command_def command_perplexity = {
    .name = "perplexity",
    .synopsis = "[-m MODEL] [--context TOKENS] [--stride TOKENS] [--threads N] [--json] FILE|-",
    .summary = "Measure how well a model foretells a text",
    .details =
        "The text is cut into windows; the tokens of each window's second half are scored, as llama.cpp's perplexity\n"
        "tool does. Lower is better: 10 means as unsure as among ten equal tokens. Behind ±: one standard error.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
