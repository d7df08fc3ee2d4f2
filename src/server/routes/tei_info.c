/* GET /info: the encoder that requests without a model's name get, and the limits. */
#include "server/routes/api_tei.h"
#include "server/routes/default_model.h"

static const char *pooling_name(hob_pooling pooling)
{
    static const char *const names[] = {"mean", "mean", "cls", "last_token"};
    return names[pooling];
}

static json_t *info_of(struct exchange *exchange, const struct loaded_model *loaded)
{
    const struct config *config = exchange_server(exchange)->config;
    return json_pack("{s:s,s:n,s:s,s:{s:{s:s}},s:I,s:I,s:I,s:n,s:i,s:b,s:i,s:s,s:n,s:n}", "model_id", loaded->name,
                     "model_sha", "model_dtype", "float32", "model_type", "embedding", "pooling",
                     pooling_name(loaded->info.pooling), "max_concurrent_requests", (json_int_t)config->max_queue,
                     "max_input_length", (json_int_t)loaded->info.n_context, "max_batch_tokens",
                     TEI_MOST_TEXTS * (json_int_t)loaded->info.n_context, "max_batch_requests",
                     "max_client_batch_size", TEI_MOST_TEXTS, "auto_truncate", false, "tokenization_workers", 1,
                     "version", hob_version(), "sha", "docker_label");
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct loaded_model *loaded;
    if (!default_model_acquire(exchange, USE_EMBED, &loaded, ret_problem)) return false;
    exchange_reply_json(exchange, 200, info_of(exchange, loaded));
    model_registry_release(exchange_server(exchange)->registry, loaded, INT64_MIN);
    return true;
}

const struct route_def route_tei_info = {
    .method = "GET",
    .path = "/info",
    .api = &api_tei,
    .summary = "The encoder in use and the limits",
    .reply = "model_id, model_type, max_input_length, max_client_batch_size, …",
    .handle = handle,
};
