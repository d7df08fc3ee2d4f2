/* What the registry's files share: the models by name, those that are open, and the lock over all of it.
 *
 * A name's entry stays as long as the registry, so that names may be kept. An open model belongs to its entry until it is let go, and
 * then to nobody: it is closed when its last user is gone. Everything is the lock's but what a model's users do with it. */
#ifndef SERVER_REGISTRY_PARTS_H
#define SERVER_REGISTRY_PARTS_H

#include "server/models/model_file.h"
#include "server/models/model_open.h"

#include <pthread.h>
#include <stdatomic.h>

struct model_entry;

struct open_model {
    struct loaded_model loaded; /* first */
    struct model_entry *entry;  /* NULL: let go */
    struct opened_model main, draft;
    char *chat_template; /* loaded.chat_template's text, where it is a file's */
    size_t n_users;
    uint64_t used_ns, expires_ns; /* 0: never */
    uint64_t memory_bytes;        /* it may take in the end */
    _Atomic uint64_t session_bytes; /* it takes now */
    struct open_model *next;
};

struct model_entry {
    struct model_spec spec;
    bool is_listed;      /* a name of now */
    bool is_from_folder;
    bool is_seen;        /* by the look at the folder under way */
    enum model_state state;
    struct problem problem; /* MODEL_FAILED: why */
    uint64_t retry_ns;      /* not before */
    unsigned backoff_s;
    uint64_t wanted_order;  /* MODEL_LOADING: the lowest goes first */
    atomic_uint progress;   /* per mille */
    uint64_t n_loads, n_failures, n_evictions;
    struct open_model *open; /* MODEL_READY */
    bool is_known;           /* it was open once: */
    hob_model_info info;     /* texts in the registry's arena */
    struct model_entry *next;
};

/* Copies of what the configuration says; texts in the registry's arena. */
struct registry_settings {
    struct open_settings open;
    uint64_t max_bytes;
    size_t max_models;
    uint64_t keep_alive_ns; /* 0: for ever */
    const char *models_folder;
};

struct model_registry {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* work for the loader, or room */
    pthread_t loader;
    bool has_loader, is_stopping;
    struct arena arena;     /* names and specs */
    struct registry_settings settings;
    struct model_entry *entries; /* those of the configuration first, in its order */
    struct open_model *open_models;
    struct open_model *let_go; /* without users, to be closed by the loader */
    uint64_t n_wanted, looked_ns;
    void (*on_change)(void *context);
    void *context;
};

/* ---- entries (model_entries.c); the lock is held ---- */
bool entries_read(struct model_registry *registry, const struct config *config);
/* NULL: no such model. The folder is looked at again, at most once a second. */
struct model_entry *entries_find(struct model_registry *registry, const char *name);
struct model_entry *entries_default(struct model_registry *registry, enum model_use use);

/* ---- open models (open_models.c); the lock is held ---- */
struct open_model *open_models_add(struct model_registry *registry, struct model_entry *entry, struct opening *opening, uint64_t opened_ns);
/* Takes it from its entry; it goes when it has no users. */
void open_models_let_go(struct model_registry *registry, struct open_model *open);
/* What it takes now. */
uint64_t open_model_bytes(const struct open_model *open);
uint64_t open_models_bytes(const struct model_registry *registry);
size_t open_models_count(const struct model_registry *registry);
/* Of those that are not pinned the one used longest ago, of those with users or those without; NULL: none. */
struct open_model *open_models_oldest(const struct model_registry *registry, bool has_users);
/* Whether one was let go that still has users. */
bool open_models_is_any_leaving(const struct model_registry *registry);
void open_model_close(struct open_model *open); /* without the lock */

/* ---- the loader (loader.c) ---- */
void *loader_run(void *registry);

#endif
