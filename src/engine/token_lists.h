/* Texts that are ids already, run through a model that takes whole texts: several laid end to end in one run where its graph can, told
 * apart by `segments`; else one text a run, without padding. Either way what comes out for a text depends on nothing but the text.
 *
 *     TRY(token_lists_check(session->model, &lists, error));
 *     TRY(token_lists_run(session, &lists, take, context, error));
 */
#ifndef ENGINE_TOKEN_LISTS_H
#define ENGINE_TOKEN_LISTS_H

#include "engine/session.h"

/* Everything is the caller's. */
struct token_lists {
    const int32_t *const *ids;
    const int32_t *const *types; /* of the tokens; NULL: all 0 */
    const size_t *n_ids;
    size_t n_texts;
};

/* Texts [first, last) have been run: the executor has its outputs. */
struct token_range {
    const struct token_lists *lists;
    size_t first, last;
    int64_t n_tokens; /* of them together, never 0: texts without tokens are run with others or not at all */
};
typedef hob_status token_range_taker(void *context, const struct token_range *range, hob_error *error);

/* Fails: HOB_LIMIT (longer than the context), HOB_BAD_ARGUMENT (an id outside the vocabulary). */
HOB_MUST_CHECK hob_status token_lists_check(const struct hob_model *model, const struct token_lists *lists, hob_error *error);
HOB_MUST_CHECK hob_status token_lists_run(struct hob_session *session, const struct token_lists *lists, token_range_taker *take,
                                          void *context, hob_error *error);

/* An output of [n_rows, width] floats, perhaps behind dims of 1. */
struct output_rows {
    const float *rows;
    int64_t stride;
};
/* Fails: HOB_BAD_SHAPE; the message calls it `what`. */
HOB_MUST_CHECK hob_status token_lists_output(const struct hob_session *session, uint32_t output, int64_t n_rows, int64_t width,
                                             const char *what, struct output_rows *ret_rows, hob_error *error);

#endif
