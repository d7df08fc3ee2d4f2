/* The product of two automata: a state for each pair that can be reached. */
#include "grammar/regular.h"
#include "base/memory.h"
#include "base/string_map.h"

struct pair {
    uint32_t left, right;
};

struct product {
    struct grammar_builder *builder;
    struct string_map states; /* of pairs */
    struct pair *pairs;       /* in the arena, and therefore never moved */
    uint32_t *pair_states;
    size_t n_pairs, n_reserved;
};

static void keep_pair(struct product *product, struct pair pair, uint32_t state)
{
    if (product->n_pairs == product->n_reserved) {
        size_t n_wanted = product->n_reserved ? product->n_reserved * 2 : 256;
        struct pair *pairs = memory_resize(product->pairs, n_wanted, sizeof *pairs);
        if (pairs) product->pairs = pairs;
        uint32_t *states = memory_resize(product->pair_states, n_wanted, sizeof *states);
        if (states) product->pair_states = states;
        if (!pairs || !states)
            grammar_builder_fail(product->builder, HOB_NO_MEMORY, "grammar: no memory for a pattern");
        if (!pairs || !states) return;
        product->n_reserved = n_wanted;
    }
    product->pairs[product->n_pairs] = pair;
    product->pair_states[product->n_pairs++] = state;
}

static uint32_t state_of(struct product *product, uint32_t left, uint32_t right)
{
    struct grammar_builder *builder = product->builder;
    struct pair pair = {left, right};
    uint64_t known;
    if (string_map_get(&product->states, &pair, sizeof pair, &known)) return (uint32_t)known;
    uint32_t state = grammar_builder_state(builder);
    const struct pair *key = arena_copy(&builder->arena, &pair, sizeof pair, _Alignof(struct pair));
    if (!key || !string_map_put(&product->states, key, sizeof *key, state))
        grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory for a pattern");
    else keep_pair(product, pair, state);
    return state;
}

static void join_bytes(struct product *product, uint32_t from, uint32_t left_move, uint32_t right)
{
    struct grammar_builder *builder = product->builder;
    struct builder_move left = builder->moves[left_move];
    for (uint32_t m = builder->first_moves[right]; m != BUILDER_NONE; m = builder->moves[m].next) {
        struct builder_move move = builder->moves[m];
        unsigned low = left.low > move.low ? left.low : move.low, high = left.high < move.high ? left.high : move.high;
        if (move.kind != MOVE_BYTES || low > high) continue;
        grammar_builder_bytes(builder, from, low, high, state_of(product, left.target, move.target));
    }
}

static void join(struct product *product, struct pair pair, uint32_t from)
{
    struct grammar_builder *builder = product->builder;
    for (uint32_t m = builder->first_moves[pair.left]; m != BUILDER_NONE; m = builder->moves[m].next) {
        if (builder->moves[m].kind == MOVE_BYTES) join_bytes(product, from, m, pair.right);
        else grammar_builder_skip(builder, from, state_of(product, builder->moves[m].target, pair.right));
    }
    for (uint32_t m = builder->first_moves[pair.right]; m != BUILDER_NONE; m = builder->moves[m].next)
        if (builder->moves[m].kind == MOVE_SKIP)
            grammar_builder_skip(builder, from, state_of(product, pair.left, builder->moves[m].target));
}

struct fragment regular_intersect(struct grammar_builder *builder, struct fragment left, struct fragment right)
{
    struct product product = {.builder = builder};
    struct fragment both = {.from = state_of(&product, left.from, right.from)};
    both.to = state_of(&product, left.to, right.to);
    for (size_t i = 0; i < product.n_pairs && builder->status == HOB_OK; i++)
        join(&product, product.pairs[i], product.pair_states[i]);
    string_map_release(&product.states);
    memory_free(product.pairs);
    memory_free(product.pair_states);
    return both;
}

bool regular_is_empty(struct grammar_builder *builder, struct fragment fragment)
{
    size_t n = 0;
    uint32_t *queue = memory_new(builder->n_states, sizeof *queue);
    bool *is_seen = memory_new(builder->n_states, sizeof *is_seen);
    bool is_found = false;
    if (!queue || !is_seen) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory for a pattern");
    else is_seen[queue[n++] = fragment.from] = true;
    for (size_t i = 0; i < n && !is_found; i++) {
        is_found = queue[i] == fragment.to;
        for (uint32_t m = builder->first_moves[queue[i]]; m != BUILDER_NONE; m = builder->moves[m].next) {
            uint32_t target = builder->moves[m].target;
            if (is_seen[target]) continue;
            is_seen[target] = true;
            queue[n++] = target;
        }
    }
    memory_free(queue);
    memory_free(is_seen);
    return !is_found;
}
