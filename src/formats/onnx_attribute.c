/* AttributeProto. Lists may come packed or one by one, in any order with the type: the message is counted first, then filled. */
#include "base/error.h"
#include "formats/onnx_proto.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_NAME_BYTES = 80 };

struct counted_attribute {
    struct wire_span name;
    int64_t type; /* 0: not stated, as files before IR version 2 left it */
    struct wire_span reference; /* in a function: the name of its attribute that holds the value */
    size_t n_floats, n_ints, n_strings, n_tensors, n_graphs; /* of the list fields */
    uint32_t single_field;                                   /* the last of F, I, S, T, G, SPARSE_TENSOR met */
};

/* ---- counting ---- */

static hob_status count_list(const struct wire_field *field, enum wire_type type, size_t *n_items, hob_error *error)
{
    struct wire_span items;
    size_t n_more;
    TRY(wire_as_list(field, type, &items, &n_more, error));
    *n_items += n_more;
    return HOB_OK;
}

static hob_status count_message(const struct wire_field *field, size_t *n_items, hob_error *error)
{
    struct wire_span span;
    TRY(wire_as_span(field, &span, error));
    (*n_items)++;
    return HOB_OK;
}

static hob_status count_field(const struct wire_field *field, struct counted_attribute *counted, hob_error *error)
{
    switch (field->number) {
    case ATTRIBUTE_NAME_FIELD:
        return wire_as_span(field, &counted->name, error);
    case ATTRIBUTE_TYPE:
        return wire_as_int(field, &counted->type, error);
    case ATTRIBUTE_REFERENCE:
        return wire_as_span(field, &counted->reference, error);
    case ATTRIBUTE_FLOATS_FIELD:
        return count_list(field, WIRE_FIXED32, &counted->n_floats, error);
    case ATTRIBUTE_INTS_FIELD:
        return count_list(field, WIRE_VARINT, &counted->n_ints, error);
    case ATTRIBUTE_STRINGS_FIELD:
        return count_message(field, &counted->n_strings, error);
    case ATTRIBUTE_TENSORS_FIELD:
    case ATTRIBUTE_SPARSE_TENSORS:
        return count_message(field, &counted->n_tensors, error);
    case ATTRIBUTE_GRAPHS_FIELD:
        return count_message(field, &counted->n_graphs, error);
    case ATTRIBUTE_F:
    case ATTRIBUTE_I:
    case ATTRIBUTE_S:
    case ATTRIBUTE_T:
    case ATTRIBUTE_G:
    case ATTRIBUTE_SPARSE_TENSOR:
        counted->single_field = field->number;
        return HOB_OK;
    default:
        return HOB_OK;
    }
}

static hob_status count_attribute(struct wire message, struct counted_attribute *counted, hob_error *error)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        TRY(count_field(&field, counted, error));
    }
    return HOB_OK;
}

/* AttributeProto.AttributeType where the file does not state it. An empty list says nothing of its type: ints will do, the
 * reader of the attribute sees no items either way. */
static int64_t guess_type(const struct counted_attribute *counted)
{
    switch (counted->single_field) {
    case ATTRIBUTE_F:
        return ATTRIBUTE_FLOAT;
    case ATTRIBUTE_I:
        return ATTRIBUTE_INT;
    case ATTRIBUTE_S:
        return ATTRIBUTE_STRING;
    case ATTRIBUTE_T:
    case ATTRIBUTE_SPARSE_TENSOR:
        return ATTRIBUTE_TENSOR;
    case ATTRIBUTE_G:
        return ATTRIBUTE_GRAPH;
    default:
        break;
    }
    if (counted->n_floats) return ATTRIBUTE_FLOATS;
    if (counted->n_strings) return ATTRIBUTE_STRINGS;
    if (counted->n_tensors) return ATTRIBUTE_TENSORS;
    if (counted->n_graphs) return ATTRIBUTE_GRAPHS;
    return ATTRIBUTE_INTS;
}

/* ---- filling ---- */

/* The lists of one attribute while they fill up; attribute points at the same memory, read-only. */
struct filling {
    struct attribute *attribute;
    float *numbers;
    int64_t *integers;
    struct tensor_string *strings;
    struct tensor *tensors;
    struct graph **graphs;
    size_t n_filled;
};

static hob_status no_memory(const struct onnx_reader *reader)
{
    FAIL(reader->error, HOB_NO_MEMORY, "out of memory");
}

static hob_status reserve(const struct onnx_reader *reader, const struct counted_attribute *counted,
                          struct filling *filling)
{
    struct arena *arena = reader->memory.arena;
    struct attribute *attribute = filling->attribute;
    switch (attribute->kind) {
    case ATTRIBUTE_FLOATS:
        attribute->n_items = counted->n_floats;
        attribute->numbers = filling->numbers = ARENA_NEW(arena, float, counted->n_floats);
        return filling->numbers ? HOB_OK : no_memory(reader);
    case ATTRIBUTE_INTS:
        attribute->n_items = counted->n_ints;
        attribute->integers = filling->integers = ARENA_NEW(arena, int64_t, counted->n_ints);
        return filling->integers ? HOB_OK : no_memory(reader);
    case ATTRIBUTE_STRINGS:
        attribute->n_items = counted->n_strings;
        attribute->strings = filling->strings = ARENA_NEW(arena, struct tensor_string, counted->n_strings);
        return filling->strings ? HOB_OK : no_memory(reader);
    case ATTRIBUTE_TENSOR:
    case ATTRIBUTE_TENSORS:
        attribute->n_items = attribute->kind == ATTRIBUTE_TENSOR ? 1 : counted->n_tensors;
        attribute->tensor = filling->tensors = ARENA_NEW(arena, struct tensor, attribute->n_items);
        return filling->tensors ? HOB_OK : no_memory(reader);
    case ATTRIBUTE_GRAPH:
    case ATTRIBUTE_GRAPHS:
        attribute->n_items = attribute->kind == ATTRIBUTE_GRAPH ? 1 : counted->n_graphs;
        attribute->graphs = filling->graphs = ARENA_NEW(arena, struct graph *, attribute->n_items);
        return filling->graphs ? HOB_OK : no_memory(reader);
    default:
        attribute->n_items = 1;
        return HOB_OK;
    }
}

static hob_status fill_numbers(const struct onnx_reader *reader, const struct wire_field *field,
                               struct filling *filling)
{
    struct wire_span items;
    size_t n_items;
    TRY(wire_as_list(field, WIRE_FIXED32, &items, &n_items, reader->error));
    if (n_items) memcpy(filling->numbers + filling->n_filled, items.bytes, items.n_bytes);
    filling->n_filled += n_items;
    return HOB_OK;
}

static hob_status fill_integers(const struct onnx_reader *reader, const struct wire_field *field,
                                struct filling *filling)
{
    struct wire_span items;
    size_t n_items;
    TRY(wire_as_list(field, WIRE_VARINT, &items, &n_items, reader->error));
    for (size_t i = 0; i < n_items; i++) filling->integers[filling->n_filled++] = (int64_t)wire_list_take(&items);
    return HOB_OK;
}

/* A NUL follows the bytes, so that text attributes can be compared as C strings. */
static hob_status copy_string(const struct onnx_reader *reader, const struct wire_field *field,
                              struct tensor_string *ret_string)
{
    struct wire_span span;
    TRY(wire_as_span(field, &span, reader->error));
    const char *copy = arena_copy_string(reader->memory.arena, (const char *)span.bytes, span.n_bytes);
    if (!copy) return no_memory(reader);
    *ret_string = (struct tensor_string){copy, span.n_bytes};
    return HOB_OK;
}

static hob_status fill_tensor(const struct onnx_reader *reader, struct wire message, bool is_sparse,
                              struct tensor *ret_tensor)
{
    if (is_sparse) return onnx_read_sparse(&reader->memory, message, ret_tensor, NULL, reader->error);
    return onnx_read_tensor(&reader->memory, message, ret_tensor, NULL, reader->error);
}

static hob_status fill_graph(const struct onnx_reader *reader, struct wire message, struct graph **ret_graph)
{
    struct onnx_reader inner = *reader;
    inner.depth++;
    if (inner.depth > GRAPH_MAX_DEPTH)
        FAIL(reader->error, HOB_LIMIT, "graphs and functions nested deeper than %d", GRAPH_MAX_DEPTH);
    TRY(graph_new(reader->graph, &inner.graph, reader->error));
    TRY(reader->read_graph(&inner, message));
    *ret_graph = inner.graph;
    return HOB_OK;
}

static hob_status fill_single(const struct onnx_reader *reader, const struct wire *message,
                              const struct wire_field *field, struct filling *filling)
{
    struct wire_span span;
    struct attribute *attribute = filling->attribute;
    switch (attribute->kind) {
    case ATTRIBUTE_FLOAT:
        return wire_as_float(field, &attribute->number, reader->error);
    case ATTRIBUTE_INT:
        return wire_as_int(field, &attribute->integer, reader->error);
    case ATTRIBUTE_STRING:
        return copy_string(reader, field, &attribute->string);
    case ATTRIBUTE_TENSOR:
        TRY(wire_as_span(field, &span, reader->error));
        return fill_tensor(reader, wire_within(message, span), field->number == ATTRIBUTE_SPARSE_TENSOR,
                           filling->tensors);
    default:
        TRY(wire_as_span(field, &span, reader->error));
        return fill_graph(reader, wire_within(message, span), filling->graphs);
    }
}

static hob_status fill_list(const struct onnx_reader *reader, const struct wire *message,
                            const struct wire_field *field, struct filling *filling)
{
    struct wire inner = wire_within(message, field->payload); /* counting saw to it that these are messages */
    switch (filling->attribute->kind) {
    case ATTRIBUTE_FLOATS:
        return fill_numbers(reader, field, filling);
    case ATTRIBUTE_INTS:
        return fill_integers(reader, field, filling);
    case ATTRIBUTE_STRINGS:
        return copy_string(reader, field, &filling->strings[filling->n_filled++]);
    case ATTRIBUTE_TENSORS:
        return fill_tensor(reader, inner, field->number == ATTRIBUTE_SPARSE_TENSORS,
                           &filling->tensors[filling->n_filled++]);
    default:
        return fill_graph(reader, inner, &filling->graphs[filling->n_filled++]);
    }
}

/* Whether a field holds (part of) the value of an attribute of that kind. */
static bool is_value_field(uint32_t number, enum attribute_kind kind)
{
    switch (kind) {
    case ATTRIBUTE_FLOAT:
        return number == ATTRIBUTE_F;
    case ATTRIBUTE_INT:
        return number == ATTRIBUTE_I;
    case ATTRIBUTE_STRING:
        return number == ATTRIBUTE_S;
    case ATTRIBUTE_TENSOR:
        return number == ATTRIBUTE_T || number == ATTRIBUTE_SPARSE_TENSOR;
    case ATTRIBUTE_GRAPH:
        return number == ATTRIBUTE_G;
    case ATTRIBUTE_FLOATS:
        return number == ATTRIBUTE_FLOATS_FIELD;
    case ATTRIBUTE_INTS:
        return number == ATTRIBUTE_INTS_FIELD;
    case ATTRIBUTE_STRINGS:
        return number == ATTRIBUTE_STRINGS_FIELD;
    case ATTRIBUTE_TENSORS:
        return number == ATTRIBUTE_TENSORS_FIELD || number == ATTRIBUTE_SPARSE_TENSORS;
    case ATTRIBUTE_GRAPHS:
        return number == ATTRIBUTE_GRAPHS_FIELD;
    }
    return false;
}

static bool is_list(enum attribute_kind kind)
{
    return kind >= ATTRIBUTE_FLOATS;
}

/* A number that is zero may be left out, a message may not; a second occurrence of a single value is refused, because the
 * first may have made a graph already. */
static hob_status check_filled(const struct onnx_reader *reader, const struct filling *filling, size_t n_singles)
{
    enum attribute_kind kind = filling->attribute->kind;
    bool needs_one = kind == ATTRIBUTE_TENSOR || kind == ATTRIBUTE_GRAPH;
    if (is_list(kind) || (n_singles <= 1 && (n_singles || !needs_one))) return HOB_OK;
    FAIL(reader->error, HOB_BAD_FILE, "found %zu values, expected one", n_singles);
}

static hob_status fill_attribute(const struct onnx_reader *reader, struct wire message, struct filling *filling)
{
    enum attribute_kind kind = filling->attribute->kind;
    size_t n_singles = 0;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, reader->error));
        if (!is_value_field(field.number, kind)) continue;
        if (is_list(kind)) TRY(fill_list(reader, &message, &field, filling));
        else if (!n_singles++) TRY(fill_single(reader, &message, &field, filling));
    }
    if (kind == ATTRIBUTE_STRING && !n_singles) filling->attribute->string = (struct tensor_string){"", 0};
    return check_filled(reader, filling, n_singles);
}

static hob_status read_named(const struct onnx_reader *reader, struct wire message,
                             const struct counted_attribute *counted, struct attribute *ret_attribute)
{
    int64_t type = counted->type ? counted->type : guess_type(counted);
    if (type == 11) type = ATTRIBUTE_TENSOR;  /* SPARSE_TENSOR: made dense */
    if (type == 12) type = ATTRIBUTE_TENSORS; /* SPARSE_TENSORS */
    if (type < ATTRIBUTE_FLOAT || type > ATTRIBUTE_GRAPHS)
        FAIL(reader->error, HOB_BAD_FILE, "found attribute type %" PRId64 ", expected 1 to 14", type);
    *ret_attribute = (struct attribute){.kind = (enum attribute_kind)type};
    TRY(onnx_copy_name(reader, reader->memory.arena, counted->name, &ret_attribute->name));
    struct filling filling = {.attribute = ret_attribute};
    TRY(reserve(reader, counted, &filling));
    return fill_attribute(reader, message, &filling);
}

enum { TYPE_PROTO = 13, TYPE_PROTOS = 14 }; /* only say what an empty Optional would hold: left out */

/* Follows references from function to caller until an attribute with a value is met; it keeps the name of the first. */
static hob_status follow_references(struct onnx_reader *reader, struct wire *message, struct counted_attribute *counted,
                                    bool *ret_is_found)
{
    *ret_is_found = true;
    while (*ret_is_found && counted->reference.n_bytes) {
        struct counted_attribute found = {0};
        if (!reader->scope) FAIL(reader->error, HOB_BAD_FILE, "refers to a function's attribute outside of a function");
        TRY(onnx_scope_attribute(reader->scope, counted->reference, message, &reader->scope, ret_is_found, reader->error));
        if (!*ret_is_found) break;
        TRY(count_attribute(*message, &found, reader->error));
        found.name = counted->name;
        *counted = found;
    }
    return HOB_OK;
}

static hob_status read_counted(const struct onnx_reader *reader, struct wire message, struct counted_attribute *counted,
                               struct attribute *ret_attribute, bool *ret_is_kept)
{
    struct onnx_reader origin = *reader; /* whose scope the value's names belong to */
    TRY(follow_references(&origin, &message, counted, ret_is_kept));
    *ret_is_kept &= counted->type != TYPE_PROTO && counted->type != TYPE_PROTOS;
    return *ret_is_kept ? read_named(&origin, message, counted, ret_attribute) : HOB_OK;
}

static hob_status read_attribute(const struct onnx_reader *reader, struct wire message, struct attribute *ret_attribute,
                                 bool *ret_is_kept)
{
    struct counted_attribute counted = {0};
    TRY(count_attribute(message, &counted, reader->error));
    hob_status status = read_counted(reader, message, &counted, ret_attribute, ret_is_kept);
    if (status != HOB_OK && reader->depth < NAMED_DEPTH) {
        size_t n_shown = counted.name.n_bytes < SHOWN_NAME_BYTES ? counted.name.n_bytes : SHOWN_NAME_BYTES;
        error_prefix(reader->error, status, "attribute %.*s", (int)n_shown, (const char *)counted.name.bytes);
    }
    return status;
}

static hob_status count_attributes(struct wire node, size_t *ret_n_attributes, hob_error *error)
{
    size_t n_attributes = 0;
    while (!wire_at_end(&node)) {
        struct wire_field field;
        TRY(wire_next(&node, &field, error));
        if (field.number == NODE_ATTRIBUTE) TRY(count_message(&field, &n_attributes, error));
    }
    *ret_n_attributes = n_attributes;
    return HOB_OK;
}

hob_status onnx_read_attributes(const struct onnx_reader *reader, struct wire message,
                                struct attributes *ret_attributes)
{
    size_t n_attributes, n_kept = 0;
    TRY(count_attributes(message, &n_attributes, reader->error));
    struct attribute *items = ARENA_NEW(reader->memory.arena, struct attribute, n_attributes);
    if (!items) return no_memory(reader);
    while (!wire_at_end(&message)) {
        struct wire_field field;
        bool is_kept;
        TRY(wire_next(&message, &field, reader->error));
        if (field.number != NODE_ATTRIBUTE) continue;
        TRY(read_attribute(reader, wire_within(&message, field.payload), &items[n_kept], &is_kept));
        n_kept += is_kept;
    }
    *ret_attributes = (struct attributes){.items = items, .n_items = n_kept};
    return HOB_OK;
}
