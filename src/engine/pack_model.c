#include "engine/pack_model.h"
#include "base/error.h"
#include "engine/encode.h"

#include <string.h>

enum { LEAST_PASS_BYTES = 9, LEAST_PROMPT_BYTES = 10, LEAST_LABEL_BYTES = 5 };

static void put_name(struct buffer *bytes, const char *name)
{
    record_put_text(bytes, name, name ? strlen(name) : 0);
}

/* ---- writing ---- */

static void write_origin(const struct hob_model *model, const struct pack_origin *origin, struct buffer *bytes)
{
    put_name(bytes, origin->format);
    record_put_u64(bytes, origin->n_bytes);
    put_name(bytes, origin->quant);
    record_put_u32(bytes, (uint32_t)passes_count());
    for (size_t i = 0; i < passes_count(); i++) {
        put_name(bytes, passes_at(i)->name);
        record_put_u32(bytes, model->passes[i].n_changes);
    }
}

static void write_pooling(const struct model_pooling *pooling, struct buffer *bytes)
{
    record_put_u8(bytes, (uint8_t)pooling->mode);
    record_put_u8(bytes, pooling->is_normalized);
    record_put_u8(bytes, pooling->is_stated);
    record_put_u8(bytes, pooling->is_plain_text);
    record_put_i64(bytes, pooling->max_tokens);
}

static void write_prompts(const struct model_prompts *prompts, struct buffer *bytes)
{
    record_put_u32(bytes, (uint32_t)prompts->n);
    for (size_t i = 0; i < prompts->n; i++) {
        put_name(bytes, prompts->items[i].name);
        put_name(bytes, prompts->items[i].text);
    }
    put_name(bytes, prompts->default_name ? prompts->default_name : "");
}

static void write_labels(const struct hob_model *model, struct buffer *bytes)
{
    record_put_u8(bytes, model->info.is_causal);
    record_put_u8(bytes, (uint8_t)model->labels.activation);
    record_put_u32(bytes, (uint32_t)model->labels.n);
    for (size_t i = 0; i < model->labels.n; i++) put_name(bytes, model->labels.names[i]);
}

static void write_model(const struct hob_model *model, struct buffer *bytes)
{
    const hob_model_info *info = &model->info;
    put_name(bytes, info->architecture);
    record_put_u8(bytes, (uint8_t)info->kind);
    record_put_i64(bytes, info->n_vocab);
    record_put_i64(bytes, info->n_context);
    record_put_i64(bytes, info->n_layers);
    record_put_i64(bytes, info->width);
    write_pooling(&model->pooling, bytes);
    write_prompts(&model->prompts, bytes);
    write_labels(model, bytes);
    record_put_i64(bytes, model->bos_id);
    record_put_u32(bytes, (uint32_t)model->n_eos_ids);
    for (size_t i = 0; i < model->n_eos_ids; i++) record_put_i64(bytes, model->eos_ids[i]);
    record_put_u32(bytes, model->graph->n_outputs);
    for (uint32_t i = 0; i < model->graph->n_outputs; i++) record_put_u8(bytes, model->are_optional_outputs[i]);
}

/* The template, and behind it the one for conversations with tools where there is another. */
static void write_chat_templates(const struct hob_model *model, struct buffer *bytes)
{
    if (model->chat_template) buffer_append(bytes, model->chat_template, strlen(model->chat_template) + 1);
    if (model->chat_template && model->tool_template) buffer_append(bytes, model->tool_template, strlen(model->tool_template) + 1);
}

hob_status pack_model_write(const struct hob_model *model, const struct pack_origin *origin, struct pack_content *content,
                            hob_error *error)
{
    struct buffer *sections = content->sections;
    write_origin(model, origin, &sections[PACK_SOURCE]);
    write_model(model, &sections[PACK_MODEL]);
    if (model->tokenizer) TRY(tokenizer_write((const struct tokenizer *)model->tokenizer, &sections[PACK_TOKENIZER], error));
    write_chat_templates(model, &sections[PACK_CHAT_TEMPLATE]);
    for (int id = 0; id < PACK_N_SECTIONS; id++)
        if (sections[id].is_failed) FAIL(error, HOB_NO_MEMORY, "a pack's section %s: out of memory", pack_section_name((enum pack_section_id)id));
    return HOB_OK;
}

/* ---- reading ---- */

static void read_pooling(struct record_reader *reader, struct model_pooling *pooling)
{
    uint8_t mode = record_u8(reader);
    if (mode > HOB_POOLING_LAST) record_fail(reader);
    pooling->mode = (hob_pooling)mode;
    pooling->is_normalized = record_bool(reader);
    pooling->is_stated = record_bool(reader);
    pooling->is_plain_text = record_bool(reader);
    pooling->max_tokens = record_i64(reader);
}

static hob_status read_prompts(struct record_reader *reader, struct arena *arena, struct model_prompts *prompts, hob_error *error)
{
    uint32_t n_prompts = record_count(reader, LEAST_PROMPT_BYTES);
    struct model_prompt *items = ARENA_NEW(arena, struct model_prompt, n_prompts);
    if (!items) FAIL(error, HOB_NO_MEMORY, "prompts: out of memory");
    for (uint32_t i = 0; i < n_prompts; i++) {
        const char *name = record_name(reader);
        items[i] = (struct model_prompt){.name = name, .text = record_name(reader)};
    }
    const char *default_name = record_name(reader);
    *prompts = (struct model_prompts){.items = items, .n = n_prompts, .default_name = *default_name ? default_name : NULL};
    if (prompts->default_name && !model_find_prompt(prompts, default_name)) record_fail(reader);
    return HOB_OK;
}

static hob_status read_labels(struct record_reader *reader, struct hob_model *model, hob_error *error)
{
    model->info.is_causal = record_bool(reader);
    uint8_t activation = record_u8(reader);
    if (activation > ACTIVATION_NONE) record_fail(reader);
    uint32_t n_labels = record_count(reader, LEAST_LABEL_BYTES);
    if (n_labels > MODEL_MAX_LABELS || (n_labels == 0) != (model->info.kind != HOB_MODEL_CLASSIFIER)) record_fail(reader);
    if (reader->is_bad) return HOB_OK;
    const char **names = ARENA_NEW(&model->graph->arena, const char *, n_labels);
    if (!names) FAIL(error, HOB_NO_MEMORY, "labels: out of memory");
    for (uint32_t i = 0; i < n_labels; i++) names[i] = record_name(reader);
    model->labels = (struct model_labels){.names = names, .n = n_labels, .activation = (enum model_activation)activation};
    return HOB_OK;
}

static void read_info(struct record_reader *reader, hob_model_info *info)
{
    info->architecture = record_name(reader);
    uint8_t kind = record_u8(reader);
    if (kind > HOB_MODEL_CLASSIFIER) record_fail(reader);
    else info->kind = (hob_model_kind)kind;
    info->n_vocab = record_i64(reader);
    info->n_context = record_i64(reader);
    info->n_layers = record_i64(reader);
    info->width = record_i64(reader);
    if (info->n_vocab < 0 || info->n_context < 0 || info->n_layers < 0 || info->width < 0) record_fail(reader);
}

static void read_ids(struct record_reader *reader, struct hob_model *model)
{
    model->bos_id = record_i64(reader);
    uint32_t n_eos_ids = record_u32(reader);
    if (n_eos_ids > MODEL_MAX_EOS_IDS) {
        record_fail(reader);
        return;
    }
    model->n_eos_ids = n_eos_ids;
    for (uint32_t i = 0; i < n_eos_ids; i++) model->eos_ids[i] = record_i64(reader);
}

static hob_status read_optional_outputs(struct record_reader *reader, struct hob_model *model, hob_error *error)
{
    uint32_t n_outputs = record_count(reader, 1);
    if (n_outputs != model->graph->n_outputs) record_fail(reader);
    bool *are_optional = ARENA_NEW(&model->graph->arena, bool, n_outputs);
    if (!are_optional) FAIL(error, HOB_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n_outputs; i++) are_optional[i] = record_bool(reader);
    model->are_optional_outputs = are_optional;
    return HOB_OK;
}

static hob_status read_chat_template(const struct pack *pack, struct hob_model *model, hob_error *error)
{
    size_t n_bytes;
    const char *text = pack_bytes(pack, PACK_CHAT_TEMPLATE, &n_bytes);
    if (!n_bytes) return HOB_OK;
    size_t n_first = strnlen(text, n_bytes) + 1;
    bool has_second = n_first < n_bytes;
    if (n_first > n_bytes || (has_second && strnlen(text + n_first, n_bytes - n_first) != n_bytes - n_first - 1))
        FAIL(error, HOB_BAD_FILE, "section chat_template: found a text that does not end where it should");
    model->chat_template = text;
    model->tool_template = has_second ? text + n_first : NULL;
    return HOB_OK;
}

hob_status pack_model_read(const struct pack *pack, struct hob_model *model, hob_error *error)
{
    struct record_reader reader = pack_read(pack, PACK_MODEL);
    read_info(&reader, &model->info);
    read_pooling(&reader, &model->pooling);
    TRY(read_prompts(&reader, &model->graph->arena, &model->prompts, error));
    TRY(read_labels(&reader, model, error));
    read_ids(&reader, model);
    TRY(read_optional_outputs(&reader, model, error));
    if (!record_is_read(&reader)) FAIL(error, HOB_BAD_FILE, "section model: the record is damaged at byte %zu", (size_t)(reader.at - reader.start));
    model->info.format = "pack";
    model->info.pooling = model->pooling.mode;
    model->info.is_normalized = model->pooling.is_normalized;
    model->info.n_labels = (int64_t)model->labels.n;
    model->info.n_text_tokens = encode_most_tokens(model);
    return read_chat_template(pack, model, error);
}

hob_status pack_origin_read(const struct pack *pack, struct pack_origin *ret_origin, struct record_reader *ret_passes,
                            uint32_t *ret_n_passes, hob_error *error)
{
    struct record_reader reader = pack_read(pack, PACK_SOURCE);
    struct pack_origin origin = {.format = record_name(&reader)};
    origin.n_bytes = record_u64(&reader);
    origin.quant = record_text(&reader, NULL);
    *ret_n_passes = record_count(&reader, LEAST_PASS_BYTES);
    if (reader.is_bad) FAIL(error, HOB_BAD_FILE, "section source: the record is damaged");
    *ret_origin = origin;
    *ret_passes = reader;
    return HOB_OK;
}

hob_status pack_tokenizer_read(const struct pack *pack, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct record_reader reader = pack_read(pack, PACK_TOKENIZER);
    *ret_tokenizer = NULL;
    return pack->sections[PACK_TOKENIZER].n_bytes ? tokenizer_read(&reader, ret_tokenizer, error) : HOB_OK;
}
