/* ONNX's own conformance data (Debian's libonnx-testdata): every model parses, and every tensor, sequence and optional beside
 * them can be read, written and read again. */
#include "unit.h"

#include "formats/onnx.h"
#include "formats/onnx_tensor.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char data_folder[] = "/usr/share/libonnx-testdata";
static size_t n_models, n_tensors, n_failed;
static char written_path[] = P_tmpdir "/hob-pb-XXXXXX";

static void report(const hob_error *error)
{
    n_failed++;
    print_error("%s\n", error->message);
}

static bool is_same(const struct tensor *a, const struct tensor *b);

static bool are_same_items(const struct tensor *a, const struct tensor *b)
{
    int64_t n_items = tensor_n_items(a);
    for (int64_t i = 0; i < n_items; i++) {
        const struct tensor_string *left = a->data, *right = b->data;
        if (a->dtype == DTYPE_SEQUENCE &&
            !is_same((const struct tensor *)a->data + i, (const struct tensor *)b->data + i))
            return false;
        if (a->dtype == DTYPE_STRING &&
            (left[i].n_bytes != right[i].n_bytes || memcmp(left[i].bytes, right[i].bytes, left[i].n_bytes)))
            return false;
    }
    return true;
}

static bool is_same(const struct tensor *a, const struct tensor *b)
{
    if (a->dtype != b->dtype || !tensor_same_shape(a, b)) return false;
    if (a->dtype == DTYPE_NONE) return true;
    if (a->dtype == DTYPE_SEQUENCE || a->dtype == DTYPE_STRING) return are_same_items(a, b);
    return !memcmp(a->data, b->data, tensor_n_bytes(a));
}

static void check_tensor(const char *path, enum onnx_proto proto)
{
    struct arena arena;
    struct tensor tensor, again;
    hob_error error;
    arena_init(&arena, 64 * 1024);
    n_tensors++;
    if (onnx_tensor_read(path, proto, &arena, &tensor, &error) != HOB_OK ||
        onnx_tensor_write(written_path, "x", proto, &tensor, &error) != HOB_OK ||
        onnx_tensor_read(written_path, proto, &arena, &again, &error) != HOB_OK) {
        report(&error);
    } else if (!is_same(&tensor, &again)) {
        n_failed++;
        print_error("%s: reads otherwise when it is written again\n", path);
    }
    arena_release(&arena);
}

static enum onnx_proto proto_of(const struct graph *graph, uint32_t value)
{
    if (graph->values[value].is_optional) return ONNX_PROTO_OPTIONAL;
    return graph->values[value].dtype == DTYPE_SEQUENCE ? ONNX_PROTO_SEQUENCE : ONNX_PROTO_TENSOR;
}

/* FOLDER/test_data_set_N/PREFIX_I.pb for all N and I. */
static void check_data(const char *folder, const char *prefix, const struct graph *graph, const uint32_t *values,
                       uint32_t n_values)
{
    char path[512];
    for (int set = 0; set < 10; set++) {
        for (uint32_t i = 0; i < n_values; i++) {
            snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%u.pb", folder, set, prefix, i);
            if (access(path, F_OK) == 0) check_tensor(path, proto_of(graph, values[i]));
        }
    }
}

static int check_model(const char *path, const struct stat *info, int kind)
{
    (void)info;
    size_t n_path = strlen(path);
    if (kind != FTW_F || n_path < 5 || strcmp(path + n_path - 5, ".onnx") != 0) return 0;
    struct graph *graph;
    hob_error error;
    n_models++;
    if (onnx_open(path, &graph, &error) != HOB_OK) {
        report(&error);
        return 0;
    }
    char folder[512];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    check_data(folder, "input", graph, graph->inputs, graph->n_inputs);
    check_data(folder, "output", graph, graph->outputs, graph->n_outputs);
    graph_free(graph);
    return 0;
}

static void test_testdata(void **state)
{
    (void)state;
    if (access(data_folder, F_OK) != 0) skip();
    close(mkstemp(written_path));
    ftw(data_folder, check_model, 16);
    remove(written_path);
    print_message("%zu models, %zu tensors\n", n_models, n_tensors);
    assert_int_equal(n_failed, 0);
    assert_true(n_models >= 1000 && n_tensors >= 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_testdata)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
