/* One text's own way through a decoder's graph: an executor with its states, the caches that the graph takes and gives back whole,
 * buffers for the inputs. It knows how many positions it holds only by what it is told; the ids are the sequence's.
 *
 * Belongs to a session, which must outlive it. One thread at a time.
 *
 *     struct decoder *decoder;
 *     TRY(decoder_new(session, NULL, &decoder, error));
 *     TRY(decoder_run(decoder, ids, 0, 5, 1, &logits, error));        five positions, the last one's logits
 *     TRY(decoder_run(decoder, ids, 5, 1, 1, &logits, error));        ids[5] behind them
 */
#ifndef ENGINE_DECODER_H
#define ENGINE_DECODER_H

#include "engine/session.h"

struct decoder;

/* executor: one to use, which must outlive it; NULL: one of its own. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status decoder_new(struct hob_session *session, struct executor *executor, struct decoder **ret_decoder,
                                      hob_error *error);
void decoder_free(struct decoder *decoder); /* takes NULL */

/* Runs ids[n_past] … ids[n_past + n_new - 1], in chunks, behind the n_past that the caches hold. ids: from the text's beginning.
 * ret_logits: those of the last n_rows positions, [n_rows, n_vocab], valid until the next run; NULL where n_rows is 0. On failure
 * the caches hold what they held. */
HOB_MUST_CHECK hob_status decoder_run(struct decoder *decoder, const int32_t *ids, int64_t n_past, int64_t n_new, int64_t n_rows,
                                      const float **ret_logits, hob_error *error);
/* Forgets what caches hold beyond n_tokens. */
void decoder_rewind(struct decoder *decoder, int64_t n_tokens);
/* What it has taken beside an executor that is not its own. */
struct decoder_usage {
    size_t cache_bytes, activation_bytes, other_bytes;
};
struct decoder_usage decoder_usage(const struct decoder *decoder);
/* Gives back what the next run can take again; caches stay. */
void decoder_trim(struct decoder *decoder);
struct decoder *decoder_next(const struct decoder *decoder); /* of session->decoders; NULL behind the last */
/* Makes to's caches hold the first n_tokens that from's do. */
HOB_MUST_CHECK hob_status decoder_copy(const struct decoder *from, int64_t n_tokens, struct decoder *to, hob_error *error);

#endif
