/* GET /api/ps: the models that are open. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"

static json_t *entry(const struct model_status *status)
{
    char digest[65], expires[OLLAMA_TIME_BYTES];
    static const int64_t never_s = 253402300799; /* 9999-12-31: a model that stays */
    return json_pack("{s:s,s:s,s:I,s:s,s:o,s:s,s:I,s:I}", "name", status->name, "model", status->name, "size",
                     (json_int_t)status->memory_bytes + (json_int_t)status->mapped_bytes, "digest", ollama_digest(status, digest),
                     "details", ollama_details(status), "expires_at",
                     ollama_time(status->expires_s ? status->expires_s : never_s, 0, expires), "size_vram",
                     (json_int_t)0, "context_length", (json_int_t)status->n_context);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    json_t *models = json_array();
    struct model_list *list = model_registry_list(exchange_server(exchange)->registry);
    for (size_t i = 0; list && i < list->n_models; i++)
        if (list->models[i].state == MODEL_READY) json_append(&models, entry(&list->models[i]));
    model_list_free(list);
    exchange_reply_json(exchange, 200, json_pack("{s:o}", "models", models));
    return true;
}

const struct route_def route_ollama_ps = {
    .method = "GET",
    .path = "/api/ps",
    .api = &api_ollama,
    .summary = "List the models that are open",
    .reply = "models: name, model, size (memory, and what is mapped of the file), digest, details, expires_at, "
             "context_length",
    .handle = handle,
};
