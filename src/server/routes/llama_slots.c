/* GET /slots: what is being generated now. */
#include "server/routes/answer_parts.h"
#include "server/routes/api_llama.h"

static json_t *slot_json(size_t index, const struct slot_status *slot)
{
    return json_pack("{s:I,s:s,s:s,s:I,s:b,s:b,s:I,s:f,s:[{s:I}]}", "id", (json_int_t)index, "id_task",
                     slot->request_id, "model", slot->model, "n_ctx", (json_int_t)slot->n_context, "is_processing",
                     true, "is_prefilling", slot->is_prefilling, "n_prompt_tokens", (json_int_t)slot->n_prompt_tokens,
                     "age_s", slot->age_s, "next_token", "n_decoded", (json_int_t)slot->n_tokens);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    enum { MOST = 256 };
    struct slot_status *slots = ARENA_NEW(exchange_arena(exchange), struct slot_status, MOST);
    if (!slots) return problem_no_memory(ret_problem);
    size_t n_slots = scheduler_get_slots(exchange_server(exchange)->scheduler, slots, MOST);
    json_t *list = json_array();
    for (size_t i = 0; i < n_slots; i++) json_append(&list, slot_json(i, &slots[i]));
    exchange_reply_json(exchange, 200, list);
    return true;
}

const struct route_def route_llama_slots = {
    .method = "GET",
    .path = "/slots",
    .api = &api_llama,
    .summary = "The generations under way",
    .reply = "A list: id, id_task (the request's id), model, n_prompt_tokens, next_token.n_decoded",
    .handle = handle,
};
