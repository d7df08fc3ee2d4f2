/* hob_score: the text is read once, and every position's logits tell what the next token was worth. */
#include "hob/score.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/candidates.h"
#include "engine/log_sum.h"
#include "engine/text_reader.h"

struct scoring {
    const int32_t *ids;
    size_t n_vocab, n_top;
    struct candidates candidates; /* for the best; not made where none are wanted */
    hob_logprob *top;
    hob_on_scored *on_scored;
    void *context;
};

static void find_best(struct scoring *scoring, const float *logits, struct log_sum log_sum)
{
    struct candidates *candidates = &scoring->candidates;
    candidates_load(candidates, logits, scoring->n_vocab);
    candidates_keep_best(candidates, scoring->n_top);
    for (size_t i = 0; i < scoring->n_top; i++)
        scoring->top[i] = (hob_logprob){candidates->items[i].id, log_sum_logprob(log_sum, candidates->items[i].logit)};
}

static bool see_row(void *context, size_t index, const float *logits)
{
    struct scoring *scoring = context;
    struct log_sum log_sum = log_sum_of(logits, scoring->n_vocab);
    int32_t id = scoring->ids[index];
    if (scoring->n_top) find_best(scoring, logits, log_sum);
    hob_scored scored = {.index = index,
                         .id = id,
                         .logprob = log_sum_logprob_double(log_sum, logits[id]),
                         .top_logprobs = scoring->top,
                         .n_top_logprobs = scoring->n_top};
    return scoring->on_scored(scoring->context, &scored);
}

static hob_status make_room(struct scoring *scoring, size_t n_top, hob_error *error)
{
    if (n_top > HOB_MAX_TOP_LOGPROBS)
        FAIL(error, HOB_BAD_ARGUMENT, "top logprobs: found %zu, expected 0 to %d", n_top, HOB_MAX_TOP_LOGPROBS);
    scoring->n_top = n_top < scoring->n_vocab ? n_top : scoring->n_vocab;
    if (!n_top) return HOB_OK;
    scoring->candidates.items = memory_new(scoring->n_vocab, sizeof(struct candidate));
    scoring->top = memory_new(scoring->n_top, sizeof *scoring->top);
    if (!scoring->candidates.items || !scoring->top)
        FAIL(error, HOB_NO_MEMORY, "no memory for %zu candidates", scoring->n_vocab);
    return HOB_OK;
}

/* Rows index the vocabulary by these ids; the last of them is never given to the session, which would check it. */
static hob_status check_ids(const int32_t *ids, size_t n_ids, size_t n_vocab, hob_error *error)
{
    if (!n_ids) FAIL(error, HOB_BAD_ARGUMENT, "found an empty text, expected at least one token");
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= n_vocab)
            FAIL(error, HOB_BAD_ARGUMENT, "token %zu: found id %d, expected 0 to %zu", i, (int)ids[i], n_vocab - 1);
    return HOB_OK;
}

hob_status hob_score(hob_session *session, const int32_t *ids, size_t n_ids, size_t n_top_logprobs,
                     hob_on_scored *on_scored, void *context, hob_error *error)
{
    struct text_reader reader = {0};
    struct scoring scoring = {.ids = ids, .on_scored = on_scored, .context = context};
    bool is_stopped;
    hob_status status = HOB_OK;
    if (!session || (!ids && n_ids) || !on_scored)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_score: session, ids and on_scored must be given");
    TRY_CLEANUP(text_reader_init(&reader, session, error));
    scoring.n_vocab = reader.n_vocab;
    TRY_CLEANUP(check_ids(ids, n_ids, reader.n_vocab, error));
    TRY_CLEANUP(make_room(&scoring, n_top_logprobs, error));
    TRY_CLEANUP(text_reader_read(&reader, ids, n_ids, 1, see_row, &scoring, &is_stopped, error));
cleanup:
    memory_free(scoring.candidates.items);
    memory_free(scoring.top);
    text_reader_release(&reader);
    return status;
}
