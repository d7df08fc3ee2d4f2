/* hob_grammar and the token masks it has for each model it met.
 *
 *     TRY(grammar_masks(grammar, model, &masks, error));       a reference: token_masks_unref
 */
#ifndef ENGINE_GRAMMAR_H
#define ENGINE_GRAMMAR_H

#include "engine/model.h"
#include "grammar/token_masks.h"
#include "hob/grammar.h"

/* A handle of what a builder holds; the builder may be released afterwards. Fails: as grammar_new. */
HOB_MUST_CHECK hob_status grammar_handle_new(struct grammar_builder *builder, uint32_t root, hob_grammar **ret_grammar, hob_error *error);
/* Masks over the model's vocabulary. Thread-safe. Fails: HOB_UNSUPPORTED (no tokenizer), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status grammar_masks(const hob_grammar *grammar, hob_model *model, struct token_masks **ret_masks,
                                        hob_error *error);

#endif
