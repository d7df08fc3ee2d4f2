/* Packs: the container's checks, what a graph with everything in it is after being written and read, tokenizers on the corpora of
 * ../shared, and damage of every kind. */
#include "unit.h"

#include "../../fuzz/resum_pack.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "engine/pack_model.h"
#include "engine/tokenizer_open.h"
#include "hob/hob.h"
#include "text/added_tokens.h"
#include "text/bpe_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TINY "tests/data/models/llama3/model.gguf"

static char folder[] = "/tmp/hob-pack-XXXXXX";
static char pack_path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(pack_path, sizeof pack_path, "%s/model.hob", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(pack_path);
    return rmdir(folder);
}

/* A pack of TINY in memory aligned as a map is. */
static uint8_t *make_pack(size_t *ret_n_bytes)
{
    hob_error error;
    if (hob_import(TINY, NULL, pack_path, &error) != HOB_OK) fail_msg("%s", error.message);
    FILE *file = fopen(pack_path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *ret_n_bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = memory_aligned(*ret_n_bytes);
    assert_int_equal(fread(bytes, 1, *ret_n_bytes, file), *ret_n_bytes);
    fclose(file);
    return bytes;
}

static hob_status parse(const uint8_t *bytes, size_t n_bytes, hob_error *error)
{
    struct pack *pack;
    hob_status status = pack_parse(bytes, n_bytes, &pack, error);
    if (status == HOB_OK) pack_free(pack);
    return status;
}

static void assert_refused(const uint8_t *bytes, size_t n_bytes, hob_status expected, const char *words)
{
    hob_error error = {0};
    assert_int_equal(parse(bytes, n_bytes, &error), expected);
    if (!strstr(error.message, words)) fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

/* XXH64's own values, from its specification's reference. */
static void test_checksum(void **state)
{
    (void)state;
    static const char text[] = "Nobody inspects the spammish repetition";
    assert_true(checksum_bytes("", 0) == 0xEF46DB3751D8E999u);
    assert_true(checksum_bytes("a", 1) == 0xD24EC4F1A98C6E5Bu);
    assert_true(checksum_bytes("abc", 3) == 0x44BC2CF5AD770999u);
    assert_true(checksum_bytes(text, sizeof text - 1) == 0xFBCEA83C8A378BF1u);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct checksum checksum;
        checksum_init(&checksum);
        checksum_add(&checksum, text, cut);
        checksum_add(&checksum, text + cut, sizeof text - 1 - cut);
        assert_true(checksum_finish(&checksum) == 0xFBCEA83C8A378BF1u);
    }
}

static void test_sha256(void **state)
{
    (void)state;
    unsigned char digest[SHA256_BYTES];
    char text[SHA256_TEXT_BYTES];
    sha256_of("abc", 3, digest);
    assert_string_equal(sha256_text(digest, text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_records(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, -2, INT64_MIN};
    struct buffer bytes = {0};
    record_put_u8(&bytes, 1);
    record_put_text(&bytes, "a\0b", 3);
    record_put_text(&bytes, NULL, 0);
    record_put_text(&bytes, "", 0);
    record_put_array(&bytes, numbers, 3, sizeof *numbers);
    record_put_f64(&bytes, 0.1);
    struct record_reader reader = record_reader_over(bytes.bytes, bytes.n_bytes);
    size_t n;
    assert_true(record_bool(&reader));
    assert_memory_equal(record_text(&reader, &n), "a\0b", 4);
    assert_int_equal(n, 3);
    assert_null(record_text(&reader, &n));
    assert_string_equal(record_text(&reader, &n), "");
    const unsigned char *array = record_array(&reader, sizeof *numbers, &n);
    assert_memory_equal(array, numbers, sizeof numbers);
    assert_int_equal((array - reader.start) % RECORD_ALIGNMENT, 0);
    assert_true(record_f64(&reader) == 0.1);
    assert_true(record_is_read(&reader));
    assert_int_equal(record_u32(&reader), 0);
    assert_false(record_is_read(&reader));
    for (size_t cut = 0; cut < bytes.n_bytes; cut++) {
        reader = record_reader_over(bytes.bytes, cut);
        record_u8(&reader);
        for (int i = 0; i < 3; i++) record_text(&reader, &n);
        record_array(&reader, sizeof *numbers, &n);
        record_f64(&reader);
        assert_false(record_is_read(&reader));
    }
    buffer_release(&bytes);
}

/* A count in a damaged record asks for no more than the record could hold. */
static void test_huge_counts(void **state)
{
    (void)state;
    static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX / 8 + 1, 1u << 31};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        struct record_reader reader = record_reader_over(&huge[i], sizeof huge[i]);
        size_t n = 7;
        assert_null(record_array(&reader, 8, &n));
        assert_int_equal(n, 0);
        assert_false(record_is_read(&reader));
    }
    struct record_reader reader = record_reader_over(huge, sizeof huge);
    assert_int_equal(record_count(&reader, 1), 0);
}

static void test_every_length_is_refused(void **state)
{
    (void)state;
    size_t n_bytes;
    uint8_t *bytes = make_pack(&n_bytes);
    hob_error error;
    assert_int_equal(parse(bytes, n_bytes, &error), HOB_OK);
    assert_refused(bytes, 0, HOB_BAD_FILE, "not a pack");
    assert_refused(bytes, 7, HOB_BAD_FILE, "not a pack");
    assert_refused(bytes, 20, HOB_BAD_FILE, "cut short");
    for (size_t cut = PACK_HEADER_BYTES; cut < n_bytes; cut += 1 + cut / 7) assert_refused(bytes, cut, HOB_BAD_FILE, "cut short");
    assert_refused(bytes, n_bytes - 1, HOB_BAD_FILE, "cut short");
    memory_free(bytes);
}

static void test_every_bit_of_the_header_counts(void **state)
{
    (void)state;
    size_t n_bytes, n_table = PACK_HEADER_BYTES + PACK_N_SECTIONS * PACK_ENTRY_BYTES;
    uint8_t *bytes = make_pack(&n_bytes);
    hob_error error;
    for (size_t i = 0; i < n_table; i++) {
        bytes[i] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(parse(bytes, n_bytes, &error), HOB_OK);
        bytes[i] ^= (uint8_t)(1 << i % 8);
    }
    memory_free(bytes);
}

static void test_damage_is_told_with_its_section(void **state)
{
    (void)state;
    size_t n_bytes;
    uint8_t *bytes = make_pack(&n_bytes);
    struct pack *pack;
    hob_error error;
    assert_int_equal(pack_parse(bytes, n_bytes, &pack, &error), HOB_OK);
    for (int id = 0; id < PACK_N_SECTIONS; id++) {
        const struct pack_section *section = &pack->sections[id];
        char words[64];
        if (!section->n_bytes) continue;
        uint8_t *byte = bytes + section->offset + section->n_bytes / 2;
        *byte ^= 4;
        snprintf(words, sizeof words, "section %s is damaged", section->name);
        if (id != PACK_WEIGHTS) assert_refused(bytes, n_bytes, HOB_BAD_FILE, words);
        else assert_int_equal(parse(bytes, n_bytes, &error), HOB_OK); /* not summed at opening */
        assert_int_equal(pack_check_section(pack, (enum pack_section_id)id, &error), HOB_BAD_FILE);
        *byte ^= 4;
        assert_int_equal(pack_check_section(pack, (enum pack_section_id)id, &error), HOB_OK);
    }
    pack_free(pack);
    memory_free(bytes);
}

static void test_another_version_is_refused(void **state)
{
    (void)state;
    size_t n_bytes;
    uint8_t *bytes = make_pack(&n_bytes);
    for (int version = 0; version < 4; version++) {
        if (version == PACK_VERSION) continue;
        bytes[8] = (uint8_t)version;
        assert_refused(bytes, n_bytes, HOB_UNSUPPORTED, "expected version 3: make it anew with hob import");
    }
    memory_free(bytes);
}

static void test_sections_lie_inside_the_file(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {UINT64_MAX, UINT64_MAX - 63, 1u << 31, 65};
    size_t n_bytes;
    uint8_t *bytes = make_pack(&n_bytes);
    uint8_t *entry = bytes + PACK_HEADER_BYTES + PACK_GRAPH * PACK_ENTRY_BYTES + PACK_NAME_BYTES;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t old;
        memcpy(&old, entry, sizeof old);
        memcpy(entry, &wrong[i], sizeof old);
        resum_pack(bytes, n_bytes);
        assert_refused(bytes, n_bytes, HOB_BAD_FILE, "section graph: found");
        memcpy(entry, &old, sizeof old);
    }
    memory_free(bytes);
}

/* Whole sections of nonsense with good checksums: refused or harmless, never a crash (the sanitizers watch). */
static void test_nonsense_with_good_checksums(void **state)
{
    (void)state;
    enum { N_ROUNDS = 600 };
    size_t n_bytes, n_refused = 0;
    uint8_t *bytes = make_pack(&n_bytes), *copy = memory_aligned(n_bytes);
    struct rng rng = {.seed = 7};
    for (int round = 0; round < N_ROUNDS; round++) {
        struct pack *pack;
        struct hob_model model = {0};
        hob_error error = {0};
        struct tokenizer *tokenizer = NULL;
        memcpy(copy, bytes, n_bytes);
        for (uint32_t i = 0, n = 1 + rng_below(&rng, 4); i < n; i++) {
            uint32_t at = PACK_HEADER_BYTES + PACK_N_SECTIONS * PACK_ENTRY_BYTES + rng_below(&rng, round % 2 ? 20000 : 60000);
            if (at < n_bytes) copy[at] = (uint8_t)rng_next(&rng);
        }
        resum_pack(copy, n_bytes);
        assert_int_equal(pack_parse(copy, n_bytes, &pack, &error), HOB_OK);
        hob_status status = pack_graph_read(pack, &model.graph, &error);
        if (status == HOB_OK) status = pack_model_read(pack, &model, &error);
        if (status == HOB_OK) status = program_new(model.graph, &model.program, &error);
        if (pack_tokenizer_read(pack, &tokenizer, &error) != HOB_OK) status = HOB_BAD_FILE;
        if (status != HOB_OK) {
            assert_true(*error.message);
            n_refused++;
        }
        tokenizer_free(tokenizer);
        graph_free(model.graph);
        pack_free(pack);
    }
    assert_in_range(n_refused, N_ROUNDS / 20, N_ROUNDS);
    memory_free(copy);
    memory_free(bytes);
}

/* ---- graphs ---- */

/* Everything a graph can hold, by hand. */
static struct graph *make_graph(void)
{
    static float weight[600], broadcast[3] = {1, 2, 3};
    static int8_t bytes[2] = {-1, 5};
    static struct tensor_string strings[2] = {{"one", 3}, {"t\0o", 3}};
    static const int64_t ints[] = {4, -5};
    static const float floats[] = {0.5f};
    struct graph *graph, *body;
    struct tensor tensor, inner;
    uint32_t x, y, constants[5];
    hob_error error;
    for (int i = 0; i < 600; i++) weight[i] = (float)i;
    assert_int_equal(graph_new(NULL, &graph, &error), HOB_OK);
    assert_int_equal(graph_add_opset(graph, "", 17, &error), HOB_OK);
    assert_int_equal(graph_add_metadata(graph, "key", "text", &error), HOB_OK);
    assert_int_equal(graph_add_input(graph, "x", DTYPE_F32, 2, (int64_t[]){DIM_UNKNOWN, 3}, (const char *[]){"T", NULL}, &x, &error), HOB_OK);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 2, (int64_t[]){20, 30}, weight, &error), HOB_OK);
    assert_int_equal(graph_add_constant(graph, "large", &tensor, &constants[0], &error), HOB_OK);
    struct tensor transposed = tensor_transpose(&tensor, (int[]){1, 0});
    assert_int_equal(graph_add_constant(graph, "transposed", &transposed, &constants[1], &error), HOB_OK);
    assert_int_equal(tensor_init(&tensor, DTYPE_F32, 2, (int64_t[]){1, 3}, broadcast, &error), HOB_OK);
    struct tensor wide = tensor_broadcast(&tensor, 2, (int64_t[]){1000, 3});
    assert_int_equal(graph_add_constant(graph, "wide", &wide, &constants[2], &error), HOB_OK);
    assert_int_equal(tensor_init(&tensor, DTYPE_STRING, 1, (int64_t[]){2}, strings, &error), HOB_OK);
    assert_int_equal(graph_add_constant(graph, "strings", &tensor, &constants[3], &error), HOB_OK);
    assert_int_equal(tensor_init(&inner, DTYPE_I8, 1, (int64_t[]){2}, bytes, &error), HOB_OK);
    inner = tensor_slice(&inner, 0, 1, 2, -1);
    assert_int_equal(graph_add_constant(graph, "backwards", &inner, &constants[4], &error), HOB_OK);
    assert_int_equal(graph_new(graph, &body, &error), HOB_OK);
    uint32_t outer, made;
    assert_int_equal(graph_value(body, "x", 1, &outer, &error), HOB_OK);
    body->values[outer].outer = x;
    struct node_spec spec = {.op_type = "Relu", .inputs = &outer, .n_inputs = 1, .n_outputs = 1, .state = STATE_NONE};
    assert_int_equal(graph_add_node(body, &spec, &made, &error), HOB_OK);
    assert_int_equal(graph_add_output(body, made, &error), HOB_OK);
    struct graph *const *bodies = arena_copy(&graph->arena, &body, sizeof body, _Alignof(struct graph *));
    const struct attribute attributes[] = {
        {.name = "g", .kind = ATTRIBUTE_GRAPH, .n_items = 1, .graphs = bodies},
        {.name = "i", .kind = ATTRIBUTE_INT, .n_items = 1, .integer = -3},
        {.name = "f", .kind = ATTRIBUTE_FLOAT, .n_items = 1, .number = 2.5f},
        {.name = "s", .kind = ATTRIBUTE_STRING, .n_items = 1, .string = {"text", 4}},
        {.name = "is", .kind = ATTRIBUTE_INTS, .n_items = 2, .integers = ints},
        {.name = "fs", .kind = ATTRIBUTE_FLOATS, .n_items = 1, .numbers = floats},
        {.name = "ss", .kind = ATTRIBUTE_STRINGS, .n_items = 2, .strings = strings},
        {.name = "t", .kind = ATTRIBUTE_TENSOR, .n_items = 1, .tensor = arena_copy(&graph->arena, &inner, sizeof inner, 8)},
    };
    uint32_t inputs[] = {x, constants[0], VALUE_NONE, constants[1], constants[2], constants[3], constants[4]};
    struct node_spec all = {.name = "all", .domain = "test", .op_type = "Everything", .inputs = inputs, .n_inputs = 7, .n_outputs = 1,
                            .attributes = {.items = attributes, .n_items = sizeof attributes / sizeof *attributes}, .state = STATE_NONE};
    assert_int_equal(graph_add_node(graph, &all, &y, &error), HOB_OK);
    assert_int_equal(graph_add_output(graph, y, &error), HOB_OK);
    graph->output_names[0] = "y";
    return graph;
}

static const struct tensor *constant_of(const struct graph *graph, const char *name)
{
    uint32_t value = graph_find_value(graph, name);
    assert_int_not_equal(value, VALUE_NONE);
    return graph->values[value].constant;
}

static void assert_same_items(const struct graph *a, const struct graph *b, const char *name)
{
    const struct tensor *left = constant_of(a, name), *right = constant_of(b, name);
    assert_true(tensor_same_shape(left, right) && left->dtype == right->dtype);
    size_t n_bytes = tensor_n_bytes(left);
    void *items[2] = {memory_new(n_bytes, 1), memory_new(n_bytes, 1)};
    tensor_copy_contiguous(left, items[0]);
    tensor_copy_contiguous(right, items[1]);
    assert_memory_equal(items[0], items[1], n_bytes);
    memory_free(items[0]);
    memory_free(items[1]);
}

static void assert_attributes(const struct node *node)
{
    const struct attributes *attributes = &node->attributes;
    size_t n;
    assert_int_equal(attributes->n_items, 8);
    assert_int_equal(attributes_int(attributes, "i", 0), -3);
    assert_true(attributes_float(attributes, "f", 0) == 2.5f);
    assert_string_equal(attributes_string(attributes, "s", ""), "text");
    assert_int_equal(attributes_ints(attributes, "is", &n)[1], -5);
    assert_int_equal(n, 2);
    assert_true(attributes_floats(attributes, "fs", &n)[0] == 0.5f);
    assert_memory_equal(attributes_find(attributes, "ss")->strings[1].bytes, "t\0o", 3);
    assert_int_equal(tensor_get_int(attributes_find(attributes, "t")->tensor, 0), 5);
    const struct graph *body = attributes_find(attributes, "g")->graphs[0];
    assert_int_equal(body->n_nodes, 1);
    assert_int_equal(body->values[body->nodes[0].inputs[0]].outer, 0);
}

static void test_a_graph_comes_back(void **state)
{
    (void)state;
    struct graph *graph = make_graph(), *read = NULL;
    struct pack_weights weights;
    struct pack_content content = {.weights = &weights};
    struct pack *pack;
    hob_error error;
    pack_weights_init(&weights);
    if (pack_graph_write(graph, &weights, &content.sections[PACK_GRAPH], &error) != HOB_OK) fail_msg("%s", error.message);
    assert_int_equal(weights.n_blobs, 1); /* the transpose is the same bytes, the others are small */
    assert_int_equal(pack_write(pack_path, &content, &error), HOB_OK);
    assert_int_equal(pack_open(pack_path, &pack, &error), HOB_OK);
    if (pack_graph_read(pack, &read, &error) != HOB_OK) fail_msg("%s", error.message);
    assert_string_equal(graph_find_metadata(read, "key"), "text");
    assert_int_equal(graph_opset(read, ""), 17);
    assert_int_equal(read->n_inputs, 1);
    assert_string_equal(read->values[read->inputs[0]].dim_names[0], "T");
    assert_null(read->values[read->inputs[0]].dim_names[1]);
    assert_string_equal(read->output_names[0], "y");
    assert_same_items(graph, read, "large");
    assert_same_items(graph, read, "transposed");
    assert_same_items(graph, read, "wide");
    assert_same_items(graph, read, "backwards");
    assert_true(constant_of(read, "transposed")->data == constant_of(read, "large")->data);
    const struct tensor_string *strings = constant_of(read, "strings")->data;
    assert_memory_equal(strings[1].bytes, "t\0o", 3);
    assert_int_equal(read->nodes[0].inputs[2], VALUE_NONE);
    assert_attributes(&read->nodes[0]);
    graph_free(read);
    pack_free(pack);
    buffer_release(&content.sections[PACK_GRAPH]);
    pack_weights_release(&weights);
    graph_free(graph);
}

/* ---- graphs that nothing but a hostile file holds ---- */

static void test_strides_that_overflow(void **state)
{
    (void)state;
    struct tensor tensor;
    int64_t first, last;
    assert_int_equal(tensor_init(&tensor, DTYPE_U8, 2, (int64_t[]){2, 2}, NULL, NULL), HOB_OK);
    static const int64_t strides[][2] = {{INT64_MAX, -INT64_MAX}, {INT64_MIN, 1}, {INT64_MAX, INT64_MAX}, {INT64_MAX, -1}, {INT64_MIN, 0}};
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        memcpy(tensor.strides, strides[i], sizeof strides[i]);
        assert_false(pack_find_extent(&tensor, &first, &last));
    }
    memcpy(tensor.strides, (int64_t[]){-2, 1}, sizeof strides[0]);
    assert_true(pack_find_extent(&tensor, &first, &last));
    assert_int_equal(first, -2);
    assert_int_equal(last, 1);
}

/* Writes the graph, reads it again and says how that ended. Takes the graph. */
static hob_status reread(struct graph *graph, hob_error *error)
{
    struct graph *read = NULL;
    struct pack_weights weights;
    struct pack_content content = {.weights = &weights};
    struct pack *pack = NULL;
    pack_weights_init(&weights);
    assert_int_equal(pack_graph_write(graph, &weights, &content.sections[PACK_GRAPH], error), HOB_OK);
    assert_int_equal(pack_write(pack_path, &content, error), HOB_OK);
    assert_int_equal(pack_open(pack_path, &pack, error), HOB_OK);
    hob_status status = pack_graph_read(pack, &read, error);
    graph_free(read);
    pack_free(pack);
    buffer_release(&content.sections[PACK_GRAPH]);
    pack_weights_release(&weights);
    graph_free(graph);
    return status;
}

/* x -> Constant -> y, with this tensor for an attribute. */
static struct graph *graph_with_attribute(const struct tensor *tensor)
{
    struct graph *graph;
    uint32_t y;
    struct attribute value = {.name = "value", .kind = ATTRIBUTE_TENSOR, .n_items = 1, .tensor = tensor};
    struct node_spec spec = {.op_type = "Constant", .n_outputs = 1, .attributes = {.items = &value, .n_items = 1}, .state = STATE_NONE};
    assert_int_equal(graph_new(NULL, &graph, NULL), HOB_OK);
    assert_int_equal(graph_add_opset(graph, "", 17, NULL), HOB_OK);
    assert_int_equal(graph_add_node(graph, &spec, &y, NULL), HOB_OK);
    assert_int_equal(graph_add_output(graph, y, NULL), HOB_OK);
    return graph;
}

static void test_packed_weights_are_constants_only(void **state)
{
    (void)state;
    static uint8_t bytes[2048];
    struct tensor element, sequence;
    hob_error error = {0};
    assert_int_equal(tensor_init(&element, DTYPE_F32, 2, (int64_t[]){2, 32}, bytes, NULL), HOB_OK);
    assert_int_equal(tensor_init(&sequence, DTYPE_SEQUENCE, 1, (int64_t[]){1}, &element, NULL), HOB_OK);
    assert_int_equal(reread(graph_with_attribute(&element), &error), HOB_OK);
    assert_int_equal(reread(graph_with_attribute(&sequence), &error), HOB_OK);
    element.layout = LAYOUT_PANELS;
    assert_int_equal(reread(graph_with_attribute(&element), &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "found a packed weight of float32"));
    assert_int_equal(reread(graph_with_attribute(&sequence), &error), HOB_BAD_FILE);
    assert_int_equal(tensor_init(&element, DTYPE_Q4_0, 2, (int64_t[]){2, 32}, bytes, NULL), HOB_OK);
    assert_int_equal(reread(graph_with_attribute(&element), &error), HOB_BAD_FILE);
    assert_int_equal(reread(graph_with_attribute(&sequence), &error), HOB_BAD_FILE);
}

/* Caches are the session's, which knows the whole graph only. */
static void test_bodies_have_no_caches(void **state)
{
    (void)state;
    struct graph *graph = make_graph();
    const struct graph_state cache = {.name = "k", .dtype = DTYPE_F32, .rank = 1};
    uint32_t number;
    hob_error error = {0};
    assert_int_equal(graph_add_state(graph->subgraphs[0], &cache, &number, NULL), HOB_OK);
    assert_int_equal(reread(graph, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "state"));
    graph = make_graph();
    assert_int_equal(graph_add_state(graph, &cache, &number, NULL), HOB_OK);
    assert_int_equal(reread(graph, &error), HOB_OK);
}

static void write_pack(const uint8_t *bytes, size_t n_bytes)
{
    FILE *file = fopen(pack_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

/* Weights and graph are what they were made: asking for others is an error, not ignored. */
static void test_a_pack_is_finished(void **state)
{
    (void)state;
    size_t n_bytes;
    uint8_t *bytes = make_pack(&n_bytes);
    hob_model *model;
    hob_error error = {0};
    write_pack(bytes, n_bytes);
    assert_int_equal(hob_model_open(pack_path, &(hob_model_options){.quant = "q8_0"}, &model, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "q8_0"));
    assert_int_equal(hob_model_open(pack_path, &(hob_model_options){.disabled_passes = "pack_weights"}, &model, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "went through the passes"));
    memory_free(bytes);
}

/* A pack that claims its graph to be what it is not, with good checksums. */
static void test_a_model_is_what_its_graph_can_be(void **state)
{
    (void)state;
    size_t n_bytes, n_section;
    uint8_t *bytes = make_pack(&n_bytes);
    struct pack *pack;
    hob_model *model;
    hob_error error = {0};
    assert_int_equal(pack_parse(bytes, n_bytes, &pack, &error), HOB_OK);
    uint8_t *record = bytes + ((const uint8_t *)pack_bytes(pack, PACK_MODEL, &n_section) - bytes), *kind = record + 4 + record[0] + 1;
    pack_free(pack);
    assert_int_equal(*kind, HOB_MODEL_DECODER);
    *kind = HOB_MODEL_ENCODER;
    resum_pack(bytes, n_bytes);
    write_pack(bytes, n_bytes);
    assert_int_equal(hob_model_open(pack_path, NULL, &model, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "section model: found an encoder"));
    memory_free(bytes);
}

/* ---- tokenizers ---- */

static const char corpus[] = "Hello, w\xC3\xB6rld's don't  12 345\n\n\t\xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80<s>\xE2\x96\x81\xFF x </s> [MASK]"
                             "<|im_end|> <|endoftext|> Caf\x65\xCC\x81 \xEF\xAC\x81 ..!? supercalifragilistic \x00 z";

static void assert_same_ids(const struct tokenizer *a, const struct tokenizer *b, const char *text, size_t n_bytes)
{
    struct id_list left = {0}, right = {0};
    struct buffer left_text = {0}, right_text = {0};
    hob_error error;
    unsigned flags = HOB_ADD_SPECIAL | HOB_PARSE_SPECIAL;
    assert_int_equal(tokenizer_encode(a, text, n_bytes, flags, &left, &error), tokenizer_encode(b, text, n_bytes, flags, &right, &error));
    assert_int_equal(left.n_ids, right.n_ids);
    if (left.n_ids) assert_memory_equal(left.ids, right.ids, left.n_ids * sizeof *left.ids);
    assert_int_equal(tokenizer_decode(a, left.ids, left.n_ids, 0, &left_text, &error), HOB_OK);
    assert_int_equal(tokenizer_decode(b, right.ids, right.n_ids, 0, &right_text, &error), HOB_OK);
    assert_string_equal(buffer_text(&left_text), buffer_text(&right_text));
    buffer_release(&left_text);
    buffer_release(&right_text);
    id_list_release(&left);
    id_list_release(&right);
}

/* Each text alone, and whatever the file of llama.cpp's test inputs beside a GGUF vocabulary holds. */
static void compare_on_texts(const char *path, const struct tokenizer *a, const struct tokenizer *b)
{
    static char inputs[1 << 16];
    char inputs_path[512];
    assert_same_ids(a, b, corpus, sizeof corpus - 1);
    assert_same_ids(a, b, "", 0);
    snprintf(inputs_path, sizeof inputs_path, "%s.inp", path);
    FILE *file = fopen(inputs_path, "rb");
    if (!file) return;
    size_t n_bytes = fread(inputs, 1, sizeof inputs, file);
    fclose(file);
    assert_same_ids(a, b, inputs, n_bytes);
}

static void compare_packed(const char *path)
{
    struct tokenizer *tokenizer, *read;
    struct buffer bytes = {0}, again = {0};
    hob_error error;
    if (tokenizer_open(path, &tokenizer, &error) != HOB_OK) fail_msg("%s", error.message);
    if (tokenizer_write(tokenizer, &bytes, &error) != HOB_OK) fail_msg("%s", error.message);
    uint8_t *record = memory_aligned(bytes.n_bytes); /* as in a map */
    memcpy(record, bytes.bytes, bytes.n_bytes);
    struct record_reader reader = record_reader_over(record, bytes.n_bytes);
    if (tokenizer_read(&reader, &read, &error) != HOB_OK) fail_msg("%s: %s", path, error.message);
    compare_on_texts(path, tokenizer, read);
    assert_int_equal(tokenizer_n_tokens(tokenizer), tokenizer_n_tokens(read));
    for (size_t id = 0; id < tokenizer_n_tokens(tokenizer); id++) {
        size_t n_left = 0, n_right = 0;
        const char *left = tokenizer_token(tokenizer, (int32_t)id, &n_left), *right = tokenizer_token(read, (int32_t)id, &n_right);
        assert_true(!left == !right && n_left == n_right && (!left || !memcmp(left, right, n_left + 1)));
        assert_int_equal(tokenizer_type(tokenizer, (int32_t)id), tokenizer_type(read, (int32_t)id));
        if (left) assert_int_equal(tokenizer_id(tokenizer, left, n_left), tokenizer_id(read, left, n_left));
    }
    for (int role = 0; role < HOB_N_TOKEN_ROLES; role++)
        assert_int_equal(tokenizer_role(tokenizer, (hob_token_role)role), tokenizer_role(read, (hob_token_role)role));
    tokenizer_free(tokenizer);
    if (tokenizer_open(path, &tokenizer, &error) != HOB_OK || tokenizer_write(tokenizer, &again, &error) != HOB_OK) fail_msg("%s", error.message);
    assert_int_equal(bytes.n_bytes, again.n_bytes);
    assert_memory_equal(bytes.bytes, again.bytes, bytes.n_bytes);
    assert_int_equal(tokenizer_write(read, &again, &error), HOB_UNSUPPORTED);
    tokenizer_free(tokenizer);
    tokenizer_free(read);
    memory_free(record);
    buffer_release(&bytes);
    buffer_release(&again);
}

static void test_tokenizers_come_back(void **state)
{
    (void)state;
    static const char *const paths[] = {"gpt2", "qwen3", "roberta-base", "t5-small", "all-MiniLM-L6-v2", "ggml-vocab-bert-bge.gguf",
                                        "ggml-vocab-deepseek-coder.gguf", "ggml-vocab-falcon.gguf", "ggml-vocab-gpt-2.gguf",
                                        "ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[256];
        snprintf(path, sizeof path, "../shared/tokenizers/%s", paths[i]);
        if (access(path, R_OK) != 0) skip();
        compare_packed(path);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Every part that tokenizer.json has a name for, and an added token that takes another's id. */
static void test_every_part_comes_back(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{\"type\":\"Lowercase\"},{\"type\":\"Nmt\"},"
        "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false},{\"type\":\"Prepend\",\"prepend\":\"_\"},"
        "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"o+\"},\"content\":\"0\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"l\"},\"content\":\"\"}]},"
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Punctuation\"},"
        "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"e\"},{\"type\":\"FixedLength\",\"length\":3},{\"type\":\"Metaspace\"}]},"
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"_\"},\"content\":\" \"},"
        "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":2}]}",
        "\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
        "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
        "\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|[a-h]\"},\"behavior\":\"MergedWithNext\","
        "\"invert\":true},\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"x\"}",
        "\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"decoder\":{\"type\":\"CTC\",\"pad_token\":\"a\",\"word_delimiter_token\":\"l\",\"cleanup\":true}",
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":false},\"decoder\":{\"type\":\"Metaspace\"}",
        "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}"};
    char path[128], json[4096];
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(json, sizeof json,
                 "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"\",\"vocab\":{\"u\":0,\"a\":1,\"l\":2,\"al\":3,\"e\":4,\"o\":5},"
                 "\"merges\":[\"a l\"]},\"added_tokens\":[{\"id\":4,\"content\":\"zz\",\"special\":true},{\"id\":9,\"content\":\"Caf\",\"special\":false,"
                 "\"lstrip\":true,\"normalized\":true}],%s}",
                 parts[i]);
        write_file(path, json);
        compare_packed(path);
    }
    unlink(path);
}

/* A record of a small tokenizer, aligned as in a map. */
static uint8_t *make_tokenizer_record(size_t *ret_n_bytes)
{
    static const char json[] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}";
    struct tokenizer *tokenizer;
    struct buffer bytes = {0};
    assert_int_equal(tokenizer_load_json(json, sizeof json - 1, "test", &tokenizer, NULL), HOB_OK);
    assert_int_equal(tokenizer_write(tokenizer, &bytes, NULL), HOB_OK);
    uint8_t *record = memory_aligned(bytes.n_bytes);
    memcpy(record, bytes.bytes, bytes.n_bytes);
    *ret_n_bytes = bytes.n_bytes;
    buffer_release(&bytes);
    tokenizer_free(tokenizer);
    return record;
}

/* Byte-pair encoding of characters goes from character to character: broken text would never end. */
static void test_broken_text_is_for_models_of_bytes(void **state)
{
    (void)state;
    enum { KEEPS_BROKEN_AT = 4 + sizeof "bpe" + 1 };
    size_t n_bytes;
    uint8_t *record = make_tokenizer_record(&n_bytes);
    struct tokenizer *tokenizer;
    struct record_reader reader = record_reader_over(record, n_bytes);
    assert_int_equal(tokenizer_read(&reader, &tokenizer, NULL), HOB_OK);
    tokenizer_free(tokenizer);
    assert_int_equal(record[KEEPS_BROKEN_AT], 0);
    record[KEEPS_BROKEN_AT] = 1;
    reader = record_reader_over(record, n_bytes);
    assert_int_equal(tokenizer_read(&reader, &tokenizer, NULL), HOB_BAD_FILE);
    memory_free(record);
}

/* Merges are not looked through when a record is read: a token that is none is found when it comes up. */
static void test_merges_lead_to_tokens(void **state)
{
    (void)state;
    size_t n_bytes, n_changed = 0;
    uint8_t *record = make_tokenizer_record(&n_bytes);
    struct tokenizer *tokenizer;
    struct id_list ids = {0};
    hob_error error = {0};
    const struct merge merge = {.pair = 1, .rank = 0, .id = 2}, wrong = {.pair = 1, .rank = 0, .id = 3};
    for (size_t at = 0; at + sizeof merge <= n_bytes; at += 8) {
        if (memcmp(record + at, &merge, sizeof merge)) continue;
        memcpy(record + at, &wrong, sizeof wrong);
        n_changed++;
    }
    assert_int_equal(n_changed, 1);
    struct record_reader reader = record_reader_over(record, n_bytes);
    assert_int_equal(tokenizer_read(&reader, &tokenizer, NULL), HOB_OK);
    assert_int_equal(tokenizer_encode(tokenizer, "ab", 2, 0, &ids, &error), HOB_BAD_FILE);
    assert_string_equal(error.message, "merges: found token 3, expected 0 to 2");
    id_list_release(&ids);
    tokenizer_free(tokenizer);
    memory_free(record);
}

/* An added token whose spelling is longer than its way through the trie would end behind the text. */
static void test_added_tokens_end_where_they_match(void **state)
{
    (void)state;
    for (int is_longer = 0; is_longer < 2; is_longer++) {
        struct added_tokens added = {0}, read = {0};
        struct buffer bytes = {0};
        assert_int_equal(added_tokens_add(&added, (struct added_token){.text = "ab", .n_bytes = 2}, NULL), HOB_OK);
        assert_int_equal(added_tokens_finish(&added, NULL), HOB_OK);
        if (is_longer) added.tokens[0].text = "abcdefgh", added.tokens[0].n_bytes = 8;
        added_tokens_write(&added, &bytes);
        uint8_t *record = memory_aligned(bytes.n_bytes);
        memcpy(record, bytes.bytes, bytes.n_bytes);
        struct record_reader reader = record_reader_over(record, bytes.n_bytes);
        assert_int_equal(added_tokens_read(&read, &reader, 1, NULL), HOB_OK);
        assert_int_equal(record_is_read(&reader), !is_longer);
        added_tokens_release(&read);
        added_tokens_release(&added);
        memory_free(record);
        buffer_release(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_huge_counts),
        cmocka_unit_test(test_every_length_is_refused),
        cmocka_unit_test(test_every_bit_of_the_header_counts),
        cmocka_unit_test(test_damage_is_told_with_its_section),
        cmocka_unit_test(test_another_version_is_refused),
        cmocka_unit_test(test_sections_lie_inside_the_file),
        cmocka_unit_test(test_nonsense_with_good_checksums),
        cmocka_unit_test(test_a_graph_comes_back),
        cmocka_unit_test(test_strides_that_overflow),
        cmocka_unit_test(test_packed_weights_are_constants_only),
        cmocka_unit_test(test_bodies_have_no_caches),
        cmocka_unit_test(test_a_pack_is_finished),
        cmocka_unit_test(test_a_model_is_what_its_graph_can_be),
        cmocka_unit_test(test_broken_text_is_for_models_of_bytes),
        cmocka_unit_test(test_merges_lead_to_tokens),
        cmocka_unit_test(test_added_tokens_end_where_they_match),
        cmocka_unit_test(test_tokenizers_come_back),
        cmocka_unit_test(test_every_part_comes_back),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
