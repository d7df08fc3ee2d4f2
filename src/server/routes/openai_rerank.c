/* POST /v1/rerank, as Jina, Cohere and llama.cpp have it: documents ordered by how well they answer a query. */
#include "server/jobs/rerank.h"
#include "server/models/model_registry.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_openai.h"
#include "server/routes/job_inputs.h"
#include "server/routes/route.h"

#include <stdlib.h>

enum { MOST_DOCUMENTS = 4096 };

struct inputs {
    const char *model, *query;
    const json_t *documents;
    size_t top_n; /* 0: all */
    bool returns_documents, is_raw;
};

#define FIELD(name_, kind_, member, ...)                                                     \
    {                                                                                        \
        .name = name_, .kind = kind_, .offset = offsetof(struct inputs, member), __VA_ARGS__ \
    }

static const struct field_def fields[] = {
    FIELD("model", FIELD_TEXT, model, .help = "a name from /v1/models; without it the default reranker"),
    FIELD("query", FIELD_TEXT, query, .is_required = true, .help = "what is asked"),
    FIELD("documents", FIELD_LIST, documents, .is_required = true, .most_items = MOST_DOCUMENTS,
          .help = "texts, or objects with a text"),
    FIELD("top_n", FIELD_COUNT, top_n, .least = 1, .most = MOST_DOCUMENTS, .help = "only so many of the best"),
    FIELD("return_documents", FIELD_BOOL, returns_documents, .help = "results hold their texts"),
    FIELD("raw_scores", FIELD_BOOL, is_raw, .help = "the model's own numbers, not what lies between 0 and 1"),
};

/* ---- reading ---- */

static const json_t *text_of(const json_t *document)
{
    return json_is_object(document) ? json_object_get(document, "text") : document;
}

static bool set_documents(const json_t *documents, struct rerank_job *rerank, struct problem *ret_problem)
{
    const json_t *document;
    size_t i;
    json_t *texts = json_array();
    json_array_foreach (documents, i, document) {
        json_t *text = json_incref((json_t *)text_of(document));
        if (json_array_append_new(texts, text ? text : json_null()) == 0) continue;
        json_decref(texts);
        return problem_no_memory(ret_problem);
    }
    bool is_set = inputs_copy_texts(&rerank->job, texts, "documents", &rerank->inputs.texts, &rerank->inputs.text_bytes,
                                    &rerank->inputs.n_texts, ret_problem);
    json_decref(texts);
    return is_set;
}

static bool set_job(const struct inputs *inputs, struct rerank_job *rerank, struct problem *ret_problem)
{
    rerank->job.priority = PRIORITY_BATCH;
    if (!json_array_size(inputs->documents))
        return problem_set_field(ret_problem, "documents", "documents: found none, expected at least one");
    rerank->inputs.is_raw = inputs->is_raw;
    rerank->inputs.n_query_bytes = strlen(inputs->query);
    rerank->inputs.query = job_copy(&rerank->job, inputs->query, rerank->inputs.n_query_bytes);
    if (!rerank->inputs.query) return problem_no_memory(ret_problem);
    return set_documents(inputs->documents, rerank, ret_problem);
}

/* ---- answering ---- */

struct scored {
    size_t index;
    double score;
};

struct state {
    const json_t *documents; /* of the request; NULL: they are not returned */
    struct scored *scored;   /* [n_scored] */
    size_t n_scored, top_n;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *left = a, *right = b;
    if (left->score != right->score) return left->score < right->score ? 1 : -1;
    return left->index < right->index ? -1 : 1;
}

static void take_scores(struct state *state, const struct event *scores)
{
    for (size_t i = 0; i < scores->n_rows; i++) {
        size_t index = scores->first_row + i;
        if (index < state->n_scored)
            state->scored[index] = (struct scored){index, (double)scores->numbers[i * scores->n_columns]};
    }
}

static json_t *result(const struct state *state, const struct scored *scored)
{
    json_t *json = json_pack("{s:I,s:f}", "index", (json_int_t)scored->index, "relevance_score", scored->score);
    if (!state->documents) return json;
    json_t *text = json_incref((json_t *)text_of(json_array_get(state->documents, scored->index)));
    json_object_set_new(json, "document", json_pack("{s:o}", "text", text));
    return json;
}

static json_t *whole(struct exchange *exchange, void *context)
{
    struct state *state = context;
    json_t *results = json_array();
    int failed = 0;
    ANSWER_EVENTS(event, exchange, 0)
    if (event->kind == EVENT_SCORES) take_scores(state, event);
    qsort(state->scored, state->n_scored, sizeof *state->scored, by_score);
    for (size_t i = 0; i < state->n_scored && i < state->top_n; i++)
        failed |= json_array_append_new(results, result(state, &state->scored[i]));
    struct usage usage = generation_usage(exchange);
    json_int_t n_tokens = (json_int_t)usage.n_prompt_tokens;
    json_t *body = json_pack("{s:s,s:s,s:{s:I,s:I},s:o}", "object", "list", "model",
                             generation_model_name(exchange_job(exchange, 0)), "usage", "prompt_tokens", n_tokens,
                             "total_tokens", n_tokens, "results", results);
    if (!failed) return body;
    json_decref(body);
    return NULL;
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.model = ""};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct rerank_job *rerank = rerank_job_new(inputs.model);
    if (!exchange_add(exchange, (struct job *)rerank, ret_problem) || !set_job(&inputs, rerank, ret_problem))
        return false;
    struct state *state = ARENA_NEW(exchange_arena(exchange), struct state, 1);
    struct scored *scored = ARENA_NEW(exchange_arena(exchange), struct scored, rerank->inputs.n_texts);
    if (!state || !scored) return problem_no_memory(ret_problem);
    *state = (struct state){.documents = inputs.returns_documents ? inputs.documents : NULL,
                            .scored = scored,
                            .n_scored = rerank->inputs.n_texts,
                            .top_n = inputs.top_n ? inputs.top_n : rerank->inputs.n_texts};
    exchange_run(exchange, &answer, state, false);
    return true;
}

const struct route_def route_openai_rerank = {
    .method = "POST",
    .path = "/v1/rerank",
    .api = &api_openai,
    .summary = "Orders documents by how well they answer a query.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "Results with the document's index and its relevance_score, best first.",
    .handle = handle,
};

const struct route_def route_openai_reranking = {
    .method = "POST",
    .path = "/v1/reranking",
    .api = &api_openai,
    .flags = ROUTE_IS_HIDDEN,
    .summary = "Another name of /v1/rerank.",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "As /v1/rerank.",
    .handle = handle,
};
