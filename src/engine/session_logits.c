/* Logits as a run left them. */
#include "base/error.h"
#include "engine/session.h"
#include "kernels/kernels.h"

#include <string.h>

static hob_status check_logits(const struct hob_session *session, const struct tensor *logits, int64_t n_rows, hob_error *error)
{
    int last = logits->rank - 1;
    if (logits->dtype != DTYPE_F32 && logits->dtype != DTYPE_F16 && logits->dtype != DTYPE_BF16)
        FAIL(error, HOB_BAD_TYPE, "logits: found %s, expected float32, float16 or bfloat16", dtype_name(logits->dtype));
    if (logits->rank < 2 || !tensor_n_items(logits) || logits->strides[last] != 1)
        FAIL(error, HOB_BAD_SHAPE, "logits: found rank %d, expected positions by vocabulary", logits->rank);
    if (session->n_vocab && logits->dims[last] != session->n_vocab)
        FAIL(error, HOB_BAD_SHAPE, "logits: found %lld, expected the vocabulary's %lld", (long long)logits->dims[last],
             (long long)session->n_vocab);
    if (logits->dims[last - 1] < n_rows)
        FAIL(error, HOB_BAD_SHAPE, "logits: found those of %lld positions, expected %lld", (long long)logits->dims[last - 1],
             (long long)n_rows);
    return HOB_OK;
}

hob_status session_read_logits(struct hob_session *session, const struct executor *executor, int64_t n_rows, struct logit_rows *ret_rows,
                               hob_error *error)
{
    const struct tensor *output = executor_output(executor, session->model->roles.logits);
    TRY(check_logits(session, output, n_rows, error));
    int last = output->rank - 1;
    session->n_vocab = output->dims[last];
    *ret_rows = (struct logit_rows){.tensor = output, .first = output->dims[last - 1] - n_rows};
    bool is_plain = output->dtype == DTYPE_F32 && (n_rows == 1 || output->strides[last - 1] == session->n_vocab);
    if (is_plain) ret_rows->as_is = (const float *)output->data + ret_rows->first * output->strides[last - 1];
    return HOB_OK;
}

void logit_rows_copy(const struct hob_session *session, const struct logit_rows *rows, int64_t row, float *ret_logits)
{
    const struct kernels *kernels = session->provider.kernels;
    const struct tensor *tensor = rows->tensor;
    int64_t n = session->n_vocab, at = (rows->first + row) * tensor->strides[tensor->rank - 2];
    if (tensor->dtype == DTYPE_F16) kernels->f32_from_f16(n, (const uint16_t *)tensor->data + at, ret_logits);
    else if (tensor->dtype == DTYPE_BF16) kernels->f32_from_bf16(n, (const uint16_t *)tensor->data + at, ret_logits);
    else memcpy(ret_logits, (const float *)tensor->data + at, (size_t)n * sizeof *ret_logits);
}
