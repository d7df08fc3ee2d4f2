/* Inside of hob_model: the compiled graph, what it is for, and its tokenizer. Immutable after opening. */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "engine/roles.h"
#include "graph/graph.h"
#include "graph/pass.h"
#include "graph/program.h"
#include "graph/weight_errors.h"
#include "hob/model.h"
#include "models/model.h"

#include <stdatomic.h>

struct hob_model {
    atomic_uint n_refs;
    struct graph *graph;
    const struct program *program;
    const bool *are_optional_outputs; /* as the file declares them: passes may put other values in their place */
    struct graph_roles roles;
    hob_model_info info;
    hob_model_memory memory;    /* but for the token trie's */
    struct model_pooling pooling;
    struct model_prompts prompts;
    struct model_labels labels; /* a classifier's */
    char *folder;               /* where the model's neighbours lie */
    hob_tokenizer *tokenizer;   /* NULL when there is none */
    char *tokenizer_error;      /* why there is none; NULL when nobody looked */
    const char *chat_template;  /* Jinja text; NULL when there is none */
    const char *tool_template;  /* the one for conversations with tools; NULL: the same */
    char *owned_template, *owned_tool_template; /* where they were read from files beside the model */
    const struct pack *pack;    /* what a pack is mapped as; NULL for other formats. The graph owns it */
    struct pass_report passes[PASS_MAX];
    struct weight_errors *weight_errors; /* where opening notes them; NULL: nobody asks */
    _Atomic(struct token_trie *) token_trie; /* made when a grammar asks first (grammar.h); NULL: not yet */
    int64_t bos_id;             /* of the configuration; -1 when it does not say */
    int64_t eos_ids[MODEL_MAX_EOS_IDS]; /* all tokens that end a text (end_tokens.h) */
    size_t n_eos_ids;
};

/* hob_model_open of a path that also notes what quantising did to each weight; errors is the caller's, zeroed. */
HOB_MUST_CHECK hob_status model_open_weighing(const char *path, const hob_model_options *options, struct weight_errors *errors,
                                              hob_model **ret_model, hob_error *error);

/* Place of the input of that name in graph->inputs. Fails: HOB_NOT_FOUND. */
HOB_MUST_CHECK hob_status model_find_input(const struct hob_model *model, const char *name, uint32_t *ret_index, hob_error *error);

#endif
