/* Inside of hob_session: an executor on a provider, and for decoders the text that the public calls append to. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/model.h"
#include "graph/executor.h"
#include "graph/provider.h"
#include "hob/session.h"

struct batch_entry;
struct cache_folder;
struct decoder;
struct kv_cache;
struct paged_batch;
struct prefix_cache;
struct sequence;

/* Enough positions in a run to keep the multipliers busy; more only make its activations larger (39 KB each in a model of half a
 * billion weights). Logits take n_vocab numbers a position: fewer still. */
enum { RUN_TOKENS = HOB_RUN_ROWS, RUN_LOGITS = 64 };
enum { SESSION_RUN_ARENA_BYTES = 64 * 1024 };

struct hob_session {
    hob_model *model;
    struct provider provider;
    struct executor *executor;
    struct arena arena;         /* life of the session */
    struct arena run_arena;     /* life of a run: its inputs */
    int64_t n_vocab;            /* of the logits; 0 before the first run of a model that does not say */
    int64_t n_context_tokens;   /* capacity of a sequence */
    struct paged_layout layout;
    struct kv_cache *kv_cache;  /* NULL: caches are not in blocks, each sequence has its own */
    struct paged_batch *batch;  /* likewise */
    struct prefix_cache *prefixes;     /* NULL: no text begins with what another left */
    struct cache_folder *cache_folder; /* the same on disk; NULL: not there */
    uint32_t *prefix_blocks;           /* room for those of a text's beginning */
    struct sequence *spare_sequences;
    size_t n_sequences;         /* there are, spare ones among them */
    struct decoder *decoders;   /* of sequences whose caches are not in blocks */
    uint64_t max_memory_bytes;  /* that it may take; 0: what the machine has left */
    struct sequence *sequence;  /* of hob_session_append and its kind; NULL for what is no decoder */
    const float *logits;        /* of its last position; NULL before any */
    struct batch_entry *entries; /* room for a step of generations */
    size_t n_reserved_entries;
};

/* Room for n_entries in session->entries; what stood there is lost. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status session_reserve_entries(struct hob_session *session, size_t n_entries, hob_error *error);
/* Of a session that has its executor and its layout, and no caches yet. n_cache_tokens 0: one text's. */
HOB_MUST_CHECK hob_status session_forecast(struct hob_session *session, const hob_session_options *options, hob_memory_forecast *ret_forecast,
                                           hob_error *error);
/* Fails: HOB_LIMIT, with the numbers. */
HOB_MUST_CHECK hob_status session_check_memory(const hob_memory_forecast *forecast, hob_error *error);
/* Whether a text of n_tokens, of which n_shared are there already, can have its caches, once others have given up theirs. Fails: HOB_LIMIT,
 * with the numbers. */
HOB_MUST_CHECK hob_status session_check_room(const struct hob_session *session, int64_t n_tokens, int64_t n_shared, hob_error *error);
/* The executor, and the layout of blocks where the graph's caches can lie in such. Fails: HOB_BAD_ARGUMENT, HOB_UNSUPPORTED (a type that
 * caches cannot have), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status session_open_executor(struct hob_session *session, const hob_session_options *options, hob_error *error);
/* Then the pool of blocks, as large as memory lasts, and what is kept of texts. Fails: HOB_BAD_ARGUMENT, HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status session_open_caches(struct hob_session *session, const hob_session_options *options,
                                              const hob_memory_forecast *forecast, hob_error *error);

/* The buffer for input i: an integer (or bool, or float) tensor of that declared type and of [n] or [1,n], filled with
 * start, start+step, …. Lives in arena. */
HOB_MUST_CHECK hob_status session_fill_input(struct hob_session *session, uint32_t i, struct arena *arena, int64_t n, int64_t start,
                                             int64_t step, struct tensor *ret_tensor, hob_error *error);
/* start, start+step, … into items [first, first + n) of such an input. */
void session_fill_items(struct tensor *tensor, int64_t first, int64_t n, int64_t start, int64_t step);
/* ids into an input that session_fill_input made, from item `first` on. */
void session_copy_ids(const int32_t *ids, int64_t n_ids, int64_t first, struct tensor *tensor);

/* The last rows of what a run gave as logits: one for each position, or for those that were asked for. */
struct logit_rows {
    const struct tensor *tensor;
    int64_t first;
    const float *as_is; /* [n_rows, n_vocab] where they lie so; NULL: to be copied */
};
/* Fails: HOB_BAD_TYPE, HOB_BAD_SHAPE. */
HOB_MUST_CHECK hob_status session_read_logits(struct hob_session *session, const struct executor *executor, int64_t n_rows,
                                              struct logit_rows *ret_rows, hob_error *error);
/* Row `row` as f32: models in half precision give halves, samplers want f32. */
void logit_rows_copy(const struct hob_session *session, const struct logit_rows *rows, int64_t row, float *ret_logits);

#endif
