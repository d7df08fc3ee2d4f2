/* Every match of a pattern within a token becomes a fixed text. */
#include "base/error.h"
#include "text/replacement.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    return replacement_load(tokenizer, json, ret_config, error);
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    bool is_whole, ignored;
    TRY(detokenizer_collect(state, text, n_bytes, is_token_end, &is_whole, error));
    if (!is_whole) return HOB_OK;
    struct regex_scratch scratch = {0};
    struct buffer replaced = {0};
    hob_status status = HOB_OK;
    TRY_CLEANUP(replacement_apply(config, &scratch, buffer_text(&state->held), state->held.n_bytes, &replaced, &ignored,
                                  error));
    if (replaced.is_failed) TRY_CLEANUP(text_no_memory(error));
    TRY_CLEANUP(detokenizer_next(detokenizer, stage, buffer_text(&replaced), replaced.n_bytes, true, error));
cleanup:
    regex_scratch_release(&scratch);
    buffer_release(&replaced);
    return status;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_REGEX, .offset = offsetof(struct replacement, regex)},
    {.kind = CONFIG_TEXT, .offset = offsetof(struct replacement, literal), .size_offset = offsetof(struct replacement, literal_bytes), .is_optional = true},
    {.kind = CONFIG_TEXT, .offset = offsetof(struct replacement, content), .size_offset = offsetof(struct replacement, content_bytes)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_replace = {
    .names = {"Replace"},
    .config_bytes = sizeof(struct replacement),
    .fields = fields,
    .load = load,
    .push = push,
};
