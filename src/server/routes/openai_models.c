/* GET /v1/models and /v1/models/{model}: OpenAI's shape with what llama.cpp adds; Anthropic's for its own clients, which send
 * anthropic-version. */
#include "server/models/model_registry.h"
#include "server/routes/api_anthropic.h"
#include "server/routes/api_openai.h"
#include "server/routes/route.h"

#include <time.h>

static const char *state_name(enum model_state state)
{
    static const char *const names[] = {"unloaded", "loading", "loaded",
                                        "failed"}; /* llama.cpp's words, in the order of enum model_state */
    return names[state];
}

static json_t *openai_model(const struct model_status *status)
{
    json_t *aliases = json_array();
    for (size_t i = 0; i < status->n_aliases; i++) json_append(&aliases, json_string(status->aliases[i]));
    return json_pack("{s:s,s:s,s:I,s:s,s:o,s:{s:s},s:{s:I,s:I,s:I,s:I}}", "id", status->name, "object", "model",
                     "created", (json_int_t)status->modified_s, "owned_by", "hob", "aliases", aliases, "status",
                     "value", state_name(status->state), "meta", "n_vocab", (json_int_t)status->n_vocab, "n_ctx_train",
                     (json_int_t)status->n_context, "n_embd", (json_int_t)status->width, "size",
                     (json_int_t)status->file_bytes);
}

static json_t *anthropic_model(const struct model_status *status)
{
    char when[32];
    struct tm parts;
    time_t modified = (time_t)status->modified_s;
    if (!gmtime_r(&modified, &parts) || !strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts)) when[0] = 0;
    return json_pack("{s:s,s:s,s:s,s:s}", "type", "model", "id", status->name, "display_name", status->name,
                     "created_at", when);
}

typedef json_t *make_model(const struct model_status *status);

/* Clients of two APIs ask here. */
static make_model *maker_for(struct exchange *exchange)
{
    if (!exchange_header(exchange, "anthropic-version")) return openai_model;
    exchange_set_api(exchange, &api_anthropic);
    return anthropic_model;
}

static json_t *list_body(json_t *data, bool is_openai)
{
    if (is_openai) return json_pack("{s:s,s:o}", "object", "list", "data", data);
    const json_t *first = json_array_get(data, 0), *last = json_array_get(data, json_array_size(data) - 1);
    return json_pack("{s:o,s:b,s:O?,s:O?}", "data", data, "has_more", false, "first_id", json_object_get(first, "id"),
                     "last_id", json_object_get(last, "id"));
}

static bool handle_list(struct exchange *exchange, struct problem *ret_problem)
{
    make_model *make = maker_for(exchange);
    struct model_list *list = model_registry_list(exchange_server(exchange)->registry);
    json_t *data = json_array();
    int failed = 0;
    if (!list || !data) {
        model_list_free(list);
        json_decref(data);
        return problem_no_memory(ret_problem);
    }
    for (size_t i = 0; i < list->n_models; i++) failed |= json_array_append_new(data, make(&list->models[i]));
    model_list_free(list);
    json_t *body = list_body(data, make == openai_model);
    if (failed) json_decref(body), body = NULL;
    exchange_reply_json(exchange, 200, body);
    return true;
}

static json_t *find(struct model_registry *registry, const char *name, make_model *make)
{
    struct model_list *list = model_registry_list(registry);
    json_t *found = NULL;
    for (size_t i = 0; list && i < list->n_models && !found; i++)
        if (!strcmp(list->models[i].name, name)) found = make(&list->models[i]);
    model_list_free(list);
    return found;
}

static bool handle_one(struct exchange *exchange, struct problem *ret_problem)
{
    make_model *make = maker_for(exchange);
    struct model_registry *registry = exchange_server(exchange)->registry;
    const char *wanted = exchange_parameter(exchange), *name = wanted ? model_registry_find(registry, wanted) : NULL;
    if (!name)
        return problem_set(ret_problem, PROBLEM_NO_MODEL,
                           "The model '%s' does not exist: GET /v1/models lists those that do", wanted ? wanted : "");
    exchange_reply_json(exchange, 200, find(registry, name, make));
    return true;
}

const struct route_def route_openai_models = {
    .method = "GET",
    .path = "/v1/models",
    .api = &api_openai,
    .summary = "The models that can be asked for.",
    .reply = "A list of models with id, created, owned_by, and what is known of each.",
    .handle = handle_list,
};

const struct route_def route_openai_model = {
    .method = "GET",
    .path = "/v1/models/{model}",
    .api = &api_openai,
    .summary = "One model, by its name or alias.",
    .reply = "The model.",
    .handle = handle_one,
};

const struct route_def route_openai_models_unversioned = {
    .method = "GET",
    .path = "/models",
    .api = &api_openai,
    .flags = ROUTE_IS_HIDDEN,
    .summary = "As /v1/models, for clients that are pointed at llama-server without /v1.",
    .reply = "As /v1/models.",
    .handle = handle_list,
};
