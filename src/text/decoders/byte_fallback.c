/* "<0x0A>" tokens become bytes. A run of them that is not valid UTF-8 as a whole gives one U+FFFD for each, as Hugging Face's
 * Rust code has it; so a run is final only when another token ends it. */
#include "base/error.h"
#include "text/parts.h"

#include <string.h>

static hob_status flush(struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    size_t n_bytes = state->n_taken; /* the run lies before the token under way */
    if (n_bytes == 0) return HOB_OK;
    state->n_taken = 0;
    if (unicode_is_valid(state->held.bytes, n_bytes))
        return detokenizer_next(detokenizer, stage, state->held.bytes, n_bytes, true, error);
    for (size_t i = 0; i < n_bytes; i++) TRY(detokenizer_next(detokenizer, stage, "\xEF\xBF\xBD", 3, true, error));
    return HOB_OK;
}

static hob_status push(const void *config, struct detokenizer *detokenizer, size_t stage, const char *text, size_t n_bytes,
                       bool is_token_end, hob_error *error)
{
    (void)config;
    struct stage_state *state = detokenizer_state(detokenizer, stage);
    if (!state->is_inside) state->held.n_bytes = state->n_taken; /* keeps the run, which a clear would cut */
    state->is_inside = !is_token_end;
    if (!buffer_append(&state->held, text, n_bytes)) return text_no_memory(error);
    if (!is_token_end) return HOB_OK;
    size_t n_token = state->held.n_bytes - state->n_taken;
    int byte = vocabulary_byte_of(state->held.bytes + state->n_taken, n_token);
    if (byte >= 0) {
        state->held.bytes[state->n_taken++] = (char)byte;
        return HOB_OK;
    }
    size_t n_run = state->n_taken;
    TRY(flush(detokenizer, stage, error));
    return detokenizer_next(detokenizer, stage, state->held.bytes + n_run, n_token, true, error);
}

static hob_status finish(const void *config, struct detokenizer *detokenizer, size_t stage, hob_error *error)
{
    (void)config;
    return flush(detokenizer, stage, error);
}

const struct stage_def stage_byte_fallback = {.names = {"ByteFallback"}, .push = push, .finish = finish};
