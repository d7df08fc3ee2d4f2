/* The logits of many positions, a piece of the text at a time: what scoring reads a text through.
 *
 * Owns a buffer for as many rows as fit 32 MiB, at least one. One thread at a time.
 *
 *     struct text_reader reader;
 *     TRY(text_reader_init(&reader, session, error));
 *     TRY_CLEANUP(text_reader_read(&reader, ids, n_ids, 1, see_row, context, error));
 *     text_reader_release(&reader);
 */
#ifndef ENGINE_TEXT_READER_H
#define ENGINE_TEXT_READER_H

#include "hob/session.h"

struct text_reader {
    hob_session *session;
    size_t n_vocab, n_rows;
    float *logits; /* [n_rows, n_vocab] */
};

/* Fails: HOB_UNSUPPORTED (no decoder, or one that does not state its vocabulary), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status text_reader_init(struct text_reader *reader, hob_session *session, hob_error *error);
void text_reader_release(struct text_reader *reader); /* takes a zeroed one */

/* Called with the logits that foretell ids[index]. Return false to stop. */
typedef bool text_reader_see(void *context, size_t index, const float *logits);

/* Reads ids from an empty cache and shows the rows that foretell ids[first …]; first is at least 1. What comes before is read without
 * making rows; the last id, which foretells nothing, is not read. ret_is_stopped: see said so. */
HOB_MUST_CHECK hob_status text_reader_read(struct text_reader *reader, const int32_t *ids, size_t n_ids, size_t first,
                                           text_reader_see *see, void *context, bool *ret_is_stopped, hob_error *error);

#endif
