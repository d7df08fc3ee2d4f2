/* What frequencies are divided by, computed in double precision and rounded once, so that it is the same on every machine; where
 * it depends on the session's length, a few nodes choose or compute it at the beginning of a run. */
#include "models/rope.h"

#include "base/error.h"
#include "base/size.h"
#include "graph/io_role.h"
#include "ops/numbers.h"

#include <math.h>
#include <string.h>

#define INPUTS(...) (const uint32_t[]){__VA_ARGS__}, (uint32_t)ARRAY_LENGTH(((const uint32_t[]){__VA_ARGS__}))

static const double full_turn = 2 * 3.14159265358979323846;

struct scaling {
    struct draft *draft;
    struct rope *rope;
    int64_t n_factors;
    int64_t first_context; /* that the model was first trained for */
    double *factors;       /* [n_factors], 1 at the beginning */
};

static const struct model_source *source_of(const struct scaling *scaling)
{
    return scaling->draft->source;
}

/* ---- constants ---- */

static hob_status add_constant(struct draft *d, enum dtype dtype, int rank, const int64_t *dims, const double *items,
                               uint32_t *ret_value, hob_error *error)
{
    struct tensor tensor;
    TRY(tensor_init(&tensor, dtype, rank, dims, NULL, error));
    tensor.data = arena_alloc(&d->builder.graph->arena, tensor_n_bytes(&tensor), 64);
    if (!tensor.data) FAIL(error, HOB_NO_MEMORY, "%s: rotary factors: out of memory", d->source->where);
    for (int64_t i = 0; i < tensor_n_items(&tensor); i++) {
        if (dtype == DTYPE_F32) ((float *)tensor.data)[i] = (float)items[i];
        else if (dtype == DTYPE_F64) ((double *)tensor.data)[i] = items[i];
        else ((int64_t *)tensor.data)[i] = (int64_t)items[i];
    }
    *ret_value = builder_constant(&d->builder, "", &tensor);
    return HOB_OK;
}

static hob_status finish_fixed(const struct scaling *scaling, hob_error *error)
{
    return add_constant(scaling->draft, DTYPE_F32, 1, &scaling->n_factors, scaling->factors, &scaling->rope->factors,
                        error);
}

static void extend_context(struct draft *d, double n_context)
{
    enum { MOST = 1 << 28 };
    if (n_context <= (double)d->n_context || n_context > MOST) return;
    d->n_context = d->info->n_context = (int64_t)n_context;
}

static hob_status read_first_context(struct scaling *scaling, int64_t fallback, hob_error *error)
{
    return model_source_int(source_of(scaling), KEY_ROPE_FIRST_CONTEXT, fallback, &scaling->first_context, error);
}

/* ---- factors that depend on the model only ---- */

/* Linear scaling divides every position, which is the same as dividing every frequency. */
static hob_status scale_linear(struct scaling *scaling, hob_error *error)
{
    double factor;
    TRY(model_source_float(source_of(scaling), KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &factor, error));
    for (int64_t i = 0; i < scaling->n_factors; i++) scaling->factors[i] *= factor;
    return finish_fixed(scaling, error);
}

/* Waves that turn often within the first context stay, those that hardly turn are stretched, between them a ramp. */
static double llama3_factor(double n_turns, double factor, double low, double high)
{
    if (n_turns > high) return 1;
    if (n_turns < low) return factor;
    double ramp = (n_turns - low) / (high - low);
    return 1 / ((1 - ramp) / factor + ramp);
}

static double frequency(const struct scaling *scaling, int64_t i)
{
    return pow(scaling->rope->base, -(double)i / (double)scaling->n_factors);
}

static hob_status scale_llama3(struct scaling *scaling, hob_error *error)
{
    const struct model_source *source = source_of(scaling);
    double factor, low, high;
    TRY(model_source_float(source, KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &factor, error));
    TRY(model_source_float(source, KEY_ROPE_LOW_FACTOR, (double)KEY_REQUIRED, &low, error));
    TRY(model_source_float(source, KEY_ROPE_HIGH_FACTOR, (double)KEY_REQUIRED, &high, error));
    TRY(read_first_context(scaling, KEY_REQUIRED, error));
    if (high <= low)
        FAIL(error, HOB_BAD_FILE, "%s: found a high frequency factor of %g, expected more than the low one, %g",
             source->where, high, low);
    for (int64_t i = 0; i < scaling->n_factors; i++) {
        double n_turns = (double)scaling->first_context * frequency(scaling, i) / full_turn;
        scaling->factors[i] *= llama3_factor(n_turns, factor, low, high);
    }
    return finish_fixed(scaling, error);
}

/* A base of base * alpha^(R/(R-2)): the slowest pair is slowed down by alpha, the fastest stays. */
static double ntk_exponent(const struct scaling *scaling, int64_t i)
{
    return scaling->n_factors > 1 ? (double)i / (double)(scaling->n_factors - 1) : 0;
}

static hob_status scale_ntk(struct scaling *scaling, enum model_key key, hob_error *error)
{
    double alpha;
    TRY(model_source_float(source_of(scaling), key, (double)KEY_REQUIRED, &alpha, error));
    for (int64_t i = 0; i < scaling->n_factors; i++) scaling->factors[i] *= pow(alpha, ntk_exponent(scaling, i));
    return finish_fixed(scaling, error);
}

/* ---- YaRN ---- */

static double mscale(double factor, double weight)
{
    return factor > 1 ? 0.1 * weight * log(factor) + 1 : 1;
}

static hob_status refuse_yarn_variants(const struct model_source *source, hob_error *error)
{
    static const enum model_key ones[] = {KEY_ROPE_EXTRAPOLATION, KEY_ROPE_YARN_ATTENTION_FACTOR};
    double found;
    for (size_t i = 0; i < ARRAY_LENGTH(ones); i++) {
        TRY(model_source_float(source, ones[i], 1, &found, error));
        if (found != 1) return model_source_refuse(source, ones[i], "1", error);
    }
    TRY(model_source_float(source, KEY_ROPE_LOG_MULTIPLIER, 0, &found, error));
    return found != 0 ? model_source_refuse(source, KEY_ROPE_LOG_MULTIPLIER, "none", error) : HOB_OK;
}

/* GGUF's factor stands beside the paper's, config.json's in place of it. */
static hob_status read_yarn_scale(const struct scaling *scaling, double factor, hob_error *error)
{
    const struct model_source *source = source_of(scaling);
    double weight, all_weight, scale;
    TRY(model_source_float(source, KEY_ROPE_MSCALE, 0, &weight, error));
    TRY(model_source_float(source, KEY_ROPE_MSCALE_ALL, 0, &all_weight, error));
    bool has_weights = weight != 0 && all_weight != 0;
    double usual = has_weights ? mscale(factor, weight) / mscale(factor, all_weight) : mscale(factor, 1);
    bool is_gguf = model_source_is_gguf(source);
    TRY(model_source_float(source, KEY_ROPE_ATTENTION_FACTOR, is_gguf ? 1 : usual, &scale, error));
    scaling->rope->scale = (float)(is_gguf ? scale * usual : scale);
    return HOB_OK;
}

/* The pair that turns n_turns times within the first context. */
static double find_pair(const struct scaling *scaling, double n_turns)
{
    double first = (double)scaling->first_context;
    return (double)scaling->n_factors * log(first / (n_turns * full_turn)) / log(scaling->rope->base);
}

struct ramp {
    double begin, end;
};

/* Pairs up to begin keep their frequency, those from end on are interpolated. */
static hob_status read_ramp(const struct scaling *scaling, struct ramp *ret_ramp, hob_error *error)
{
    const struct model_source *source = source_of(scaling);
    double fast, slow;
    bool truncates;
    TRY(model_source_float(source, KEY_ROPE_BETA_FAST, 32, &fast, error));
    TRY(model_source_float(source, KEY_ROPE_BETA_SLOW, 1, &slow, error));
    TRY(model_source_bool(source, KEY_ROPE_TRUNCATES, true, &truncates, error));
    struct ramp ramp = {find_pair(scaling, fast), find_pair(scaling, slow)};
    if (truncates) ramp = (struct ramp){floor(ramp.begin), ceil(ramp.end)};
    ramp.begin = fmax(ramp.begin, 0);
    ramp.end = fmin(ramp.end, (double)scaling->rope->width - 1);
    if (ramp.end - ramp.begin < 0.001) ramp.end = ramp.begin + 0.001; /* no division by 0, as in the published code */
    *ret_ramp = ramp;
    return HOB_OK;
}

static hob_status scale_yarn(struct scaling *scaling, hob_error *error)
{
    struct draft *d = scaling->draft;
    struct ramp ramp;
    double factor;
    if (scaling->rope->base <= 1) return model_source_refuse(d->source, KEY_ROPE_BASE, "more than 1", error);
    TRY(refuse_yarn_variants(d->source, error));
    TRY(read_first_context(scaling, d->n_context, error));
    TRY(model_source_float(d->source, KEY_ROPE_FACTOR, (double)d->n_context / (double)scaling->first_context, &factor,
                           error));
    TRY(read_yarn_scale(scaling, factor, error));
    TRY(read_ramp(scaling, &ramp, error));
    for (int64_t i = 0; i < scaling->n_factors; i++) {
        double share = fmin(fmax(((double)i - ramp.begin) / (ramp.end - ramp.begin), 0), 1);
        scaling->factors[i] *= 1 / (share / factor + 1 - share);
    }
    extend_context(d, (double)scaling->first_context * factor);
    return finish_fixed(scaling, error);
}

/* ---- factors that depend on the session's length ---- */

static uint32_t cast(struct draft *d, uint32_t x, enum dtype dtype)
{
    enum { ONNX_F32 = 1, ONNX_I64 = 7, ONNX_F64 = 11 };
    int64_t type = dtype == DTYPE_F32 ? ONNX_F32 : dtype == DTYPE_F64 ? ONNX_F64 : ONNX_I64;
    struct attribute to = attribute_int("to", type);
    return builder_op(&d->builder, "Cast", INPUTS(x), &to, 1);
}

/* i64 [1] */
static uint32_t capacity_input(struct draft *d)
{
    const char *dim_name = NULL;
    return builder_input(&d->builder, input_capacity_name, DTYPE_I64, 1, (const int64_t[]){1}, &dim_name);
}

static hob_status add_number(struct draft *d, enum dtype dtype, double number, uint32_t *ret_value, hob_error *error)
{
    return add_constant(d, dtype, 1, (const int64_t[]){1}, &number, ret_value, error);
}

/* factors[i] * (factor * length / first - (factor - 1))^exponents[i], length = max(capacity, first) */
static hob_status scale_dynamic(struct scaling *scaling, hob_error *error)
{
    struct draft *d = scaling->draft;
    struct builder *b = &d->builder;
    double factor;
    uint32_t first, slope, shift, exponents, factors;
    if (model_source_has(d->source, KEY_ROPE_ALPHA)) return scale_ntk(scaling, KEY_ROPE_ALPHA, error);
    TRY(model_source_float(d->source, KEY_ROPE_FACTOR, (double)KEY_REQUIRED, &factor, error));
    TRY(read_first_context(scaling, d->n_context, error));
    TRY(add_number(d, DTYPE_F64, (double)scaling->first_context, &first, error));
    TRY(add_number(d, DTYPE_F64, factor / (double)scaling->first_context, &slope, error));
    TRY(add_number(d, DTYPE_F64, factor - 1, &shift, error));
    TRY(add_constant(d, DTYPE_F64, 1, &scaling->n_factors, scaling->factors, &factors, error));
    for (int64_t i = 0; i < scaling->n_factors; i++) scaling->factors[i] = ntk_exponent(scaling, i);
    TRY(add_constant(d, DTYPE_F64, 1, &scaling->n_factors, scaling->factors, &exponents, error));
    uint32_t length = builder_op(b, "Max", INPUTS(cast(d, capacity_input(d), DTYPE_F64), first), NULL, 0);
    uint32_t scaled = builder_op(b, "Mul", INPUTS(length, slope), NULL, 0);
    uint32_t alpha = builder_op(b, "Sub", INPUTS(scaled, shift), NULL, 0);
    uint32_t powers = builder_op(b, "Pow", INPUTS(alpha, exponents), NULL, 0);
    scaling->rope->factors = cast(d, builder_op(b, "Mul", INPUTS(powers, factors), NULL, 0), DTYPE_F32);
    extend_context(d, (double)scaling->first_context * factor);
    return HOB_OK;
}

static hob_status multiply_by_tensor(const struct scaling *scaling, enum tensor_role role, double *factors,
                                     hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    const struct model_source *source = source_of(scaling);
    const struct tensor *tensor = model_source_tensor(source, role, PART_WEIGHT, 0, name);
    if (!tensor) FAIL(error, HOB_NOT_FOUND, "%s: %s: missing", source->file->path, name);
    bool fits = tensor_has_shape(tensor, 1, &scaling->n_factors) && numbers_is_float(tensor->dtype);
    if (!fits)
        FAIL(error, HOB_BAD_SHAPE, "%s: %s: found rank %d and %lld items, expected [%lld] floating point numbers",
             source->file->path, name, tensor->rank, (long long)tensor_n_items(tensor), (long long)scaling->n_factors);
    for (int64_t i = 0; i < scaling->n_factors; i++) {
        double factor;
        numbers_load_f64(tensor, i, 1, 1, &factor);
        if (!(factor > 0))
            FAIL(error, HOB_BAD_FILE, "%s: %s: found %g, expected more than 0", source->file->path, name, factor);
        factors[i] *= factor;
    }
    return HOB_OK;
}

static hob_status read_long_factors(const struct scaling *scaling, enum tensor_role role, enum model_key key,
                                    double *factors, hob_error *error)
{
    char name[SOURCE_NAME_BYTES];
    const struct model_source *source = source_of(scaling);
    memcpy(factors, scaling->factors, (size_t)scaling->n_factors * sizeof *factors);
    if (model_source_is_gguf(source)) return multiply_by_tensor(scaling, role, factors, error);
    size_t n = model_source_n_items(source, key);
    if (n != (size_t)scaling->n_factors)
        FAIL(error, HOB_BAD_FILE, "%s: %s: found %zu factors, expected %lld", source->where,
             model_source_key_name(source, key, name), n, (long long)scaling->n_factors);
    for (size_t i = 0; i < n; i++) {
        double factor;
        TRY(model_source_item_float(source, key, i, &factor, error));
        factors[i] *= factor;
    }
    return HOB_OK;
}

static hob_status read_long_scale(const struct scaling *scaling, hob_error *error)
{
    const struct draft *d = scaling->draft;
    double usual = 1, first = (double)scaling->first_context, stretch = (double)d->n_context / first, scale;
    if (model_source_has(d->source, KEY_ROPE_LONG_MSCALE))
        return model_source_refuse(d->source, KEY_ROPE_LONG_MSCALE, "attention_factor or none", error);
    if (!model_source_is_gguf(d->source) && stretch > 1 && first > 1) usual = sqrt(1 + log(stretch) / log(first));
    TRY(model_source_float(d->source, KEY_ROPE_ATTENTION_FACTOR, usual, &scale, error));
    scaling->rope->scale = (float)scale;
    return HOB_OK;
}

/* The long factors where the session has room for more than the first context, otherwise the short ones. */
static hob_status scale_longrope(struct scaling *scaling, hob_error *error)
{
    struct draft *d = scaling->draft;
    struct builder *b = &d->builder;
    int64_t n = scaling->n_factors;
    uint32_t table, first;
    double *tables = ARENA_NEW(&b->graph->arena, double, 2 * (size_t)n);
    if (!tables) FAIL(error, HOB_NO_MEMORY, "%s: rotary factors: out of memory", d->source->where);
    TRY(read_first_context(scaling, d->n_context, error));
    TRY(read_long_scale(scaling, error));
    TRY(read_long_factors(scaling, TENSOR_ROPE_SHORT_FACTORS, KEY_ROPE_SHORT_FACTORS, tables, error));
    TRY(read_long_factors(scaling, TENSOR_ROPE_LONG_FACTORS, KEY_ROPE_LONG_FACTORS, tables + n, error));
    TRY(add_constant(d, DTYPE_F32, 2, (const int64_t[]){2, n}, tables, &table, error));
    TRY(add_number(d, DTYPE_I64, (double)scaling->first_context, &first, error));
    uint32_t is_long = builder_op(b, "Greater", INPUTS(capacity_input(d), first), NULL, 0);
    uint32_t row = builder_op(b, "Gather", INPUTS(table, cast(d, is_long, DTYPE_I64)), NULL, 0);
    scaling->rope->factors = builder_op(b, "Reshape", INPUTS(row, builder_ints(b, &n, 1)), NULL, 0);
    return HOB_OK;
}

/* ---- which of them ---- */

/* GGUF says linear by leaving the type out beside a factor (llama.cpp's loader), and longrope by its tables. */
static hob_status find_kind(const struct draft *d, const char **ret_kind, hob_error *error)
{
    const char *fallback = model_source_has(d->source, KEY_ROPE_FACTOR) ? "linear" : "none";
    TRY(model_source_text(d->source, KEY_ROPE_SCALING, fallback, ret_kind, error));
    if (!strcmp(*ret_kind, "default")) *ret_kind = "none";
    if (!strcmp(*ret_kind, "none") && draft_has(d, TENSOR_ROPE_LONG_FACTORS, PART_WEIGHT)) *ret_kind = "longrope";
    return HOB_OK;
}

static hob_status scale_kind(struct scaling *scaling, const char *kind, bool has_table, hob_error *error)
{
    if (!strcmp(kind, "none")) return has_table ? finish_fixed(scaling, error) : HOB_OK;
    if (!strcmp(kind, "linear")) return scale_linear(scaling, error);
    if (!strcmp(kind, "llama3")) return scale_llama3(scaling, error);
    if (source_of(scaling)->def->kind != MODEL_DECODER)
        return model_source_refuse(source_of(scaling), KEY_ROPE_SCALING, "none, linear or llama3", error);
    if (!strcmp(kind, "yarn")) return scale_yarn(scaling, error);
    if (!strcmp(kind, "ntk")) return scale_ntk(scaling, KEY_ROPE_FACTOR, error);
    if (draft_is_embedder(scaling->draft)) /* packed texts, no session to say how long they are */
        return model_source_refuse(source_of(scaling), KEY_ROPE_SCALING, "none, linear, ntk, yarn or llama3", error);
    if (!strcmp(kind, "dynamic")) return scale_dynamic(scaling, error);
    if (!strcmp(kind, "longrope") || !strcmp(kind, "su")) return scale_longrope(scaling, error);
    return model_source_refuse(source_of(scaling), KEY_ROPE_SCALING,
                               "none, linear, ntk, dynamic, yarn, llama3 or longrope", error);
}

hob_status rope_scale(struct draft *d, struct rope *rope, hob_error *error)
{
    const char *kind;
    struct scaling scaling = {.draft = d, .rope = rope, .n_factors = rope->width / 2, .first_context = d->n_context};
    scaling.factors = ARENA_NEW(&d->builder.graph->arena, double, (size_t)scaling.n_factors);
    if (!scaling.factors) FAIL(error, HOB_NO_MEMORY, "%s: rotary factors: out of memory", d->source->where);
    for (int64_t i = 0; i < scaling.n_factors; i++) scaling.factors[i] = 1;
    bool has_table = draft_has(d, TENSOR_ROPE_FACTORS, PART_WEIGHT);
    if (has_table) TRY(multiply_by_tensor(&scaling, TENSOR_ROPE_FACTORS, scaling.factors, error));
    TRY(find_kind(d, &kind, error));
    return scale_kind(&scaling, kind, has_table, error);
}
