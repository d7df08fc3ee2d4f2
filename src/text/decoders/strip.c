/* Up to `start` times a character off the beginning of each token, and up to `stop` times off its end. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/strip.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct strip *strip = CONFIG_NEW(tokenizer, struct strip);
    const char *text;
    size_t n_bytes, n_char = 0;
    int64_t start, stop;
    if (!strip) return text_no_memory(error);
    TRY(json_read_string(json, "content", NULL, &text, &n_bytes, error));
    if (n_bytes) strip->character = unicode_decode(text, &n_char);
    if (n_bytes == 0 || n_char != n_bytes)
        FAIL(error, HOB_BAD_FILE, "\"content\": found \"%.40s\", expected one character", text);
    TRY(json_read_int(json, "start", 0, &start, error));
    TRY(json_read_int(json, "stop", 0, &stop, error));
    if (start < 0 || stop < 0) FAIL(error, HOB_BAD_FILE, "\"start\" and \"stop\": expected 0 or more");
    strip->n_start = (size_t)start;
    strip->n_stop = (size_t)stop;
    *ret_config = strip;
    return HOB_OK;
}

/* The trailing run that may have to go waits in held until the token goes on or ends. */
static hob_status pass(const struct strip *strip, struct detokenizer *detokenizer, size_t stage, const char *text,
                       size_t n_bytes, hob_error *error)
{
    struct buffer *held = &detokenizer_state(detokenizer, stage)->held;
    if (strip->n_stop == 0) return detokenizer_next(detokenizer, stage, text, n_bytes, false, error);
    if (!buffer_append(held, text, n_bytes)) return text_no_memory(error);
    size_t keep = held->n_bytes, n, n_kept = 0;
    while (keep > 0 && n_kept < strip->n_stop) {
        size_t last = unicode_last(held->bytes, keep);
        if (unicode_next(held->bytes + last, keep - last, &n) != strip->character) break;
        keep = last;
        n_kept++;
    }
    TRY(detokenizer_next(detokenizer, stage, buffer_text(held), keep, false, error));
    if (keep) memmove(held->bytes, held->bytes + keep, held->n_bytes - keep);
    held->n_bytes -= keep;
    return HOB_OK;
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    const struct strip *strip = config;
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    size_t begin = 0, n;
    while (begin < n_bytes && state->n_taken < strip->n_start) {
        bool is_stripped = unicode_next(text + begin, n_bytes - begin, &n) == strip->character;
        begin += is_stripped ? n : 0;
        state->n_taken = is_stripped ? state->n_taken + 1 : strip->n_start;
    }
    TRY(pass(strip, detokenizer, stage, text + begin, n_bytes - begin, error));
    if (!is_token_end) return HOB_OK;
    buffer_clear(&state->held);
    state->n_taken = 0;
    return detokenizer_next(detokenizer, stage, "", 0, true, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_U32, .offset = offsetof(struct strip, character), .most = 0x10FFFF},
    {.kind = CONFIG_I64, .offset = offsetof(struct strip, n_start)},
    {.kind = CONFIG_I64, .offset = offsetof(struct strip, n_stop)},
    {.kind = CONFIG_END},
};

const struct stage_def stage_strip = {
    .names = {"Strip"},
    .config_bytes = sizeof(struct strip),
    .fields = fields,
    .load = load,
    .push = push,
};
