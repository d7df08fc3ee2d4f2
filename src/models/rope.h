/* Rotary positions of a decoder's queries and keys: which part of a head turns, how fast, and what a context beyond the one that
 * the model was first trained for does to that.
 *
 * Scalings (rope_scale): none; linear (Chen et al. 2023); ntk, a larger base (bloc97 2023); dynamic, the same growing with the
 * context; yarn (Peng et al. 2023); llama3, by wavelength; longrope or su, two tables of factors (Ding et al. 2024); and the
 * table of factors that GGUF files carry (rope_freqs). Others are refused; of encoders all but none, linear and llama3, of language
 * models that embed the two that depend on a session.
 *
 * Dynamic and longrope depend on how long the text is. Here that is the most positions that the session has room for (the
 * graph's input `capacity`), from its first token to its last: keys that are cached stay valid, and results depend neither on how
 * a text was cut into runs nor on what comes later. llama.cpp chooses longrope's table in the same way; transformers looks at the
 * text so far, and is the same for texts that fill the session.
 *
 * Owns nothing. Thread-safe for different drafts.
 *
 *     struct rope rope;
 *     TRY(rope_read(draft, KEY_ROPE_BASE, 10000, &rope, error));
 *     draft_begin(draft);
 *     TRY(rope_scale(draft, &rope, error));
 *     q = rope_turn(draft, &rope, q);
 */
#ifndef MODELS_ROPE_H
#define MODELS_ROPE_H

#include "models/draft.h"

struct rope {
    double base;
    int64_t width;       /* of each head, from its first number: these turn */
    bool is_interleaved; /* pairs (2i, 2i+1) turn, not (i, i + width/2) */
    float scale;         /* of what has turned: attention's temperature */
    uint32_t factors;    /* f32 [width/2] that frequencies are divided by; VALUE_NONE where all are 1 */
};

/* Base and width, no scaling. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status rope_read(struct draft *draft, enum model_key base_key, double base, struct rope *ret_rope,
                                    hob_error *error);
/* Factors and scale as the file says; draft's context grows to what the scaling is meant for. After draft_begin.
 * Fails: HOB_UNSUPPORTED (a scaling we do not know), HOB_BAD_FILE, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status rope_scale(struct draft *draft, struct rope *rope, hob_error *error);
/* x [T,H,K] at the draft's positions. */
uint32_t rope_turn(struct draft *draft, const struct rope *rope, uint32_t x);

#endif
