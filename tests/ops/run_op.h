/* Runs one operator by itself, for tests: prepare, infer, memory for the outputs, run. Outputs live in the bench's arena.
 *
 *     struct op_bench bench;
 *     op_bench_init(&bench, 2);
 *     struct tensor y;
 *     run_op(&bench, "hob", "SwiGLU", 1, NULL, 0, (const struct tensor *[]){&gate, &up}, 2, &y, 1);
 *     op_bench_release(&bench);
 */
#ifndef TESTS_OPS_RUN_OP_H
#define TESTS_OPS_RUN_OP_H

#include "kernels/kernels.h"
#include "ops/op.h"
#include "tensor/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct op_bench {
    struct arena arena, scratch;
    struct thread_pool *pool;
    struct op_state *state;
    const struct kernels *kernels;
    hob_error error;
};

static inline void op_bench_init(struct op_bench *bench, size_t n_threads)
{
    *bench = (struct op_bench){.kernels = kernels_select()};
    arena_init(&bench->arena, 1 << 16);
    arena_init(&bench->scratch, 1 << 16);
    assert_int_equal(thread_pool_new(n_threads, &bench->pool, &bench->error), HOB_OK);
}

static inline void op_bench_release(struct op_bench *bench)
{
    thread_pool_free(bench->pool);
    arena_release(&bench->arena);
    arena_release(&bench->scratch);
}

/* Memory for what an op with OP_ALLOCATES makes, from the bench's arena: the bench is found by its scratch. */
static inline hob_status op_bench_allocate(struct op_context *ctx, size_t size_bytes, void **ret_bytes)
{
    struct op_bench *bench = (struct op_bench *)(void *)((char *)ctx->scratch - offsetof(struct op_bench, scratch));
    *ret_bytes = arena_alloc(&bench->arena, size_bytes + 1, 64);
    return *ret_bytes ? HOB_OK : HOB_NO_MEMORY;
}

/* The status of prepare, infer or run, whichever fails first. An op that allocates need not know its shapes before. */
static inline hob_status try_op(struct op_bench *bench, const char *domain, const char *name, int opset,
                                const struct attribute *attributes, size_t n_attributes,
                                const struct tensor *const *inputs, int n_inputs, struct tensor *outputs, int n_outputs)
{
    const struct op_def *op = op_find(domain, name, opset);
    assert_non_null(op);
    struct attributes all = {.items = attributes, .n_items = n_attributes};
    struct op_prepare node = {.attributes = &all,
                              .opset = opset,
                              .n_inputs = n_inputs,
                              .n_outputs = n_outputs,
                              .node_name = "test",
                              .arena = &bench->arena,
                              .error = &bench->error};
    void *params = NULL;
    if (op->prepare) TRY(op->prepare(&node, &params));
    struct tensor *wanted[8];
    for (int i = 0; i < n_outputs; i++) {
        outputs[i] = (struct tensor){0};
        wanted[i] = &outputs[i];
    }
    arena_clear(&bench->scratch);
    struct op_context ctx = {.op = op,
                             .params = params,
                             .n_inputs = n_inputs,
                             .n_outputs = n_outputs,
                             .inputs = inputs,
                             .outputs = wanted,
                             .node_name = "test",
                             .kernels = bench->kernels,
                             .pool = bench->pool,
                             .scratch = &bench->scratch,
                             .state = bench->state,
                             .error = &bench->error,
                             .allocate = op_bench_allocate};
    hob_status status = op_infer(&ctx);
    if (status != HOB_OK && !(status == HOB_UNKNOWN && op->flags & OP_ALLOCATES)) return status;
    for (int i = 0; i < n_outputs; i++) {
        if (outputs[i].is_view || op->flags & OP_ALLOCATES) continue;
        outputs[i].data = arena_alloc(&bench->arena, tensor_n_bytes(&outputs[i]) + 1, 64);
        if (!outputs[i].data) return HOB_NO_MEMORY;
    }
    return op->run(&ctx);
}

static inline void run_op(struct op_bench *bench, const char *domain, const char *name, int opset,
                          const struct attribute *attributes, size_t n_attributes, const struct tensor *const *inputs,
                          int n_inputs, struct tensor *outputs, int n_outputs)
{
    hob_status status =
        try_op(bench, domain, name, opset, attributes, n_attributes, inputs, n_inputs, outputs, n_outputs);
    if (status != HOB_OK) print_error("%s\n", bench->error.message);
    assert_int_equal(status, HOB_OK);
}

/* tests/data/ops/NAME.npy, in the bench's arena. */
static inline struct tensor golden(struct op_bench *bench, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/data/ops/%s.npy", name);
    FILE *file = fopen(path, "rb");
    if (!file) print_error("%s: cannot be opened\n", path);
    assert_non_null(file);
    static char bytes[1 << 20];
    size_t n_bytes = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct tensor tensor;
    assert_int_equal(npy_read(bytes, n_bytes, path, &bench->arena, &tensor, &bench->error), HOB_OK);
    return tensor;
}

/* The same shape, and each item within atol + rtol * |expected|. Any strides. */
static inline void assert_close(struct op_bench *bench, const struct tensor *found, const struct tensor *expected,
                                float rtol, float atol)
{
    assert_int_equal(found->dtype, DTYPE_F32);
    assert_int_equal(expected->dtype, DTYPE_F32);
    assert_true(tensor_same_shape(found, expected));
    float *f = arena_alloc(&bench->arena, tensor_n_bytes(found) + 1, 64);
    tensor_copy_contiguous(found, f);
    const float *e = expected->data;
    for (int64_t i = 0; i < tensor_n_items(expected); i++) {
        float difference = f[i] > e[i] ? f[i] - e[i] : e[i] - f[i];
        float size = e[i] < 0 ? -e[i] : e[i];
        if (difference <= atol + rtol * size) continue;
        print_error("item %ld: found %.9g, expected %.9g\n", (long)i, (double)f[i], (double)e[i]);
        fail();
    }
}

static inline void assert_same_bytes(struct op_bench *bench, const struct tensor *a, const struct tensor *b)
{
    assert_true(tensor_same_shape(a, b));
    void *x = arena_alloc(&bench->arena, tensor_n_bytes(a) + 1, 64),
         *y = arena_alloc(&bench->arena, tensor_n_bytes(b) + 1, 64);
    tensor_copy_contiguous(a, x);
    tensor_copy_contiguous(b, y);
    assert_memory_equal(x, y, tensor_n_bytes(a));
}

/* Contiguous, reproducible numbers in [-1,1). */
static inline struct tensor random_f32(struct op_bench *bench, int rank, const int64_t *dims, uint64_t seed)
{
    struct tensor x;
    assert_int_equal(tensor_init(&x, DTYPE_F32, rank, dims, NULL, &bench->error), HOB_OK);
    x.data = arena_alloc(&bench->arena, tensor_n_bytes(&x) + 1, 64);
    for (int64_t i = 0; i < tensor_n_items(&x); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((float *)x.data)[i] = (float)(seed >> 40) / 0x1p23f - 1;
    }
    return x;
}

static inline struct tensor ints_i64(struct op_bench *bench, size_t n, const int64_t *values)
{
    struct tensor x;
    int64_t dims[1] = {(int64_t)n};
    void *data = arena_alloc(&bench->arena, n * sizeof values[0] + 1, 64);
    memcpy(data, values, n * sizeof values[0]);
    assert_int_equal(tensor_init(&x, DTYPE_I64, 1, dims, data, &bench->error), HOB_OK);
    return x;
}

static inline struct attribute float_attribute(const char *name, float number)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = number};
}

static inline struct attribute int_attribute(const char *name, int64_t integer)
{
    return (struct attribute){.name = name, .kind = ATTRIBUTE_INT, .n_items = 1, .integer = integer};
}

#endif
