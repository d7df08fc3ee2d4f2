/* White space separates and is dropped; each punctuation character stands alone. */
#include "base/error.h"
#include "text/parts.h"

static hob_status emit(struct encoding *encoding, size_t stage, const struct piece *whole, size_t begin, size_t end,
                       hob_error *error)
{
    struct piece piece = {whole->text + begin, end - begin, whole->is_first && begin == 0};
    return encoding_next(encoding, stage, &piece, error);
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    size_t begin = 0;
    (void)config;
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        uint32_t c = unicode_decode(piece->text + at, &n);
        bool is_punctuation = unicode_is_punctuation(c);
        if (!is_punctuation && !unicode_is_whitespace(c)) continue;
        TRY(emit(encoding, stage, piece, begin, at, error));
        if (is_punctuation) TRY(emit(encoding, stage, piece, at, at + n, error));
        begin = at + n;
    }
    return emit(encoding, stage, piece, begin, piece->n_bytes, error);
}

const struct pretokenizer_def pretokenizer_bert = {.names = {"BertPreTokenizer"}, .split = split};
