/* POST /api/show: what there is to know about a model. It is opened for that if it is not. */
#include "server/jobs/tokens.h"
#include "server/routes/answer_parts.h"
#include "server/routes/api_ollama.h"

struct inputs {
    const char *model, *name;
    bool is_verbose;
};

static const struct field_def fields[] = {
    {.name = "model", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, model), .help = "a model's name"},
    {.name = "name", .kind = FIELD_TEXT, .offset = offsetof(struct inputs, name), .help = "the older word for model"},
    {.name = "verbose", .kind = FIELD_IGNORED},
};

static json_t *capabilities(const hob_model *model, const hob_model_info *info)
{
    json_t *list = json_array();
    const hob_tokenizer *tokenizer = hob_model_tokenizer(model);
    const char *template_text = hob_model_chat_template(model);
    if (info->kind == HOB_MODEL_DECODER) json_append(&list, json_string("completion"));
    if (info->kind == HOB_MODEL_ENCODER) json_append(&list, json_string("embedding"));
    if (tokenizer && hob_fim_style(tokenizer)) json_append(&list, json_string("insert"));
    if (template_text && strstr(template_text, "tools")) json_append(&list, json_string("tools"));
    if (template_text && strstr(template_text, "<think>")) json_append(&list, json_string("thinking"));
    return list;
}

static json_t *model_info(const hob_model_info *info)
{
    const char *architecture = info->architecture ? info->architecture : "";
    json_t *numbers = json_pack("{s:s}", "general.architecture", architecture);
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"context_length", info->n_context},
                {"embedding_length", info->width},
                {"block_count", info->n_layers},
                {"vocab_size", info->n_vocab}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[128];
        snprintf(key, sizeof key, "%s.%s", architecture, rows[i].key);
        if (rows[i].value > 0) json_object_set_new(numbers, key, json_integer(rows[i].value));
    }
    return numbers;
}

static json_t *details(struct exchange *exchange, const char *name)
{
    json_t *found = NULL;
    struct model_list *list = model_registry_list(exchange_server(exchange)->registry);
    for (size_t i = 0; list && i < list->n_models && !found; i++)
        if (!strcmp(list->models[i].name, name)) found = ollama_details(&list->models[i]);
    model_list_free(list);
    return found ? found : json_object();
}

static json_t *whole(struct exchange *exchange, void *state)
{
    (void)state;
    const struct loaded_model *loaded = exchange_job(exchange, 0)->model;
    const char *template_text = loaded->chat_template ? loaded->chat_template : hob_model_chat_template(loaded->model);
    char modified[OLLAMA_TIME_BYTES];
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:s}", "modelfile", "", "parameters", "", "template",
                     template_text ? template_text : "", "details", details(exchange, loaded->name), "model_info",
                     model_info(&loaded->info), "capabilities", capabilities(loaded->model, &loaded->info),
                     "modified_at", ollama_time(exchange_now_s(exchange), 0, modified));
}

static const struct answer_def answer = {.whole = whole};

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {0};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    const char *name = inputs.model ? inputs.model : inputs.name;
    if (!name)
        return problem_set_field(ret_problem, "model", "model: found nothing, expected a value: the field is required");
    struct tokens_job *tokens = tokens_job_new(name);
    if (!exchange_add(exchange, (struct job *)tokens, ret_problem)) return false;
    exchange_run(exchange, &answer, NULL, false);
    return true;
}

const struct route_def route_ollama_show = {
    .method = "POST",
    .path = "/api/show",
    .api = &api_ollama,
    .summary = "Show a model's template, numbers and capabilities",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "template, details, model_info, capabilities",
    .handle = handle,
};
