/* Opening a file as a model and using it once, whatever it is: what a test of damaged files does with each.
 *
 *     hob_error error = {0};
 *     hob_status status = try_model(path, &error);
 */
#ifndef TESTS_ENGINE_TRY_MODEL_H
#define TESTS_ENGINE_TRY_MODEL_H

#include "unit.h"

#include "engine/model.h"
#include "hob/hob.h"

enum { TRY_MAX_INPUTS = 32 };

/* Zeros of the declared type and shape; unknown dimensions are 1. An input of no plain type is left out. */
static inline hob_status try_zeros(const struct value *input, hob_tensor **ret_tensor)
{
    int64_t dims[HOB_MAX_RANK];
    int rank = input->rank < 0 ? 0 : input->rank;
    if (rank > HOB_MAX_RANK) return HOB_BAD_SHAPE;
    for (int d = 0; d < rank; d++) dims[d] = input->dims[d] == DIM_UNKNOWN ? 1 : input->dims[d];
    return hob_tensor_new((hob_type)input->dtype, rank, dims, NULL, ret_tensor, NULL);
}

static inline hob_status try_graph(hob_session *session, const struct hob_model *model, hob_error *error)
{
    hob_named_tensor inputs[TRY_MAX_INPUTS];
    hob_tensor *tensors[TRY_MAX_INPUTS] = {0}, *outputs[TRY_MAX_INPUTS] = {0};
    size_t n_inputs = 0, n_outputs = hob_model_n_outputs(model);
    if (n_outputs > TRY_MAX_INPUTS) return HOB_OK;
    for (size_t i = 0; i < hob_model_n_inputs(model) && i < TRY_MAX_INPUTS; i++) {
        const struct value *input = &model->graph->values[model->graph->inputs[i]];
        if (try_zeros(input, &tensors[n_inputs]) != HOB_OK) continue;
        inputs[n_inputs] = (hob_named_tensor){input->name, tensors[n_inputs]};
        n_inputs++;
    }
    hob_status status = hob_session_run(session, inputs, n_inputs, outputs, n_outputs, error);
    for (size_t i = 0; i < TRY_MAX_INPUTS; i++) hob_tensor_free(tensors[i]);
    for (size_t i = 0; i < TRY_MAX_INPUTS; i++) hob_tensor_free(outputs[i]);
    return status;
}

static inline hob_status try_use(hob_session *session, const struct hob_model *model, hob_error *error)
{
    const char *text = "A text of words.";
    hob_model_info info = hob_model_get_info(model);
    hob_generate_options options = {.max_tokens = 2};
    if (info.kind == HOB_MODEL_DECODER)
        return hob_generate(session, (int32_t[]){1, 2, 3}, 3, &options, NULL, NULL, NULL, error);
    if (info.kind == HOB_MODEL_GRAPH) return try_graph(session, model, error);
    float *vector = test_calloc((size_t)info.width + 1, sizeof *vector);
    hob_status status = hob_embed(session, &text, NULL, 1, NULL, vector, error);
    test_free(vector);
    return status;
}

static inline hob_status try_model(const char *path, hob_error *error)
{
    hob_model *model;
    hob_session *session;
    hob_session_options options = {.n_threads = 1, .n_context_tokens = 16};
    hob_status status = hob_model_open(path, NULL, &model, error);
    if (status != HOB_OK) return status;
    status = hob_session_new(model, &options, &session, error);
    if (status == HOB_OK) {
        status = try_use(session, model, error);
        hob_session_free(session);
    }
    hob_model_free(model);
    return status;
}

#endif
