/* From named tensors and metadata (GGUF, safetensors + config.json) to a graph. One architecture is one file
 * and one row MODEL(name) in models.def = one `const struct model_def model_<name>`.
 *
 * The graph's constants point into the tensor file, so the file must live as long as the graph (graph_own
 * hands it over). Inputs and outputs of the graphs:
 *
 *     decoder    ids i64 [T], positions i64 [T], rows i64 [R] (whose logits are wanted)       logits f32
 * [R,V] encoder    ids i64 [T], positions i64 [T], segments i64 [n+1], token_types i64 [T]      hidden f32
 * [T,D] static     ids i64 [T]                                                                  hidden f32
 * [T,D] classifier as an encoder                                                          label_logits f32 [n,L]
 *
 * Nothing here is shared or mutable: thread-safe for different graphs.
 *
 *     struct graph *graph;
 *     struct model_info info;
 *     TRY(model_build(file, folder, &graph, &info, error));
 *     TRY(graph_own(graph, file, release_tensor_file, error));
 */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "hob/model.h"
#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct draft;
struct graph;
struct model_source;
struct tensor_file;

enum model_kind {
    MODEL_DECODER, /* a language model with a KV cache */
    MODEL_ENCODER, /* hidden states of whole sentences */
    MODEL_STATIC,  /* a vector a token, whatever stands beside it */
    MODEL_CLASSIFIER /* a number a label for each text */
};

/* How hidden states become one vector a text. */
struct model_pooling {
    hob_pooling mode;   /* never HOB_POOLING_DEFAULT */
    bool is_normalized; /* to length 1 */
    bool is_stated;     /* the model says so; false: our defaults, mean and normalised */
    bool is_plain_text; /* no special tokens around the text, unknown tokens left out (static models) */
    int64_t max_tokens; /* special ones included; 0: the context length alone limits a text */
};

/* Texts that sentence-transformers puts in front of others, by name: "query: ". Texts belong to the arena they were read into (or to the
 * pack's map). */
struct model_prompt {
    const char *name, *text;
};
struct model_prompts {
    const struct model_prompt *items;
    size_t n;
    const char *default_name; /* of the one that stands in front of every text unless told otherwise; NULL: none */
};

/* What a classifier's numbers are made into, unless they are wanted as they are. */
enum model_activation { ACTIVATION_SOFTMAX, ACTIVATION_SIGMOID, ACTIVATION_NONE };

/* A classifier's labels. Names belong to the arena they were read into (or to the pack's map). */
struct model_labels {
    const char *const *names;
    size_t n;
    enum model_activation activation;
};

enum { MODEL_MAX_EOS_IDS = 32, MODEL_MAX_PROMPTS = 256, MODEL_MAX_LABELS = 1 << 16 };

struct model_info {
    const char *architecture; /* model_def's name: static */
    enum model_kind kind;
    int64_t n_vocab, n_layers, width;
    int64_t n_context;                       /* most positions; 0: any number (static models) */
    int64_t n_heads, n_kv_heads, head_width; /* 0 for static models */
    int64_t bos_id;                          /* -1: the file does not say */
    int64_t eos_ids[MODEL_MAX_EOS_IDS];      /* any of them ends a text */
    size_t n_eos_ids;
    struct model_pooling pooling; /* encoders and static models */
    struct model_labels labels;   /* classifiers; lives as long as the graph */
    bool is_causal;               /* a decoder, also where it embeds or classifies */
};

enum { MODEL_MAX_ALIASES = 8, MODEL_MAX_PREFIXES = 4 };

struct model_def {
    const char *name;    /* "llama" */
    const char *summary; /* a line for help and documentation */
    enum model_kind kind;
    const char *gguf_architecture;               /* general.architecture; "" when GGUF has none */
    const char *hf_types[MODEL_MAX_ALIASES];     /* config.json's model_type: these */
    const char *hf_prefixes[MODEL_MAX_PREFIXES]; /* before tensor names, tried in order; "" is one of them */
    const char *const *hf_names;                 /* by enum tensor_role (models/source.h) */
    /* Architectures that share a model_type: whether the file is of this one. NULL: it is. */
    bool (*is_this)(const struct model_source *source);
    /* Reads the hyperparameters, fills draft->info, adds the nodes. Failures of single nodes stick in
     * draft->builder. */
    hob_status (*build)(struct draft *draft, hob_error *error);
};

/* folder: where config.json and its neighbours lie; NULL (or unused) for GGUF.
 * Fails: HOB_NOT_FOUND (config.json, a tensor), HOB_BAD_FILE, HOB_BAD_SHAPE, HOB_BAD_TYPE, HOB_UNSUPPORTED
 * (architecture, activation, scaling …), HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_build(const struct tensor_file *file, const char *folder, struct graph **ret_graph,
                                      struct model_info *ret_info, hob_error *error);

/* What sentence-transformers' modules.json, N_Pooling/config.json and sentence_bert_config.json in folder
 * say; the defaults where there are none. For any folder, one with an ONNX model too. Fails: HOB_BAD_FILE,
 * HOB_UNSUPPORTED (max pooling, a Dense module …), HOB_IO. */
HOB_MUST_CHECK hob_status model_read_pooling(const char *folder, struct model_pooling *ret_pooling, hob_error *error);

/* What config_sentence_transformers.json in folder says; none where there is no such file. Fails: HOB_BAD_FILE, HOB_LIMIT, HOB_IO,
 * HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_read_prompts(const char *folder, struct arena *arena, struct model_prompts *ret_prompts,
                                             hob_error *error);
/* What config.json in folder says of a classifier with n_labels (0: as many as it names): names, "LABEL_0" and so on where it names none,
 * and what kind of problem they are of. Fails: HOB_BAD_FILE (another number of names), HOB_LIMIT, HOB_IO, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status model_read_labels(const char *folder, int64_t n_labels, struct arena *arena, struct model_labels *ret_labels,
                                            hob_error *error);
/* NULL when there is none of that name. */
const char *model_find_prompt(const struct model_prompts *prompts, const char *name);

size_t model_def_count(void);
const struct model_def *model_def_at(size_t index);

#endif
