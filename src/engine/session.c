#include "engine/session.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "engine/kv/cache_folder.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/paged_batch.h"
#include "engine/kv/prefix_cache.h"
#include "engine/kv/sequence.h"
#include "engine/tensor.h"
#include "providers/providers.h"

#include <string.h>

enum { DEFAULT_CONTEXT_TOKENS = 4096, MAX_CONTEXT_TOKENS = 1 << 24 };

static int64_t choose_context(const struct hob_model *model, const hob_session_options *options)
{
    int64_t made_for = model->info.n_context;
    int64_t wanted = options->n_context_tokens;
    if (wanted <= 0) wanted = made_for > 0 && made_for < DEFAULT_CONTEXT_TOKENS ? made_for : DEFAULT_CONTEXT_TOKENS;
    return wanted;
}

static hob_status check_context(const struct hob_model *model, int64_t n_context_tokens, hob_error *error)
{
    int64_t made_for = model->info.n_context;
    int64_t most = made_for > 0 && made_for < MAX_CONTEXT_TOKENS ? made_for : MAX_CONTEXT_TOKENS;
    if (n_context_tokens > most)
        FAIL(error, HOB_LIMIT, "found a context of %lld tokens, expected at most %lld, which the model was made for",
             (long long)n_context_tokens, (long long)most);
    return HOB_OK;
}

static hob_status start(struct hob_session *session, const hob_session_options *options, hob_error *error)
{
    session->n_context_tokens = choose_context(session->model, options);
    session->max_memory_bytes = options->max_memory_bytes;
    TRY(check_context(session->model, session->n_context_tokens, error));
    TRY(session->provider.def->open(&(struct provider_options){.n_threads = options->n_threads}, &session->provider, error));
    return session_open_executor(session, options, error);
}

static hob_status set_up(struct hob_session *session, const hob_session_options *options, hob_error *error)
{
    hob_memory_forecast forecast;
    TRY(start(session, options, error));
    if (session->model->info.kind != HOB_MODEL_DECODER) return HOB_OK;
    TRY(session_forecast(session, options, &forecast, error));
    TRY(session_check_memory(&forecast, error));
    TRY(session_open_caches(session, options, &forecast, error));
    return sequence_new(session, &session->sequence, error);
}

static hob_status make_session(hob_model *model, hob_session **ret_session, hob_error *error)
{
    struct hob_session *session = memory_new(1, sizeof *session);
    if (!session) FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
    arena_init(&session->arena, 4 * 1024);
    arena_init(&session->run_arena, SESSION_RUN_ARENA_BYTES);
    session->n_vocab = model->info.n_vocab;
    session->provider.def = provider_find("cpu");
    session->model = model;
    hob_model_ref(model);
    *ret_session = session;
    return HOB_OK;
}

hob_status hob_forecast_memory(hob_model *model, const hob_session_options *options, hob_memory_forecast *ret_forecast, hob_error *error)
{
    hob_session_options defaults = {0};
    struct hob_session *session;
    if (model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "memory: found a model of architecture %s, expected a language model, whose runs have a known size",
             model->info.architecture);
    TRY(make_session(model, &session, error));
    if (!options) options = &defaults;
    hob_status status = start(session, options, error);
    if (status == HOB_OK) status = session_forecast(session, options, ret_forecast, error);
    hob_session_free(session);
    return status;
}

hob_status hob_session_new(hob_model *model, const hob_session_options *options, hob_session **ret_session, hob_error *error)
{
    hob_session_options defaults = {0};
    struct hob_session *session;
    TRY(make_session(model, &session, error));
    hob_status status = set_up(session, options ? options : &defaults, error);
    if (status == HOB_OK) *ret_session = session;
    else hob_session_free(session);
    return status;
}

void hob_session_free(hob_session *session)
{
    if (!session) return;
    sequence_free(session->sequence);
    memory_free(session->entries);
    sequence_free_spares(session);
    executor_free(session->executor);
    paged_batch_free(session->batch);
    cache_folder_free(session->cache_folder);
    prefix_cache_free(session->prefixes);
    memory_free(session->prefix_blocks);
    kv_cache_free(session->kv_cache);
    session->provider.def->release(&session->provider);
    arena_release(&session->arena);
    arena_release(&session->run_arena);
    hob_model_free(session->model);
    memory_free(session);
}

size_t hob_session_n_threads(const hob_session *session)
{
    return thread_pool_n_threads(session->provider.pool);
}

hob_status session_reserve_entries(hob_session *session, size_t n_entries, hob_error *error)
{
    if (n_entries <= session->n_reserved_entries) return HOB_OK;
    struct batch_entry *entries = memory_new(n_entries, sizeof *entries);
    if (!entries) FAIL(error, HOB_NO_MEMORY, "a step of %zu texts: out of memory", n_entries);
    memory_free(session->entries);
    session->entries = entries;
    session->n_reserved_entries = n_entries;
    return HOB_OK;
}

/* ---- running any graph ---- */

static hob_status bind_inputs(hob_session *session, const hob_named_tensor *inputs, size_t n_inputs, hob_error *error)
{
    const struct graph *graph = session->model->graph;
    struct tensor missing = {0};
    for (uint32_t i = 0; i < graph->n_inputs; i++) executor_bind(session->executor, i, &missing);
    for (size_t i = 0; i < n_inputs; i++) {
        uint32_t index;
        TRY(model_find_input(session->model, inputs[i].name, &index, error));
        executor_bind(session->executor, index, &inputs[i].tensor->tensor);
    }
    return HOB_OK;
}

hob_status hob_session_run(hob_session *session, const hob_named_tensor *inputs, size_t n_inputs, hob_tensor **ret_outputs,
                           size_t n_outputs, hob_error *error)
{
    hob_status status = HOB_OK;
    if (n_outputs != session->model->graph->n_outputs)
        FAIL(error, HOB_BAD_ARGUMENT, "found room for %zu outputs, expected %u", n_outputs, session->model->graph->n_outputs);
    hob_tensor **outputs = memory_new(n_outputs, sizeof *outputs);
    if (!outputs) FAIL(error, HOB_NO_MEMORY, "outputs: out of memory");
    session->logits = NULL;
    TRY_CLEANUP(bind_inputs(session, inputs, n_inputs, error));
    TRY_CLEANUP(executor_run(session->executor, NULL, error));
    for (size_t i = 0; i < n_outputs; i++) {
        TRY_CLEANUP(hob_tensor_from(executor_output(session->executor, (uint32_t)i), &outputs[i], error));
        outputs[i]->is_optional = session->model->are_optional_outputs[i];
    }
    memcpy(ret_outputs, outputs, n_outputs * sizeof *outputs);
    memset(outputs, 0, n_outputs * sizeof *outputs);
cleanup:
    for (size_t i = 0; i < n_outputs; i++) hob_tensor_free(outputs[i]);
    memory_free(outputs);
    return status;
}

/* ---- decoders ---- */

static hob_status check_decoder(const hob_session *session, hob_error *error)
{
    if (session->model->info.kind == HOB_MODEL_DECODER) return HOB_OK;
    FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s): it has no logits to generate from",
         session->model->info.architecture);
}

/* ret_logits NULL: the last position's are all that is wanted. */
static hob_status append(hob_session *session, const int32_t *ids, size_t n_ids, float *ret_logits, hob_error *error)
{
    session->logits = NULL;
    struct batch_entry entry = {.sequence = session->sequence, .ids = ids, .n_ids = (int64_t)n_ids};
    entry.n_rows = ret_logits ? entry.n_ids : 1;
    TRY(batch_run(session, &entry, 1, error));
    if (ret_logits) memcpy(ret_logits, entry.logits, n_ids * (size_t)session->n_vocab * sizeof *ret_logits);
    session->logits = entry.logits + (entry.n_rows - 1) * session->n_vocab;
    return HOB_OK;
}

hob_status hob_session_append(hob_session *session, const int32_t *ids, size_t n_ids, hob_error *error)
{
    TRY(check_decoder(session, error));
    return n_ids ? append(session, ids, n_ids, NULL, error) : HOB_OK;
}

/* Logits of as many positions are held twice at a time. */
enum { ROWS_TOGETHER = 64 };

hob_status hob_session_append_all(hob_session *session, const int32_t *ids, size_t n_ids, float *ret_logits, hob_error *error)
{
    TRY(check_decoder(session, error));
    if (session->n_vocab <= 0) FAIL(error, HOB_UNSUPPORTED, "the model does not say how large its vocabulary is");
    TRY(sequence_check_ids(session->sequence, ids, (int64_t)n_ids, error));
    int64_t n_before = sequence_n_tokens(session->sequence);
    for (size_t done = 0; done < n_ids; done += ROWS_TOGETHER) {
        size_t n = n_ids - done < ROWS_TOGETHER ? n_ids - done : ROWS_TOGETHER;
        hob_status status = append(session, ids + done, n, ret_logits + done * (size_t)session->n_vocab, error);
        if (status == HOB_OK) continue;
        hob_status ignored = sequence_rewind(session->sequence, n_before, NULL);
        (void)ignored; /* the first failure is the one to report */
        return status;
    }
    return HOB_OK;
}

const float *hob_session_logits(const hob_session *session)
{
    return session->logits;
}

size_t hob_session_n_tokens(const hob_session *session)
{
    return session->sequence ? (size_t)sequence_n_tokens(session->sequence) : 0;
}

size_t hob_session_n_context_tokens(const hob_session *session)
{
    return (size_t)session->n_context_tokens;
}

hob_status hob_session_rewind(hob_session *session, size_t n_tokens, hob_error *error)
{
    TRY(check_decoder(session, error));
    TRY(sequence_rewind(session->sequence, n_tokens < INT64_MAX ? (int64_t)n_tokens : INT64_MAX, error));
    session->logits = NULL;
    return HOB_OK;
}
