/* The loader's thread: opens what is wanted, one model at a time, makes room for it, closes what nobody needs, tries again what failed. */
#include "server/models/registry_parts.h"

#include "base/clock.h"

#include <errno.h>

enum { MOST_BACKOFF_S = 60 };
static const uint64_t SECOND_NS = UINT64_C(1000000000);

static void tell_change(const struct model_registry *registry)
{
    if (registry->on_change) registry->on_change(registry->context);
}

static void lock(struct model_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
}

static void unlock(struct model_registry *registry)
{
    pthread_mutex_unlock(&registry->lock);
}

/* ---- closing; the lock is held and given up meanwhile ---- */

static bool close_let_go(struct model_registry *registry)
{
    struct open_model *open = registry->let_go;
    if (!open) return false;
    registry->let_go = open->next;
    unlock(registry);
    open_model_close(open);
    tell_change(registry);
    lock(registry);
    return true;
}

static bool is_expired(const struct open_model *open, uint64_t now_ns)
{
    bool is_pinned = open->entry && open->entry->spec.is_pinned, is_listed = open->entry && open->entry->is_listed;
    if (open->n_users || is_pinned) return false;
    return !is_listed || (open->expires_ns && open->expires_ns <= now_ns);
}

static bool let_expired_go(struct model_registry *registry, uint64_t now_ns)
{
    for (struct open_model *open = registry->open_models; open; open = open->next) {
        if (!is_expired(open, now_ns)) continue;
        open_models_let_go(registry, open);
        return true;
    }
    return false;
}

/* ---- room ---- */

static void evict(struct model_registry *registry, struct open_model *open)
{
    open->entry->n_evictions++;
    open_models_let_go(registry, open);
}

/* false: nothing more can go, now or later. A model that is in use goes when those who have it are done; who asks for it from then on
 * waits for it to be opened again, so that a busy model does not keep another one out for ever. */
static bool make_room(struct model_registry *registry)
{
    while (!registry->is_stopping) {
        struct open_model *idle = open_models_oldest(registry, false), *busy = open_models_oldest(registry, true);
        if (idle) evict(registry, idle);
        if (registry->let_go) {
            while (close_let_go(registry)) {}
            return true;
        }
        bool is_any_leaving = open_models_is_any_leaving(registry);
        if (!is_any_leaving && !busy) return false;
        if (!is_any_leaving) evict(registry, busy);
        pthread_cond_wait(&registry->changed, &registry->lock);
    }
    return false;
}

static bool is_full(const struct model_registry *registry)
{
    return registry->settings.max_models && open_models_count(registry) >= registry->settings.max_models;
}

/* What a model that is being opened may take in all. */
static uint64_t room_bytes(const struct model_registry *registry)
{
    uint64_t most = registry->settings.max_bytes, taken = open_models_bytes(registry);
    if (!most) return UINT64_MAX;
    return most > taken + 1 ? most - taken : 1;
}

/* ---- opening ---- */

static void set_progress(void *context, double fraction)
{
    struct model_entry *entry = context;
    atomic_store_explicit(&entry->progress, (unsigned)(fraction * 1000), memory_order_relaxed);
}

/* Tries until it is open, or nothing more can be done. The lock is held and given up meanwhile. */
static hob_status open_wanted(struct model_registry *registry, struct opening *opening, hob_error *error)
{
    while (!registry->is_stopping) {
        bool is_short = false;
        hob_status status = HOB_LIMIT;
        if (!is_full(registry)) {
            uint64_t n_bytes = room_bytes(registry);
            unlock(registry);
            status = opening_try(opening, n_bytes, &is_short, error);
            lock(registry);
        } else {
            is_short = true;
            snprintf(error->message, sizeof error->message, "%zu models are open, as many as memory.max_models allows, and none of them may go",
                     registry->settings.max_models);
        }
        if (status == HOB_OK || !is_short || !make_room(registry)) return status;
    }
    return HOB_CANCELLED;
}

static enum problem_kind kind_of(hob_status status)
{
    if (status == HOB_LIMIT || status == HOB_NO_MEMORY) return PROBLEM_NO_MEMORY;
    if (status == HOB_NOT_FOUND) return PROBLEM_NO_MODEL;
    return status == HOB_UNSUPPORTED ? PROBLEM_UNSUPPORTED : PROBLEM_INTERNAL;
}

static void note_failure(struct model_entry *entry, hob_status status, const char *message)
{
    entry->backoff_s = entry->backoff_s ? entry->backoff_s * 2 : 1;
    if (entry->backoff_s > MOST_BACKOFF_S) entry->backoff_s = MOST_BACKOFF_S;
    problem_set(&entry->problem, kind_of(status), "model %s cannot be opened: %s", entry->spec.name, message);
    entry->retry_ns = clock_now_ns() + entry->backoff_s * SECOND_NS;
    entry->state = MODEL_FAILED;
    entry->n_failures++;
}

/* Texts of an info live as long as its model; these stay. */
static void note_info(struct model_registry *registry, struct model_entry *entry, const hob_model_info *info)
{
    if (entry->is_known) return;
    entry->info = *info;
    entry->info.architecture = arena_copy_string(&registry->arena, info->architecture, strlen(info->architecture));
    entry->info.format = arena_copy_string(&registry->arena, info->format, strlen(info->format));
    entry->is_known = entry->info.architecture && entry->info.format;
}

static void note_open(struct model_registry *registry, struct model_entry *entry, struct opening *opening, uint64_t started_ns)
{
    entry->open = open_models_add(registry, entry, opening, started_ns);
    if (!entry->open) {
        note_failure(entry, HOB_IO, "its chat template cannot be read");
        return;
    }
    entry->state = MODEL_READY;
    entry->n_loads++;
    entry->backoff_s = 0;
    note_info(registry, entry, &entry->open->loaded.info);
}

static void open_entry(struct model_registry *registry, struct model_entry *entry)
{
    hob_error error = {0};
    struct model_spec spec = entry->spec; /* a new configuration may come meanwhile */
    struct open_settings settings = registry->settings.open;
    struct opening opening = {.spec = &spec, .settings = &settings, .progress = set_progress, .context = entry};
    uint64_t started_ns = clock_now_ns();
    atomic_store_explicit(&entry->progress, 0, memory_order_relaxed);
    hob_status status = open_wanted(registry, &opening, &error);
    if (status == HOB_OK) note_open(registry, entry, &opening, started_ns);
    else note_failure(entry, status, error.message);
    unlock(registry);
    opening_release(&opening);
    tell_change(registry);
    lock(registry);
}

/* ---- what to do ---- */

static void want_pinned(struct model_registry *registry, uint64_t now_ns)
{
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next) {
        bool may_be_tried = entry->state == MODEL_COLD || (entry->state == MODEL_FAILED && entry->retry_ns <= now_ns);
        if (!entry->is_listed || !entry->spec.is_pinned || !may_be_tried) continue;
        entry->state = MODEL_LOADING;
        entry->wanted_order = ++registry->n_wanted;
    }
}

static struct model_entry *first_wanted(const struct model_registry *registry)
{
    struct model_entry *first = NULL;
    for (struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->state == MODEL_LOADING && (!first || entry->wanted_order < first->wanted_order)) first = entry;
    return first;
}

static void sooner(uint64_t *time_ns, uint64_t other_ns)
{
    if (other_ns && other_ns < *time_ns) *time_ns = other_ns;
}

/* When something happens by itself. */
static uint64_t next_time(const struct model_registry *registry)
{
    uint64_t time_ns = UINT64_MAX;
    for (const struct open_model *open = registry->open_models; open; open = open->next)
        if (!open->n_users && !(open->entry && open->entry->spec.is_pinned)) sooner(&time_ns, open->expires_ns);
    for (const struct model_entry *entry = registry->entries; entry; entry = entry->next)
        if (entry->state == MODEL_FAILED && entry->is_listed && entry->spec.is_pinned) sooner(&time_ns, entry->retry_ns);
    return time_ns;
}

static void wait_until(struct model_registry *registry, uint64_t time_ns)
{
    if (time_ns == UINT64_MAX) {
        pthread_cond_wait(&registry->changed, &registry->lock);
        return;
    }
    struct timespec time = {.tv_sec = (time_t)(time_ns / SECOND_NS), .tv_nsec = (long)(time_ns % SECOND_NS)};
    int ignored = pthread_cond_timedwait(&registry->changed, &registry->lock, &time);
    (void)ignored; /* whatever woke us, everything is looked at again */
}

void *loader_run(void *context)
{
    struct model_registry *registry = context;
    lock(registry);
    while (!registry->is_stopping) {
        uint64_t now_ns = clock_now_ns();
        if (let_expired_go(registry, now_ns) || close_let_go(registry)) continue;
        want_pinned(registry, now_ns);
        struct model_entry *wanted = first_wanted(registry);
        if (wanted) open_entry(registry, wanted);
        else wait_until(registry, next_time(registry));
    }
    unlock(registry);
    return NULL;
}
