/* include/hob/tokenizer.h over src/text: the handles are the internal structs under other names. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/tokenizer_open.h"
#include "text/token_text.h"
#include "text/tokenizer.h"

struct hob_decoder {
    struct detokenizer *detokenizer;
    struct buffer text; /* what the last call gave */
};

struct hob_pieces {
    struct token_texts *texts;
    struct buffer bytes; /* what the last call gave */
};

static const struct tokenizer *inside(const hob_tokenizer *tokenizer)
{
    return (const struct tokenizer *)tokenizer;
}

hob_status hob_tokenizer_open(const char *path, hob_tokenizer **ret_tokenizer, hob_error *error)
{
    if (!path || !ret_tokenizer) FAIL(error, HOB_BAD_ARGUMENT, "hob_tokenizer_open: path and ret_tokenizer must be given");
    struct tokenizer *tokenizer;
    TRY(tokenizer_open(path, &tokenizer, error));
    *ret_tokenizer = (hob_tokenizer *)tokenizer;
    return HOB_OK;
}

void hob_tokenizer_free(hob_tokenizer *tokenizer)
{
    tokenizer_free((struct tokenizer *)tokenizer);
}

hob_status hob_tokenizer_encode(const hob_tokenizer *tokenizer, const char *text, size_t n_bytes, unsigned flags,
                                int32_t **ret_ids, size_t *ret_n_ids, hob_error *error)
{
    struct id_list ids = {.n_reserved = n_bytes / 3 + 8};
    if (!tokenizer || (!text && n_bytes) || !ret_ids || !ret_n_ids)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_tokenizer_encode: tokenizer, text, ret_ids and ret_n_ids must be given");
    ids.ids = memory_resize(NULL, ids.n_reserved, sizeof *ids.ids);
    if (!ids.ids) FAIL(error, HOB_NO_MEMORY, "tokenizer: no memory for a text of %zu bytes", n_bytes);
    hob_status status = tokenizer_encode(inside(tokenizer), text ? text : "", n_bytes, flags, &ids, error);
    if (status != HOB_OK) {
        id_list_release(&ids);
        return status;
    }
    *ret_ids = ids.ids;
    *ret_n_ids = ids.n_ids;
    return HOB_OK;
}

hob_status hob_tokenizer_decode(const hob_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, unsigned flags,
                                char **ret_text, size_t *ret_n_bytes, hob_error *error)
{
    struct buffer text = {0};
    hob_status status = HOB_OK;
    if (!tokenizer || (!ids && n_ids) || !ret_text)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_tokenizer_decode: tokenizer, ids and ret_text must be given");
    TRY_CLEANUP(tokenizer_decode(inside(tokenizer), ids, n_ids, flags, &text, error));
    if (!buffer_append(&text, "", 0)) FAIL_CLEANUP(error, HOB_NO_MEMORY, "tokenizer: no memory for the text");
    *ret_text = text.bytes;
    if (ret_n_bytes) *ret_n_bytes = text.n_bytes;
    return HOB_OK;
cleanup:
    buffer_release(&text);
    return status;
}

size_t hob_tokenizer_n_tokens(const hob_tokenizer *tokenizer)
{
    return tokenizer_n_tokens(inside(tokenizer));
}

const char *hob_tokenizer_token(const hob_tokenizer *tokenizer, int32_t id, size_t *ret_n_bytes)
{
    return tokenizer_token(inside(tokenizer), id, ret_n_bytes);
}

int32_t hob_tokenizer_id(const hob_tokenizer *tokenizer, const char *token, size_t n_bytes)
{
    return tokenizer_id(inside(tokenizer), token, n_bytes);
}

int32_t hob_tokenizer_role(const hob_tokenizer *tokenizer, hob_token_role role)
{
    return tokenizer_role(inside(tokenizer), role);
}

bool hob_tokenizer_is_special(const hob_tokenizer *tokenizer, int32_t id)
{
    return tokenizer_type(inside(tokenizer), id) == TOKEN_CONTROL;
}

bool hob_tokenizer_is_end(const hob_tokenizer *tokenizer, int32_t id)
{
    return tokenizer_is_end(inside(tokenizer), id);
}

hob_status hob_decoder_new(const hob_tokenizer *tokenizer, unsigned flags, hob_decoder **ret_decoder,
                           hob_error *error)
{
    if (!tokenizer || !ret_decoder)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_decoder_new: tokenizer and ret_decoder must be given");
    hob_decoder *decoder = memory_new(1, sizeof *decoder);
    if (!decoder) FAIL(error, HOB_NO_MEMORY, "decoder: no memory");
    hob_status status = detokenizer_new(inside(tokenizer), flags, &decoder->detokenizer, error);
    if (status != HOB_OK) {
        memory_free(decoder);
        return status;
    }
    *ret_decoder = decoder;
    return HOB_OK;
}

void hob_decoder_free(hob_decoder *decoder)
{
    if (!decoder) return;
    detokenizer_free(decoder->detokenizer);
    buffer_release(&decoder->text);
    memory_free(decoder);
}

static void give_text(const hob_decoder *decoder, const char **ret_text, size_t *ret_n_bytes)
{
    *ret_text = buffer_text(&decoder->text);
    if (ret_n_bytes) *ret_n_bytes = decoder->text.n_bytes;
}

hob_status hob_decoder_push(hob_decoder *decoder, int32_t id, const char **ret_text, size_t *ret_n_bytes,
                            hob_error *error)
{
    buffer_clear(&decoder->text);
    TRY(detokenizer_push(decoder->detokenizer, id, &decoder->text, error));
    give_text(decoder, ret_text, ret_n_bytes);
    return HOB_OK;
}

hob_status hob_decoder_finish(hob_decoder *decoder, const char **ret_text, size_t *ret_n_bytes, hob_error *error)
{
    buffer_clear(&decoder->text);
    TRY(detokenizer_finish(decoder->detokenizer, &decoder->text, error));
    give_text(decoder, ret_text, ret_n_bytes);
    return HOB_OK;
}

hob_status hob_pieces_new(const hob_tokenizer *tokenizer, hob_pieces **ret_pieces, hob_error *error)
{
    if (!tokenizer || !ret_pieces) FAIL(error, HOB_BAD_ARGUMENT, "hob_pieces_new: tokenizer and ret_pieces must be given");
    hob_pieces *pieces = memory_new(1, sizeof *pieces);
    if (!pieces) FAIL(error, HOB_NO_MEMORY, "pieces: no memory");
    hob_status status = token_texts_new(inside(tokenizer), &pieces->texts, error);
    if (status != HOB_OK) {
        memory_free(pieces);
        return status;
    }
    *ret_pieces = pieces;
    return HOB_OK;
}

void hob_pieces_free(hob_pieces *pieces)
{
    if (!pieces) return;
    token_texts_free(pieces->texts);
    buffer_release(&pieces->bytes);
    memory_free(pieces);
}

hob_status hob_pieces_get(hob_pieces *pieces, int32_t id, const char **ret_bytes, size_t *ret_n_bytes, hob_error *error)
{
    buffer_clear(&pieces->bytes);
    TRY(token_texts_append(pieces->texts, id, &pieces->bytes, error));
    *ret_bytes = buffer_text(&pieces->bytes);
    if (ret_n_bytes) *ret_n_bytes = pieces->bytes.n_bytes;
    return HOB_OK;
}
