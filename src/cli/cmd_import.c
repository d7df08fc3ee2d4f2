#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "hob/hob.h"

struct settings {
    const char *output_path, *quant, *tokenizer_path, *text_path;
    bool is_graph_only, is_reported, is_json;
    size_t n_threads, n_text_items;
};

static const struct option_def options[] = {
    {.name = "output",
     .letter = 'o',
     .argument = "FILE.hob",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, output_path),
     .help = "the pack to write; one that is there is replaced"},
    {.name = "quant",
     .argument = "FORMAT",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, quant),
     .help = "what float weights become: f32, f16, q8_0, q5_1, q5_0, q4_1, q4_0, or int8 for encoders; else they stay"},
    {.name = "report",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_reported),
     .help = "measure what quantising costs; the pack keeps it, hob inspect shows it"},
    {.name = "text",
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, text_path),
     .help = "with --report: compare with the source on this text (perplexity, or cosine of embeddings)"},
    {.name = "text-items",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_text_items),
     .help = "most tokens of the text, or lines for an encoder; 2048, or 256, without it"},
    {.name = "tokenizer",
     .argument = "PATH",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, tokenizer_path),
     .help = "a tokenizer.json, vocab.txt, .gguf or folder; else the one in or beside the model"},
    {.name = "graph",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_graph_only),
     .help = "for hob run: caches stay inputs and outputs, no tokenizer"},
    OPTION_JSON(struct settings, "then tell what is in the pack, as hob inspect --json"),
    OPTION_THREADS(struct settings),
};

static int describe(const struct command_line *line, const char *path)
{
    char *text;
    hob_error error;
    if (hob_describe(path, true, &text, &error) != HOB_OK) return report_error(&error);
    output_write(line->output, text, strlen(text));
    hob_free(text);
    return STATUS_DONE;
}

static hob_status import(const struct command_line *line, struct progress *progress, hob_error *error)
{
    const struct settings *settings = line->settings;
    struct buffer text = {0};
    hob_status status = settings->text_path ? input_file(settings->text_path, &text, error) : HOB_OK;
    hob_import_options how = {.model = {.quant = settings->quant,
                                        .n_threads = settings->n_threads,
                                        .tokenizer_path = settings->tokenizer_path,
                                        .is_graph_only = settings->is_graph_only,
                                        .progress = progress_show,
                                        .progress_context = progress},
                              .is_reported = settings->is_reported,
                              .text = settings->text_path ? buffer_text(&text) : NULL,
                              .n_text_bytes = text.n_bytes,
                              .n_text_items = settings->n_text_items};
    if (status == HOB_OK) status = hob_import(line->words[0], &how, settings->output_path, error);
    buffer_release(&text);
    return status;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    struct progress progress;
    hob_error error;
    if (line->n_words != 1) return report_usage(line->command, "found %zu models, expected one SOURCE", line->n_words);
    if (!settings->output_path) return report_usage(line->command, "expected -o FILE.hob");
    if (settings->text_path && !settings->is_reported) return report_usage(line->command, "--text: expected --report with it");
    progress_init(&progress);
    hob_status status = import(line, &progress, &error);
    progress_clear(&progress);
    if (status != HOB_OK) return report_error(&error);
    return settings->is_json ? describe(line, settings->output_path) : STATUS_DONE;
}

const struct command_def command_import = {
    .name = "import",
    .synopsis = "SOURCE -o FILE.hob [--quant FORMAT] [--report [--text FILE]] [--tokenizer PATH] [--graph] [--json] [--threads N]",
    .summary = "Make a pack of a model, which opens in milliseconds",
    .details = "SOURCE is an .onnx, .gguf or .safetensors file or a folder. The pack holds the compiled graph, the weights in the order\n"
               "they are read, and the tokenizer; it needs nothing beside it, and every command takes it. It is mapped, so programs\n"
               "that use the same pack share its memory.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
