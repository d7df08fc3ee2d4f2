/* GET /hob/status: what `hob ps` shows: the daemon, its models, what runs. */
#include "server/routes/answer_parts.h"
#include "server/routes/route.h"

#include "base/clock.h"
#include "hob/hob.h"
#include "server/listener.h"

#include <unistd.h>

enum { MOST_SLOTS = 256 };

static const char *state_name(enum model_state state)
{
    static const char *const names[] = {
        [MODEL_COLD] = "cold", [MODEL_LOADING] = "loading", [MODEL_READY] = "ready", [MODEL_FAILED] = "failed"};
    return names[state];
}

static json_t *text_or_null(const char *text)
{
    return text ? json_text(text, strlen(text)) : json_null();
}

static json_t *model_json(const struct model_status *model)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:f, s:I, s:o}", "name", model->name, "state",
                     state_name(model->state), "architecture", text_or_null(model->architecture), "format", text_or_null(model->format), "quant",
                     text_or_null(model->quant), "pinned", (int)model->is_pinned, "memory_bytes", (json_int_t)model->memory_bytes,
                     "mapped_bytes", (json_int_t)model->mapped_bytes, "n_context", (json_int_t)model->n_context, "users",
                     (json_int_t)model->n_users, "progress", model->progress, "expires", (json_int_t)model->expires_s, "problem",
                     text_or_null(model->problem));
}

static json_t *models_json(struct server *server)
{
    struct model_list *list = model_registry_list(server->registry);
    json_t *models = json_array();
    for (size_t i = 0; list && i < list->n_models; i++) json_append(&models, model_json(&list->models[i]));
    model_list_free(list);
    return models;
}

static json_t *slots_json(struct exchange *exchange)
{
    struct slot_status *slots = ARENA_NEW(exchange_arena(exchange), struct slot_status, MOST_SLOTS);
    size_t n_slots = slots ? scheduler_get_slots(exchange_server(exchange)->scheduler, slots, MOST_SLOTS) : 0;
    json_t *array = json_array();
    for (size_t i = 0; i < n_slots; i++)
        json_append(&array, json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:f}", "request", slots[i].request_id, "model", slots[i].model,
                                               "prompt_tokens", (json_int_t)slots[i].n_prompt_tokens, "tokens", (json_int_t)slots[i].n_tokens,
                                               "n_context", (json_int_t)slots[i].n_context, "prefilling", (int)slots[i].is_prefilling, "age_s",
                                               slots[i].age_s));
    return array;
}

static json_t *addresses_json(const struct listener *listener)
{
    json_t *array = json_array();
    const char *address;
    for (size_t i = 0; listener && (address = listener_address(listener, i)); i++) json_append(&array, json_string(address));
    return array;
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    (void)ret_problem;
    struct server *server = exchange_server(exchange);
    struct scheduler_status status = {0};
    scheduler_get_status(server->scheduler, &status);
    size_t n_queued = 0;
    for (size_t i = 0; i < N_PRIORITIES; i++) n_queued += status.n_queued[i];
    exchange_reply_json(exchange, 200,
                        json_pack("{s:s, s:i, s:f, s:b, s:o, s:o, s:o, s:I, s:I}", "version", hob_version(), "pid", (int)getpid(), "uptime_s",
                                  (double)(clock_now_ns() - server->started_ns) * 1e-9, "network_off", (int)server->is_network_off,
                                  "addresses", addresses_json(server->listener), "models", models_json(server), "slots", slots_json(exchange),
                                  "queued", (json_int_t)n_queued, "running", (json_int_t)status.n_running));
    return true;
}

const struct route_def route_hob_status = {
    .method = "GET",
    .path = "/hob/status",
    .api = &api_hob,
    .summary = "The daemon, its models and what runs, as hob ps shows them",
    .reply = "{\"version\", \"pid\", \"uptime_s\", \"addresses\", \"models\", \"slots\", \"queued\", \"running\"}",
    .handle = handle,
};
