/* A model: a graph with its weights, compiled and ready, from an .onnx, .gguf, .safetensors or .hob file or a folder.
 *
 * Immutable after opening: any number of sessions and threads share one. Counted references; the last hob_model_free
 * releases the maps.
 *
 *     hob_model *model;
 *     if (hob_model_open("model.gguf", NULL, &model, &error) != HOB_OK) …
 *     hob_model_free(model);
 */
#ifndef HOB_MODEL_H
#define HOB_MODEL_H

#include "hob/status.h"
#include "hob/tensor.h"
#include "hob/tokenizer.h"

#include <stdbool.h>

typedef struct hob_model hob_model;

typedef enum hob_model_kind {
    HOB_MODEL_GRAPH,   /* any graph: hob_session_run only */
    HOB_MODEL_DECODER, /* a language model: hob_generate */
    HOB_MODEL_ENCODER, /* gives sentence embeddings: hob_embed */
    HOB_MODEL_CLASSIFIER /* scores labels for a text or two: hob_classify, and hob_rerank where there is one label */
} hob_model_kind;

typedef enum hob_pooling { HOB_POOLING_DEFAULT, HOB_POOLING_MEAN, HOB_POOLING_CLS, HOB_POOLING_LAST } hob_pooling;

typedef struct hob_model_options {
    const char *tokenizer_path; /* NULL: found in or beside the model */
    hob_model_kind default_kind; /* with path NULL: HOB_MODEL_ENCODER means the default embedder, HOB_MODEL_CLASSIFIER the default
                                  * reranker; else the language model */
    bool is_graph_only;         /* treat the file as a plain graph: no caches attached, no tokenizer sought */
    /* What float weights become: "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "f16", "bf16", "int8" (encoders). NULL: they stay as they
     * are. Not for a pack, whose weights are laid out already. */
    const char *quant;
    size_t n_threads;           /* that read and pack weights; 0: as many as the process may run on */
    uint64_t max_memory_bytes;  /* that weights may take which are not read where the file has them; 0: what the machine has left */
    /* Comma-separated names, "all", or NULL: for tests and for finding a fault. Not for a pack, which passes are done with. */
    const char *disabled_passes;
    /* Called now and then while opening takes long; fraction is 0..1. NULL: silent. */
    void (*progress)(void *context, const char *what, double fraction);
    void *progress_context;
} hob_model_options;

typedef struct hob_model_info {
    hob_model_kind kind;
    const char *architecture; /* "llama", "onnx", …; lives as long as the model */
    const char *format;       /* "onnx", "gguf", "safetensors", "pack" */
    int64_t n_vocab;          /* 0 where it does not apply, as below */
    int64_t n_context;        /* most positions the model was made for */
    int64_t n_layers;
    int64_t width;            /* of the residual stream, or of an embedding */
    hob_pooling pooling;      /* encoders */
    bool is_normalized;       /* encoders: embeddings have length 1 unless asked otherwise */
    bool is_causal;           /* encoders: a language model whose file says how to pool it (Qwen3-Embedding). It embeds and does not generate */
    int64_t n_labels;         /* classifiers */
    int64_t n_text_tokens;    /* encoders and classifiers: the most a text (or a pair) may have, special ones included; 0: any number. No
                               * more than n_context, less where the model was trained with less */
} hob_model_info;

/* Memory that a model holds. */
typedef struct hob_model_memory {
    uint64_t weights_bytes;   /* its own: weights that are not read where the file has them, the graph */
    uint64_t mapped_bytes;    /* weights in the file: pages of it that the system can give up and read again */
    uint64_t tokenizer_bytes; /* its tables, and what grammars made of them */
} hob_model_memory;

/* path NULL: the default model (hob_model_default_path). options NULL: defaults.
 * Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE, HOB_BAD_GRAPH, HOB_UNSUPPORTED, HOB_LIMIT (weights need more memory than there is: the
 * message names both), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_model_open(const char *path, const hob_model_options *options,
                                                 hob_model **ret_model, hob_error *error);
HOB_API void hob_model_ref(hob_model *model);
HOB_API void hob_model_free(hob_model *model); /* drops one reference; takes NULL */

HOB_API hob_model_info hob_model_get_info(const hob_model *model);
/* Cheap: sums of what is known. Thread-safe. */
HOB_API hob_model_memory hob_model_get_memory(const hob_model *model);
/* NULL when the model has none. Owned by the model. */
HOB_API const hob_tokenizer *hob_model_tokenizer(const hob_model *model);

/* How the model wants a conversation written, as Jinja text; NULL when it does not say. Owned by the model. */
HOB_API const char *hob_model_chat_template(const hob_model *model);

/* The texts that the model wants in front of others (sentence-transformers' prompts): their names, NULL behind the last, and the text of
 * one, NULL when there is none of that name. Owned by the model. */
HOB_API const char *hob_model_prompt_name(const hob_model *model, size_t index);
HOB_API const char *hob_model_prompt(const hob_model *model, const char *name);

/* A classifier's labels, "LABEL_0" and so on where its files name none; NULL outside. Owned by the model. */
HOB_API const char *hob_model_label(const hob_model *model, size_t index);

HOB_API size_t hob_model_n_inputs(const hob_model *model);
HOB_API size_t hob_model_n_outputs(const hob_model *model);
/* NULL outside. Lives as long as the model. */
HOB_API const char *hob_model_input_name(const hob_model *model, size_t index);
HOB_API const char *hob_model_output_name(const hob_model *model, size_t index);

/* Reads a tensor file (.npy or .pb) as the model declares that input: a .pb file does not say whether it holds a tensor, a
 * sequence or an optional, and ONNX's data sets hold bfloat16 as uint16 of the same bits.
 * Fails: HOB_NOT_FOUND (no such input or file), whatever hob_tensor_read says. */
HOB_API HOB_MUST_CHECK hob_status hob_model_read_input(const hob_model *model, const char *name, const char *path,
                                                       hob_tensor **ret_tensor, hob_error *error);

/* Where the default model is: what $HOB_MODEL names ($HOB_EMBED_MODEL for HOB_MODEL_ENCODER, $HOB_RERANK_MODEL for
 * HOB_MODEL_CLASSIFIER), else the first in the person's data folder, beside the program and in the system's data folders of
 * default.hob, default.gguf or a folder default (embed.hob, rerank.hob, …). NULL when there is none. Free with hob_free. */
HOB_API char *hob_model_default_path(hob_model_kind kind);

/* What is inside a file, without running it: inputs, outputs, operators with counts, tensors, metadata, memory needed,
 * what is unsupported. Also takes files whose operators hob lacks, tokenizer-only GGUF files, .npy and .pb tensors.
 * ret_text: text for a person, or one JSON object; free with hob_free. */
HOB_API HOB_MUST_CHECK hob_status hob_describe(const char *path, bool is_json, char **ret_text, hob_error *error);

#endif
