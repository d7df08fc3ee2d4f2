/* hob_perplexity: windows, which of their tokens count, and the standard error, as llama.cpp's perplexity tool has them. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/log_sum.h"
#include "engine/text_reader.h"
#include "engine/session.h"
#include "hob/score.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_WINDOW = 512 };

struct measuring {
    struct text_reader reader;
    int32_t *window;               /* [n_context] its ids: the first may be BOS instead of the text's */
    size_t n_context, step, first; /* a window begins every step tokens; its tokens from first on count */
    int32_t bos;                   /* HOB_NO_TOKEN: windows begin as the text does */
    double sum, sum_squares;       /* of negative log-probabilities */
    hob_perplexity_result result;
};

static bool see_row(void *context, size_t index, const float *logits)
{
    struct measuring *measuring = context;
    struct log_sum log_sum = log_sum_of(logits, measuring->reader.n_vocab);
    double cost = -log_sum_logprob_double(log_sum, logits[measuring->window[index]]);
    measuring->sum += cost;
    measuring->sum_squares += cost * cost;
    measuring->result.n_tokens++;
    return true;
}

/* The error of exp(mean) is that of the mean, times exp(mean). */
static void sum_up(struct measuring *measuring)
{
    hob_perplexity_result *result = &measuring->result;
    double n = (double)result->n_tokens, mean = measuring->sum / n;
    double variance = measuring->sum_squares / n - mean * mean;
    result->mean_logprob = -mean;
    result->perplexity = exp(mean);
    result->error = variance > 0 && n > 1 ? sqrt(variance / (n - 1)) * result->perplexity : 0;
}

static hob_status read_windows(struct measuring *measuring, const int32_t *ids, size_t n_ids,
                               const hob_perplexity_options *options, hob_error *error)
{
    size_t n_context = measuring->n_context, n_windows = (n_ids - n_context) / measuring->step + 1;
    bool is_stopped;
    for (size_t i = 0; i < n_windows; i++) {
        memcpy(measuring->window, ids + i * measuring->step, n_context * sizeof *ids);
        if (measuring->bos != HOB_NO_TOKEN) measuring->window[0] = measuring->bos;
        TRY(text_reader_read(&measuring->reader, measuring->window, n_context, measuring->first, see_row, measuring,
                             &is_stopped, error));
        measuring->result.n_windows++;
        sum_up(measuring);
        double fraction = (double)(i + 1) / (double)n_windows;
        if (options->on_window && !options->on_window(options->context, &measuring->result, fraction)) break;
    }
    return HOB_OK;
}

/* Every id, the last too, is an index of a row. */
static hob_status check_ids(const struct measuring *measuring, const int32_t *ids, size_t n_ids, hob_error *error)
{
    if (n_ids / 2 < measuring->n_context)
        FAIL(error, HOB_BAD_ARGUMENT, "perplexity: found a text of %zu tokens, expected two windows of %zu or more",
             n_ids, measuring->n_context);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= measuring->reader.n_vocab)
            FAIL(error, HOB_BAD_ARGUMENT, "perplexity: token %zu: found id %d, expected 0 to %zu", i, (int)ids[i],
                 measuring->reader.n_vocab - 1);
    return HOB_OK;
}

static hob_status set_up(struct measuring *measuring, hob_session *session, const hob_perplexity_options *options,
                         hob_error *error)
{
    size_t most = hob_session_n_context_tokens(session);
    size_t n_context = options->n_context ? options->n_context : most < DEFAULT_WINDOW ? most : DEFAULT_WINDOW;
    TRY(text_reader_init(&measuring->reader, session, error));
    if (n_context < 4 || n_context > most)
        FAIL(error, HOB_BAD_ARGUMENT,
             "perplexity: found windows of %zu tokens, expected 4 to %zu, the session's context", n_context, most);
    if (options->stride >= n_context)
        FAIL(error, HOB_BAD_ARGUMENT, "perplexity: found a stride of %zu, expected less than the window's %zu tokens",
             options->stride, n_context);
    measuring->n_context = n_context;
    measuring->step = options->stride ? options->stride : n_context;
    measuring->first = options->stride ? n_context - options->stride : n_context / 2 + 1;
    measuring->window = memory_new(n_context, sizeof *measuring->window);
    if (!measuring->window) FAIL(error, HOB_NO_MEMORY, "perplexity: no memory for a window of %zu tokens", n_context);
    return HOB_OK;
}

hob_status hob_perplexity(hob_session *session, const int32_t *ids, size_t n_ids, const hob_perplexity_options *options,
                          hob_perplexity_result *ret_result, hob_error *error)
{
    struct measuring measuring = {.bos = HOB_NO_TOKEN};
    const hob_perplexity_options defaults = {0};
    hob_status status = HOB_OK;
    if (!session || (!ids && n_ids) || !ret_result)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_perplexity: session, ids and ret_result must be given");
    if (!options) options = &defaults;
    TRY_CLEANUP(set_up(&measuring, session, options, error));
    TRY_CLEANUP(check_ids(&measuring, ids, n_ids, error));
    const hob_tokenizer *tokenizer = session->model->tokenizer;
    if (tokenizer && ids[0] == hob_tokenizer_role(tokenizer, HOB_TOKEN_BOS)) measuring.bos = ids[0];
    TRY_CLEANUP(read_windows(&measuring, ids, n_ids, options, error));
    *ret_result = measuring.result;
cleanup:
    memory_free(measuring.window);
    text_reader_release(&measuring.reader);
    return status;
}
