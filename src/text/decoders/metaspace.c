/* The visible space becomes a space; in the first token it becomes nothing, unless none was put in front. */
#include "base/error.h"
#include "text/metaspace.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    return metaspace_load(tokenizer, json, ret_config, error);
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    const struct metaspace *metaspace = config;
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    size_t begin = 0;
    bool is_dropped = state->n_tokens == 0 && metaspace->scheme != METASPACE_NEVER;
    for (size_t at = 0, n; at < n_bytes; at += n) {
        if (unicode_next(text + at, n_bytes - at, &n) != metaspace->replacement) continue;
        TRY(detokenizer_next(detokenizer, stage, text + begin, at - begin, false, error));
        if (!is_dropped) TRY(detokenizer_next(detokenizer, stage, " ", 1, false, error));
        begin = at + n;
    }
    state->n_tokens += is_token_end;
    return detokenizer_next(detokenizer, stage, text + begin, n_bytes - begin, is_token_end, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_U32, .offset = offsetof(struct metaspace, replacement), .most = 0x10FFFF},
    {.kind = CONFIG_U32, .offset = offsetof(struct metaspace, scheme), .most = METASPACE_NEVER},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct metaspace, is_splitting)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_metaspace = {
    .names = {"Metaspace"},
    .config_bytes = sizeof(struct metaspace),
    .fields = fields,
    .load = load,
    .push = push,
};
