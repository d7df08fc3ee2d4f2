#include "server/models/model_registry.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/models/registry_parts.h"

static const uint64_t SECOND_NS = UINT64_C(1000000000);

/* ---- life ---- */

static bool start_loader(struct model_registry *registry)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* clock_now_ns's */
    pthread_mutex_init(&registry->lock, NULL);
    pthread_cond_init(&registry->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    registry->has_loader = pthread_create(&registry->loader, NULL, loader_run, registry) == 0;
    return registry->has_loader;
}

hob_status model_registry_new(const struct config *config, void (*on_change)(void *context), void *context, struct model_registry **ret_registry,
                              hob_error *error)
{
    struct model_registry *registry = memory_new(1, sizeof *registry);
    if (!registry) FAIL(error, HOB_NO_MEMORY, "models: out of memory");
    arena_init(&registry->arena, 8192);
    registry->on_change = on_change;
    registry->context = context;
    if (entries_read(registry, config) && start_loader(registry)) {
        *ret_registry = registry;
        return HOB_OK;
    }
    arena_release(&registry->arena);
    memory_free(registry);
    FAIL(error, HOB_NO_MEMORY, "models: no memory, or no thread to open them");
}

static void close_all(struct open_model *open)
{
    while (open) {
        struct open_model *next = open->next;
        open_model_close(open);
        open = next;
    }
}

void model_registry_free(struct model_registry *registry)
{
    if (!registry) return;
    pthread_mutex_lock(&registry->lock);
    registry->is_stopping = true;
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    pthread_join(registry->loader, NULL);
    close_all(registry->open_models);
    close_all(registry->let_go);
    pthread_cond_destroy(&registry->changed);
    pthread_mutex_destroy(&registry->lock);
    arena_release(&registry->arena);
    memory_free(registry);
}

hob_status model_registry_reload(struct model_registry *registry, const struct config *config, hob_error *error)
{
    pthread_mutex_lock(&registry->lock);
    bool is_read = entries_read(registry, config);
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    if (!is_read) FAIL(error, HOB_NO_MEMORY, "models: out of memory");
    return HOB_OK;
}

/* ---- references ---- */

static bool is_fit(hob_model_kind kind, enum model_use use)
{
    if (use == USE_ANY) return true;
    return kind == (use == USE_GENERATE ? HOB_MODEL_DECODER : use == USE_EMBED ? HOB_MODEL_ENCODER : HOB_MODEL_CLASSIFIER);
}

static bool refuse_use(const struct model_entry *entry, enum model_use use, struct problem *ret_problem)
{
    static const char *const uses[] = {[USE_GENERATE] = "generates text", [USE_EMBED] = "makes embeddings", [USE_RERANK] = "scores texts", [USE_ANY] = ""};
    static const char *const kinds[] = {[HOB_MODEL_GRAPH] = "a graph without a role",
                                        [HOB_MODEL_DECODER] = "a language model",
                                        [HOB_MODEL_ENCODER] = "an embedder",
                                        [HOB_MODEL_CLASSIFIER] = "a classifier"};
    return problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s is %s: found none that %s", entry->spec.name, kinds[entry->info.kind], uses[use]);
}

static bool refuse_name(const char *name, enum model_use use, struct problem *ret_problem)
{
    static const char *const kinds[] = {[USE_GENERATE] = "language model", [USE_EMBED] = "embedder", [USE_RERANK] = "reranker", [USE_ANY] = "model"};
    if (*name) return problem_set(ret_problem, PROBLEM_NO_MODEL, "model '%.200s' not found", name);
    return problem_set(ret_problem, PROBLEM_NO_MODEL, "no %s is configured", kinds[use]);
}

static unsigned seconds_until(uint64_t time_ns, uint64_t now_ns)
{
    return time_ns > now_ns ? (unsigned)((time_ns - now_ns + SECOND_NS - 1) / SECOND_NS) : 1;
}

/* Of a model that is not open. */
static enum model_state want(struct model_registry *registry, struct model_entry *entry, bool must_not_load, struct problem *ret_problem)
{
    uint64_t now_ns = clock_now_ns();
    if (entry->state == MODEL_FAILED && now_ns < entry->retry_ns) {
        *ret_problem = entry->problem;
        ret_problem->retry_after_s = seconds_until(entry->retry_ns, now_ns);
        return MODEL_FAILED;
    }
    if (must_not_load) {
        problem_set(ret_problem, PROBLEM_LOADING, "model %s is not loaded", entry->spec.name);
        return MODEL_FAILED;
    }
    if (entry->state != MODEL_LOADING) {
        entry->state = MODEL_LOADING;
        entry->wanted_order = ++registry->n_wanted;
        pthread_cond_broadcast(&registry->changed);
    }
    return MODEL_LOADING;
}

static enum model_state acquire(struct model_registry *registry, const char *name, enum model_use use, bool must_not_load,
                                struct loaded_model **ret_model, struct problem *ret_problem)
{
    struct model_entry *entry = *name ? entries_find(registry, name) : entries_default(registry, use);
    if (!entry) {
        refuse_name(name, use, ret_problem);
        return MODEL_FAILED;
    }
    if (entry->is_known && !is_fit(entry->info.kind, use)) {
        refuse_use(entry, use, ret_problem);
        return MODEL_FAILED;
    }
    if (!entry->open) return want(registry, entry, must_not_load, ret_problem);
    entry->open->n_users++;
    entry->open->used_ns = clock_now_ns();
    *ret_model = &entry->open->loaded;
    return MODEL_READY;
}

enum model_state model_registry_acquire(struct model_registry *registry, const char *name, enum model_use use, bool must_not_load,
                                        struct loaded_model **ret_model, struct problem *ret_problem)
{
    pthread_mutex_lock(&registry->lock);
    enum model_state state = acquire(registry, name, use, must_not_load, ret_model, ret_problem);
    pthread_mutex_unlock(&registry->lock);
    return state;
}

static uint64_t expiry(const struct model_registry *registry, int64_t keep_alive_s, uint64_t now_ns)
{
    if (keep_alive_s == INT64_MIN) return registry->settings.keep_alive_ns ? now_ns + registry->settings.keep_alive_ns : 0;
    if (keep_alive_s < 0 || keep_alive_s > INT32_MAX) return 0;
    return now_ns + (uint64_t)keep_alive_s * SECOND_NS;
}

void model_registry_release(struct model_registry *registry, struct loaded_model *model, int64_t keep_alive_s)
{
    struct open_model *open = model->place;
    pthread_mutex_lock(&registry->lock);
    open->n_users--;
    open->used_ns = clock_now_ns();
    open->expires_ns = expiry(registry, keep_alive_s, open->used_ns);
    if (!open->n_users) {
        if (!open->entry) open_models_let_go(registry, open);
        pthread_cond_broadcast(&registry->changed); /* somebody may wait for it to be free, and its end is another one */
    }
    pthread_mutex_unlock(&registry->lock);
}

void model_registry_note_memory(struct model_registry *registry, struct loaded_model *model)
{
    (void)registry;
    struct open_model *open = model->place;
    uint64_t n_bytes = hob_session_get_memory(model->session).total_bytes;
    if (model->draft_session) n_bytes += hob_session_get_memory(model->draft_session).total_bytes;
    atomic_store_explicit(&open->session_bytes, n_bytes, memory_order_relaxed);
}

/* The lock keeps the loader from closing one meanwhile. */
void model_registry_trim(struct model_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    for (struct open_model *open = registry->open_models; open; open = open->next) {
        hob_session_trim(open->loaded.session);
        if (open->loaded.draft_session) hob_session_trim(open->loaded.draft_session);
        model_registry_note_memory(registry, &open->loaded);
    }
    pthread_mutex_unlock(&registry->lock);
}

/* ---- questions ---- */

enum model_state model_registry_health(struct model_registry *registry, struct problem *ret_problem, double *ret_progress)
{
    enum model_state state = MODEL_READY;
    *ret_progress = 1;
    pthread_mutex_lock(&registry->lock);
    for (const struct model_entry *entry = registry->entries; entry; entry = entry->next) {
        if (!entry->is_listed || !entry->spec.is_pinned || entry->state == MODEL_READY) continue;
        double progress = atomic_load_explicit(&entry->progress, memory_order_relaxed) / 1000.0;
        if (entry->state != MODEL_FAILED && progress < *ret_progress) *ret_progress = progress;
        if (entry->state == MODEL_FAILED) *ret_problem = entry->problem;
        if (state != MODEL_FAILED) state = entry->state == MODEL_FAILED ? MODEL_FAILED : MODEL_LOADING;
    }
    pthread_mutex_unlock(&registry->lock);
    return state;
}

const char *model_registry_find(struct model_registry *registry, const char *name)
{
    pthread_mutex_lock(&registry->lock);
    const struct model_entry *entry = entries_find(registry, name);
    const char *own = entry ? entry->spec.name : NULL;
    pthread_mutex_unlock(&registry->lock);
    return own;
}

const char *model_registry_default(struct model_registry *registry, enum model_use use)
{
    pthread_mutex_lock(&registry->lock);
    struct model_entry *entry = entries_default(registry, use);
    const char *name = entry ? entry->spec.name : NULL;
    pthread_mutex_unlock(&registry->lock);
    return name;
}
