/* Sizes, packing and unpacking of panels. Packing is done once a model, so it is plain C; where the types differ a row is decoded and
 * encoded a piece at a time on the stack, because nothing here allocates. */
#include "kernels/panel.h"

#include "base/error.h"
#include "base/size.h"
#include "kernels/panel_block.h"
#include "quant/half.h"
#include "quant/quant.h"

/* A multiple of every block format's items. */
enum { PIECE_ITEMS = 256 };

static const struct panel_format formats[] = {
    {DTYPE_F32, 1, 0, 0, 0, 64},          {DTYPE_F16, 2, 0, 0, 0, 64},
    {DTYPE_BF16, 2, 0, 0, 0, 64},         {DTYPE_I8, 4, 64, 0, 0, 64},
    {DTYPE_Q4_0, 32, 0, 32, 0, 256},      {DTYPE_Q4_1, 32, 0, 64, 0, 256},
    {DTYPE_Q5_0, 32, 0, 32, 0, 320},      {DTYPE_Q5_1, 32, 0, 64, 0, 320},
    {DTYPE_Q8_0, 32, 0, 32, 0, 512},      {DTYPE_Q4_K, 256, 0, 64, 8 * 32, 8 * 256},
    {DTYPE_Q6_K, 256, 0, 32, 16 * 16, 8 * 384},
};

const struct panel_format *panel_format_find(enum dtype dtype)
{
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++)
        if (formats[i].dtype == dtype) return &formats[i];
    return NULL;
}

/* Types that have no parameters fill K up to whole blocks. */
static bool count_blocks(const struct panel_format *format, int64_t k, size_t *ret_n_blocks)
{
    *ret_n_blocks = (size_t)k / (size_t)format->block_items + (k % format->block_items != 0);
    return !format->parameter_bytes || k % format->block_items == 0;
}

static bool add_part(size_t n_blocks, int block_bytes, size_t *end)
{
    size_t n_bytes;
    return size_mul(n_blocks, (size_t)block_bytes, &n_bytes) && n_bytes <= SIZE_MAX / 2 &&
           size_add(*end, size_align(n_bytes, PANEL_ALIGNMENT), end);
}

bool panel_shape_of(const struct panel_format *format, int64_t k, struct panel_shape *ret_shape)
{
    size_t n_blocks, end = (size_t)format->head_bytes;
    struct panel_shape shape;
    if (!count_blocks(format, k, &n_blocks)) return false;
    shape.parameters = end;
    if (!add_part(n_blocks, format->parameter_bytes, &end)) return false;
    shape.details = end;
    if (!add_part(n_blocks, format->detail_bytes, &end)) return false;
    shape.codes = end;
    if (!add_part(n_blocks, format->code_bytes, &end)) return false;
    shape.n_bytes = end;
    *ret_shape = shape;
    return true;
}

bool panel_bytes(enum dtype dtype, int64_t n, int64_t k, size_t *ret_bytes)
{
    const struct panel_format *format = panel_format_find(dtype);
    struct panel_shape shape;
    return format && n <= INT64_MAX - PANEL_COLUMNS && panel_shape_of(format, k, &shape) &&
           size_mul((size_t)panel_count(n), shape.n_bytes, ret_bytes);
}

static bool has_whole_blocks(const struct panel_source *source)
{
    int64_t block_items = (int64_t)dtype_block_items(source->dtype);
    return block_items == 1 ||
           (source->k_stride == 1 && source->k % block_items == 0 && source->n_stride % block_items == 0);
}

/* Into types without an encoder only what is of that type already goes, as it lies. */
bool panel_can_pack(const struct panel_source *source, enum dtype panel_dtype)
{
    const struct panel_format *format = panel_format_find(panel_dtype);
    const struct quant_def *to = quant_find(panel_dtype);
    if (!format || source->dtype == DTYPE_I8 || !has_whole_blocks(source)) return false;
    if (source->dtype == panel_dtype) return true;
    if (source->dtype != DTYPE_F32 && !quant_find(source->dtype)) return false;
    if (panel_dtype == DTYPE_F32) return true;
    return to && to->encode && source->k % to->block_items == 0;
}

void panel_source_read(const struct panel_source *source, int64_t row, int64_t begin, int64_t n_items, float *ret_items)
{
    const struct quant_def *quant = quant_find(source->dtype);
    int64_t first = row * source->n_stride + begin * source->k_stride;
    if (!quant) {
        const float *items = (const float *)source->data + first;
        for (int64_t i = 0; i < n_items; i++) ret_items[i] = items[i * source->k_stride];
        return;
    }
    const unsigned char *bytes = (const unsigned char *)source->data + first / quant->block_items * quant->block_bytes;
    if (source->k_stride == 1) {
        quant->decode(n_items, bytes, ret_items);
        return;
    }
    for (int64_t i = 0; i < n_items; i++)
        quant->decode(1, bytes + i * source->k_stride * quant->block_bytes, ret_items + i);
}

static void decode_panel(const struct panel_source *source, int64_t column, float *panel)
{
    float items[PIECE_ITEMS];
    int64_t n_columns = source->n - column < PANEL_COLUMNS ? source->n - column : PANEL_COLUMNS;
    if (n_columns < PANEL_COLUMNS) memset(panel, 0, (size_t)source->k * PANEL_COLUMNS * sizeof *panel);
    for (int64_t begin = 0; begin < source->k; begin += PIECE_ITEMS) {
        int64_t n_items = source->k - begin < PIECE_ITEMS ? source->k - begin : PIECE_ITEMS;
        for (int64_t j = 0; j < n_columns; j++) {
            panel_source_read(source, column + j, begin, n_items, items);
            for (int64_t i = 0; i < n_items; i++) panel[(begin + i) * PANEL_COLUMNS + j] = items[i];
        }
    }
}

/* A [K,N] matrix in f32: whole steps are copied, instead of hopping through memory column by column. */
static void copy_steps(const struct panel_source *source, int64_t column, float *panel)
{
    const float *items = (const float *)source->data + column;
    for (int64_t i = 0; i < source->k; i++)
        memcpy(panel + i * PANEL_COLUMNS, items + i * source->k_stride, PANEL_COLUMNS * sizeof *panel);
}

static void pack_f32(const struct panel_source *source, int64_t column, float *panel)
{
    if (!quant_find(source->dtype) && source->n_stride == 1 && source->n - column >= PANEL_COLUMNS) copy_steps(source, column, panel);
    else decode_panel(source, column, panel);
}

/* Items [begin, begin + n_items) of a row in the panels' type: where they lie, or made in `room`. */
static const unsigned char *piece_as(const struct quant_def *to, const struct panel_source *source, int64_t row, int64_t begin,
                                     int64_t n_items, unsigned char room[PIECE_ITEMS * 2])
{
    float items[PIECE_ITEMS];
    if (source->dtype == to->dtype && source->k_stride == 1)
        return (const unsigned char *)source->data + (row * source->n_stride + begin) / to->block_items * to->block_bytes;
    panel_source_read(source, row, begin, n_items, items);
    to->encode(n_items, items, room);
    return room;
}

struct destination {
    const struct panel_format *format;
    const struct panel_shape *shape;
    unsigned char *panel;
};

static void put_halves(const struct destination *to, const unsigned char *piece, int64_t begin, int64_t n_items, int column)
{
    for (int64_t i = 0; i < n_items; i++) memcpy(to->panel + 2 * ((begin + i) * PANEL_COLUMNS + column), piece + 2 * i, 2);
}

static void put_blocks(const struct destination *to, const unsigned char *piece, int64_t begin, int64_t n_items, int column)
{
    const struct panel_format *format = to->format;
    const struct panel_blocks *blocks = panel_blocks_find(format->dtype);
    struct panel_part part = panel_part_at(format, to->shape, to->panel, begin / PANEL_STEPS);
    for (int64_t i = 0; i < n_items; i += format->block_items, piece += dtype_block_bytes(format->dtype)) {
        blocks->pack(piece, column, part);
        part.parameters += format->parameter_bytes;
        part.details += format->detail_bytes;
        part.codes += format->code_bytes;
    }
}

static void pack_small(const struct panel_source *source, int64_t column, const struct destination *to)
{
    const struct quant_def *quant = quant_find(to->format->dtype);
    unsigned char room[PIECE_ITEMS * 2];
    int64_t n_columns = source->n - column < PANEL_COLUMNS ? source->n - column : PANEL_COLUMNS;
    memset(to->panel, 0, to->shape->n_bytes);
    for (int64_t begin = 0; begin < source->k; begin += PIECE_ITEMS) {
        int64_t n_items = source->k - begin < PIECE_ITEMS ? source->k - begin : PIECE_ITEMS;
        for (int64_t j = 0; j < n_columns; j++) {
            const unsigned char *piece = piece_as(quant, source, column + j, begin, n_items, room);
            (quant->block_items == 1 ? put_halves : put_blocks)(to, piece, begin, n_items, (int)j);
        }
    }
}

void panel_pack(const struct panel_source *source, enum dtype panel_dtype, int64_t begin, int64_t end, void *panels)
{
    const struct panel_format *format = panel_format_find(panel_dtype);
    struct panel_shape shape;
    bool is_possible = panel_can_pack(source, panel_dtype) && panel_shape_of(format, source->k, &shape);
    HOB_ASSERT(is_possible);
    for (int64_t i = begin; i < end; i++) {
        unsigned char *panel = (unsigned char *)panels + (size_t)i * shape.n_bytes;
        if (panel_dtype == DTYPE_F32) pack_f32(source, i * PANEL_COLUMNS, (float *)(void *)panel);
        else pack_small(source, i * PANEL_COLUMNS, &(struct destination){format, &shape, panel});
    }
}

/* The same steps that quant.def's decoders take: the scales first, then the code, then the offset. */
static void unpack_part(const struct panel_blocks *blocks, struct panel_part part, int column, float *ret_items)
{
    struct panel_column w;
    blocks->read(part, column, &w);
    float offset = blocks->offset == PANEL_OFFSET_MIN ? -(w.m * (float)w.min) : w.m;
    for (int i = 0; i < PANEL_STEPS; i++) {
        int half = i / (PANEL_STEPS / 2);
        float item = w.d * (float)w.scales[half] * (float)w.codes[i];
        ret_items[i] = blocks->offset == PANEL_OFFSET_NONE ? item : item + offset;
    }
}

/* Item `index` of a panel of f32, f16 or bf16. */
static float float_at(enum dtype dtype, const void *panel, int64_t index)
{
    if (dtype == DTYPE_F32) return ((const float *)panel)[index];
    uint16_t half = ((const uint16_t *)panel)[index];
    return dtype == DTYPE_F16 ? f32_from_f16_bits(half) : f32_from_bf16_bits(half);
}

void panel_unpack_row(const void *panels, enum dtype panel_dtype, int64_t k, int64_t row, float *ret_items)
{
    const struct panel_format *format = panel_format_find(panel_dtype);
    const struct panel_blocks *blocks = panel_blocks_find(panel_dtype);
    struct panel_shape shape;
    bool is_possible = panel_dtype != DTYPE_I8 && format && panel_shape_of(format, k, &shape);
    HOB_ASSERT(is_possible);
    const unsigned char *panel = (const unsigned char *)panels + (size_t)(row / PANEL_COLUMNS) * shape.n_bytes;
    int column = (int)(row % PANEL_COLUMNS);
    if (!blocks)
        for (int64_t i = 0; i < k; i++) ret_items[i] = float_at(panel_dtype, panel, i * PANEL_COLUMNS + column);
    else
        for (int64_t i = 0; i < k / PANEL_STEPS; i++)
            unpack_part(blocks, panel_part_at(format, &shape, panel, i), column, ret_items + i * PANEL_STEPS);
}
