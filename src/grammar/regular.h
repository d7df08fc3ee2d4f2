/* Texts that two fragments have in common. The fragments must be without calls (grammar_builder.is_flat while they are made) and
 * are used up.
 *
 *     struct fragment both = regular_intersect(&builder, pattern, length);
 */
#ifndef GRAMMAR_REGULAR_H
#define GRAMMAR_REGULAR_H

#include "grammar/builder.h"

/* Failures show in the builder: HOB_LIMIT, HOB_NO_MEMORY. */
struct fragment regular_intersect(struct grammar_builder *builder, struct fragment left, struct fragment right);
/* Whether the fragment, of no calls, has no text at all. */
bool regular_is_empty(struct grammar_builder *builder, struct fragment fragment);

#endif
