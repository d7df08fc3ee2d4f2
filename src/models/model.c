/* The steps that every architecture goes through. */
#include "models/model.h"

#include "base/error.h"
#include "models/draft.h"
#include "models/sequence_head.h"

#include <string.h>

enum { GRAPH_OPSET = 17 }; /* of ai.onnx, whose operators the architectures use beside ours */

static void read_ids(const struct model_source *source, struct model_info *info)
{
    if (!model_source_ints(source, KEY_BOS, 1, &info->bos_id)) info->bos_id = -1;
    info->n_eos_ids = model_source_ints(source, KEY_EOS, MODEL_MAX_EOS_IDS, info->eos_ids);
    if (info->n_eos_ids < MODEL_MAX_EOS_IDS)
        info->n_eos_ids += model_source_ints(source, KEY_EOM, 1, &info->eos_ids[info->n_eos_ids]);
}

/* llama.cpp's enum llama_pooling_type, as GGUF files hold it. RANK is a classifier's, which has a head. */
static hob_status read_gguf_pooling(const struct model_source *source, struct model_pooling *pooling, hob_error *error)
{
    enum { NONE, MEAN, CLS, LAST, RANK };
    static const hob_pooling modes[] = {
        [NONE] = HOB_POOLING_MEAN, [MEAN] = HOB_POOLING_MEAN, [CLS] = HOB_POOLING_CLS, [LAST] = HOB_POOLING_LAST, [RANK] = HOB_POOLING_CLS};
    int64_t mode;
    TRY(model_source_int(source, KEY_POOLING, NONE, &mode, error));
    if (mode > RANK) return model_source_refuse(source, KEY_POOLING, "0 to 4 (none, mean, CLS, last, rank)", error);
    *pooling = (struct model_pooling){.mode = modes[mode], .is_normalized = true, .is_stated = mode != NONE};
    return HOB_OK;
}

/* Language models look back only. */
static hob_status refuse_both_sides(const struct model_source *source, struct model_info *info, hob_error *error)
{
    if (source->def->kind != MODEL_DECODER) return HOB_OK;
    info->is_causal = true;
    bool is_causal;
    TRY(model_source_bool(source, KEY_IS_CAUSAL, true, &is_causal, error));
    return is_causal ? HOB_OK : model_source_refuse(source, KEY_IS_CAUSAL, "true", error);
}

static hob_status read_info(const struct model_source *source, const char *folder, struct model_info *info,
                            hob_error *error)
{
    *info = (struct model_info){.architecture = source->def->name, .kind = source->def->kind};
    read_ids(source, info);
    if (sequence_head_is_there(source)) {
        info->kind = MODEL_CLASSIFIER;
        info->pooling = (struct model_pooling){.mode = HOB_POOLING_CLS};
        return refuse_both_sides(source, info, error);
    }
    TRY(model_source_is_gguf(source) ? read_gguf_pooling(source, &info->pooling, error)
                                     : model_read_pooling(folder ? folder : ".", &info->pooling, error));
    /* Language models whose files say how to pool were made to embed (Qwen3-Embedding, E5-Mistral). */
    if (info->kind != MODEL_DECODER || !info->pooling.is_stated) return HOB_OK;
    info->kind = MODEL_ENCODER;
    return refuse_both_sides(source, info, error);
}

static hob_status build_graph(const struct model_source *source, struct graph *graph, struct model_info *info,
                              hob_error *error)
{
    struct draft draft = {.source = source, .info = info, .segments = VALUE_NONE};
    builder_init(&draft.builder, graph);
    TRY(graph_add_opset(graph, "", GRAPH_OPSET, error));
    TRY(source->def->build(&draft, error));
    TRY(builder_finish(&draft.builder, error));
    if (info->kind == MODEL_CLASSIFIER) return sequence_head_read_labels(&draft, error);
    if (draft_is_embedder(&draft) && strcmp(graph->output_names[0], "hidden"))
        FAIL(error, HOB_UNSUPPORTED, "%s: found how to pool hidden states, expected none: %s cannot embed", source->where, source->def->name);
    return HOB_OK;
}

hob_status model_build(const struct tensor_file *file, const char *folder, struct graph **ret_graph,
                       struct model_info *ret_info, hob_error *error)
{
    hob_status status = HOB_OK;
    struct model_source source = {0};
    struct graph *graph = NULL;
    struct model_info info;
    TRY_CLEANUP(model_source_open(file, folder, &source, error));
    TRY_CLEANUP(read_info(&source, folder, &info, error));
    TRY_CLEANUP(graph_new(NULL, &graph, error));
    TRY_CLEANUP(build_graph(&source, graph, &info, error));
    *ret_graph = graph;
    *ret_info = info;
    graph = NULL;
cleanup:
    graph_free(graph);
    model_source_close(&source);
    return status;
}
