/* GET /api/tags: the models there are. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"

static json_t *entry(const struct model_status *status)
{
    char digest[65], modified[OLLAMA_TIME_BYTES];
    return json_pack("{s:s,s:s,s:s,s:I,s:s,s:o}", "name", status->name, "model", status->name, "modified_at",
                     ollama_time(status->modified_s, 0, modified), "size", (json_int_t)status->file_bytes, "digest",
                     ollama_digest(status, digest), "details", ollama_details(status));
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    json_t *models = json_array();
    struct model_list *list = model_registry_list(exchange_server(exchange)->registry);
    for (size_t i = 0; list && i < list->n_models; i++) json_append(&models, entry(&list->models[i]));
    model_list_free(list);
    exchange_reply_json(exchange, 200, json_pack("{s:o}", "models", models));
    return true;
}

const struct route_def route_ollama_tags = {
    .method = "GET",
    .path = "/api/tags",
    .api = &api_ollama,
    .summary = "List the models",
    .reply = "models: name, model, modified_at, size, digest, details",
    .handle = handle,
};
