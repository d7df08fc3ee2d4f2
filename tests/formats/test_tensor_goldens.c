/* Every tensor that Python's onnx and NumPy found in the files of tensors.txt (tools/make_format_goldens.py): name, type, shape
 * and checksum. Files of ../shared that are not there are passed over. */
#include "unit.h"

#include "base/buffer.h"
#include "base/size.h"
#include "formats/formats.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char goldens[] = "tests/data/formats/tensors.txt";

static uint32_t crc32_of(uint32_t crc, const unsigned char *bytes, size_t n_bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < n_bytes; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Strings count with a NUL behind each. */
static uint32_t checksum(const struct tensor *tensor)
{
    if (tensor->dtype != DTYPE_STRING) return crc32_of(0, tensor->data, tensor_n_bytes(tensor));
    const struct tensor_string *strings = tensor->data;
    uint32_t crc = 0;
    for (int64_t i = 0; i < tensor_n_items(tensor); i++) {
        crc = crc32_of(crc, (const unsigned char *)strings[i].bytes, strings[i].n_bytes);
        crc = crc32_of(crc, (const unsigned char *)"", 1);
    }
    return crc;
}

static const struct tensor *find(const struct format_content *content, const char *name)
{
    if (content->tensors) return tensor_file_find(content->tensors, name);
    uint32_t value = graph_find_value(content->graph, name);
    return value == VALUE_NONE ? NULL : content->graph->values[value].constant;
}

static size_t count(const struct format_content *content)
{
    if (content->tensors) return content->tensors->n_tensors;
    size_t n_constants = 0;
    for (uint32_t i = 0; i < content->graph->n_values; i++) n_constants += content->graph->values[i].constant != NULL;
    return n_constants;
}

/* Fields: file, tensor, type, shape, checksum. */
static void check_line(const struct format_content *content, char **fields)
{
    char shape[TENSOR_SHAPE_TEXT_BYTES];
    const struct tensor *tensor = find(content, fields[1]);
    if (!tensor) fail_msg("%s: %s: not found", fields[0], fields[1]);
    assert_int_equal((uintptr_t)tensor->data % dtype_alignment(tensor->dtype), 0);
    bool is_same = !strcmp(dtype_name(tensor->dtype), fields[2]) &&
                   !strcmp(tensor_shape_text(tensor->rank, tensor->dims, shape), fields[3]) &&
                   checksum(tensor) == strtoul(fields[4], NULL, 16);
    if (!is_same)
        fail_msg("%s: %s: found %s %s %08x, expected %s %s %s", fields[0], fields[1], dtype_name(tensor->dtype), shape,
                 checksum(tensor), fields[2], fields[3], fields[4]);
}

static void split(char *line, char **ret_fields)
{
    for (int i = 0; i < 5; i++) {
        ret_fields[i] = strsep(&line, "\t\n");
        assert_non_null(ret_fields[i]);
    }
}

static void test_goldens(void **state)
{
    (void)state;
    char line[512], open_path[256] = "", *fields[5];
    struct format_content content = {0};
    size_t n_lines = 0;
    FILE *file = fopen(goldens, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        split(line, fields);
        if (access(fields[0], F_OK) != 0) continue;
        if (strcmp(open_path, fields[0]) != 0) {
            assert_true(!*open_path || count(&content) == n_lines);
            format_content_release(&content);
            snprintf(open_path, sizeof open_path, "%s", fields[0]);
            assert_int_equal(format_open(open_path, &content, NULL), HOB_OK);
            n_lines = 0;
        }
        check_line(&content, fields);
        n_lines++;
    }
    assert_true(n_lines > 0 && count(&content) == n_lines);
    format_content_release(&content);
    fclose(file);
}

/* ---- the same weights in two formats ---- */

static const struct tensor *need(const struct format_content *content, const char *name)
{
    const struct tensor *tensor = tensor_file_find(content->tensors, name);
    if (!tensor) fail_msg("%s: not found", name);
    return tensor;
}

/* llama.cpp stores the rows of q and k so that the two halves of each head alternate. */
static struct tensor alternate_halves(const struct tensor *weight, int64_t n_heads)
{
    int64_t half = weight->dims[0] / n_heads / 2;
    struct tensor split_up;
    assert_true(tensor_reshape(weight, 4, (const int64_t[]){n_heads, 2, half, weight->dims[1]}, &split_up));
    return tensor_transpose(&split_up, (const int[]){0, 2, 1, 3});
}

static void expect_same(const struct tensor *gguf, const struct tensor *other)
{
    size_t n_bytes = tensor_n_bytes(gguf);
    assert_int_equal(gguf->dtype, other->dtype);
    assert_int_equal(tensor_n_bytes(other), n_bytes);
    void *copy = malloc(n_bytes);
    tensor_copy_contiguous(other, copy);
    assert_memory_equal(gguf->data, copy, n_bytes);
    free(copy);
}

static void test_gguf_has_safetensors_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *gguf, *safetensors;
        int64_t n_heads; /* of the rows to be rearranged; 0: none */
    } pairs[] = {
        {"token_embd.weight", "model.embed_tokens.weight", 0},
        {"output_norm.weight", "model.norm.weight", 0},
        {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", 0},
        {"blk.4.ffn_down.weight", "model.layers.4.mlp.down_proj.weight", 0},
        {"blk.3.ffn_gate.weight", "model.layers.3.mlp.gate_proj.weight", 0},
        {"blk.2.attn_v.weight", "model.layers.2.self_attn.v_proj.weight", 0},
        {"blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight", 8},
        {"blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight", 4},
    };
    struct format_content gguf, other;
    if (access("../shared/models/stories260k/model-f32.gguf", F_OK) != 0) skip();
    assert_int_equal(format_open("../shared/models/stories260k/model-f32.gguf", &gguf, NULL), HOB_OK);
    assert_int_equal(format_open("../shared/models/stories260k", &other, NULL), HOB_OK);
    assert_string_equal(other.format->name, "safetensors");
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        struct tensor weight = *need(&other, pairs[i].safetensors);
        if (pairs[i].n_heads) weight = alternate_halves(&weight, pairs[i].n_heads);
        expect_same(need(&gguf, pairs[i].gguf), &weight);
    }
    format_content_release(&gguf);
    format_content_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_gguf_has_safetensors_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
