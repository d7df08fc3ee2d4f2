/* TfIdfVectorizer: counts the n-grams of a pool in each row of numbers or strings.
 *
 * Tokens become numbers (their places in the pool), and the pool a trie: level l has a lookup of (node of level l-1, token) pairs.
 * A node is named by the last n-gram that passes through it, so that the levels need no more memory than the pool. */
#include "ops/lookup.h"
#include "ops/numbers.h"
#include "ops/text/string_items.h"

#include <string.h>

enum weighting { WEIGHTING_TF, WEIGHTING_IDF, WEIGHTING_TFIDF };

struct gram_level {
    struct lookup edges; /* of the pairs of the n-grams that are this long or longer; a place is a node */
    int64_t *ending;     /* by node: the n-gram that ends there; -1: none */
};

struct tf_idf_params {
    enum weighting weighting;
    bool is_text;
    struct lookup tokens;
    int64_t min_length, max_length, max_skip;
    size_t n_levels, n_grams;
    struct gram_level *levels;
    const int64_t *indexes; /* by n-gram: where it counts */
    const float *weights;   /* by n-gram; NULL: 1 */
    int64_t n_outputs;
};

static uint64_t edge(int64_t node, int64_t token)
{
    return (uint64_t)node << 32 | (uint64_t)token;
}

/* ---- prepare ---- */

/* The pool, cut into n-grams: gram g has length lengths[g] and begins at starts[g]. */
struct pool {
    size_t n_items, n_grams;
    int64_t *tokens;
    size_t *starts;
    int64_t *lengths;
};

static hob_status read_weighting(const struct op_prepare *node, enum weighting *ret_weighting)
{
    static const char *const names[] = {"TF", "IDF", "TFIDF"};
    const char *mode = attributes_string(node->attributes, "mode", "");
    for (int i = 0; i < 3; i++) {
        if (strcmp(mode, names[i])) continue;
        *ret_weighting = (enum weighting)i;
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH, "%s: mode: found \"%s\", expected TF, IDF or TFIDF", node->node_name, mode);
}

static hob_status read_lengths(const struct op_prepare *node, struct tf_idf_params *params)
{
    params->min_length = attributes_int(node->attributes, "min_gram_length", 0);
    params->max_length = attributes_int(node->attributes, "max_gram_length", 0);
    params->max_skip = attributes_int(node->attributes, "max_skip_count", 0);
    if (params->min_length < 1 || params->max_length < params->min_length || params->max_skip < 0)
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found n-grams of lengths %lld to %lld with %lld skips, expected 1 or more and no less than 0",
             node->node_name, (long long)params->min_length, (long long)params->max_length,
             (long long)params->max_skip);
    return HOB_OK;
}

/* Equal tokens get equal numbers: the place of the last of them. */
static hob_status read_tokens(const struct op_prepare *node, struct tf_idf_params *params, struct pool *pool)
{
    const struct attribute *texts = attributes_find(node->attributes, "pool_strings");
    const int64_t *numbers = attributes_ints(node->attributes, "pool_int64s", &pool->n_items);
    params->is_text = texts && texts->kind == ATTRIBUTE_STRINGS && texts->n_items;
    if (params->is_text == (pool->n_items > 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: expected one of pool_strings and pool_int64s", node->node_name);
    if (params->is_text) pool->n_items = texts->n_items;
    if (pool->n_items > INT32_MAX)
        FAIL(node->error, HOB_LIMIT, "%s: found a pool of %zu tokens, too many", node->node_name, pool->n_items);
    pool->tokens = ARENA_NEW(node->arena, int64_t, pool->n_items);
    bool is_made = params->is_text
                       ? lookup_init_texts(&params->tokens, node->arena, texts->strings, pool->n_items)
                       : lookup_init_numbers(&params->tokens, node->arena, (const uint64_t *)numbers, pool->n_items);
    if (!pool->tokens || !is_made) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < pool->n_items; i++)
        pool->tokens[i] = params->is_text ? lookup_find_text(&params->tokens, &texts->strings[i])
                                          : lookup_find_number(&params->tokens, (uint64_t)numbers[i]);
    return HOB_OK;
}

static hob_status cut_pool(const struct op_prepare *node, struct tf_idf_params *params, struct pool *pool)
{
    size_t n_counts;
    const int64_t *counts = attributes_ints(node->attributes, "ngram_counts", &n_counts);
    pool->starts = ARENA_NEW(node->arena, size_t, pool->n_items);
    pool->lengths = ARENA_NEW(node->arena, int64_t, pool->n_items);
    if (!pool->starts || !pool->lengths) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (size_t i = 0; i < n_counts; i++) {
        int64_t begin = counts[i], end = i + 1 < n_counts ? counts[i + 1] : (int64_t)pool->n_items,
                length = (int64_t)i + 1;
        if (begin < 0 || end < begin || end > (int64_t)pool->n_items || (end - begin) % length)
            FAIL(node->error, HOB_BAD_GRAPH,
                 "%s: ngram_counts: found %lld to %lld for the n-grams of %lld tokens in a pool of %zu",
                 node->node_name, (long long)begin, (long long)end, (long long)length, pool->n_items);
        for (; begin < end; begin += length) {
            pool->starts[pool->n_grams] = (size_t)begin;
            pool->lengths[pool->n_grams++] = length;
        }
    }
    params->n_levels = (int64_t)n_counts < params->max_length ? n_counts : (size_t)params->max_length;
    params->n_grams = pool->n_grams;
    return HOB_OK;
}

static hob_status read_outputs(const struct op_prepare *node, struct tf_idf_params *params)
{
    size_t n_indexes, n_weights;
    params->indexes = attributes_ints(node->attributes, "ngram_indexes", &n_indexes);
    params->weights = attributes_floats(node->attributes, "weights", &n_weights);
    if (n_indexes != params->n_grams || (n_weights && n_weights != n_indexes))
        FAIL(node->error, HOB_BAD_GRAPH,
             "%s: found %zu ngram_indexes and %zu weights for %zu n-grams, expected as many of each", node->node_name,
             n_indexes, n_weights, params->n_grams);
    if (!n_weights) params->weights = NULL;
    for (size_t g = 0; g < n_indexes; g++) {
        if (params->indexes[g] < 0 || params->indexes[g] > INT32_MAX)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: ngram_indexes: found %lld, expected 0 to %d", node->node_name,
                 (long long)params->indexes[g], INT32_MAX);
        if (params->indexes[g] >= params->n_outputs) params->n_outputs = params->indexes[g] + 1;
    }
    return HOB_OK;
}

/* nodes[g]: the node that gram g has reached on the level before. The pool goes from short to long, so the n-grams from `first` on
 * are those that reach this deep, and all levels together cost no more than the pool has tokens. */
static bool make_level(struct arena *arena, const struct pool *pool, size_t first, int64_t depth, int64_t *nodes,
                       struct gram_level *ret_level)
{
    size_t n_keys = pool->n_grams - first;
    const size_t *starts = pool->starts + first;
    uint64_t *keys = ARENA_NEW(arena, uint64_t, n_keys);
    ret_level->ending = ARENA_NEW(arena, int64_t, n_keys);
    if (!keys || !ret_level->ending) return false;
    for (size_t i = 0; i < n_keys; i++) keys[i] = edge(nodes[first + i], pool->tokens[starts[i] + (size_t)depth - 1]);
    if (!lookup_init_numbers(&ret_level->edges, arena, keys, n_keys)) return false;
    for (size_t i = 0; i < n_keys; i++) ret_level->ending[i] = -1;
    for (size_t i = 0; i < n_keys; i++) {
        int64_t at = nodes[first + i] = lookup_find_number(&ret_level->edges, keys[i]);
        if (pool->lengths[first + i] == depth) ret_level->ending[at] = (int64_t)(first + i);
    }
    return true;
}

static hob_status make_levels(const struct op_prepare *node, struct tf_idf_params *params, const struct pool *pool)
{
    int64_t *nodes = ARENA_NEW(node->arena, int64_t, pool->n_grams);
    params->levels = ARENA_NEW(node->arena, struct gram_level, params->n_levels);
    bool is_made = nodes && params->levels;
    for (size_t l = 0, first = 0; is_made && l < params->n_levels; l++) {
        while (first < pool->n_grams && pool->lengths[first] <= (int64_t)l) first++;
        is_made = make_level(node->arena, pool, first, (int64_t)l + 1, nodes, &params->levels[l]);
    }
    if (!is_made) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    return HOB_OK;
}

static hob_status prepare(const struct op_prepare *node, void **ret_params)
{
    struct tf_idf_params *params = ARENA_NEW(node->arena, struct tf_idf_params, 1);
    struct pool pool = {0};
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(read_weighting(node, &params->weighting));
    TRY(read_lengths(node, params));
    TRY(read_tokens(node, params, &pool));
    TRY(cut_pool(node, params, &pool));
    TRY(read_outputs(node, params));
    TRY(make_levels(node, params, &pool));
    *ret_params = params;
    return HOB_OK;
}

/* ---- infer and run ---- */

static hob_status infer(struct op_context *ctx)
{
    const struct tf_idf_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    if ((x->dtype == DTYPE_STRING) != params->is_text)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected %s as the pool holds", dtype_name(x->dtype),
                params->is_text ? "string" : "int32 or int64");
    if (x->rank > 2) OP_FAIL(ctx, HOB_BAD_SHAPE, "input 0: found shape %s, expected [C] or [N,C]", OP_SHAPE(x));
    const int64_t dims[] = {x->rank == 2 ? x->dims[0] : params->n_outputs, params->n_outputs};
    return op_set_output(ctx, 0, DTYPE_F32, x->rank == 2 ? 2 : 1, dims);
}

/* Every element's token; -1: not in the pool. */
static hob_status load_tokens(struct op_context *ctx, int64_t **ret_tokens)
{
    const struct tf_idf_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t n_items = tensor_n_items(x), *tokens = ARENA_NEW(ctx->scratch, int64_t, (size_t)n_items), number;
    const struct tensor_string *texts = NULL;
    if (!tokens) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    if (params->is_text) TRY(string_items_load(ctx, x, &texts));
    for (int64_t i = 0; i < n_items; i++) {
        if (texts) {
            tokens[i] = lookup_find_text(&params->tokens, &texts[i]);
            continue;
        }
        numbers_load_i64(x, i, 1, 1, &number);
        tokens[i] = lookup_find_number(&params->tokens, (uint64_t)number);
    }
    *ret_tokens = tokens;
    return HOB_OK;
}

/* Counts the n-grams of at least min_length that begin at `at`, their tokens `distance` apart. */
static void count_from(const struct tf_idf_params *params, const int64_t *row, int64_t n_row, int64_t at,
                       int64_t distance, int64_t min_length, int64_t *counts)
{
    int64_t reached = 0;
    for (size_t l = 0; l < params->n_levels; l++) {
        const struct gram_level *level = &params->levels[l];
        if (row[at] < 0) return;
        reached = lookup_find_number(&level->edges, edge(reached, row[at]));
        if (reached < 0) return;
        if ((int64_t)l + 1 >= min_length && level->ending[reached] >= 0) counts[level->ending[reached]]++;
        if (distance >= n_row - at) return;
        at += distance;
    }
}

/* Single tokens are counted once, not once more for each distance. */
static void count_row(const struct tf_idf_params *params, const int64_t *row, int64_t n_row, int64_t *counts)
{
    int64_t min_length = params->min_length;
    for (int64_t skip = 0; skip <= params->max_skip && skip < n_row && min_length <= params->max_length; skip++) {
        for (int64_t at = 0; at < n_row; at++) count_from(params, row, n_row, at, skip + 1, min_length, counts);
        if (min_length == 1) min_length = 2;
    }
}

static void write_row(const struct tf_idf_params *params, const int64_t *counts, float *out)
{
    memset(out, 0, (size_t)params->n_outputs * sizeof *out);
    for (size_t g = 0; g < params->n_grams; g++) {
        if (!counts[g]) continue;
        float weight = params->weights && params->weighting != WEIGHTING_TF ? params->weights[g] : 1;
        out[params->indexes[g]] += params->weighting == WEIGHTING_IDF ? weight : weight * (float)counts[g];
    }
}

static hob_status run(struct op_context *ctx)
{
    const struct tf_idf_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t n_rows = x->rank == 2 ? x->dims[0] : 1, n_row = x->rank ? x->dims[x->rank - 1] : 1;
    int64_t *tokens, *counts = ARENA_NEW(ctx->scratch, int64_t, params->n_grams);
    float *out = ctx->outputs[0]->data;
    if (!counts) OP_FAIL(ctx, HOB_NO_MEMORY, "out of memory");
    TRY(load_tokens(ctx, &tokens));
    for (int64_t row = 0; row < n_rows; row++, out += params->n_outputs, tokens += n_row) {
        if (params->n_grams) memset(counts, 0, params->n_grams * sizeof *counts);
        count_row(params, tokens, n_row, counts);
        if (params->n_outputs) write_row(params, counts, out);
    }
    return HOB_OK;
}

const struct op_def op_tf_idf_vectorizer = {.name = "TfIdfVectorizer",
                                            .domain = "",
                                            .since = 9,
                                            .min_inputs = 1,
                                            .max_inputs = 1,
                                            .min_outputs = 1,
                                            .max_outputs = 1,
                                            .types = TYPE(STRING) | TYPE(I32) | TYPE(I64),
                                            .prepare = prepare,
                                            .infer = infer,
                                            .run = run};
