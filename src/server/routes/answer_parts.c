/* JSON of vectors, tokens and times. */
#include "server/routes/answer_parts.h"

/* How many digits are written is the reply's matter (exchange_reply_json). */
json_t *answer_vector(const float *numbers, size_t n_numbers)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n_numbers; i++)
        json_array_append_new(list, isfinite(numbers[i]) ? json_real((double)numbers[i]) : json_null());
    return list;
}

/* make: from the token's bytes. */
static json_t *from_piece(const struct job *job, int32_t id, json_t *(*make)(const char *bytes, size_t n_bytes))
{
    hob_pieces *pieces = NULL;
    const char *bytes = "";
    size_t n_bytes = 0;
    hob_status status =
        job->model ? hob_pieces_new(hob_model_tokenizer(job->model->model), &pieces, NULL) : HOB_NOT_FOUND;
    if (status == HOB_OK) status = hob_pieces_get(pieces, id, &bytes, &n_bytes, NULL);
    json_t *json = make(status == HOB_OK ? bytes : "", status == HOB_OK ? n_bytes : 0);
    hob_pieces_free(pieces);
    return json;
}

static json_t *list_of_bytes(const char *bytes, size_t n_bytes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n_bytes; i++) json_array_append_new(list, json_integer((unsigned char)bytes[i]));
    return list;
}

json_t *answer_token_text(const struct job *job, int32_t id)
{
    return from_piece(job, id, exchange_json_text);
}

json_t *answer_token_bytes(const struct job *job, int32_t id)
{
    return from_piece(job, id, list_of_bytes);
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
    return json_pack("{s:I,s:I,s:f,s:f,s:f,s:I,s:f,s:f,s:f}", "cache_n", (json_int_t)usage->n_cached_tokens, "prompt_n",
                     (json_int_t)n_prompt, "prompt_ms", usage->prompt_ms, "prompt_per_token_ms",
                     ratio(usage->prompt_ms, n_prompt), "prompt_per_second", ratio(n_prompt, usage->prompt_ms / 1000),
                     "predicted_n", (json_int_t)n_new, "predicted_ms", usage->generate_ms, "predicted_per_token_ms",
                     ratio(usage->generate_ms, n_new), "predicted_per_second", ratio(n_new, usage->generate_ms / 1000));
}
