/* Writes rules out where they are called: those that are small, and those with one caller. What is left of calls is recursion and
 * large rules with many callers, so that masks (token_masks.h) seldom depend on what a rule was called from. The language stays.
 *
 *     TRY(inline_rules(&builder, root, error));
 */
#ifndef GRAMMAR_INLINE_RULES_H
#define GRAMMAR_INLINE_RULES_H

#include "grammar/builder.h"

HOB_MUST_CHECK hob_status inline_rules(struct grammar_builder *builder, uint32_t root, hob_error *error);

#endif
