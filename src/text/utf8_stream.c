#include "text/utf8_stream.h"
#include "base/error.h"

#include <string.h>

/* Where the bytes begin that may yet become a character. */
static size_t final_bytes(const char *text, size_t n_bytes)
{
    size_t at = n_bytes;
    for (size_t i = 1; i <= 3 && i <= n_bytes; i++) {
        unsigned char byte = (unsigned char)text[n_bytes - i];
        if ((byte & 0xC0) == 0x80) continue;
        bool is_cut_short = false;
        size_t from = n_bytes - i;
        if (!unicode_char_bytes(text + from, i)) (void)unicode_broken_bytes(text + from, i, &is_cut_short);
        if (is_cut_short) at = from;
        break;
    }
    return at;
}

hob_status utf8_stream_push(struct detokenizer *detokenizer, size_t stage, bool is_end, hob_error *error)
{
    struct buffer *held = &detokenizer_state(detokenizer, stage)->held;
    if (held->is_failed) return text_no_memory(error);
    const char *text = buffer_text(held);
    size_t n_final = is_end ? held->n_bytes : final_bytes(text, held->n_bytes);
    if (unicode_is_valid(text, n_final)) {
        TRY(detokenizer_next(detokenizer, stage, text, n_final, is_end, error));
    } else {
        struct buffer repaired = {0};
        unicode_repair(text, n_final, BROKEN_MAXIMAL, &repaired);
        hob_status status = repaired.is_failed ? text_no_memory(error)
                                               : detokenizer_next(detokenizer, stage, buffer_text(&repaired),
                                                              repaired.n_bytes, is_end, error);
        buffer_release(&repaired);
        TRY(status);
    }
    if (n_final) memmove(held->bytes, held->bytes + n_final, held->n_bytes - n_final);
    held->n_bytes -= n_final;
    return HOB_OK;
}
