/* Knuth, Morris and Pratt's automaton: a state for each number of the mark's bytes that stand last. */
#include "grammar/until.h"

#include <string.h>

/* How much of the mark stands at the end of its first n_matched bytes and one more. */
static size_t n_matched_behind(const char *mark, size_t n_matched, char byte)
{
    char text[TOKEN_MAX_BYTES + 1];
    memcpy(text, mark, n_matched);
    text[n_matched] = byte;
    for (size_t n = n_matched + 1; n > 0; n--)
        if (!memcmp(text + n_matched + 1 - n, mark, n)) return n;
    return 0;
}

/* All characters that the mark does not have lead back to the beginning. */
static void add_others(struct grammar_builder *builder, uint32_t from, const char *mark, size_t n_bytes, uint32_t start)
{
    struct code_points points = {0};
    for (size_t i = 0; i < n_bytes; i++)
        if ((unsigned char)mark[i] < 0x80) code_points_add(&points, (unsigned char)mark[i], (unsigned char)mark[i]);
    code_points_finish(&points, true);
    if (points.is_failed) grammar_builder_fail(builder, HOB_NO_MEMORY, "grammar: no memory");
    else grammar_builder_skip(builder, grammar_builder_code_points(builder, from, &points), start);
    code_points_release(&points);
}

uint32_t grammar_builder_until(struct grammar_builder *builder, uint32_t from, const char *mark, size_t n_bytes)
{
    uint32_t states[TOKEN_MAX_BYTES + 1];
    if (!n_bytes || n_bytes > TOKEN_MAX_BYTES) {
        grammar_builder_fail(builder, HOB_LIMIT, "grammar: found a mark of %zu bytes, expected 1 to %d", n_bytes, TOKEN_MAX_BYTES);
        return from;
    }
    for (size_t i = 0; i <= n_bytes; i++) states[i] = grammar_builder_state(builder);
    grammar_builder_skip(builder, from, states[0]);
    for (size_t i = 0; i < n_bytes && builder->status == HOB_OK; i++) {
        for (size_t k = 0; k < n_bytes; k++) {
            unsigned byte = (unsigned char)mark[k];
            bool is_known = memchr(mark, mark[k], k) != NULL;
            size_t n = is_known ? 0 : n_matched_behind(mark, i, mark[k]);
            if (!is_known && (byte < 0x80 || n == i + 1)) grammar_builder_bytes(builder, states[i], byte, byte, states[n]);
        }
        add_others(builder, states[i], mark, n_bytes, states[0]);
    }
    return states[n_bytes];
}
