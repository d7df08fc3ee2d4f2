/* Telling file formats apart and opening them. One row FORMAT(name) in formats.def = one `const struct format_def format_<name>`.
 *
 *     struct format_content content;
 *     TRY(format_open(path, &content, error));        path: a file, or a folder with config.json or model.safetensors*
 *     if (content.pack) …                             a pack: the graph is compiled already
 *     else if (content.graph) …                       ONNX: a graph straight from the file
 *     else if (content.tensors) …                     GGUF, safetensors: models/ builds the graph
 */
#ifndef FORMATS_FORMATS_H
#define FORMATS_FORMATS_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

struct graph;
struct pack;
struct tensor_file;

struct format_content {
    const struct format_def *format;
    struct graph *graph; /* one of the two */
    struct tensor_file *tensors;
    const struct pack *pack; /* of a pack, else NULL; the graph owns it */
    char *folder; /* where the file lies, for its neighbours (config.json, tokenizer.json); heap, caller's */
};

struct format_def {
    const char *name;    /* "onnx" */
    const char *summary; /* a line for help and documentation */
    /* Looks at the first bytes and the name. is_folder: path is a folder. */
    bool (*is_this)(const char *path, bool is_folder, const unsigned char *bytes, size_t n_bytes);
    hob_status (*open)(const char *path, struct format_content *ret_content, hob_error *error);
};

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE ("PATH: not a model: …" listing the formats it tried). */
HOB_MUST_CHECK hob_status format_open(const char *path, struct format_content *ret_content, hob_error *error);
void format_content_release(struct format_content *content);

/* ---- for the formats ---- */
bool format_path_ends_with(const char *path, const char *ending);

#endif
