/* The header names every tensor's place; together the places must cover the data exactly, without overlap or hole, as the
 * specification demands: so two tools never see two different files in the same bytes. */
#include "formats/safetensors.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "formats/byte_cursor.h"
#include "formats/formats.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX_BYTES = 100 * 1000 * 1000, SHOWN_NAME_BYTES = 80 }; /* the reference implementation's limit */

static const char METADATA_KEY[] = "__metadata__";
static const char INDEX_ENDING[] = ".safetensors.index.json";
static const char FILE_ENDING[] = ".safetensors";

static const struct {
    const char *name;
    enum dtype dtype;
} dtypes[] = {
    {"F64", DTYPE_F64},   {"F32", DTYPE_F32},          {"F16", DTYPE_F16},        {"BF16", DTYPE_BF16},
    {"I64", DTYPE_I64},   {"I32", DTYPE_I32},          {"I16", DTYPE_I16},        {"I8", DTYPE_I8},
    {"U64", DTYPE_U64},   {"U32", DTYPE_U32},          {"U16", DTYPE_U16},        {"U8", DTYPE_U8},
    {"BOOL", DTYPE_BOOL}, {"F8_E4M3", DTYPE_F8E4M3FN}, {"F8_E5M2", DTYPE_F8E5M2}, {"C64", DTYPE_C64},
};

/* One mapped file on its way into a tensor_file. */
struct shard {
    struct tensor_file *file;
    const char *path;
    const json_t *header;
    const unsigned char *data;
    uint64_t n_data_bytes;
    hob_error *error;
};

/* Where a tensor's bytes lie. */
struct place {
    const char *name;
    uint64_t begin, end;
};

#define TENSOR_FAIL(shard, code, name, format, ...) \
    FAIL((shard)->error, (code), "%s: tensor %.*s: " format, (shard)->path, SHOWN_NAME_BYTES, (name), ##__VA_ARGS__)

/* ---- one tensor ---- */

static hob_status read_dtype(const struct shard *shard, const char *name, const json_t *entry, enum dtype *ret_dtype)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    for (size_t i = 0; text && i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(text, dtypes[i].name)) continue;
        *ret_dtype = dtypes[i].dtype;
        return HOB_OK;
    }
    TENSOR_FAIL(shard, HOB_BAD_TYPE, name,
                "dtype: found '%.20s', expected F32, F16, BF16, I64 or another of safetensors' types",
                text ? text : "no text");
}

static hob_status read_shape(const struct shard *shard, const char *name, const json_t *entry, int *ret_rank,
                             int64_t *ret_dims)
{
    const json_t *shape = json_object_get(entry, "shape");
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape)) TENSOR_FAIL(shard, HOB_BAD_FILE, name, "shape: expected a list of numbers");
    if (rank > TENSOR_MAX_RANK)
        TENSOR_FAIL(shard, HOB_LIMIT, name, "shape: found rank %zu, expected at most %d", rank, TENSOR_MAX_RANK);
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            TENSOR_FAIL(shard, HOB_BAD_SHAPE, name, "dim %zu of the shape: expected a whole number, 0 or more", i);
        ret_dims[i] = json_integer_value(dim);
    }
    *ret_rank = (int)rank;
    return HOB_OK;
}

static hob_status read_place(const struct shard *shard, const char *name, const json_t *entry, struct place *ret_place)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        TENSOR_FAIL(shard, HOB_BAD_FILE, name, "data_offsets: expected two whole numbers");
    json_int_t first = json_integer_value(begin), last = json_integer_value(end);
    if (first < 0 || last < first || (uint64_t)last > shard->n_data_bytes)
        TENSOR_FAIL(shard, HOB_BAD_FILE, name,
                    "data_offsets: found %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
                    ", expected a range inside the file's %" PRIu64 " bytes of data",
                    first, last, shard->n_data_bytes);
    *ret_place = (struct place){name, (uint64_t)first, (uint64_t)last};
    return HOB_OK;
}

static hob_status add_tensor(const struct shard *shard, const char *name, const json_t *entry, struct place *ret_place)
{
    enum dtype dtype;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    struct tensor tensor;
    if (!json_is_object(entry))
        TENSOR_FAIL(shard, HOB_BAD_FILE, name, "expected an object with dtype, shape and data_offsets");
    TRY(read_dtype(shard, name, entry, &dtype));
    TRY(read_shape(shard, name, entry, &rank, dims));
    TRY(read_place(shard, name, entry, ret_place));
    void *data = (void *)(uintptr_t)(shard->data + ret_place->begin);
    hob_status status = tensor_init(&tensor, dtype, rank, dims, data, shard->error);
    if (status != HOB_OK)
        return error_prefix(shard->error, status, "%s: tensor %.*s", shard->path, SHOWN_NAME_BYTES, name);
    if (tensor_n_bytes(&tensor) != ret_place->end - ret_place->begin)
        TENSOR_FAIL(shard, HOB_BAD_SHAPE, name, "found %" PRIu64 " bytes, expected the %zu of its shape and dtype",
                    ret_place->end - ret_place->begin, tensor_n_bytes(&tensor));
    status = tensor_file_add_tensor(shard->file, name, strlen(name), &tensor, shard->error);
    return status == HOB_OK ? HOB_OK : error_prefix(shard->error, status, "%s", shard->path);
}

/* ---- the header ---- */

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    if (left->begin != right->begin) return left->begin < right->begin ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

static hob_status check_places(const struct shard *shard, struct place *places, size_t n_places)
{
    uint64_t end = 0;
    qsort(places, n_places, sizeof *places, compare_places);
    for (size_t i = 0; i < n_places; i++) {
        if (places[i].begin != end)
            TENSOR_FAIL(shard, HOB_BAD_FILE, places[i].name,
                        "data_offsets: found a beginning at %" PRIu64 ", expected %" PRIu64
                        ", where the tensor before it ends",
                        places[i].begin, end);
        end = places[i].end;
    }
    if (end != shard->n_data_bytes)
        FAIL(shard->error, HOB_BAD_FILE,
             "%s: found %" PRIu64 " bytes of data, expected the %" PRIu64 " that its tensors take", shard->path,
             shard->n_data_bytes, end);
    return HOB_OK;
}

static hob_status add_metadata(const struct shard *shard, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        FAIL(shard->error, HOB_BAD_FILE, "%s: %s: expected an object of texts", shard->path, METADATA_KEY);
    json_object_foreach (object, key, value) {
        const char *text = json_string_value(value);
        if (!text)
            FAIL(shard->error, HOB_BAD_FILE, "%s: %s: %.*s: expected a text", shard->path, METADATA_KEY,
                 SHOWN_NAME_BYTES, key);
        if (!*key || tensor_file_get(shard->file, key)) continue; /* shards repeat it */
        char *copy = arena_copy_string(&shard->file->arena, text, strlen(text));
        if (!copy) FAIL(shard->error, HOB_NO_MEMORY, "%s: out of memory", shard->path);
        struct metadata metadata = {.kind = METADATA_STRING, .n_items = 1, .string = {copy, strlen(copy)}};
        TRY(tensor_file_add_metadata(shard->file, key, strlen(key), &metadata, shard->error));
    }
    return HOB_OK;
}

static hob_status read_entries(const struct shard *shard)
{
    hob_status status = HOB_OK;
    const char *name;
    json_t *entry;
    size_t n_places = 0;
    struct place *places = memory_new(json_object_size(shard->header), sizeof *places);
    if (!places) FAIL(shard->error, HOB_NO_MEMORY, "%s: out of memory", shard->path);
    json_object_foreach ((json_t *)(uintptr_t)shard->header, name, entry) {
        if (strcmp(name, METADATA_KEY)) TRY_CLEANUP(add_tensor(shard, name, entry, &places[n_places++]));
        else TRY_CLEANUP(add_metadata(shard, entry));
    }
    TRY_CLEANUP(check_places(shard, places, n_places));
cleanup:
    memory_free(places);
    return status;
}

static hob_status find_header(const char *path, struct byte_cursor *cursor, const char **ret_text,
                              uint64_t *ret_n_bytes, hob_error *error)
{
    uint64_t n_bytes;
    if (!byte_cursor_u64(cursor, &n_bytes))
        FAIL(error, HOB_BAD_FILE, "%s: found %zu bytes, expected at least the 8 of a header length", path,
             byte_cursor_left(cursor));
    if (n_bytes > HEADER_MAX_BYTES || n_bytes > byte_cursor_left(cursor))
        FAIL(error, HOB_BAD_FILE,
             "%s: header length: found %" PRIu64 ", expected at most the %zu bytes that follow and %d", path, n_bytes,
             byte_cursor_left(cursor), HEADER_MAX_BYTES);
    *ret_text = (const char *)byte_cursor_take(cursor, n_bytes);
    *ret_n_bytes = n_bytes;
    return HOB_OK;
}

static hob_status parse_json(const char *path, const char *text, size_t n_bytes, json_t **ret_json, hob_error *error)
{
    json_error_t problem;
    json_t *json = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &problem);
    if (!json)
        FAIL(error, HOB_BAD_FILE, "%s: header: line %d, column %d: %s", path, problem.line, problem.column,
             problem.text);
    if (!json_is_object(json)) {
        json_decref(json);
        FAIL(error, HOB_BAD_FILE, "%s: header: expected a JSON object", path);
    }
    *ret_json = json;
    return HOB_OK;
}

hob_status safetensors_parse(const void *bytes, size_t n_bytes, const char *path, struct tensor_file *file,
                             hob_error *error)
{
    const char *text;
    uint64_t n_text_bytes;
    json_t *header;
    struct byte_cursor cursor = byte_cursor_over(bytes, n_bytes);
    TRY(find_header(path, &cursor, &text, &n_text_bytes, error));
    TRY(parse_json(path, text, (size_t)n_text_bytes, &header, error));
    struct shard shard = {.file = file,
                          .path = path,
                          .header = header,
                          .data = cursor.at,
                          .n_data_bytes = byte_cursor_left(&cursor),
                          .error = error};
    hob_status status = read_entries(&shard);
    json_decref(header);
    return status;
}

static hob_status add_shard(struct tensor_file *file, const char *path, hob_error *error)
{
    struct mapped_file map;
    TRY(tensor_file_map(file, path, &map, error));
    return safetensors_parse(map.bytes, map.n_bytes, path, file, error);
}

/* ---- an index and its shards ---- */

static hob_status check_shard_name(const char *path, const char *name, hob_error *error)
{
    if (name && *name && !strchr(name, '/') && strcmp(name, "..") && strcmp(name, ".")) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "%s: weight_map: found '%.*s', expected the name of a file in the same folder", path,
         SHOWN_NAME_BYTES, name ? name : "no text");
}

static hob_status join(const char *folder, size_t n_folder_bytes, const char *name, char **ret_path, hob_error *error)
{
    struct buffer path = {0};
    buffer_printf(&path, "%.*s/%s", (int)n_folder_bytes, folder, name);
    if (path.is_failed) {
        buffer_release(&path);
        FAIL(error, HOB_NO_MEMORY, "%s: out of memory", name);
    }
    *ret_path = path.bytes;
    return HOB_OK;
}

static hob_status add_named_shard(struct tensor_file *file, const char *index_path, const char *name, hob_error *error)
{
    const char *slash = strrchr(index_path, '/');
    char *path;
    TRY(slash ? join(index_path, (size_t)(slash - index_path), name, &path, error) : join(".", 1, name, &path, error));
    /* Messages and the map outlive this call. */
    char *kept = arena_copy_string(&file->arena, path, strlen(path));
    memory_free(path);
    if (!kept) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", name);
    return add_shard(file, kept, error);
}

static hob_status add_shards(struct tensor_file *file, const char *path, json_t *weight_map, hob_error *error)
{
    hob_status status = HOB_OK;
    struct string_map seen = {0};
    const char *name;
    json_t *shard;
    uint64_t ignored;
    json_object_foreach (weight_map, name, shard) {
        const char *shard_name = json_string_value(shard);
        TRY_CLEANUP(check_shard_name(path, shard_name, error));
        if (string_map_get(&seen, shard_name, strlen(shard_name), &ignored)) continue;
        if (!string_map_put(&seen, shard_name, strlen(shard_name), 1))
            FAIL_CLEANUP(error, HOB_NO_MEMORY, "%s: out of memory", path);
        TRY_CLEANUP(add_named_shard(file, path, shard_name, error));
    }
    json_object_foreach (weight_map, name, shard) {
        if (!tensor_file_find(file, name))
            FAIL_CLEANUP(error, HOB_BAD_FILE, "%s: weight_map: tensor %.*s is not in %s", path, SHOWN_NAME_BYTES, name,
                         json_string_value(shard));
    }
cleanup:
    string_map_release(&seen);
    return status;
}

static hob_status add_index(struct tensor_file *file, const char *path, hob_error *error)
{
    struct mapped_file map;
    json_t *index = NULL;
    TRY(mapped_file_open(path, &map, error));
    hob_status status = map.n_bytes > HEADER_MAX_BYTES
                            ? error_set(error, HOB_LIMIT, ERROR_HERE, "%s: found %zu bytes, expected at most %d", path,
                                        map.n_bytes, HEADER_MAX_BYTES)
                            : parse_json(path, (const char *)map.bytes, map.n_bytes, &index, error);
    mapped_file_release(&map);
    TRY(status);
    json_t *weight_map = json_object_get(index, "weight_map");
    status = json_is_object(weight_map)
                 ? add_shards(file, path, weight_map, error)
                 : error_set(error, HOB_BAD_FILE, ERROR_HERE, "%s: weight_map: expected an object", path);
    json_decref(index);
    return status;
}

/* ---- which file ---- */

/* The only .safetensors file of a folder; the name goes to ret_name. */
static hob_status find_single(const char *folder, char *ret_name, size_t n_name_bytes, hob_error *error)
{
    DIR *listing = opendir(folder);
    size_t n_found = 0;
    if (!listing) FAIL(error, HOB_IO, "%s: the folder cannot be read", folder);
    for (const struct dirent *entry; (entry = readdir(listing));) {
        if (!format_path_ends_with(entry->d_name, FILE_ENDING)) continue;
        n_found++;
        snprintf(ret_name, n_name_bytes, "%s", entry->d_name);
    }
    closedir(listing);
    if (n_found == 1) return HOB_OK;
    if (n_found)
        FAIL(error, HOB_BAD_FILE, "%s: found %zu .safetensors files, expected model.safetensors or one", folder,
             n_found);
    FAIL(error, HOB_BAD_FILE, "%s: not a model: found no .safetensors file in the folder", folder);
}

static hob_status find_in_folder(const char *folder, char **ret_path, hob_error *error)
{
    static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json"};
    char name[256];
    for (size_t i = 0; i < 2; i++) {
        TRY(join(folder, strlen(folder), usual[i], ret_path, error));
        if (access(*ret_path, F_OK) == 0) return HOB_OK;
        memory_free(*ret_path);
    }
    TRY(find_single(folder, name, sizeof name, error));
    return join(folder, strlen(folder), name, ret_path, error);
}

hob_status safetensors_open(const char *path, struct tensor_file **ret_file, hob_error *error)
{
    hob_status status = HOB_OK;
    struct tensor_file *file = NULL;
    char *found = NULL;
    struct stat info;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (is_folder) TRY(find_in_folder(path, &found, error));
    TRY_CLEANUP(tensor_file_new(found ? found : path, "safetensors", &file, error));
    if (format_path_ends_with(file->path, INDEX_ENDING)) TRY_CLEANUP(add_index(file, file->path, error));
    else TRY_CLEANUP(add_shard(file, file->path, error));
    *ret_file = file;
    file = NULL;
cleanup:
    memory_free(found);
    tensor_file_free(file);
    return status;
}

static bool holds_safetensors(const char *folder)
{
    DIR *listing = opendir(folder);
    bool is_found = false;
    if (!listing) return false;
    for (const struct dirent *entry; !is_found && (entry = readdir(listing));)
        is_found =
            format_path_ends_with(entry->d_name, FILE_ENDING) || format_path_ends_with(entry->d_name, INDEX_ENDING);
    closedir(listing);
    return is_found;
}

static bool is_this(const char *path, bool is_folder, const unsigned char *bytes, size_t n_bytes)
{
    (void)bytes, (void)n_bytes;
    return is_folder ? holds_safetensors(path)
                     : format_path_ends_with(path, FILE_ENDING) || format_path_ends_with(path, INDEX_ENDING);
}

static hob_status open_content(const char *path, struct format_content *ret_content, hob_error *error)
{
    return safetensors_open(path, &ret_content->tensors, error);
}

const struct format_def format_safetensors = {
    .name = "safetensors",
    .summary = "Hugging Face's tensors, with config.json beside them",
    .is_this = is_this,
    .open = open_content,
};
