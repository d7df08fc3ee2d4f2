#include "engine/generate/request.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/generate/drafts.h"
#include "engine/grammar.h"

#include <string.h>

enum { CHUNK_TOKENS = 192, MOST_TEXTS = 1024 };
#define MOST_MS (UINT64_C(1000) * 60 * 60 * 24 * 365) /* more is no limit, and must not overflow */

static hob_status copy_array(struct arena *arena, const void *items, size_t n_bytes, const void **ret_copy, hob_error *error)
{
    *ret_copy = NULL;
    if (n_bytes && !(*ret_copy = arena_copy(arena, items, n_bytes, sizeof(void *)))) FAIL(error, HOB_NO_MEMORY, "a request: out of memory");
    return HOB_OK;
}

static hob_status copy_texts(struct arena *arena, const char *const *texts, size_t n_texts, const char *const **ret_copy, hob_error *error)
{
    const char **copies = ARENA_NEW(arena, const char *, n_texts);
    for (size_t i = 0; copies && i < n_texts; i++) {
        copies[i] = arena_copy_string(arena, texts[i], strlen(texts[i]));
        if (!copies[i]) copies = NULL;
    }
    if (!copies) FAIL(error, HOB_NO_MEMORY, "a request: out of memory");
    *ret_copy = copies;
    return HOB_OK;
}

static hob_status copy_options(struct request *request, const hob_generate_options *options, hob_error *error)
{
    const void *stop_ids, *biases;
    struct arena *arena = &request->arena;
    request->options = *options;
    TRY(copy_texts(arena, options->stops, options->n_stops, &request->options.stops, error));
    TRY(copy_array(arena, options->stop_ids, options->n_stop_ids * sizeof *options->stop_ids, &stop_ids, error));
    TRY(copy_array(arena, options->logit_biases, options->n_logit_biases * sizeof *options->logit_biases, &biases, error));
    request->options.stop_ids = stop_ids;
    request->options.logit_biases = biases;
    if (options->dry_breakers) TRY(copy_texts(arena, options->dry_breakers, options->n_dry_breakers, &request->options.dry_breakers, error));
    if (!options->n_samples) request->options.n_samples = 1;
    if (!options->chunk_tokens) request->options.chunk_tokens = CHUNK_TOKENS;
    return HOB_OK;
}

static hob_status list_ends(struct request *request, hob_error *error)
{
    const struct hob_model *model = request->session->model;
    const hob_generate_options *options = &request->options;
    request->n_model_ends = options->ignores_end ? 0 : model->n_eos_ids;
    request->n_end_ids = request->n_model_ends + options->n_stop_ids;
    int32_t *ids = ARENA_NEW(&request->arena, int32_t, request->n_end_ids);
    if (!ids) FAIL(error, HOB_NO_MEMORY, "a request: out of memory");
    for (size_t i = 0; i < request->n_model_ends; i++) {
        int64_t id = model->eos_ids[i];
        ids[i] = id >= 0 && id <= INT32_MAX ? (int32_t)id : HOB_NO_TOKEN; /* files may say anything */
    }
    if (options->n_stop_ids) memcpy(ids + request->n_model_ends, options->stop_ids, options->n_stop_ids * sizeof *ids);
    request->end_ids = ids;
    return HOB_OK;
}

/* ---- what makes no sense ---- */

static hob_status check_ids(const hob_session *session, const int32_t *ids, size_t n_ids, hob_error *error)
{
    if (session->model->info.kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "the model is no language model (architecture %s)", session->model->info.architecture);
    if (!n_ids) FAIL(error, HOB_BAD_ARGUMENT, "found an empty prompt, expected at least one token");
    if (n_ids > (size_t)session->n_context_tokens)
        FAIL(error, HOB_LIMIT, "found a prompt of %zu tokens, expected a context of at most %lld", n_ids, (long long)session->n_context_tokens);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (session->n_vocab > 0 && ids[i] >= session->n_vocab))
            FAIL(error, HOB_BAD_ARGUMENT, "token %zu: found id %d, expected 0 to %lld", i, ids[i], (long long)session->n_vocab - 1);
    return HOB_OK;
}

static hob_status check_beams(const hob_generate_options *options, hob_error *error)
{
    if (options->beam_width > MOST_TEXTS)
        FAIL(error, HOB_BAD_ARGUMENT, "beam width: found %zu, expected at most %d", options->beam_width, MOST_TEXTS);
    if (options->n_samples > options->beam_width)
        FAIL(error, HOB_BAD_ARGUMENT, "found %zu texts to give of a search with %zu beams, expected at most as many", options->n_samples,
             options->beam_width);
    if (options->temperature != 0)
        FAIL(error, HOB_BAD_ARGUMENT, "beam search draws nothing: found temperature %g, expected 0", (double)options->temperature);
    if (options->n_logit_biases || options->dry_multiplier != 0 || options->frequency_penalty != 0 || options->presence_penalty != 0 ||
        (options->repetition_penalty != 0 && options->repetition_penalty != 1))
        FAIL(error, HOB_BAD_ARGUMENT, "beam search: found biases or penalties, expected none");
    if (options->n_draft_tokens) FAIL(error, HOB_BAD_ARGUMENT, "beam search: found drafts to make, expected none");
    if (options->n_stops) FAIL(error, HOB_BAD_ARGUMENT, "beam search: found stop texts, expected none (stop ids are possible)");
    if (options->grammar || options->gbnf || options->json_schema)
        FAIL(error, HOB_BAD_ARGUMENT, "beam search: found a grammar, expected none");
    if (options->shifts_context) FAIL(error, HOB_BAD_ARGUMENT, "beam search: found a context that shifts, expected one that does not");
    if (!(options->length_penalty >= -100 && options->length_penalty <= 100))
        FAIL(error, HOB_BAD_ARGUMENT, "length penalty: found %g, expected -100 to 100", (double)options->length_penalty);
    return HOB_OK;
}

static hob_status check_shift(const struct request *request, hob_error *error)
{
    size_t n_context = (size_t)request->session->n_context_tokens;
    if (!request->options.shifts_context) return HOB_OK;
    if (!request->options.max_tokens || request->options.max_tokens > INT32_MAX)
        FAIL(error, HOB_BAD_ARGUMENT, "context shift: found no limit of tokens, expected one up to %d: the text may never end", INT32_MAX);
    if (n_context >= 2 && request->options.n_keep <= n_context - 2) return HOB_OK;
    FAIL(error, HOB_BAD_ARGUMENT, "context shift: found %zu tokens to keep, expected at most the context's %zu less 2",
         request->options.n_keep, n_context);
}

static hob_status check_options(const struct request *request, hob_error *error)
{
    const hob_generate_options *options = &request->options;
    for (size_t i = 0; i < options->n_stops; i++)
        if (!*options->stops[i]) FAIL(error, HOB_BAD_ARGUMENT, "stop text %zu: found an empty text", i);
    if (options->n_samples > MOST_TEXTS)
        FAIL(error, HOB_BAD_ARGUMENT, "texts: found %zu, expected at most %d", options->n_samples, MOST_TEXTS);
    if (options->n_draft_tokens > DRAFTS_MOST)
        FAIL(error, HOB_BAD_ARGUMENT, "drafts: found %zu at a time, expected at most %d", options->n_draft_tokens, DRAFTS_MOST);
    TRY(check_shift(request, error));
    return options->beam_width > 1 ? check_beams(options, error) : HOB_OK;
}

static hob_status find_masks(struct request *request, hob_error *error)
{
    const hob_generate_options *options = &request->options;
    hob_grammar *made = NULL;
    if ((options->grammar != NULL) + (options->gbnf != NULL) + (options->json_schema != NULL) > 1)
        FAIL(error, HOB_BAD_ARGUMENT, "found several grammars, expected at most one of grammar, gbnf and json_schema");
    if (options->gbnf) TRY(hob_grammar_new_gbnf(options->gbnf, strlen(options->gbnf), &made, error));
    if (options->json_schema) TRY(hob_grammar_new_json_schema(options->json_schema, strlen(options->json_schema), &made, error));
    const hob_grammar *grammar = made ? made : options->grammar;
    hob_status status = grammar ? grammar_masks(grammar, request->session->model, &request->masks, error) : HOB_OK;
    hob_grammar_free(made);
    request->options.grammar = NULL; /* and the texts: they are the caller's, the masks are what is kept */
    request->options.gbnf = request->options.json_schema = NULL;
    return status;
}

static hob_status set_up(struct request *request, const int32_t *ids, const hob_generate_options *options, hob_error *error)
{
    const void *prompt;
    TRY(copy_array(&request->arena, ids, request->n_prompt * sizeof *ids, &prompt, error));
    request->prompt = prompt;
    TRY(copy_options(request, options, error));
    TRY(check_options(request, error));
    TRY(find_masks(request, error));
    if (options->max_ms && options->max_ms < MOST_MS) request->deadline_ns = clock_now_ns() + options->max_ms * 1000000u;
    return list_ends(request, error);
}

hob_status request_init(struct request *request, hob_session *session, const int32_t *ids, size_t n_ids,
                        const hob_generate_options *options, hob_error *error)
{
    hob_generate_options defaults = {0};
    TRY(check_ids(session, ids, n_ids, error));
    *request = (struct request){.session = session, .n_prompt = n_ids};
    arena_init(&request->arena, 4096);
    hob_status status = set_up(request, ids, options ? options : &defaults, error);
    if (status != HOB_OK) request_release(request);
    return status;
}

void request_release(struct request *request)
{
    token_masks_unref(request->masks);
    request->masks = NULL;
    arena_release(&request->arena);
}

bool request_is_end(const struct request *request, int32_t id, hob_finish *ret_finish)
{
    for (size_t i = 0; i < request->n_end_ids; i++) {
        if (request->end_ids[i] != id) continue;
        *ret_finish = i < request->n_model_ends ? HOB_FINISH_END : HOB_FINISH_STOP;
        return true;
    }
    return false;
}

bool request_is_cancelled(const struct request *request)
{
    return atomic_load_explicit(&request->is_cancelled, memory_order_relaxed);
}

bool request_is_over(const struct request *request, hob_finish *ret_finish)
{
    bool is_cancelled = request_is_cancelled(request);
    if (!is_cancelled && (!request->deadline_ns || clock_now_ns() < request->deadline_ns)) return false;
    *ret_finish = is_cancelled ? HOB_FINISH_CANCELLED : HOB_FINISH_TIME;
    return true;
}

void request_tell(struct request *request, const hob_generated *generated)
{
    if (request->on_generated && !request->on_generated(request->context, generated))
        atomic_store_explicit(&request->is_cancelled, true, memory_order_relaxed);
}

size_t request_most_tokens(const struct request *request)
{
    if (request->options.shifts_context) return request->options.max_tokens;
    size_t n_room = (size_t)request->session->n_context_tokens - request->n_prompt + 1, wanted = request->options.max_tokens;
    return wanted && wanted < n_room ? wanted : n_room;
}
