/* What the Gemmas share: embeddings times the square root of the width, norms whose weights are stored minus 1, gates through GELU.
 *
 * Source: Gemma team 2024.
 *
 *     struct rotary_decoder decoder = {.has_post_norms = true};
 *     TRY(gemma_read(draft, &decoder, error));
 *     return rotary_decoder_build(draft, &decoder, error);
 */
#ifndef MODELS_GEMMA_H
#define MODELS_GEMMA_H

#include "models/rotary_decoder.h"

/* rotary_decoder_read for a Gemma: sets what they share, scale of the scores and soft caps included. n_large_layers: the number of
 * layers by which llama.cpp knows the one model whose scores are scaled by width / heads instead of the head's width, which GGUF
 * does not say; 0: none. Fails: as rotary_decoder_read. */
HOB_MUST_CHECK hob_status gemma_read(struct draft *draft, struct rotary_decoder *decoder, int64_t n_large_layers,
                                     hob_error *error);

/* Module names of Hugging Face's Gemma 2 and 3. */
extern const char *const gemma_hf_names[TENSOR_ROLE_COUNT];

#endif
