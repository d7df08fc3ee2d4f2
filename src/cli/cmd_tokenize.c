#include "cli/command.h"
#include "cli/ids.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/report.h"

struct settings {
    const char *model_path;
    bool has_no_special, is_json;
};

static const struct option_def options[] = {
    OPTION_MODEL(struct settings, "model, tokenizer.json, vocab.txt, .gguf, or a folder that holds one"),
    {.name = "no-special",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, has_no_special),
     .help = "only the text: no token in front or behind"},
    OPTION_JSON(struct settings, "one JSON object: ids and the tokens they stand for"),
};

static json_t *tokens_of(const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids)
{
    json_t *tokens = json_array();
    for (size_t i = 0; tokens && i < n_ids; i++) {
        size_t n_bytes;
        const char *token = hob_tokenizer_token(tokenizer, ids[i], &n_bytes);
        if (json_array_append_new(tokens, token ? json_text(token, n_bytes) : json_null()) == 0) continue;
        json_decref(tokens);
        tokens = NULL;
    }
    return tokens;
}

static int print(const struct command_line *line, const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids)
{
    const struct settings *settings = line->settings;
    if (settings->is_json)
        return json_print(
            json_pack("{s:o, s:o}", "ids", json_ids(ids, n_ids), "tokens", tokens_of(tokenizer, ids, n_ids)),
            line->output);
    ids_print(line->output, ids, n_ids);
    output_write(line->output, "\n", 1);
    return STATUS_DONE;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words == 0) return report_usage(line->command, "expected TEXT, or - for standard input");
    hob_tokenizer *tokenizer = NULL;
    struct buffer text = {0};
    int32_t *ids = NULL;
    size_t n_ids;
    unsigned flags = settings->has_no_special ? 0 : HOB_ADD_SPECIAL;
    hob_error error;
    bool is_done =
        load_tokenizer(settings->model_path, &tokenizer, &error) == HOB_OK &&
        input_text(line->words, line->n_words, &text, &error) == HOB_OK &&
        hob_tokenizer_encode(tokenizer, buffer_text(&text), text.n_bytes, flags, &ids, &n_ids, &error) == HOB_OK;
    int status = is_done ? print(line, tokenizer, ids, n_ids) : report_error(&error);
    hob_free(ids);
    buffer_release(&text);
    hob_tokenizer_free(tokenizer);
    return status;
}

const struct command_def command_tokenize = {
    .name = "tokenize",
    .synopsis = "[-m MODEL] [--no-special] [--json] TEXT…|-",
    .summary = "Turn text into token ids",
    .details = "Words are joined by spaces. Standard input is taken to the byte, its last line end too.\n"
               "The ids stand on one line, with spaces between.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
