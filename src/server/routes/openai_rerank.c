/* POST /v1/rerank, as Jina, Cohere and llama.cpp have it: documents ordered by how well they answer a query. */
#include "server/jobs/rerank.h"
#include "server/models/model_registry.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_openai.h"
#include "server/routes/job_inputs.h"
#include "server/routes/route.h"

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

struct state {
    const json_t *documents; /* of the request; NULL: they are not returned */
    size_t n_texts, top_n;
};

static json_t *result(const struct state *state, const struct ranked *ranked)
{
    json_t *json = json_pack("{s:I,s:f}", "index", (json_int_t)ranked->index, "relevance_score", (double)ranked->score);
    if (!state->documents) return json;
    json_t *text = json_incref((json_t *)text_of(json_array_get(state->documents, ranked->index)));
    json_put(&json, "document", json_pack("{s:o}", "text", text));
    return json;
}

static json_t *whole(struct exchange *exchange, void *context)
{
    const struct state *state = context;
    struct ranked *ranked = answer_ranking(exchange, state->n_texts);
    json_t *results = ranked ? json_array() : NULL;
    for (size_t i = 0; results && i < state->n_texts && i < state->top_n; i++)
        json_append(&results, result(state, &ranked[i]));
    struct usage usage = generation_usage(exchange);
    json_int_t n_tokens = (json_int_t)usage.n_prompt_tokens;
    return json_pack("{s:s,s:s,s:{s:I,s:I},s:o}", "object", "list", "model",
                     generation_model_name(exchange_job(exchange, 0)), "usage", "prompt_tokens", n_tokens,
                     "total_tokens", n_tokens, "results", results);
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
    if (!state) return problem_no_memory(ret_problem);
    *state = (struct state){.documents = inputs.returns_documents ? inputs.documents : NULL,
                            .n_texts = rerank->inputs.n_texts,
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
