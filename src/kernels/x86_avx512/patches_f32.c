/* What windows cover, sixteen output pixels at a time. For each tap the sixteen inputs are found once, as one vector, and then read
 * from every channel: as a run under a mask where they lie next to each other, gathered where not. */
#if defined(__x86_64__)
#include "kernels/generic/generic.h"
#include "kernels/x86_avx512/vector.h"
#include "kernels/x86_avx512/x86_avx512.h"

/* Panels that are written side by side: a channel's row is read in runs, but few of them, since panels lie a power of two of bytes
 * apart as often as not and would drive each other out of the cache. More channels than the machine follows by itself: what comes AHEAD is asked for. */
enum { SIDE_BY_SIDE = 4, AHEAD = SIDE_BY_SIDE * PANEL_COLUMNS, COORDINATE_LIMIT = 1 << 29, OUTSIDE = INT32_MIN / 2 };

/* Where the first tap of each pixel of a panel lies, on each axis. */
struct pixels {
    _Alignas(64) int32_t at[PATCHES_MAX_RANK][PANEL_COLUMNS];
};

/* How sixteen pixels read one tap. */
struct reading {
    __m512i indices;
    int64_t base; /* of a run: the index of lane 0, whether it is inside or not */
    __mmask16 inside;
    bool is_run;
};

/* Coordinates and indices fit 32 bits, so that a vector holds sixteen. */
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

static void find(const struct patches_f32_args *args, const struct pixels *pixels, const int64_t *tap,
                 struct reading *ret_reading)
{
    __m512i indices = _mm512_setzero_si512();
    __mmask16 inside = 0xffff;
    for (int axis = 0; axis < args->rank; axis++) {
        __m512i shift = _mm512_set1_epi32((int32_t)(tap[axis] * args->dilations[axis]));
        __m512i at = _mm512_add_epi32(_mm512_load_si512(pixels->at[axis]), shift);
        __m512i size = _mm512_set1_epi32((int32_t)args->inputs[axis]);
        inside = _mm512_mask_cmplt_epu32_mask(inside, at, size);
        indices = axis ? _mm512_add_epi32(_mm512_mullo_epi32(indices, size), at) : at;
    }
    __m512i starts = _mm512_sub_epi32(indices, _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    int32_t base = _mm512_mask_reduce_max_epi32(inside, starts);
    ret_reading->indices = indices;
    ret_reading->base = inside ? base : 0;
    ret_reading->inside = inside;
    ret_reading->is_run = _mm512_mask_cmpneq_epi32_mask(inside, starts, _mm512_set1_epi32(base)) == 0;
}

/* A run may begin in front of the channel: the address is made of integers, only its inside lanes are read. */
ALWAYS_INLINE __m512 read_run(const struct reading *reading, const float *channel)
{
    return _mm512_maskz_loadu_ps(reading->inside,
                                 (const float *)((uintptr_t)channel + (uintptr_t)reading->base * sizeof(float)));
}

ALWAYS_INLINE __m512 read(const struct reading *reading, const float *channel)
{
    if (reading->is_run) return read_run(reading, channel);
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), reading->inside, reading->indices, channel, sizeof(float));
}

/* One tap of every channel for some panels that lie panel_floats apart. */
static void read_tap(const struct patches_f32_args *args, const struct reading *readings, int64_t n_panels,
                     int64_t n_taps, bool asks_ahead, float *panels)
{
    const int64_t panel_floats = args->n_channels * n_taps * PANEL_COLUMNS, step = n_taps * PANEL_COLUMNS;
    const float *channel = args->x;
    bool are_runs = n_panels == SIDE_BY_SIDE;
    for (int64_t p = 0; p < n_panels; p++) are_runs &= readings[p].is_run;
    for (int64_t c = 0; c < args->n_channels; c++, channel += args->channel_stride, panels += step) {
        if (are_runs)
#pragma GCC unroll 4
            for (int64_t p = 0; p < SIDE_BY_SIDE; p++) {
                if (asks_ahead)
                    _mm_prefetch(
                        (const char *)((uintptr_t)channel + (uintptr_t)(readings[p].base + AHEAD) * sizeof(float)),
                        _MM_HINT_T0);
                _mm512_store_ps(panels + p * panel_floats, read_run(&readings[p], channel));
            }
        else
            for (int64_t p = 0; p < n_panels; p++)
                _mm512_store_ps(panels + p * panel_floats, read(&readings[p], channel));
    }
}

static void read_panels(const struct patches_f32_args *args, const struct pixels *pixels, int64_t n_panels,
                        int64_t n_taps, float *panels)
{
    int64_t tap[PATCHES_MAX_RANK] = {0};
    struct reading readings[SIDE_BY_SIDE];
    for (int64_t t = 0; t < n_taps; t++) {
        for (int64_t p = 0; p < n_panels; p++) find(args, &pixels[p], tap, &readings[p]);
        read_tap(args, readings, n_panels, n_taps, tap[args->rank - 1] == 0, panels + t * PANEL_COLUMNS);
        for (int axis = args->rank - 1; axis >= 0 && ++tap[axis] == args->taps[axis]; axis--) tap[axis] = 0;
    }
}

/* ---- windows of one input each, in order: nothing to find ---- */

static bool is_copy(const struct patches_f32_args *args)
{
    return args->rank == 1 && args->taps[0] == 1 && args->strides[0] == 1 && !args->origins[0] &&
           args->inputs[0] == args->outputs[0];
}

static void copy_panels(const struct patches_f32_args *args)
{
    const int64_t panel_floats = args->n_channels * PANEL_COLUMNS, n_panels = panel_count(args->n_pixels);
    for (int64_t panel = 0; panel < n_panels; panel += SIDE_BY_SIDE) {
        int64_t n_pixels = args->n_pixels - panel * PANEL_COLUMNS,
                n = n_panels - panel < SIDE_BY_SIDE ? n_panels - panel : SIDE_BY_SIDE;
        const float *from = args->x + args->pixel_begin + panel * PANEL_COLUMNS;
        float *to = args->panels + panel * panel_floats;
        for (int64_t c = 0; c < args->n_channels; c++, from += args->channel_stride, to += PANEL_COLUMNS) {
            if (n_pixels >= SIDE_BY_SIDE * PANEL_COLUMNS)
#pragma GCC unroll 4
                for (int64_t p = 0; p < SIDE_BY_SIDE; p++) {
                    _mm_prefetch(
                        (const char *)((uintptr_t)from + (uintptr_t)(p * PANEL_COLUMNS + AHEAD) * sizeof(float)),
                        _MM_HINT_T0);
                    _mm512_store_ps(to + p * panel_floats, _mm512_loadu_ps(from + p * PANEL_COLUMNS));
                }
            else
                for (int64_t p = 0; p < n; p++)
                    _mm512_store_ps(
                        to + p * panel_floats,
                        _mm512_maskz_loadu_ps(first_lanes(n_pixels - p * PANEL_COLUMNS), from + p * PANEL_COLUMNS));
        }
    }
}

void x86_avx512_patches_f32(const struct patches_f32_args *args)
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
    struct pixels pixels[SIDE_BY_SIDE];
    for (int64_t panel = 0; panel < n_panels; panel += SIDE_BY_SIDE) {
        int64_t n = n_panels - panel < SIDE_BY_SIDE ? n_panels - panel : SIDE_BY_SIDE;
        for (int64_t p = 0; p < n; p++) locate(args, args->n_pixels - (panel + p) * PANEL_COLUMNS, output, &pixels[p]);
        read_panels(args, pixels, n, n_taps, args->panels + panel * args->n_channels * n_taps * PANEL_COLUMNS);
    }
}
#endif
