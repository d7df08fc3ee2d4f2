/* Text of a continuation as its tokens come: whole characters only, and nothing that is or may become a stop text.
 *
 * Owns its decoder and buffers; borrows the stop texts. What could begin a stop text is held back until it is clear. Without a
 * tokenizer only ids come out: every text is "". One thread at a time.
 *
 *     TRY(text_stream_init(&stream, tokenizer, prompt, n_prompt, stops, n_stops, error));
 *     TRY(text_stream_push(&stream, id, true, &text, &n_bytes, error));
 *     if (stream.is_stopped) …
 *     TRY(text_stream_finish(&stream, true, &text, &n_bytes, error));
 */
#ifndef ENGINE_GENERATE_TEXT_STREAM_H
#define ENGINE_GENERATE_TEXT_STREAM_H

#include "base/buffer.h"
#include "hob/tokenizer.h"

struct text_stream {
    hob_decoder *decoder;      /* NULL: the model has no tokenizer */
    const char *const *stops;
    size_t n_stops;
    struct buffer held, ready; /* not yet clear; what the last call gave */
    bool is_stopped;           /* a stop text came: nothing follows */
    size_t stop;               /* which it was */
};

/* prompt: the ids that the continuation goes on from, so that spaces and split characters come out as they would in the whole text.
 * Fails: HOB_NO_MEMORY, HOB_BAD_ARGUMENT (an id outside the vocabulary). */
HOB_MUST_CHECK hob_status text_stream_init(struct text_stream *stream, const hob_tokenizer *tokenizer, const int32_t *prompt, size_t n_prompt,
                                           const char *const *stops, size_t n_stops, hob_error *error);
void text_stream_release(struct text_stream *stream); /* takes a zeroed one */

/* may_stop: whether stop texts are looked for by now. ret_text: what became final; NUL-terminated, valid until the next call. */
HOB_MUST_CHECK hob_status text_stream_push(struct text_stream *stream, int32_t id, bool may_stop, const char **ret_text,
                                           size_t *ret_n_bytes, hob_error *error);
/* What was held back: half a character, what looked like the beginning of a stop text. */
HOB_MUST_CHECK hob_status text_stream_finish(struct text_stream *stream, bool may_stop, const char **ret_text, size_t *ret_n_bytes,
                                             hob_error *error);

#endif
