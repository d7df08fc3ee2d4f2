#include "formats/onnx_function.h"
#include "base/error.h"
#include "formats/onnx_proto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Exports of large models have some ten thousand nodes in functions. */
enum { MAX_EXPANDED_NODES = 1 << 18, EXPANDED_PER_FILE = 4, SHOWN_NAME_BYTES = 80 };
static const size_t always_expanded_bytes = (size_t)256 << 20;

static hob_status no_memory(hob_error *error)
{
    FAIL(error, HOB_NO_MEMORY, "out of memory");
}

static bool is_same(struct wire_span a, struct wire_span b)
{
    return a.n_bytes == b.n_bytes && (!a.n_bytes || !memcmp(a.bytes, b.bytes, a.n_bytes));
}

/* ---- the table ---- */

void onnx_functions_init(struct onnx_functions *functions, size_t n_file_bytes)
{
    *functions = (struct onnx_functions){.n_nodes_left = MAX_EXPANDED_NODES};
    functions->n_bytes_left = always_expanded_bytes + EXPANDED_PER_FILE * n_file_bytes; /* a file is smaller than 2^61 bytes */
    arena_init(&functions->arena, 16 * 1024);
}

void onnx_functions_release(struct onnx_functions *functions)
{
    for (struct onnx_function *function = functions->first; function; function = function->next)
        string_map_release(&function->places);
    string_map_release(&functions->by_key);
    arena_release(&functions->arena);
}

/* The three texts, each with its NUL. */
static char *make_key(struct arena *arena, struct wire_span domain, struct wire_span name, struct wire_span overload,
                      size_t *ret_n_bytes)
{
    bool is_default = domain.n_bytes == 7 && !memcmp(domain.bytes, "ai.onnx", 7);
    const struct wire_span parts[] = {is_default ? (struct wire_span){0} : domain, name, overload};
    size_t n_bytes = 0, n_key_bytes = parts[0].n_bytes + name.n_bytes + overload.n_bytes + 3;
    char *key = arena_new(arena, n_key_bytes, 1, 1);
    for (int i = 0; key && i < 3; i++) {
        if (parts[i].n_bytes) memcpy(key + n_bytes, parts[i].bytes, parts[i].n_bytes);
        n_bytes += parts[i].n_bytes + 1;
    }
    *ret_n_bytes = n_key_bytes;
    return key;
}

static struct wire_span span_of(const char *text)
{
    return (struct wire_span){(const unsigned char *)text, strlen(text)};
}

/* Counts, or with names given fills, the fields of that number. */
static hob_status read_names(struct wire message, uint32_t number, struct wire_span *names, uint32_t *ret_n_names,
                             hob_error *error)
{
    uint32_t n_names = 0;
    while (!wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span name;
        TRY(wire_next(&message, &field, error));
        if (field.number != number) continue;
        TRY(wire_as_span(&field, &name, error));
        if (names) names[n_names] = name;
        n_names++;
    }
    *ret_n_names = n_names;
    return HOB_OK;
}

static hob_status copy_names(struct arena *arena, struct wire message, uint32_t number, struct wire_span **ret_names,
                             uint32_t *ret_n_names, hob_error *error)
{
    uint32_t n_names;
    TRY(read_names(message, number, NULL, &n_names, error));
    struct wire_span *names = ARENA_NEW(arena, struct wire_span, n_names);
    if (!names) return no_memory(error);
    TRY(read_names(message, number, names, ret_n_names, error));
    *ret_names = names;
    return HOB_OK;
}

/* An output that is also an input, or stands twice, keeps the first place. */
static hob_status note_places(struct onnx_function *function, hob_error *error)
{
    for (uint32_t i = 0; i < function->n_inputs + function->n_outputs; i++) {
        bool is_input = i < function->n_inputs;
        struct wire_span name = is_input ? function->inputs[i] : function->outputs[i - function->n_inputs];
        uint64_t known;
        if (!name.n_bytes) FAIL(error, HOB_BAD_FILE, "found an input or output without a name");
        if (string_map_get(&function->places, name.bytes, name.n_bytes, &known)) {
            if (is_input) FAIL(error, HOB_BAD_GRAPH, "found two inputs of one name");
            continue;
        }
        if (!string_map_put(&function->places, name.bytes, name.n_bytes, i)) return no_memory(error);
    }
    return HOB_OK;
}

static hob_status read_head(struct wire message, struct wire_span *domain, struct wire_span *name, struct wire_span *overload,
                            hob_error *error)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (field.number == FUNCTION_NAME) TRY(wire_as_span(&field, name, error));
        if (field.number == FUNCTION_DOMAIN) TRY(wire_as_span(&field, domain, error));
        if (field.number == FUNCTION_OVERLOAD) TRY(wire_as_span(&field, overload, error));
    }
    return HOB_OK;
}

static hob_status fill_function(struct onnx_functions *functions, struct onnx_function *function, hob_error *error)
{
    struct arena *arena = &functions->arena;
    TRY(copy_names(arena, function->message, FUNCTION_INPUT, &function->inputs, &function->n_inputs, error));
    TRY(copy_names(arena, function->message, FUNCTION_OUTPUT, &function->outputs, &function->n_outputs, error));
    TRY(copy_names(arena, function->message, FUNCTION_OPSET_IMPORT, &function->imports, &function->n_imports, error));
    return note_places(function, error);
}

hob_status onnx_functions_add(struct onnx_functions *functions, struct wire message, hob_error *error)
{
    struct wire_span domain = {0}, name = {0}, overload = {0};
    size_t n_key_bytes;
    uint64_t known;
    TRY(read_head(message, &domain, &name, &overload, error));
    if (!name.n_bytes) FAIL(error, HOB_BAD_FILE, "found a function without a name");
    struct onnx_function *function = ARENA_NEW(&functions->arena, struct onnx_function, 1);
    char *key = make_key(&functions->arena, domain, name, overload, &n_key_bytes);
    if (!function || !key) return no_memory(error);
    function->message = message;
    function->name = arena_copy_string(&functions->arena, (const char *)name.bytes,
                                       name.n_bytes < SHOWN_NAME_BYTES ? name.n_bytes : SHOWN_NAME_BYTES);
    function->next = functions->first;
    functions->first = function;
    if (!function->name) return no_memory(error);
    if (string_map_get(&functions->by_key, key, n_key_bytes, &known))
        FAIL(error, HOB_BAD_FILE, "function %s is defined twice", function->name);
    hob_status status = fill_function(functions, function, error);
    if (status != HOB_OK) return error_prefix(error, status, "function %s", function->name);
    return string_map_put(&functions->by_key, key, n_key_bytes, (uintptr_t)function) ? HOB_OK : no_memory(error);
}

const struct onnx_function *onnx_functions_find(const struct onnx_functions *functions, const char *domain, const char *name,
                                                const char *overload)
{
    if (!functions || !functions->first) return NULL;
    struct arena scratch;
    arena_init(&scratch, 512);
    size_t n_key_bytes;
    uint64_t found = 0;
    char *key = make_key(&scratch, span_of(domain), span_of(name), span_of(overload), &n_key_bytes);
    bool is_found = key && string_map_get(&functions->by_key, key, n_key_bytes, &found);
    arena_release(&scratch);
    return is_found ? (const struct onnx_function *)(uintptr_t)found : NULL;
}

static hob_status spend_bytes(struct onnx_functions *functions, size_t n_bytes, hob_error *error)
{
    if (functions->n_bytes_left < n_bytes) FAIL(error, HOB_LIMIT, "the model's functions expand to many times the file's size");
    functions->n_bytes_left -= n_bytes;
    return HOB_OK;
}

hob_status onnx_functions_spend(struct onnx_functions *functions, struct wire node, hob_error *error)
{
    if (!functions->n_nodes_left)
        FAIL(error, HOB_LIMIT, "the model's functions expand to more than %d nodes", MAX_EXPANDED_NODES);
    functions->n_nodes_left--;
    return spend_bytes(functions, byte_cursor_left(&node.cursor), error);
}

/* ---- one call ---- */

static hob_status check_recursion(const struct onnx_function *function, const struct onnx_scope *scope, hob_error *error)
{
    for (const struct onnx_scope *outer = scope; outer; outer = outer->caller)
        if (outer->function == function) FAIL(error, HOB_BAD_GRAPH, "function %s calls itself", function->name);
    return HOB_OK;
}

/* The call's names for the function's inputs or outputs, as the calling graph has them. */
static hob_status bind_names(const struct onnx_scope *scope, struct wire call, uint32_t number, uint32_t n_expected,
                             struct arena *arena, const struct wire_span **ret_names, hob_error *error)
{
    uint32_t n_given;
    TRY(read_names(call, number, NULL, &n_given, error));
    struct wire_span *names = ARENA_NEW(arena, struct wire_span, n_given > n_expected ? n_given : n_expected);
    if (!names) return no_memory(error);
    TRY(read_names(call, number, names, &n_given, error));
    for (uint32_t i = n_expected; i < n_given; i++)
        if (names[i].n_bytes)
            FAIL(error, HOB_BAD_GRAPH, "found %" PRIu32 " %s, expected at most the function's %" PRIu32, n_given,
                 number == NODE_INPUT ? "inputs" : "outputs", n_expected);
    for (uint32_t i = 0; i < n_given; i++) TRY(onnx_scope_name(scope, names[i], arena, &names[i], error));
    *ret_names = names;
    return HOB_OK;
}

hob_status onnx_scope_open(struct onnx_functions *functions, const struct onnx_function *function,
                           const struct onnx_scope *scope, struct wire call, struct arena *arena, struct onnx_scope *ret_scope,
                           hob_error *error)
{
    struct onnx_scope opened = {.caller = scope, .function = function, .call = call};
    char prefix[SHOWN_NAME_BYTES + 32];
    TRY(check_recursion(function, scope, error));
    TRY(spend_bytes(functions, ((size_t)function->n_inputs + function->n_outputs) * sizeof(struct wire_span), error));
    TRY(bind_names(scope, call, NODE_INPUT, function->n_inputs, arena, &opened.inputs, error));
    TRY(bind_names(scope, call, NODE_OUTPUT, function->n_outputs, arena, &opened.outputs, error));
    snprintf(prefix, sizeof prefix, "%s{%" PRIu32 "}.", function->name, functions->n_calls++);
    const char *kept = arena_copy_string(arena, prefix, strlen(prefix));
    if (!kept) return no_memory(error);
    opened.prefix = span_of(kept);
    *ret_scope = opened;
    return HOB_OK;
}

hob_status onnx_scope_name(const struct onnx_scope *scope, struct wire_span name, struct arena *arena,
                           struct wire_span *ret_name, hob_error *error)
{
    uint64_t place;
    *ret_name = name;
    if (!scope || !name.n_bytes) return HOB_OK;
    if (string_map_get(&scope->function->places, name.bytes, name.n_bytes, &place)) {
        uint32_t n_inputs = scope->function->n_inputs;
        bool is_input = place < n_inputs;
        struct wire_span given = is_input ? scope->inputs[place] : scope->outputs[place - n_inputs];
        if (is_input || given.n_bytes) {
            *ret_name = given;
            return HOB_OK;
        }
    }
    unsigned char *joined = arena_new(arena, scope->prefix.n_bytes + name.n_bytes, 1, 1);
    if (!joined) return no_memory(error);
    memcpy(joined, scope->prefix.bytes, scope->prefix.n_bytes);
    memcpy(joined + scope->prefix.n_bytes, name.bytes, name.n_bytes);
    *ret_name = (struct wire_span){joined, scope->prefix.n_bytes + name.n_bytes};
    return HOB_OK;
}

/* ---- attributes, opsets ---- */

/* Whether an AttributeProto has that name. */
static hob_status has_name(struct wire message, struct wire_span name, bool *ret_has_name, hob_error *error)
{
    struct wire_span found = {0};
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (field.number == ATTRIBUTE_NAME_FIELD) TRY(wire_as_span(&field, &found, error));
    }
    *ret_has_name = is_same(found, name);
    return HOB_OK;
}

static hob_status find_attribute(struct wire message, uint32_t number, struct wire_span name, struct wire *ret_message,
                                 bool *ret_is_found, hob_error *error)
{
    *ret_is_found = false;
    while (!*ret_is_found && !wire_at_end(&message)) {
        struct wire_field field;
        struct wire_span span;
        TRY(wire_next(&message, &field, error));
        if (field.number != number) continue;
        TRY(wire_as_span(&field, &span, error));
        *ret_message = wire_within(&message, span);
        TRY(has_name(*ret_message, name, ret_is_found, error));
    }
    return HOB_OK;
}

hob_status onnx_scope_attribute(const struct onnx_scope *scope, struct wire_span name, struct wire *ret_message,
                                const struct onnx_scope **ret_scope, bool *ret_is_found, hob_error *error)
{
    TRY(find_attribute(scope->call, NODE_ATTRIBUTE, name, ret_message, ret_is_found, error));
    if (!*ret_is_found)
        TRY(find_attribute(scope->function->message, FUNCTION_ATTRIBUTE_PROTO, name, ret_message, ret_is_found, error));
    *ret_scope = scope->caller; /* a default refers to nothing: in the caller's scope it cannot refer to itself either */
    return HOB_OK;
}

static hob_status read_import(struct wire message, struct wire_span *domain, int64_t *version, hob_error *error)
{
    while (!wire_at_end(&message)) {
        struct wire_field field;
        TRY(wire_next(&message, &field, error));
        if (field.number == OPSET_DOMAIN) TRY(wire_as_span(&field, domain, error));
        if (field.number == OPSET_VERSION) TRY(wire_as_int(&field, version, error));
    }
    return HOB_OK;
}

static struct wire_span without_default(struct wire_span domain)
{
    return is_same(domain, span_of("ai.onnx")) ? (struct wire_span){0} : domain;
}

hob_status onnx_scope_opset(const struct onnx_scope *scope, const char *domain, int *ret_version, hob_error *error)
{
    const struct onnx_function *function = scope->function;
    *ret_version = -1;
    for (uint32_t i = 0; i < function->n_imports; i++) {
        struct wire_span imported = {0};
        int64_t version = 0;
        TRY(read_import(wire_within(&function->message, function->imports[i]), &imported, &version, error));
        if (!is_same(without_default(imported), without_default(span_of(domain)))) continue;
        if (version < 1 || version > INT32_MAX)
            FAIL(error, HOB_BAD_FILE, "found opset version %" PRId64 ", expected 1 or more", version);
        *ret_version = (int)version;
    }
    return HOB_OK;
}
