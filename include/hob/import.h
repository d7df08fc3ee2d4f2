/* Making a pack (.hob) of a model: one file that hob_model_open maps instead of loading.
 *
 * A pack holds the compiled graph, the weights in the order the kernels read them, the tokenizer as ready tables and all that hob read
 * beside the model. The same source and options give the same bytes. docs/pack-format.md tells what is in it.
 *
 *     hob_import_options options = {.model = {.quant = "q4_0"}};
 *     if (hob_import("model.safetensors", &options, "model.hob", &error) != HOB_OK) …
 */
#ifndef HOB_IMPORT_H
#define HOB_IMPORT_H

#include "hob/model.h"

typedef struct hob_import_options {
    /* How the source is opened: tokenizer_path, is_graph_only (caches stay inputs and outputs, as hob_session_run wants them), what
     * weights become; progress is called for the import, too. */
    hob_model_options model;
    bool is_reported;    /* the pack gets a report of what quantising cost: each weight's error, and with a text, … */
    const char *text;    /* … perplexity, divergence and agreement with the source, or the embeddings' cosine; NULL: none */
    size_t n_text_bytes;
    size_t n_text_items; /* most tokens (lines, for an encoder) of the text that are read; 0: 2048 (256) */
} hob_import_options;

/* path is replaced if it is there, and only once the pack is whole. options NULL: defaults.
 * A report with a text opens the source twice, once as it is.
 * Fails: what hob_model_open says; HOB_BAD_ARGUMENT (the source is a pack, or is what path names), HOB_UNSUPPORTED (the model holds what
 * a pack cannot), HOB_IO (then path is as it was). */
HOB_API HOB_MUST_CHECK hob_status hob_import(const char *source, const hob_import_options *options, const char *path, hob_error *error);

#endif
