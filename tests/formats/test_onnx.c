/* ONNX models built here field by field: what Python's onnx does not write (unpacked lists, external data that leads out, broken
 * graphs), subgraphs with outer values, and every refusal. */
#include "unit.h"

#include "base/size.h"
#include "formats/onnx.h"
#include "formats/onnx_proto.h"
#include "formats/onnx_tensor.h"
#include "formats/proto_writer.h"
#include "tensor/sub_byte.h"
#include "models/scratch_folder.h"

/* ---- building ---- */

static void put_name_of_tensor(struct buffer *tensor, const char *name, int data_type, size_t n_dims,
                               const int64_t *dims)
{
    for (size_t i = 0; i < n_dims; i++) proto_int(tensor, TENSOR_DIMS, dims[i]);
    proto_int(tensor, TENSOR_DATA_TYPE, data_type);
    proto_text(tensor, TENSOR_NAME, name);
}

static void put_node(struct buffer *graph, const char *op_type, const char *input, const char *output)
{
    struct buffer node = {0};
    if (input) proto_text(&node, NODE_INPUT, input);
    proto_text(&node, NODE_OUTPUT, output);
    proto_text(&node, NODE_OP_TYPE, op_type);
    proto_message(graph, GRAPH_NODE, &node);
}

/* dim < 0: symbolic, called "N". */
static void put_declaration(struct buffer *graph, uint32_t field, const char *name, int data_type, int64_t dim)
{
    struct buffer declaration = {0}, type = {0}, tensor = {0}, shape = {0}, one = {0};
    if (dim < 0) proto_text(&one, DIM_PARAM, "N");
    else proto_int(&one, DIM_VALUE, dim);
    proto_message(&shape, SHAPE_DIM, &one);
    proto_int(&tensor, TYPE_ELEM, data_type);
    proto_message(&tensor, TYPE_SHAPE, &shape);
    proto_message(&type, TYPE_TENSOR, &tensor);
    proto_text(&declaration, VALUE_NAME, name);
    proto_message(&declaration, VALUE_TYPE, &type);
    proto_message(graph, field, &declaration);
}

/* Releases graph. */
static void make_model(struct buffer *graph, struct buffer *ret_model)
{
    struct buffer opset = {0}, entry = {0};
    *ret_model = (struct buffer){0};
    proto_int(ret_model, MODEL_IR_VERSION, 7);
    proto_text(ret_model, MODEL_PRODUCER_NAME, "test");
    proto_text(ret_model, MODEL_PRODUCER_VERSION, "1.0");
    proto_message(ret_model, MODEL_GRAPH, graph); /* before the opsets: the order of fields means nothing */
    proto_int(&opset, OPSET_VERSION, 13);
    proto_message(ret_model, MODEL_OPSET_IMPORT, &opset);
    proto_text(&entry, ENTRY_KEY, "author");
    proto_text(&entry, ENTRY_VALUE, "me");
    proto_message(ret_model, MODEL_METADATA_PROPS, &entry);
}

/* Opens a model of that graph; releases graph_message. *ret_model must be released after the graph. */
static struct graph *open_graph(struct buffer *graph_message, struct buffer *ret_model)
{
    struct graph *graph;
    hob_error error;
    make_model(graph_message, ret_model);
    if (onnx_parse(ret_model->bytes, ret_model->n_bytes, "test.onnx", &graph, &error) != HOB_OK)
        fail_msg("%s", error.message);
    return graph;
}

static void refuse_graph(struct buffer *graph_message, hob_status expected, const char *message)
{
    struct graph *graph;
    struct buffer model;
    hob_error error = {0};
    make_model(graph_message, &model);
    hob_status status = onnx_parse(model.bytes, model.n_bytes, "test.onnx", &graph, &error);
    if (status != expected || !strstr(error.message, message))
        fail_msg("found %d: %s, expected %s", (int)status, error.message, message);
    buffer_release(&model);
}

static const struct tensor *constant(const struct graph *graph, const char *name)
{
    uint32_t value = graph_find_value(graph, name);
    assert_int_not_equal(value, VALUE_NONE);
    assert_non_null(graph->values[value].constant);
    return graph->values[value].constant;
}

/* ---- models ---- */

static void test_model(void **state)
{
    (void)state;
    struct buffer message = {0}, model;
    proto_text(&message, GRAPH_NAME, "main");
    put_node(&message, "Relu", "x", "y");
    put_declaration(&message, GRAPH_INPUT, "x", 1, -1);
    put_declaration(&message, GRAPH_OUTPUT, "y", 1, 3);
    proto_text(&message, 10, "a doc string");
    proto_int(&message, 4711, 1); /* a field of the future */
    struct graph *graph = open_graph(&message, &model);
    assert_string_equal(graph->name, "main");
    assert_string_equal(graph->producer, "test 1.0");
    assert_int_equal(graph->ir_version, 7);
    assert_string_equal(graph_find_metadata(graph, "author"), "me");
    assert_int_equal(graph->nodes[0].opset, 13);
    assert_string_equal(graph->nodes[0].op_type, "Relu");
    const struct value *x = &graph->values[graph->inputs[0]], *y = &graph->values[graph->outputs[0]];
    assert_int_equal(x->dims[0], DIM_UNKNOWN);
    assert_string_equal(x->dim_names[0], "N");
    assert_int_equal(y->dims[0], 3);
    assert_int_equal(y->producer, 0);
    graph_free(graph);
    buffer_release(&model);
}

static void test_unpacked_numbers(void **state)
{
    (void)state;
    struct buffer message = {0}, floats = {0}, integers = {0}, halves = {0}, model;
    put_name_of_tensor(&floats, "floats", DTYPE_F32, 1, (const int64_t[]){2});
    proto_float(&floats, TENSOR_FLOAT_DATA, 1.5f);
    proto_float(&floats, TENSOR_FLOAT_DATA, -2);
    put_name_of_tensor(&integers, "integers", DTYPE_I64, 1, (const int64_t[]){2});
    proto_int(&integers, TENSOR_INT64_DATA, -7);
    proto_bytes(&integers, TENSOR_INT64_DATA, "\x08", 1); /* packed and unpacked may take turns */
    put_name_of_tensor(&halves, "halves", DTYPE_BF16, 1, (const int64_t[]){2});
    proto_int(&halves, TENSOR_INT32_DATA, 0x3fc0);
    proto_int(&halves, TENSOR_INT32_DATA, 0x4000);
    proto_message(&message, GRAPH_INITIALIZER, &floats);
    proto_message(&message, GRAPH_INITIALIZER, &integers);
    proto_message(&message, GRAPH_INITIALIZER, &halves);
    struct graph *graph = open_graph(&message, &model);
    assert_memory_equal(constant(graph, "floats")->data, ((const float[]){1.5f, -2}), 8);
    assert_int_equal(tensor_get_int(constant(graph, "integers"), 0), -7);
    assert_int_equal(tensor_get_int(constant(graph, "integers"), 1), 8);
    assert_memory_equal(constant(graph, "halves")->data, ((const uint16_t[]){0x3fc0, 0x4000}), 4);
    graph_free(graph);
    buffer_release(&model);
}

static void test_new_types(void **state)
{
    (void)state;
    struct buffer message = {0}, eights = {0}, fours = {0}, model;
    put_name_of_tensor(&eights, "eights", DTYPE_F8E4M3FN, 1, (const int64_t[]){2});
    proto_int(&eights, TENSOR_INT32_DATA, 0x38);
    proto_int(&eights, TENSOR_INT32_DATA, 0xb8);
    put_name_of_tensor(&fours, "fours", DTYPE_U4, 1, (const int64_t[]){3});
    proto_int(&fours, TENSOR_INT32_DATA, 0x21);
    proto_int(&fours, TENSOR_INT32_DATA, 0x03);
    proto_message(&message, GRAPH_INITIALIZER, &eights);
    proto_message(&message, GRAPH_INITIALIZER, &fours);
    struct graph *graph = open_graph(&message, &model);
    assert_memory_equal(constant(graph, "eights")->data, "\x38\xb8", 2);
    assert_memory_equal(constant(graph, "fours")->data, "\x01\x02\x03", 3);
    graph_free(graph);
    buffer_release(&model);
}

static void test_raw_at_any_place(void **state)
{
    (void)state;
    static const double numbers[] = {1.5, -2.5};
    for (size_t shift = 0; shift < 8; shift++) {
        struct buffer message = {0}, tensor = {0}, model;
        char name[16] = "n";
        memset(name, 'n', shift + 1); /* moves the raw data through all alignments */
        proto_text(&message, GRAPH_NAME, name);
        put_name_of_tensor(&tensor, "w", DTYPE_F64, 1, (const int64_t[]){2});
        proto_bytes(&tensor, TENSOR_RAW_DATA, numbers, sizeof numbers);
        proto_message(&message, GRAPH_INITIALIZER, &tensor);
        struct graph *graph = open_graph(&message, &model);
        assert_int_equal((uintptr_t)constant(graph, "w")->data % 8, 0);
        assert_memory_equal(constant(graph, "w")->data, numbers, sizeof numbers);
        graph_free(graph);
        buffer_release(&model);
    }
}

static void put_small_initializer(struct buffer *graph, const char *name)
{
    struct buffer tensor = {0};
    put_name_of_tensor(&tensor, name, DTYPE_F32, 0, NULL);
    proto_float(&tensor, TENSOR_FLOAT_DATA, 1);
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}

static void test_initializer_that_is_an_input(void **state)
{
    (void)state;
    struct buffer message = {0}, model;
    put_declaration(&message, GRAPH_INPUT, "w", 1, 1);
    put_declaration(&message, GRAPH_INPUT, "x", 1, 1);
    put_small_initializer(&message, "w");
    struct graph *graph = open_graph(&message, &model);
    assert_int_equal(graph->n_inputs, 1);
    assert_string_equal(graph->values[graph->inputs[0]].name, "x");
    assert_non_null(constant(graph, "w"));
    graph_free(graph);
    buffer_release(&model);
}

/* ---- attributes ---- */

/* An attribute without its type, as before IR version 2; released into node. */
static void put_attribute(struct buffer *node, const char *name, struct buffer *value)
{
    proto_text(value, ATTRIBUTE_NAME_FIELD, name);
    proto_message(node, NODE_ATTRIBUTE, value);
}

static void test_attributes(void **state)
{
    (void)state;
    struct buffer message = {0}, node = {0}, model;
    struct buffer number = {0}, integer = {0}, text = {0}, integers = {0}, numbers = {0}, texts = {0}, tensor = {0},
                  inner = {0};
    proto_float(&number, ATTRIBUTE_F, 0.5f);
    proto_int(&integer, ATTRIBUTE_I, -3);
    proto_text(&text, ATTRIBUTE_S, "linear");
    for (int i = 0; i < 3; i++) proto_int(&integers, ATTRIBUTE_INTS_FIELD, i);
    proto_bytes(&numbers, ATTRIBUTE_FLOATS_FIELD, ((const float[]){1, 2}), 8);
    proto_text(&texts, ATTRIBUTE_STRINGS_FIELD, "a");
    proto_text(&texts, ATTRIBUTE_STRINGS_FIELD, "bc");
    put_name_of_tensor(&inner, "", DTYPE_F32, 0, NULL);
    proto_float(&inner, TENSOR_FLOAT_DATA, 9);
    proto_message(&tensor, ATTRIBUTE_T, &inner);
    proto_text(&node, NODE_OP_TYPE, "Thing");
    put_attribute(&node, "number", &number);
    put_attribute(&node, "integer", &integer);
    put_attribute(&node, "text", &text);
    put_attribute(&node, "integers", &integers);
    put_attribute(&node, "numbers", &numbers);
    put_attribute(&node, "texts", &texts);
    put_attribute(&node, "tensor", &tensor);
    proto_message(&message, GRAPH_NODE, &node);
    struct graph *graph = open_graph(&message, &model);
    const struct attributes *attributes = &graph->nodes[0].attributes;
    size_t n_items;
    assert_float_equal(attributes_float(attributes, "number", 0), 0.5f, 0);
    assert_int_equal(attributes_int(attributes, "integer", 0), -3);
    assert_string_equal(attributes_string(attributes, "text", ""), "linear");
    assert_int_equal(attributes_ints(attributes, "integers", &n_items)[2], 2);
    assert_int_equal(n_items, 3);
    assert_float_equal(attributes_floats(attributes, "numbers", &n_items)[1], 2, 0);
    assert_string_equal(attributes_find(attributes, "texts")->strings[1].bytes, "bc");
    assert_float_equal(*(const float *)attributes_find(attributes, "tensor")->tensor->data, 9, 0);
    graph_free(graph);
    buffer_release(&model);
}

static void refuse_attribute(struct buffer *value, hob_status status, const char *message)
{
    struct buffer graph = {0}, node = {0};
    proto_text(&node, NODE_NAME, "one");
    proto_text(&node, NODE_OP_TYPE, "Thing");
    put_attribute(&node, "a", value);
    proto_message(&graph, GRAPH_NODE, &node);
    refuse_graph(&graph, status, message);
}

static void test_refuses_attributes(void **state)
{
    (void)state;
    struct buffer value = {0};
    proto_int(&value, ATTRIBUTE_TYPE, 99);
    refuse_attribute(&value, HOB_BAD_FILE, "node one: attribute a: found attribute type 99");
    proto_int(&value, ATTRIBUTE_TYPE, ATTRIBUTE_TENSOR);
    refuse_attribute(&value, HOB_BAD_FILE, "node one: attribute a: found 0 values, expected one");
    proto_text(&value, ATTRIBUTE_REFERENCE, "alpha");
    refuse_attribute(&value, HOB_BAD_FILE, "outside of a function");
    proto_text(&value, ATTRIBUTE_I, "text");
    refuse_attribute(&value, HOB_BAD_FILE, "found wire type 2, expected 0");
}

/* ---- subgraphs ---- */

/* A node If whose branch is body; releases body. */
static void put_if(struct buffer *graph, struct buffer *body, const char *output)
{
    struct buffer node = {0}, value = {0};
    proto_text(&node, NODE_INPUT, "c");
    proto_text(&node, NODE_OUTPUT, output);
    proto_text(&node, NODE_OP_TYPE, "If");
    proto_int(&value, ATTRIBUTE_TYPE, ATTRIBUTE_GRAPH);
    proto_message(&value, ATTRIBUTE_G, body);
    put_attribute(&node, "then_branch", &value);
    proto_message(graph, GRAPH_NODE, &node);
}

static void test_outer_values(void **state)
{
    (void)state;
    struct buffer message = {0}, middle = {0}, innermost = {0}, model;
    put_node(&innermost, "Neg", "x", "z"); /* x is two graphs out */
    put_declaration(&innermost, GRAPH_OUTPUT, "z", 1, 1);
    put_if(&middle, &innermost, "m");
    put_node(&middle, "Abs", "own", "unused");
    put_small_initializer(&middle, "own");
    put_declaration(&middle, GRAPH_OUTPUT, "m", 1, 1);
    put_if(&message, &middle, "y");
    put_declaration(&message, GRAPH_INPUT, "c", 9, 1);
    put_declaration(&message, GRAPH_INPUT, "x", 1, 1);
    put_declaration(&message, GRAPH_OUTPUT, "y", 1, 1);
    struct graph *graph = open_graph(&message, &model);
    const struct graph *outer_branch = graph->nodes[0].attributes.items[0].graphs[0];
    const struct graph *inner_branch = outer_branch->nodes[0].attributes.items[0].graphs[0];
    assert_ptr_equal(outer_branch->parent, graph);
    assert_ptr_equal(inner_branch->parent, outer_branch);
    uint32_t in_middle = graph_find_value(outer_branch, "x");
    assert_int_equal(inner_branch->values[graph_find_value(inner_branch, "x")].outer, in_middle);
    assert_int_equal(outer_branch->values[in_middle].outer, graph_find_value(graph, "x"));
    assert_int_equal(outer_branch->values[graph_find_value(outer_branch, "own")].outer, VALUE_NONE);
    assert_int_equal(inner_branch->values[graph_find_value(inner_branch, "z")].outer, VALUE_NONE);
    graph_free(graph);
    buffer_release(&model);
}

static void test_refuses_deep_graphs(void **state)
{
    (void)state;
    struct buffer graph = {0};
    put_node(&graph, "Neg", "x", "z");
    for (int i = 0; i < GRAPH_MAX_DEPTH + 1; i++) {
        struct buffer around = {0};
        put_if(&around, &graph, "y");
        graph = around;
    }
    refuse_graph(&graph, HOB_LIMIT, "graphs and functions nested deeper than 32");
}

/* ---- what is refused ---- */

static void refuse_tensor(struct buffer *tensor, hob_status status, const char *message)
{
    struct buffer graph = {0};
    proto_message(&graph, GRAPH_INITIALIZER, tensor);
    refuse_graph(&graph, status, message);
}

static void test_refuses_tensors(void **state)
{
    (void)state;
    struct buffer tensor = {0};
    put_name_of_tensor(&tensor, "w", 99, 0, NULL);
    refuse_tensor(&tensor, HOB_BAD_FILE, "tensor w: found data type 99");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 1, (const int64_t[]){-2});
    refuse_tensor(&tensor, HOB_BAD_SHAPE, "tensor w: dimension 0: found -2");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 1, (const int64_t[]){2});
    proto_float(&tensor, TENSOR_FLOAT_DATA, 1);
    refuse_tensor(&tensor, HOB_BAD_FILE, "tensor w: found 1 elements, expected 2");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 1, (const int64_t[]){1});
    proto_bytes(&tensor, TENSOR_RAW_DATA, "123", 3);
    refuse_tensor(&tensor, HOB_BAD_FILE, "tensor w: found 3 bytes, expected 4");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 1, (const int64_t[]){1});
    proto_int(&tensor, TENSOR_INT32_DATA, 3);
    refuse_tensor(&tensor, HOB_BAD_FILE, "found elements of float32 in field 5, expected field 4");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 1, (const int64_t[]){1});
    proto_float(&tensor, TENSOR_FLOAT_DATA, 1);
    proto_bytes(&tensor, TENSOR_RAW_DATA, "1234", 4);
    refuse_tensor(&tensor, HOB_BAD_FILE, "found elements in 2 places");
    put_name_of_tensor(&tensor, "w", DTYPE_STRING, 0, NULL);
    proto_bytes(&tensor, TENSOR_RAW_DATA, "1234567812345678", 16);
    refuse_tensor(&tensor, HOB_BAD_FILE, "found strings as raw data");
    put_name_of_tensor(&tensor, "w", DTYPE_F32, 9, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1});
    refuse_tensor(&tensor, HOB_UNSUPPORTED, "found more than 8 dimensions");
    put_name_of_tensor(&tensor, "", DTYPE_F32, 1, (const int64_t[]){0});
    refuse_tensor(&tensor, HOB_BAD_FILE, "found an initialiser without a name");
}

static void put_sparse(struct buffer *graph, int64_t index, int64_t dim)
{
    struct buffer sparse = {0}, values = {0}, indices = {0};
    put_name_of_tensor(&values, "w", DTYPE_F32, 1, (const int64_t[]){1});
    proto_float(&values, TENSOR_FLOAT_DATA, 1);
    put_name_of_tensor(&indices, "i", DTYPE_I64, 1, (const int64_t[]){1});
    proto_int(&indices, TENSOR_INT64_DATA, index);
    proto_message(&sparse, SPARSE_VALUES, &values);
    proto_message(&sparse, SPARSE_INDICES, &indices);
    proto_int(&sparse, SPARSE_DIMS, dim);
    proto_message(graph, GRAPH_SPARSE_INITIALIZER, &sparse);
}

static void test_refuses_graphs(void **state)
{
    (void)state;
    struct buffer graph = {0};
    put_small_initializer(&graph, "w");
    put_small_initializer(&graph, "w");
    refuse_graph(&graph, HOB_BAD_GRAPH, "initialiser w stands twice");
    put_node(&graph, "Neg", "x", "y");
    put_node(&graph, "Abs", "x", "y");
    refuse_graph(&graph, HOB_BAD_GRAPH, "output y is already made");
    put_node(&graph, "", "x", "y");
    refuse_graph(&graph, HOB_BAD_FILE, "found a node without an operator");
    put_declaration(&graph, GRAPH_INPUT, "x", 1, 1);
    put_declaration(&graph, GRAPH_INPUT, "x", 1, 1);
    refuse_graph(&graph, HOB_BAD_GRAPH, "input x stands twice");
    proto_bytes(&graph, GRAPH_NAME, "a\0b", 3);
    refuse_graph(&graph, HOB_BAD_FILE, "found a NUL in it");
    put_sparse(&graph, 5, 5);
    refuse_graph(&graph, HOB_BAD_FILE, "sparse tensor: index 0 lies outside");
    put_sparse(&graph, 5, INT64_MAX / 8);
    refuse_graph(&graph, HOB_LIMIT, "bytes when dense");
}

static void test_refuses_functions(void **state)
{
    (void)state;
    struct buffer graph = {0}, function = {0}, model;
    struct graph *opened;
    hob_error error;
    make_model(&graph, &model);
    proto_text(&function, FUNCTION_INPUT, "a");
    proto_message(&model, MODEL_FUNCTIONS, &function);
    assert_int_equal(onnx_parse(model.bytes, model.n_bytes, "x", &opened, &error), HOB_BAD_FILE);
    assert_non_null(strstr(error.message, "function without a name"));
    buffer_release(&model);
}

static void start_function(struct buffer *function, const char *name)
{
    proto_text(function, FUNCTION_NAME, name);
    proto_text(function, FUNCTION_DOMAIN, "d");
}

static void put_call(struct buffer *nodes, uint32_t field, const char *name)
{
    struct buffer call = {0};
    proto_text(&call, NODE_OP_TYPE, name);
    proto_text(&call, NODE_DOMAIN, "d");
    proto_message(nodes, field, &call);
}

/* Each of many short calls binds all inputs of a wide function: the file is small, the names would fill memory. */
static void test_refuses_wide_functions(void **state)
{
    (void)state;
    enum { N_INPUTS = 1 << 14, N_CALLS = 1 << 11 };
    struct buffer graph = {0}, wide = {0}, caller = {0}, model;
    struct graph *opened;
    hob_error error;
    start_function(&wide, "Wide");
    start_function(&caller, "Caller");
    for (int i = 0; i < N_INPUTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "i%d", i);
        proto_text(&wide, FUNCTION_INPUT, name);
    }
    for (int i = 0; i < N_CALLS; i++) put_call(&caller, FUNCTION_NODE, "Wide");
    put_call(&graph, GRAPH_NODE, "Caller");
    make_model(&graph, &model);
    proto_message(&model, MODEL_FUNCTIONS, &wide);
    proto_message(&model, MODEL_FUNCTIONS, &caller);
    assert_int_equal(onnx_parse(model.bytes, model.n_bytes, "x", &opened, &error), HOB_LIMIT);
    assert_non_null(strstr(error.message, "expand to many times the file's size"));
    buffer_release(&model);
}

static void put_external(struct buffer *graph, const char *location, const char *offset, const char *length)
{
    struct buffer tensor = {0};
    const char *const entries[][2] = {
        {"location", location}, {"offset", offset}, {"length", length}, {"checksum", "ignored"}};
    put_name_of_tensor(&tensor, "w", DTYPE_U8, 1, (const int64_t[]){4});
    proto_int(&tensor, TENSOR_DATA_LOCATION, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        struct buffer entry = {0};
        if (!entries[i][1]) continue;
        proto_text(&entry, ENTRY_KEY, entries[i][0]);
        proto_text(&entry, ENTRY_VALUE, entries[i][1]);
        proto_message(&tensor, TENSOR_EXTERNAL_DATA, &entry);
    }
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}

/* Writes FOLDER/NAME with that external tensor and opens it. */
static hob_status open_external(const struct scratch_folder *folder, const char *name, const char *location,
                                const char *offset, const char *length, struct graph **ret_graph, hob_error *error)
{
    char path[256];
    struct buffer graph = {0}, model;
    put_external(&graph, location, offset, length);
    make_model(&graph, &model);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.bytes, 1, model.n_bytes, file), model.n_bytes);
    fclose(file);
    buffer_release(&model);
    return onnx_open(path, ret_graph, error);
}

static void test_external(void **state)
{
    (void)state;
    struct scratch_folder folder;
    struct graph *graph;
    scratch_folder_make(&folder);
    scratch_folder_write(&folder, "data/w.bin", "0123456789");
    assert_int_equal(open_external(&folder, "m.onnx", "data/w.bin", "3", "4", &graph, NULL), HOB_OK);
    assert_memory_equal(constant(graph, "w")->data, "3456", 4);
    graph_free(graph);
    assert_int_equal(open_external(&folder, "m.onnx", "data/w.bin", NULL, NULL, &graph, NULL), HOB_OK);
    assert_memory_equal(constant(graph, "w")->data, "0123", 4);
    graph_free(graph);
    scratch_folder_remove(&folder);
}

static void test_refuses_external(void **state)
{
    (void)state;
    static const struct {
        const char *location, *offset, *length, *message;
        hob_status status;
    } cases[] = {
        {"/etc/passwd", NULL, NULL, "expected a file in the model's folder", HOB_BAD_FILE},
        {"../w.bin", NULL, NULL, "expected a file in the model's folder", HOB_BAD_FILE},
        {"data/../../w.bin", NULL, NULL, "expected a file in the model's folder", HOB_BAD_FILE},
        {"..", NULL, NULL, "expected a file in the model's folder", HOB_BAD_FILE},
        {"", NULL, NULL, "found a location of 0 bytes", HOB_BAD_FILE},
        {NULL, NULL, NULL, "found a location of 0 bytes", HOB_BAD_FILE},
        {"link", NULL, NULL, "leads out of the model's folder", HOB_BAD_FILE},
        {"out/passwd", NULL, NULL, "leads out of the model's folder", HOB_BAD_FILE},
        {"nowhere", NULL, NULL, "nowhere: No such file", HOB_NOT_FOUND},
        {"data", NULL, NULL, "not a regular file", HOB_IO},
        {"data/w.bin", "7", NULL, "found 10 bytes, expected 4 at offset 7", HOB_BAD_FILE},
        {"data/w.bin", "18446744073709551615", NULL, "expected 4 at offset 18446744073709551615", HOB_BAD_FILE},
        {"data/w.bin", "99999999999999999999", NULL, "offset: found '99999999999999999999', expected a number",
         HOB_BAD_FILE},
        {"data/w.bin", "-1", NULL, "offset: found '-1', expected a number", HOB_BAD_FILE},
        {"data/w.bin", NULL, "5", "found length 5, expected 4", HOB_BAD_FILE},
    };
    struct scratch_folder folder;
    char path[256];
    scratch_folder_make(&folder);
    scratch_folder_write(&folder, "data/w.bin", "0123456789");
    snprintf(path, sizeof path, "%s/link", folder.path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/out", folder.path);
    assert_int_equal(symlink("/etc", path), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct graph *graph;
        hob_error error = {0};
        hob_status status =
            open_external(&folder, "m.onnx", cases[i].location, cases[i].offset, cases[i].length, &graph, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].message))
            fail_msg("case %zu: found %d: %s", i, (int)status, error.message);
        assert_int_equal(strncmp(error.message, folder.path, strlen(folder.path)), 0);
    }
    scratch_folder_remove(&folder);
}

/* A download cache: both files are links to a folder of blobs. */
static void test_external_in_a_cache(void **state)
{
    (void)state;
    struct scratch_folder folder;
    struct graph *graph;
    char link[256];
    scratch_folder_make(&folder);
    scratch_folder_write(&folder, "blobs/model", "");
    scratch_folder_write(&folder, "blobs/weights", "0123");
    scratch_folder_write(&folder, "snapshot/config.json", "{}");
    snprintf(link, sizeof link, "%s/snapshot/m.onnx", folder.path);
    assert_int_equal(symlink("../blobs/model", link), 0);
    snprintf(link, sizeof link, "%s/snapshot/w.bin", folder.path);
    assert_int_equal(symlink("../blobs/weights", link), 0);
    assert_int_equal(open_external(&folder, "snapshot/m.onnx", "w.bin", NULL, NULL, &graph, NULL), HOB_OK);
    assert_memory_equal(constant(graph, "w")->data, "0123", 4);
    graph_free(graph);
    scratch_folder_remove(&folder);
}

/* ---- .pb files ---- */

static void test_optional_and_nested(void **state)
{
    (void)state;
    char path[] = P_tmpdir "/hob-pb-XXXXXX";
    close(mkstemp(path));
    struct arena arena;
    float number = 2.5f;
    struct tensor scalar, pair[2], nested, found;
    arena_init(&arena, 4096);
    assert_int_equal(tensor_init(&scalar, DTYPE_F32, 0, NULL, &number, NULL), HOB_OK);
    assert_int_equal(tensor_init(&pair[0], DTYPE_SEQUENCE, 1, (const int64_t[]){1}, &scalar, NULL), HOB_OK);
    assert_int_equal(tensor_init(&pair[1], DTYPE_SEQUENCE, 1, (const int64_t[]){0}, &scalar, NULL), HOB_OK);
    assert_int_equal(tensor_init(&nested, DTYPE_SEQUENCE, 1, (const int64_t[]){2}, pair, NULL), HOB_OK);
    assert_int_equal(onnx_tensor_write(path, "s", ONNX_PROTO_OPTIONAL, &nested, NULL), HOB_OK);
    assert_int_equal(onnx_tensor_read(path, ONNX_PROTO_OPTIONAL, &arena, &found, NULL), HOB_OK);
    assert_int_equal(found.dtype, DTYPE_SEQUENCE);
    assert_int_equal(found.dims[0], 2);
    const struct tensor *first = found.data;
    assert_int_equal(first[1].dims[0], 0);
    assert_float_equal(*(const float *)((const struct tensor *)first[0].data)->data, 2.5f, 0);
    struct tensor nothing = {.dtype = DTYPE_NONE};
    assert_int_equal(onnx_tensor_write(path, NULL, ONNX_PROTO_OPTIONAL, &nothing, NULL), HOB_OK);
    assert_int_equal(onnx_tensor_read(path, ONNX_PROTO_OPTIONAL, &arena, &found, NULL), HOB_OK);
    assert_int_equal(found.dtype, DTYPE_NONE);
    remove(path);
    arena_release(&arena);
}

static void test_write_strides(void **state)
{
    (void)state;
    char path[] = P_tmpdir "/hob-pb-XXXXXX";
    close(mkstemp(path));
    struct arena arena;
    int32_t numbers[] = {1, 2, 3, 4, 5, 6};
    struct tensor tensor, found, blocks;
    hob_error error;
    arena_init(&arena, 4096);
    assert_int_equal(tensor_init(&tensor, DTYPE_I32, 2, (const int64_t[]){2, 3}, numbers, NULL), HOB_OK);
    struct tensor turned = tensor_transpose(&tensor, (const int[]){1, 0});
    assert_int_equal(onnx_tensor_write(path, "x", ONNX_PROTO_ANY, &turned, NULL), HOB_OK);
    assert_int_equal(onnx_tensor_read(path, ONNX_PROTO_ANY, &arena, &found, NULL), HOB_OK);
    assert_memory_equal(found.data, ((const int32_t[]){1, 4, 2, 5, 3, 6}), 24);
    assert_int_equal(tensor_init(&blocks, DTYPE_Q8_0, 1, (const int64_t[]){32}, numbers, NULL), HOB_OK);
    assert_int_equal(onnx_tensor_write(path, "x", ONNX_PROTO_ANY, &blocks, &error), HOB_BAD_TYPE);
    assert_int_equal(onnx_tensor_read("no-such-file.pb", ONNX_PROTO_ANY, &arena, &found, &error), HOB_NOT_FOUND);
    remove(path);
    arena_release(&arena);
}

/* Elements of 2 and 4 bits are packed in the file and have a byte each in memory; more of them than one piece of the writer. */
static void test_write_sub_bytes(void **state)
{
    (void)state;
    enum { N = 301 };
    static const enum dtype types[] = {DTYPE_I4, DTYPE_U4, DTYPE_I2, DTYPE_U2, DTYPE_F4E2M1};
    char path[] = P_tmpdir "/hob-pb-XXXXXX";
    close(mkstemp(path));
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        uint8_t items[N], packed[N];
        struct tensor tensor, found;
        int bits = sub_byte_bits(types[t]);
        for (int i = 0; i < N; i++) items[i] = sub_byte_wrap(types[t], i * 7 + 3);
        sub_byte_pack(types[t], items, N, packed);
        assert_int_equal(packed[0], (items[0] & ((1 << bits) - 1)) | (bits == 4 ? items[1] << 4 & 255 : (items[1] & 3) << 2 | (items[2] & 3) << 4 | (items[3] & 3) << 6));
        assert_int_equal(sub_byte_packed_bytes(types[t], N), bits == 4 ? 151 : 76);
        assert_int_equal(tensor_init(&tensor, types[t], 1, (const int64_t[]){N}, items, NULL), HOB_OK);
        assert_int_equal(onnx_tensor_write(path, "x", ONNX_PROTO_ANY, &tensor, NULL), HOB_OK);
        assert_int_equal(onnx_tensor_read(path, ONNX_PROTO_ANY, &arena, &found, NULL), HOB_OK);
        assert_int_equal(found.dtype, types[t]);
        assert_memory_equal(found.data, items, N);
    }
    remove(path);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_unpacked_numbers),
        cmocka_unit_test(test_new_types),
        cmocka_unit_test(test_raw_at_any_place),
        cmocka_unit_test(test_initializer_that_is_an_input),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_refuses_attributes),
        cmocka_unit_test(test_outer_values),
        cmocka_unit_test(test_refuses_deep_graphs),
        cmocka_unit_test(test_refuses_tensors),
        cmocka_unit_test(test_refuses_graphs),
        cmocka_unit_test(test_refuses_functions),
        cmocka_unit_test(test_refuses_wide_functions),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_refuses_external),
        cmocka_unit_test(test_external_in_a_cache),
        cmocka_unit_test(test_optional_and_nested),
        cmocka_unit_test(test_write_strides),
        cmocka_unit_test(test_write_sub_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
