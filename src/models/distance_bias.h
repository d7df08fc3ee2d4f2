/* What is added to attention's scores by how far a key lies from its query: tables [H, 2R-1] for hob.Attention, computed once when a
 * model is built and shared by all layers and by all sentences of a packed batch. R is the model's context.
 *
 * Thread-safe for different drafts.
 *
 *     TRY(distance_bias_alibi(draft, &encoder.distance_bias, error));
 */
#ifndef MODELS_DISTANCE_BIAS_H
#define MODELS_DISTANCE_BIAS_H

#include "models/draft.h"

/* -slope * distance to either side, with a slope a head. Source: Press et al. 2021 (ALiBi), whose slopes for a number of heads that is
 * no power of two are those of the next smaller one and every other of the next larger one.
 * Fails: HOB_LIMIT (the table would be larger than a model's could be), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status distance_bias_alibi(struct draft *draft, uint32_t *ret_bias, hob_error *error);

/* TENSOR_RELATIVE_BIAS [n_buckets, H] by bucket of distance: half of them for keys behind the query and half for those ahead, the near
 * distances one by one, the others up to 128 in steps that grow. Source: Raffel et al. 2019 (T5), section 2.1.
 * Fails: as above, and HOB_NOT_FOUND, HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status distance_bias_buckets(struct draft *draft, int64_t n_buckets, uint32_t *ret_bias,
                                                hob_error *error);

#endif
