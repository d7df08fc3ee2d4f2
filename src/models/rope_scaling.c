/* Computed in double precision and rounded once, so that the table is the same on every machine. */
#include "models/rope_scaling.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

struct llama3_scaling {
    double factor, low, high, first_context;
};

static hob_status read_llama3(const struct model_source *source, struct llama3_scaling *ret_scaling, hob_error *error)
{
    int64_t first_context;
    struct llama3_scaling scaling;
    TRY(model_source_float(source, KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &scaling.factor, error));
    TRY(model_source_float(source, KEY_ROPE_LOW_FACTOR, (double)KEY_REQUIRED, &scaling.low, error));
    TRY(model_source_float(source, KEY_ROPE_HIGH_FACTOR, (double)KEY_REQUIRED, &scaling.high, error));
    TRY(model_source_int(source, KEY_ROPE_FIRST_CONTEXT, KEY_REQUIRED, &first_context, error));
    if (scaling.high <= scaling.low)
        FAIL(error, HOB_BAD_FILE, "%s: found a high frequency factor of %g, expected more than the low one, %g",
             source->where, scaling.high, scaling.low);
    scaling.first_context = (double)first_context;
    *ret_scaling = scaling;
    return HOB_OK;
}

/* Waves that turn often within the first context stay, those that hardly turn are stretched, between them a
 * ramp. */
static float llama3_factor(const struct llama3_scaling *scaling, double frequency)
{
    double n_turns = scaling->first_context * frequency / (2 * 3.14159265358979323846);
    if (n_turns > scaling->high) return 1;
    if (n_turns < scaling->low) return (float)scaling->factor;
    double ramp = (n_turns - scaling->low) / (scaling->high - scaling->low);
    return (float)(1 / ((1 - ramp) / scaling->factor + ramp));
}

static hob_status fill_llama3(const struct draft *d, double base, int64_t n_factors, float *factors, hob_error *error)
{
    struct llama3_scaling scaling;
    TRY(read_llama3(d->source, &scaling, error));
    for (int64_t i = 0; i < n_factors; i++)
        factors[i] = llama3_factor(&scaling, pow(base, -(double)i / (double)n_factors));
    return HOB_OK;
}

/* Linear scaling divides every position, which is the same as dividing every frequency. */
static hob_status fill_linear(const struct draft *d, int64_t n_factors, float *factors, hob_error *error)
{
    double factor;
    TRY(model_source_float(d->source, KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &factor, error));
    for (int64_t i = 0; i < n_factors; i++) factors[i] = (float)factor;
    return HOB_OK;
}

static hob_status fill_factors(const struct draft *d, const char *scaling, double base, int64_t n_factors,
                               float *factors, hob_error *error)
{
    if (!strcmp(scaling, "linear")) return fill_linear(d, n_factors, factors, error);
    if (!strcmp(scaling, "llama3")) return fill_llama3(d, base, n_factors, factors, error);
    return model_source_refuse(d->source, KEY_ROPE_SCALING, "none, linear or llama3", error);
}

hob_status rope_scaling_factors(struct draft *d, float base, int64_t rope_width, uint32_t *ret_factors,
                                hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    struct tensor tensor;
    int64_t n_factors = rope_width / 2;
    /* GGUF's type may be left out beside a factor: linear (llama.cpp's loader). */
    const char *scaling = model_source_has(d->source, KEY_ROPE_FACTOR) ? "linear" : "none";
    TRY(model_source_text(d->source, KEY_ROPE_SCALING, scaling, &scaling, error));
    bool is_none = !strcmp(scaling, "none") || !strcmp(scaling, "default");
    if (is_none) {
        bool has_table = model_source_tensor(d->source, TENSOR_ROPE_FACTORS, PART_WEIGHT, 0, name);
        *ret_factors = has_table ? draft_vector(d, TENSOR_ROPE_FACTORS, PART_WEIGHT, 0, n_factors) : VALUE_NONE;
        return HOB_OK;
    }
    float *factors = ARENA_NEW(&d->builder.graph->arena, float, (size_t)n_factors);
    if (!factors) FAIL(error, HOB_NO_MEMORY, "%s: rotary factors: out of memory", d->source->where);
    TRY(fill_factors(d, scaling, base, n_factors, factors, error));
    TRY(tensor_init(&tensor, DTYPE_F32, 1, &n_factors, factors, error));
    *ret_factors = builder_constant(&d->builder, "", &tensor);
    return HOB_OK;
}
