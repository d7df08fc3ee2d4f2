/* The end-of-word suffix of classic BPE becomes a space, but nothing at the very end: so each token waits for the next. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *suffix;
    size_t n_bytes;
    TRY(json_read_string(json, "suffix", "</w>", &suffix, &n_bytes, error));
    *ret_config = arena_copy_string(&tokenizer->arena, suffix, n_bytes);
    return *ret_config ? HOB_OK : text_no_memory(error);
}

static hob_status emit(const char *suffix, const char *instead, struct detokenizer *detokenizer, size_t stage,
                       hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    const char *text = buffer_text(&state->held), *end = text + state->held.n_bytes;
    size_t n_suffix = strlen(suffix);
    for (const char *found; n_suffix && (found = memmem(text, (size_t)(end - text), suffix, n_suffix));
         text = found + n_suffix) {
        TRY(detokenizer_next(detokenizer, stage, text, (size_t)(found - text), false, error));
        TRY(detokenizer_next(detokenizer, stage, instead, strlen(instead), false, error));
    }
    return detokenizer_next(detokenizer, stage, text, (size_t)(end - text), true, error);
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    if (!state->is_inside && state->n_tokens > 0) TRY(emit(config, " ", detokenizer, stage, error));
    bool is_whole;
    TRY(detokenizer_collect(state, text, n_bytes, is_token_end, &is_whole, error));
    state->n_tokens += is_whole;
    return HOB_OK;
}

static hob_status finish(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    return detokenizer_state(detokenizer, stage)->n_tokens ? emit(config, "", detokenizer, stage, error) : HOB_OK;
}

const struct stage_def stage_bpe = {.names = {"BPEDecoder"}, .load = load, .push = push, .finish = finish};
