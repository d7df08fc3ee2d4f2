/* Weights first, then the session, then those of the model that makes drafts; each is refused by the library before it takes the memory.
 *
 * What the configuration says for all models need not be possible for each: a cache of prefixes, a type of cache and a quantization that
 * a model cannot have are left out, with a line in the log. */
#include "server/models/model_open.h"

#include "base/error.h"
#include "base/log.h"

enum { PREFIX_CACHE_PART = 4 }; /* one in so many bytes of a bounded room: a cache must not keep its model out */

static bool ends_with(const char *text, const char *ending)
{
    size_t n_text = strlen(text), n_ending = strlen(ending);
    return n_text >= n_ending && !strcmp(text + n_text - n_ending, ending);
}

static void tell_progress(void *context, const char *what, double fraction)
{
    (void)what;
    const struct opening *opening = context;
    if (opening->progress) opening->progress(opening->context, fraction);
}

/* ---- weights ---- */

static hob_status open_weights(struct opening *opening, const char *path, const char *quant, uint64_t room_bytes, hob_model **ret_model,
                               hob_error *error)
{
    hob_model_options options = {.n_threads = opening->settings->n_threads,
                                 .max_memory_bytes = room_bytes == UINT64_MAX ? 0 : room_bytes,
                                 .quant = quant,
                                 .progress = tell_progress,
                                 .progress_context = opening};
    return hob_model_open(path, &options, ret_model, error);
}

/* Packs are laid out already, and what is not known to be an encoder or a decoder has to be looked at first. */
static hob_status choose_quant(struct opening *opening, uint64_t room_bytes, hob_error *error)
{
    const struct model_spec *spec = opening->spec;
    hob_model *model;
    bool is_encoder = spec->kind == CONFIG_MODEL_ENCODER || spec->kind == CONFIG_MODEL_RERANKER;
    if (opening->has_chosen_quant) return HOB_OK;
    if (!spec->quantization || ends_with(spec->path, ".hob") || !config_quant(spec->quantization, is_encoder)) {
        opening->has_chosen_quant = true;
        return HOB_OK;
    }
    if (spec->kind == CONFIG_MODEL_ANY) {
        TRY(open_weights(opening, spec->path, NULL, room_bytes, &model, error));
        is_encoder = hob_model_get_info(model).kind != HOB_MODEL_DECODER;
        hob_model_free(model);
    }
    opening->quant = config_quant(spec->quantization, is_encoder);
    opening->has_chosen_quant = true;
    return HOB_OK;
}

static bool is_memory(hob_status status)
{
    return status == HOB_LIMIT || status == HOB_NO_MEMORY;
}

static hob_status open_model(struct opening *opening, uint64_t room_bytes, bool *ret_is_short, hob_error *error)
{
    const struct model_spec *spec = opening->spec;
    hob_status status = choose_quant(opening, room_bytes, error);
    if (status == HOB_OK) status = open_weights(opening, spec->path, opening->quant, room_bytes, &opening->main.model, error);
    if (status != HOB_OK && opening->quant && !is_memory(status) && status != HOB_NOT_FOUND) {
        log_write(LOG_WARNING, "model %s: not quantised to %s: %s", spec->name, opening->quant, error->message);
        opening->quant = NULL;
        status = open_weights(opening, spec->path, NULL, room_bytes, &opening->main.model, error);
    }
    *ret_is_short = is_memory(status);
    return status;
}

/* ---- sessions ---- */

static size_t context_of(const struct model_spec *spec, const hob_model *model)
{
    hob_model_info info = hob_model_get_info(model);
    if (info.kind != HOB_MODEL_DECODER) return 0;
    bool is_longer = info.n_context > 0 && spec->n_context_tokens > (size_t)info.n_context;
    return is_longer ? (size_t)info.n_context : spec->n_context_tokens;
}

static uint64_t at_most(uint64_t n_bytes, uint64_t most_bytes)
{
    return n_bytes < most_bytes ? n_bytes : most_bytes;
}

static hob_session_options session_options(const struct opening *opening, const hob_model *model, uint64_t room_bytes)
{
    const struct model_spec *spec = opening->spec;
    const struct open_settings *settings = opening->settings;
    hob_session_options options = {.n_threads = settings->n_threads};
    if (hob_model_get_info(model).kind != HOB_MODEL_DECODER) return options;
    options.n_context_tokens = (int64_t)context_of(spec, model);
    options.cache_type = spec->cache_type;
    options.n_cache_tokens = (int64_t)spec->n_cache_tokens;
    options.prefix_cache_bytes = at_most(settings->prefix_cache_bytes, room_bytes / PREFIX_CACHE_PART);
    options.cache_folder = settings->prefix_cache_folder;
    options.cache_folder_bytes = settings->prefix_cache_folder_bytes;
    options.max_memory_bytes = room_bytes == UINT64_MAX ? 0 : room_bytes;
    return options;
}

/* Takes away one thing more that the model may not be able to have; false: there is none left. */
static bool leave_out(hob_session_options *options)
{
    if (options->prefix_cache_bytes || options->cache_folder) {
        options->prefix_cache_bytes = 0;
        options->cache_folder = NULL;
        return true;
    }
    bool has_type = options->cache_type != NULL;
    options->cache_type = NULL;
    return has_type;
}

static bool is_refused(hob_status status)
{
    return status == HOB_UNSUPPORTED || status == HOB_BAD_ARGUMENT;
}

/* Encoders have no forecast: what they take is what their texts take. */
static hob_status check_room(hob_model *model, const hob_session_options *options, uint64_t *ret_needed_bytes, bool *ret_is_short, hob_error *error)
{
    hob_memory_forecast forecast;
    if (hob_model_get_info(model).kind != HOB_MODEL_DECODER) return HOB_OK;
    TRY(hob_forecast_memory(model, options, &forecast, error));
    *ret_needed_bytes = forecast.needed_bytes;
    *ret_is_short = forecast.needed_bytes > forecast.available_bytes;
    return HOB_OK;
}

static uint64_t memory_of(const struct opened_model *opened, uint64_t needed_bytes)
{
    hob_model_memory model = hob_model_get_memory(opened->model);
    hob_session_memory session = hob_session_get_memory(opened->session);
    uint64_t full_bytes = session.total_bytes - session.cache_bytes + session.cache_most_bytes;
    return model.weights_bytes + model.tokenizer_bytes + (full_bytes > needed_bytes ? full_bytes : needed_bytes);
}

/* Which took what it takes without a forecast. */
static hob_status check_encoder(struct opened_model *opened, uint64_t room_bytes, bool *ret_is_short, hob_error *error)
{
    uint64_t n_bytes = hob_session_get_memory(opened->session).total_bytes;
    if (hob_model_get_info(opened->model).kind == HOB_MODEL_DECODER || n_bytes <= room_bytes) return HOB_OK;
    hob_session_free(opened->session);
    opened->session = NULL;
    *ret_is_short = true;
    FAIL(error, HOB_LIMIT, "memory: its texts need %.1f MiB, found %.1f MiB available", (double)n_bytes / (1 << 20), (double)room_bytes / (1 << 20));
}

static hob_status open_session(const struct opening *opening, struct opened_model *opened, uint64_t room_bytes, bool *ret_is_short, hob_error *error)
{
    hob_session_options options = session_options(opening, opened->model, room_bytes);
    uint64_t needed_bytes = 0;
    hob_status status;
    do {
        *ret_is_short = false;
        status = check_room(opened->model, &options, &needed_bytes, ret_is_short, error);
        if (status == HOB_OK) status = hob_session_new(opened->model, &options, &opened->session, error);
    } while (is_refused(status) && leave_out(&options));
    if (status != HOB_OK) {
        *ret_is_short = *ret_is_short || status == HOB_NO_MEMORY;
        return status;
    }
    opened->memory_bytes = memory_of(opened, needed_bytes);
    return check_encoder(opened, room_bytes, ret_is_short, error);
}

/* ---- the whole ---- */

static uint64_t weights_bytes(const struct opened_model *opened)
{
    return opened->model ? hob_model_get_memory(opened->model).weights_bytes : 0;
}

static uint64_t minus(uint64_t room_bytes, uint64_t n_bytes)
{
    if (room_bytes == UINT64_MAX) return room_bytes;
    return room_bytes > n_bytes + 1 ? room_bytes - n_bytes : 1; /* 0 would be no bound */
}

uint64_t opening_memory_bytes(const struct opening *opening)
{
    uint64_t main_bytes = opening->main.session ? opening->main.memory_bytes : weights_bytes(&opening->main);
    return main_bytes + (opening->draft.session ? opening->draft.memory_bytes : weights_bytes(&opening->draft));
}

static hob_status open_draft(struct opening *opening, uint64_t room_bytes, bool *ret_is_short, hob_error *error)
{
    const char *path = opening->spec->draft_model_path;
    if (!path || opening->draft.session || hob_model_get_info(opening->main.model).kind != HOB_MODEL_DECODER) return HOB_OK;
    if (!opening->draft.model) {
        hob_status status = open_weights(opening, path, NULL, minus(room_bytes, opening_memory_bytes(opening)), &opening->draft.model, error);
        *ret_is_short = is_memory(status);
        TRY(status);
    }
    return open_session(opening, &opening->draft, minus(room_bytes, opening_memory_bytes(opening)), ret_is_short, error);
}

hob_status opening_try(struct opening *opening, uint64_t room_bytes, bool *ret_is_short, hob_error *error)
{
    *ret_is_short = false;
    if (!opening->main.model) TRY(open_model(opening, room_bytes, ret_is_short, error));
    if (!opening->main.session)
        TRY(open_session(opening, &opening->main, minus(room_bytes, weights_bytes(&opening->main)), ret_is_short, error));
    return open_draft(opening, room_bytes, ret_is_short, error);
}

void opened_model_release(struct opened_model *opened)
{
    hob_session_free(opened->session);
    hob_model_free(opened->model);
    *opened = (struct opened_model){0};
}

void opening_release(struct opening *opening)
{
    opened_model_release(&opening->draft);
    opened_model_release(&opening->main);
}
