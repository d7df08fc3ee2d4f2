/* Orders texts by how well they answer a query. All scores are there before the first line is printed: the best comes first. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TEXTS = 1 << 20 };

struct settings {
    const char *model_path;
    bool is_raw, is_json;
    size_t n_top, n_threads;
};

static const struct option_def options[] = {
    OPTION_MODEL(struct settings, "a reranker: file or folder"),
    {.name = "top",
     .argument = "N",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, n_top),
     .help = "print the best N only"},
    {.name = "raw",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_raw),
     .help = "the model's own numbers instead of 0 to 1"},
    OPTION_JSON(struct settings, "an object a line: index, score and text"),
    OPTION_THREADS(struct settings),
};

struct ranked {
    size_t index; /* of the text as it was given, from 0 */
    float score;
};

/* What a run holds on to. */
struct reranker {
    const struct command_line *line;
    const char *query;
    struct buffer bytes; /* of texts from standard input, each behind the other with a NUL between */
    const char **texts;
    size_t *text_bytes, n_texts;
    struct ranked *order;
};

/* ---- texts ---- */

static hob_status reserve(struct reranker *reranker, size_t n_texts, hob_error *error)
{
    reranker->texts = memory_new(n_texts, sizeof *reranker->texts);
    reranker->text_bytes = memory_new(n_texts, sizeof *reranker->text_bytes);
    if (!reranker->texts || !reranker->text_bytes) FAIL(error, HOB_NO_MEMORY, "no memory for %zu texts", n_texts);
    return HOB_OK;
}

static hob_status take_words(struct reranker *reranker, const char *const *words, size_t n_words, hob_error *error)
{
    TRY(reserve(reranker, n_words, error));
    for (; reranker->n_texts < n_words; reranker->n_texts++) {
        reranker->texts[reranker->n_texts] = words[reranker->n_texts];
        reranker->text_bytes[reranker->n_texts] = strlen(words[reranker->n_texts]);
    }
    return HOB_OK;
}

/* Lines are valid until the next one only. */
static hob_status read_lines(struct reranker *reranker, struct line_reader *reader, struct buffer *lengths, hob_error *error)
{
    for (;;) {
        char *text;
        size_t n_bytes;
        TRY(line_reader_next(reader, &text, &n_bytes, error));
        if (!text) break;
        if (++reranker->n_texts > MOST_TEXTS) FAIL(error, HOB_LIMIT, "standard input: found more than %d lines", MOST_TEXTS);
        buffer_append(&reranker->bytes, text, n_bytes);
        buffer_append(lengths, &n_bytes, sizeof n_bytes);
    }
    if (reranker->bytes.is_failed || lengths->is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for the texts");
    return HOB_OK;
}

static hob_status take_lines(struct reranker *reranker, hob_error *error)
{
    hob_status status = HOB_OK;
    struct line_reader reader = {.fd = STDIN_FILENO, .name = "standard input"};
    struct buffer lengths = {0};
    TRY_CLEANUP(read_lines(reranker, &reader, &lengths, error));
    TRY_CLEANUP(reserve(reranker, reranker->n_texts, error));
    if (lengths.n_bytes) memcpy(reranker->text_bytes, lengths.bytes, lengths.n_bytes);
    const char *text = buffer_text(&reranker->bytes);
    for (size_t i = 0; i < reranker->n_texts; text += reranker->text_bytes[i++]) reranker->texts[i] = text;
cleanup:
    buffer_release(&lengths);
    line_reader_release(&reader);
    return status;
}

/* ---- scores ---- */

/* The best first; what scores alike in the order it came, what is no number last. */
static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    bool is_a = !isnan(a->score), is_b = !isnan(b->score);
    if (is_a != is_b) return is_a ? -1 : 1;
    if (is_a && a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static hob_status rank(struct reranker *reranker, hob_session *session, hob_error *error)
{
    const struct settings *settings = reranker->line->settings;
    hob_rerank_options how = {.is_raw = settings->is_raw};
    hob_status status = HOB_OK;
    float *scores = memory_new(reranker->n_texts, sizeof *scores);
    reranker->order = memory_new(reranker->n_texts, sizeof *reranker->order);
    if (!scores || !reranker->order) FAIL_CLEANUP(error, HOB_NO_MEMORY, "no memory for %zu scores", reranker->n_texts);
    TRY_CLEANUP(hob_rerank(session, reranker->query, strlen(reranker->query), reranker->texts, reranker->text_bytes, reranker->n_texts,
                           &how, scores, error));
    for (size_t i = 0; i < reranker->n_texts; i++) reranker->order[i] = (struct ranked){.index = i, .score = scores[i]};
    if (reranker->n_texts) qsort(reranker->order, reranker->n_texts, sizeof *reranker->order, compare);
cleanup:
    memory_free(scores);
    return status;
}

/* ---- printing ---- */

/* JSON has no word for what is not finite. */
static json_t *json_score(float score)
{
    return isfinite(score) ? json_real((double)score) : json_null();
}

static int print_one(const struct reranker *reranker, const struct ranked *ranked)
{
    const struct settings *settings = reranker->line->settings;
    struct output *output = reranker->line->output;
    const char *text = reranker->texts[ranked->index];
    size_t n_bytes = reranker->text_bytes[ranked->index];
    if (settings->is_json)
        return json_print(json_pack("{s:I, s:o, s:o}", "index", (json_int_t)ranked->index, "score", json_score(ranked->score), "text",
                                    json_text(text, n_bytes)), output);
    output_printf(output, "%.6f\t", (double)ranked->score);
    output_write(output, text, n_bytes);
    output_write(output, "\n", 1);
    return STATUS_DONE;
}

static int print(const struct reranker *reranker)
{
    const struct settings *settings = reranker->line->settings;
    size_t n_shown = settings->n_top && settings->n_top < reranker->n_texts ? settings->n_top : reranker->n_texts;
    int status = STATUS_DONE;
    for (size_t i = 0; i < n_shown && status == STATUS_DONE; i++) status = print_one(reranker, &reranker->order[i]);
    return status;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words < 2) return report_usage(line->command, "expected QUERY, then TEXT, or - for standard input");
    struct reranker reranker = {.line = line, .query = line->words[0]};
    struct loaded loaded;
    hob_error error;
    if (load_model(settings->model_path, HOB_MODEL_CLASSIFIER, settings->n_threads, &loaded, &error) != HOB_OK) return report_error(&error);
    bool is_stdin = input_is_stdin(line->words + 1, line->n_words - 1);
    hob_status done = is_stdin ? take_lines(&reranker, &error) : take_words(&reranker, line->words + 1, line->n_words - 1, &error);
    if (done == HOB_OK) done = rank(&reranker, loaded.session, &error);
    int status = done == HOB_OK ? print(&reranker) : report_error(&error);
    memory_free(reranker.texts);
    memory_free(reranker.text_bytes);
    memory_free(reranker.order);
    buffer_release(&reranker.bytes);
    loaded_release(&loaded);
    return status;
}

const struct command_def command_rerank = {
    .name = "rerank",
    .synopsis = "[-m MODEL] [--top N] [--raw] [--json] [--threads N] QUERY TEXT…|-",
    .summary = "Order texts by how well they answer a query",
    .details = "Each word behind QUERY is a text; from standard input each line is one. The best comes first, each on a line\n"
               "with its score, a tab between. Without -m the default reranker is used, or the one that HOB_RERANK_MODEL names.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
