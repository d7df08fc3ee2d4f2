/* Opening what -m names, with progress for the person who waits. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "hob/hob.h"

/* A model and the one use a command makes of it. */
struct loaded {
    hob_model *model;
    hob_session *session;
};

/* kind: what it is wanted for; HOB_MODEL_GRAPH takes the file as a plain graph. path NULL: the default model of that kind.
 * n_threads 0: as many as the process may run on. */
HOB_MUST_CHECK hob_status load_model(const char *path, hob_model_kind kind, size_t n_threads, struct loaded *ret_loaded,
                                     hob_error *error);
/* The same with a session of its own kind; session_options->n_threads counts for both. */
HOB_MUST_CHECK hob_status load_model_for(const char *path, hob_model_kind kind, const hob_session_options *session_options,
                                         struct loaded *ret_loaded, hob_error *error);
/* What a model is, for messages: "a language model (see hob complete)". Static. */
const char *model_kind_text(hob_model_kind kind);
void loaded_release(struct loaded *loaded); /* takes a zeroed one */

/* path NULL: the default model's. */
HOB_MUST_CHECK hob_status load_tokenizer(const char *path, hob_tokenizer **ret_tokenizer, hob_error *error);

#endif
