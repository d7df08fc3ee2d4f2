/* Real files cut off at many lengths and with bits turned over at many places: whatever the reader says, it must not crash or
 * leak (the sanitizers watch), and it must say something when it fails. The damage is the same in every run. */
#include "unit.h"

#include "base/mapped_file.h"
#include "base/rng.h"
#include "base/size.h"
#include "formats/gguf.h"
#include "formats/onnx.h"
#include "formats/onnx_tensor.h"
#include "formats/safetensors.h"
#include "tensor/npy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_LENGTHS = 150, N_FLIPS = 150, HEADER_BYTES = 6000 };

typedef hob_status parser(const void *bytes, size_t n_bytes, hob_error *error);

static hob_status parse_gguf(const void *bytes, size_t n_bytes, hob_error *error)
{
    struct tensor_file *file;
    assert_int_equal(tensor_file_new("x", "gguf", &file, NULL), HOB_OK);
    hob_status status = gguf_parse(bytes, n_bytes, file, error);
    tensor_file_free(file);
    return status;
}

static hob_status parse_safetensors(const void *bytes, size_t n_bytes, hob_error *error)
{
    struct tensor_file *file;
    assert_int_equal(tensor_file_new("x", "safetensors", &file, NULL), HOB_OK);
    hob_status status = safetensors_parse(bytes, n_bytes, "x", file, error);
    tensor_file_free(file);
    return status;
}

static hob_status parse_onnx(const void *bytes, size_t n_bytes, hob_error *error)
{
    struct graph *graph = NULL;
    hob_status status = onnx_parse(bytes, n_bytes, "x", &graph, error);
    graph_free(graph);
    return status;
}

static hob_status parse_npy(const void *bytes, size_t n_bytes, hob_error *error)
{
    struct arena arena;
    struct tensor tensor;
    arena_init(&arena, 4096);
    hob_status status = npy_read(bytes, n_bytes, "x", &arena, &tensor, error);
    arena_release(&arena);
    return status;
}

static hob_status parse_pb(const void *bytes, size_t n_bytes, hob_error *error)
{
    struct arena arena;
    struct tensor tensor;
    arena_init(&arena, 4096);
    hob_status status = onnx_tensor_parse(bytes, n_bytes, "x", ONNX_PROTO_ANY, &arena, &tensor, error);
    arena_release(&arena);
    return status;
}

static void check(parser *parse, const void *bytes, size_t n_bytes)
{
    hob_error error = {0};
    hob_status status = parse(bytes, n_bytes, &error);
    assert_true(status == HOB_OK || (*error.message && error.code == status));
}

/* A block of just that length, so that reading on is noticed. */
static void check_prefix(parser *parse, const unsigned char *bytes, size_t n_bytes)
{
    unsigned char *prefix = malloc(n_bytes ? n_bytes : 1);
    assert_non_null(prefix);
    memcpy(prefix, bytes, n_bytes);
    check(parse, prefix, n_bytes);
    free(prefix);
}

static void check_lengths(parser *parse, const unsigned char *bytes, size_t n_bytes, struct rng *rng)
{
    size_t n_header = n_bytes < HEADER_BYTES ? n_bytes : HEADER_BYTES;
    for (size_t n = 0; n < 40 && n < n_bytes; n++) check_prefix(parse, bytes, n);
    for (int i = 0; i < N_LENGTHS; i++) check_prefix(parse, bytes, rng_below(rng, (uint32_t)n_header));
    for (int i = 0; i < 8; i++) check_prefix(parse, bytes, rng_below(rng, (uint32_t)n_bytes));
    check_prefix(parse, bytes, n_bytes - 1);
}

/* Most of the flips meet the header, where they do most harm. */
static void check_flips(parser *parse, const unsigned char *bytes, size_t n_bytes, struct rng *rng)
{
    unsigned char *copy = malloc(n_bytes);
    assert_non_null(copy);
    memcpy(copy, bytes, n_bytes);
    for (int i = 0; i < N_FLIPS; i++) {
        size_t range = i % 4 && n_bytes > HEADER_BYTES ? HEADER_BYTES : n_bytes;
        size_t place = rng_below(rng, (uint32_t)range);
        unsigned char bit = (unsigned char)(1u << rng_below(rng, 8));
        copy[place] ^= bit;
        check(parse, copy, n_bytes);
        copy[place] ^= bit;
    }
    free(copy);
}

static void check_file(parser *parse, const char *path)
{
    struct mapped_file map;
    struct rng rng = {.seed = 20240229};
    assert_int_equal(mapped_file_open(path, &map, NULL), HOB_OK);
    hob_error error;
    if (parse(map.bytes, map.n_bytes, &error) != HOB_OK) fail_msg("%s: %s", path, error.message);
    check_lengths(parse, map.bytes, map.n_bytes, &rng);
    check_flips(parse, map.bytes, map.n_bytes, &rng);
    mapped_file_release(&map);
}

static void check_shared(parser *parse, const char *path)
{
    if (access(path, F_OK) != 0) skip();
    check_file(parse, path);
}

static void test_gguf(void **state)
{
    (void)state;
    check_file(parse_gguf, "fuzz/seeds/gguf/version-3");
    check_shared(parse_gguf, "../shared/models/stories260k/model-q8_0.gguf");
}

static void test_safetensors(void **state)
{
    (void)state;
    check_file(parse_safetensors, "fuzz/seeds/safetensors/two-tensors");
    check_shared(parse_safetensors, "../shared/models/gpt2-tiny-random/model.safetensors");
}

static void test_onnx(void **state)
{
    (void)state;
    check_file(parse_onnx, "tests/data/formats/encodings.onnx");
    check_file(parse_onnx, "fuzz/seeds/onnx/if");
    check_shared(parse_onnx, "../shared/models/tiny-random-gpt2/model.onnx");
}

static void test_npy(void **state)
{
    (void)state;
    check_file(parse_npy, "fuzz/seeds/npy/f4-c");
    check_shared(parse_npy, "../shared/models/bert-tiny-random/input_ids.npy");
}

static void test_pb(void **state)
{
    (void)state;
    static const char path[] =
        "/usr/share/libonnx-testdata/data/node/test_sequence_insert_at_front/test_data_set_0/input_0.pb";
    if (access(path, F_OK) != 0) skip();
    check_file(parse_pb, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf), cmocka_unit_test(test_safetensors), cmocka_unit_test(test_onnx),
        cmocka_unit_test(test_npy),  cmocka_unit_test(test_pb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
