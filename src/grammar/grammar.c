/* From a builder's states to tables: moves by nothing are followed until only bytes and calls are left, what leads nowhere is
 * dropped, and bytes that no edge tells apart share a class. */
#include "grammar/grammar.h"
#include "base/error.h"
#include "base/memory.h"
#include "grammar/call_graph.h"
#include "grammar/inline_rules.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_VISITS = 1 << 24,       /* of states on the way to positions: a third of a second */
    MERGED_POSITIONS = 1 << 12, /* and twice the states: beyond, sets of states are not made one position any more */
};

/* A position stands for a set of states, so that texts which begin alike share their positions. */
struct position {
    uint32_t first_state, n_states, hash;
};

struct tabling {
    const struct grammar_builder *builder;
    struct call_graph graph;
    struct grammar *grammar;
    bool *is_end; /* states where an unlinked rule ends */
    struct position *positions;
    uint32_t *states;  /* of positions, each in rising order */
    uint32_t *slots;   /* hash table: position + 1 */
    uint32_t *marks;   /* of a state: the closure that came by last */
    uint32_t *closure; /* of the set under way */
    uint32_t *moves;   /* of bytes, of the position under way */
    uint32_t n_closures, n_slots, n_closed, n_moves;
    size_t n_states, states_reserved, positions_reserved, n_edges, n_calls, edges_reserved, calls_reserved,
        moves_reserved, n_visits;
    hob_error *error;
};

static hob_status out_of_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "grammar: no memory for its tables");
}

static hob_status make_room(struct tabling *tabling, void *items, size_t n, size_t *reserved, size_t item_bytes)
{
    void **place = items;
    if (n < *reserved) return HOB_OK;
    if (n >= GRAMMAR_MAX_MOVES)
        FAIL(tabling->error, HOB_LIMIT,
             "grammar: found more than %d ways between its places; it has too many choices at once", GRAMMAR_MAX_MOVES);
    size_t n_wanted = *reserved ? *reserved * 2 : 1024;
    void *grown = memory_resize(*place, n_wanted, item_bytes);
    if (!grown) return out_of_memory(tabling->error);
    *place = grown;
    *reserved = n_wanted;
    return HOB_OK;
}

/* ---- sets of states ---- */

static void begin_set(struct tabling *tabling)
{
    tabling->n_closures++;
    tabling->n_closed = 0;
}

static void add_to_set(struct tabling *tabling, uint32_t state)
{
    if (tabling->marks[state] == tabling->n_closures || !tabling->graph.is_productive[state]) return;
    tabling->marks[state] = tabling->n_closures;
    tabling->closure[tabling->n_closed++] = state;
}

static bool does_something(const struct tabling *tabling, uint32_t state)
{
    const struct grammar_builder *builder = tabling->builder;
    for (uint32_t m = builder->first_moves[state]; m != BUILDER_NONE; m = builder->moves[m].next)
        if (builder->moves[m].kind != MOVE_SKIP) return true;
    return tabling->is_end[state];
}

/* Adds what is reached by nothing, then leaves out what only led there. */
static hob_status close_set(struct tabling *tabling)
{
    const struct grammar_builder *builder = tabling->builder;
    for (uint32_t i = 0; i < tabling->n_closed; i++)
        for (uint32_t m = builder->first_moves[tabling->closure[i]]; m != BUILDER_NONE; m = builder->moves[m].next)
            if (builder->moves[m].kind == MOVE_SKIP) add_to_set(tabling, builder->moves[m].target);
    tabling->n_visits += tabling->n_closed;
    if (tabling->n_visits > MAX_VISITS)
        FAIL(tabling->error, HOB_LIMIT, "grammar: found too many choices at once; it cannot be made into tables");
    uint32_t n = 0;
    for (uint32_t i = 0; i < tabling->n_closed; i++)
        if (does_something(tabling, tabling->closure[i])) tabling->closure[n++] = tabling->closure[i];
    tabling->n_closed = n;
    return HOB_OK;
}

static int by_number(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static hob_status grow_slots(struct tabling *tabling)
{
    uint32_t n = tabling->grammar->n_positions;
    if (tabling->n_slots > 2 * n) return HOB_OK;
    uint32_t n_slots = tabling->n_slots ? tabling->n_slots * 2 : 4096;
    uint32_t *slots = memory_new(n_slots, sizeof *slots);
    if (!slots) return out_of_memory(tabling->error);
    for (uint32_t p = 0; p < n; p++) {
        uint32_t slot = tabling->positions[p].hash & (n_slots - 1);
        while (slots[slot]) slot = (slot + 1) & (n_slots - 1);
        slots[slot] = p + 1;
    }
    memory_free(tabling->slots);
    tabling->slots = slots;
    tabling->n_slots = n_slots;
    return HOB_OK;
}

static hob_status add_position(struct tabling *tabling, uint32_t hash, uint32_t *ret_position)
{
    struct grammar *grammar = tabling->grammar;
    struct position position = {
        .first_state = (uint32_t)tabling->n_states, .n_states = tabling->n_closed, .hash = hash};
    TRY(make_room(tabling, &tabling->positions, grammar->n_positions, &tabling->positions_reserved, sizeof position));
    for (uint32_t i = 0; i < tabling->n_closed; i++) {
        TRY(make_room(tabling, &tabling->states, tabling->n_states, &tabling->states_reserved,
                      sizeof *tabling->states));
        tabling->states[tabling->n_states++] = tabling->closure[i];
    }
    tabling->positions[grammar->n_positions] = position;
    *ret_position = grammar->n_positions++;
    return HOB_OK;
}

/* The position of the set under way. */
static hob_status find_position(struct tabling *tabling, uint32_t *ret_position)
{
    TRY(close_set(tabling));
    uint32_t hash = 0x811C9DC5u, n = tabling->n_closed;
    if (n > 1) qsort(tabling->closure, n, sizeof *tabling->closure, by_number);
    for (uint32_t i = 0; i < n; i++) hash = (hash ^ tabling->closure[i]) * 0x01000193u;
    hash ^= hash >> 15;
    TRY(grow_slots(tabling));
    uint32_t slot = hash & (tabling->n_slots - 1);
    for (; tabling->slots[slot]; slot = (slot + 1) & (tabling->n_slots - 1)) {
        const struct position *known = &tabling->positions[tabling->slots[slot] - 1];
        if (known->hash != hash || known->n_states != n) continue;
        if (memcmp(tabling->states + known->first_state, tabling->closure, n * sizeof *tabling->closure)) continue;
        *ret_position = tabling->slots[slot] - 1;
        return HOB_OK;
    }
    TRY(add_position(tabling, hash, ret_position));
    tabling->slots[slot] = *ret_position + 1;
    return HOB_OK;
}

static hob_status position_of(struct tabling *tabling, uint32_t state, uint32_t *ret_position)
{
    begin_set(tabling);
    add_to_set(tabling, state);
    return find_position(tabling, ret_position);
}

/* ---- what leads on from a position ---- */

static hob_status add_edge(struct tabling *tabling, unsigned low, unsigned high, uint32_t target, size_t first_edge)
{
    struct grammar *grammar = tabling->grammar;
    struct grammar_edge *last = tabling->n_edges > first_edge ? &grammar->edges[tabling->n_edges - 1] : NULL;
    if (last && last->target == target && last->high + 1u == low) {
        last->high = (uint8_t)high;
        return HOB_OK;
    }
    TRY(make_room(tabling, &grammar->edges, tabling->n_edges, &tabling->edges_reserved, sizeof *grammar->edges));
    HOB_ASSERT(grammar->edges);
    grammar->edges[tabling->n_edges++] =
        (struct grammar_edge){.target = target, .low = (uint8_t)low, .high = (uint8_t)high};
    return HOB_OK;
}

/* Each stretch of bytes that the moves do not tell apart leads to the set of all their targets. */
static hob_status add_merged_edges(struct tabling *tabling)
{
    const struct builder_move *moves = tabling->builder->moves;
    size_t first_edge = tabling->n_edges;
    bool begins[257] = {false};
    for (uint32_t i = 0; i < tabling->n_moves; i++)
        begins[moves[tabling->moves[i]].low] = begins[moves[tabling->moves[i]].high + 1] = true;
    for (unsigned low = 0, high; low < 256; low = high + 1) {
        for (high = low; high < 255 && !begins[high + 1];) high++;
        begin_set(tabling);
        for (uint32_t i = 0; i < tabling->n_moves; i++) {
            const struct builder_move *move = &moves[tabling->moves[i]];
            if (move->low <= low && high <= move->high) add_to_set(tabling, move->target);
        }
        uint32_t target;
        if (!tabling->n_closed) continue;
        TRY(find_position(tabling, &target));
        TRY(add_edge(tabling, low, high, target, first_edge));
    }
    return HOB_OK;
}

static hob_status add_single_edges(struct tabling *tabling)
{
    for (uint32_t i = 0; i < tabling->n_moves; i++) {
        const struct builder_move *move = &tabling->builder->moves[tabling->moves[i]];
        uint32_t target;
        TRY(position_of(tabling, move->target, &target));
        TRY(add_edge(tabling, move->low, move->high, target, tabling->n_edges));
    }
    return HOB_OK;
}

static hob_status add_call(struct tabling *tabling, const struct builder_move *move)
{
    struct grammar *grammar = tabling->grammar;
    struct grammar_call call;
    uint32_t start = tabling->builder->rules[move->rule].start;
    if (!tabling->graph.is_productive[start]) return HOB_OK;
    TRY(position_of(tabling, start, &call.start));
    TRY(position_of(tabling, move->target, &call.back));
    TRY(make_room(tabling, &grammar->calls, tabling->n_calls, &tabling->calls_reserved, sizeof call));
    grammar->calls[tabling->n_calls++] = call;
    return HOB_OK;
}

static hob_status add_moves(struct tabling *tabling, uint32_t position, uint32_t state)
{
    const struct grammar_builder *builder = tabling->builder;
    if (tabling->is_end[state]) tabling->grammar->flags[position] |= POSITION_IS_FINAL;
    for (uint32_t m = builder->first_moves[state]; m != BUILDER_NONE; m = builder->moves[m].next) {
        const struct builder_move *move = &builder->moves[m];
        if (!tabling->graph.is_productive[move->target]) continue;
        if (move->kind == MOVE_CALL) TRY(add_call(tabling, move));
        if (move->kind != MOVE_BYTES) continue;
        TRY(make_room(tabling, &tabling->moves, tabling->n_moves, &tabling->moves_reserved, sizeof *tabling->moves));
        tabling->moves[tabling->n_moves++] = m;
    }
    return HOB_OK;
}

static hob_status grow_tables(struct grammar *grammar, size_t *reserved, hob_error *error)
{
    if (grammar->n_positions < *reserved) return HOB_OK;
    size_t n = 2 * (size_t)grammar->n_positions + 256;
    uint32_t *first_edge = memory_resize(grammar->first_edge, n + 1, sizeof *first_edge);
    if (first_edge) grammar->first_edge = first_edge;
    uint32_t *first_call = memory_resize(grammar->first_call, n + 1, sizeof *first_call);
    if (first_call) grammar->first_call = first_call;
    uint8_t *flags = memory_resize(grammar->flags, n, 1);
    if (flags) grammar->flags = flags;
    if (!first_edge || !first_call || !flags) return out_of_memory(error);
    *reserved = n;
    return HOB_OK;
}

static hob_status fill_position(struct tabling *tabling, uint32_t position)
{
    struct grammar *grammar = tabling->grammar;
    size_t first_edge = tabling->n_edges, first_call = tabling->n_calls;
    grammar->flags[position] = 0;
    tabling->n_moves = 0;
    for (uint32_t i = 0; i < tabling->positions[position].n_states; i++)
        TRY(add_moves(tabling, position, tabling->states[tabling->positions[position].first_state + i]));
    bool is_merged = grammar->n_positions < 2 * tabling->builder->n_states + MERGED_POSITIONS;
    TRY(is_merged ? add_merged_edges(tabling) : add_single_edges(tabling));
    grammar->first_edge[position + 1] = (uint32_t)tabling->n_edges;
    grammar->first_call[position + 1] = (uint32_t)tabling->n_calls;
    bool leads_on = tabling->n_edges > first_edge || tabling->n_calls > first_call;
    if (grammar->flags[position] && !leads_on) grammar->flags[position] |= POSITION_IS_TAIL;
    return HOB_OK;
}

static void find_classes(struct grammar *grammar, size_t n_edges)
{
    bool begins[257] = {false};
    for (size_t e = 0; e < n_edges; e++) begins[grammar->edges[e].low] = begins[grammar->edges[e].high + 1] = true;
    uint32_t class = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte && begins[byte]) class ++;
        if (!byte || begins[byte]) grammar->class_bytes[class] = (uint8_t)byte;
        grammar->byte_classes[byte] = (uint8_t) class;
    }
    grammar->n_classes = class + 1;
}

static void shrink(void *items, size_t n, size_t item_bytes)
{
    void **place = items;
    void *smaller = memory_resize(*place, n ? n : 1, item_bytes);
    if (smaller) *place = smaller;
}

static hob_status allocate(struct tabling *tabling)
{
    size_t n_states = tabling->builder->n_states;
    tabling->is_end = memory_new(n_states, sizeof(bool));
    tabling->marks = memory_new(n_states, sizeof(uint32_t));
    tabling->closure = memory_new(n_states, sizeof(uint32_t));
    return tabling->is_end && tabling->marks && tabling->closure ? HOB_OK : out_of_memory(tabling->error);
}

static hob_status fill_tables(struct tabling *tabling, uint32_t root)
{
    const struct grammar_builder *builder = tabling->builder;
    struct grammar *grammar = tabling->grammar;
    size_t reserved = 0;
    TRY(allocate(tabling));
    for (size_t r = 0; r < builder->n_rules; r++)
        if (!builder->rules[r].is_linked) tabling->is_end[builder->rules[r].end] = true;
    TRY(position_of(tabling, builder->rules[root].start, &grammar->start));
    for (uint32_t p = 0; p < grammar->n_positions; p++) {
        TRY(grow_tables(grammar, &reserved, tabling->error));
        if (p == 0) grammar->first_edge[0] = grammar->first_call[0] = 0;
        TRY(fill_position(tabling, p));
    }
    find_classes(grammar, tabling->n_edges);
    shrink(&grammar->edges, tabling->n_edges, sizeof *grammar->edges);
    shrink(&grammar->calls, tabling->n_calls, sizeof *grammar->calls);
    return HOB_OK;
}

static hob_status make_tables(struct grammar_builder *builder, uint32_t root, struct grammar *grammar, hob_error *error)
{
    struct tabling tabling = {.builder = builder, .grammar = grammar, .error = error};
    hob_status status = HOB_OK;
    TRY_CLEANUP(call_graph_init(&tabling.graph, builder, error));
    TRY_CLEANUP(call_graph_check(&tabling.graph, root, error));
    TRY_CLEANUP(fill_tables(&tabling, root));
cleanup:
    call_graph_release(&tabling.graph);
    memory_free(tabling.is_end);
    memory_free(tabling.positions);
    memory_free(tabling.states);
    memory_free(tabling.slots);
    memory_free(tabling.marks);
    memory_free(tabling.closure);
    memory_free(tabling.moves);
    return status;
}

/* Before rules are written out, so that messages name the rules that were written. */
static hob_status check(const struct grammar_builder *builder, uint32_t root, hob_error *error)
{
    struct call_graph graph;
    TRY(call_graph_init(&graph, builder, error));
    hob_status status = call_graph_check(&graph, root, error);
    call_graph_release(&graph);
    return status;
}

hob_status grammar_new(struct grammar_builder *builder, uint32_t root, struct grammar **ret_grammar, hob_error *error)
{
    TRY(builder->status);
    TRY(check(builder, root, error));
    TRY(inline_rules(builder, root, error));
    struct grammar *grammar = memory_new(1, sizeof *grammar);
    if (!grammar) return out_of_memory(error);
    atomic_init(&grammar->n_refs, 1);
    hob_status status = make_tables(builder, root, grammar, error);
    if (status == HOB_OK) *ret_grammar = grammar;
    else grammar_unref(grammar);
    return status;
}

struct grammar *grammar_ref(struct grammar *grammar)
{
    atomic_fetch_add(&grammar->n_refs, 1);
    return grammar;
}

void grammar_unref(struct grammar *grammar)
{
    if (!grammar || atomic_fetch_sub(&grammar->n_refs, 1) != 1) return;
    memory_free(grammar->first_edge);
    memory_free(grammar->first_call);
    memory_free(grammar->edges);
    memory_free(grammar->calls);
    memory_free(grammar->flags);
    memory_free(grammar);
}
