/* ModelProto: what stands around the graph, and the row in the table of formats. */
#include "formats/onnx.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/size.h"
#include "formats/formats.h"
#include "formats/onnx_proto.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_CHUNK_BYTES = 16 * 1024 };

struct stored_model {
    struct wire_span producer_name, producer_version, graph;
    bool has_graph;
    int64_t ir_version;
};

static hob_status read_opset(const struct onnx_reader *reader, struct wire message)
{
    struct wire_span domain = {0};
    int64_t version = 0;
    const char *name;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number == OPSET_DOMAIN) TRY(wire_as_span(&field, &domain, reader->error));
        if (field.number == OPSET_VERSION) TRY(wire_as_int(&field, &version, reader->error));
    }
    if (version < 1 || version > INT32_MAX)
        FAIL(reader->error, HOB_BAD_FILE, "found opset version %" PRId64 ", expected 1 or more", version);
    TRY(onnx_copy_name(reader, reader->scratch, domain, &name));
    return graph_add_opset(reader->graph, name, (int)version, reader->error);
}

static hob_status read_metadata(const struct onnx_reader *reader, struct wire message)
{
    struct wire_span key = {0}, value = {0};
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number == ENTRY_KEY) TRY(wire_as_span(&field, &key, reader->error));
        if (field.number == ENTRY_VALUE) TRY(wire_as_span(&field, &value, reader->error));
    }
    const char *name;
    TRY(onnx_copy_name(reader, reader->scratch, key, &name));
    /* Not onnx_copy_name: some exporters keep whole label lists here. A NUL ends the text. */
    const char *text = arena_copy_string(reader->scratch, (const char *)value.bytes, value.n_bytes);
    if (!text) FAIL(reader->error, HOB_NO_MEMORY, "out of memory");
    return graph_add_metadata(reader->graph, name, text, reader->error);
}

static hob_status read_part(const struct onnx_reader *reader, struct wire message, uint32_t number)
{
    arena_clear(reader->scratch);
    switch (number) {
    case MODEL_OPSET_IMPORT:
        return read_opset(reader, message);
    case MODEL_METADATA_PROPS:
        return read_metadata(reader, message);
    default:
        return onnx_functions_add(reader->functions, message, reader->error);
    }
}

static hob_status read_model_field(const struct onnx_reader *reader, const struct wire *message,
                                   const struct wire_field *field, struct stored_model *model)
{
    struct wire_span part;
    switch (field->number) {
    case MODEL_IR_VERSION:
        return wire_as_int(field, &model->ir_version, reader->error);
    case MODEL_PRODUCER_NAME:
        return wire_as_span(field, &model->producer_name, reader->error);
    case MODEL_PRODUCER_VERSION:
        return wire_as_span(field, &model->producer_version, reader->error);
    case MODEL_GRAPH:
        model->has_graph = true;
        return wire_as_span(field, &model->graph, reader->error);
    case MODEL_OPSET_IMPORT:
    case MODEL_METADATA_PROPS:
    case MODEL_FUNCTIONS:
        TRY(wire_as_span(field, &part, reader->error));
        return read_part(reader, wire_within(message, part), field->number);
    default:
        return HOB_OK;
    }
}

static hob_status note_producer(const struct onnx_reader *reader, const struct stored_model *model)
{
    struct buffer text = {.cap_bytes = 2 * GRAPH_MAX_NAME_BYTES};
    buffer_append(&text, model->producer_name.bytes, model->producer_name.n_bytes);
    if (model->producer_version.n_bytes) buffer_append_byte(&text, ' ');
    buffer_append(&text, model->producer_version.bytes, model->producer_version.n_bytes);
    const char *copy =
        text.is_failed ? NULL : arena_copy_string(&reader->graph->arena, buffer_text(&text), text.n_bytes);
    buffer_release(&text);
    if (!copy) FAIL(reader->error, HOB_LIMIT, "the producer's name is too long, or memory is out");
    reader->graph->producer = copy;
    return HOB_OK;
}

static hob_status read_model(const struct onnx_reader *reader, struct wire message)
{
    struct stored_model model = {0};
    struct wire rest = message;
    while (!wire_at_end(&rest)) {
        struct wire_field field;
        hob_status status = wire_next(&rest, &field, reader->error);
        if (status != HOB_OK) {
            error_prefix(reader->error, status, "damaged, or not an ONNX model");
            return status;
        }
        TRY(read_model_field(reader, &rest, &field, &model));
    }
    if (!model.has_graph) FAIL(reader->error, HOB_BAD_FILE, "not an ONNX model: found no graph in it");
    reader->graph->ir_version = model.ir_version > 0 && model.ir_version < INT32_MAX ? (int)model.ir_version : 0;
    TRY(note_producer(reader, &model));
    /* Nodes are given their opset when they are added: the imports, wherever they stand, are known by now. */
    return onnx_read_graph(reader, wire_within(&message, model.graph));
}

/* ---- the file ---- */

static void release_map(void *map)
{
    mapped_file_release(map);
}

static void release_external(void *external)
{
    onnx_external_free(external);
}

static hob_status own_external(struct graph *graph, const char *path, struct onnx_external **ret_external,
                               hob_error *error)
{
    struct onnx_external *external;
    TRY(onnx_external_new(path, &external, error));
    hob_status status = graph_own(graph, external, release_external, error);
    if (status != HOB_OK) onnx_external_free(external);
    else *ret_external = external;
    return status;
}

/* External data is found while tensors are read. */
static hob_status note_external(struct graph *graph, const struct onnx_external *external, hob_error *error)
{
    const char *path;
    for (size_t i = 0; (path = onnx_external_path(external, i)); i++) TRY(graph_add_file(graph, path, error));
    return HOB_OK;
}

hob_status onnx_parse(const void *bytes, size_t n_bytes, const char *path, struct graph **ret_graph, hob_error *error)
{
    hob_status status = HOB_OK;
    struct graph *graph;
    struct onnx_external *external;
    struct arena scratch;
    struct onnx_functions functions;
    TRY(graph_new(NULL, &graph, error));
    arena_init(&scratch, SCRATCH_CHUNK_BYTES);
    onnx_functions_init(&functions, n_bytes);
    TRY_CLEANUP(own_external(graph, path, &external, error));
    struct onnx_reader reader = {.memory = {.arena = &graph->arena, .external = external},
                                 .graph = graph,
                                 .functions = &functions,
                                 .scratch = &scratch,
                                 .error = error,
                                 .read_graph = onnx_read_graph};
    TRY_CLEANUP(read_model(&reader, wire_over(bytes, n_bytes)));
    TRY_CLEANUP(note_external(graph, external, error));
    *ret_graph = graph;
cleanup:
    onnx_functions_release(&functions);
    arena_release(&scratch);
    if (status != HOB_OK) graph_free(graph);
    return status;
}

/* The map's struct moves into the graph's arena, where the graph finds it when it is freed. */
static hob_status own_map(struct graph *graph, const struct mapped_file *map, hob_error *error)
{
    struct mapped_file *kept = arena_copy(&graph->arena, map, sizeof *map, _Alignof(struct mapped_file));
    if (!kept) FAIL(error, HOB_NO_MEMORY, "out of memory");
    return graph_own(graph, kept, release_map, error);
}

hob_status onnx_open(const char *path, struct graph **ret_graph, hob_error *error)
{
    struct graph *graph = NULL;
    struct mapped_file map;
    TRY(mapped_file_open(path, &map, error));
    hob_status status = onnx_parse(map.bytes, map.n_bytes, path, &graph, error);
    if (status == HOB_OK) status = graph_add_file(graph, path, error);
    if (status == HOB_OK) status = own_map(graph, &map, error);
    if (status != HOB_OK) {
        error_prefix(error, status, "%s", path);
        graph_free(graph);
        mapped_file_release(&map);
        return status;
    }
    *ret_graph = graph;
    return HOB_OK;
}

/* ---- the row ---- */

/* Protobuf has no magic: a small ir_version first, then another field of ModelProto, is what every exporter writes. */
static bool begins_like_a_model(const unsigned char *bytes, size_t n_bytes)
{
    if (n_bytes < 3 || bytes[0] != (MODEL_IR_VERSION << 3 | WIRE_VARINT) || !bytes[1] || bytes[1] > 32) return false;
    unsigned type = bytes[2] & 7, number = bytes[2] >> 3;
    return type == WIRE_BYTES && number >= MODEL_PRODUCER_NAME && number <= MODEL_METADATA_PROPS;
}

/* Where exporters put the model of a folder that has its config.json and tokenizer beside it. false: in neither place. */
static bool find_in_folder(const char *folder, struct buffer *path)
{
    static const char *const usual[] = {"model.onnx", "onnx/model.onnx"};
    for (size_t i = 0; i < ARRAY_LENGTH(usual); i++) {
        buffer_clear(path);
        if (buffer_printf(path, "%s/%s", folder, usual[i]) && access(path->bytes, F_OK) == 0) return true;
    }
    return false;
}

static bool is_onnx(const char *path, bool is_folder, const unsigned char *bytes, size_t n_bytes)
{
    if (!is_folder) return format_path_ends_with(path, ".onnx") || begins_like_a_model(bytes, n_bytes);
    struct buffer found = {0};
    bool is_found = find_in_folder(path, &found);
    buffer_release(&found);
    return is_found;
}

static hob_status open_content(const char *path, struct format_content *ret_content, hob_error *error)
{
    struct stat info;
    struct buffer found = {0};
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode) && find_in_folder(path, &found);
    hob_status status = onnx_open(is_folder ? found.bytes : path, &ret_content->graph, error);
    buffer_release(&found);
    return status;
}

const struct format_def format_onnx = {
    .name = "onnx",
    .summary = "ONNX: a graph of operators with its weights",
    .is_this = is_onnx,
    .open = open_content,
};
