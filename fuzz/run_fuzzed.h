/* Runs a program of which nothing is trusted, on inputs of the declared shapes that follow from a number: every finding happens again.
 * A guard ends what is endless.
 *
 *     run_fuzzed(program, hash_of_the_input);
 */
#ifndef FUZZ_RUN_FUZZED_H
#define FUZZ_RUN_FUZZED_H

#include "graph/executor.h"
#include "mutate_proto.h"
#include "providers/providers.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT_ITEMS = 1 << 10, MAX_STEPS = 5000, MAX_RUN_BYTES = 4 << 20, MAX_SYMBOLIC_DIM = 4 };

struct feeder {
    uint64_t random;
    struct arena arena;
    int fill; /* 0: zeros, 1: ones, else random numbers */
    int n_steps;
};

static inline uint64_t hash_input(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t sum = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < n_bytes; i++) sum = (sum ^ bytes[i]) * 0x100000001b3ull;
    return sum | 1;
}

/* ---- inputs ---- */

static inline double next_number(struct feeder *feeder, bool is_whole)
{
    if (feeder->fill < 2) return feeder->fill;
    uint64_t random = mutate_random(&feeder->random);
    if (is_whole) return (double)(random % 9) - 2;
    return ((double)(random % 20001) - 10000) / 2500;
}

static inline void fill_strings(struct feeder *feeder, struct tensor_string *strings, int64_t n_items)
{
    static const char *const texts[] = {"", "a", "1", "-2.5", "b c", "nan", "\xc3\xa4\xe2\x82\xac", "\xff"};
    for (int64_t i = 0; i < n_items; i++) {
        const char *text = texts[mutate_random(&feeder->random) % 8];
        strings[i] = (struct tensor_string){text, strlen(text)};
    }
}

static inline void fill_tensor(struct feeder *feeder, struct tensor *tensor)
{
    int64_t n_items = tensor_n_items(tensor);
    size_t n_bytes = tensor_n_bytes(tensor);
    for (int64_t i = 0; i < n_items; i++) {
        switch (tensor->dtype) {
        case DTYPE_F32:
            ((float *)tensor->data)[i] = (float)next_number(feeder, false);
            break;
        case DTYPE_F64:
            ((double *)tensor->data)[i] = next_number(feeder, false);
            break;
        case DTYPE_I32:
            ((int32_t *)tensor->data)[i] = (int32_t)next_number(feeder, true);
            break;
        case DTYPE_I64:
            ((int64_t *)tensor->data)[i] = (int64_t)next_number(feeder, true);
            break;
        case DTYPE_BOOL:
            ((uint8_t *)tensor->data)[i] = (int64_t)next_number(feeder, true) & 1;
            break;
        default:
            break;
        }
    }
    if (tensor->dtype == DTYPE_STRING) fill_strings(feeder, tensor->data, n_items);
    bool is_filled = tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F64 || tensor->dtype == DTYPE_I32 ||
                     tensor->dtype == DTYPE_I64 || tensor->dtype == DTYPE_BOOL || tensor->dtype == DTYPE_STRING;
    for (size_t i = 0; !is_filled && feeder->fill && i < n_bytes;
         i++) /* small numbers of any width, any bits of floats */
        ((uint8_t *)tensor->data)[i] = (uint8_t)mutate_random(&feeder->random);
}

static inline bool make_tensor(struct feeder *feeder, enum dtype dtype, int rank, const int64_t *declared_dims,
                        struct tensor *ret_tensor)
{
    int64_t dims[TENSOR_MAX_RANK], n_items = 1;
    if (rank < 0) rank = (int)(mutate_random(&feeder->random) % 4);
    for (int d = 0; d < rank; d++) {
        bool is_known = declared_dims && declared_dims[d] != DIM_UNKNOWN;
        dims[d] = is_known ? declared_dims[d] : 1 + (int64_t)(mutate_random(&feeder->random) % MAX_SYMBOLIC_DIM);
        if (dims[d] > MAX_INPUT_ITEMS || (n_items *= dims[d]) > MAX_INPUT_ITEMS) return false;
    }
    if (tensor_init(ret_tensor, dtype, rank, dims, NULL, NULL) != HOB_OK) return false;
    ret_tensor->data = arena_new(&feeder->arena, tensor_n_bytes(ret_tensor) + 1, 1, 64);
    if (!ret_tensor->data) return false;
    if (dtype != DTYPE_SEQUENCE) fill_tensor(feeder, ret_tensor);
    return true;
}

/* A declaration does not say what a sequence holds: a few tensors of floats. */
static inline bool make_sequence(struct feeder *feeder, struct tensor *ret_tensor)
{
    int64_t n_members = (int64_t)(mutate_random(&feeder->random) % 4);
    if (!make_tensor(feeder, DTYPE_SEQUENCE, 1, &n_members, ret_tensor)) return false;
    for (int64_t i = 0; i < n_members; i++)
        if (!make_tensor(feeder, DTYPE_F32, -1, NULL, (struct tensor *)ret_tensor->data + i)) return false;
    return true;
}

static inline bool bind_inputs(struct feeder *feeder, const struct graph *graph, struct executor *executor)
{
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        const struct value *declared = &graph->values[graph->inputs[i]];
        struct tensor tensor = {.dtype = DTYPE_NONE};
        bool is_absent = declared->is_optional && mutate_random(&feeder->random) % 3 == 0;
        enum dtype dtype = declared->dtype == DTYPE_NONE ? DTYPE_F32 : declared->dtype;
        bool is_made = is_absent ||
                       (dtype == DTYPE_SEQUENCE ? make_sequence(feeder, &tensor)
                                                : make_tensor(feeder, dtype, declared->rank, declared->dims, &tensor));
        if (!is_made) return false;
        executor_bind(executor, i, &tensor);
    }
    return true;
}

/* ---- the run ---- */

static inline bool is_long(void *context)
{
    struct feeder *feeder = context;
    return ++feeder->n_steps > MAX_STEPS;
}

static inline struct provider *shared_provider(void)
{
    static struct provider provider;
    if (provider.def) return &provider;
    provider.def = provider_find("cpu");
    if (provider.def->open(&(struct provider_options){.n_threads = 1}, &provider, NULL) != HOB_OK) abort();
    return &provider;
}

static volatile uint64_t sink;

/* Reads every byte, so that the sanitizers see what an output points to. */
static inline void read_output(const struct tensor *y, struct arena *arena)
{
    if (y->dtype == DTYPE_NONE || y->layout != LAYOUT_STRIDED) return;
    size_t n_bytes = tensor_n_bytes(y);
    uint8_t *copy = arena_alloc(arena, n_bytes + 1, 64);
    if (!copy) return;
    tensor_copy_contiguous(y, copy);
    for (size_t i = 0; i < n_bytes; i++) sink += copy[i];
    for (int64_t i = 0; y->dtype == DTYPE_SEQUENCE && i < tensor_n_items(y); i++)
        read_output((const struct tensor *)(void *)copy + i, arena);
    for (int64_t i = 0; y->dtype == DTYPE_STRING && i < tensor_n_items(y); i++) {
        const struct tensor_string *string = (const struct tensor_string *)(void *)copy + i;
        for (size_t b = 0; b < string->n_bytes; b++) sink += (uint8_t)string->bytes[b];
    }
}

static inline void run_program(struct feeder *feeder, const struct program *program)
{
    struct executor *executor;
    hob_error error;
    if (executor_new(program, shared_provider(), 4, &executor, &error) != HOB_OK) return;
    struct executor_guard guard = {.is_stopped = is_long, .context = feeder, .max_bytes = MAX_RUN_BYTES};
    executor_set_guard(executor, &guard);
    if (bind_inputs(feeder, program->graph, executor) && executor_run(executor, NULL, &error) == HOB_OK)
        for (uint32_t i = 0; i < program->graph->n_outputs; i++)
            read_output(executor_output(executor, i), &feeder->arena);
    executor_free(executor);
}

static inline void run_fuzzed(const struct program *program, uint64_t random)
{
    struct feeder feeder = {.random = random, .fill = (int)(random >> 20 & 3)};
    arena_init(&feeder.arena, 16 * 1024);
    run_program(&feeder, program);
    arena_release(&feeder.arena);
}

#endif
