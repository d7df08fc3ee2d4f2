/* GET /props: the model in use and what generating requests get by default. */
#include "server/routes/api_llama.h"
#include "server/routes/default_model.h"

static json_t *props(struct exchange *exchange, const struct loaded_model *loaded)
{
    const char *template_text = loaded->chat_template ? loaded->chat_template : hob_model_chat_template(loaded->model);
    struct llama_fields defaults = LLAMA_DEFAULTS;
    json_t *settings = json_pack(
        "{s:I,s:{s:f,s:I,s:f,s:f,s:I}}", "n_ctx", (json_int_t)hob_session_n_context_tokens(loaded->session), "params",
        "temperature", defaults.sampling.temperature, "top_k", (json_int_t)defaults.sampling.top_k, "top_p",
        defaults.sampling.top_p, "min_p", defaults.sampling.min_p, "n_predict", (json_int_t)defaults.n_predict);
    return json_pack("{s:o,s:I,s:s,s:s,s:s,s:{s:b,s:b},s:b,s:s}", "default_generation_settings", settings,
                     "total_slots", (json_int_t)exchange_server(exchange)->config->max_running, "model_alias",
                     loaded->name, "model_path", loaded->name, "chat_template", template_text ? template_text : "",
                     "modalities", "vision", false, "audio", false, "is_sleeping", false, "build_info", hob_version());
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct loaded_model *loaded;
    if (!default_model_acquire(exchange, USE_GENERATE, &loaded, ret_problem)) return false;
    exchange_reply_json(exchange, 200, props(exchange, loaded));
    model_registry_release(exchange_server(exchange)->registry, loaded, INT64_MIN);
    return true;
}

const struct route_def route_llama_props = {
    .method = "GET",
    .path = "/props",
    .api = &api_llama,
    .summary = "The language model in use and its defaults",
    .reply = "default_generation_settings, total_slots, chat_template, …",
    .handle = handle,
};
