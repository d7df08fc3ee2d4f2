/* ONNX models, run: parsed, rewritten by the passes (or not), compiled and run on inputs of the declared shapes, with all that a
 * model decides (shapes, attributes, types, loops) in the hands of the fuzzer. A guard ends what is endless.
 *
 * What the inputs hold follows from the bytes of the model, so that every finding happens again. */
#include "base/error.h"
#include "formats/onnx.h"
#include "graph/pass.h"
#include "ops/op.h"
#include "run_fuzzed.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed);
/* libFuzzer's; absent where a regression is replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n_bytes, size_t max_bytes);

static void run_model(const uint8_t *bytes, size_t n_bytes, const char *disabled_passes, uint64_t random)
{
    struct graph *graph;
    const struct program *program;
    hob_error error;
    struct pass_options passes = {.kernels = shared_provider()->kernels, .disabled = disabled_passes};
    if (onnx_parse(bytes, n_bytes, "no-such-folder/fuzz.onnx", &graph, &error) != HOB_OK) return;
    if (passes_run(graph, &passes, NULL, &error) == HOB_OK && program_new(graph, &program, &error) == HOB_OK)
        run_fuzzed(program, random);
    graph_free(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t random = hash_input(bytes, n_bytes);
    run_model(bytes, n_bytes, "all", random);
    run_model(bytes, n_bytes, NULL, random);
    return 0;
}

/* ---- mutations ---- */

static bool is_operator(const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < op_count(); i++)
        if (strlen(op_at(i)->name) == n_bytes && !memcmp(op_at(i)->name, name, n_bytes)) return true;
    return false;
}

/* Any operator for an operator; other names stay. */
static const char *pick_operator(const char *name, size_t n_bytes, uint64_t random)
{
    return is_operator(name, n_bytes) ? op_at(random % op_count())->name : NULL;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n_bytes, size_t max_bytes, unsigned seed)
{
    size_t n_mutated = seed % 4 ? mutate_proto(bytes, n_bytes, max_bytes, seed, pick_operator) : 0;
    return n_mutated ? n_mutated : LLVMFuzzerMutate(bytes, n_bytes, max_bytes);
}
