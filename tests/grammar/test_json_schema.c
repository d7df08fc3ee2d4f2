/* JSON Schema against tests/data/grammar/schemas.jsonl: schemas, documents that npm's ajv calls valid and that the grammar must take,
 * documents that it calls invalid and that the grammar must refuse; and documents written by random walks through token masks.
 *
 * With HOB_GRAMMAR_WALKS=FILE the walks' documents are written there, "line<TAB>document", for ajv to judge
 * (tools/grammar-corpus.mjs), several for each schema of HOB_GRAMMAR_SCHEMAS=FILE. */
#include "unit.h"

#include "base/buffer.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "engine/tokenizer_open.h"
#include "grammar/json_schema.h"
#include "grammar/token_masks.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FREE_TOKENS = 40, MOST_TOKENS = 600 };

static hob_status compile(const char *schema, size_t n_bytes, struct grammar **ret_grammar, hob_error *error)
{
    struct grammar_builder builder;
    uint32_t root;
    hob_status status = grammar_builder_init(&builder, error);
    if (status == HOB_OK) status = json_schema_compile(&builder, schema, n_bytes, &root, error);
    if (status == HOB_OK) status = grammar_new(&builder, root, ret_grammar, error);
    grammar_builder_release(&builder);
    return status;
}

static bool takes(const struct grammar *grammar, const char *text, size_t n_bytes)
{
    struct grammar_state state;
    grammar_state_start(&state, grammar);
    return grammar_state_accept(&state, grammar, text, n_bytes) && grammar_state_is_complete(&state);
}

/* ---- random walks ---- */

struct walker {
    struct token_masks *masks;
    uint32_t *bits;
    struct rng rng;
    struct buffer text;
};

/* An allowed token, all alike; later the one of some that leaves the fewest ways open, so that documents end. */
static int32_t pick(struct walker *walker, size_t n_allowed, size_t n_tokens)
{
    size_t left = rng_below(&walker->rng, (uint32_t)n_allowed);
    for (size_t id = 0; id < n_tokens; id++)
        if (walker->bits[id / 32] >> id % 32 & 1 && left-- == 0) return (int32_t)id;
    return -1;
}

static int closing_rank(const char *text)
{
    static const char ranks[] = "\"}]0123456789-,:{[";
    const char *found = strchr(ranks, text[0]);
    return found && !text[1] ? (int)(found - ranks) : 100;
}

static int32_t pick_closing(struct walker *walker, size_t n_allowed, size_t n_tokens)
{
    int32_t best = -1;
    int best_rank = 100;
    const struct token_trie *trie = token_masks_trie(walker->masks);
    for (size_t id = 0; id < n_tokens; id++) {
        size_t n_bytes;
        if (!(walker->bits[id / 32] >> id % 32 & 1)) continue;
        char text[8] = "";
        const char *bytes = token_trie_text(trie, (int32_t)id, &n_bytes);
        if (n_bytes < sizeof text) memcpy(text, bytes, n_bytes);
        int rank = n_bytes == 1 ? closing_rank(text) : 100;
        if (rank < best_rank) best_rank = rank, best = (int32_t)id;
    }
    return best >= 0 && rng_below(&walker->rng, 4) ? best : pick(walker, n_allowed, n_tokens);
}

/* false: no end within MOST_TOKENS. */
static bool walk(struct walker *walker)
{
    const struct grammar *grammar = token_masks_grammar(walker->masks);
    const struct token_trie *trie = token_masks_trie(walker->masks);
    struct grammar_state state;
    grammar_state_start(&state, grammar);
    buffer_clear(&walker->text);
    for (size_t n = 0; n < MOST_TOKENS; n++) {
        size_t n_bytes, n_allowed = token_masks_fill(walker->masks, &state, walker->bits, trie->n_tokens);
        bool may_end = grammar_state_is_complete(&state);
        if (may_end && (!n_allowed || n > FREE_TOKENS || rng_below(&walker->rng, 4) == 0)) return true;
        if (!n_allowed) fail_msg("a dead end behind %s", buffer_text(&walker->text));
        int32_t id =
            n < FREE_TOKENS ? pick(walker, n_allowed, trie->n_tokens) : pick_closing(walker, n_allowed, trie->n_tokens);
        assert_true(token_masks_accept(walker->masks, &state, id));
        const char *bytes = token_trie_text(trie, id, &n_bytes);
        buffer_append(&walker->text, bytes, n_bytes);
    }
    return false;
}

static struct token_trie *open_trie(void)
{
    const char *path = getenv("HOB_GRAMMAR_TOKENIZER");
    struct tokenizer *tokenizer;
    struct token_trie *trie;
    hob_error error;
    if (tokenizer_open(path ? path : "../shared/models/stories260k/tokenizer.json", &tokenizer, &error) != HOB_OK)
        return NULL;
    if (token_trie_new(tokenizer, &trie, &error) != HOB_OK) fail_msg("%s", error.message);
    tokenizer_free(tokenizer);
    return trie;
}

static void walk_schema(struct token_trie *trie, const char *schema, size_t line, FILE *out, size_t n_walks)
{
    struct grammar *grammar;
    struct walker walker = {0};
    hob_error error;
    if (compile(schema, strlen(schema), &grammar, &error) != HOB_OK) {
        if (!out) fail_msg("line %zu: %s", line, error.message);
        fprintf(out, "%zu\t!%s\n", line, error.message);
        return;
    }
    assert_int_equal(token_masks_new(grammar, trie, &walker.masks, NULL), HOB_OK);
    walker.bits = memory_new(trie->n_tokens / 32 + 1, sizeof *walker.bits);
    for (uint64_t seed = 0; seed < n_walks; seed++) {
        walker.rng = (struct rng){.seed = seed, .stream = line};
        if (!walk(&walker)) {
            if (out) fprintf(out, "%zu\t?%zu bytes and no end\n", line, walker.text.n_bytes);
            continue;
        }
        json_error_t json_error;
        json_t *json =
            json_loadb(walker.text.bytes, walker.text.n_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &json_error);
        if (!json) fail_msg("line %zu: %s: %s", line, json_error.text, walker.text.bytes);
        json_t *list = json_pack("[s#]", walker.text.bytes, (int)walker.text.n_bytes);
        char *flat = json_dumps(list, JSON_COMPACT);
        if (out) fprintf(out, "%zu\t%s\n", line, flat);
        json_decref(json);
        json_decref(list);
        free(flat);
    }
    memory_free(walker.bits);
    buffer_release(&walker.text);
    token_masks_unref(walker.masks);
    grammar_unref(grammar);
}

/* ---- the corpus ---- */

typedef void on_line(void *context, json_t *line, size_t number);

static void each_line(const char *path, on_line *on, void *context)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t reserved = 0;
    if (!file) fail_msg("%s is missing", path);
    for (size_t number = 1; getline(&text, &reserved, file) > 0; number++) {
        json_error_t error;
        json_t *line = json_loads(text, 0, &error);
        if (!line) fail_msg("%s:%zu: %s", path, number, error.text);
        on(context, line, number);
        json_decref(line);
    }
    free(text);
    fclose(file);
}

static void check_documents(const json_t *documents, const struct grammar *grammar, size_t number, bool is_good)
{
    for (size_t i = 0; i < json_array_size(documents); i++) {
        const json_t *document = json_array_get(documents, i);
        if (takes(grammar, json_string_value(document), json_string_length(document)) != is_good)
            fail_msg("line %zu: %s %s", number, is_good ? "refuses" : "takes", json_string_value(document));
    }
}

static void check_line(void *context, json_t *line, size_t number)
{
    char *schema = json_dumps(json_object_get(line, "schema"), JSON_COMPACT | JSON_ENCODE_ANY);
    struct grammar *grammar;
    hob_error error;
    const char *refusal = json_string_value(json_object_get(line, "refused"));
    (void)context;
    hob_status status = compile(schema, strlen(schema), &grammar, &error);
    if (refusal) {
        if (status == HOB_OK || !strstr(error.message, refusal))
            fail_msg("line %zu: %s", number, status == HOB_OK ? "is taken" : error.message);
    } else {
        if (status != HOB_OK) fail_msg("line %zu: %s", number, error.message);
        check_documents(json_object_get(line, "good"), grammar, number, true);
        check_documents(json_object_get(line, "bad"), grammar, number, false);
        grammar_unref(grammar);
    }
    free(schema);
}

static void test_corpus(void **unused)
{
    (void)unused;
    each_line("tests/data/grammar/schemas.jsonl", check_line, NULL);
}

struct walks {
    struct token_trie *trie;
    FILE *out;
    size_t n_walks;
};

static void walk_line(void *context, json_t *line, size_t number)
{
    struct walks *walks = context;
    if (json_object_get(line, "refused")) return;
    char *schema = json_dumps(json_object_get(line, "schema"), JSON_COMPACT | JSON_ENCODE_ANY);
    if (walks->out || number % 8 == 0) walk_schema(walks->trie, schema, number, walks->out, walks->n_walks);
    free(schema);
}

static void test_walks(void **unused)
{
    const char *out = getenv("HOB_GRAMMAR_WALKS"), *schemas = getenv("HOB_GRAMMAR_SCHEMAS");
    struct walks walks = {.trie = open_trie(), .n_walks = out ? 5 : 1};
    (void)unused;
    if (!walks.trie) skip();
    if (out && !(walks.out = fopen(out, "w"))) fail_msg("%s cannot be written", out);
    each_line(schemas ? schemas : "tests/data/grammar/schemas.jsonl", walk_line, &walks);
    if (walks.out) fclose(walks.out);
    token_trie_unref(walks.trie);
}

/* json_object mode. */
static void test_any(void **unused)
{
    static const char *const good[] = {"{}", "[]", "{\"a\": [1, 2.5e3, -0.5, \"x\\n\\u00e9\", {}, true]}",
                                       "[\n  {\"b\": null}\n]", "[\"\\ud83d\\ude00\"]"};
    static const char *const bad[] = {"1",         "",     "{",   "{a:1}", "[1,]", "[01]", "[\"\n\"]", "[\"\\ud83d\"]",
                                      "[\"\\x\"]", "[-0]", "[1] "};
    struct grammar_builder builder;
    struct grammar *grammar;
    uint32_t root;
    (void)unused;
    assert_int_equal(grammar_builder_init(&builder, NULL), HOB_OK);
    assert_int_equal(json_schema_any(&builder, &root), HOB_OK);
    assert_int_equal(grammar_new(&builder, root, &grammar, NULL), HOB_OK);
    grammar_builder_release(&builder);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!takes(grammar, good[i], strlen(good[i]))) fail_msg("refuses %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (takes(grammar, bad[i], strlen(bad[i]))) fail_msg("takes %s", bad[i]);
    grammar_unref(grammar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus), cmocka_unit_test(test_walks),
                                       cmocka_unit_test(test_any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
