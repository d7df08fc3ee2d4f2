/* SentencePiece's visible space: each space becomes U+2581 (or another character), one may be put in front, and the text may be
 * cut before each. */
#include "base/error.h"
#include "text/json_read.h"
#include "text/metaspace.h"
#include "text/splitter.h"

static hob_status load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    return metaspace_load(tokenizer, json, ret_config, error);
}

static bool begins_with(const struct piece *piece, const struct metaspace *metaspace)
{
    size_t n;
    return piece->n_bytes && unicode_decode(piece->text, &n) == metaspace->replacement;
}

static bool wants_prefix(const struct metaspace *metaspace, const struct piece *piece)
{
    if (metaspace->scheme == METASPACE_NEVER || (metaspace->scheme == METASPACE_FIRST && !piece->is_first))
        return false;
    return piece->text[0] != ' ' && !begins_with(piece, metaspace);
}

static hob_status cut(const struct metaspace *metaspace, struct encoding *encoding, size_t stage,
                      const struct piece *piece, hob_error *error)
{
    struct splitter splitter = splitter_start(SPLIT_MERGED_WITH_NEXT, encoding, stage, piece);
    size_t gap = 0;
    for (size_t at = 0, n; at < piece->n_bytes; at += n) {
        bool is_match = unicode_decode(piece->text + at, &n) == metaspace->replacement;
        gap += is_match ? 0 : n;
        if (!is_match) continue;
        if (gap) TRY(splitter_feed(&splitter, at, false, error));
        TRY(splitter_feed(&splitter, at + n, true, error));
        gap = 0;
    }
    if (gap) TRY(splitter_feed(&splitter, piece->n_bytes, false, error));
    return splitter_finish(&splitter, error);
}

static hob_status split(const void *config, struct encoding *encoding, size_t stage, const struct piece *piece,
                        hob_error *error)
{
    const struct metaspace *metaspace = config;
    struct buffer *out = &encoding->scratch[stage];
    buffer_clear(out);
    if (wants_prefix(metaspace, piece)) unicode_append(out, metaspace->replacement);
    for (size_t i = 0; i < piece->n_bytes; i++) {
        if (piece->text[i] == ' ')
            unicode_append(out, metaspace->replacement);
        else
            buffer_append_byte(out, (unsigned char)piece->text[i]);
    }
    if (out->is_failed) return text_no_memory(error);
    struct piece spaced = {out->bytes, out->n_bytes, piece->is_first};
    return metaspace->is_splitting ? cut(metaspace, encoding, stage, &spaced, error)
                                   : encoding_next(encoding, stage, &spaced, error);
}

static const struct config_field fields[] = {
    {.kind = CONFIG_U32, .offset = offsetof(struct metaspace, replacement), .most = 0x10FFFF},
    {.kind = CONFIG_U32, .offset = offsetof(struct metaspace, scheme), .most = METASPACE_NEVER},
    {.kind = CONFIG_BOOL, .offset = offsetof(struct metaspace, is_splitting)},
    {.kind = CONFIG_END},
};

const struct pretokenizer_def pretokenizer_metaspace = {
    .names = {"Metaspace"},
    .config_bytes = sizeof(struct metaspace),
    .fields = fields,
    .load = load,
    .split = split,
};
