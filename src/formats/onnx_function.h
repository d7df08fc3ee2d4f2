/* Functions that a model defines for itself (ModelProto.functions): what a call of one becomes when the graph is read.
 *
 * A call is expanded in place: the function's nodes are read as nodes of the calling graph, under other names. Which names is a
 * scope's business: inputs and outputs of the function are those of the call, everything else gets "NAME{n}." put before it, n
 * being the call's number (no exporter writes such names). Attributes that refer to the function's take the call's value, or the
 * function's default. Subgraphs in a function are read in its scope too.
 *
 * Expansion multiplies: a table counts the nodes and bytes that were read for calls and stops at a limit, so that a model of a few
 * functions that call each other cannot fill memory. The table owns its memory and points into the file's. Not thread-safe.
 *
 *     struct onnx_functions functions;
 *     onnx_functions_init(&functions, n_file_bytes);
 *     TRY(onnx_functions_add(&functions, function_proto, error));
 *     …
 *     onnx_functions_release(&functions);
 */
#ifndef FORMATS_ONNX_FUNCTION_H
#define FORMATS_ONNX_FUNCTION_H

#include "base/arena.h"
#include "base/string_map.h"
#include "formats/protobuf_wire.h"

struct onnx_function {
    struct wire message; /* the FunctionProto */
    const char *name;
    struct wire_span *inputs, *outputs; /* names */
    uint32_t n_inputs, n_outputs;
    struct wire_span *imports; /* OperatorSetIdProtos: looked at for each of its nodes, which are not walked for them again */
    uint32_t n_imports;
    struct string_map places; /* name: index into inputs, or n_inputs + index into outputs */
    struct onnx_function *next;
};

struct onnx_functions {
    struct arena arena;
    struct string_map by_key;    /* domain, name and overload: the function's address */
    struct onnx_function *first; /* a list by next */
    uint32_t n_calls;
    size_t n_nodes_left, n_bytes_left;
};

/* One call. Lives in scratch while the call is expanded. */
struct onnx_scope {
    const struct onnx_scope *caller; /* NULL: the model's graph */
    const struct onnx_function *function;
    struct wire call;                          /* the NodeProto: its attributes */
    const struct wire_span *inputs, *outputs; /* names as the calling graph has them; empty: not given or not wanted */
    struct wire_span prefix;
};

void onnx_functions_init(struct onnx_functions *functions, size_t n_file_bytes);
void onnx_functions_release(struct onnx_functions *functions);
/* message is a FunctionProto. Fails: HOB_BAD_FILE (no name, or twice the same), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_functions_add(struct onnx_functions *functions, struct wire message, hob_error *error);
/* NULL when the model defines none of that name. */
const struct onnx_function *onnx_functions_find(const struct onnx_functions *functions, const char *domain, const char *name,
                                                const char *overload);
/* A node is about to be read for a call. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status onnx_functions_spend(struct onnx_functions *functions, struct wire node, hob_error *error);

/* Opens the scope of a call: `call` is the NodeProto, scope that of the graph it stands in (NULL: the model's). What ret_scope
 * points to lies in arena. Fails: HOB_BAD_GRAPH (the function calls itself, too many inputs or outputs), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status onnx_scope_open(struct onnx_functions *functions, const struct onnx_function *function,
                                          const struct onnx_scope *scope, struct wire call, struct arena *arena,
                                          struct onnx_scope *ret_scope, hob_error *error);
/* A name as the calling graph has it; scope NULL changes nothing. The result lies in arena or in the file. */
HOB_MUST_CHECK hob_status onnx_scope_name(const struct onnx_scope *scope, struct wire_span name, struct arena *arena,
                                          struct wire_span *ret_name, hob_error *error);
/* The function's attribute of that name: the call's or the default. ret_message is an AttributeProto to be read in ret_scope;
 * ret_is_found false: neither gives it. */
HOB_MUST_CHECK hob_status onnx_scope_attribute(const struct onnx_scope *scope, struct wire_span name, struct wire *ret_message,
                                               const struct onnx_scope **ret_scope, bool *ret_is_found, hob_error *error);
/* The version of domain that the function imports; -1: it imports none. */
HOB_MUST_CHECK hob_status onnx_scope_opset(const struct onnx_scope *scope, const char *domain, int *ret_version, hob_error *error);

#endif
