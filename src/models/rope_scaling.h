/* Rotary positions beyond the context a model was first trained for: what each frequency is divided by.
 *
 * Knows: none, linear (Chen et al. 2023), llama3 (by wavelength, as Llama 3.1 does), and the table of factors
 * that GGUF files carry (rope_freqs). Others (yarn, longrope, dynamic …) are refused. Thread-safe for
 * different drafts.
 *
 *     uint32_t factors;
 *     TRY(rope_scaling_factors(draft, 10000, 64, &factors, error));
 */
#ifndef MODELS_ROPE_SCALING_H
#define MODELS_ROPE_SCALING_H

#include "models/draft.h"

/* ret_factors: f32 [rope_width/2] for RotaryEmbedding, VALUE_NONE where all are 1. */
HOB_MUST_CHECK hob_status rope_scaling_factors(struct draft *draft, float base, int64_t rope_width,
                                               uint32_t *ret_factors, hob_error *error);

#endif
