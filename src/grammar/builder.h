/* A grammar under construction: states joined by bytes, by nothing, and by calls of rules.
 *
 * A front end (gbnf.h, json_schema.h) makes states and moves; grammar_new (grammar.h) turns what it made into tables. A rule is
 * two states: its text lies on the ways from start to end. The first failure sticks, and what is made behind it has no effect, so
 * that a front end checks once. Owns everything it holds; names are copied. One thread at a time.
 *
 *     struct grammar_builder builder;
 *     TRY(grammar_builder_init(&builder, error));
 *     uint32_t root = grammar_builder_rule(&builder, "root", 4);
 *     uint32_t end = grammar_builder_literal(&builder, builder.rules[root].start, "yes", 3);
 *     grammar_builder_skip(&builder, end, builder.rules[root].end);
 *     TRY_CLEANUP(grammar_new(&builder, root, &grammar, error));
 *     grammar_builder_release(&builder);
 */
#ifndef GRAMMAR_BUILDER_H
#define GRAMMAR_BUILDER_H

#include "base/arena.h"
#include "grammar/code_points.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GRAMMAR_MAX_STATES = 1 << 19,
    GRAMMAR_MAX_MOVES = 1 << 21,
    GRAMMAR_MAX_RULES = 1 << 16,
};
#define GRAMMAR_UNBOUNDED UINT32_MAX
#define BUILDER_NONE UINT32_MAX

enum move_kind { MOVE_SKIP, MOVE_BYTES, MOVE_CALL };

struct builder_move {
    uint32_t next; /* of the same state; BUILDER_NONE: the last */
    uint32_t target;
    uint32_t rule; /* of a call */
    uint8_t kind, low, high;
};

struct builder_rule {
    const char *name;
    uint32_t start, end;
    bool is_linked; /* its only caller leads into it and out of it by skips: the end is no end any more */
};

struct grammar_builder {
    struct arena arena;
    uint32_t *first_moves; /* of each state */
    struct builder_move *moves;
    struct builder_rule *rules;
    size_t n_states, n_moves, n_rules;
    size_t states_reserved, moves_reserved, rules_reserved;
    uint32_t *copies,
        *copied; /* grammar_builder_copy's: the copy of each state, all 0 between calls; the states copied */
    size_t copies_reserved;
    size_t n_schema_steps; /* schema_charge's, of all schemas in the grammar */
    bool is_flat; /* repetitions are written out, never made rules: for what regular_intersect takes */
    hob_status status;
    hob_error *error;
};

/* A piece of text between two states. */
struct fragment {
    uint32_t from, to;
};

/* error is kept: the first failure is written there. */
HOB_MUST_CHECK hob_status grammar_builder_init(struct grammar_builder *builder, hob_error *error);
void grammar_builder_release(struct grammar_builder *builder);
/* Sets the failure unless there is one. */
void grammar_builder_fail(struct grammar_builder *builder, hob_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

uint32_t grammar_builder_state(struct grammar_builder *builder);
void grammar_builder_skip(struct grammar_builder *builder, uint32_t from, uint32_t to);
void grammar_builder_bytes(struct grammar_builder *builder, uint32_t from, unsigned low, unsigned high, uint32_t to);
void grammar_builder_call(struct grammar_builder *builder, uint32_t from, uint32_t rule, uint32_t to);
/* A rule with a start and an end and nothing between. name: for messages. */
uint32_t grammar_builder_rule(struct grammar_builder *builder, const char *name, size_t n_bytes);

/* These return the state behind what they add. */
uint32_t grammar_builder_literal(struct grammar_builder *builder, uint32_t from, const char *bytes, size_t n_bytes);
uint32_t grammar_builder_code_points(struct grammar_builder *builder, uint32_t from, const struct code_points *points);

/* least to most (or GRAMMAR_UNBOUNDED) times the fragment, whose states are all those from first_state on. Takes the fragment:
 * only the one returned may be used. */
struct fragment grammar_builder_repeat(struct grammar_builder *builder, size_t first_state, struct fragment fragment,
                                       uint32_t least, uint32_t most);
/* A copy of the states reachable from fragment.from. */
struct fragment grammar_builder_copy(struct grammar_builder *builder, struct fragment fragment);

#endif
