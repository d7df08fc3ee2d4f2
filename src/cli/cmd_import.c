#include "cli/command.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "hob/hob.h"

struct settings {
    const char *output_path, *quant, *tokenizer_path;
    bool is_graph_only, is_json;
    size_t n_threads;
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
     .help = "what float weights become: q8_0, q5_1, q5_0, q4_1, q4_0, or int8 for encoders; else they stay"},
    {.name = "tokenizer",
     .argument = "PATH",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, tokenizer_path),
     .help = "a tokenizer.json, vocab.txt, .gguf or folder; else the one in or beside the model"},
    {.name = "graph",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_graph_only),
     .help = "for hob run: caches stay inputs and outputs, no tokenizer"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_json),
     .help = "then tell what is in the pack, as hob inspect --json"},
    {.name = "threads",
     .letter = 't',
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_threads),
     .help = "0, as without it: all processors"},
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

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    struct progress progress;
    hob_error error;
    if (line->n_words != 1) return report_usage(line->command, "found %zu models, expected one SOURCE", line->n_words);
    if (!settings->output_path) return report_usage(line->command, "expected -o FILE.hob");
    progress_init(&progress);
    hob_import_options how = {.model = {.quant = settings->quant,
                                        .n_threads = settings->n_threads,
                                        .tokenizer_path = settings->tokenizer_path,
                                        .is_graph_only = settings->is_graph_only,
                                        .progress = progress_show,
                                        .progress_context = &progress}};
    hob_status status = hob_import(line->words[0], &how, settings->output_path, &error);
    progress_clear(&progress);
    if (status != HOB_OK) return report_error(&error);
    return settings->is_json ? describe(line, settings->output_path) : STATUS_DONE;
}

const struct command_def command_import = {
    .name = "import",
    .synopsis = "SOURCE -o FILE.hob [--quant FORMAT] [--tokenizer PATH] [--graph] [--json] [--threads N]",
    .summary = "Make a pack of a model, which opens in milliseconds",
    .details = "SOURCE is an .onnx, .gguf or .safetensors file or a folder. The pack holds the compiled graph, the weights in the order\n"
               "they are read, and the tokenizer; it needs nothing beside it, and every command takes it. It is mapped, so programs\n"
               "that use the same pack share its memory.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
