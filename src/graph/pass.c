#include "graph/pass.h"
#include "base/error.h"
#include "graph/program.h"

#include <string.h>

#define PASS(name) extern const struct pass_def pass_##name;
#include "graph/passes/passes.def"
#undef PASS

static const struct pass_def *const passes[] = {
#define PASS(name) &pass_##name,
#include "graph/passes/passes.def"
#undef PASS
};

_Static_assert(sizeof passes / sizeof passes[0] <= PASS_MAX, "pass_report arrays are too small");

size_t passes_count(void)
{
    return sizeof passes / sizeof passes[0];
}

const struct pass_def *passes_at(size_t index)
{
    return passes[index];
}

static bool list_has(const char *list, const char *name, size_t n_name_bytes)
{
    while (list && *list) {
        size_t n_item_bytes = strcspn(list, ",");
        if (n_item_bytes == n_name_bytes && !memcmp(list, name, n_name_bytes)) return true;
        list += n_item_bytes + (list[n_item_bytes] == ',');
    }
    return false;
}

static bool is_pass_name(const char *name, size_t n_name_bytes)
{
    if (n_name_bytes == 3 && !memcmp(name, "all", 3)) return true;
    for (size_t i = 0; i < passes_count(); i++)
        if (strlen(passes[i]->name) == n_name_bytes && !memcmp(passes[i]->name, name, n_name_bytes)) return true;
    return false;
}

static hob_status check_disabled(const char *disabled, hob_error *error)
{
    for (const char *item = disabled; item && *item;) {
        size_t n_bytes = strcspn(item, ",");
        if (!is_pass_name(item, n_bytes)) FAIL(error, HOB_BAD_ARGUMENT, "no pass is called %.*s", (int)n_bytes, item);
        item += n_bytes + (item[n_bytes] == ',');
    }
    return HOB_OK;
}

static bool is_disabled(const char *disabled, const struct pass_def *pass)
{
    return list_has(disabled, "all", 3) || list_has(disabled, pass->name, strlen(pass->name));
}

/* Passes may follow chains of nodes: a cycle must be found before. */
static hob_status check_order(const struct graph *graph, struct arena *scratch, hob_error *error)
{
    uint32_t *order, n_nodes;
    TRY(graph_sort(graph, scratch, &order, &n_nodes, error));
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) TRY(check_order(graph->subgraphs[s], scratch, error));
    return HOB_OK;
}

hob_status passes_run(struct graph *graph, const struct pass_options *options, struct pass_report *report, hob_error *error)
{
    TRY(check_disabled(options->disabled, error));
    TRY(graph_resolve_ops(graph, error));
    struct arena scratch;
    arena_init(&scratch, 256 * 1024);
    hob_status status = check_order(graph, &scratch, error);
    for (size_t i = 0; i < passes_count() && status == HOB_OK; i++) {
        struct pass_context context = {.options = options, .scratch = &scratch, .error = error};
        if (options->progress) options->progress(options->progress_context, passes[i]->name, (double)i / (double)passes_count());
        if (!is_disabled(options->disabled, passes[i])) status = passes[i]->apply(graph, &context);
        if (status == HOB_OK) status = graph_resolve_ops(graph, error);
        if (report) report[i] = (struct pass_report){passes[i], context.n_changes};
        arena_clear(&scratch);
    }
    arena_release(&scratch);
    return status;
}
