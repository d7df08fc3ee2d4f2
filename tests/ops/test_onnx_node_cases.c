/* ONNX's own node tests (Debian package libonnx-testdata): each folder is a model of one operator, or of the function that
 * defines one, with inputs and the outputs that ONNX's reference gave. Every model is run as it is and after all passes.
 *
 * tests/data/onnx_node_passing.txt lists the cases that pass; it only grows. A listed case that fails fails the test; one that
 * passes without being listed is printed, and HOB_NODE_CASES_UPDATE=1 rewrites the list. HOB_NODE_CASES=softmax runs the cases
 * with that in their name and prints why each fails. */
#include "unit.h"

#include "base/error.h"
#include "formats/onnx.h"
#include "formats/onnx_tensor.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "providers/providers.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CASES "/usr/share/libonnx-testdata/data/node"
#define PASSING "tests/data/onnx_node_passing.txt"
enum { MAX_CASES = 4096, MAX_VALUES = 64 };

/* ---- comparing ---- */

static double real_at(const struct tensor *x, int64_t i)
{
    switch (x->dtype) {
    case DTYPE_F32: return (double)((const float *)x->data)[i];
    case DTYPE_F64: return ((const double *)x->data)[i];
    case DTYPE_BF16: {
        uint32_t bits = (uint32_t)((const uint16_t *)x->data)[i] << 16;
        float number;
        memcpy(&number, &bits, sizeof number);
        return (double)number;
    }
    default: {
        uint16_t half = ((const uint16_t *)x->data)[i];
        int exponent = half >> 10 & 31, fraction = half & 1023;
        double size = exponent == 31  ? fraction ? (double)NAN : (double)INFINITY
                      : exponent == 0 ? ldexp(fraction, -24)
                                      : ldexp(1024 + fraction, exponent - 25);
        return half & 0x8000 ? -size : size;
    }
    }
}

static bool is_close(double found, double expected)
{
    if (isnan(expected)) return isnan(found);
    if (isinf(expected)) return found == expected;
    return fabs(found - expected) <= 1e-7 + 1e-3 * fabs(expected);
}

static bool is_same_item(const struct tensor *found, const struct tensor *expected, int64_t i);

/* Any strides in found; expected is contiguous. */
static bool is_equal(const struct tensor *found, const struct tensor *expected, struct arena *arena)
{
    if (found->dtype != expected->dtype || !tensor_same_shape(found, expected)) return false;
    struct tensor packed = *found;
    packed.data = arena_alloc(arena, tensor_n_bytes(found) + 1, 64);
    tensor_copy_contiguous(found, packed.data);
    for (int64_t i = 0; i < tensor_n_items(expected); i++) {
        if (expected->dtype == DTYPE_SEQUENCE) {
            if (!is_equal((const struct tensor *)packed.data + i, (const struct tensor *)expected->data + i, arena)) return false;
        } else if (!is_same_item(&packed, expected, i)) {
            return false;
        }
    }
    return true;
}

static bool is_same_item(const struct tensor *found, const struct tensor *expected, int64_t i)
{
    if (dtype_is_float(expected->dtype)) return is_close(real_at(found, i), real_at(expected, i));
    if (expected->dtype == DTYPE_STRING) {
        const struct tensor_string *a = (const struct tensor_string *)found->data + i;
        const struct tensor_string *b = (const struct tensor_string *)expected->data + i;
        return a->n_bytes == b->n_bytes && (!a->n_bytes || !memcmp(a->bytes, b->bytes, a->n_bytes));
    }
    size_t item_bytes = dtype_block_bytes(expected->dtype);
    return !memcmp((const char *)found->data + (size_t)i * item_bytes, (const char *)expected->data + (size_t)i * item_bytes,
                   item_bytes);
}

/* ---- running ---- */

struct run {
    const char *name;
    struct provider provider;
    struct arena arena;
    struct graph *graph;
    struct executor *executor;
    hob_error error;
};

/* input_0.pb and its like. The data sets hold bfloat16 as uint16 of the same bits: the model's declaration knows better. */
static hob_status read_tensor(struct run *run, const char *folder, const char *kind, uint32_t i, uint32_t value,
                              struct tensor *ret_tensor)
{
    char path[512];
    const struct value *declared = &run->graph->values[value];
    enum onnx_proto proto = declared->is_optional ? ONNX_PROTO_OPTIONAL : ONNX_PROTO_ANY;
    snprintf(path, sizeof path, "%s/%s_%u.pb", folder, kind, i);
    TRY(onnx_tensor_read(path, proto, &run->arena, ret_tensor, &run->error));
    if (declared->dtype == DTYPE_BF16 && ret_tensor->dtype == DTYPE_U16) ret_tensor->dtype = DTYPE_BF16;
    return HOB_OK;
}

static hob_status bind_inputs(struct run *run, const char *folder)
{
    for (uint32_t i = 0; i < run->graph->n_inputs; i++) {
        struct tensor tensor;
        TRY(read_tensor(run, folder, "input", i, run->graph->inputs[i], &tensor));
        executor_bind(run->executor, i, &tensor);
    }
    return HOB_OK;
}

static hob_status check_outputs(struct run *run, const char *folder)
{
    for (uint32_t i = 0; i < run->graph->n_outputs; i++) {
        char found[TENSOR_SHAPE_TEXT_BYTES], wanted[TENSOR_SHAPE_TEXT_BYTES];
        struct tensor expected;
        TRY(read_tensor(run, folder, "output", i, run->graph->outputs[i], &expected));
        const struct tensor *y = executor_output(run->executor, i);
        if (!is_equal(y, &expected, &run->arena))
            FAIL(&run->error, HOB_INTERNAL, "output %u (%s%s, expected %s%s) differs", i, dtype_name(y->dtype),
                 tensor_shape_text(y->rank, y->dims, found), dtype_name(expected.dtype),
                 tensor_shape_text(expected.rank, expected.dims, wanted));
    }
    return HOB_OK;
}

static hob_status run_data_sets(struct run *run)
{
    for (int set = 0;; set++) {
        char folder[384];
        struct stat info;
        snprintf(folder, sizeof folder, CASES "/%s/test_data_set_%d", run->name, set);
        if (stat(folder, &info)) return set ? HOB_OK : HOB_NOT_FOUND;
        TRY(bind_inputs(run, folder));
        TRY(executor_run(run->executor, NULL, &run->error));
        TRY(check_outputs(run, folder));
    }
}

static hob_status run_model(struct run *run, const char *disabled_passes)
{
    char path[384];
    const struct program *program;
    struct pass_options options = {.kernels = run->provider.kernels, .disabled = disabled_passes};
    snprintf(path, sizeof path, CASES "/%s/model.onnx", run->name);
    TRY(onnx_open(path, &run->graph, &run->error));
    TRY(passes_run(run->graph, &options, NULL, &run->error));
    TRY(program_new(run->graph, &program, &run->error));
    TRY(executor_new(program, &run->provider, 1, &run->executor, &run->error));
    return run_data_sets(run);
}

static hob_status run_case(struct provider *provider, const char *name, const char *disabled_passes, hob_error *error)
{
    struct run run = {.name = name, .provider = *provider};
    arena_init(&run.arena, 1 << 16);
    hob_status status = run_model(&run, disabled_passes);
    executor_free(run.executor);
    graph_free(run.graph);
    arena_release(&run.arena);
    *error = run.error;
    return status;
}

/* ---- the list ---- */

struct list {
    size_t n_names;
    char names[MAX_CASES][256];
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool list_has(const struct list *list, const char *name)
{
    return bsearch(name, list->names, list->n_names, sizeof list->names[0], compare_names) != NULL;
}

static void list_add(struct list *list, const char *name)
{
    assert_true(list->n_names < MAX_CASES);
    snprintf(list->names[list->n_names++], sizeof list->names[0], "%s", name);
}

static void read_passing(struct list *list)
{
    FILE *file = fopen(PASSING, "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        list_add(list, line);
    }
    if (file) fclose(file);
    qsort(list->names, list->n_names, sizeof list->names[0], compare_names);
}

static void write_passing(const struct list *list)
{
    FILE *file = fopen(PASSING, "w");
    assert_non_null(file);
    for (size_t i = 0; i < list->n_names; i++) fprintf(file, "%s\n", list->names[i]);
    assert_int_equal(fclose(file), 0);
}

static void find_cases(struct list *list)
{
    DIR *folder = opendir(CASES);
    const char *wanted = getenv("HOB_NODE_CASES");
    for (struct dirent *entry; (entry = readdir(folder));)
        if (!strncmp(entry->d_name, "test_", 5) && (!wanted || strstr(entry->d_name, wanted))) list_add(list, entry->d_name);
    closedir(folder);
    qsort(list->names, list->n_names, sizeof list->names[0], compare_names);
}

/* ---- the test ---- */

static struct list cases, listed, passing;

/* Whether a case passes with and without passes; tells what is worth telling. */
static bool check_case(struct provider *provider, const char *name, size_t *n_unsupported)
{
    hob_error error;
    const char *disabled = "all";
    hob_status status = run_case(provider, name, disabled, &error);
    if (status == HOB_OK) status = run_case(provider, name, disabled = "", &error);
    if (status == HOB_UNSUPPORTED) ++*n_unsupported;
    bool is_listed = list_has(&listed, name), is_ok = status == HOB_OK;
    if (is_ok && !is_listed) print_message("%s passes and is not listed\n", name);
    if (!is_ok && (is_listed || getenv("HOB_NODE_CASES")))
        print_error("%s (passes %s): %s: %s\n", name, *disabled ? "off" : "on", hob_status_name(status), error.message);
    return is_ok;
}

static void test_node_cases(void **state)
{
    struct provider *provider = *state;
    size_t n_unsupported = 0, n_lost = 0;
    struct stat info;
    if (stat(CASES, &info)) skip();
    find_cases(&cases);
    read_passing(&listed);
    for (size_t i = 0; i < cases.n_names; i++) {
        bool is_ok = check_case(provider, cases.names[i], &n_unsupported);
        if (is_ok) list_add(&passing, cases.names[i]);
        n_lost += !is_ok && list_has(&listed, cases.names[i]);
    }
    print_message("ONNX node cases: %zu passed, %zu of an operator or type that is not implemented, %zu failed\n",
                  passing.n_names, n_unsupported, cases.n_names - passing.n_names - n_unsupported);
    if (getenv("HOB_NODE_CASES_UPDATE") && !getenv("HOB_NODE_CASES")) write_passing(&passing);
    assert_int_equal(n_lost, 0);
    if (!getenv("HOB_NODE_CASES")) assert_true(passing.n_names > 0);
}

static int set_up(void **state)
{
    static struct provider provider;
    provider.def = provider_find("cpu");
    *state = &provider;
    return provider.def->open(&(struct provider_options){.n_threads = 2}, &provider, NULL) == HOB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct provider *provider = *state;
    provider->def->release(provider);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_node_cases)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
