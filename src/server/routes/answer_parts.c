/* JSON of vectors, tokens and times. */
#include "server/routes/answer_parts.h"

#include "server/routes/piece_json.h"

#include <stdlib.h>

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

struct ranked *answer_ranking(struct exchange *exchange, size_t n_texts)
{
    struct ranked *ranked = ARENA_NEW(exchange_arena(exchange), struct ranked, n_texts);
    if (!ranked) return NULL;
    for (size_t i = 0; i < n_texts; i++) ranked[i].index = i;
    ANSWER_EVENTS(event, exchange, 0)
    for (size_t i = 0; event->kind == EVENT_SCORES && i < event->n_rows && event->first_row + i < n_texts; i++)
        ranked[event->first_row + i].score = event->numbers[i * event->n_columns];
    qsort(ranked, n_texts, sizeof *ranked, by_score);
    return ranked;
}

json_t *answer_first(json_t *list)
{
    json_t *first = json_incref(json_array_get(list, 0));
    json_decref(list);
    return first;
}

/* How many digits are written is the reply's matter (exchange_reply_json). */
json_t *answer_vector(const float *numbers, size_t n_numbers)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n_numbers; i++)
        json_append(&list, isfinite(numbers[i]) ? json_real((double)numbers[i]) : json_null());
    return list;
}

static hob_pieces *pieces_of(const struct job *job)
{
    hob_pieces *pieces = NULL;
    if (!job->model || hob_pieces_new(hob_model_tokenizer(job->model->model), &pieces, NULL) != HOB_OK) return NULL;
    return pieces;
}

json_t *answer_token_text(const struct job *job, int32_t id)
{
    hob_pieces *pieces = pieces_of(job);
    json_t *text = pieces ? piece_json_text(pieces, hob_model_tokenizer(job->model->model), id) : json_string("");
    hob_pieces_free(pieces);
    return text;
}

json_t *answer_token_bytes(const struct job *job, int32_t id)
{
    hob_pieces *pieces = pieces_of(job);
    json_t *bytes = pieces ? piece_json_bytes(pieces, id) : json_array();
    hob_pieces_free(pieces);
    return bytes;
}

json_t *answer_logprob(float logprob)
{
    return json_real(logprob > -9999 ? (double)logprob : -9999);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

json_t *answer_timings(const struct usage *usage)
{
    double n_prompt = (double)(usage->n_prompt_tokens - usage->n_cached_tokens),
           n_new = (double)usage->n_generated_tokens;
    json_t *timings =
        json_pack("{s:I,s:I,s:f,s:f,s:f,s:I,s:f,s:f,s:f}", "cache_n", (json_int_t)usage->n_cached_tokens, "prompt_n",
                  (json_int_t)n_prompt, "prompt_ms", usage->prompt_ms, "prompt_per_token_ms",
                  ratio(usage->prompt_ms, n_prompt), "prompt_per_second", ratio(n_prompt, usage->prompt_ms / 1000),
                  "predicted_n", (json_int_t)n_new, "predicted_ms", usage->generate_ms, "predicted_per_token_ms",
                  ratio(usage->generate_ms, n_new), "predicted_per_second", ratio(n_new, usage->generate_ms / 1000));
    if (!timings || !usage->n_drafted) return timings;
    json_object_set_new(timings, "draft_n", json_integer((json_int_t)usage->n_drafted));
    json_object_set_new(timings, "draft_n_accepted", json_integer((json_int_t)usage->n_draft_accepted));
    return timings;
}

static json_t *whole_text(struct exchange *exchange, void *state)
{
    const struct event *text = NULL;
    ANSWER_EVENTS(event, exchange, 0)
    if (event->kind == EVENT_TEXT) text = event;
    return json_pack("{s:o}", (const char *)state, text ? json_text(text->text, text->n_text_bytes) : json_string(""));
}

const struct answer_def answer_text = {.whole = whole_text};
