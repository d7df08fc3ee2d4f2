/* Where an architecture reads from: a tensor file and, for safetensors, the config.json beside it, asked by
 * role, so that an architecture need not know which kind of file it came from.
 *
 * Owns the parsed config.json; the tensor file belongs to the caller. Read-only after opening: thread-safe.
 *
 *     struct model_source source;
 *     TRY(model_source_open(file, folder, &source, error));
 *     TRY(model_source_int(&source, KEY_LAYERS, KEY_REQUIRED, &n_layers, error));
 *     const struct tensor *norm = model_source_tensor(&source, TENSOR_OUTPUT_NORM, PART_WEIGHT, 0, name);
 *     model_source_close(&source);
 */
#ifndef MODELS_SOURCE_H
#define MODELS_SOURCE_H

#include "formats/tensor_file.h"
#include "models/model.h"

#include <jansson.h>

enum model_key {
#define KEY(id, ...) KEY_##id,
#include "models/keys.def"
#undef KEY
    KEY_COUNT
};

/* A tensor's place in an architecture. '#' in a name is the layer. */
enum tensor_role {
    TENSOR_TOKEN_EMBEDDING,
    TENSOR_POSITION_EMBEDDING,
    TENSOR_TYPE_EMBEDDING,
    TENSOR_EMBEDDING_NORM,
    TENSOR_ATTENTION_NORM, /* before attention */
    TENSOR_Q,
    TENSOR_K,
    TENSOR_V,
    TENSOR_QKV, /* the three in one, rows q, k, v */
    TENSOR_Q_FULL_NORM, /* of all heads' queries together */
    TENSOR_Q_NORM, /* of heads, before they turn */
    TENSOR_K_NORM,
    TENSOR_ATTENTION_OUTPUT,
    TENSOR_ATTENTION_OUTPUT_NORM, /* behind attention and its residual (post-norm) */
    TENSOR_ATTENTION_POST_NORM, /* behind attention, before its residual */
    TENSOR_FF_NORM,
    TENSOR_FF_GATE,
    TENSOR_FF_UP,
    TENSOR_FF_GATE_UP, /* the two in one, rows gate, up */
    TENSOR_FF_DOWN,
    TENSOR_FF_POST_NORM, /* behind the feed-forward part, before its residual */
    TENSOR_LAYER_OUTPUT_NORM, /* behind the feed-forward part and its residual (post-norm) */
    TENSOR_OUTPUT_NORM,
    TENSOR_HEAD,
    TENSOR_ROPE_FACTORS,
    TENSOR_RELATIVE_BIAS, /* a score a head for each bucket of distances */
    TENSOR_ROPE_SHORT_FACTORS,
    TENSOR_ROPE_LONG_FACTORS,
    TENSOR_TOKEN_MAPPING, /* static: token to row */
    TENSOR_TOKEN_WEIGHTS, /* static: a factor a token */
    TENSOR_POOLER, /* classifiers: a layer between what was pooled and the labels' */
    TENSOR_POOLER_NORM,
    TENSOR_LABELS, /* a row a label */
    TENSOR_ROLE_COUNT
};

enum tensor_part { PART_WEIGHT, PART_BIAS };

struct model_source {
    const struct tensor_file *file;
    const struct model_def *def;
    json_t *config;    /* NULL for GGUF */
    const char *where; /* of the metadata, for messages: the GGUF file, or config.json's path (owned with config) */
    char *config_path;
};

enum { SOURCE_NAME_BYTES = 256 };
#define KEY_REQUIRED INT64_MIN

/* Finds the architecture. Fails: HOB_NOT_FOUND, HOB_BAD_FILE, HOB_UNSUPPORTED (names the architectures there
 * are). */
HOB_MUST_CHECK hob_status model_source_open(const struct tensor_file *file, const char *folder,
                                            struct model_source *ret_source, hob_error *error);
void model_source_close(struct model_source *source); /* takes a zeroed one */
static inline bool model_source_is_gguf(const struct model_source *source)
{
    return !source->config;
}

bool model_source_has(const struct model_source *source, enum model_key key);
bool model_source_says(const struct model_source *source, enum model_key key, const char *text);
/* The file says null, which is not the same as nothing. */
bool model_source_is_null(const struct model_source *source, enum model_key key);
/* fallback: when the file does not say; KEY_REQUIRED fails then. Fails: HOB_BAD_FILE naming key, value and
 * bounds. */
HOB_MUST_CHECK hob_status model_source_int(const struct model_source *source, enum model_key key, int64_t fallback,
                                           int64_t *ret_integer, hob_error *error);
HOB_MUST_CHECK hob_status model_source_float(const struct model_source *source, enum model_key key, double fallback,
                                             double *ret_number, hob_error *error);
HOB_MUST_CHECK hob_status model_source_bool(const struct model_source *source, enum model_key key, bool fallback,
                                            bool *ret_flag, hob_error *error);
/* The text belongs to the source (or is fallback). */
HOB_MUST_CHECK hob_status model_source_text(const struct model_source *source, enum model_key key, const char *fallback,
                                            const char **ret_text, hob_error *error);
/* One number or a list: at most max_items, those within the key's bounds; 0 of them when the file does not
 * say. */
size_t model_source_ints(const struct model_source *source, enum model_key key, size_t max_items,
                         int64_t *ret_integers);
/* Of a list; 0 where there is none. */
size_t model_source_n_items(const struct model_source *source, enum model_key key);
/* Item i of a list: a number within the key's bounds (false and true are 0 and 1), or a text. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status model_source_item_float(const struct model_source *source, enum model_key key, size_t i,
                                                  double *ret_number, hob_error *error);
HOB_MUST_CHECK hob_status model_source_item_text(const struct model_source *source, enum model_key key, size_t i,
                                                 const char **ret_text, hob_error *error);
/* The key as this file spells it, for messages. */
const char *model_source_key_name(const struct model_source *source, enum model_key key, char name[SOURCE_NAME_BYTES]);
/* HOB_UNSUPPORTED: "WHERE: KEY: found VALUE, expected EXPECTED". */
hob_status model_source_refuse(const struct model_source *source, enum model_key key, const char *expected,
                               hob_error *error);

/* NULL when absent. name gets the tensor's name, or the one it should have had. layer counts where the name
 * has one. */
const struct tensor *model_source_tensor(const struct model_source *source, enum tensor_role role,
                                         enum tensor_part part, int64_t layer, char name[SOURCE_NAME_BYTES]);

#endif
