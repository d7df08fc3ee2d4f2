/* Ids to text: the tokens' spellings run through the decoder stages, each of which hands on what is final. Decoding all at
 * once is the same run, so streamed text and whole text cannot differ. */
#include "base/error.h"
#include "base/memory.h"
#include "text/parts.h"

struct detokenizer {
    const struct tokenizer *tokenizer;
    unsigned flags;
    struct buffer *out;  /* of the call under way */
    struct buffer token; /* a GGUF token as text */
    struct stage_state states[MAX_PARTS];
};

struct stage_state *detokenizer_state(struct detokenizer *detokenizer, size_t stage)
{
    return &detokenizer->states[stage];
}

static hob_status push_from(struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes, bool is_token_end,
                            hob_error *error)
{
    const struct part_list *stages = &detokenizer->tokenizer->stages;
    if (stage == stages->n_parts) return buffer_append(detokenizer->out, text, n_bytes) ? HOB_OK : text_no_memory(error);
    const struct stage_def *def = stages->parts[stage].def;
    return def->push(stages->parts[stage].config, detokenizer, stage, text, n_bytes, is_token_end, error);
}

hob_status detokenizer_next(struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes, bool is_token_end,
                        hob_error *error)
{
    return push_from(detokenizer, stage + 1, text, n_bytes, is_token_end, error);
}

hob_status detokenizer_collect(struct stage_state *state, const char *text, size_t n_bytes, bool is_token_end,
                           bool *ret_is_whole, hob_error *error)
{
    if (!state->is_inside) buffer_clear(&state->held);
    state->is_inside = !is_token_end;
    *ret_is_whole = is_token_end;
    return buffer_append(&state->held, text, n_bytes) ? HOB_OK : text_no_memory(error);
}

hob_status detokenizer_new(const struct tokenizer *tokenizer, unsigned flags, struct detokenizer **ret_detokenizer,
                       hob_error *error)
{
    struct detokenizer *detokenizer = memory_new(1, sizeof *detokenizer);
    if (!detokenizer) return text_no_memory(error);
    detokenizer->tokenizer = tokenizer;
    detokenizer->flags = flags;
    *ret_detokenizer = detokenizer;
    return HOB_OK;
}

void detokenizer_free(struct detokenizer *detokenizer)
{
    if (!detokenizer) return;
    for (size_t i = 0; i < MAX_PARTS; i++) buffer_release(&detokenizer->states[i].held);
    buffer_release(&detokenizer->token);
    memory_free(detokenizer);
}

hob_status detokenizer_push(struct detokenizer *detokenizer, int32_t id, struct buffer *text, hob_error *error)
{
    const struct tokenizer *tokenizer = detokenizer->tokenizer;
    if (id < 0 || (size_t)id >= tokenizer->vocabulary.n_tokens)
        FAIL(error, HOB_BAD_ARGUMENT, "token id: found %d, expected 0 to %zu", id, tokenizer->vocabulary.n_tokens - 1);
    if (!vocabulary_has(&tokenizer->vocabulary, id)) return HOB_OK;
    if (detokenizer->flags & HOB_SKIP_SPECIAL && tokenizer_type(tokenizer, id) == TOKEN_CONTROL) return HOB_OK;
    detokenizer->out = text;
    size_t n_bytes;
    const char *spelling = vocabulary_text(&tokenizer->vocabulary, (size_t)id, &n_bytes);
    if (!tokenizer->is_gguf) return push_from(detokenizer, 0, spelling, n_bytes, true, error);
    buffer_clear(&detokenizer->token);
    TRY(gguf_token_text(tokenizer, id, &detokenizer->token, error));
    return push_from(detokenizer, 0, buffer_text(&detokenizer->token), detokenizer->token.n_bytes, true, error);
}

hob_status detokenizer_finish(struct detokenizer *detokenizer, struct buffer *text, hob_error *error)
{
    const struct part_list *stages = &detokenizer->tokenizer->stages;
    detokenizer->out = text;
    for (size_t i = 0; i < stages->n_parts; i++) {
        const struct stage_def *def = stages->parts[i].def;
        if (def->finish) TRY(def->finish(stages->parts[i].config, detokenizer, i, error));
    }
    for (size_t i = 0; i < stages->n_parts; i++) {
        struct buffer held = detokenizer->states[i].held;
        buffer_clear(&held);
        detokenizer->states[i] = (struct stage_state){.held = held};
    }
    return HOB_OK;
}

hob_status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t n_ids, unsigned flags,
                            struct buffer *text, hob_error *error)
{
    struct detokenizer *detokenizer = NULL;
    TRY(detokenizer_new(tokenizer, flags, &detokenizer, error));
    hob_status status = HOB_OK;
    for (size_t i = 0; i < n_ids; i++) TRY_CLEANUP(detokenizer_push(detokenizer, ids[i], text, error));
    TRY_CLEANUP(detokenizer_finish(detokenizer, text, error));
cleanup:
    detokenizer_free(detokenizer);
    return status;
}
