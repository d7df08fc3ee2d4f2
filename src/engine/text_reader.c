#include "engine/text_reader.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "hob/model.h"
#include "engine/session.h"

enum { MOST_BYTES = 32 << 20, MOST_ROWS = 192 };

hob_status text_reader_init(struct text_reader *reader, hob_session *session, hob_error *error)
{
    hob_model_info info = session->model->info;
    if (info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s)", info.architecture);
    if (info.n_vocab <= 0) FAIL(error, HOB_UNSUPPORTED, "the model does not state how many tokens its vocabulary has");
    size_t n_vocab = (size_t)info.n_vocab, n_rows = MOST_BYTES / sizeof(float) / n_vocab;
    n_rows = n_rows > MOST_ROWS ? MOST_ROWS : n_rows ? n_rows : 1;
    size_t n_floats;
    float *logits = size_mul(n_rows, n_vocab, &n_floats) ? memory_new(n_floats, sizeof *logits) : NULL;
    if (!logits) FAIL(error, HOB_NO_MEMORY, "no memory for the logits of %zu tokens", n_rows);
    *reader = (struct text_reader){session, n_vocab, n_rows, logits};
    return HOB_OK;
}

void text_reader_release(struct text_reader *reader)
{
    memory_free(reader->logits);
    *reader = (struct text_reader){0};
}

hob_status text_reader_read(struct text_reader *reader, const int32_t *ids, size_t n_ids, size_t first,
                            text_reader_see *see, void *context, bool *ret_is_stopped, hob_error *error)
{
    TRY(hob_session_rewind(reader->session, 0, error));
    TRY(hob_session_append(reader->session, ids, first - 1, error));
    bool goes_on = true;
    for (size_t at = first - 1; goes_on && at + 1 < n_ids; at += reader->n_rows) {
        size_t n = n_ids - 1 - at < reader->n_rows ? n_ids - 1 - at : reader->n_rows;
        TRY(hob_session_append_all(reader->session, ids + at, n, reader->logits, error));
        for (size_t row = 0; goes_on && row < n; row++)
            goes_on = see(context, at + row + 1, reader->logits + row * reader->n_vocab);
    }
    *ret_is_stopped = !goes_on;
    return HOB_OK;
}
