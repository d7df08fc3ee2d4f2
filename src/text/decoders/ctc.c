/* Connectionist temporal classification: repeats of a token count once, the pad token is nothing, the delimiter a space. */
#include "base/error.h"
#include "text/cleanup.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

struct ctc_config {
    const char *pad, *delimiter;
    bool cleans_up;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct ctc_config *config = CONFIG_NEW(tokenizer, struct ctc_config);
    const char *pad, *delimiter;
    size_t n_pad, n_delimiter;
    if (!config) return text_no_memory(error);
    TRY(json_read_string(json, "pad_token", "<pad>", &pad, &n_pad, error));
    TRY(json_read_string(json, "word_delimiter_token", "|", &delimiter, &n_delimiter, error));
    TRY(json_read_bool(json, "cleanup", true, &config->cleans_up, error));
    config->pad = arena_copy_string(&tokenizer->arena, pad, n_pad);
    config->delimiter = arena_copy_string(&tokenizer->arena, delimiter, n_delimiter);
    *ret_config = config;
    return config->pad && config->delimiter ? HOB_OK : text_no_memory(error);
}

static hob_status emit(const struct ctc_config *config, struct detokenizer *detokenizer, size_t stage, const char *text,
                       size_t n_bytes, hob_error *error)
{
    struct buffer token = {0};
    buffer_append(&token, text, n_bytes);
    cleanup_replace(&token, config->pad, "");
    if (config->cleans_up) {
        cleanup_text(&token);
        cleanup_replace(&token, config->delimiter, " ");
    }
    hob_status status = token.is_failed ? text_no_memory(error) : HOB_OK;
    if (status == HOB_OK && token.n_bytes)
        status = detokenizer_next(detokenizer, stage, token.bytes, token.n_bytes, true, error);
    buffer_release(&token);
    return status;
}

/* held: the token before, of n_taken bytes, then the one under way. */
static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    if (!buffer_append(&state->held, text, n_bytes)) return text_no_memory(error);
    if (!is_token_end) return HOB_OK;
    char *token = state->held.bytes + state->n_taken;
    size_t n_token = state->held.n_bytes - state->n_taken;
    bool is_repeat = state->n_tokens > 0 && n_token == state->n_taken && !memcmp(state->held.bytes, token, n_token);
    memmove(state->held.bytes, token, n_token);
    state->held.n_bytes = state->n_taken = n_token;
    state->n_tokens++;
    return is_repeat ? HOB_OK : emit(config, detokenizer, stage, state->held.bytes, n_token, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_TEXT, .offset = offsetof(struct ctc_config, pad)},
    {.kind = CONFIG_TEXT, .offset = offsetof(struct ctc_config, delimiter)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct ctc_config, cleans_up)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_ctc = {
    .names = {"CTC"},
    .config_bytes = sizeof(struct ctc_config),
    .fields = fields,
    .load = load,
    .push = push,
};
