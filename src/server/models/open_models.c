/* Models that are open: counted, in bytes too, and let go by when they were used last. */
#include "server/models/registry_parts.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"

enum { MOST_TEMPLATE_BYTES = 4 << 20 };

/* A template is the name of one that comes with hob, or a file. */
static bool read_template(struct open_model *open, const struct model_spec *spec)
{
    struct buffer text = {.cap_bytes = MOST_TEMPLATE_BYTES};
    char bytes[4096];
    size_t n_bytes;
    if (!spec->chat_template) return true;
    if (!strchr(spec->chat_template, '/')) {
        open->loaded.chat_template_name = spec->chat_template;
        return true;
    }
    FILE *file = fopen(spec->chat_template, "re");
    while (file && (n_bytes = fread(bytes, 1, sizeof bytes, file)) > 0) buffer_append(&text, bytes, n_bytes);
    bool is_read = file && !ferror(file) && !text.is_failed;
    if (file) fclose(file);
    if (is_read) open->chat_template = memory_copy_string(buffer_text(&text));
    open->loaded.chat_template = open->chat_template;
    buffer_release(&text);
    return open->chat_template != NULL;
}

static void set_digest(struct open_model *open, const struct model_file *file, const struct opening *opening)
{
    struct buffer text = {0};
    buffer_append(&text, file->digest, sizeof file->digest);
    buffer_printf(&text, "%s\n%zu\n%s\n%s", opening->quant ? opening->quant : "", open->loaded.n_context_tokens,
                  opening->spec->cache_type ? opening->spec->cache_type : "", open->chat_template ? open->chat_template : "");
    if (opening->spec->chat_template) buffer_append_string(&text, opening->spec->chat_template);
    sha256_of(buffer_text(&text), text.n_bytes, open->loaded.digest);
    buffer_release(&text);
}

static void take_opened(struct open_model *open, struct opening *opening)
{
    open->main = opening->main;
    open->draft = opening->draft;
    open->memory_bytes = opening_memory_bytes(opening);
    open->loaded.model = open->main.model;
    open->loaded.session = open->main.session;
    open->loaded.draft_session = open->draft.session;
    open->loaded.info = hob_model_get_info(open->main.model);
    bool is_decoder = open->loaded.info.kind == HOB_MODEL_DECODER;
    open->loaded.n_context_tokens = is_decoder ? hob_session_n_context_tokens(open->main.session) : (size_t)open->loaded.info.n_context;
    atomic_init(&open->session_bytes, hob_session_get_memory(open->main.session).total_bytes);
    opening->main = opening->draft = (struct opened_model){0};
}

struct open_model *open_models_add(struct model_registry *registry, struct model_entry *entry, struct opening *opening, uint64_t opened_ns)
{
    struct model_file file = {0};
    struct open_model *open = memory_new(1, sizeof *open);
    if (!open || !read_template(open, opening->spec)) {
        memory_free(open);
        return NULL;
    }
    bool is_there = model_file_look(opening->spec->path, &file);
    (void)is_there; /* it went while it was opened: its digest is that of nothing */
    open->loaded.name = entry->spec.name;
    open->loaded.path = opening->spec->path;
    open->loaded.place = open;
    take_opened(open, opening);
    set_digest(open, &file, opening);
    open->loaded.opened_ns = open->used_ns = clock_now_ns();
    open->loaded.load_ms = (double)(open->used_ns - opened_ns) / 1e6;
    open->expires_ns = registry->settings.keep_alive_ns ? open->used_ns + registry->settings.keep_alive_ns : 0;
    open->entry = entry;
    open->next = registry->open_models;
    registry->open_models = open;
    return open;
}

static void unlink_open(struct model_registry *registry, const struct open_model *open)
{
    struct open_model **at = &registry->open_models;
    while (*at != open) at = &(*at)->next;
    *at = open->next;
}

/* Of models with users the link goes with the last of them. */
void open_models_let_go(struct model_registry *registry, struct open_model *open)
{
    if (open->entry) {
        open->entry->open = NULL;
        open->entry->state = MODEL_COLD;
        open->entry = NULL;
    }
    if (open->n_users) return;
    unlink_open(registry, open);
    open->next = registry->let_go;
    registry->let_go = open;
    pthread_cond_broadcast(&registry->changed);
}

uint64_t open_model_bytes(const struct open_model *open)
{
    hob_model_memory memory = hob_model_get_memory(open->main.model);
    uint64_t n_bytes = memory.weights_bytes + memory.tokenizer_bytes + atomic_load_explicit(&open->session_bytes, memory_order_relaxed);
    if (open->draft.model) {
        memory = hob_model_get_memory(open->draft.model);
        n_bytes += memory.weights_bytes + memory.tokenizer_bytes;
    }
    return n_bytes;
}

/* A decoder may take what it was promised at any time; of an encoder what it takes is known when it takes it. */
uint64_t open_models_bytes(const struct model_registry *registry)
{
    uint64_t n_bytes = 0;
    for (const struct open_model *open = registry->open_models; open; open = open->next) {
        uint64_t n_now = open_model_bytes(open);
        n_bytes += n_now > open->memory_bytes ? n_now : open->memory_bytes;
    }
    return n_bytes;
}

size_t open_models_count(const struct model_registry *registry)
{
    size_t n = 0;
    for (const struct open_model *open = registry->open_models; open; open = open->next) n++;
    return n;
}

struct open_model *open_models_oldest(const struct model_registry *registry, bool has_users)
{
    struct open_model *oldest = NULL;
    for (struct open_model *open = registry->open_models; open; open = open->next) {
        if (!open->entry || open->entry->spec.is_pinned || (open->n_users > 0) != has_users) continue;
        if (!oldest || open->used_ns < oldest->used_ns) oldest = open;
    }
    return oldest;
}

bool open_models_is_any_leaving(const struct model_registry *registry)
{
    const struct open_model *open = registry->open_models;
    while (open && open->entry) open = open->next;
    return open != NULL;
}

void open_model_close(struct open_model *open)
{
    opened_model_release(&open->draft);
    opened_model_release(&open->main);
    memory_free(open->chat_template);
    memory_free(open);
}
