/* Continues a text, token by token as they come: text by whole characters, --ids as numbers, --json at the end. */
#include "base/buffer.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/ids.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/report.h"

struct settings {
    const char *model_path;
    size_t n_tokens, top_k, beam_width, n_threads;
    float temperature, top_p, min_p;
    uint64_t seed;
    struct text_list stops;
    bool echoes, shows_ids, is_json;
};

static const struct settings defaults = {.n_tokens = 128, .beam_width = 1};

static const struct option_def options[] = {
    {.name = "model",
     .letter = 'm',
     .argument = "MODEL",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, model_path),
     .help = "a language model: file or folder"},
    {.name = "tokens",
     .letter = 'n',
     .argument = "TOKENS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_tokens),
     .help = "at most so many (128); 0: until the context is full"},
    {.name = "temperature",
     .argument = "T",
     .kind = OPTION_NUMBER,
     .least = 0,
     .most = 1e6,
     .offset = offsetof(struct settings, temperature),
     .help = "0 (default): the most probable token each time"},
    {.name = "top-k",
     .argument = "K",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, top_k),
     .help = "draw from the K most probable tokens only"},
    {.name = "top-p",
     .argument = "P",
     .kind = OPTION_NUMBER,
     .least = 0,
     .most = 1,
     .offset = offsetof(struct settings, top_p),
     .help = "draw from the fewest tokens that sum to P"},
    {.name = "min-p",
     .argument = "P",
     .kind = OPTION_NUMBER,
     .least = 0,
     .most = 1,
     .offset = offsetof(struct settings, min_p),
     .help = "only tokens at least P times as probable as the best"},
    {.name = "seed",
     .argument = "S",
     .kind = OPTION_SEED,
     .offset = offsetof(struct settings, seed),
     .help = "of the draws (0); the same seed gives the same text"},
    {.name = "beam-width",
     .argument = "W",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, beam_width),
     .help = "only 1, no beams, is possible yet"},
    {.name = "stop",
     .argument = "TEXT",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct settings, stops),
     .help = "end before this text; may be given several times"},
    {.name = "echo",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, echoes),
     .help = "print the prompt in front"},
    {.name = "ids",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, shows_ids),
     .help = "print token ids, prompt and continuation, on one line"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_json),
     .help = "one JSON object with text, ids, counts and times"},
    {.name = "threads",
     .letter = 't',
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_threads),
     .help = "0, as without it: all processors"},
};

/* One completion under way. */
struct completion {
    const struct settings *settings;
    struct output *output;
    hob_session *session;
    struct buffer prompt;
    int32_t *prompt_ids;
    size_t n_prompt_ids;
    struct buffer text, ids; /* for --json: the continuation, and its ids as int32_t */
    bool has_begun;          /* the prompt's part is printed, or need not be */
    hob_generate_result result;
};

/* Not before the first token is there: a prompt that the model refuses leaves no half a line behind. */
static void print_beginning(struct completion *completion)
{
    const struct settings *settings = completion->settings;
    if (completion->has_begun) return;
    completion->has_begun = true;
    if (settings->is_json) return;
    if (settings->shows_ids) ids_print(completion->output, completion->prompt_ids, completion->n_prompt_ids);
    else if (settings->echoes)
        output_write(completion->output, buffer_text(&completion->prompt), completion->prompt.n_bytes);
}

static bool on_generated(void *context, const hob_generated *generated)
{
    struct completion *completion = context;
    bool has_id = generated->id != HOB_NO_TOKEN;
    print_beginning(completion);
    if (completion->settings->is_json) {
        buffer_append(&completion->text, generated->text, generated->n_text_bytes);
        if (has_id) buffer_append(&completion->ids, &generated->id, sizeof generated->id);
        return !interrupt_is_asked() && !completion->text.is_failed && !completion->ids.is_failed;
    }
    if (!completion->settings->shows_ids) output_write(completion->output, generated->text, generated->n_text_bytes);
    else if (has_id) output_printf(completion->output, " %d", (int)generated->id);
    return output_flush(completion->output) && !interrupt_is_asked();
}

static json_t *json_of_completion(const struct completion *completion, const char *model)
{
    const hob_generate_result *result = &completion->result;
    json_t *ids = json_ids(completion->prompt_ids, completion->n_prompt_ids);
    json_t *new_ids =
        json_ids((const int32_t *)(const void *)completion->ids.bytes, completion->ids.n_bytes / sizeof(int32_t));
    if (ids && new_ids && json_array_extend(ids, new_ids) != 0) {
        json_decref(ids);
        ids = NULL;
    }
    json_decref(new_ids);
    double tokens_per_s = result->generate_ms > 0 ? (double)result->n_tokens * 1000 / result->generate_ms : 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:s, s:f, s:f, s:f}", "model", json_text(model, strlen(model)),
                     "prompt", json_text(buffer_text(&completion->prompt), completion->prompt.n_bytes), "text",
                     json_text(buffer_text(&completion->text), completion->text.n_bytes), "ids", ids, "n_prompt_tokens",
                     (json_int_t)result->n_prompt_tokens, "n_tokens", (json_int_t)result->n_tokens, "finish",
                     hob_finish_name(result->finish), "prompt_ms", result->prompt_ms, "generate_ms",
                     result->generate_ms, "tokens_per_s", tokens_per_s);
}

static int print_end(struct completion *completion)
{
    int status = STATUS_DONE;
    char *default_path = completion->settings->model_path ? NULL : hob_model_default_path(HOB_MODEL_DECODER);
    const char *model = completion->settings->model_path ? completion->settings->model_path : default_path;
    if (completion->text.is_failed || completion->ids.is_failed) {
        report("no memory for the text");
        status = STATUS_FAILED;
    } else if (completion->settings->is_json) {
        status = json_print(json_of_completion(completion, model ? model : ""), completion->output);
    } else {
        output_write(completion->output, "\n", 1);
    }
    hob_free(default_path);
    return interrupt_is_asked() ? STATUS_INTERRUPTED : status;
}

/* The prompt as text and ids. A line end that closes standard input belongs to the shell, not to the prompt. */
static hob_status prepare_prompt(struct completion *completion, const struct command_line *line,
                                 const hob_tokenizer *tokenizer, hob_error *error)
{
    struct buffer *prompt = &completion->prompt;
    TRY(input_text(line->words, line->n_words, prompt, error));
    if (input_is_stdin(line->words, line->n_words) && prompt->n_bytes > 0 && prompt->bytes[prompt->n_bytes - 1] == '\n')
        prompt->bytes[--prompt->n_bytes] = 0;
    TRY(hob_tokenizer_encode(tokenizer, buffer_text(prompt), prompt->n_bytes, HOB_ADD_SPECIAL, &completion->prompt_ids,
                             &completion->n_prompt_ids, error));
    if (completion->n_prompt_ids == 0)
        FAIL(error, HOB_BAD_ARGUMENT, "the prompt is empty, and this model has no token that begins a text");
    return HOB_OK;
}

static hob_status check_model(const struct settings *settings, const struct loaded *loaded, hob_error *error)
{
    const char *path = settings->model_path ? settings->model_path : "default model";
    if (hob_model_get_info(loaded->model).kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "%s: found a model that generates no text, expected a language model", path);
    if (!hob_model_tokenizer(loaded->model))
        FAIL(error, HOB_NOT_FOUND, "%s: found no tokenizer in it or beside it (tokenizer.json)", path);
    return HOB_OK;
}

static hob_status generate(struct completion *completion, hob_error *error)
{
    const struct settings *settings = completion->settings;
    hob_generate_options how = {.max_tokens = settings->n_tokens,
                                .temperature = settings->temperature,
                                .top_k = settings->top_k,
                                .top_p = settings->top_p,
                                .min_p = settings->min_p,
                                .seed = settings->seed,
                                .stops = settings->stops.items,
                                .n_stops = settings->stops.n_items};
    return hob_generate(completion->session, completion->prompt_ids, completion->n_prompt_ids, &how, on_generated,
                        completion, &completion->result, error);
}

static int complete(struct completion *completion, const struct command_line *line, const struct loaded *loaded)
{
    hob_error error;
    if (check_model(line->settings, loaded, &error) != HOB_OK ||
        prepare_prompt(completion, line, hob_model_tokenizer(loaded->model), &error) != HOB_OK)
        return report_error(&error);
    interrupt_watch();
    if (generate(completion, &error) != HOB_OK) return report_error(&error);
    print_beginning(completion);
    return print_end(completion);
}

static int check_usage(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words == 0) return report_usage(line->command, "expected TEXT, or - for standard input");
    for (size_t i = 0; i < settings->stops.n_items; i++)
        if (!*settings->stops.items[i]) return report_usage(line->command, "--stop: found an empty text");
    if (settings->beam_width == 1) return STATUS_DONE;
    report("--beam-width: found %zu, expected 1: beam search is not part of this version", settings->beam_width);
    return STATUS_FAILED;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    int status = check_usage(line);
    if (status != STATUS_DONE) return status;
    struct loaded loaded;
    hob_error error;
    if (load_model(settings->model_path, HOB_MODEL_DECODER, settings->n_threads, &loaded, &error) != HOB_OK)
        return report_error(&error);
    struct completion completion = {.settings = settings, .output = line->output, .session = loaded.session};
    status = complete(&completion, line, &loaded);
    hob_free(completion.prompt_ids);
    buffer_release(&completion.prompt);
    buffer_release(&completion.text);
    buffer_release(&completion.ids);
    loaded_release(&loaded);
    return status;
}

const struct command_def command_complete = {
    .name = "complete",
    .synopsis = "[-m MODEL] [-n TOKENS] [--temperature T] [--top-k K] [--top-p P] [--min-p P]\n"
                "                    [--seed S] [--beam-width W] [--stop TEXT]… [--echo] [--ids] [--json]\n"
                "                    [--threads N] TEXT…|-",
    .summary = "Continue a text",
    .details = "The continuation goes to standard output as it comes, with a line end behind it. Words are joined by\n"
               "spaces; a prompt from standard input loses one line end at its end. Ctrl-C stops between two tokens.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .defaults = &defaults,
    .run = run,
};
