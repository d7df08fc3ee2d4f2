#include "graph/weight_errors.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

enum { FIRST_ITEMS = 64, INT8_STEPS = 4 };

struct squares {
    double difference, weight, largest;
};

/* Row `row` of int8 panels, times its scale. */
static void read_int8_row(const void *panels, int64_t k, int64_t row, float scale, float *ret_items)
{
    size_t n_bytes;
    bool has_size = panel_bytes(DTYPE_I8, PANEL_COLUMNS, k, &n_bytes);
    HOB_ASSERT(has_size);
    const int8_t *codes = (const int8_t *)panels + (size_t)(row / PANEL_COLUMNS) * n_bytes + PANEL_ALIGNMENT;
    codes += row % PANEL_COLUMNS * INT8_STEPS;
    for (int64_t i = 0; i < k; i++) {
        int64_t at = i / INT8_STEPS * INT8_STEPS * PANEL_COLUMNS + i % INT8_STEPS;
        ret_items[i] = scale * (float)codes[at];
    }
}

static void add_row(const float *before, const float *after, int64_t n, struct squares *squares)
{
    for (int64_t i = 0; i < n; i++) {
        double difference = (double)after[i] - (double)before[i];
        squares->difference += difference * difference;
        squares->weight += (double)before[i] * (double)before[i];
        if (fabs(difference) > squares->largest) squares->largest = fabs(difference);
    }
}

/* The source as float32 panels, one at a time, against the panels of the same rows. scratch: a panel and two rows. */
static struct squares compare(const struct panel_source *source, enum dtype panel_dtype, const void *panels, const float *column_scales,
                              float *scratch)
{
    struct squares squares = {0};
    float *before = scratch + source->k * PANEL_COLUMNS, *after = before + source->k;
    for (int64_t p = 0; p < panel_count(source->n); p++) {
        int64_t end = (p + 1) * PANEL_COLUMNS < source->n ? (p + 1) * PANEL_COLUMNS : source->n;
        panel_pack(source, DTYPE_F32, p, p + 1, scratch - p * source->k * PANEL_COLUMNS);
        for (int64_t row = p * PANEL_COLUMNS; row < end; row++) {
            panel_unpack_row(scratch, DTYPE_F32, source->k, row % PANEL_COLUMNS, before);
            if (column_scales) read_int8_row(panels, source->k, row, column_scales[row], after);
            else panel_unpack_row(panels, panel_dtype, source->k, row, after);
            add_row(before, after, source->k, &squares);
        }
    }
    return squares;
}

static hob_status reserve(struct weight_errors *errors, hob_error *error)
{
    if (errors->n_items < errors->n_reserved) return HOB_OK;
    size_t n_reserved = errors->n_reserved ? 2 * errors->n_reserved : FIRST_ITEMS;
    struct weight_error *items = memory_resize(errors->items, n_reserved, sizeof *items);
    if (!items) FAIL(error, HOB_NO_MEMORY, "errors of %zu weights: out of memory", n_reserved);
    errors->items = items;
    errors->n_reserved = n_reserved;
    return HOB_OK;
}

hob_status weight_errors_add(struct weight_errors *errors, const char *name, const struct panel_source *source, enum dtype panel_dtype,
                             const void *panels, const float *column_scales, hob_error *error)
{
    size_t n_floats;
    if (!errors || panel_dtype == source->dtype || panel_dtype == DTYPE_F32) return HOB_OK;
    TRY(reserve(errors, error));
    if (!size_mul((size_t)source->k, PANEL_COLUMNS + 2, &n_floats)) FAIL(error, HOB_LIMIT, "%s: a row is too long", name);
    float *scratch = memory_new(n_floats + 1, sizeof *scratch);
    if (!scratch) FAIL(error, HOB_NO_MEMORY, "%s: out of memory", name);
    struct squares squares = compare(source, panel_dtype, panels, column_scales, scratch);
    memory_free(scratch);
    struct weight_error *item = &errors->items[errors->n_items++];
    *item = (struct weight_error){.dtype = panel_dtype, .n = source->n, .k = source->k, .largest = squares.largest};
    item->relative = squares.weight > 0 ? sqrt(squares.difference / squares.weight) : 0;
    memcpy(item->name, name, strnlen(name, sizeof item->name - 1));
    return HOB_OK;
}

void weight_errors_release(struct weight_errors *errors)
{
    memory_free(errors->items);
    *errors = (struct weight_errors){0};
}
