#include "ops/norm/moments.h"

#include "kernels/kernels.h"
#include "ops/numbers.h"

/* Floats in a stretch: fits the first cache with room for its input. */
enum { STRETCH = 1024 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where the items lie if they are f32, else converted into buffer. */
static const float *stretch_f32(const struct kernels *kernels, const struct tensor *x, int64_t offset, int64_t n,
                                float *buffer)
{
    if (x->dtype == DTYPE_F32) return (const float *)x->data + offset;
    if (x->dtype == DTYPE_F16) kernels->f32_from_f16(n, (const uint16_t *)x->data + offset, buffer);
    else kernels->f32_from_bf16(n, (const uint16_t *)x->data + offset, buffer);
    return buffer;
}

void moments_init(struct moments *ret_moments, const struct kernels *kernels, const struct tensor *x)
{
    *ret_moments = (struct moments){.kernels = kernels, .x = x};
}

void moments_add(struct moments *moments, int64_t offset, int64_t n_items)
{
    moments->n_items += (double)n_items;
    if (moments->x->dtype == DTYPE_F64) {
        const double *x = (const double *)moments->x->data + offset;
        for (int64_t i = 0; i < n_items; i++) moments->sum += x[i];
        return;
    }
    float buffer[STRETCH];
    for (int64_t done = 0, n; done < n_items; done += n) {
        n = least(n_items - done, STRETCH);
        moments->sum +=
            (double)moments->kernels->sum_f32(n, stretch_f32(moments->kernels, moments->x, offset + done, n, buffer));
    }
}

/* What the second walk measures from. */
static double pivot(const struct moments *moments)
{
    double mean = moments->sum / moments->n_items;
    return moments->x->dtype == DTYPE_F64 ? mean : (double)(float)mean;
}

void moments_add_deviations(struct moments *moments, int64_t offset, int64_t n_items)
{
    double from = pivot(moments);
    moments->n_deviations += (double)n_items;
    if (moments->x->dtype == DTYPE_F64) {
        const double *x = (const double *)moments->x->data + offset;
        for (int64_t i = 0; i < n_items; i++) {
            moments->deviations += x[i] - from;
            moments->squares += (x[i] - from) * (x[i] - from);
        }
        return;
    }
    float buffer[STRETCH], from_f32 = (float)from;
    for (int64_t done = 0, n; done < n_items; done += n) {
        n = least(n_items - done, STRETCH);
        const float *x = stretch_f32(moments->kernels, moments->x, offset + done, n, buffer);
        moments->kernels->sub_f32(n, x, 1, &from_f32, 0, buffer);
        moments->deviations += (double)moments->kernels->sum_f32(n, buffer);
        moments->squares += (double)moments->kernels->sum_squares_f32(n, buffer);
    }
}

double moments_mean(const struct moments *moments)
{
    if (moments->n_deviations == 0) return moments->sum / moments->n_items;
    return pivot(moments) + moments->deviations / moments->n_deviations;
}

/* mean of (x - p)^2 = variance + (mean - p)^2; rounding must not make it negative. */
double moments_variance(const struct moments *moments)
{
    double shift = moments->deviations / moments->n_deviations,
           variance = moments->squares / moments->n_deviations - shift * shift;
    return variance < 0 ? 0 : variance;
}

static void affine_f32(int64_t n, const float *x, float *y, float mean, float factor, float shift)
{
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * factor + shift;
}

void affine_run(const struct kernels *kernels, const struct tensor *x, const struct tensor *y, int64_t offset,
                int64_t n_items, double mean, double factor, double shift)
{
    if (x->dtype == DTYPE_F64) {
        const double *from = (const double *)x->data + offset;
        double *to = (double *)y->data + offset;
        for (int64_t i = 0; i < n_items; i++) to[i] = (from[i] - mean) * factor + shift;
        return;
    }
    /* What rounding took from the mean goes into the shift. */
    float rounded = (float)mean, f32_factor = (float)factor;
    float f32_shift = isfinite(mean) ? (float)(shift + ((double)rounded - mean) * factor) : (float)shift;
    if (x->dtype == DTYPE_F32) {
        affine_f32(n_items, (const float *)x->data + offset, (float *)y->data + offset, rounded, f32_factor, f32_shift);
        return;
    }
    float buffer[STRETCH];
    for (int64_t done = 0, n; done < n_items; done += n) {
        n = least(n_items - done, STRETCH);
        affine_f32(n, stretch_f32(kernels, x, offset + done, n, buffer), buffer, rounded, f32_factor, f32_shift);
        if (x->dtype == DTYPE_F16) kernels->f16_from_f32(n, buffer, (uint16_t *)y->data + offset + done);
        else kernels->bf16_from_f32(n, buffer, (uint16_t *)y->data + offset + done);
    }
}
