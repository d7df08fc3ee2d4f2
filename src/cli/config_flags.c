#include "cli/config_flags.h"

#include "base/memory.h"
#include "cli/report.h"

static char *copy_key(const char *text, size_t n_bytes)
{
    char *key = memory_new(n_bytes + 1, 1);
    if (key) memcpy(key, text, n_bytes);
    return key;
}

int config_flags_new(const struct command_def *command, const struct text_list *set, struct config_flag **ret_flags)
{
    for (size_t i = 0; i < set->n_items; i++)
        if (!strchr(set->items[i], '=') || set->items[i][0] == '=')
            return report_usage(command, "--set: found '%s', expected KEY=VALUE", set->items[i]);
    struct config_flag *flags = memory_new(set->n_items, sizeof *flags);
    bool is_good = flags != NULL;
    for (size_t i = 0; is_good && i < set->n_items; i++) {
        const char *equals = strchr(set->items[i], '=');
        flags[i].key = copy_key(set->items[i], (size_t)(equals - set->items[i]));
        flags[i].text = equals + 1;
        is_good = flags[i].key != NULL;
    }
    if (is_good) {
        *ret_flags = flags;
        return STATUS_DONE;
    }
    config_flags_free(flags, set->n_items);
    report("no memory for the command line");
    return STATUS_FAILED;
}

void config_flags_free(struct config_flag *flags, size_t n_flags)
{
    for (size_t i = 0; flags && i < n_flags; i++) memory_free((void *)(uintptr_t)flags[i].key);
    memory_free(flags);
}
