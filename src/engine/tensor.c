#include "engine/tensor.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/onnx_tensor.h"
#include "tensor/npy.h"

#include <string.h>

static hob_status new_handle(hob_tensor **ret_tensor, hob_error *error)
{
    hob_tensor *tensor = memory_new(1, sizeof *tensor);
    if (!tensor) FAIL(error, HOB_NO_MEMORY, "a tensor: out of memory");
    arena_init(&tensor->arena, 0);
    *ret_tensor = tensor;
    return HOB_OK;
}

static hob_status allocate(hob_tensor *tensor, hob_error *error)
{
    size_t n_bytes = tensor_n_bytes(&tensor->tensor);
    tensor->tensor.data = arena_alloc(&tensor->arena, n_bytes ? n_bytes : 1, 64);
    if (!tensor->tensor.data) FAIL(error, HOB_NO_MEMORY, "a tensor of %zu bytes: out of memory", n_bytes);
    return HOB_OK;
}

hob_status hob_tensor_new(hob_type type, int rank, const int64_t *dims, const void *data, hob_tensor **ret_tensor, hob_error *error)
{
    hob_status status = HOB_OK;
    hob_tensor *tensor = NULL;
    if (!dtype_is_known((int)type) || type == HOB_STRING || dtype_block_items((enum dtype)type) != 1 || (int)type >= DTYPE_SEQUENCE)
        FAIL(error, HOB_BAD_TYPE, "found type %d, expected a number or bool", (int)type);
    TRY(new_handle(&tensor, error));
    TRY_CLEANUP(tensor_init(&tensor->tensor, (enum dtype)type, rank, dims, NULL, error));
    TRY_CLEANUP(allocate(tensor, error));
    size_t n_bytes = tensor_n_bytes(&tensor->tensor);
    if (data) memcpy(tensor->tensor.data, data, n_bytes);
    else memset(tensor->tensor.data, 0, n_bytes);
    *ret_tensor = tensor;
    tensor = NULL;
cleanup:
    hob_tensor_free(tensor);
    return status;
}

static hob_status copy_strings(struct arena *arena, struct tensor *copy, hob_error *error)
{
    struct tensor_string *strings = copy->data;
    for (int64_t i = 0; i < tensor_n_items(copy); i++) {
        strings[i].bytes = arena_copy_string(arena, strings[i].bytes, strings[i].n_bytes);
        if (!strings[i].bytes) FAIL(error, HOB_NO_MEMORY, "a tensor of strings: out of memory");
    }
    return HOB_OK;
}

/* Strings and members point into the source's memory: what they point to comes along. */
static hob_status copy_deep(struct arena *arena, const struct tensor *source, struct tensor *ret_copy, hob_error *error)
{
    if (source->layout != LAYOUT_STRIDED || dtype_block_items(source->dtype) > 1) FAIL(error, HOB_BAD_TYPE, "packed weights cannot be handed out");
    struct tensor copy = *source;
    size_t n_bytes = tensor_n_bytes(source);
    copy.is_view = false;
    tensor_set_contiguous(&copy);
    copy.data = arena_alloc(arena, n_bytes ? n_bytes : 1, 64);
    if (!copy.data) FAIL(error, HOB_NO_MEMORY, "a tensor of %zu bytes: out of memory", n_bytes);
    if (n_bytes) tensor_copy_contiguous(source, copy.data);
    if (copy.dtype == DTYPE_STRING) TRY(copy_strings(arena, &copy, error));
    struct tensor *members = copy.data;
    for (int64_t i = 0; copy.dtype == DTYPE_SEQUENCE && i < tensor_n_items(&copy); i++) {
        struct tensor member = members[i];
        TRY(copy_deep(arena, &member, &members[i], error));
    }
    *ret_copy = copy;
    return HOB_OK;
}

hob_status hob_tensor_from(const struct tensor *source, hob_tensor **ret_tensor, hob_error *error)
{
    hob_tensor *tensor = NULL;
    TRY(new_handle(&tensor, error));
    hob_status status = copy_deep(&tensor->arena, source, &tensor->tensor, error);
    if (status == HOB_OK) *ret_tensor = tensor;
    else hob_tensor_free(tensor);
    return status;
}

void hob_tensor_free(hob_tensor *tensor)
{
    if (!tensor) return;
    arena_release(&tensor->arena);
    memory_free(tensor);
}

static bool has_ending(const char *path, const char *ending)
{
    size_t n_path = strlen(path), n_ending = strlen(ending);
    return n_path >= n_ending && !strcmp(path + n_path - n_ending, ending);
}

static hob_status read_npy(const char *path, struct arena *arena, struct tensor *ret_tensor, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    hob_status status = npy_read(file.bytes, file.n_bytes, path, arena, ret_tensor, error);
    mapped_file_release(&file);
    return status;
}

hob_status tensor_read_as(const char *path, enum onnx_proto proto, hob_tensor **ret_tensor, hob_error *error)
{
    struct arena arena;
    struct tensor read;
    bool is_npy = has_ending(path, ".npy");
    if (!is_npy && !has_ending(path, ".pb")) FAIL(error, HOB_BAD_ARGUMENT, "%s: expected a name ending in .npy or .pb", path);
    arena_init(&arena, 0);
    hob_status status = is_npy ? read_npy(path, &arena, &read, error) : onnx_tensor_read(path, proto, &arena, &read, error);
    if (status == HOB_OK) status = hob_tensor_from(&read, ret_tensor, error);
    arena_release(&arena);
    return status;
}

hob_status hob_tensor_read(const char *path, hob_tensor **ret_tensor, hob_error *error)
{
    return tensor_read_as(path, ONNX_PROTO_ANY, ret_tensor, error);
}

hob_status hob_tensor_write(const hob_tensor *tensor, const char *path, hob_error *error)
{
    if (has_ending(path, ".npy")) return npy_write(path, &tensor->tensor, error);
    enum onnx_proto proto = tensor->is_optional ? ONNX_PROTO_OPTIONAL : ONNX_PROTO_ANY;
    if (has_ending(path, ".pb")) return onnx_tensor_write(path, NULL, proto, &tensor->tensor, error);
    FAIL(error, HOB_BAD_ARGUMENT, "%s: expected a name ending in .npy or .pb", path);
}

hob_type hob_tensor_type(const hob_tensor *tensor)
{
    return (hob_type)tensor->tensor.dtype;
}

const char *hob_tensor_type_name(const hob_tensor *tensor)
{
    return dtype_name(tensor->tensor.dtype);
}

int hob_tensor_rank(const hob_tensor *tensor)
{
    return tensor->tensor.rank;
}

const int64_t *hob_tensor_dims(const hob_tensor *tensor)
{
    return tensor->tensor.dims;
}

size_t hob_tensor_n_items(const hob_tensor *tensor)
{
    return (size_t)tensor_n_items(&tensor->tensor);
}

size_t hob_tensor_n_bytes(const hob_tensor *tensor)
{
    return tensor_n_bytes(&tensor->tensor);
}

const void *hob_tensor_data(const hob_tensor *tensor)
{
    return tensor->tensor.data;
}

const char *hob_tensor_string(const hob_tensor *tensor, size_t i, size_t *ret_n_bytes)
{
    if (tensor->tensor.dtype != DTYPE_STRING || i >= hob_tensor_n_items(tensor)) return NULL;
    const struct tensor_string *strings = tensor->tensor.data;
    if (ret_n_bytes) *ret_n_bytes = strings[i].n_bytes;
    return strings[i].bytes;
}
