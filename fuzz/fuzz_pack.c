/* Packs, made whole again after each mutation: every byte of every constant is looked at, the graph compiled and run, a text tokenized. */
#include "base/memory.h"
#include "engine/pack_model.h"
#include "resum_pack.h"
#include "run_fuzzed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void look_at(const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) sink += ((const uint8_t *)bytes)[i];
}

static void look_at_tensor(const struct tensor *tensor)
{
    size_t n_bytes;
    int64_t first, last;
    if (tensor->dtype == DTYPE_NONE || !tensor_n_items(tensor)) return;
    if (tensor->dtype == DTYPE_STRING || tensor->dtype == DTYPE_SEQUENCE) return;
    if (tensor->layout == LAYOUT_PANELS) {
        if (pack_panel_bytes(tensor, &n_bytes)) look_at(tensor->data, n_bytes);
    } else if (dtype_block_items(tensor->dtype) > 1) {
        look_at(tensor->data, tensor_n_bytes(tensor));
    } else if (pack_find_extent(tensor, &first, &last)) {
        size_t item_bytes = dtype_block_bytes(tensor->dtype);
        look_at((const char *)tensor->data + first * (int64_t)item_bytes, (size_t)(last - first + 1) * item_bytes);
    }
}

static void look_at_graph(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant) look_at_tensor(graph->values[i].constant);
    for (uint32_t i = 0; i < graph->n_subgraphs; i++) look_at_graph(graph->subgraphs[i]);
}

static void use_graph(const struct pack *pack, uint64_t random)
{
    struct hob_model model = {0};
    struct graph_roles roles;
    hob_error error;
    if (pack_graph_read(pack, &model.graph, &error) != HOB_OK) return;
    look_at_graph(model.graph);
    if (pack_model_read(pack, &model, &error) == HOB_OK && program_new(model.graph, &model.program, &error) == HOB_OK) {
        sink += roles_find(model.graph, &model.graph->arena, &roles, &error);
        run_fuzzed(model.program, random);
    }
    graph_free(model.graph);
}

static void use_tokenizer(const struct pack *pack)
{
    static const char text[] = "Hello, w\xC3\xB6rld's  12\n\xE4\xB8\xAD\xF0\x9F\x98\x80<s>\xE2\x96\x81\xFF x";
    struct tokenizer *tokenizer;
    struct id_list ids = {0};
    struct buffer decoded = {0};
    hob_error error;
    if (pack_tokenizer_read(pack, &tokenizer, &error) != HOB_OK || !tokenizer) return;
    if (tokenizer_encode(tokenizer, text, sizeof text - 1, HOB_ADD_SPECIAL | HOB_PARSE_SPECIAL, &ids, &error) == HOB_OK)
        sink += tokenizer_decode(tokenizer, ids.ids, ids.n_ids, 0, &decoded, &error);
    for (size_t i = 0; i < tokenizer_n_tokens(tokenizer); i++) sink += tokenizer_is_end(tokenizer, (int32_t)i);
    buffer_release(&decoded);
    id_list_release(&ids);
    tokenizer_free(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct pack *pack;
    hob_error error;
    uint8_t *copy = memory_aligned(n_bytes + 1); /* a pack is mapped, so it begins on a page */
    if (!copy) return 0;
    memcpy(copy, bytes, n_bytes);
    resum_pack(copy, n_bytes);
    if (pack_parse(copy, n_bytes, &pack, &error) == HOB_OK) {
        use_graph(pack, hash_input(bytes, n_bytes));
        use_tokenizer(pack);
        pack_free(pack);
    }
    memory_free(copy);
    return 0;
}
