/* The nodes that transformers are made of. Reshapes, transposes and slices are views, they cost nothing at
 * run time. */
#include "models/draft.h"

#include "base/size.h"

#include <inttypes.h>
#include <string.h>

#define INPUTS(...) (const uint32_t[]){__VA_ARGS__}, (uint32_t)ARRAY_LENGTH(((const uint32_t[]){__VA_ARGS__}))
#define ATTRIBUTES(...) (const struct attribute[]){__VA_ARGS__}, ARRAY_LENGTH(((const struct attribute[]){__VA_ARGS__}))
#define NO_ATTRIBUTES NULL, 0

uint32_t draft_input(struct draft *d, const char *name, const char *dim_name)
{
    return builder_input(&d->builder, name, DTYPE_I64, 1, (const int64_t[]){DIM_UNKNOWN}, &dim_name);
}

/* A cache of halves is half as much to keep and to read; full floats would add nothing to what rounded weights gave. */
static enum dtype find_cache_dtype(const struct draft *d)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *weight = model_source_tensor(d->source, TENSOR_ATTENTION_OUTPUT, PART_WEIGHT, 0, name);
    bool is_full = !weight || weight->dtype == DTYPE_F32 || weight->dtype == DTYPE_F64;
    return is_full ? DTYPE_F32 : DTYPE_F16;
}

void draft_begin(struct draft *d)
{
    struct builder *b = &d->builder;
    d->cache_dtype = find_cache_dtype(d);
    d->ids = draft_input(d, "ids", "T");
    d->positions = draft_input(d, "positions", "T");
    if (d->info->kind == MODEL_ENCODER || d->info->kind == MODEL_CLASSIFIER) d->segments = draft_input(d, "segments", "n+1");
    /* 0 keeps the number of positions. */
    d->query_shape = builder_ints(b, (const int64_t[]){0, d->n_heads, d->head_width}, 3);
    d->key_shape = builder_ints(b, (const int64_t[]){0, d->n_kv_heads, d->head_width}, 3);
    d->merged_shape = builder_ints(b, (const int64_t[]){-1, d->n_heads * d->head_width}, 2);
    d->first_axis = builder_ints(b, (const int64_t[]){0}, 1);
}

/* ---- tables and matrices ---- */

uint32_t draft_gather(struct draft *d, uint32_t table, uint32_t ids)
{
    return builder_op(&d->builder, "hob.Embedding", INPUTS(table, ids), NO_ATTRIBUTES);
}

uint32_t draft_embed(struct draft *d, enum tensor_role role, int64_t n_rows, uint32_t ids)
{
    return draft_gather(d, draft_weight(d, role, 0, 2, (const int64_t[]){n_rows, d->width}), ids);
}

uint32_t draft_linear(struct draft *d, const struct linear *linear, uint32_t x)
{
    uint32_t w = linear->is_input_first
                     ? draft_transposed(d, linear->role, linear->layer, linear->n, linear->k)
                     : draft_weight(d, linear->role, linear->layer, 2, (const int64_t[]){linear->n, linear->k});
    if (!linear->has_bias) return builder_op(&d->builder, "hob.Linear", INPUTS(x, w), NO_ATTRIBUTES);
    uint32_t bias = draft_vector(d, linear->role, PART_BIAS, linear->layer, linear->n);
    return builder_op(&d->builder, "hob.Linear", INPUTS(x, w, bias), NO_ATTRIBUTES);
}

/* ---- element by element ---- */

uint32_t draft_norm(struct draft *d, const struct norm *norm, uint32_t x)
{
    struct attribute epsilon = attribute_float("epsilon", norm->epsilon);
    int64_t width = norm->width ? norm->width : d->width;
    uint32_t weight = draft_offset_vector(d, norm->role, norm->layer, width, norm->is_zero_centred ? 1 : 0);
    if (norm->kind == NORM_RMS) return builder_op(&d->builder, "hob.RMSNorm", INPUTS(x, weight), &epsilon, 1);
    if (norm->lacks_bias) return builder_op(&d->builder, "LayerNormalization", INPUTS(x, weight), &epsilon, 1);
    uint32_t bias = draft_vector(d, norm->role, PART_BIAS, norm->layer, width);
    return builder_op(&d->builder, "LayerNormalization", INPUTS(x, weight, bias), &epsilon, 1);
}

uint32_t draft_add(struct draft *d, uint32_t a, uint32_t b)
{
    return builder_op(&d->builder, "Add", INPUTS(a, b), NO_ATTRIBUTES);
}

uint32_t draft_gelu(struct draft *d, const char *approximate, uint32_t x)
{
    return builder_op(&d->builder, "hob.Gelu", INPUTS(x), ATTRIBUTES(attribute_string("approximate", approximate)));
}

uint32_t draft_scale(struct draft *d, uint32_t x, float factor)
{
    return builder_op(&d->builder, "Mul", INPUTS(x, builder_float(&d->builder, factor)), NO_ATTRIBUTES);
}

uint32_t draft_softcap(struct draft *d, uint32_t x, float cap)
{
    x = builder_op(&d->builder, "Div", INPUTS(x, builder_float(&d->builder, cap)), NO_ATTRIBUTES);
    return draft_scale(d, builder_op(&d->builder, "Tanh", INPUTS(x), NO_ATTRIBUTES), cap);
}

void draft_split(struct draft *d, uint32_t x, const int64_t *sizes, uint32_t n_parts, uint32_t *ret_parts)
{
    uint32_t inputs[] = {x, builder_ints(&d->builder, sizes, n_parts)};
    struct attribute last_axis = attribute_int("axis", -1);
    builder_op_n(&d->builder, "Split", inputs, 2, &last_axis, 1, n_parts, ret_parts);
}

/* ---- attention ---- */

uint32_t draft_split_heads(struct draft *d, uint32_t x, bool is_query)
{
    uint32_t shape = is_query ? d->query_shape : d->key_shape;
    return builder_op(&d->builder, "Reshape", INPUTS(x, shape), NO_ATTRIBUTES);
}

/* [T,H,K] → [1,H,T,K] */
static uint32_t heads_first(struct draft *d, uint32_t x)
{
    struct builder *b = &d->builder;
    x = builder_op(b, "Transpose", INPUTS(x), ATTRIBUTES(attribute_ints("perm", (const int64_t[]){1, 0, 2}, 3)));
    return builder_op(b, "Unsqueeze", INPUTS(x, d->first_axis), NO_ATTRIBUTES);
}

/* [1,H,T,K] → [T,H*K] */
static uint32_t merge_heads(struct draft *d, uint32_t x)
{
    struct builder *b = &d->builder;
    x = builder_op(b, "Transpose", INPUTS(x), ATTRIBUTES(attribute_ints("perm", (const int64_t[]){0, 2, 1, 3}, 4)));
    return builder_op(b, "Reshape", INPUTS(x, d->merged_shape), NO_ATTRIBUTES);
}

bool draft_is_embedder(const struct draft *d)
{
    return d->source->def->kind == MODEL_DECODER && d->info->kind != MODEL_DECODER;
}

/* x [1,Hkv,T,K]: as attention reads it, so that the session may keep it in blocks. An embedder runs a text once and keeps nothing. */
static uint32_t cache(struct draft *d, const char *what, int64_t layer, uint32_t x)
{
    if (draft_is_embedder(d)) return x;
    char name[SOURCE_NAME_BYTES];
    snprintf(name, sizeof name, "cache.%" PRId64 ".%s", layer, what);
    return builder_cache(&d->builder, name, x, d->cache_dtype, 4,
                         (const int64_t[]){1, d->n_kv_heads, DIM_UNKNOWN, d->head_width}, 2);
}

uint32_t draft_cached_attention(struct draft *d, const struct cached_attention *attention, uint32_t q, uint32_t k, uint32_t v)
{
    q = heads_first(d, q);
    k = cache(d, "key", attention->layer, heads_first(d, k));
    v = cache(d, "value", attention->layer, heads_first(d, v));
    struct attribute attributes[4] = {attribute_int("is_causal", 1)};
    size_t n_attributes = 1;
    if (attention->scale != 0) attributes[n_attributes++] = attribute_float("scale", attention->scale);
    if (attention->softcap != 0) attributes[n_attributes++] = attribute_float("softcap", attention->softcap);
    if (attention->left_window) attributes[n_attributes++] = attribute_int("left_window", attention->left_window);
    uint32_t inputs[] = {q, k, v, VALUE_NONE, d->segments};
    uint32_t n_inputs = draft_is_embedder(d) ? 5 : 3;
    return merge_heads(d, builder_op(&d->builder, "hob.Attention", inputs, n_inputs, attributes, n_attributes));
}

uint32_t draft_packed_attention(struct draft *d, const struct packed_attention *attention, uint32_t q, uint32_t k,
                                uint32_t v)
{
    int64_t window = attention->half_window ? attention->half_window + 1 : 0;
    struct attribute windows[] = {attribute_int("left_window", window), attribute_int("right_window", window)};
    uint32_t inputs[] = {heads_first(d, q), heads_first(d, k),   heads_first(d, v),
                         VALUE_NONE,        d->segments,         attention->distance_bias};
    uint32_t n_inputs = attention->distance_bias == VALUE_NONE ? 5 : 6;
    return merge_heads(d, builder_op(&d->builder, "hob.Attention", inputs, n_inputs, windows, window ? 2 : 0));
}
