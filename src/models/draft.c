/* Hyperparameters that all transformers share, and tensors with the shapes they must have. */
#include "models/draft.h"

#include "base/error.h"
#include "ops/numbers.h"
#include "quant/quant.h"

#include <inttypes.h>
#include <string.h>

static hob_status read_heads(struct draft *d, hob_error *error)
{
    const struct model_source *source = d->source;
    TRY(model_source_int(source, KEY_HEADS, KEY_REQUIRED, &d->n_heads, error));
    TRY(model_source_int(source, KEY_KV_HEADS, d->n_heads, &d->n_kv_heads, error));
    if (!model_source_has(source, KEY_HEAD_WIDTH) && d->width % d->n_heads)
        FAIL(error, HOB_BAD_FILE, "%s: found width %" PRId64 " and %" PRId64 " heads, expected a multiple",
             source->where, d->width, d->n_heads);
    TRY(model_source_int(source, KEY_HEAD_WIDTH, d->width / d->n_heads, &d->head_width, error));
    int64_t value_width;
    TRY(model_source_int(source, KEY_VALUE_WIDTH, d->head_width, &value_width, error));
    if (value_width != d->head_width)
        return model_source_refuse(source, KEY_VALUE_WIDTH, "the width of the keys", error);
    if (d->n_heads % d->n_kv_heads)
        FAIL(error, HOB_BAD_FILE, "%s: found %" PRId64 " heads and %" PRId64 " key/value heads, expected a multiple",
             source->where, d->n_heads, d->n_kv_heads);
    return HOB_OK;
}

/* GGUF files often leave the vocabulary's size to the embedding's shape. */
static int64_t count_embedding_rows(const struct model_source *source)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *table = model_source_tensor(source, TENSOR_TOKEN_EMBEDDING, PART_WEIGHT, 0, name);
    return table && table->rank == 2 ? table->dims[0] : KEY_REQUIRED;
}

hob_status draft_read_shape(struct draft *d, hob_error *error)
{
    const struct model_source *source = d->source;
    TRY(model_source_int(source, KEY_LAYERS, KEY_REQUIRED, &d->n_layers, error));
    TRY(model_source_int(source, KEY_WIDTH, KEY_REQUIRED, &d->width, error));
    TRY(model_source_int(source, KEY_CONTEXT, KEY_REQUIRED, &d->n_context, error));
    TRY(model_source_int(source, KEY_VOCAB, count_embedding_rows(source), &d->n_vocab, error));
    TRY(read_heads(d, error));
    struct model_info *info = d->info;
    info->n_layers = d->n_layers;
    info->width = d->width;
    info->n_context = d->n_context;
    info->n_vocab = d->n_vocab;
    info->n_heads = d->n_heads;
    info->n_kv_heads = d->n_kv_heads;
    info->head_width = d->head_width;
    return HOB_OK;
}

hob_status draft_read_ff_width(struct draft *d, int64_t fallback, hob_error *error)
{
    return model_source_int(d->source, KEY_FF_WIDTH, fallback, &d->ff_width, error);
}

hob_status draft_read_gelu(struct draft *d, const char *fallback, const char **ret_approximate, hob_error *error)
{
    static const char *const tanh_names[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh"};
    const char *activation;
    TRY(model_source_text(d->source, KEY_ACTIVATION, fallback, &activation, error));
    *ret_approximate = "none";
    if (!strcmp(activation, "gelu")) return HOB_OK;
    *ret_approximate = "tanh";
    for (size_t i = 0; i < sizeof tanh_names / sizeof tanh_names[0]; i++)
        if (!strcmp(activation, tanh_names[i])) return HOB_OK;
    return model_source_refuse(d->source, KEY_ACTIVATION, "gelu, gelu_new or gelu_pytorch_tanh", error);
}

/* ---- tensors ---- */

bool draft_has(const struct draft *d, enum tensor_role role, enum tensor_part part)
{
    char name[SOURCE_NAME_BYTES];
    return model_source_tensor(d->source, role, part, 0, name) != NULL;
}

static void fail_shape(struct draft *d, const char *name, const struct tensor *found, int rank, const int64_t *dims)
{
    char found_text[TENSOR_SHAPE_TEXT_BYTES], expected_text[TENSOR_SHAPE_TEXT_BYTES];
    tensor_shape_text(rank, dims, expected_text);
    if (!found)
        builder_fail(&d->builder, HOB_NOT_FOUND, "%s: %s: missing, expected %s", d->source->file->path, name,
                     expected_text);
    else
        builder_fail(&d->builder, HOB_BAD_SHAPE, "%s: %s: found %s, expected %s", d->source->file->path, name,
                     tensor_shape_text(found->rank, found->dims, found_text), expected_text);
}

static bool is_weight_type(enum dtype dtype)
{
    return numbers_is_float(dtype) || quant_find(dtype) != NULL;
}

static const struct tensor *find_tensor(struct draft *d, enum tensor_role role, enum tensor_part part, int64_t layer,
                                        int rank, const int64_t *dims, char name[SOURCE_NAME_BYTES])
{
    const struct tensor *tensor = model_source_tensor(d->source, role, part, layer, name);
    if (!tensor || !tensor_has_shape(tensor, rank, dims)) {
        fail_shape(d, name, tensor, rank, dims);
        return NULL;
    }
    if (!is_weight_type(tensor->dtype)) {
        builder_fail(&d->builder, HOB_BAD_TYPE, "%s: %s: found %s, expected floating point or quantised numbers",
                     d->source->file->path, name, dtype_name(tensor->dtype));
        return NULL;
    }
    return tensor;
}

static uint32_t add_as_f32(struct draft *d, const char *name, const struct tensor *tensor, float offset)
{
    struct tensor copy = *tensor;
    size_t n_items = (size_t)tensor_n_items(tensor);
    copy.dtype = DTYPE_F32;
    copy.data = arena_alloc(&d->builder.graph->arena, tensor_n_bytes(&copy), 64);
    if (!copy.data) {
        builder_fail(&d->builder, HOB_NO_MEMORY, "%s: %s: out of memory", d->source->file->path, name);
        return VALUE_NONE;
    }
    numbers_load_f32(tensor, 0, 1, n_items, copy.data);
    for (size_t i = 0; offset != 0 && i < n_items; i++) ((float *)copy.data)[i] += offset;
    return builder_constant(&d->builder, name, &copy);
}

uint32_t draft_weight(struct draft *d, enum tensor_role role, int64_t layer, int rank, const int64_t *dims)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *tensor = find_tensor(d, role, PART_WEIGHT, layer, rank, dims, name);
    if (!tensor) return VALUE_NONE;
    return tensor->dtype == DTYPE_F64 ? add_as_f32(d, name, tensor, 0) : builder_constant(&d->builder, name, tensor);
}

uint32_t draft_transposed(struct draft *d, enum tensor_role role, int64_t layer, int64_t n, int64_t k)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *tensor = find_tensor(d, role, PART_WEIGHT, layer, 2, (int64_t[]){k, n}, name);
    if (!tensor) return VALUE_NONE;
    struct tensor view = tensor_transpose(tensor, (int[]){1, 0});
    view.is_view = true; /* for operators that want contiguous inputs */
    return builder_constant(&d->builder, name, &view);
}

static uint32_t add_vector(struct draft *d, enum tensor_role role, enum tensor_part part, int64_t layer, int64_t n_items,
                           float offset)
{
    char name[SOURCE_NAME_BYTES];
    const struct tensor *tensor = find_tensor(d, role, part, layer, 1, &n_items, name);
    if (!tensor) return VALUE_NONE;
    if (tensor->dtype == DTYPE_F32 && offset == 0) return builder_constant(&d->builder, name, tensor);
    if (numbers_is_float(tensor->dtype)) return add_as_f32(d, name, tensor, offset);
    builder_fail(&d->builder, HOB_BAD_TYPE, "%s: %s: found %s, expected floating point numbers", d->source->file->path,
                 name, dtype_name(tensor->dtype));
    return VALUE_NONE;
}

uint32_t draft_vector(struct draft *d, enum tensor_role role, enum tensor_part part, int64_t layer, int64_t n_items)
{
    return add_vector(d, role, part, layer, n_items, 0);
}

uint32_t draft_offset_vector(struct draft *d, enum tensor_role role, int64_t layer, int64_t n_items, float offset)
{
    return add_vector(d, role, PART_WEIGHT, layer, n_items, offset);
}
