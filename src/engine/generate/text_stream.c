#include "engine/generate/text_stream.h"

#include "base/error.h"

#include <string.h>

enum { TEXT_ROOM = 4096 }; /* for the text of one token, so that decoding need not ask for memory */

/* How many of the last held bytes could begin a stop text. */
static size_t n_undecided(const struct text_stream *stream)
{
    size_t most = 0, n_bytes = stream->held.n_bytes;
    for (size_t s = 0; s < stream->n_stops; s++) {
        const char *stop = stream->stops[s];
        size_t n_stop = strlen(stop), longest = n_stop ? n_stop - 1 : 0;
        for (size_t n = longest < n_bytes ? longest : n_bytes; n > most; n--)
            if (!memcmp(stream->held.bytes + n_bytes - n, stop, n)) most = n;
    }
    return most;
}

/* The earliest stop text in what is held: cuts it and all behind it. */
static bool cut_at_stop(struct text_stream *stream)
{
    struct buffer *held = &stream->held;
    char *first = NULL;
    for (size_t s = 0; held->n_bytes && s < stream->n_stops; s++) {
        const char *stop = stream->stops[s];
        char *found = *stop ? memmem(held->bytes, held->n_bytes, stop, strlen(stop)) : NULL;
        if (!found || (first && found >= first)) continue;
        first = found;
        stream->stop = s;
    }
    if (!first) return false;
    held->n_bytes = (size_t)(first - held->bytes);
    held->bytes[held->n_bytes] = '\0';
    return true;
}

/* Moves the first n_bytes of what is held to what is ready. */
static hob_status give(struct text_stream *stream, size_t n_bytes, const char **ret_text, size_t *ret_n_bytes, hob_error *error)
{
    struct buffer *held = &stream->held;
    buffer_clear(&stream->ready);
    if (n_bytes && !buffer_append(&stream->ready, held->bytes, n_bytes)) FAIL(error, HOB_NO_MEMORY, "generated text: out of memory");
    held->n_bytes -= n_bytes;
    if (n_bytes) memmove(held->bytes, held->bytes + n_bytes, held->n_bytes + 1);
    *ret_text = buffer_text(&stream->ready);
    *ret_n_bytes = n_bytes;
    return HOB_OK;
}

static hob_status hold(struct text_stream *stream, const char *text, size_t n_bytes, hob_error *error)
{
    if (n_bytes && !buffer_append(&stream->held, text, n_bytes)) FAIL(error, HOB_NO_MEMORY, "generated text: out of memory");
    return HOB_OK;
}

hob_status text_stream_push(struct text_stream *stream, int32_t id, bool may_stop, const char **ret_text, size_t *ret_n_bytes,
                            hob_error *error)
{
    const char *text = "";
    size_t n_bytes = 0;
    if (stream->decoder) TRY(hob_decoder_push(stream->decoder, id, &text, &n_bytes, error));
    TRY(hold(stream, text, n_bytes, error));
    if (!may_stop) return give(stream, stream->held.n_bytes, ret_text, ret_n_bytes, error);
    stream->is_stopped = cut_at_stop(stream);
    size_t n_ready = stream->is_stopped ? stream->held.n_bytes : stream->held.n_bytes - n_undecided(stream);
    return give(stream, n_ready, ret_text, ret_n_bytes, error);
}

hob_status text_stream_finish(struct text_stream *stream, bool may_stop, const char **ret_text, size_t *ret_n_bytes, hob_error *error)
{
    const char *text = "";
    size_t n_bytes = 0;
    if (stream->decoder && !stream->is_stopped) TRY(hob_decoder_finish(stream->decoder, &text, &n_bytes, error));
    TRY(hold(stream, text, n_bytes, error));
    if (may_stop && cut_at_stop(stream)) stream->is_stopped = true;
    return give(stream, stream->held.n_bytes, ret_text, ret_n_bytes, error);
}

static hob_status reserve(struct text_stream *stream, hob_error *error)
{
    size_t longest = 0;
    for (size_t s = 0; s < stream->n_stops; s++)
        if (strlen(stream->stops[s]) > longest) longest = strlen(stream->stops[s]);
    if (!buffer_reserve(&stream->held, longest + TEXT_ROOM) || !buffer_reserve(&stream->ready, longest + TEXT_ROOM))
        FAIL(error, HOB_NO_MEMORY, "generated text: out of memory");
    return HOB_OK;
}

static hob_status skip_prompt(struct text_stream *stream, const int32_t *prompt, size_t n_prompt, hob_error *error)
{
    const char *text;
    for (size_t i = 0; i < n_prompt; i++) TRY(hob_decoder_push(stream->decoder, prompt[i], &text, NULL, error));
    return HOB_OK;
}

hob_status text_stream_init(struct text_stream *stream, const hob_tokenizer *tokenizer, const int32_t *prompt, size_t n_prompt,
                            const char *const *stops, size_t n_stops, hob_error *error)
{
    hob_status status = HOB_OK;
    *stream = (struct text_stream){.stops = stops, .n_stops = n_stops};
    if (!tokenizer) return HOB_OK;
    TRY_CLEANUP(reserve(stream, error));
    TRY_CLEANUP(hob_decoder_new(tokenizer, HOB_SKIP_SPECIAL, &stream->decoder, error));
    TRY_CLEANUP(skip_prompt(stream, prompt, n_prompt, error));
cleanup:
    if (status != HOB_OK) text_stream_release(stream);
    return status;
}

void text_stream_release(struct text_stream *stream)
{
    hob_decoder_free(stream->decoder);
    buffer_release(&stream->held);
    buffer_release(&stream->ready);
    *stream = (struct text_stream){0};
}
