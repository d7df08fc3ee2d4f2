/* The models the daemon serves, by name: opened in the background when they are wanted, given up when memory is.
 *
 * Names come from the configuration and from the models folder; no request can name a path. A model that is loaded has one session,
 * which is the engine thread's; its bytes are counted exactly, and the one used longest ago goes when another needs the room, pinned
 * ones and those in use excepted. Thread-safe unless said otherwise.
 *
 *     model_registry_acquire(registry, "qwen", KIND, &loaded, &problem)      → MODEL_READY: a reference; MODEL_LOADING: ask again on change
 *     loaded->model …                                                        any thread
 *     loaded->session …                                                      the engine's thread
 *     model_registry_release(registry, loaded, keep_alive_s);
 */
#ifndef SERVER_MODEL_REGISTRY_H
#define SERVER_MODEL_REGISTRY_H

#include "config/config.h"
#include "hob/hob.h"
#include "server/problem.h"

struct model_registry;

enum model_state { MODEL_COLD, MODEL_LOADING, MODEL_READY, MODEL_FAILED };

/* What a model is wanted for: which default a request without a name gets, and what is refused. */
enum model_use { USE_GENERATE, USE_EMBED, USE_RERANK, USE_ANY };

/* An open model. Lives while somebody holds a reference. */
struct loaded_model {
    const char *name, *path;
    hob_model *model;
    hob_model_info info;
    hob_session *session;       /* the engine's thread alone */
    hob_session *draft_session; /* or NULL */
    size_t n_context_tokens;    /* of the session; any thread */
    const void *session_user;   /* whose text is in the session's own cache; the engine's thread */
    uint64_t steps_passed[2], last_step[2], seen_step[2], noted_ns; /* the scheduler's: of generations, of other work */
    const char *chat_template;  /* configured: Jinja text; NULL: the model's own */
    const char *chat_template_name;
    unsigned char digest[32];   /* of the file and how it was opened: path, size, time of change, options; part of cached results' keys */
    uint64_t opened_ns;
    double load_ms;
    void *place;                /* the registry's own */
};

/* What /v1/models, /api/tags, hob ps and /metrics show; texts live as long as the snapshot. */
struct model_status {
    const char *name, *path, *architecture, *format, *quant, *problem;
    const char *const *aliases;
    size_t n_aliases;
    enum model_state state;
    hob_model_kind kind;
    bool is_kind_known, is_pinned;
    uint64_t file_bytes, memory_bytes, mapped_bytes; /* memory: exact, of weights of its own, caches, activations */
    int64_t modified_s, n_context, n_vocab, width;
    int64_t expires_s;          /* unix time; 0: not loaded, or never */
    double progress, load_ms;   /* of loading, 0 to 1 */
    uint64_t n_loads, n_failures, n_evictions; /* since the daemon's start */
    size_t n_users;
};

struct model_list {
    struct model_status *models;
    size_t n_models;
    uint64_t memory_bytes, max_memory_bytes;
    struct arena *arena;
};

/* on_change: called from the loader's thread when a model became ready, failed or went. */
HOB_MUST_CHECK hob_status model_registry_new(const struct config *config, void (*on_change)(void *context), void *context,
                                             struct model_registry **ret_registry, hob_error *error);
void model_registry_free(struct model_registry *registry); /* stops the loader; takes NULL */
/* A new configuration: models that are not named any more go when they are idle, new ones come; what is open stays open. */
HOB_MUST_CHECK hob_status model_registry_reload(struct model_registry *registry, const struct config *config, hob_error *error);

/* name "": the default for that use. MODEL_READY: ret_model holds a reference. MODEL_LOADING: on its way (begun by this call where it was
 * cold, unless must_not_load). MODEL_FAILED: ret_problem says why (PROBLEM_NO_MODEL, PROBLEM_UNSUPPORTED: no model for that use, …). */
enum model_state model_registry_acquire(struct model_registry *registry, const char *name, enum model_use use, bool must_not_load,
                                        struct loaded_model **ret_model, struct problem *ret_problem);
/* keep_alive_s INT64_MIN: as configured; 0: it goes now; negative: it stays. */
void model_registry_release(struct model_registry *registry, struct loaded_model *model, int64_t keep_alive_s);
/* Whether all pinned models are ready (or there are none); MODEL_FAILED: one cannot be opened, and why. For /health. */
enum model_state model_registry_health(struct model_registry *registry, struct problem *ret_problem, double *ret_progress);
/* What a model's session has taken by now, for model_registry_list: by the engine's thread, now and then. */
void model_registry_note_memory(struct model_registry *registry, struct loaded_model *model);
/* Sessions give memory that they do not use back to the system: by the engine's thread, when it has had nothing to do for a while. */
void model_registry_trim(struct model_registry *registry);
/* Copies; free with model_list_free. NULL: memory is out. */
struct model_list *model_registry_list(struct model_registry *registry);
void model_list_free(struct model_list *list); /* takes NULL */
/* Whether there is a model of that name or alias ("name:latest" is "name"); its own name, static while the registry lives; else NULL. */
const char *model_registry_find(struct model_registry *registry, const char *name);
/* The name of the model that a request without one gets; NULL: there is none. As long as the registry. */
const char *model_registry_default(struct model_registry *registry, enum model_use use);

#endif
