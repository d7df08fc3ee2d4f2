/* Pieces of batches: a bounded number of texts and tokens that go through an encoder in one run, of one job or of several that wait.
 *
 *     struct piece piece = {0};
 *     for (i …) piece_add(&piece, jobs[i], &rows_of(jobs[i]));
 *     hob_embed_ids(session, piece.ids, piece.n_ids, piece.n_texts, …, vectors, &error);
 *     for (share = piece.shares …) …                    rows share->first_text and on of share->job lie at vectors[share->first_row]
 */
#ifndef SERVER_JOBS_PIECES_H
#define SERVER_JOBS_PIECES_H

#include "server/job.h"

enum { PIECE_TEXTS = 64, PIECE_TOKENS = 2048 };

/* A job's encoded texts, and how many of them are done. */
struct rows {
    const int32_t *const *ids;
    const int32_t *const *types; /* NULL: all 0 */
    const size_t *n_ids;
    size_t n_texts, n_done;
};

struct piece_share {
    size_t job; /* the index that piece_add was told */
    size_t first_text, first_row, n_texts;
};

struct piece {
    const int32_t *ids[PIECE_TEXTS];
    const int32_t *types[PIECE_TEXTS];
    size_t n_ids[PIECE_TEXTS];
    size_t n_texts, n_tokens;
    struct piece_share shares[PIECE_TEXTS];
    size_t n_shares;
    bool has_types;
};

/* Takes what still fits of the job's texts, at least one where the piece is empty. false: the piece is full. */
bool piece_add(struct piece *piece, size_t job, const struct rows *rows);

#endif
