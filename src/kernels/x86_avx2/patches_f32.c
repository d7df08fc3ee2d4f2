/* What windows cover, sixteen output pixels at a time. For each tap the sixteen inputs are found once, eight to a vector, and
 * then read from every channel: next to each other where they lie so (perhaps with gaps at the edges), gathered where not. */
#if defined(__x86_64__)
#include "kernels/generic/generic.h"
#include "kernels/x86_avx2/vector.h"
#include "kernels/x86_avx2/x86_avx2.h"

/* Panels that are written side by side: a channel's row is read in runs, but few of them, since panels lie a power of two of bytes
 * apart as often as not and would drive each other out of the cache. */
enum { TOGETHER = 4, COORDINATE_LIMIT = 1 << 29, OUTSIDE = INT32_MIN / 2 };

/* Where the first tap of each pixel of a panel lies, on each axis. */
struct pixels {
    _Alignas(32) int32_t at[PATCHES_MAX_RANK][PANEL_COLUMNS];
};

/* How eight pixels read one tap. */
struct half {
    __m256i indices, mask;
    int64_t base;
    enum { READ_RUN, READ_MASKED, READ_SCATTERED } kind;
};

/* Coordinates and indices fit 32 bits, so that a vector holds eight. */
static bool fits(const struct patches_f32_args *args)
{
    int64_t n_items = 1;
    for (int axis = 0; axis < args->rank; axis++) {
        int64_t last, far;
        if (!int64_mul(n_items, args->inputs[axis], &n_items) ||
            !int64_mul(args->outputs[axis], args->strides[axis], &last) ||
            !int64_mul(args->taps[axis], args->dilations[axis], &far))
            return false;
        if (n_items > COORDINATE_LIMIT || last > COORDINATE_LIMIT || far > COORDINATE_LIMIT ||
            args->origins[axis] < -COORDINATE_LIMIT || args->origins[axis] > COORDINATE_LIMIT)
            return false;
    }
    return true;
}

/* `output` moves on to the next panel. */
static void locate(const struct patches_f32_args *args, int64_t n_pixels, int64_t *output, struct pixels *ret_pixels)
{
    for (int64_t j = 0; j < PANEL_COLUMNS; j++) {
        for (int axis = 0; axis < args->rank; axis++)
            ret_pixels->at[axis][j] =
                j < n_pixels ? (int32_t)(output[axis] * args->strides[axis] + args->origins[axis]) : OUTSIDE;
        for (int axis = args->rank - 1; axis >= 0 && ++output[axis] == args->outputs[axis] && axis > 0; axis--)
            output[axis] = 0;
    }
}

static struct half find_half(const struct patches_f32_args *args, const struct pixels *pixels, const int64_t *tap,
                             int first)
{
    struct half half = {.indices = _mm256_setzero_si256(), .mask = _mm256_set1_epi32(-1)};
    for (int axis = 0; axis < args->rank; axis++) {
        __m256i shift = _mm256_set1_epi32((int32_t)(tap[axis] * args->dilations[axis]));
        __m256i at = _mm256_add_epi32(_mm256_load_si256((const __m256i *)&pixels->at[axis][first]), shift);
        __m256i size = _mm256_set1_epi32((int32_t)args->inputs[axis]);
        __m256i is_inside = _mm256_andnot_si256(_mm256_srai_epi32(at, 31), _mm256_cmpgt_epi32(size, at));
        half.mask = _mm256_and_si256(half.mask, is_inside);
        half.indices = _mm256_add_epi32(_mm256_mullo_epi32(half.indices, size), at);
    }
    unsigned lanes = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(half.mask));
    __m256i starts = _mm256_sub_epi32(half.indices, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    _Alignas(32) int32_t start[LANES];
    _mm256_store_si256((__m256i *)start, starts);
    half.base = lanes ? start[__builtin_ctz(lanes)] : 0;
    __m256i differs = _mm256_andnot_si256(_mm256_cmpeq_epi32(starts, _mm256_set1_epi32((int32_t)half.base)), half.mask);
    half.kind = !_mm256_testz_si256(differs, differs) ? READ_SCATTERED : lanes == 0xff ? READ_RUN : READ_MASKED;
    return half;
}

/* A masked run may begin in front of the channel: the address is made of integers, only its inside lanes are read. */
ALWAYS_INLINE __m256 read_half(const struct half *half, const float *channel)
{
    switch (half->kind) {
    case READ_RUN:
        return _mm256_loadu_ps(channel + half->base);
    case READ_MASKED:
        return _mm256_maskload_ps((const float *)((uintptr_t)channel + (uintptr_t)half->base * sizeof(float)),
                                  half->mask);
    case READ_SCATTERED:
        break;
    }
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), channel, half->indices, _mm256_castsi256_ps(half->mask),
                                    sizeof(float));
}

/* One tap of every channel for n_panels panels. */
static void read_tap(const struct patches_f32_args *args, const struct half (*halves)[2], int64_t n_panels,
                     int64_t n_taps, float *panels)
{
    int64_t panel_floats = args->n_channels * n_taps * PANEL_COLUMNS;
    for (int64_t c = 0; c < args->n_channels; c++) {
        const float *channel = args->x + c * args->channel_stride;
        float *target = panels + c * n_taps * PANEL_COLUMNS;
        for (int64_t p = 0; p < n_panels; p++, target += panel_floats) {
            _mm256_store_ps(target, read_half(&halves[p][0], channel));
            _mm256_store_ps(target + LANES, read_half(&halves[p][1], channel));
        }
    }
}

static void read_panels(const struct patches_f32_args *args, const struct pixels *pixels, int64_t n_panels,
                        int64_t n_taps, float *panels)
{
    int64_t tap[PATCHES_MAX_RANK] = {0};
    struct half halves[TOGETHER][2];
    for (int64_t t = 0; t < n_taps; t++) {
        for (int64_t p = 0; p < n_panels; p++) {
            halves[p][0] = find_half(args, &pixels[p], tap, 0);
            halves[p][1] = find_half(args, &pixels[p], tap, LANES);
        }
        read_tap(args, halves, n_panels, n_taps, panels + t * PANEL_COLUMNS);
        for (int axis = args->rank - 1; axis >= 0 && ++tap[axis] == args->taps[axis]; axis--) tap[axis] = 0;
    }
}

/* ---- windows of one input each, in order: nothing to find ---- */

static bool is_copy(const struct patches_f32_args *args)
{
    return args->rank == 1 && args->taps[0] == 1 && args->strides[0] == 1 && !args->origins[0] &&
           args->inputs[0] == args->outputs[0];
}

/* Eight pixels of a panel, of which the last may not be there. */
ALWAYS_INLINE void copy_half(const float *from, int64_t n_pixels, float *to)
{
    _mm256_store_ps(to, n_pixels >= LANES ? _mm256_loadu_ps(from) : load_first(from, n_pixels > 0 ? n_pixels : 0));
}

static void copy_panels(const struct patches_f32_args *args)
{
    const int64_t panel_floats = args->n_channels * PANEL_COLUMNS, n_panels = panel_count(args->n_pixels);
    for (int64_t panel = 0; panel < n_panels; panel += TOGETHER) {
        int64_t n = n_panels - panel < TOGETHER ? n_panels - panel : TOGETHER;
        const float *from = args->x + args->pixel_begin + panel * PANEL_COLUMNS;
        float *to = args->panels + panel * panel_floats;
        for (int64_t c = 0; c < args->n_channels; c++, from += args->channel_stride, to += PANEL_COLUMNS)
            for (int64_t p = 0; p < n; p++) {
                int64_t n_pixels = args->n_pixels - (panel + p) * PANEL_COLUMNS;
                copy_half(from + p * PANEL_COLUMNS, n_pixels, to + p * panel_floats);
                copy_half(from + p * PANEL_COLUMNS + LANES, n_pixels - LANES, to + p * panel_floats + LANES);
            }
    }
}

void x86_avx2_patches_f32(const struct patches_f32_args *args)
{
    if (is_copy(args)) {
        copy_panels(args);
        return;
    }
    if (!fits(args)) {
        generic_patches_f32(args);
        return;
    }
    int64_t n_taps = 1, output[PATCHES_MAX_RANK], rest = args->pixel_begin, n_panels = panel_count(args->n_pixels);
    for (int axis = args->rank - 1; axis >= 0; axis--) {
        n_taps *= args->taps[axis];
        output[axis] = rest % args->outputs[axis];
        rest /= args->outputs[axis];
    }
    struct pixels pixels[TOGETHER];
    for (int64_t panel = 0; panel < n_panels; panel += TOGETHER) {
        int64_t n = n_panels - panel < TOGETHER ? n_panels - panel : TOGETHER;
        for (int64_t p = 0; p < n; p++) locate(args, args->n_pixels - (panel + p) * PANEL_COLUMNS, output, &pixels[p]);
        read_panels(args, pixels, n, n_taps, args->panels + panel * args->n_channels * n_taps * PANEL_COLUMNS);
    }
}
#endif
