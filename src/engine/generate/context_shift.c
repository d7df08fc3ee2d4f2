#include "engine/generate/context_shift.h"

#include <string.h>

static bool begins_text(const struct request *request)
{
    const struct hob_model *model = request->session->model;
    int32_t first = request->prompt[0];
    return first == model->bos_id || (model->tokenizer && first == hob_tokenizer_role(model->tokenizer, HOB_TOKEN_BOS));
}

size_t context_shift_n_keep(const struct request *request)
{
    size_t n_keep = request->options.n_keep;
    if (n_keep > request->n_prompt) n_keep = request->n_prompt;
    if (n_keep == 0 && begins_text(request)) n_keep = 1;
    size_t most = (size_t)request->session->n_context_tokens - 2;
    return n_keep < most ? n_keep : most;
}

size_t context_shift(int32_t *ids, size_t n_ids, size_t n_keep)
{
    size_t n_forgotten = (n_ids - n_keep) / 2, n_kept = n_ids - n_forgotten;
    memmove(ids + n_keep, ids + n_keep + n_forgotten, (n_kept - n_keep) * sizeof *ids);
    return n_kept;
}
