/* Pieces of a fixed number of characters; the last may be shorter. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/parts.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    int64_t *length = CONFIG_NEW(tokenizer, int64_t);
    if (!length) return text_no_memory(error);
    TRY(json_read_int(json, "length", 5, length, error));
    if (*length < 1) FAIL(error, HOB_BAD_FILE, "\"length\": found %lld, expected 1 or more", (long long)*length);
    *ret_config = length;
    return HOB_OK;
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    size_t begin = 0;
    int64_t n_chars = 0;
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        unicode_decode(piece->text + at, &n);
        if (++n_chars < *(const int64_t *)config && at + n < piece->n_bytes) continue;
        struct piece cut = {piece->text + begin, at + n - begin, piece->is_first && begin == 0};
        TRY(encoding_next(encoding, stage, &cut, error));
        begin = at + n;
        n_chars = 0;
    }
    return HOB_OK;
}

static const struct config_field fields[] = {
    {.kind = CONFIG_I64, .offset = 0},
    {.kind = CONFIG_END},
};

const struct pretokenizer_def pretokenizer_fixed_length = {
    .names = {"FixedLength"},
    .config_bytes = sizeof(int64_t),
    .fields = fields,
    .load = load,
    .split = split,
};
