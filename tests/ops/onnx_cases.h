/* ONNX's conformance cases for tests: FOLDER/CASE/model.onnx with test_data_set_N/input_I.pb and output_I.pb. Finds them, reads
 * their tensors as the model declares them, and compares results by ONNX's own rule.
 *
 *     case_list_find(&cases, ONNX_CASES_ROOT, "node");
 *     case_read(&model->graph->values[v], "…/test_data_set_0", "input", i, &arena, &tensor, &error)
 *     case_is_equal(found, &expected, &arena)
 */
#ifndef TESTS_OPS_ONNX_CASES_H
#define TESTS_OPS_ONNX_CASES_H

#include "base/error.h"
#include "formats/onnx_tensor.h"
#include "graph/graph.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONNX_CASES_ROOT "/usr/share/libonnx-testdata/data"
enum { CASE_LIST_MAX = 4096, CASE_NAME_BYTES = 256, CASE_PATH_BYTES = 1024 };

/* ---- names, sorted: "node/test_abs" ---- */

struct case_list {
    size_t n_names;
    char names[CASE_LIST_MAX][CASE_NAME_BYTES];
};

static inline int case_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline void case_list_sort(struct case_list *list)
{
    qsort(list->names, list->n_names, sizeof list->names[0], case_compare);
    size_t n_kept = 0;
    for (size_t i = 0; i < list->n_names; i++)
        if (!n_kept || strcmp(list->names[n_kept - 1], list->names[i]) != 0)
            memmove(list->names[n_kept++], list->names[i], CASE_NAME_BYTES);
    list->n_names = n_kept;
}

static inline bool case_list_has(const struct case_list *list, const char *name)
{
    return bsearch(name, list->names, list->n_names, sizeof list->names[0], case_compare) != NULL;
}

static inline void case_list_add(struct case_list *list, const char *name)
{
    assert_true(list->n_names < CASE_LIST_MAX);
    assert_true(strlen(name) < CASE_NAME_BYTES);
    strcpy(list->names[list->n_names++], name);
}

/* Every test_… of root/folder; folder "" is root itself. Sort afterwards. */
static inline void case_list_find(struct case_list *list, const char *root, const char *folder)
{
    char path[CASE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *entries = opendir(path);
    if (!entries) return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strncmp(entry->d_name, "test_", 5) != 0) continue;
        snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
        case_list_add(list, path);
    }
    closedir(entries);
}

/* One name a line; "#" starts a remark, and what follows a tab is not part of the name. A missing file is an empty list. */
static inline void case_list_read(struct case_list *list, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\t\n")] = 0;
        if (*line && *line != '#') case_list_add(list, line);
    }
    if (file) fclose(file);
    case_list_sort(list);
}

/* ---- tensors ---- */

static inline enum onnx_proto case_proto(const struct value *declared)
{
    if (declared->is_optional) return ONNX_PROTO_OPTIONAL;
    return declared->dtype == DTYPE_SEQUENCE ? ONNX_PROTO_SEQUENCE : ONNX_PROTO_TENSOR;
}

/* input_0.pb and its like. The data sets of ONNX 1.12 hold bfloat16 as uint16 of the same bits: the declaration knows better. */
static inline hob_status case_read(const struct value *declared, const char *folder, const char *kind, uint32_t i,
                                   struct arena *arena, struct tensor *ret_tensor, hob_error *error)
{
    char path[CASE_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s_%u.pb", folder, kind, i);
    TRY(onnx_tensor_read(path, case_proto(declared), arena, ret_tensor, error));
    if (declared->dtype == DTYPE_BF16 && ret_tensor->dtype == DTYPE_U16) ret_tensor->dtype = DTYPE_BF16;
    return HOB_OK;
}

/* ---- comparing ---- */

static inline double case_half(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent == 31  ? fraction ? (double)NAN : (double)INFINITY
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

/* A number of 8 bits: n_fraction_bits of fraction. The "uz" types have one zero, their only NaN is 0x80, and a bias one larger. */
static inline double case_quarter(uint8_t bits, int n_fraction_bits, bool is_uz)
{
    int n_exponents = 1 << (7 - n_fraction_bits), exponent = (bits & 127) >> n_fraction_bits;
    int fraction = bits & ((1 << n_fraction_bits) - 1), bias = n_exponents / 2 - !is_uz;
    bool is_top = exponent == n_exponents - 1;
    if (is_uz && bits == 0x80) return (double)NAN;
    if (!is_uz && n_fraction_bits == 3 && (bits & 127) == 127) return (double)NAN;
    if (!is_uz && n_fraction_bits == 2 && is_top)
        return fraction ? (double)NAN : bits & 128 ? -(double)INFINITY : (double)INFINITY;
    double size = exponent ? ldexp((1 << n_fraction_bits) + fraction, exponent - bias - n_fraction_bits)
                           : ldexp(fraction, 1 - bias - n_fraction_bits);
    return bits & 128 ? -size : size;
}

static inline double case_real_at(enum dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case DTYPE_F32:
        return (double)((const float *)data)[i];
    case DTYPE_F64:
        return ((const double *)data)[i];
    case DTYPE_F16:
        return case_half(((const uint16_t *)data)[i]);
    case DTYPE_BF16: {
        uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
        float number;
        memcpy(&number, &bits, sizeof number);
        return (double)number;
    }
    case DTYPE_F8E4M3FN:
        return case_quarter(((const uint8_t *)data)[i], 3, false);
    case DTYPE_F8E4M3FNUZ:
        return case_quarter(((const uint8_t *)data)[i], 3, true);
    case DTYPE_F8E5M2:
        return case_quarter(((const uint8_t *)data)[i], 2, false);
    default:
        return case_quarter(((const uint8_t *)data)[i], 2, true);
    }
}

/* ONNX's rule: |a-b| <= 1e-7 + 1e-3 |b|. */
static inline bool case_is_close(double found, double expected)
{
    if (isnan(expected)) return isnan(found);
    if (isinf(expected) || isinf(found)) return found == expected;
    return fabs(found - expected) <= 1e-7 + 1e-3 * fabs(expected);
}

static inline bool case_same_strings(const struct tensor_string *a, const struct tensor_string *b, int64_t n_items)
{
    for (int64_t i = 0; i < n_items; i++)
        if (a[i].n_bytes != b[i].n_bytes || (a[i].n_bytes && memcmp(a[i].bytes, b[i].bytes, a[i].n_bytes)))
            return false;
    return true;
}

static inline bool case_is_equal(const struct tensor *found, const struct tensor *expected, struct arena *arena);

static inline bool case_same_items(const void *found, const struct tensor *expected, struct arena *arena)
{
    int64_t n_items = tensor_n_items(expected);
    enum dtype dtype = expected->dtype;
    bool is_same = true;
    if (dtype == DTYPE_C64 || dtype == DTYPE_C128) { /* pairs of numbers */
        dtype = dtype == DTYPE_C64 ? DTYPE_F32 : DTYPE_F64;
        n_items *= 2;
    }
    if (dtype == DTYPE_STRING) return case_same_strings(found, expected->data, n_items);
    if (dtype == DTYPE_SEQUENCE)
        for (int64_t i = 0; i < n_items && is_same; i++)
            is_same = case_is_equal((const struct tensor *)found + i, (const struct tensor *)expected->data + i, arena);
    else if (dtype_is_float(dtype))
        for (int64_t i = 0; i < n_items && is_same; i++)
            is_same = case_is_close(case_real_at(dtype, found, i), case_real_at(dtype, expected->data, i));
    else is_same = !n_items || !memcmp(found, expected->data, tensor_n_bytes(expected));
    return is_same;
}

/* Any strides in found; expected is contiguous. */
static inline bool case_is_equal(const struct tensor *found, const struct tensor *expected, struct arena *arena)
{
    if (found->dtype != expected->dtype || !tensor_same_shape(found, expected)) return false;
    if (found->dtype == DTYPE_NONE) return true; /* an absent optional */
    void *packed = arena_alloc(arena, tensor_n_bytes(found) + 1, 64);
    assert_non_null(packed);
    tensor_copy_contiguous(found, packed);
    return case_same_items(packed, expected, arena);
}

#endif
