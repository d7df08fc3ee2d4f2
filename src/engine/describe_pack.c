/* What a pack says of itself. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/describe.h"
#include "engine/pack_model.h"

#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, describe_text(text, strlen(text)));
}

static void add_problem(json_t *root, const hob_error *error)
{
    if (!json_object_get(root, "problem")) set_text(root, "problem", error->message);
}

static void describe_sections(const struct pack *pack, json_t *root)
{
    json_t *sizes = json_object(), *checksums = json_object();
    hob_error error;
    for (int id = 0; id < PACK_N_SECTIONS; id++) {
        const struct pack_section *section = &pack->sections[id];
        char key[PACK_NAME_BYTES + sizeof "_bytes"];
        snprintf(key, sizeof key, "%s_bytes", section->name);
        json_object_set_new(sizes, key, json_integer((json_int_t)section->n_bytes));
        bool is_good = pack_check_section(pack, (enum pack_section_id)id, &error) == HOB_OK;
        set_text(checksums, section->name, is_good ? "good" : "damaged");
        if (!is_good) add_problem(root, &error);
    }
    json_object_set_new(root, "sections", sizes);
    json_object_set_new(root, "checksums", checksums);
}

static void describe_origin(const struct pack *pack, json_t *root)
{
    struct pack_origin origin;
    struct record_reader reader;
    uint32_t n_passes;
    hob_error error;
    char digest[SHA256_TEXT_BYTES];
    if (pack_origin_read(pack, &origin, &reader, &n_passes, &error) != HOB_OK) {
        add_problem(root, &error);
        return;
    }
    json_t *source = json_object(), *passes = json_object();
    set_text(source, "format", origin.format);
    json_object_set_new(source, "bytes", json_integer((json_int_t)origin.n_bytes));
    set_text(source, "sha256", sha256_text(pack->source_sha256, digest));
    json_object_set_new(root, "source", source);
    set_text(root, "quantisation", origin.quant ? origin.quant : "as in the source");
    for (uint32_t i = 0; i < n_passes && !reader.is_bad; i++) {
        const char *name = record_name(&reader);
        json_object_set_new(passes, name, json_integer(record_u32(&reader)));
    }
    json_object_set_new(root, "passes", passes);
}

static void add_weight(json_t *weights, const struct tensor *tensor)
{
    char key[64];
    size_t n_bytes;
    if (tensor->layout != LAYOUT_PANELS || !pack_panel_bytes(tensor, &n_bytes)) n_bytes = tensor_n_bytes(tensor);
    snprintf(key, sizeof key, "%s%s_bytes", dtype_name(tensor->dtype), tensor->layout == LAYOUT_PANELS ? "_panels" : "");
    json_t *old = json_object_get(weights, key);
    json_object_set_new(weights, key, json_integer((json_int_t)n_bytes + (old ? json_integer_value(old) : 0)));
}

/* Bytes by type and layout. */
static void count_weights(const struct graph *graph, json_t *weights)
{
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant) add_weight(weights, graph->values[i].constant);
    for (uint32_t s = 0; s < graph->n_subgraphs; s++) count_weights(graph->subgraphs[s], weights);
}

static void describe_tokenizer(const struct pack *pack, json_t *root)
{
    struct tokenizer *tokenizer;
    hob_error error;
    if (pack_tokenizer_read(pack, &tokenizer, &error) != HOB_OK) {
        add_problem(root, &error);
        return;
    }
    if (!tokenizer) return;
    json_t *json = json_object();
    set_text(json, "kind", tokenizer_kind(tokenizer));
    json_object_set_new(json, "tokens", json_integer((json_int_t)tokenizer_n_tokens(tokenizer)));
    json_object_set_new(root, "tokenizer", json);
    tokenizer_free(tokenizer);
}

static void describe_model(const struct pack *pack, const struct graph *graph, json_t *root)
{
    static const char *const kinds[] = {"graph", "language model", "encoder", "classifier"};
    struct hob_model model = {.graph = (struct graph *)(uintptr_t)graph};
    hob_error error;
    if (pack_model_read(pack, &model, &error) != HOB_OK) {
        add_problem(root, &error);
        return;
    }
    set_text(root, "architecture", model.info.architecture);
    set_text(root, "kind", kinds[model.info.kind]);
    json_object_set_new(root, "vocabulary", json_integer(model.info.n_vocab));
    json_object_set_new(root, "context", json_integer(model.info.n_context));
    json_object_set_new(root, "layers", json_integer(model.info.n_layers));
    json_object_set_new(root, "width", json_integer(model.info.width));
    describe_labels(&model.labels, root);
    if (model.chat_template) set_text(root, "chat_template", model.chat_template);
}

static void describe_report(const struct pack *pack, json_t *root)
{
    size_t n_bytes;
    const char *text = pack_bytes(pack, PACK_REPORT, &n_bytes);
    json_t *report = n_bytes ? json_loadb(text, n_bytes, 0, NULL) : NULL;
    json_object_update(root, report);
    json_decref(report);
}

void describe_pack(const struct pack *pack, const struct graph *graph, json_t *root)
{
    json_t *weights = json_object();
    json_object_set_new(root, "version", json_integer(PACK_VERSION));
    describe_origin(pack, root);
    describe_model(pack, graph, root);
    describe_tokenizer(pack, root);
    describe_sections(pack, root);
    count_weights(graph, weights);
    json_object_set_new(root, "weights", weights);
    describe_report(pack, root);
}
