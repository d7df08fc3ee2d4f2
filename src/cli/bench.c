#include "cli/bench.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/progress.h"

hob_status bench_open(struct bench *bench, int64_t n_context_tokens, hob_error *error)
{
    struct progress progress;
    progress_init(&progress);
    hob_model_options how = {.progress = progress_show, .progress_context = &progress};
    bench->opening = stopwatch_start();
    hob_status status = hob_model_open(bench->path, &how, &bench->model, error);
    progress_clear(&progress);
    TRY(status);
    hob_session_options session = {.n_threads = bench->settings->n_threads, .n_context_tokens = n_context_tokens,
                                   .cache_type = bench->settings->cache_type};
    TRY(hob_session_new(bench->model, &session, &bench->session, error));
    bench->load_ms = stopwatch_ms(&bench->opening);
    return HOB_OK;
}

void bench_release(struct bench *bench)
{
    hob_session_free(bench->session);
    hob_model_free(bench->model);
    bench->session = NULL;
    bench->model = NULL;
}

/* Some ONNX encoders do not say how many ids they know; then the tokenizer beside them does, if there is one. */
static size_t count_vocabulary(const hob_model *model)
{
    int64_t n_vocab = hob_model_get_info(model).n_vocab;
    if (n_vocab > 0) return (size_t)n_vocab;
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model);
    return tokenizer ? hob_tokenizer_n_tokens(tokenizer) : 0;
}

int32_t *bench_make_ids(const hob_model *model, size_t n, size_t first, size_t range)
{
    size_t n_vocab = count_vocabulary(model);
    int32_t *ids = memory_new(n, sizeof *ids);
    for (size_t i = 0; ids && i < n; i++) {
        size_t id = first + i * 7919 % range;
        ids[i] = (int32_t)(n_vocab ? id % n_vocab : id);
    }
    return ids;
}
