/* Single tokens as APIs show them beside log-probabilities: as text, where bytes that are no whole character show as U+FFFD, and as bytes.
 * Control tokens, which stand for no text, show as the vocabulary spells them and have no bytes. Makers return NULL when memory is out, as
 * jansson's do. */
#ifndef SERVER_ROUTES_PIECE_JSON_H
#define SERVER_ROUTES_PIECE_JSON_H

#include "hob/tokenizer.h"

#include <jansson.h>

json_t *piece_json_text(hob_pieces *pieces, const hob_tokenizer *tokenizer, int32_t id);
json_t *piece_json_bytes(hob_pieces *pieces, int32_t id); /* [104, 105] */

#endif
