#include "cli/token_json.h"

#include <math.h>

json_t *json_token_text(const hob_tokenizer *tokenizer, int32_t id)
{
    char *text;
    size_t n_bytes;
    if (hob_tokenizer_decode(tokenizer, &id, 1, 0, &text, &n_bytes, NULL) != HOB_OK) return json_null();
    json_t *json = json_text(text, n_bytes);
    hob_free(text);
    return json;
}

/* JSON has no minus infinity: an impossible token's logarithm is null. */
static json_t *json_one(const hob_tokenizer *tokenizer, hob_logprob token)
{
    json_t *logprob = isfinite(token.logprob) ? json_real((double)token.logprob) : json_null();
    return json_pack("{s:i, s:o, s:o}", "id", (int)token.id, "token", json_token_text(tokenizer, token.id), "logprob",
                     logprob);
}

json_t *json_token(const hob_tokenizer *tokenizer, hob_logprob token, const hob_logprob *top, size_t n_top)
{
    json_t *json = json_one(tokenizer, token), *array = json_array();
    bool is_whole = json && array;
    for (size_t i = 0; is_whole && i < n_top; i++)
        is_whole = json_array_append_new(array, json_one(tokenizer, top[i])) == 0;
    if (is_whole && (!n_top || json_object_set(json, "top_logprobs", array) == 0)) {
        json_decref(array);
        return json;
    }
    json_decref(array);
    json_decref(json);
    return NULL;
}
