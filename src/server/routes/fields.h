/* Reading a request's JSON object into a struct, by rows: names, types, bounds, help. /openapi.json shows the same rows.
 *
 *     struct inputs { const char *model; bool is_stream; double temperature; const json_t *prompt; };
 *     static const struct field_def fields[] = {
 *         {.name = "model", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, model), .help = "…"},
 *         {.name = "temperature", .kind = FIELD_NUMBER, .offset = …, .least = 0, .most = 2, .help = "…"},
 *     };
 *     struct inputs inputs = {.temperature = 1};                 defaults; a field that is missing or null leaves them
 *     if (!fields_read(body, fields, n, &inputs, &problem)) …    problem: 400 with the field's name, what was found and expected
 */
#ifndef SERVER_ROUTES_FIELDS_H
#define SERVER_ROUTES_FIELDS_H

#include "server/problem.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_TEXT,    /* const char *: NUL-terminated, as long as the object; no NUL inside */
    FIELD_BOOL,    /* bool */
    FIELD_COUNT,   /* size_t; whole numbers, 3.0 too */
    FIELD_INTEGER, /* int64_t */
    FIELD_NUMBER,  /* double */
    FIELD_CHOICE,  /* int: the index among choices */
    FIELD_TEXTS,   /* const json_t *: a text or a list of texts */
    FIELD_OBJECT,  /* const json_t *: an object */
    FIELD_LIST,    /* const json_t *: a list */
    FIELD_ANY,     /* const json_t *: looked at by the route */
    FIELD_IGNORED  /* taken and not looked at; in /openapi.json so that nobody wonders */
};

struct field_def {
    const char *name;
    enum field_kind kind;
    bool is_required;
    size_t offset;
    double least, most;         /* of numbers; both 0: any (FIELD_COUNT: up to SIZE_MAX) */
    const char *const *choices; /* ends with NULL */
    size_t most_items;          /* of lists; 0: 1 << 20 */
    const char *help;
};

/* What the object has beyond the rows is ignored. ret_inputs keeps its values where a field is missing or null. */
bool fields_read(const json_t *object, const struct field_def *fields, size_t n_fields, void *ret_inputs, struct problem *ret_problem);
/* A JSON Schema of such an object; NULL: memory is out. */
json_t *fields_schema(const struct field_def *fields, size_t n_fields);

#endif
