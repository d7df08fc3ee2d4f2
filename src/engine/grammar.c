/* The model keeps the trie of its tokens, the grammar keeps masks by trie: a few models at most, so a list. */
#include "engine/grammar.h"
#include "base/error.h"
#include "base/memory.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"

#include <pthread.h>

struct known_masks {
    struct known_masks *next;
    struct token_masks *masks;
};

struct hob_grammar {
    struct grammar *grammar;
    pthread_mutex_t mutex; /* of the list */
    struct known_masks *known;
};

hob_status grammar_handle_new(struct grammar_builder *builder, uint32_t root, hob_grammar **ret_grammar, hob_error *error)
{
    hob_grammar *grammar = memory_new(1, sizeof *grammar);
    if (!grammar) FAIL(error, HOB_NO_MEMORY, "grammar: no memory");
    pthread_mutex_init(&grammar->mutex, NULL);
    hob_status status = grammar_new(builder, root, &grammar->grammar, error);
    if (status == HOB_OK) *ret_grammar = grammar;
    else hob_grammar_free(grammar);
    return status;
}

hob_status hob_grammar_new_gbnf(const char *text, size_t n_bytes, hob_grammar **ret_grammar, hob_error *error)
{
    struct grammar_builder builder;
    uint32_t root = 0;
    if ((!text && n_bytes) || !ret_grammar)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_grammar_new_gbnf: text and ret_grammar must be given");
    hob_status status = grammar_builder_init(&builder, error);
    if (status == HOB_OK) status = gbnf_parse(&builder, text ? text : "", n_bytes, "root", &root, error);
    if (status == HOB_OK) status = grammar_handle_new(&builder, root, ret_grammar, error);
    grammar_builder_release(&builder);
    return status;
}

hob_status hob_grammar_new_json_schema(const char *text, size_t n_bytes, hob_grammar **ret_grammar, hob_error *error)
{
    struct grammar_builder builder;
    uint32_t root = 0;
    if ((!text && n_bytes) || !ret_grammar)
        FAIL(error, HOB_BAD_ARGUMENT, "hob_grammar_new_json_schema: text and ret_grammar must be given");
    hob_status status = grammar_builder_init(&builder, error);
    if (status == HOB_OK)
        status =
            n_bytes ? json_schema_compile(&builder, text, n_bytes, &root, error) : json_schema_any(&builder, &root);
    if (status == HOB_OK) status = grammar_handle_new(&builder, root, ret_grammar, error);
    grammar_builder_release(&builder);
    return status;
}

bool hob_grammar_takes(const hob_grammar *grammar, const char *text, size_t n_bytes)
{
    struct grammar_state state;
    grammar_state_start(&state, grammar->grammar);
    return grammar_state_accept(&state, grammar->grammar, text, n_bytes) && grammar_state_is_complete(&state);
}

void hob_grammar_free(hob_grammar *grammar)
{
    if (!grammar) return;
    for (struct known_masks *known = grammar->known, *next; known; known = next) {
        next = known->next;
        token_masks_unref(known->masks);
        memory_free(known);
    }
    grammar_unref(grammar->grammar);
    pthread_mutex_destroy(&grammar->mutex);
    memory_free(grammar);
}

/* Two threads may both make it: one of them keeps its own. */
static hob_status find_trie(hob_model *model, struct token_trie **ret_trie, hob_error *error)
{
    struct token_trie *trie = atomic_load(&model->token_trie), *made;
    if (!trie) {
        TRY(token_trie_new((const struct tokenizer *)model->tokenizer, &made, error));
        if (atomic_compare_exchange_strong(&model->token_trie, &trie, made)) trie = made;
        else token_trie_unref(made);
    }
    *ret_trie = trie;
    return HOB_OK;
}

static hob_status find_masks(hob_grammar *grammar, struct token_trie *trie, struct token_masks **ret_masks,
                             hob_error *error)
{
    for (struct known_masks *known = grammar->known; known; known = known->next)
        if (token_masks_trie(known->masks) == trie) {
            *ret_masks = token_masks_ref(known->masks);
            return HOB_OK;
        }
    struct known_masks *known = memory_new(1, sizeof *known);
    if (!known) FAIL(error, HOB_NO_MEMORY, "grammar: no memory");
    hob_status status = token_masks_new(grammar->grammar, trie, &known->masks, error);
    if (status != HOB_OK) {
        memory_free(known);
        return status;
    }
    known->next = grammar->known;
    grammar->known = known;
    *ret_masks = token_masks_ref(known->masks);
    return HOB_OK;
}

hob_status grammar_masks(const hob_grammar *grammar, hob_model *model, struct token_masks **ret_masks, hob_error *error)
{
    hob_grammar *shared =
        (hob_grammar *)(uintptr_t)grammar; /* the list behind the mutex is no part of what callers see */
    struct token_trie *trie;
    if (!model->tokenizer)
        FAIL(error, HOB_UNSUPPORTED, "grammar: the model has no tokenizer, expected one that tells tokens' texts");
    TRY(find_trie(model, &trie, error));
    pthread_mutex_lock(&shared->mutex);
    hob_status status = find_masks(shared, trie, ret_masks, error);
    pthread_mutex_unlock(&shared->mutex);
    return status;
}
