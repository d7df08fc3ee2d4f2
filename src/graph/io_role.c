#include "graph/io_role.h"
#include "base/size.h"

#include <string.h>

const char input_positions_name[] = "positions", input_rows_name[] = "rows", input_segments_name[] = "segments", input_capacity_name[] = "capacity";

/* transformers, optimum, ORT-genai, and our own. */
static const struct {
    const char *name;
    enum input_role role;
} input_names[] = {
    {"ids", INPUT_IDS},
    {"input_ids", INPUT_IDS},
    {"decoder_input_ids", INPUT_IDS},
    {input_positions_name, INPUT_POSITIONS},
    {"position_ids", INPUT_POSITIONS},
    {"attention_mask", INPUT_MASK},
    {"token_types", INPUT_TOKEN_TYPES},
    {"token_type_ids", INPUT_TOKEN_TYPES},
    {"segment_ids", INPUT_TOKEN_TYPES},
    {input_rows_name, INPUT_ROWS},
    {input_segments_name, INPUT_SEGMENTS},
    {input_capacity_name, INPUT_CAPACITY},
    {"use_cache_branch", INPUT_USE_CACHE},
};

static const struct {
    const char *name;
    enum output_role role;
} output_names[] = {
    {"logits", OUTPUT_LOGITS},
    {"hidden", OUTPUT_HIDDEN},
    {"last_hidden_state", OUTPUT_HIDDEN},
    {"token_embeddings", OUTPUT_HIDDEN},
    {"sentence_embedding", OUTPUT_SENTENCE},
    {"label_logits", OUTPUT_LABELS},
};

static enum input_role name_role(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(input_names); i++)
        if (!strcmp(name, input_names[i].name)) return input_names[i].role;
    return strstr(name, "past") ? INPUT_PAST : INPUT_OTHER;
}

static bool is_token_type(enum dtype dtype)
{
    return dtype == DTYPE_I64 || dtype == DTYPE_I32;
}

enum input_role input_role_find(const struct value *input)
{
    enum input_role role = name_role(input->name);
    bool is_ints = role != INPUT_PAST && role != INPUT_USE_CACHE && role != INPUT_MASK;
    if (is_ints && !is_token_type(input->dtype)) return INPUT_OTHER;
    if (role == INPUT_PAST && (!dtype_is_float(input->dtype) || input->rank < 3)) return INPUT_OTHER;
    return role;
}

/* [B,L] out of ids [B,S], where a language model's are [B,S,V]. */
static bool is_per_text(const struct graph *graph, uint32_t output)
{
    bool has_rows_of_ids = false;
    for (uint32_t i = 0; i < graph->n_inputs; i++) {
        enum input_role role = input_role_find(&graph->values[graph->inputs[i]]);
        if (role == INPUT_PAST || role == INPUT_ROWS) return false;
        has_rows_of_ids |= role == INPUT_IDS && graph->values[graph->inputs[i]].rank == 2;
    }
    return has_rows_of_ids && graph->values[graph->outputs[output]].rank == 2;
}

enum output_role output_role_find(const struct graph *graph, uint32_t output)
{
    for (size_t i = 0; i < ARRAY_LENGTH(output_names); i++) {
        if (strcmp(graph->output_names[output], output_names[i].name)) continue;
        return output_names[i].role == OUTPUT_LOGITS && is_per_text(graph, output) ? OUTPUT_LABELS : output_names[i].role;
    }
    return OUTPUT_OTHER;
}
