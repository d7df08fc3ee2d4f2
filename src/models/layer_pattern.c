#include "models/layer_pattern.h"

#include "base/error.h"

#include <string.h>

static hob_status new_flags(struct draft *d, bool **ret_flags, hob_error *error)
{
    bool *flags = ARENA_NEW(&d->builder.graph->arena, bool, (size_t)d->n_layers);
    if (!flags) FAIL(error, HOB_NO_MEMORY, "%s: %lld layers: out of memory", d->source->where, (long long)d->n_layers);
    *ret_flags = flags;
    return HOB_OK;
}

static hob_status check_length(const struct draft *d, enum model_key key, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    size_t n = model_source_n_items(d->source, key);
    if (n == (size_t)d->n_layers) return HOB_OK;
    FAIL(error, HOB_BAD_FILE, "%s: %s: found %zu items, expected one for each of %lld layers", d->source->where,
         model_source_key_name(d->source, key, name), n, (long long)d->n_layers);
}

static hob_status read_flags(const struct draft *d, enum model_key key, bool *flags, hob_error *error)
{
    TRY(check_length(d, key, error));
    for (size_t i = 0; i < (size_t)d->n_layers; i++) {
        double flag;
        TRY(model_source_item_float(d->source, key, i, &flag, error));
        flags[i] = flag != 0;
    }
    return HOB_OK;
}

static hob_status read_types(const struct draft *d, bool *is_windowed, hob_error *error)
{
    TRY(check_length(d, KEY_LAYER_TYPES, error));
    for (size_t i = 0; i < (size_t)d->n_layers; i++) {
        const char *type;
        TRY(model_source_item_text(d->source, KEY_LAYER_TYPES, i, &type, error));
        is_windowed[i] = !strcmp(type, "sliding_attention");
        if (!is_windowed[i] && strcmp(type, "full_attention"))
            FAIL(error, HOB_UNSUPPORTED,
                 "%s: layer_types: found \"%.64s\", expected sliding_attention or full_attention", d->source->where,
                 type);
    }
    return HOB_OK;
}

static hob_status find_windowed(const struct draft *d, const struct window_rule *rule, bool *is_windowed,
                                hob_error *error)
{
    int64_t period, first;
    if (model_source_n_items(d->source, KEY_LAYER_TYPES)) return read_types(d, is_windowed, error);
    if (model_source_n_items(d->source, KEY_WINDOW_PATTERN))
        return read_flags(d, KEY_WINDOW_PATTERN, is_windowed, error);
    TRY(model_source_int(d->source, KEY_WINDOW_PATTERN, rule->period, &period, error));
    TRY(model_source_int(d->source, KEY_WINDOW_FIRST_LAYER, 0, &first, error));
    for (int64_t i = first; i < d->n_layers; i++) is_windowed[i] = !period || (i + 1) % period;
    return HOB_OK;
}

hob_status layer_windows_read(struct draft *d, const struct window_rule *rule, struct layer_windows *ret_windows,
                              hob_error *error)
{
    struct layer_windows windows;
    bool is_on, *is_windowed;
    TRY(model_source_bool(d->source, KEY_USES_WINDOW, rule->is_on, &is_on, error));
    TRY(model_source_int(d->source, KEY_WINDOW, 0, &windows.width, error));
    TRY(new_flags(d, &is_windowed, error));
    if (is_on) TRY(find_windowed(d, rule, is_windowed, error));
    windows.is_windowed = is_windowed;
    *ret_windows = windows;
    return HOB_OK;
}

hob_status layer_positions_read(struct draft *d, int64_t period, const bool **ret_is_unturned, hob_error *error)
{
    bool *is_unturned;
    TRY(new_flags(d, &is_unturned, error));
    *ret_is_unturned = is_unturned;
    TRY(model_source_int(d->source, KEY_NO_ROPE_INTERVAL, period, &period, error));
    if (model_source_n_items(d->source, KEY_ROTATES_LAYERS)) {
        TRY(read_flags(d, KEY_ROTATES_LAYERS, is_unturned, error));
        for (int64_t i = 0; i < d->n_layers; i++) is_unturned[i] = !is_unturned[i];
        return HOB_OK;
    }
    for (int64_t i = 0; period && i < d->n_layers; i++) is_unturned[i] = (i + 1) % period == 0;
    return HOB_OK;
}
