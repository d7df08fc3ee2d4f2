/* JSON Schema: whatever compiles must give a grammar, and the grammar's texts must be JSON. */
#include "grammar/json_schema.h"
#include "grammar/state.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BYTES = 256 };

/* Follows bytes that close what is open, where they may come. */
static void walk(const struct grammar *grammar, unsigned turn)
{
    static const char wanted[] = "}]\"0123456789aelnrstuf:,{[-.";
    struct grammar_state state, next;
    char text[MOST_BYTES];
    size_t n = 0;
    grammar_state_start(&state, grammar);
    for (; n < MOST_BYTES && !grammar_state_is_complete(&state); n++) {
        size_t i = 0, n_wanted = sizeof wanted - 1 + 256;
        for (; i < n_wanted; i++) {
            unsigned byte = i < sizeof wanted - 1 ? (unsigned char)wanted[(i + turn * (n % 3)) % (sizeof wanted - 1)]
                                                  : (unsigned)(i - sizeof wanted + 1);
            grammar_state_step(&state, grammar, (uint8_t)byte, &next);
            text[n] = (char)byte;
            if (next.n_heads || next.is_complete) break;
        }
        if (i == n_wanted) return;
        grammar_state_copy(&state, &next);
    }
    if (!grammar_state_is_complete(&state)) return;
    json_error_t error;
    json_t *json = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json && json_error_code(&error) == json_error_invalid_syntax) abort();
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grammar_builder builder;
    struct grammar *grammar = NULL;
    hob_error error;
    uint32_t root;
    if (size > 4096) return 0;
    hob_status status = grammar_builder_init(&builder, &error);
    if (status == HOB_OK) status = json_schema_compile(&builder, (const char *)data, size, &root, &error);
    if (status == HOB_OK) status = grammar_new(&builder, root, &grammar, &error);
    grammar_builder_release(&builder);
    for (unsigned turn = 0; grammar && turn < 3; turn++) walk(grammar, turn);
    grammar_unref(grammar);
    return 0;
}
