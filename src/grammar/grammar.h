/* A grammar as tables: a pushdown automaton over bytes.
 *
 * A position is a place between two bytes of a rule. From a position lead edges (a range of bytes to another position) and calls
 * (into a rule, and back to a position of this one); a final position is where its rule may end. Rules that are small, or called
 * from one place, have been written out where they were called, so that most grammars have few calls. Every position leads to an
 * end: no walk comes to a dead end. Immutable and shared by threads; what is derived from it lazily is token_masks.h's.
 *
 *     TRY(grammar_new(&builder, root, &grammar, error));
 *     grammar_unref(grammar);
 */
#ifndef GRAMMAR_GRAMMAR_H
#define GRAMMAR_GRAMMAR_H

#include "grammar/builder.h"

#include <stdatomic.h>

struct grammar_edge {
    uint32_t target;
    uint8_t low, high;
};

struct grammar_call {
    uint32_t start, back;
};

enum { POSITION_IS_FINAL = 1, POSITION_IS_TAIL = 2 /* final, and nothing leads on */ };

struct grammar {
    atomic_uint n_refs;
    uint32_t n_positions, start;
    uint32_t *first_edge, *first_call; /* [n_positions + 1] */
    struct grammar_edge *edges;
    struct grammar_call *calls;
    uint8_t *flags;            /* POSITION_… of each position */
    uint8_t byte_classes[256]; /* bytes that no edge tells apart */
    uint8_t class_bytes[256];  /* one byte of each class */
    uint32_t n_classes;
};

/* Fails: HOB_BAD_FILE (a rule that begins with itself, or one that no text can end), HOB_LIMIT, HOB_NO_MEMORY, and whatever
 * failed in the builder, which may be released afterwards. */
HOB_MUST_CHECK hob_status grammar_new(struct grammar_builder *builder, uint32_t root, struct grammar **ret_grammar,
                                      hob_error *error);
struct grammar *grammar_ref(struct grammar *grammar);
void grammar_unref(struct grammar *grammar); /* takes NULL */

#endif
