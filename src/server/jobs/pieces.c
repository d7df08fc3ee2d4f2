#include "server/jobs/pieces.h"

static bool fits(const struct piece *piece, size_t n_ids)
{
    if (!piece->n_texts) return true;
    return piece->n_texts < PIECE_TEXTS && n_ids <= PIECE_TOKENS - piece->n_tokens && piece->n_tokens <= PIECE_TOKENS;
}

bool piece_add(struct piece *piece, size_t job, const struct rows *rows)
{
    struct piece_share share = {.job = job, .first_text = rows->n_done, .first_row = piece->n_texts};
    size_t text = rows->n_done;
    for (; text < rows->n_texts && fits(piece, rows->n_ids[text]); text++) {
        piece->ids[piece->n_texts] = rows->ids[text];
        piece->types[piece->n_texts] = rows->types ? rows->types[text] : NULL;
        piece->n_ids[piece->n_texts++] = rows->n_ids[text];
        piece->n_tokens += rows->n_ids[text];
        piece->has_types = rows->types != NULL;
    }
    share.n_texts = text - share.first_text;
    if (share.n_texts) piece->shares[piece->n_shares++] = share;
    return text == rows->n_texts;
}
