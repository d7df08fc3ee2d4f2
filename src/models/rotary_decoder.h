/* The decoder that Llama made common: RMSNorm before each part, rotary positions, grouped-query attention,
 * SwiGLU. The architectures of that family are this with few differences.
 *
 * Source: Touvron et al. 2023 (Llama), Ainslie et al. 2023 (grouped-query attention), Su et al. 2021 (rotary
 * positions).
 *
 *     return rotary_decoder_build(draft, &(struct rotary_decoder){.has_qkv_bias = true}, error);
 */
#ifndef MODELS_ROTARY_DECODER_H
#define MODELS_ROTARY_DECODER_H

#include "models/draft.h"

struct rotary_decoder {
    bool is_interleaved; /* pairs (2i, 2i+1) turn, not (i, i + R/2) */
    bool has_qkv_bias;
    bool has_output_bias; /* of attention */
    double rope_base;     /* when the file does not say */
    bool is_window_on;    /* a sliding window in the file counts unless the file says it is off */
    /* Filled by rotary_decoder_build. */
    float epsilon, base;
    int64_t rope_width;
    uint32_t rope_factors;
};

/* Module names of Hugging Face's Llama, which the family kept. */
extern const char *const rotary_decoder_hf_names[TENSOR_ROLE_COUNT];

HOB_MUST_CHECK hob_status rotary_decoder_build(struct draft *draft, struct rotary_decoder decoder, hob_error *error);

#endif
