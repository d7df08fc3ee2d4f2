/* A file (or folder of shards) of named tensors and metadata, as GGUF and safetensors are: what models/ build graphs from.
 *
 * Owns its maps and tables; tensors point into the maps (64-bit little-endian machines; unaligned tensors are copied). Free it
 * only after the graph made from it (hand it over with graph_own). Thread-safe for reading.
 *
 *     struct tensor_file *file;
 *     TRY(gguf_open(path, &file, error));
 *     const struct tensor *weight = tensor_file_find(file, "blk.0.attn_q.weight");
 *     int64_t n_layers;
 *     if (tensor_file_get_int(file, "llama.block_count", &n_layers)) …
 */
#ifndef FORMATS_TENSOR_FILE_H
#define FORMATS_TENSOR_FILE_H

#include "base/arena.h"
#include "base/mapped_file.h"
#include "base/string_map.h"
#include "tensor/tensor.h"

enum metadata_kind { METADATA_INT, METADATA_UINT, METADATA_FLOAT, METADATA_BOOL, METADATA_STRING, METADATA_ARRAY };

/* One value. An array holds n_items values of element_kind, in the array that fits. */
struct metadata {
    const char *key; /* NUL-terminated; "" inside an array */
    enum metadata_kind kind, element_kind;
    size_t n_items;
    union {
        int64_t integer;                     /* INT; also BOOL as 0 or 1 */
        uint64_t unsigned_integer;           /* UINT */
        double number;                       /* FLOAT */
        struct tensor_string string;         /* STRING: NUL-terminated behind n_bytes */
        const int64_t *integers;             /* ARRAY of INT, UINT, BOOL */
        const double *numbers;               /* ARRAY of FLOAT */
        const struct tensor_string *strings; /* ARRAY of STRING: point into the map, not NUL-terminated */
        const struct metadata *arrays;       /* ARRAY of ARRAY */
    };
};

struct named_tensor {
    const char *name;
    struct tensor tensor; /* row-major dims, slowest first (GGUF's order is turned round) */
};

struct tensor_file {
    struct arena arena;
    const char *path;
    const char *format; /* "gguf", "safetensors" */
    int version;        /* of the format; 0 where it has none */
    struct named_tensor *tensors;
    struct metadata *metadata;
    size_t n_tensors, n_metadata;
    struct string_map tensor_by_name, metadata_by_key;
    struct mapped_file *maps;
    const char **map_paths; /* n_maps */
    size_t n_maps;
};

void tensor_file_free(struct tensor_file *file);                                         /* takes NULL */
const struct tensor *tensor_file_find(const struct tensor_file *file, const char *name); /* NULL when absent */
const struct metadata *tensor_file_get(const struct tensor_file *file, const char *key); /* NULL when absent */
/* false when absent or of another kind (an UINT that fits is an int; an int is a float). */
bool tensor_file_get_int(const struct tensor_file *file, const char *key, int64_t *ret_integer);
bool tensor_file_get_float(const struct tensor_file *file, const char *key, double *ret_number);
bool tensor_file_get_bool(const struct tensor_file *file, const char *key, bool *ret_flag);
const char *tensor_file_get_string(const struct tensor_file *file, const char *key); /* NULL when absent */

/* ---- for the readers of a format ---- */
HOB_MUST_CHECK hob_status tensor_file_new(const char *path, const char *format, struct tensor_file **ret_file,
                                          hob_error *error);
/* Maps another file (the only one, or a shard); it stays mapped as long as the tensor file. */
HOB_MUST_CHECK hob_status tensor_file_map(struct tensor_file *file, const char *path, struct mapped_file *ret_map,
                                          hob_error *error);
/* The name is copied; it must not be empty or hold a NUL. The bytes are copied only if they are not aligned for their type.
 * Fails: HOB_BAD_FILE when the name stands twice; the message does not name the file. */
HOB_MUST_CHECK hob_status tensor_file_add_tensor(struct tensor_file *file, const char *name, size_t n_name_bytes,
                                                 const struct tensor *tensor, hob_error *error);
/* The key is copied, as above; what the value points to must live as long as the file. */
HOB_MUST_CHECK hob_status tensor_file_add_metadata(struct tensor_file *file, const char *key, size_t n_key_bytes,
                                                   const struct metadata *value, hob_error *error);

#endif
