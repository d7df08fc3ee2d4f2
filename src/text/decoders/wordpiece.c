/* "##ing" joins the token before it; any other token gets a space in front. Perhaps cleaned up, token by token. */
#include "base/error.h"
#include "text/cleanup.h"
#include "text/json_read.h"
#include "text/parts.h"

#include <string.h>

struct wordpiece_decoder {
    const char *prefix;
    size_t n_prefix;
    bool cleans_up;
};

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct wordpiece_decoder *config = CONFIG_NEW(tokenizer, struct wordpiece_decoder);
    const char *prefix;
    if (!config) return text_no_memory(error);
    TRY(json_read_string(json, "prefix", "##", &prefix, &config->n_prefix, error));
    TRY(json_read_bool(json, "cleanup", true, &config->cleans_up, error));
    config->prefix = arena_copy_string(&tokenizer->arena, prefix, config->n_prefix);
    *ret_config = config;
    return config->prefix ? HOB_OK : text_no_memory(error);
}

static void join(const struct wordpiece_decoder *config, const struct buffer *token, bool is_first, struct buffer *out)
{
    bool is_continuing = token->n_bytes >= config->n_prefix &&
                         !memcmp(buffer_text(token), config->prefix, config->n_prefix);
    size_t skip = !is_first && is_continuing ? config->n_prefix : 0;
    if (!is_first && !is_continuing) buffer_append_byte(out, ' ');
    buffer_append(out, buffer_text(token) + skip, token->n_bytes - skip);
    if (config->cleans_up) cleanup_text(out);
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    bool is_whole;
    TRY(detokenizer_collect(state, text, n_bytes, is_token_end, &is_whole, error));
    if (!is_whole) return HOB_OK;
    struct buffer joined = {0};
    join(config, &state->held, state->n_tokens++ == 0, &joined);
    hob_status status = joined.is_failed ? text_no_memory(error)
                                         : detokenizer_next(detokenizer, stage, buffer_text(&joined), joined.n_bytes, true, error);
    buffer_release(&joined);
    return status;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_TEXT, .offset = offsetof(struct wordpiece_decoder, prefix), .size_offset = offsetof(struct wordpiece_decoder, n_prefix)},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct wordpiece_decoder, cleans_up)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_wordpiece = {
    .names = {"WordPiece"},
    .config_bytes = sizeof(struct wordpiece_decoder),
    .fields = fields,
    .load = load,
    .push = push,
};
