/* The end-of-word suffix of classic BPE becomes a space, but nothing at the very end: so each token waits for the next. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

struct bpe_decoder {
    const char *suffix;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    const char *suffix;
    size_t n_bytes;
    struct bpe_decoder *config = CONFIG_NEW(tokenizer, struct bpe_decoder);
    TRY(json_read_string(json, "suffix", "</w>", &suffix, &n_bytes, error));
    if (!config || !(config->suffix = arena_copy_string(&tokenizer->arena, suffix, n_bytes))) return text_no_memory(error);
    *ret_config = config;
    return HOB_OK;
}

static hob_status emit(const struct bpe_decoder *config, const char *instead, struct detokenizer *detokenizer, size_t stage,
                       hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    const char *text = buffer_text(&state->held), *end = text + state->held.n_bytes;
    const char *suffix = config->suffix;
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

static const struct config_field fields[] = {
    {.kind = CONFIG_TEXT, .offset = offsetof(struct bpe_decoder, suffix)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_bpe = {
    .names = {"BPEDecoder"},
    .config_bytes = sizeof(struct bpe_decoder),
    .fields = fields,
    .load = load,
    .push = push,
    .finish = finish,
};
