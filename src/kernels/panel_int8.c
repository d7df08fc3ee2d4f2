/* Packing of int8 panels, from bytes or from numbers. Done once a model, so it is plain C. */
#include "base/error.h"
#include "base/size.h"
#include "kernels/panel.h"

#include <math.h>

enum { GROUP_STEPS = 4, PIECE_ITEMS = 256 };

struct int8_panel {
    int32_t sums[PANEL_COLUMNS];
    int8_t *codes;
    unsigned char *begin;
};

static struct int8_panel start_panel(const struct panel_source *source, int64_t index, void *panels)
{
    struct panel_shape shape;
    bool is_shaped = panel_shape_of(panel_format_find(DTYPE_I8), source->k, &shape);
    HOB_ASSERT(is_shaped);
    unsigned char *begin = (unsigned char *)panels + (size_t)index * shape.n_bytes;
    memset(begin, 0, shape.n_bytes);
    return (struct int8_panel){.begin = begin, .codes = (int8_t *)begin + shape.codes};
}

static void finish_panel(const struct int8_panel *panel)
{
    memcpy(panel->begin, panel->sums, sizeof panel->sums);
}

static inline void put_code(struct int8_panel *panel, int64_t k, int64_t column, int8_t code)
{
    panel->codes[k / GROUP_STEPS * GROUP_STEPS * PANEL_COLUMNS + column * GROUP_STEPS + k % GROUP_STEPS] = code;
    panel->sums[column] = (int32_t)((uint32_t)panel->sums[column] + (uint32_t)code);
}

static int64_t columns_of(const struct panel_source *source, int64_t panel)
{
    int64_t rest = source->n - panel * PANEL_COLUMNS;
    return rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS;
}

void panel_pack_i8(const struct panel_source *source, int64_t begin, int64_t end, void *panels)
{
    HOB_ASSERT(source->dtype == DTYPE_I8 || source->dtype == DTYPE_U8);
    const uint8_t flip = source->dtype == DTYPE_U8 ? 0x80 : 0;
    for (int64_t i = begin; i < end; i++) {
        struct int8_panel panel = start_panel(source, i, panels);
        const uint8_t *bytes = (const uint8_t *)source->data + i * PANEL_COLUMNS * source->n_stride;
        int64_t n_columns = columns_of(source, i);
        for (int64_t k = 0; k < source->k; k++)
            for (int64_t j = 0; j < n_columns; j++)
                put_code(&panel, k, j, (int8_t)(bytes[k * source->k_stride + j * source->n_stride] ^ flip));
        finish_panel(&panel);
    }
}

/* ---- from numbers ---- */

/* NaN where any item is none or infinite. */
static float column_scale(const struct panel_source *source, int64_t column)
{
    float items[PIECE_ITEMS], largest = 0;
    for (int64_t begin = 0, n; begin < source->k; begin += n) {
        n = source->k - begin < PIECE_ITEMS ? source->k - begin : PIECE_ITEMS;
        panel_source_read(source, column, begin, n, items);
        for (int64_t i = 0; i < n; i++) {
            if (!isfinite(items[i])) return NAN;
            largest = fabsf(items[i]) > largest ? fabsf(items[i]) : largest;
        }
    }
    return largest / 127;
}

/* A scale so small that it was rounded to few digits would let quotients leave the codes. */
static int8_t encode(float item, float scale)
{
    float code = nearbyintf(item / scale);
    return (int8_t)(code > 127 ? 127 : code < -127 ? -127 : code);
}

static void quantize_column(const struct panel_source *source, int64_t column, float scale, struct int8_panel *panel)
{
    float items[PIECE_ITEMS];
    if (!(scale > 0)) return;
    for (int64_t begin = 0, n; begin < source->k; begin += n) {
        n = source->k - begin < PIECE_ITEMS ? source->k - begin : PIECE_ITEMS;
        panel_source_read(source, column, begin, n, items);
        for (int64_t i = 0; i < n; i++) put_code(panel, begin + i, column % PANEL_COLUMNS, encode(items[i], scale));
    }
}

void panel_quantize_i8(const struct panel_source *source, int64_t begin, int64_t end, void *panels, float *ret_scales)
{
    HOB_ASSERT(panel_can_pack(source, DTYPE_F32));
    for (int64_t i = begin; i < end; i++) {
        struct int8_panel panel = start_panel(source, i, panels);
        int64_t first = i * PANEL_COLUMNS, n_columns = columns_of(source, i);
        for (int64_t column = first; column < first + n_columns; column++) {
            ret_scales[column] = column_scale(source, column);
            quantize_column(source, column, ret_scales[column], &panel);
        }
        finish_panel(&panel);
    }
}
