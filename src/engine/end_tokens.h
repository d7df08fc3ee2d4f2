/* Which tokens end a text: all that a model's own files say, gathered once when it opens.
 *
 * config.json's and generation_config.json's eos_token_id (a number or a list), GGUF's ids of the ends of text, turn and message, and
 * what the tokenizer knows for one ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", …). No number is built in.
 */
#ifndef ENGINE_END_TOKENS_H
#define ENGINE_END_TOKENS_H

#include "engine/model.h"

/* Adds to model->eos_ids what is not there yet; what finds no room is left out. Fails: HOB_BAD_FILE, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status end_tokens_find(struct hob_model *model, hob_error *error);

#endif
