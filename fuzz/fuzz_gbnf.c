/* GBNF: whatever is a grammar must be walked without harm, and never come to a dead end. */
#include "grammar/gbnf.h"
#include "grammar/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some way on from the first head, a few bytes long. */
static void walk(const struct grammar *grammar, unsigned turn)
{
    struct grammar_state state, next;
    grammar_state_start(&state, grammar);
    for (unsigned n = 0; n < 64 && state.n_heads; n++) {
        unsigned first = turn * 37 + n * 11, byte = 0;
        for (; byte < 256; byte++) {
            grammar_state_step(&state, grammar, (uint8_t)(first + byte), &next);
            if (next.n_heads || next.is_complete) break;
        }
        if (byte == 256 && state.n_nodes < STATE_NODES / 2 && !next.is_full) abort(); /* a dead end */
        if (byte == 256) return;
        grammar_state_copy(&state, &next);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grammar_builder builder;
    struct grammar *grammar = NULL;
    hob_error error;
    uint32_t root;
    if (size > 4096) return 0;
    hob_status status = grammar_builder_init(&builder, &error);
    if (status == HOB_OK) status = gbnf_parse(&builder, (const char *)data, size, "root", &root, &error);
    if (status == HOB_OK) status = grammar_new(&builder, root, &grammar, &error);
    grammar_builder_release(&builder);
    for (unsigned turn = 0; grammar && turn < 4; turn++) walk(grammar, turn);
    grammar_unref(grammar);
    return 0;
}
