/* A session: one use of a model, with its own scratch memory, threads and KV cache. One thread at a time.
 *
 *     hob_session *session;
 *     if (hob_session_new(model, NULL, &session, &error) != HOB_OK) …
 *     hob_named_tensor in[] = {{"x", x}};
 *     hob_tensor *out[1];
 *     if (hob_session_run(session, in, 1, out, 1, &error) != HOB_OK) …
 */
#ifndef HOB_SESSION_H
#define HOB_SESSION_H

#include "hob/model.h"

typedef struct hob_session hob_session;

enum { HOB_RUN_ROWS = 192 }; /* most positions that go through a model in one pass */

typedef struct hob_session_options {
    size_t n_threads;         /* 0: as many as the process may run on */
    int64_t n_context_tokens; /* the most a text may have; 0: the model's context length, at most 4096 */
    /* How keys and values are kept: "f32", "f16", "q8_0" or "q4_0" (32 numbers of 8 or 4 bits share a scale: half and a quarter of
     * "f16"). NULL: "f16" where the model's weights are not full floats, else "f32". */
    const char *cache_type;
    int64_t n_cache_tokens;   /* positions of all texts together; memory is taken as they fill. 0: eight texts' worth */

    /* What generations leave of their texts, in blocks of 64 positions, for others that begin with the same ids: they are not computed
     * again, and no result changes by a byte. Those used longest ago go first. */
    size_t prefix_cache_bytes;   /* at most so many, beside n_cache_tokens; 0: nothing is left */
    const char *cache_folder;    /* they are written there as well and found by later processes; a folder of the caller's own, made where
                                    there is none. NULL: not. hob_cache_default_folder names one */
    uint64_t cache_folder_bytes; /* at most so many in the folder; 0: 8 GiB */
    uint64_t max_memory_bytes;   /* that the session may take beside the model's weights; 0: what the machine has left */
} hob_session_options;

typedef struct hob_named_tensor {
    const char *name;
    const hob_tensor *tensor;
} hob_named_tensor;

/* What a language model's session takes when its caches are full, beside the weights, which are there already. */
typedef struct hob_memory_forecast {
    uint64_t weights_bytes;     /* in memory of the model's own */
    uint64_t mapped_bytes;      /* weights in the file: pages of it that the system can give up and read again */
    uint64_t cache_token_bytes; /* keys and values of a position */
    uint64_t cache_bytes;       /* of all positions: n_cache_tokens, else one text's, and what is kept of others' */
    uint64_t activations_bytes; /* of a piece of a prompt, logits among them */
    uint64_t needed_bytes;      /* by the session: caches, activations, book-keeping */
    uint64_t available_bytes;   /* to it: of the machine's memory, of its control group's, max_memory_bytes: the least */
    int64_t n_context_tokens;
    int64_t most_context_tokens; /* with which it would fit; 0: with none */
} hob_memory_forecast;

/* What hob_session_new would take, and does not yet. Fails: HOB_UNSUPPORTED (no language model); as hob_session_new, but not for want of
 * memory. */
HOB_API HOB_MUST_CHECK hob_status hob_forecast_memory(hob_model *model, const hob_session_options *options,
                                                      hob_memory_forecast *ret_forecast, hob_error *error);

/* Keeps a reference to model. options NULL: defaults. Fails: HOB_LIMIT (a language model's session would need more memory than is
 * available: the message says how much, and which context fits; or the context is longer than the model was made for),
 * HOB_BAD_ARGUMENT, HOB_UNSUPPORTED (a cache that the model cannot have), HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_session_new(hob_model *model, const hob_session_options *options,
                                                  hob_session **ret_session, hob_error *error);
HOB_API void hob_session_free(hob_session *session); /* takes NULL */

/* Memory that a session has taken by now, beside its model's. */
typedef struct hob_session_memory {
    uint64_t cache_bytes;       /* keys and values: blocks in use, kept or empty again */
    uint64_t cache_used_bytes;  /* of those, of texts under way */
    uint64_t cache_kept_bytes;  /* of those, kept for texts to come, which give way to others */
    uint64_t cache_most_bytes;  /* when the cache is full */
    uint64_t activations_bytes; /* and logits */
    uint64_t other_bytes;       /* book-keeping: tables, plans, ids */
    uint64_t total_bytes;       /* cache, activations, other */
} hob_session_memory;

/* Of any kind of session, from its own thread. Cheap: sums of what is known. */
HOB_API hob_session_memory hob_session_get_memory(const hob_session *session);
/* Gives what is not in use back to the system: empty blocks of the cache, activations, plans. The next run takes it again. For
 * models that are idle; what is kept for texts to come stays. Between steps: results of the last run are lost. */
HOB_API void hob_session_trim(hob_session *session);
/* $XDG_CACHE_HOME/hob/kv, by default ~/.cache/hob/kv: for cache_folder. NULL when there is no home. Free with hob_free. */
HOB_API char *hob_cache_default_folder(void);
/* Those that run a graph, the caller's among them. */
HOB_API size_t hob_session_n_threads(const hob_session *session);

/* Runs a graph once. Every input must be given, by name. ret_outputs: n_outputs == hob_model_n_outputs(model) tensors in
 * the model's order, each to be freed; untouched on failure.
 * Fails: HOB_NOT_FOUND (a missing or unknown input), HOB_BAD_TYPE, HOB_BAD_SHAPE, HOB_UNSUPPORTED, HOB_NO_MEMORY. */
HOB_API HOB_MUST_CHECK hob_status hob_session_run(hob_session *session, const hob_named_tensor *inputs, size_t n_inputs,
                                                  hob_tensor **ret_outputs, size_t n_outputs, hob_error *error);

/* ---- decoders ---- */
/* Appends ids to the KV cache; the last position's logits are then in hob_session_logits. An empty list changes nothing.
 * Fails: HOB_LIMIT when they do not fit the context (the message names both numbers), HOB_BAD_ARGUMENT on an id outside
 * the vocabulary. On failure the cache is as before. */
HOB_API HOB_MUST_CHECK hob_status hob_session_append(hob_session *session, const int32_t *ids, size_t n_ids, hob_error *error);
/* The same, with the logits of every appended position in ret_logits: room for n_ids * hob_model_get_info(model).n_vocab floats, what
 * hob_session_logits would show after each id. For measuring a model (perplexity): a vocabulary's product for each position is dear.
 * Fails as hob_session_append, ret_logits then undefined; HOB_UNSUPPORTED when the model does not state its vocabulary. */
HOB_API HOB_MUST_CHECK hob_status hob_session_append_all(hob_session *session, const int32_t *ids, size_t n_ids, float *ret_logits,
                                                         hob_error *error);
/* [n_vocab] of the last appended position; valid until the next call on the session; NULL before any. */
HOB_API const float *hob_session_logits(const hob_session *session);
/* Positions in the cache. */
HOB_API size_t hob_session_n_tokens(const hob_session *session);
HOB_API size_t hob_session_n_context_tokens(const hob_session *session);
/* Forgets all but the first n_tokens positions. */
HOB_API HOB_MUST_CHECK hob_status hob_session_rewind(hob_session *session, size_t n_tokens, hob_error *error);

#endif
