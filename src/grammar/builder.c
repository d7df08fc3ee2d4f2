/* States are numbers, moves a list for each state. Repetition copies states; where that would be many, it makes a rule of what
 * repeats, so that x{1000} costs a call a time and not x a time. */
#include "grammar/builder.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

enum { COPIED_STATES = 6, COPIED_TIMES = 4 }; /* up to so many, copies are cheaper than calls */

hob_status grammar_builder_init(struct grammar_builder *builder, hob_error *error)
{
    *builder = (struct grammar_builder){.error = error};
    arena_init(&builder->arena, 16 * 1024);
    grammar_builder_state(builder); /* state 0: what is returned after a failure */
    return builder->status;
}

void grammar_builder_release(struct grammar_builder *builder)
{
    memory_free(builder->first_moves);
    memory_free(builder->moves);
    memory_free(builder->rules);
    memory_free(builder->copies);
    memory_free(builder->copied);
    arena_release(&builder->arena);
}

void grammar_builder_fail(struct grammar_builder *builder, hob_status status, const char *format, ...)
{
    char message[400];
    va_list arguments;
    if (builder->status != HOB_OK) return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    builder->status = error_set(builder->error, status, ERROR_HERE, "%s", message);
}

/* Room for one more of n items; false: the failure is set. */
static bool make_room(struct grammar_builder *builder, void *items, size_t n, size_t *reserved, size_t item_bytes,
                      size_t most, const char *what)
{
    void **place = items;
    if (builder->status != HOB_OK) return false;
    if (n < *reserved) return true;
    if (n >= most) {
        grammar_builder_fail(builder, HOB_LIMIT,
                             "grammar: found more than %zu %s; repetitions of repetitions grow fast", most, what);
        return false;
    }
    size_t n_wanted = *reserved ? *reserved * 2 : 256;
    void *grown = memory_resize(*place, n_wanted, item_bytes);
    if (!grown) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory for %zu %s", n_wanted, what);
    if (!grown) return false;
    *place = grown;
    *reserved = n_wanted;
    return true;
}

uint32_t grammar_builder_state(struct grammar_builder *builder)
{
    if (!make_room(builder, &builder->first_moves, builder->n_states, &builder->states_reserved,
                   sizeof *builder->first_moves, GRAMMAR_MAX_STATES, "states"))
        return 0;
    builder->first_moves[builder->n_states] = BUILDER_NONE;
    return (uint32_t)builder->n_states++;
}

static void add_move(struct grammar_builder *builder, uint32_t from, struct builder_move move)
{
    if (!make_room(builder, &builder->moves, builder->n_moves, &builder->moves_reserved, sizeof *builder->moves,
                   GRAMMAR_MAX_MOVES, "moves"))
        return;
    move.next = builder->first_moves[from];
    builder->moves[builder->n_moves] = move;
    builder->first_moves[from] = (uint32_t)builder->n_moves++;
}

void grammar_builder_skip(struct grammar_builder *builder, uint32_t from, uint32_t to)
{
    if (from != to) add_move(builder, from, (struct builder_move){.kind = MOVE_SKIP, .target = to});
}

void grammar_builder_bytes(struct grammar_builder *builder, uint32_t from, unsigned low, unsigned high, uint32_t to)
{
    add_move(builder, from,
             (struct builder_move){.kind = MOVE_BYTES, .target = to, .low = (uint8_t)low, .high = (uint8_t)high});
}

void grammar_builder_call(struct grammar_builder *builder, uint32_t from, uint32_t rule, uint32_t to)
{
    add_move(builder, from, (struct builder_move){.kind = MOVE_CALL, .target = to, .rule = rule});
}

static uint32_t add_rule(struct grammar_builder *builder, const char *name, struct fragment body)
{
    if (!make_room(builder, &builder->rules, builder->n_rules, &builder->rules_reserved, sizeof *builder->rules,
                   GRAMMAR_MAX_RULES, "rules"))
        return 0;
    builder->rules[builder->n_rules] = (struct builder_rule){.name = name, .start = body.from, .end = body.to};
    return (uint32_t)builder->n_rules++;
}

uint32_t grammar_builder_rule(struct grammar_builder *builder, const char *name, size_t n_bytes)
{
    const char *copy = arena_copy_string(&builder->arena, name, n_bytes);
    if (!copy) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory for a rule");
    uint32_t start = grammar_builder_state(builder), end = grammar_builder_state(builder);
    return add_rule(builder, copy, (struct fragment){start, end});
}

uint32_t grammar_builder_literal(struct grammar_builder *builder, uint32_t from, const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        uint32_t to = grammar_builder_state(builder);
        grammar_builder_bytes(builder, from, (uint8_t)bytes[i], (uint8_t)bytes[i], to);
        from = to;
    }
    return from;
}

/* ---- sets of code points as bytes of UTF-8 ---- */

/* Where any 1, 2 or 3 continuation bytes lead to the end: made when they are asked for. */
struct tails {
    uint32_t states[4]; /* [0]: the end */
};

static uint32_t tail(struct grammar_builder *builder, struct tails *tails, size_t n_bytes)
{
    for (size_t n = 1; n <= n_bytes; n++) {
        if (tails->states[n]) continue;
        tails->states[n] = grammar_builder_state(builder);
        grammar_builder_bytes(builder, tails->states[n], 0x80, 0xBF, tails->states[n - 1]);
    }
    return tails->states[n_bytes];
}

static void add_sequence(struct grammar_builder *builder, uint32_t from, const struct utf8_sequence *sequence,
                         struct tails *tails)
{
    size_t n_before_tail = sequence->n_bytes;
    while (n_before_tail > 1 && sequence->low[n_before_tail - 1] == 0x80 && sequence->high[n_before_tail - 1] == 0xBF)
        n_before_tail--;
    uint32_t end = tail(builder, tails, sequence->n_bytes - n_before_tail);
    for (size_t i = 0; i < n_before_tail; i++) {
        uint32_t to = i + 1 == n_before_tail ? end : grammar_builder_state(builder);
        grammar_builder_bytes(builder, from, sequence->low[i], sequence->high[i], to);
        from = to;
    }
}

uint32_t grammar_builder_code_points(struct grammar_builder *builder, uint32_t from, const struct code_points *points)
{
    struct tails tails = {.states = {grammar_builder_state(builder)}};
    struct utf8_sequence sequences[UTF8_MAX_SEQUENCES];
    for (size_t i = 0; i < points->n_ranges; i++) {
        size_t n = utf8_sequences(points->ranges[i], sequences);
        for (size_t s = 0; s < n; s++) add_sequence(builder, from, &sequences[s], &tails);
    }
    return tails.states[0];
}

/* ---- repetition ---- */

static struct fragment copy_range(struct grammar_builder *builder, size_t first_state, size_t end_state,
                                  struct fragment fragment)
{
    uint32_t offset = (uint32_t)(builder->n_states - first_state);
    for (size_t s = first_state; s < end_state; s++) grammar_builder_state(builder);
    for (size_t s = first_state; s < end_state && builder->status == HOB_OK; s++)
        for (uint32_t m = builder->first_moves[s]; m != BUILDER_NONE; m = builder->moves[m].next) {
            struct builder_move move = builder->moves[m];
            move.target += offset;
            add_move(builder, (uint32_t)s + offset, move);
            if (builder->status != HOB_OK) break;
        }
    return (struct fragment){fragment.from + offset, fragment.to + offset};
}

static uint32_t copy_of(struct grammar_builder *builder, uint32_t state, size_t *n_copied)
{
    if (builder->copies[state]) return builder->copies[state];
    builder->copied[(*n_copied)++] = state;
    return builder->copies[state] = grammar_builder_state(builder);
}

static bool reserve_copies(struct grammar_builder *builder)
{
    size_t n_old = builder->copies_reserved, n_wanted = builder->states_reserved;
    if (builder->status != HOB_OK || n_old >= n_wanted) return builder->status == HOB_OK;
    uint32_t *copies = memory_resize(builder->copies, n_wanted, sizeof *copies);
    if (copies) builder->copies = copies;
    uint32_t *copied = memory_resize(builder->copied, n_wanted, sizeof *copied);
    if (copied) builder->copied = copied;
    if (!copies || !copied) {
        grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory to copy a rule");
        return false;
    }
    memset(copies + n_old, 0, (n_wanted - n_old) * sizeof *copies);
    builder->copies_reserved = n_wanted;
    return true;
}

struct fragment grammar_builder_copy(struct grammar_builder *builder, struct fragment fragment)
{
    size_t n_copied = 0;
    if (!reserve_copies(builder)) return fragment;
    struct fragment copy = {.from = copy_of(builder, fragment.from, &n_copied)};
    copy.to = copy_of(builder, fragment.to, &n_copied);
    for (size_t i = 0; i < n_copied; i++)
        for (uint32_t m = builder->first_moves[builder->copied[i]]; m != BUILDER_NONE; m = builder->moves[m].next) {
            struct builder_move move = builder->moves[m];
            move.target = copy_of(builder, move.target, &n_copied);
            add_move(builder, builder->copies[builder->copied[i]], move);
            if (builder->status != HOB_OK) break;
        }
    for (size_t i = 0; i < n_copied; i++) builder->copies[builder->copied[i]] = 0;
    return copy;
}

struct repeated {
    size_t first_state, end_state;
    struct fragment fragment;
    bool is_rule;
    uint32_t rule;
};

/* The fragment itself comes last: what is joined to it must not be copied. */
static struct fragment next_copy(struct grammar_builder *builder, const struct repeated *repeated, bool is_last)
{
    if (repeated->is_rule) {
        struct fragment call = {grammar_builder_state(builder), grammar_builder_state(builder)};
        grammar_builder_call(builder, call.from, repeated->rule, call.to);
        return call;
    }
    if (is_last) return repeated->fragment;
    return copy_range(builder, repeated->first_state, repeated->end_state, repeated->fragment);
}

static void add_loop(struct grammar_builder *builder, struct fragment last, uint32_t before, uint32_t end)
{
    uint32_t again = grammar_builder_state(builder);
    grammar_builder_skip(builder, before, again);
    grammar_builder_skip(builder, again, last.from);
    grammar_builder_skip(builder, last.to, again);
    grammar_builder_skip(builder, last.to, end);
}

struct fragment grammar_builder_repeat(struct grammar_builder *builder, size_t first_state, struct fragment fragment,
                                       uint32_t least, uint32_t most)
{
    bool is_endless = most == GRAMMAR_UNBOUNDED;
    uint32_t n = is_endless ? (least > 1 ? least : 1) : most;
    struct repeated repeated = {.first_state = first_state, .end_state = builder->n_states, .fragment = fragment};
    repeated.is_rule = !builder->is_flat && n > COPIED_TIMES && repeated.end_state - first_state > COPIED_STATES;
    if (repeated.is_rule) repeated.rule = add_rule(builder, "repetition", fragment);
    struct fragment all = {grammar_builder_state(builder), grammar_builder_state(builder)};
    uint32_t at = all.from;
    for (uint32_t i = 0; i < n && builder->status == HOB_OK; i++) {
        bool is_last = i + 1 == n;
        struct fragment piece = next_copy(builder, &repeated, is_last);
        if (i >= least) grammar_builder_skip(builder, at, all.to);
        if (is_last && is_endless) add_loop(builder, piece, at, all.to);
        else grammar_builder_skip(builder, at, piece.from);
        at = piece.to;
    }
    if (!is_endless || n == 0) grammar_builder_skip(builder, at, all.to);
    return all;
}
