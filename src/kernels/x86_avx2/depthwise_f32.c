/* One channel's plane. The rows that a band of outputs reads are first laid out with their pads and without their stride
 * (kernels/convolution.h): then eight outputs side by side read eight items side by side for every tap. */
#if defined(__x86_64__)
#include "kernels/convolution.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

#include <string.h>

enum { MAX_VECTORS = 4 };

ALWAYS_INLINE int64_t clamp(int64_t value, int64_t least, int64_t greatest)
{
    return value < least ? least : value > greatest ? greatest : value;
}

/* Sixteen items, every second one kept. */
ALWAYS_INLINE __m256 even_items(const float *x)
{
    __m256 mixed = _mm256_shuffle_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + LANES), 0x88);
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xd8));
}

/* The items of a line that lie inside of a row; the rest are zeros. The same for every row, and divisions are slow. */
struct inside {
    int64_t begin, end;
};

static struct inside find_inside(int64_t width, int64_t first, int64_t step, int64_t n)
{
    int64_t begin = first < 0 ? clamp((-first + step - 1) / step, 0, n) : 0;
    return (struct inside){begin, first < width ? clamp((width - first + step - 1) / step, begin, n) : begin};
}

ALWAYS_INLINE int64_t first_of_line(const struct depthwise_f32_args *args, const struct depthwise_lines *lines,
                                    int64_t line)
{
    return args->origins[1] + line * (lines->is_by_tap ? args->dilations[1] : 1);
}

ALWAYS_INLINE void fill_zeros(float *items, int64_t begin, int64_t end)
{
    for (; begin + LANES <= end; begin += LANES) _mm256_storeu_ps(items + begin, _mm256_setzero_ps());
    if (begin < end) store_first(items + begin, end - begin, _mm256_setzero_ps());
}

/* Rows are short as often as not: copied here, not by memcpy. */
ALWAYS_INLINE void copy_run(const float *from, int64_t n, float *to)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) _mm256_storeu_ps(to + i, _mm256_loadu_ps(from + i));
    if (i < n) store_first(to + i, n - i, load_first(from + i, n - i));
}

/* line[j] = row[first + j * step], 0 outside of the row. */
static void copy_line(const float *row, int64_t first, int64_t step, const struct inside *inside, int64_t n,
                      float *line)
{
    int64_t j = inside->begin, end = inside->end;
    fill_zeros(line, 0, j);
    fill_zeros(line, end, n);
    if (j == end) return;
    if (step == 1) {
        copy_run(row + first + j, end - j, line + j);
        return;
    }
    if (step == 2) /* the last item of a whole sixteen may lie outside */
        for (; j + LANES < end; j += LANES) _mm256_storeu_ps(line + j, even_items(row + first + 2 * j));
    for (; j < end; j++) line[j] = row[first + j * step];
}

static void copy_row(const struct depthwise_f32_args *args, const struct depthwise_lines *lines,
                     const struct inside *inside, int64_t row, float *target)
{
    if (row < 0 || row >= args->height) {
        memset(target, 0, (size_t)lines->row_floats * sizeof *target);
        return;
    }
    for (int64_t l = 0; l < lines->n_lines; l++)
        copy_line(args->x + row * args->width, first_of_line(args, lines, l), args->strides[1], &inside[l],
                  lines->length, target + l * lines->length);
}

/* Where each tap's items begin, relative to the first row of an output row. */
static void fill_offsets(const struct depthwise_f32_args *args, const struct depthwise_lines *lines,
                         int64_t *ret_offsets)
{
    int64_t stride = args->strides[1], n = args->taps[1];
    for (int64_t kx = 0; kx < n; kx++) {
        int64_t at = kx * args->dilations[1];
        if (lines->is_by_tap) ret_offsets[kx] = kx * lines->length;
        else ret_offsets[kx] = stride == 1 ? at : at % stride * lines->length + at / stride;
    }
    for (int64_t i = n; i < args->taps[0] * n; i++)
        ret_offsets[i] = ret_offsets[i - n] + args->dilations[0] * lines->row_floats;
}

/* n_taps and n_vectors are constants wherever this is inlined; n_taps 0 means: as args say. */
ALWAYS_INLINE void sum_taps(const struct depthwise_f32_args *args, const int64_t *offsets, const int64_t n_taps,
                            const int n_vectors, const float *lines, int64_t n, float *y)
{
    const int64_t count = n_taps ? n_taps : args->taps[0] * args->taps[1];
    const float *weights = args->weights;
    __m256 sums[MAX_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < n_vectors; v++) sums[v] = _mm256_setzero_ps();
#pragma GCC unroll 25
    for (int64_t t = 0; t < count; t++) {
        __m256 weight = _mm256_broadcast_ss(weights + t);
#pragma GCC unroll 4
        for (int v = 0; v < n_vectors; v++)
            sums[v] = _mm256_fmadd_ps(weight, _mm256_loadu_ps(lines + offsets[t] + v * LANES), sums[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < n_vectors; v++) {
        if (n - v * LANES >= LANES) _mm256_storeu_ps(y + v * LANES, sums[v]);
        else store_first(y + v * LANES, n - v * LANES, sums[v]);
    }
}

ALWAYS_INLINE void sum_row(const struct depthwise_f32_args *args, const int64_t *offsets, const int64_t n_taps,
                           const float *lines, float *y)
{
    int64_t n = args->out_width, i = 0;
    for (; n - i > 3 * LANES; i += 4 * LANES) sum_taps(args, offsets, n_taps, 4, lines + i, n - i, y + i);
    switch ((n - i + LANES - 1) / LANES) {
    case 3:
        sum_taps(args, offsets, n_taps, 3, lines + i, n - i, y + i);
        break;
    case 2:
        sum_taps(args, offsets, n_taps, 2, lines + i, n - i, y + i);
        break;
    case 1:
        sum_taps(args, offsets, n_taps, 1, lines + i, n - i, y + i);
        break;
    default:
        break;
    }
}

static void sum_rows(const struct depthwise_f32_args *args, const struct depthwise_lines *lines, const int64_t *offsets,
                     const float *band, int64_t begin, int64_t end)
{
    int64_t n_taps = args->taps[0] * args->taps[1], step = args->strides[0] * lines->row_floats;
    for (int64_t row = begin; row < end; row++, band += step) {
        float *y = args->y + row * args->out_width;
        if (n_taps == 9) sum_row(args, offsets, 9, band, y);
        else if (n_taps == 25) sum_row(args, offsets, 25, band, y);
        else sum_row(args, offsets, 0, band, y);
    }
}

void x86_avx2_depthwise_f32(const struct depthwise_f32_args *args)
{
    struct depthwise_lines lines;
    if (!depthwise_lines_init(args, &lines)) return; /* the caller asked depthwise_scratch_floats first */
    int64_t *offsets = (int64_t *)(void *)args->scratch;
    struct inside *inside = (struct inside *)(void *)(offsets + args->taps[0] * args->taps[1]);
    float *band = args->scratch + lines.table_floats;
    int64_t n_rows = (lines.n_rows - lines.extent) / args->strides[0] + 1;
    fill_offsets(args, &lines, offsets);
    for (int64_t l = 0; l < lines.n_lines; l++)
        inside[l] = find_inside(args->width, first_of_line(args, &lines, l), args->strides[1], lines.length);
    for (int64_t begin = args->row_begin; begin < args->row_end; begin += n_rows) {
        int64_t end = clamp(begin + n_rows, begin, args->row_end), first = begin * args->strides[0] + args->origins[0];
        int64_t n_inputs = (end - begin - 1) * args->strides[0] + lines.extent;
        for (int64_t i = 0; i < n_inputs; i++) copy_row(args, &lines, inside, first + i, band + i * lines.row_floats);
        sum_rows(args, &lines, offsets, band, begin, end);
    }
}
#endif
