/* Masks against the tokens tried one by one, along random texts, on vocabularies of every kind. */
#include "unit.h"

#include "base/memory.h"
#include "base/rng.h"
#include "engine/tokenizer_open.h"
#include "grammar/gbnf.h"
#include "grammar/token_masks.h"

#include <string.h>

static const char *const grammars[] = {
    "root ::= \"yes\" | \"no\" | \"maybe\"",
    "root ::= [a-z]+ (\" \" [a-z]+)* \".\"",
    /* recursion: what follows a value depends on where it stands */
    "root ::= value\n"
    "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? ws \"}\"\n"
    "array ::= \"[\" ws (value (\",\" ws value)*)? ws \"]\"\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x00-\\x1f] | \"\\\\\" [\"\\\\/bfnrt])* \"\\\"\"\n"
    "number ::= \"-\"? ([0-9] | [1-9] [0-9]{1,15}) (\".\" [0-9]+)?\n"
    "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n",
    "root ::= \"\\\"\" [^\"\\n]{3,40} \"\\\"\"",
    "root ::= ([\\u4e00-\\u9fff] | [\\U0001F600-\\U0001F64F]){2,6} \"!\"",
    "root ::= \"(\" root \")\" root | [a-c] \"x\"? | \"\"",
    "root ::= (\"a\" | \"ab\" | \"abc\" | \"b\" \"c\"){0,30} root2?\nroot2 ::= \"<\" root \">\"",
};

static struct token_masks *make_masks(const char *text, struct token_trie *trie)
{
    struct grammar_builder builder;
    struct grammar *grammar;
    struct token_masks *masks;
    uint32_t root;
    hob_error error;
    hob_status status = grammar_builder_init(&builder, &error);
    if (status == HOB_OK) status = gbnf_parse(&builder, text, strlen(text), "root", &root, &error);
    if (status == HOB_OK) status = grammar_new(&builder, root, &grammar, &error);
    grammar_builder_release(&builder);
    if (status == HOB_OK) status = token_masks_new(grammar, trie, &masks, &error);
    if (status != HOB_OK) fail_msg("%s: %s", text, error.message);
    grammar_unref(grammar);
    return masks;
}

static bool has_bit(const uint32_t *bits, size_t id)
{
    return bits[id / 32] >> id % 32 & 1;
}

/* Every token, tried by its bytes. */
static void check_mask(const struct token_masks *masks, const struct grammar_state *state, const uint32_t *bits,
                       size_t n_tokens)
{
    for (size_t id = 0; id < n_tokens; id++) {
        struct grammar_state next;
        grammar_state_copy(&next, state);
        bool is_allowed = token_masks_accept(masks, &next, (int32_t)id);
        if (is_allowed != has_bit(bits, id))
            fail_msg("token %zu: mask %d, tried %d", id, has_bit(bits, id), is_allowed);
    }
}

static int32_t pick(const uint32_t *bits, size_t n_tokens, size_t n_allowed, struct rng *rng)
{
    size_t left = rng_below(rng, (uint32_t)n_allowed);
    for (size_t id = 0; id < n_tokens; id++)
        if (has_bit(bits, id) && left-- == 0) return (int32_t)id;
    return -1;
}

static void walk(struct token_masks *masks, size_t n_steps, size_t n_checked, uint64_t seed)
{
    size_t n_tokens = token_masks_trie(masks)->n_tokens;
    uint32_t *bits = memory_new(n_tokens / 32 + 1, sizeof *bits);
    struct rng rng = {.seed = seed};
    struct grammar_state state;
    grammar_state_start(&state, token_masks_grammar(masks));
    for (size_t step = 0; step < n_steps; step++) {
        size_t n_allowed = token_masks_fill(masks, &state, bits, n_tokens);
        if (step < n_checked) check_mask(masks, &state, bits, n_tokens);
        if (!n_allowed)
            assert_true(grammar_state_is_over(&state)); /* no dead end: every vocabulary here spells every byte */
        if (!n_allowed) break;
        assert_true(token_masks_accept(masks, &state, pick(bits, n_tokens, n_allowed, &rng)));
    }
    memory_free(bits);
}

static void check_tokenizer(const char *path, size_t n_checked)
{
    struct tokenizer *tokenizer;
    struct token_trie *trie;
    hob_error error;
    if (tokenizer_open(path, &tokenizer, &error) != HOB_OK) skip();
    if (token_trie_new(tokenizer, &trie, &error) != HOB_OK) fail_msg("%s", error.message);
    for (size_t g = 0; g < sizeof grammars / sizeof grammars[0]; g++) {
        struct token_masks *masks = make_masks(grammars[g], trie);
        for (uint64_t seed = 0; seed < 2; seed++) walk(masks, 60, n_checked, seed);
        uint64_t n_before = memory_n_allocations();
        struct grammar_state state;
        uint32_t bits[8];
        grammar_state_start(&state, token_masks_grammar(masks));
        token_masks_fill(masks, &state, bits, 256);
        assert_int_equal(memory_n_allocations(), n_before);
        token_masks_unref(masks);
    }
    token_trie_unref(trie);
    tokenizer_free(tokenizer);
}

static void test_byte_level_json(void **unused)
{
    (void)unused;
    check_tokenizer("../shared/tokenizers/gpt2/tokenizer.json", 3);
}
static void test_byte_level_gguf(void **unused)
{
    (void)unused;
    check_tokenizer("../shared/tokenizers/ggml-vocab-gpt-2.gguf", 3);
}
static void test_sentencepiece_gguf(void **unused)
{
    (void)unused;
    check_tokenizer("../shared/tokenizers/ggml-vocab-llama-spm.gguf", 3);
}
static void test_sentencepiece_json(void **unused)
{
    (void)unused;
    check_tokenizer("../shared/models/stories260k/tokenizer.json", 40);
}

/* A long nesting fills the state: masks must then allow what can be held, and the way back out stays open. */
static void test_near_the_limit(void **unused)
{
    struct tokenizer *tokenizer;
    struct token_trie *trie;
    (void)unused;
    if (tokenizer_open("../shared/models/stories260k/tokenizer.json", &tokenizer, NULL) != HOB_OK) skip();
    assert_int_equal(token_trie_new(tokenizer, &trie, NULL), HOB_OK);
    struct token_masks *masks = make_masks("root ::= \"(\" root \")\" | \"a\"", trie);
    size_t n_tokens = trie->n_tokens;
    uint32_t bits[64];
    struct grammar_state state;
    grammar_state_start(&state, token_masks_grammar(masks));
    while (grammar_state_accept(&state, token_masks_grammar(masks), "(", 1)) {
        assert_true(n_tokens <= 2048 && token_masks_fill(masks, &state, bits, n_tokens) > 0);
        check_mask(masks, &state, bits, n_tokens);
    }
    token_masks_unref(masks);
    token_trie_unref(trie);
    tokenizer_free(tokenizer);
}

/* A run of one character can end so many nested rules at so many places that the ways cannot be told one by one. */
static void test_many_ways(void **unused)
{
    struct tokenizer *tokenizer;
    struct token_trie *trie;
    (void)unused;
    if (tokenizer_open("../shared/tokenizers/gpt2/tokenizer.json", &tokenizer, NULL) != HOB_OK) skip();
    assert_int_equal(token_trie_new(tokenizer, &trie, NULL), HOB_OK);
    struct token_masks *masks = make_masks("root ::= \"(\" root? [-= ]*", trie); /* gpt2 has tokens of 64 dashes */
    uint32_t *bits = memory_new(trie->n_tokens / 32 + 1, sizeof *bits);
    struct grammar_state state;
    grammar_state_start(&state, token_masks_grammar(masks));
    for (int i = 0; i < 60; i++) assert_true(grammar_state_accept(&state, token_masks_grammar(masks), "(", 1));
    assert_true(token_masks_fill(masks, &state, bits, trie->n_tokens) > 0);
    check_mask(masks, &state, bits, trie->n_tokens);
    memory_free(bits);
    token_masks_unref(masks);
    token_trie_unref(trie);
    tokenizer_free(tokenizer);
}

/* Tokens as they stand in the middle of a text. */
static void check_text(const char *path, const char *spelling, const char *text)
{
    struct tokenizer *tokenizer;
    struct token_trie *trie;
    hob_error error;
    size_t n_bytes = 0;
    if (tokenizer_open(path, &tokenizer, &error) != HOB_OK) skip();
    assert_int_equal(token_trie_new(tokenizer, &trie, &error), HOB_OK);
    const char *found = token_trie_text(trie, tokenizer_id(tokenizer, spelling, strlen(spelling)), &n_bytes);
    if (!text) assert_null(found);
    else assert_true(found && n_bytes == strlen(text) && !memcmp(found, text, n_bytes));
    token_trie_unref(trie);
    tokenizer_free(tokenizer);
}

static void test_texts_of_tokens(void **unused)
{
    (void)unused;
    check_text("../shared/tokenizers/gpt2/tokenizer.json", "\xC4\xA0the", " the");
    check_text("../shared/tokenizers/gpt2/tokenizer.json", "<|endoftext|>", "\xFF<|endoftext|>\xFF");
    check_text("../shared/tokenizers/ggml-vocab-llama-spm.gguf", "\xE2\x96\x81the", " the");
    check_text("../shared/tokenizers/ggml-vocab-llama-spm.gguf", "<0x0A>", "\n");
    check_text("../shared/tokenizers/ggml-vocab-llama-spm.gguf", "</s>", "\xFF</s>\xFF");
    check_text("../shared/models/stories260k/tokenizer.json", "<0xE2>", "\xE2");
    check_text("../shared/tokenizers/all-MiniLM-L6-v2", "##ing", "ing");
    check_text("../shared/tokenizers/all-MiniLM-L6-v2", "hello", " hello");
    check_text("../shared/tokenizers/t5-small/tokenizer.json", "\xE2\x96\x81the", " the");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_level_json),    cmocka_unit_test(test_byte_level_gguf),
        cmocka_unit_test(test_sentencepiece_gguf), cmocka_unit_test(test_sentencepiece_json),
        cmocka_unit_test(test_near_the_limit),     cmocka_unit_test(test_many_ways),
        cmocka_unit_test(test_texts_of_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
