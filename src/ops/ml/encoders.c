/* LabelEncoder, CategoryMapper, OneHotEncoder: each element looked up in a list of keys.
 *
 * LabelEncoder 1 maps between the texts of a list and their places, 2 between lists of texts, int64 and floats, 4 between tensors of more
 * types too; CategoryMapper is 2 with fixed types. Keys and values become tensors, whatever attribute they came from. */
#include "ops/lookup.h"
#include "ops/ml/rows.h"
#include "ops/moving.h"
#include "ops/numbers.h"

#include <stdio.h>
#include <string.h>

/* ---- keys of any type ---- */

static uint64_t number_key(const struct tensor *x, int64_t i)
{
    int64_t integer;
    double real;
    if (numbers_is_float(x->dtype)) {
        numbers_load_f64(x, i, 1, 1, &real);
        return lookup_real_key(real);
    }
    numbers_load_i64(x, i, 1, 1, &integer);
    return (uint64_t)integer;
}

static bool index_keys(struct arena *arena, const struct tensor *keys, struct lookup *ret_lookup)
{
    size_t n_keys = (size_t)tensor_n_items(keys);
    if (keys->dtype == DTYPE_STRING) return lookup_init_texts(ret_lookup, arena, keys->data, n_keys);
    uint64_t *numbers = ARENA_NEW(arena, uint64_t, n_keys);
    if (!numbers) return false;
    for (size_t i = 0; i < n_keys; i++) numbers[i] = number_key(keys, (int64_t)i);
    return lookup_init_numbers(ret_lookup, arena, numbers, n_keys);
}

/* The place of element i of a contiguous x among the keys; -1: not there. */
static int64_t find_element(const struct lookup *lookup, const struct tensor *x, int64_t i)
{
    if (x->dtype == DTYPE_STRING) return lookup_find_text(lookup, (const struct tensor_string *)x->data + i);
    return lookup_find_number(lookup, number_key(x, i));
}

/* ---- mappings ---- */

struct mapping {
    struct lookup lookup;
    enum dtype key_dtype;
    struct tensor values;   /* contiguous */
    struct tensor fallback; /* one element of the same type */
};

struct encoder_params {
    struct mapping mapping;
    struct mapping reverse; /* of LabelEncoder 1 and CategoryMapper, which go both ways */
    bool has_reverse;
};

static struct tensor list_tensor(enum dtype dtype, const void *items, size_t n_items)
{
    return (struct tensor){
        .data = (void *)(uintptr_t)items, .dtype = dtype, .rank = 1, .dims = {(int64_t)n_items}, .strides = {1}};
}

static const struct tensor_string unused = {"_Unused", 7};

/* What the schema says when no default is given. */
static struct tensor default_of(enum dtype dtype)
{
    static const float minus_zero = -0.0f;
    static const double minus_zero_f64 = -0.0;
    static const int64_t minus_one = -1; /* the first bytes are -1 in every narrower type too */
    const void *element = dtype == DTYPE_STRING ? (const void *)&unused
                          : dtype == DTYPE_F32  ? (const void *)&minus_zero
                          : dtype == DTYPE_F64  ? (const void *)&minus_zero_f64
                                                : (const void *)&minus_one;
    return list_tensor(dtype, element, 1);
}

static hob_status make_mapping(const struct op_prepare *node, const struct tensor *keys, const struct tensor *values,
                               const struct tensor *fallback, struct mapping *ret_mapping)
{
    if (tensor_n_items(keys) != tensor_n_items(values))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %lld keys and %lld values, expected as many of each",
             node->node_name, (long long)tensor_n_items(keys), (long long)tensor_n_items(values));
    *ret_mapping = (struct mapping){.key_dtype = keys->dtype, .values = *values, .fallback = *fallback};
    if (!index_keys(node->arena, keys, &ret_mapping->lookup))
        FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    return HOB_OK;
}

/* ---- LabelEncoder 2 and 4 ---- */

/* The one of PREFIX_floats, PREFIX_int64s, PREFIX_strings and PREFIX_tensor that is given. */
static hob_status find_list(const struct op_prepare *node, const char *prefix, struct tensor *ret_list)
{
    static const struct {
        const char *suffix;
        enum attribute_kind kind;
        enum dtype dtype;
    } kinds[] = {{"_floats", ATTRIBUTE_FLOATS, DTYPE_F32},
                 {"_int64s", ATTRIBUTE_INTS, DTYPE_I64},
                 {"_strings", ATTRIBUTE_STRINGS, DTYPE_STRING},
                 {"_tensor", ATTRIBUTE_TENSOR, DTYPE_NONE}};
    int n_found = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%s", prefix, kinds[i].suffix);
        const struct attribute *found = attributes_find(node->attributes, name);
        if (!found || found->kind != kinds[i].kind || !found->n_items) continue;
        n_found++;
        *ret_list = found->kind == ATTRIBUTE_TENSOR
                        ? list_tensor(found->tensor->dtype, found->tensor->data, (size_t)tensor_n_items(found->tensor))
                        : list_tensor(kinds[i].dtype, found->integers, found->n_items);
    }
    if (n_found != 1)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: found %d attributes %s_…, expected one", node->node_name, n_found,
             prefix);
    if (!op_types_have(TYPES_NUMBER | TYPE(BOOL) | TYPE(STRING), ret_list->dtype))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s_tensor: found %s, expected numbers or strings", node->node_name,
             prefix, dtype_name(ret_list->dtype));
    return HOB_OK;
}

/* default_float, default_int64, default_string, or one element of default_tensor, as fits the values. */
static hob_status find_default(const struct op_prepare *node, enum dtype dtype, struct tensor *ret_default)
{
    const char *name = dtype == DTYPE_F32 ? "default_float" : dtype == DTYPE_I64 ? "default_int64" : "default_string";
    const struct attribute *tensor = attributes_find(node->attributes, "default_tensor"),
                           *found = attributes_find(node->attributes, name);
    *ret_default = default_of(dtype);
    if (tensor && tensor->kind == ATTRIBUTE_TENSOR) {
        if (tensor->tensor->dtype != dtype || tensor_n_items(tensor->tensor) != 1)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: default_tensor: found %lld elements of %s, expected one of %s",
                 node->node_name, (long long)tensor_n_items(tensor->tensor), dtype_name(tensor->tensor->dtype),
                 dtype_name(dtype));
        *ret_default = list_tensor(dtype, tensor->tensor->data, 1);
    } else if (found && (dtype == DTYPE_F32 || dtype == DTYPE_I64 || dtype == DTYPE_STRING)) {
        const enum attribute_kind kind = dtype == DTYPE_F32   ? ATTRIBUTE_FLOAT
                                         : dtype == DTYPE_I64 ? ATTRIBUTE_INT
                                                              : ATTRIBUTE_STRING;
        if (found->kind != kind)
            FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: expected %s", node->node_name, name, attribute_kind_name(kind));
        *ret_default = list_tensor(dtype, &found->integer, 1);
    }
    return HOB_OK;
}

static hob_status prepare_label_encoder(const struct op_prepare *node, void **ret_params)
{
    struct encoder_params *params = ARENA_NEW(node->arena, struct encoder_params, 1);
    struct tensor keys = {0}, values = {0}, fallback;
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(find_list(node, "keys", &keys));
    TRY(find_list(node, "values", &values));
    TRY(find_default(node, values.dtype, &fallback));
    TRY(make_mapping(node, &keys, &values, &fallback, &params->mapping));
    *ret_params = params;
    return HOB_OK;
}

/* ---- both ways between texts and int64 ---- */

static hob_status make_both_ways(const struct op_prepare *node, const struct tensor *texts,
                                 const struct tensor *numbers, void **ret_params)
{
    struct encoder_params *params = ARENA_NEW(node->arena, struct encoder_params, 1);
    struct tensor default_text, default_number;
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    TRY(find_default(node, DTYPE_STRING, &default_text));
    TRY(find_default(node, DTYPE_I64, &default_number));
    TRY(make_mapping(node, texts, numbers, &default_number, &params->mapping));
    TRY(make_mapping(node, numbers, texts, &default_text, &params->reverse));
    params->has_reverse = true;
    *ret_params = params;
    return HOB_OK;
}

static hob_status read_texts(const struct op_prepare *node, const char *name, struct tensor *ret_texts)
{
    const struct attribute *found = attributes_find(node->attributes, name);
    if (!found || found->kind != ATTRIBUTE_STRINGS)
        FAIL(node->error, HOB_BAD_GRAPH, "%s: %s: missing, expected texts", node->node_name, name);
    *ret_texts = list_tensor(DTYPE_STRING, found->strings, found->n_items);
    return HOB_OK;
}

static hob_status prepare_label_encoder_1(const struct op_prepare *node, void **ret_params)
{
    struct tensor texts = {0};
    TRY(read_texts(node, "classes_strings", &texts));
    int64_t *places = ARENA_NEW(node->arena, int64_t, (size_t)texts.dims[0]);
    if (!places) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    for (int64_t i = 0; i < texts.dims[0]; i++) places[i] = i;
    struct tensor numbers = list_tensor(DTYPE_I64, places, (size_t)texts.dims[0]);
    return make_both_ways(node, &texts, &numbers, ret_params);
}

static hob_status prepare_category_mapper(const struct op_prepare *node, void **ret_params)
{
    struct tensor texts = {0};
    size_t n_numbers;
    const int64_t *items = attributes_ints(node->attributes, "cats_int64s", &n_numbers);
    struct tensor numbers = list_tensor(DTYPE_I64, items, n_numbers);
    TRY(read_texts(node, "cats_strings", &texts));
    return make_both_ways(node, &texts, &numbers, ret_params);
}

/* ---- infer and run of all mappings ---- */

static const struct mapping *mapping_for(const struct op_context *ctx)
{
    const struct encoder_params *params = ctx->params;
    return params->has_reverse && ctx->inputs[0]->dtype == params->reverse.key_dtype ? &params->reverse
                                                                                     : &params->mapping;
}

static hob_status infer_mapping(struct op_context *ctx)
{
    const struct mapping *mapping = mapping_for(ctx);
    TRY(op_check_dtype(ctx, 0, mapping->key_dtype));
    return op_set_output(ctx, 0, mapping->values.dtype, ctx->inputs[0]->rank, ctx->inputs[0]->dims);
}

static hob_status run_mapping(struct op_context *ctx)
{
    const struct mapping *mapping = mapping_for(ctx);
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    size_t item_bytes = dtype_block_bytes(out->dtype);
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        int64_t place = find_element(&mapping->lookup, x, i);
        const void *value = place < 0 ? mapping->fallback.data : moving_element_at(&mapping->values, place);
        moving_copy_element(moving_element_at(out, i), value, item_bytes);
    }
    return HOB_OK;
}

#define MAPPING_OP(symbol, Name, first_opset, last_opset, op_types, op_prepare) \
    const struct op_def op_ml_##symbol = {.name = Name,                         \
                                          .domain = "ai.onnx.ml",               \
                                          .since = first_opset,                 \
                                          .until = last_opset,                  \
                                          .min_inputs = 1,                      \
                                          .max_inputs = 1,                      \
                                          .min_outputs = 1,                     \
                                          .max_outputs = 1,                     \
                                          .types = op_types,                    \
                                          .prepare = op_prepare,                \
                                          .infer = infer_mapping,               \
                                          .run = run_mapping}
MAPPING_OP(category_mapper, "CategoryMapper", 1, 0, TYPE(STRING) | TYPE(I64), prepare_category_mapper);
MAPPING_OP(label_encoder, "LabelEncoder", 2, 0, TYPES_NUMBER | TYPE(BOOL) | TYPE(STRING), prepare_label_encoder);
MAPPING_OP(label_encoder_1, "LabelEncoder", 1, 1, TYPE(STRING) | TYPE(I64), prepare_label_encoder_1);

/* ---- OneHotEncoder ---- */

struct one_hot_params {
    struct lookup lookup;
    bool is_text, allows_unknown;
    int64_t n_categories;
};

static hob_status prepare_one_hot(const struct op_prepare *node, void **ret_params)
{
    struct one_hot_params *params = ARENA_NEW(node->arena, struct one_hot_params, 1);
    size_t n_numbers;
    const int64_t *numbers = attributes_ints(node->attributes, "cats_int64s", &n_numbers);
    const struct attribute *texts = attributes_find(node->attributes, "cats_strings");
    if (!params) FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->is_text = texts && texts->kind == ATTRIBUTE_STRINGS && texts->n_items;
    if (params->is_text == (n_numbers > 0))
        FAIL(node->error, HOB_BAD_GRAPH, "%s: expected one of cats_int64s and cats_strings", node->node_name);
    params->n_categories = (int64_t)(params->is_text ? texts->n_items : n_numbers);
    struct tensor keys = params->is_text ? list_tensor(DTYPE_STRING, texts->strings, texts->n_items)
                                         : list_tensor(DTYPE_I64, numbers, n_numbers);
    if (!index_keys(node->arena, &keys, &params->lookup))
        FAIL(node->error, HOB_NO_MEMORY, "%s: out of memory", node->node_name);
    params->allows_unknown = attributes_int(node->attributes, "zeros", 1) != 0;
    *ret_params = params;
    return HOB_OK;
}

static hob_status infer_one_hot(struct op_context *ctx)
{
    const struct one_hot_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0];
    int64_t dims[TENSOR_MAX_RANK + 1];
    if ((x->dtype == DTYPE_STRING) != params->is_text)
        OP_FAIL(ctx, HOB_BAD_TYPE, "input 0: found %s, expected %s as the categories are", dtype_name(x->dtype),
                params->is_text ? "string" : "numbers");
    memcpy(dims, x->dims, sizeof x->dims);
    dims[x->rank] = params->n_categories;
    return op_set_output(ctx, 0, DTYPE_F32, x->rank + 1, dims);
}

/* Toward zero, as the cast to int64 that the specification asks for; what does not fit is no category. */
static int64_t find_category(const struct one_hot_params *params, const struct tensor *x, int64_t i)
{
    double real;
    if (!numbers_is_float(x->dtype)) return find_element(&params->lookup, x, i);
    numbers_load_f64(x, i, 1, 1, &real);
    if (!(real > (double)INT64_MIN && real < -(double)INT64_MIN)) return -1;
    return lookup_find_number(&params->lookup, (uint64_t)(int64_t)real);
}

static hob_status run_one_hot(struct op_context *ctx)
{
    const struct one_hot_params *params = ctx->params;
    const struct tensor *x = ctx->inputs[0], *out = ctx->outputs[0];
    if (tensor_n_items(out)) memset(out->data, 0, tensor_n_bytes(out));
    for (int64_t i = 0; i < tensor_n_items(x); i++) {
        int64_t category = find_category(params, x, i);
        if (category >= 0) ((float *)out->data)[i * params->n_categories + category] = 1;
        else if (!params->allows_unknown)
            OP_FAIL(ctx, HOB_BAD_ARGUMENT, "element %lld: found no category for it (zeros is 0)", (long long)i);
    }
    return HOB_OK;
}

const struct op_def op_ml_one_hot_encoder = {.name = "OneHotEncoder",
                                             .domain = "ai.onnx.ml",
                                             .since = 1,
                                             .min_inputs = 1,
                                             .max_inputs = 1,
                                             .min_outputs = 1,
                                             .max_outputs = 1,
                                             .types = TYPES_ML_NUMBER | TYPE(STRING),
                                             .prepare = prepare_one_hot,
                                             .infer = infer_one_hot,
                                             .run = run_one_hot};
