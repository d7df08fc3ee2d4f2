#include "base/memory.h"
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
     .help = "leave special tokens out of the text"},
    OPTION_JSON(struct settings, "one JSON object: ids and text"),
};

static int print(const struct command_line *line, const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids)
{
    const struct settings *settings = line->settings;
    char *text;
    size_t n_bytes;
    hob_error error;
    unsigned flags = settings->has_no_special ? HOB_SKIP_SPECIAL : 0;
    if (hob_tokenizer_decode(tokenizer, ids, n_ids, flags, &text, &n_bytes, &error) != HOB_OK)
        return report_error(&error);
    int status = STATUS_DONE;
    if (settings->is_json) {
        status = json_print(json_pack("{s:o, s:o}", "ids", json_ids(ids, n_ids), "text", json_text(text, n_bytes)),
                            line->output);
    } else {
        output_write(line->output, text, n_bytes);
        output_write(line->output, "\n", 1);
    }
    hob_free(text);
    return status;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words == 0) return report_usage(line->command, "expected token ids, or - for standard input");
    hob_tokenizer *tokenizer = NULL;
    struct buffer text = {0};
    int32_t *ids = NULL;
    size_t n_ids;
    hob_error error;
    bool is_done = input_text(line->words, line->n_words, &text, &error) == HOB_OK &&
                   ids_parse(buffer_text(&text), &ids, &n_ids, &error) == HOB_OK &&
                   load_tokenizer(settings->model_path, &tokenizer, &error) == HOB_OK;
    int status = is_done ? print(line, tokenizer, ids, n_ids) : report_error(&error);
    memory_free(ids);
    buffer_release(&text);
    hob_tokenizer_free(tokenizer);
    return status;
}

const struct command_def command_detokenize = {
    .name = "detokenize",
    .synopsis = "[-m MODEL] [--no-special] [--json] ID…|-",
    .summary = "Turn token ids back into text",
    .details =
        "Ids from standard input have white space or commas between them. A line end is printed behind the text.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
