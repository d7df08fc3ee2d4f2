/* RNN, GRU and LSTM against PyTorch's layers (tools/make-recurrent-goldens.py), and every option against plain scalar formulas
 * written here; types, layouts, packed weights, threads and what is refused. */

#include "unit.h"

#include "kernels/panel.h"
#include "ops/run_op.h"

#include <math.h>

enum { STEPS = 7, BATCH = 4, INPUTS = 5, HIDDEN = 18 };
static int32_t lengths[BATCH] = {5, 7, 1, 6};

static struct tensor tensor_of(enum dtype dtype, int rank, const int64_t *dims, void *data)
{
    struct tensor tensor;
    assert_int_equal(tensor_init(&tensor, dtype, rank, dims, data, NULL), HOB_OK);
    return tensor;
}

static struct attribute text_attribute(const char *name, const char *text)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {text, strlen(text)}};
}

static struct attribute numbers_attribute(const char *name, const float *numbers, size_t n)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_FLOATS, .n_items = n, .numbers = numbers};
}

/* ---- PyTorch ---- */

static struct tensor layer_golden(struct op_bench *bench, const char *kind, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "recurrent_%s%s", kind, part);
    return golden(bench, name);
}

static void check_torch(const char *op, const char *kind, int n_outputs, const struct attribute *attributes, size_t n_attributes)
{
    struct op_bench bench;
    op_bench_init(&bench, 2);
    struct tensor x = golden(&bench, "recurrent_x"), h = golden(&bench, "recurrent_h"), c = golden(&bench, "recurrent_c");
    struct tensor w = layer_golden(&bench, kind, "_w"), r = layer_golden(&bench, kind, "_r"), b = layer_golden(&bench, kind, "_b");
    struct tensor n = tensor_of(DTYPE_I32, 1, (int64_t[]){BATCH}, lengths), found[3];
    run_op(&bench, "", op, 14, attributes, n_attributes, (const struct tensor *[]){&x, &w, &r, &b, &n, &h, &c},
           n_outputs == 3 ? 7 : 6, found, n_outputs);
    const char *parts[] = {"_y", "_y_h", "_y_c"};
    for (int i = 0; i < n_outputs; i++) {
        struct tensor expected = layer_golden(&bench, kind, parts[i]);
        assert_close(&bench, &found[i], &expected, 1e-5f, 1e-6f);
    }
    op_bench_release(&bench);
}

static void test_lstm_as_torch(void **state)
{
    (void)state;
    check_torch("LSTM", "lstm", 3, (struct attribute[]){text_attribute("direction", "bidirectional")}, 1);
}

static void test_gru_as_torch(void **state)
{
    (void)state;
    check_torch("GRU", "gru", 2,
                (struct attribute[]){text_attribute("direction", "bidirectional"), int_attribute("linear_before_reset", 1)}, 2);
}

static void test_rnn_as_torch(void **state)
{
    (void)state;
    check_torch("RNN", "rnn", 2, (struct attribute[]){text_attribute("direction", "bidirectional")}, 1);
}

/* ---- scalar formulas ---- */

struct options {
    const char *op, *direction;
    const char *functions[6];
    float alphas[6], betas[6]; /* of each function, for the formula */
    float given_alphas[6], given_betas[6];
    size_t n_alphas, n_betas;
    float clip;
    bool is_linear_before_reset, couples, has_peepholes, has_bias, has_lengths, has_states, is_batch_first;
};

static double function_of(const char *name, double a, double b, double v)
{
    if (!strcmp(name, "Sigmoid")) return 1 / (1 + exp(-v));
    if (!strcmp(name, "Tanh")) return tanh(v);
    if (!strcmp(name, "Relu")) return v > 0 ? v : 0;
    if (!strcmp(name, "Affine")) return a * v + b;
    if (!strcmp(name, "LeakyRelu")) return v >= 0 ? v : a * v;
    if (!strcmp(name, "ThresholdedRelu")) return v >= a ? v : 0;
    if (!strcmp(name, "ScaledTanh")) return a * tanh(b * v);
    if (!strcmp(name, "HardSigmoid")) return fmin(fmax(a * v + b, 0), 1);
    if (!strcmp(name, "Elu")) return v >= 0 ? v : a * (exp(v) - 1);
    if (!strcmp(name, "Softsign")) return v / (1 + fabs(v));
    assert_string_equal(name, "Softplus");
    return log(1 + exp(v));
}

/* One sequence, one direction: everything the formulas need, as numbers. */
struct problem {
    const struct options *options;
    int n_gates, direction, n_directions, batch;
    const float *x, *w, *r, *b, *h, *c, *p;
};

static size_t x_at(const struct problem *q, int t)
{
    return (size_t)(q->options->is_batch_first ? q->batch * STEPS + t : t * BATCH + q->batch) * INPUTS;
}

static size_t state_at(const struct problem *q)
{
    return (size_t)(q->options->is_batch_first ? q->batch * q->n_directions + q->direction : q->direction * BATCH + q->batch) * HIDDEN;
}

static size_t y_at(const struct problem *q, int t)
{
    if (q->options->is_batch_first) return (size_t)((q->batch * STEPS + t) * q->n_directions + q->direction) * HIDDEN;
    return (size_t)((t * q->n_directions + q->direction) * BATCH + q->batch) * HIDDEN;
}

static double apply(const struct problem *q, int function, double v)
{
    const struct options *o = q->options;
    int n_functions = q->n_gates == 1 ? 1 : q->n_gates == 3 ? 2 : 3, at = q->direction * n_functions + function;
    if (o->clip > 0) v = fmin(fmax(v, -(double)o->clip), (double)o->clip);
    return function_of(o->functions[at], (double)o->alphas[at], (double)o->betas[at], v);
}

static double of_x(const struct problem *q, int t, int row)
{
    double sum = 0;
    for (int i = 0; i < INPUTS; i++)
        sum += (double)q->w[(q->direction * q->n_gates * HIDDEN + row) * INPUTS + i] * (double)q->x[x_at(q, t) + (size_t)i];
    return sum + (q->options->has_bias ? (double)q->b[q->direction * 2 * q->n_gates * HIDDEN + row] : 0);
}

static double of_h(const struct problem *q, const double *h, int row)
{
    double sum = 0;
    for (int i = 0; i < HIDDEN; i++) sum += (double)q->r[(q->direction * q->n_gates * HIDDEN + row) * HIDDEN + i] * h[i];
    return sum + (q->options->has_bias ? (double)q->b[(q->direction * 2 + 1) * q->n_gates * HIDDEN + row] : 0);
}

static void rnn_step(const struct problem *q, int t, double *h)
{
    double next[HIDDEN];
    for (int j = 0; j < HIDDEN; j++) next[j] = apply(q, 0, of_x(q, t, j) + of_h(q, h, j));
    memcpy(h, next, sizeof next);
}

static void gru_step(const struct problem *q, int t, double *h)
{
    double z[HIDDEN], r[HIDDEN], rh[HIDDEN], next[HIDDEN];
    for (int j = 0; j < HIDDEN; j++) {
        z[j] = apply(q, 0, of_x(q, t, j) + of_h(q, h, j));
        r[j] = apply(q, 0, of_x(q, t, HIDDEN + j) + of_h(q, h, HIDDEN + j));
        rh[j] = r[j] * h[j];
    }
    for (int j = 0; j < HIDDEN; j++) {
        int row = 2 * HIDDEN + j;
        double inner = q->options->is_linear_before_reset ? r[j] * of_h(q, h, row) : of_h(q, rh, row);
        next[j] = (1 - z[j]) * apply(q, 1, of_x(q, t, row) + inner) + z[j] * h[j];
    }
    memcpy(h, next, sizeof next);
}

static void lstm_step(const struct problem *q, int t, double *h, double *c)
{
    double next[HIDDEN];
    const float *p = q->options->has_peepholes ? q->p + q->direction * 3 * HIDDEN : (const float[3 * HIDDEN]){0};
    for (int j = 0; j < HIDDEN; j++) {
        double sums[4];
        for (int gate = 0; gate < 4; gate++) sums[gate] = of_x(q, t, gate * HIDDEN + j) + of_h(q, h, gate * HIDDEN + j);
        double i = apply(q, 0, sums[0] + (double)p[j] * c[j]);
        double f = q->options->couples ? 1 - i : apply(q, 0, sums[2] + (double)p[2 * HIDDEN + j] * c[j]);
        c[j] = f * c[j] + i * apply(q, 1, sums[3]);
        double o = apply(q, 0, sums[1] + (double)p[HIDDEN + j] * c[j]);
        next[j] = o * apply(q, 2, c[j]);
    }
    memcpy(h, next, sizeof next);
}

static void run_formula(const struct problem *q, float *y, float *y_h, float *y_c)
{
    double h[HIDDEN] = {0}, c[HIDDEN] = {0};
    int n_steps = q->options->has_lengths ? lengths[q->batch] : STEPS;
    bool is_reverse = q->direction == 1 || !strcmp(q->options->direction, "reverse");
    for (int j = 0; q->options->has_states && j < HIDDEN; j++) {
        h[j] = (double)q->h[state_at(q) + (size_t)j];
        c[j] = (double)q->c[state_at(q) + (size_t)j];
    }
    for (int t = 0; t < STEPS; t++) memset(y + y_at(q, t), 0, HIDDEN * sizeof *y);
    for (int s = 0; s < n_steps; s++) {
        int t = is_reverse ? n_steps - 1 - s : s;
        if (q->n_gates == 1) rnn_step(q, t, h);
        else if (q->n_gates == 3) gru_step(q, t, h);
        else lstm_step(q, t, h, c);
        for (int j = 0; j < HIDDEN; j++) y[y_at(q, t) + (size_t)j] = (float)h[j];
    }
    for (int j = 0; j < HIDDEN; j++) {
        y_h[state_at(q) + (size_t)j] = (float)h[j];
        y_c[state_at(q) + (size_t)j] = (float)c[j];
    }
}

static size_t attributes_of(const struct options *o, int n_functions, struct tensor_string *names, struct attribute *attributes)
{
    size_t n = 0;
    attributes[n++] = text_attribute("direction", o->direction);
    attributes[n++] = int_attribute("layout", o->is_batch_first);
    attributes[n++] = int_attribute("hidden_size", HIDDEN);
    if (o->is_linear_before_reset) attributes[n++] = int_attribute("linear_before_reset", 1);
    if (o->couples) attributes[n++] = int_attribute("input_forget", 1);
    if (o->clip > 0) attributes[n++] = float_attribute("clip", o->clip);
    if (o->n_alphas) attributes[n++] = numbers_attribute("activation_alpha", o->given_alphas, o->n_alphas);
    if (o->n_betas) attributes[n++] = numbers_attribute("activation_beta", o->given_betas, o->n_betas);
    for (int i = 0; i < n_functions; i++) names[i] = (struct tensor_string){o->functions[i], strlen(o->functions[i])};
    attributes[n++] = (struct attribute){.name = "activations", .kind = ATTRIBUTE_STRINGS, .n_items = (size_t)n_functions, .strings = names};
    return n;
}

enum { N_INPUTS = 8 };

struct inputs {
    struct tensor tensors[N_INPUTS];
    const struct tensor *given[N_INPUTS];
    int n;
};

static void make_inputs(struct op_bench *bench, const struct options *o, int n_gates, int d, struct inputs *ret)
{
    struct tensor *t = ret->tensors;
    const int64_t *state = o->is_batch_first ? (int64_t[]){BATCH, d, HIDDEN} : (int64_t[]){d, BATCH, HIDDEN};
    t[0] = random_f32(bench, 3, o->is_batch_first ? (int64_t[]){BATCH, STEPS, INPUTS} : (int64_t[]){STEPS, BATCH, INPUTS}, 1);
    t[1] = random_f32(bench, 3, (int64_t[]){d, n_gates * HIDDEN, INPUTS}, 2);
    t[2] = random_f32(bench, 3, (int64_t[]){d, n_gates * HIDDEN, HIDDEN}, 3);
    t[3] = random_f32(bench, 2, (int64_t[]){d, 2 * n_gates * HIDDEN}, 4);
    t[4] = tensor_of(DTYPE_I32, 1, (int64_t[]){BATCH}, lengths);
    t[5] = random_f32(bench, 3, state, 5);
    t[6] = random_f32(bench, 3, state, 6);
    t[7] = random_f32(bench, 2, (int64_t[]){d, 3 * HIDDEN}, 7);
    ret->n = n_gates == 4 ? 8 : 6;
    for (int i = 0; i < N_INPUTS; i++) ret->given[i] = &t[i];
    if (!o->has_bias) ret->given[3] = NULL;
    if (!o->has_lengths) ret->given[4] = NULL;
    if (!o->has_states) ret->given[5] = ret->given[6] = NULL;
    if (!o->has_peepholes) ret->given[7] = NULL;
}

/* The same inputs in another type. */
static void convert_inputs(struct op_bench *bench, struct inputs *inputs, enum dtype dtype)
{
    for (int i = 0; i < inputs->n; i++) {
        if (i == 4) continue;
        struct tensor *x = &inputs->tensors[i], y;
        int64_t n = tensor_n_items(x);
        y = tensor_of(dtype, x->rank, x->dims, arena_alloc(&bench->arena, (size_t)n * 8 + 1, 64));
        for (int64_t k = 0; k < n; k++) {
            float *item = (float *)x->data + k;
            if (dtype == DTYPE_F64) ((double *)y.data)[k] = (double)*item;
            if (dtype != DTYPE_F16) continue;
            bench->kernels->f16_from_f32(1, item, (uint16_t *)y.data + k);
            bench->kernels->f32_from_f16(1, (uint16_t *)y.data + k, item); /* what the formula shall see */
        }
        *x = y;
    }
}

static struct tensor as_f32_tensor(struct op_bench *bench, const struct tensor *x)
{
    int64_t n = tensor_n_items(x);
    struct tensor y = tensor_of(DTYPE_F32, x->rank, x->dims, arena_alloc(&bench->arena, (size_t)n * 4 + 1, 64));
    if (x->dtype == DTYPE_F16) bench->kernels->f32_from_f16(n, x->data, y.data);
    else if (x->dtype == DTYPE_F32) memcpy(y.data, x->data, (size_t)n * 4);
    else
        for (int64_t i = 0; i < n; i++) ((float *)y.data)[i] = (float)((double *)x->data)[i];
    return y;
}

static void check_formula(const struct options *o, enum dtype dtype, float tolerance)
{
    struct op_bench bench;
    op_bench_init(&bench, 2);
    int d = strcmp(o->direction, "bidirectional") ? 1 : 2, n_gates = o->op[0] == 'L' ? 4 : o->op[0] == 'G' ? 3 : 1;
    int n_functions = (n_gates == 1 ? 1 : n_gates - 1) * d, n_outputs = n_gates == 4 ? 3 : 2;
    struct inputs inputs;
    make_inputs(&bench, o, n_gates, d, &inputs);
    float *plain[N_INPUTS];
    for (int i = 0; i < N_INPUTS; i++) plain[i] = inputs.tensors[i].data;
    if (dtype != DTYPE_F32) convert_inputs(&bench, &inputs, dtype);
    struct attribute attributes[12];
    struct tensor_string names[6];
    struct tensor found[3];
    size_t n_attributes = attributes_of(o, n_functions, names, attributes);
    run_op(&bench, "", o->op, 14, attributes, n_attributes, inputs.given, inputs.n, found, n_outputs);
    static float y[STEPS * BATCH * 2 * HIDDEN], y_h[BATCH * 2 * HIDDEN], y_c[BATCH * 2 * HIDDEN];
    for (int direction = 0; direction < d; direction++)
        for (int b = 0; b < BATCH; b++)
            run_formula(&(struct problem){.options = o, .n_gates = n_gates, .direction = direction, .n_directions = d, .batch = b,
                                          .x = plain[0], .w = plain[1], .r = plain[2], .b = plain[3], .h = plain[5],
                                          .c = plain[6], .p = plain[7]},
                        y, y_h, y_c);
    float *expected[] = {y, y_h, y_c};
    for (int i = 0; i < n_outputs; i++) {
        struct tensor e = tensor_of(DTYPE_F32, found[i].rank, found[i].dims, expected[i]), f = as_f32_tensor(&bench, &found[i]);
        assert_int_equal(found[i].dtype, dtype);
        assert_close(&bench, &f, &e, tolerance, tolerance);
    }
    op_bench_release(&bench);
}

static const struct options cases[] = {
    {.op = "LSTM", .direction = "forward", .functions = {"Sigmoid", "Tanh", "Tanh"}},
    {.op = "LSTM", .direction = "reverse", .functions = {"Sigmoid", "Tanh", "Tanh"}, .has_peepholes = true, .has_bias = true,
     .has_lengths = true, .has_states = true, .clip = 0.4f},
    {.op = "LSTM", .direction = "bidirectional", .is_batch_first = true, .couples = true, .has_peepholes = true, .has_states = true,
     .functions = {"HardSigmoid", "ScaledTanh", "Softsign", "Sigmoid", "Elu", "ScaledTanh"},
     .alphas = {0.3f, 0.5f, 0, 0, 0.7f, 0.25f}, .betas = {0.4f, 1.5f, 0, 0, 0, 1},
     .given_alphas = {0.3f, 0.5f, 0.7f, 0.25f}, .n_alphas = 4, .given_betas = {0.4f, 1.5f}, .n_betas = 2},
    {.op = "GRU", .direction = "bidirectional", .has_bias = true, .has_lengths = true, .functions = {"Sigmoid", "Tanh", "Sigmoid", "Relu"},
     .clip = 0.6f},
    {.op = "GRU", .direction = "bidirectional", .is_batch_first = true, .is_linear_before_reset = true, .has_bias = true,
     .has_lengths = true, .has_states = true, .functions = {"Sigmoid", "Softplus", "Affine", "ThresholdedRelu"},
     .alphas = {0, 0, 0.1f, 0.2f}, .betas = {0, 0, 0.3f, 0}, .given_alphas = {0.1f, 0.2f}, .n_alphas = 2, .given_betas = {0.3f},
     .n_betas = 1},
    {.op = "GRU", .direction = "reverse", .has_states = true, .functions = {"HardSigmoid", "LeakyRelu"}, .alphas = {0.2f, 0.01f},
     .betas = {0.5f, 0}}, /* defaults */
    {.op = "RNN", .direction = "bidirectional", .is_batch_first = true, .has_bias = true, .has_states = true, .functions = {"Relu", "Tanh"},
     .clip = 1},
    {.op = "RNN", .direction = "forward", .has_lengths = true, .functions = {"LeakyRelu"}, .alphas = {0.3f}, .given_alphas = {0.3f},
     .n_alphas = 1, .clip = 0.9f},
};

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        check_formula(&cases[i], DTYPE_F32, 1e-5f);
        check_formula(&cases[i], DTYPE_F64, 1e-6f);
        check_formula(&cases[i], DTYPE_F16, 1.5e-3f);
    }
}

/* ---- bytes ---- */

/* [D,N,K] in panels. */
static struct tensor packed(struct op_bench *bench, const struct tensor *w)
{
    int64_t n = w->dims[1], k = w->dims[2], floats = panel_count(n) * PANEL_COLUMNS * k;
    struct tensor p = *w;
    p.layout = LAYOUT_PANELS;
    p.data = arena_alloc(&bench->arena, (size_t)(w->dims[0] * floats) * 4, PANEL_ALIGNMENT);
    for (int64_t d = 0; d < w->dims[0]; d++)
        panel_pack(&(struct panel_source){.data = (float *)w->data + d * n * k, .dtype = DTYPE_F32, .n = n, .k = k, .n_stride = k, .k_stride = 1},
                   DTYPE_F32, 0, panel_count(n), (float *)p.data + d * floats);
    return p;
}

/* Threads, packing and neighbours in the batch change nothing. */
static void test_same_bytes(void **state)
{
    (void)state;
    enum { MANY = 40, WIDE = 48, N = 2 };
    struct op_bench one, three;
    op_bench_init(&one, 1);
    op_bench_init(&three, 3);
    struct tensor x = random_f32(&one, 3, (int64_t[]){9, MANY, WIDE}, 1), w = random_f32(&one, 3, (int64_t[]){N, 4 * WIDE, WIDE}, 2),
                  r = random_f32(&one, 3, (int64_t[]){N, 4 * WIDE, WIDE}, 3), few = tensor_slice(&x, 1, 7, 1, 1), a[3], b[3];
    struct attribute both[] = {text_attribute("direction", "bidirectional")};
    struct tensor pw = packed(&one, &w), pr = packed(&one, &r);
    struct tensor bytes = pw;
    bytes.dtype = DTYPE_I8; /* a pack may claim so: far fewer bytes than those of panels of numbers */
    assert_int_equal(try_op(&one, "", "LSTM", 14, both, 1, (const struct tensor *[]){&x, &bytes, &pr}, 3, a, 3), HOB_BAD_TYPE);
    run_op(&one, "", "LSTM", 14, both, 1, (const struct tensor *[]){&x, &w, &r}, 3, a, 3);
    run_op(&three, "", "LSTM", 14, both, 1, (const struct tensor *[]){&x, &pw, &pr}, 3, b, 3);
    for (int i = 0; i < 3; i++) assert_same_bytes(&one, &a[i], &b[i]);
    run_op(&three, "", "LSTM", 14, both, 1, (const struct tensor *[]){&few, &pw, &r}, 3, b, 3);
    struct tensor y = tensor_slice(&a[0], 2, 7, 1, 1), h = tensor_slice(&a[1], 1, 7, 1, 1), c = tensor_slice(&a[2], 1, 7, 1, 1);
    assert_same_bytes(&one, &y, &b[0]);
    assert_same_bytes(&one, &h, &b[1]);
    assert_same_bytes(&one, &c, &b[2]);
    op_bench_release(&one);
    op_bench_release(&three);
}

/* ---- edges ---- */

static void test_nothing_to_do(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 2);
    struct tensor x = random_f32(&bench, 3, (int64_t[]){0, 2, 3}, 1), w = random_f32(&bench, 3, (int64_t[]){1, 12, 3}, 2),
                  r = random_f32(&bench, 3, (int64_t[]){1, 12, 4}, 3), h = random_f32(&bench, 3, (int64_t[]){1, 2, 4}, 4), out[2];
    run_op(&bench, "", "GRU", 1, NULL, 0, (const struct tensor *[]){&x, &w, &r, NULL, NULL, &h}, 6, out, 2);
    assert_true(tensor_has_shape(&out[0], 4, (int64_t[]){0, 1, 2, 4}));
    assert_same_bytes(&bench, &out[1], &h); /* no step: the state is what it was */
    struct tensor none = random_f32(&bench, 3, (int64_t[]){3, 0, 3}, 1);
    run_op(&bench, "", "GRU", 7, NULL, 0, (const struct tensor *[]){&none, &w, &r}, 3, out, 2);
    assert_true(tensor_has_shape(&out[0], 4, (int64_t[]){3, 1, 0, 4}));
    op_bench_release(&bench);
}

static void expect_failure(const struct attribute *attributes, size_t n_attributes, const struct tensor *const *inputs, int n_inputs,
                           hob_status status, const char *message)
{
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor out[3];
    assert_int_equal(try_op(&bench, "", "LSTM", 14, attributes, n_attributes, inputs, n_inputs, out, 3), status);
    if (!strstr(bench.error.message, message)) print_error("%s\n", bench.error.message);
    assert_non_null(strstr(bench.error.message, message));
    op_bench_release(&bench);
}

static void test_refusals(void **state)
{
    (void)state;
    struct op_bench bench;
    op_bench_init(&bench, 1);
    struct tensor x = random_f32(&bench, 3, (int64_t[]){2, 2, 3}, 1), w = random_f32(&bench, 3, (int64_t[]){1, 16, 3}, 2),
                  r = random_f32(&bench, 3, (int64_t[]){1, 16, 4}, 3);
    const struct tensor *const good[] = {&x, &w, &r};
    expect_failure((struct attribute[]){text_attribute("direction", "sideways")}, 1, good, 3, HOB_BAD_GRAPH, "direction: found \"sideways\"");
    expect_failure((struct attribute[]){int_attribute("layout", 2)}, 1, good, 3, HOB_BAD_GRAPH, "layout: found 2");
    expect_failure((struct attribute[]){float_attribute("clip", -1)}, 1, good, 3, HOB_BAD_GRAPH, "clip: found -1");
    expect_failure((struct attribute[]){int_attribute("hidden_size", 5)}, 1, good, 3, HOB_BAD_SHAPE, "hidden_size: found 5, expected 4");
    struct tensor_string names[3] = {{"Tanh", 4}, {"Gauss", 5}, {"Tanh", 4}};
    struct attribute functions = {.name = "activations", .kind = ATTRIBUTE_STRINGS, .n_items = 3, .strings = names};
    expect_failure(&functions, 1, good, 3, HOB_BAD_GRAPH, "found \"Gauss\"");
    functions.n_items = 2;
    expect_failure(&functions, 1, good, 3, HOB_BAD_GRAPH, "expected a list of 3 names");
    struct tensor narrow = random_f32(&bench, 3, (int64_t[]){1, 12, 3}, 2);
    expect_failure(NULL, 0, (const struct tensor *[]){&x, &narrow, &r}, 3, HOB_BAD_SHAPE, "input 1: found [1,12,3], expected [1,16,3]");
    int32_t long_lengths[] = {2, 3};
    struct tensor n = tensor_of(DTYPE_I32, 1, (int64_t[]){2}, long_lengths);
    expect_failure(NULL, 0, (const struct tensor *[]){&x, &w, &r, NULL, &n}, 5, HOB_BAD_ARGUMENT, "sequence_lens[1]: found 3");
    struct tensor endless = x;
    endless.dims[0] = 0;
    endless.dims[1] = INT64_MAX / 2;
    expect_failure(NULL, 0, (const struct tensor *[]){&endless, &w, &r}, 3, HOB_LIMIT, "expected fewer items");
    op_bench_release(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm_as_torch), cmocka_unit_test(test_gru_as_torch), cmocka_unit_test(test_rnn_as_torch),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
