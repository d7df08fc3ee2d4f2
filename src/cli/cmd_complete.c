/* Continues a text: options, the request they make, the run. completion.h has what is shown. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/ids.h"
#include "cli/infill.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/report.h"
#include "cli/sampling.h"
#include "cli/score_text.h"

#include <string.h>

enum { DEFAULT_DRAFTS = 8 };

static const struct complete_settings defaults = {.n_tokens = 128,
                                                  .beam_width = 1,
                                                  .n_samples = 1,
                                                  .length_penalty = 1,
                                                  .n_logprobs = NO_LOGPROBS,
                                                  .sampling = SAMPLING_DEFAULTS};

static const char *const early_stoppings[] = {"no", "yes", "never", NULL};

static const struct option_def options[] = {
    OPTION_MODEL(struct complete_settings, "a language model: file or folder"),
    {.name = "tokens",
     .letter = 'n',
     .argument = "TOKENS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_tokens),
     .help = "at most so many (128); 0: until the context is full"},
    SAMPLING_OPTIONS(struct complete_settings, sampling),
    {.name = "samples",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_samples),
     .help = "so many texts from one prompt (1); text i, from 0, is that of seed S + i. Of beams: the N best"},
    {.name = "beam-width",
     .argument = "W",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, beam_width),
     .help = "search with W beams for the most probable text (1: greedy)"},
    {.name = "length-penalty",
     .argument = "X",
     .kind = OPTION_NUMBER,
     .least = -100,
     .most = 100,
     .offset = offsetof(struct complete_settings, length_penalty),
     .help = "beams: score is the sum of log-probabilities / tokens^X (1)"},
    {.name = "early-stopping",
     .argument = "HOW",
     .kind = OPTION_CHOICE,
     .choices = early_stoppings,
     .offset = offsetof(struct complete_settings, early_stopping),
     .help = "beams: end with W finished texts (yes), when better ones are unlikely (no) or impossible (never)"},
    {.name = "stop",
     .argument = "TEXT",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct complete_settings, stops),
     .help = "end before this text; may be given several times"},
    {.name = "stop-id",
     .argument = "ID",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct complete_settings, stop_ids),
     .help = "end before this token; may be given several times"},
    {.name = "grammar",
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, grammar_path),
     .help = "only text of this grammar, in llama.cpp's GBNF"},
    {.name = "json-schema",
     .argument = "FILE|JSON",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, json_schema),
     .help = "only JSON that this schema allows; {}: any (docs/grammars.md)"},
    {.name = "min-tokens",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_min_tokens),
     .help = "nothing ends the text before so many (0)"},
    {.name = "max-ms",
     .argument = "MS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_max_ms),
     .help = "end after so many milliseconds"},
    {.name = "ignore-eos",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct complete_settings, ignores_end),
     .help = "go on after a token that ends a text"},
    {.name = "context-shift",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct complete_settings, shifts_context),
     .help = "when the context is full, forget the older half of it and go on"},
    {.name = "keep",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_keep),
     .help = "but keep the prompt's first N tokens"},
    {.name = "suffix",
     .argument = "TEXT",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, infill.suffix),
     .help = "fill in what belongs between TEXT… and this"},
    {.name = "repo-name",
     .argument = "NAME",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, infill.repo_name),
     .help = "the repository that is filled in, for models that know of such"},
    {.name = "file-path",
     .argument = "PATH",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, infill.file_path),
     .help = "of the file in the repository that is filled in"},
    {.name = "context-file",
     .argument = "FILE",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct complete_settings, infill.context_files),
     .help = "another file of the repository; may be given several times"},
    {.name = "score",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct complete_settings, is_scored),
     .help = "instead of going on: the log-probability of each token of TEXT, and the sum"},
    {.name = "logprobs",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_logprobs),
     .help = "with --json: each token's log-probability, and the N most probable ones (0 to 100)"},
    {.name = "draft-max",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_drafts),
     .help = "guess up to N tokens at a time from what stands in the text already: often faster, never another text"},
    {.name = "model-draft",
     .argument = "MODEL",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, draft_model_path),
     .help = "a smaller model of the same vocabulary makes the guesses (8 at a time)"},
    {.name = "ctx-size",
     .letter = 'c',
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct complete_settings, n_context),
     .help = "of a text, prompt and continuation, at most so many tokens; 0: what the model was made for, at most 4096"},
    {.name = "cache-type",
     .argument = "TYPE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, cache_type),
     .help = "how keys and values are kept: f32, f16, q8_0 or q4_0"},
    {.name = "prompt-cache",
     .argument = "DIR",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct complete_settings, cache_folder),
     .help = "keep what was computed of texts in DIR, and begin there with what others left; default: in the person's cache folder"},
    {.name = "echo",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct complete_settings, echoes),
     .help = "print the prompt in front"},
    {.name = "ids",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct complete_settings, shows_ids),
     .help = "print token ids, prompt and continuation, on one line"},
    OPTION_JSON(struct complete_settings, "one JSON object with text, ids, counts and times"),
    OPTION_THREADS(struct complete_settings),
};


/* The prompt as text and ids. A line end that closes standard input belongs to the shell, not to the prompt; but what is filled in
 * goes on where the prefix ends. */
static hob_status prepare_prompt(struct completion *completion, const struct command_line *line,
                                 const hob_tokenizer *tokenizer, hob_error *error)
{
    struct buffer *prompt = &completion->prompt;
    TRY(input_text(line->words, line->n_words, prompt, error));
    const struct infill *infill = &completion->settings->infill;
    if (infill->suffix)
        return infill_prompt(infill, tokenizer, buffer_text(prompt), prompt->n_bytes, &completion->prompt_ids,
                             &completion->n_prompt_ids, error);
    if (input_is_stdin(line->words, line->n_words) && prompt->n_bytes > 0 && prompt->bytes[prompt->n_bytes - 1] == '\n')
        prompt->bytes[--prompt->n_bytes] = 0;
    TRY(hob_tokenizer_encode(tokenizer, buffer_text(prompt), prompt->n_bytes, HOB_ADD_SPECIAL, &completion->prompt_ids,
                             &completion->n_prompt_ids, error));
    if (completion->n_prompt_ids == 0)
        FAIL(error, HOB_BAD_ARGUMENT, "the prompt is empty, and this model has no token that begins a text");
    return HOB_OK;
}

static hob_status check_model(const struct complete_settings *settings, const struct loaded *loaded, hob_error *error)
{
    const char *path = settings->model_path ? settings->model_path : "default model";
    if (hob_model_get_info(loaded->model).kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "%s: found a model that generates no text, expected a language model", path);
    if (!hob_model_tokenizer(loaded->model))
        FAIL(error, HOB_NOT_FOUND, "%s: found no tokenizer in it or beside it (tokenizer.json)", path);
    return HOB_OK;
}

static hob_status add_stop_ids(struct completion *completion, const int32_t *ids, size_t n_ids, hob_error *error)
{
    if (!n_ids) return HOB_OK;
    size_t n_all = completion->n_stop_ids + n_ids;
    int32_t *all = memory_resize(completion->stop_ids, n_all, sizeof *all);
    if (!all) FAIL(error, HOB_NO_MEMORY, "--stop-id: out of memory");
    memcpy(all + completion->n_stop_ids, ids, n_ids * sizeof *ids);
    completion->stop_ids = all;
    completion->n_stop_ids = n_all;
    return HOB_OK;
}

/* "--stop-id 2 --stop-id 7", also "2,7"; and what ends a middle. */
static hob_status parse_stop_ids(struct completion *completion, hob_error *error)
{
    const struct text_list *texts = &completion->settings->stop_ids;
    for (size_t i = 0; i < texts->n_items; i++) {
        int32_t *ids;
        size_t n_ids;
        TRY(ids_parse(texts->items[i], &ids, &n_ids, error));
        hob_status status = add_stop_ids(completion, ids, n_ids, error);
        memory_free(ids);
        TRY(status);
    }
    int32_t ends[HOB_FIM_MOST_ENDS] = {0};
    size_t n_ends = completion->settings->infill.suffix ? hob_fim_ends(completion->tokenizer, ends) : 0;
    return add_stop_ids(completion, ends, n_ends, error);
}

static void set_limits(struct completion *completion)
{
    const struct complete_settings *settings = completion->settings;
    hob_generate_options *how = &completion->how;
    how->grammar = completion->grammar;
    how->max_tokens = settings->n_tokens;
    how->min_tokens = settings->n_min_tokens;
    how->max_ms = settings->n_max_ms;
    how->ignores_end = settings->ignores_end;
    how->stops = settings->stops.items;
    how->n_stops = settings->stops.n_items;
    how->stop_ids = completion->stop_ids;
    how->n_stop_ids = completion->n_stop_ids;
    how->shifts_context = settings->shifts_context;
    how->n_keep = settings->n_keep;
}

static void set_outputs(struct completion *completion)
{
    const struct complete_settings *settings = completion->settings;
    hob_generate_options *how = &completion->how;
    how->n_samples = settings->n_samples;
    how->beam_width = settings->beam_width;
    how->length_penalty = settings->length_penalty;
    how->early_stopping = (hob_early_stopping)settings->early_stopping;
    how->has_logprobs = settings->n_logprobs != NO_LOGPROBS;
    how->n_top_logprobs = how->has_logprobs ? settings->n_logprobs : 0;
    how->draft_session = completion->draft.session;
    how->n_draft_tokens = settings->n_drafts || !how->draft_session ? settings->n_drafts : DEFAULT_DRAFTS;
}

/* What begins like JSON is the schema itself, anything else the file it is in. */
static hob_status compile_schema(struct completion *completion, struct buffer *text, hob_error *error)
{
    const char *schema = completion->settings->json_schema;
    bool is_json = schema[strspn(schema, " \t\n\r")] == '{' || !strcmp(schema, "true");
    if (is_json) return hob_grammar_new_json_schema(schema, strlen(schema), &completion->grammar, error);
    TRY(input_file(schema, text, error));
    hob_status status = hob_grammar_new_json_schema(buffer_text(text), text->n_bytes, &completion->grammar, error);
    return status == HOB_OK ? HOB_OK : error_prefix(error, status, "%s", schema);
}

static hob_status compile_gbnf(struct completion *completion, struct buffer *text, hob_error *error)
{
    const char *path = completion->settings->grammar_path;
    TRY(input_file(path, text, error));
    hob_status status = hob_grammar_new_gbnf(buffer_text(text), text->n_bytes, &completion->grammar, error);
    return status == HOB_OK ? HOB_OK : error_prefix(error, status, "%s", path);
}

static hob_status make_grammar(struct completion *completion, hob_error *error)
{
    struct buffer text = {0};
    hob_status status = HOB_OK;
    if (completion->settings->grammar_path) status = compile_gbnf(completion, &text, error);
    else if (completion->settings->json_schema) status = compile_schema(completion, &text, error);
    buffer_release(&text);
    return status;
}

static hob_status generate(struct completion *completion, hob_error *error)
{
    const struct complete_settings *settings = completion->settings;
    if (settings->draft_model_path)
        TRY(load_model(settings->draft_model_path, HOB_MODEL_DECODER, settings->n_threads, &completion->draft, error));
    set_limits(completion);
    set_outputs(completion);
    TRY(hob_generation_new(completion->session, completion->prompt_ids, completion->n_prompt_ids, &completion->how, completion_take,
                           completion, &completion->generation, error));
    while (!hob_generation_is_done(completion->generation)) {
        if (interrupt_is_asked()) hob_generation_cancel(completion->generation);
        TRY(hob_generations_step(completion->session, &completion->generation, 1, error));
    }
    completion->n_texts = hob_generation_n_outputs(completion->generation);
    return HOB_OK;
}

static hob_status make_texts(struct completion *completion, hob_error *error)
{
    completion->texts = memory_new(completion->settings->n_samples, sizeof *completion->texts);
    if (!completion->texts) FAIL(error, HOB_NO_MEMORY, "%zu texts: out of memory", completion->settings->n_samples);
    for (size_t i = 0; completion->settings->n_logprobs != NO_LOGPROBS && i < completion->settings->n_samples; i++)
        if (!(completion->texts[i].logprobs = json_array())) FAIL(error, HOB_NO_MEMORY, "--logprobs: out of memory");
    return HOB_OK;
}

static int complete(struct completion *completion, const struct command_line *line, const struct loaded *loaded)
{
    hob_error error;
    const struct complete_settings *settings = line->settings;
    completion->tokenizer = hob_model_tokenizer(loaded->model);
    if (check_model(settings, loaded, &error) != HOB_OK ||
        prepare_prompt(completion, line, hob_model_tokenizer(loaded->model), &error) != HOB_OK ||
        make_grammar(completion, &error) != HOB_OK || parse_stop_ids(completion, &error) != HOB_OK || make_texts(completion, &error) != HOB_OK)
        return report_error(&error);
    interrupt_watch();
    if (settings->is_scored)
        return score_text(completion->session, completion->tokenizer, completion->prompt_ids, completion->n_prompt_ids,
                          settings->n_logprobs == NO_LOGPROBS ? 0 : settings->n_logprobs, settings->is_json, completion->output);
    if (generate(completion, &error) != HOB_OK) return report_error(&error);
    completion_begin(completion);
    return completion_end(completion);
}

static void completion_release(struct completion *completion)
{
    hob_generation_free(completion->generation);
    loaded_release(&completion->draft);
    hob_grammar_free(completion->grammar);
    hob_free(completion->prompt_ids);
    memory_free(completion->stop_ids);
    memory_free(completion->biases);
    buffer_release(&completion->prompt);
    for (size_t i = 0; completion->texts && i < completion->settings->n_samples; i++) {
        buffer_release(&completion->texts[i].text);
        buffer_release(&completion->texts[i].ids);
        json_decref(completion->texts[i].logprobs);
    }
    memory_free(completion->texts);
}

static int check_usage(const struct command_line *line)
{
    const struct complete_settings *settings = line->settings;
    if (line->n_words == 0) return report_usage(line->command, "expected TEXT, or - for standard input");
    for (size_t i = 0; i < settings->stops.n_items; i++)
        if (!*settings->stops.items[i]) return report_usage(line->command, "--stop: found an empty text");
    if (!settings->beam_width) return report_usage(line->command, "--beam-width: found 0, expected at least 1");
    if (settings->grammar_path && settings->json_schema)
        return report_usage(line->command, "--grammar and --json-schema: found both, expected one");
    if (!settings->n_samples) return report_usage(line->command, "--samples: found 0, expected at least 1");
    if (settings->n_logprobs != NO_LOGPROBS && !settings->is_json) return report_usage(line->command, "--logprobs: expected --json too");
    if (settings->n_logprobs != NO_LOGPROBS && settings->n_logprobs > HOB_MAX_TOP_LOGPROBS)
        return report_usage(line->command, "--logprobs: found %zu, expected 0 to %d", settings->n_logprobs, HOB_MAX_TOP_LOGPROBS);
    return infill_check_usage(line->command, &settings->infill);
}

static hob_status load(const struct complete_settings *settings, struct loaded *ret_loaded, hob_error *error)
{
    hob_session_options how = {.n_threads = settings->n_threads,
                                   .n_context_tokens = settings->n_context < INT64_MAX ? (int64_t)settings->n_context : INT64_MAX,
                                   .cache_type = settings->cache_type,
                                   .cache_folder = settings->cache_folder};
    char *folder = settings->cache_folder && !strcmp(settings->cache_folder, "default") ? hob_cache_default_folder() : NULL;
    if (folder) how.cache_folder = folder;
    hob_status status = load_model_for(settings->model_path, HOB_MODEL_DECODER, &how, ret_loaded, error);
    hob_free(folder);
    return status;
}

static int run(const struct command_line *line)
{
    const struct complete_settings *settings = line->settings;
    int status = check_usage(line);
    struct loaded loaded = {0};
    hob_error error;
    struct completion completion = {.settings = settings, .output = line->output};
    if (status == STATUS_DONE) status = sampling_read_biases(line->command, &settings->sampling, &completion.biases);
    if (status != STATUS_DONE) return status;
    sampling_choose(&settings->sampling, completion.biases, &completion.how);
    if (load(settings, &loaded, &error) == HOB_OK) {
        completion.session = loaded.session;
        status = complete(&completion, line, &loaded);
    } else {
        status = report_error(&error);
    }
    completion_release(&completion);
    loaded_release(&loaded);
    return status;
}

const struct command_def command_complete = {
    .name = "complete",
    .synopsis = "[-m MODEL] [-n TOKENS] [--temperature T] [--top-k K] [--top-p P] [--min-p P]\n"
                "                    [--seed S] [--samples N] [--beam-width W] [--length-penalty X]\n"
                "                    [--early-stopping no|yes|never] [--stop TEXT]… [--stop-id ID]…\n"
                "                    [--grammar FILE | --json-schema FILE|JSON]\n"
                "                    [--min-tokens N] [--max-ms MS] [--ignore-eos] [--context-shift [--keep N]]\n"
                "                    [--repeat-penalty X] [--dry-multiplier X] [--logit-bias ID+BIAS]… [SAMPLING]…\n"
                "                    [--suffix TEXT [--repo-name NAME --file-path PATH [--context-file FILE]…]]\n"
                "                    [--draft-max N] [--model-draft MODEL]\n"
                "                    [--ctx-size N] [--cache-type TYPE] [--prompt-cache DIR]\n"
                "                    [--score] [--logprobs N] [--echo] [--ids] [--json] [--threads N] TEXT…|-",
    .summary = "Continue a text",
    .details = "The continuation goes to standard output as it comes, with a line end behind it. Words are joined by\n"
               "spaces; a prompt from standard input loses one line end at its end. Ctrl-C stops between two tokens.\n"
               "Several texts come when all are there, a line --- between them; with --json in a list \"texts\".\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct complete_settings),
    .defaults = &defaults,
    .run = run,
};
