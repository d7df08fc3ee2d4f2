/* POST /rerank: scores of texts for a query, best first. Two APIs share the path: text-embeddings-inference's ("texts", a list comes back) and
 * that of Jina and Cohere, which llama.cpp serves here too ("documents", an object comes back). */
#include "server/jobs/rerank.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_tei.h"
#include "server/routes/job_inputs.h"

struct inputs {
    struct tei_reading reading;
    const char *query;
    const json_t *texts;
    bool is_raw, has_text;
};

static const struct field_def fields[] = {
    {.name = "query",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, query),
     .help = "what is looked for"},
    {.name = "texts",
     .kind = FIELD_TEXTS,
     .is_required = true,
     .offset = offsetof(struct inputs, texts),
     .help = "a list of texts"},
    TEI_READING_FIELDS(struct inputs, reading),
    {.name = "raw_scores",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, is_raw),
     .help = "logits, not probabilities"},
    {.name = "return_text",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct inputs, has_text),
     .help = "each text again beside its score"},
};

static json_t *whole(struct exchange *exchange, void *state)
{
    const struct rerank_job *rerank = (const struct rerank_job *)exchange_job(exchange, 0);
    bool has_text = *(bool *)state;
    size_t n_texts = rerank->inputs.n_texts;
    struct ranked *ranked = answer_ranking(exchange, n_texts);
    if (!ranked) return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < n_texts; i++) {
        size_t index = ranked[i].index;
        json_t *entry = json_pack("{s:I,s:f}", "index", (json_int_t)index, "score", (double)ranked[i].score);
        if (has_text)
            json_put(&entry, "text", json_text(rerank->inputs.texts[index], rerank->inputs.text_bytes[index]));
        json_append(&list, entry);
    }
    return list;
}

static const struct answer_def answer = {.whole = whole};

static bool fill_in(const struct inputs *inputs, struct rerank_job *rerank, struct problem *ret_problem)
{
    rerank->job.priority = PRIORITY_BATCH;
    rerank->inputs.n_query_bytes = strlen(inputs->query);
    rerank->inputs.query = job_copy(&rerank->job, inputs->query, rerank->inputs.n_query_bytes);
    rerank->inputs.is_raw = inputs->is_raw;
    rerank->inputs.truncates = inputs->reading.truncates;
    rerank->inputs.truncates_left = tei_is_left(&inputs->reading);
    if (!rerank->inputs.query) return problem_no_memory(ret_problem);
    if (json_is_string(inputs->texts))
        return problem_set_field(ret_problem, "texts", "texts: found a text, expected a list of texts");
    return tei_check_count(json_array_size(inputs->texts), "texts", ret_problem) &&
           inputs_copy_texts(&rerank->job, inputs->texts, "texts", &rerank->inputs.texts, &rerank->inputs.text_bytes,
                             &rerank->inputs.n_texts, ret_problem);
}

static bool hand_on(struct exchange *exchange, struct problem *ret_problem)
{
    const char *parameter;
    const struct route_def *other = route_find("POST", "/v1/rerank", &parameter, ret_problem);
    if (!other) return false;
    exchange_set_api(exchange, other->api);
    return other->handle(exchange, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (json_object_get(exchange_body(exchange), "documents")) return hand_on(exchange, ret_problem);
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    bool *has_text = ARENA_NEW(exchange_arena(exchange), bool, 1);
    if (!has_text) return problem_no_memory(ret_problem);
    *has_text = inputs.has_text;
    struct rerank_job *rerank = rerank_job_new(tei_model(&inputs.reading));
    if (!exchange_add(exchange, (struct job *)rerank, ret_problem) || !fill_in(&inputs, rerank, ret_problem))
        return false;
    exchange_run(exchange, &answer, has_text, false);
    return true;
}

const struct route_def route_tei_rerank = {
    .method = "POST",
    .path = "/rerank",
    .api = &api_tei,
    .summary = "Order texts by how well they answer a query",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "A list of index, score and, where asked for, text, best first; with \"documents\" instead of \"texts\" "
             "as /v1/rerank",
    .handle = handle,
};
