/* Embeds texts batch by batch: all lines that have come, at most as many as fit a batch, so that a program at the other end
 * of a pipe gets its answers before it must write more. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/load.h"
#include "cli/report.h"

#include <math.h>
#include <unistd.h>

enum { BATCH_TEXTS = 64 };

struct settings {
    const char *model_path;
    int pooling;
    bool is_raw;
    const char *prompt;
    size_t n_dimensions;
    size_t n_threads;
};

/* In the order of enum hob_pooling. */
static const char *const poolings[] = {"default", "mean", "cls", "last", NULL};

static const struct option_def options[] = {
    OPTION_MODEL(struct settings, "an encoder: file or folder"),
    {.name = "pooling",
     .argument = "mean|cls|last",
     .kind = OPTION_CHOICE,
     .choices = poolings,
     .offset = offsetof(struct settings, pooling),
     .help = "how tokens become one vector; else what the model says"},
    {.name = "no-normalize",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_raw),
     .help = "do not scale the vectors to length 1"},
    {.name = "prompt",
     .argument = "NAME",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, prompt),
     .help = "put the model's prompt of that name (query, document, …) before each text; '' for none"},
    {.name = "dimensions",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_dimensions),
     .help = "keep the first N numbers of each vector, then normalise (Matryoshka models)"},
    OPTION_THREADS(struct settings),
};

/* What a run holds on to. */
struct embedder {
    const struct command_line *line;
    struct loaded loaded;
    size_t width;
    float *vectors; /* [BATCH_TEXTS, width] */
    const char *texts[BATCH_TEXTS];
    size_t text_bytes[BATCH_TEXTS], n_texts;
    struct buffer row;
};

/* Nine digits bring every float back exactly. JSON has no word for what is not finite. */
static hob_status print_vector(struct embedder *embedder, const float *vector, hob_error *error)
{
    buffer_clear(&embedder->row);
    for (size_t i = 0; i < embedder->width; i++) {
        buffer_append_byte(&embedder->row, i ? ',' : '[');
        if (isfinite(vector[i])) buffer_printf(&embedder->row, "%.9g", (double)vector[i]);
        else buffer_append_string(&embedder->row, "null");
    }
    buffer_append_string(&embedder->row, embedder->width ? "]\n" : "[]\n");
    if (embedder->row.is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for a line of %zu numbers", embedder->width);
    output_write(embedder->line->output, buffer_text(&embedder->row), embedder->row.n_bytes);
    return HOB_OK;
}

/* ret_is_heard: false once nobody reads any more. */
static hob_status embed_batch(struct embedder *embedder, bool *ret_is_heard, hob_error *error)
{
    const struct settings *settings = embedder->line->settings;
    hob_embed_options how = {.pooling = (hob_pooling)settings->pooling, .is_raw = settings->is_raw,
                             .prompt = settings->prompt, .n_dimensions = settings->n_dimensions};
    TRY(hob_embed(embedder->loaded.session, embedder->texts, embedder->text_bytes, embedder->n_texts, &how,
                  embedder->vectors, error));
    for (size_t i = 0; i < embedder->n_texts; i++)
        TRY(print_vector(embedder, embedder->vectors + i * embedder->width, error));
    embedder->n_texts = 0;
    *ret_is_heard = output_flush(embedder->line->output);
    return HOB_OK;
}

static void add_text(struct embedder *embedder, const char *text, size_t n_bytes)
{
    embedder->texts[embedder->n_texts] = text;
    embedder->text_bytes[embedder->n_texts++] = n_bytes;
}

static hob_status embed_words(struct embedder *embedder, hob_error *error)
{
    const struct command_line *line = embedder->line;
    hob_status status = HOB_OK;
    bool is_heard = true;
    for (size_t i = 0; i < line->n_words && status == HOB_OK && is_heard; i++) {
        add_text(embedder, line->words[i], strlen(line->words[i]));
        if (embedder->n_texts == BATCH_TEXTS || i + 1 == line->n_words)
            status = embed_batch(embedder, &is_heard, error);
    }
    return status;
}

static hob_status embed_lines(struct embedder *embedder, struct line_reader *reader, hob_error *error)
{
    bool is_heard = true;
    while (is_heard) {
        char *text;
        size_t n_bytes;
        TRY(line_reader_next(reader, &text, &n_bytes, error));
        if (!text) break;
        add_text(embedder, text, n_bytes);
        if (embedder->n_texts < BATCH_TEXTS && line_reader_is_ready(reader)) continue;
        TRY(embed_batch(embedder, &is_heard, error));
    }
    return HOB_OK;
}

static int embed_all(struct embedder *embedder)
{
    const struct command_line *line = embedder->line;
    struct line_reader reader = {.fd = STDIN_FILENO, .name = "standard input"};
    hob_error error;
    hob_status status = input_is_stdin(line->words, line->n_words) ? embed_lines(embedder, &reader, &error)
                                                                   : embed_words(embedder, &error);
    line_reader_release(&reader);
    return status == HOB_OK ? STATUS_DONE : report_error(&error);
}

/* Room for a batch of vectors. */
static int prepare(struct embedder *embedder)
{
    hob_model_info info = hob_model_get_info(embedder->loaded.model);
    if (info.kind != HOB_MODEL_ENCODER) {
        report("the model gives no sentence embeddings: found %s, expected an encoder", model_kind_text(info.kind));
        return STATUS_FAILED;
    }
    const struct settings *settings = embedder->line->settings;
    embedder->width = settings->n_dimensions ? settings->n_dimensions : (size_t)info.width;
    if (embedder->width > (size_t)info.width) {
        report("--dimensions: found %zu, expected at most %lld, the model's", embedder->width, (long long)info.width);
        return STATUS_FAILED;
    }
    embedder->vectors = memory_new(BATCH_TEXTS * embedder->width, sizeof(float));
    if (embedder->vectors) return STATUS_DONE;
    report("no memory for the embeddings");
    return STATUS_FAILED;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words == 0) return report_usage(line->command, "expected TEXT, or - for standard input");
    struct embedder embedder = {.line = line};
    hob_error error;
    if (load_model(settings->model_path, HOB_MODEL_ENCODER, settings->n_threads, &embedder.loaded, &error) != HOB_OK)
        return report_error(&error);
    int status = prepare(&embedder);
    if (status == STATUS_DONE) status = embed_all(&embedder);
    memory_free(embedder.vectors);
    buffer_release(&embedder.row);
    loaded_release(&embedder.loaded);
    return status;
}

const struct command_def command_embed = {
    .name = "embed",
    .synopsis = "[-m MODEL] [--pooling mean|cls|last] [--no-normalize] [--prompt NAME] [--dimensions N] [--threads N] TEXT…|-",
    .summary = "Turn texts into embedding vectors",
    .details = "Each word is a text; from standard input each line is one. Each text gives one line: a JSON array.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
