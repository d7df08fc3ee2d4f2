#include "server/routes/piece_json.h"

#include "server/http/exchange.h"

json_t *piece_json_text(hob_pieces *pieces, const hob_tokenizer *tokenizer, int32_t id)
{
    const char *bytes;
    size_t n_bytes;
    if (hob_pieces_get(pieces, id, &bytes, &n_bytes, NULL) != HOB_OK) return NULL;
    if (!n_bytes && hob_tokenizer_is_special(tokenizer, id)) bytes = hob_tokenizer_token(tokenizer, id, &n_bytes);
    return json_text(bytes ? bytes : "", bytes ? n_bytes : 0);
}

json_t *piece_json_bytes(hob_pieces *pieces, int32_t id)
{
    const char *bytes;
    size_t n_bytes;
    if (hob_pieces_get(pieces, id, &bytes, &n_bytes, NULL) != HOB_OK) return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < n_bytes; i++) json_append(&list, json_integer((unsigned char)bytes[i]));
    return list;
}
