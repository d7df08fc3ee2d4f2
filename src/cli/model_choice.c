/* Larger models are better ones, as far as their files tell. So the recommended one is the largest that fits and still writes as fast as
 * people read; where none does, the fastest. The speed is a bound: for each token all weights are read once. */
#include "cli/model_choice.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/progress.h"

static const uint64_t most_opened_bytes = (uint64_t)1 << 30, most_opened_together = (uint64_t)4 << 30;
static const double reading_speed = 8; /* tokens a second */
static const double share_of_memory = 0.8;

struct judging {
    const struct machine *machine;
    uint64_t n_opened_bytes; /* of files, so far */
};

static bool has_ending(const char *path, const char *ending)
{
    size_t n_path = strlen(path), n_ending = strlen(ending);
    return n_path > n_ending && strcmp(path + n_path - n_ending, ending) == 0;
}

static void refuse(struct judged_model *model, const char *why)
{
    model->is_usable = false;
    snprintf(model->why, sizeof model->why, "%.199s", why);
}

static void judge_fit(struct judged_model *model, const struct machine *machine)
{
    model->is_fitting = (double)model->needed_bytes <= (double)machine->memory_bytes * share_of_memory;
}

static void judge_decoder(struct judged_model *model, hob_model *opened, const struct machine *machine)
{
    hob_memory_forecast forecast;
    hob_error error;
    model->is_usable = hob_forecast_memory(opened, NULL, &forecast, &error) == HOB_OK;
    if (!model->is_usable) {
        refuse(model, error.message);
        return;
    }
    uint64_t n_weight_bytes = forecast.weights_bytes + forecast.mapped_bytes;
    model->needed_bytes = n_weight_bytes + forecast.needed_bytes;
    if (n_weight_bytes) model->tokens_per_second = machine->read_bytes_per_second / (double)n_weight_bytes;
    judge_fit(model, machine);
    bool has_room = forecast.needed_bytes <= forecast.available_bytes;
    if (has_room || forecast.most_context_tokens <= 0) return;
    model->context_tokens = forecast.most_context_tokens;
    model->is_fitting = true;
}

static void judge_opened(struct judged_model *model, const struct machine *machine)
{
    hob_model *opened;
    hob_error error;
    struct progress progress;
    progress_init(&progress);
    const hob_model_options options = {.progress = progress_show, .progress_context = &progress};
    hob_status status = hob_model_open(model->found->path, &options, &opened, &error);
    progress_clear(&progress);
    if (status != HOB_OK) {
        refuse(model, error.message);
        return;
    }
    model->kind = hob_model_get_info(opened).kind;
    model->needed_bytes = model->found->n_bytes;
    model->is_usable = model->kind != HOB_MODEL_GRAPH && hob_model_tokenizer(opened);
    if (model->kind == HOB_MODEL_GRAPH) refuse(model, "a graph that neither writes nor embeds text");
    else if (!model->is_usable) refuse(model, "has no tokenizer in it or beside it");
    else if (model->kind == HOB_MODEL_DECODER) judge_decoder(model, opened, machine);
    else judge_fit(model, machine);
    hob_model_free(opened);
}

/* Its caches are taken to be a fifth of its weights. */
static void judge_by_size(struct judged_model *model, const struct machine *machine)
{
    uint64_t n_bytes = model->found->n_bytes;
    model->is_guess = true;
    model->is_usable = has_ending(model->found->path, ".gguf");
    if (!model->is_usable) refuse(model, "not looked into, as it is large: name it with --model");
    model->kind = HOB_MODEL_DECODER;
    model->needed_bytes = n_bytes + n_bytes / 5;
    model->tokens_per_second = machine->read_bytes_per_second / (double)n_bytes;
    judge_fit(model, machine);
}

static void judge(struct judging *judging, struct judged_model *model, bool is_only)
{
    uint64_t n_bytes = model->found->n_bytes;
    bool is_cheap = n_bytes <= most_opened_bytes && judging->n_opened_bytes + n_bytes <= most_opened_together;
    if (!n_bytes) refuse(model, "an empty file");
    else if (is_cheap || is_only || has_ending(model->found->path, ".hob")) {
        judging->n_opened_bytes += n_bytes;
        judge_opened(model, judging->machine);
    } else judge_by_size(model, judging->machine);
}

static bool is_fast(const struct judged_model *model)
{
    return model->tokens_per_second >= reading_speed;
}

static bool is_better(const struct judged_model *model, const struct judged_model *than)
{
    if (model->kind != HOB_MODEL_DECODER) return model->needed_bytes > than->needed_bytes;
    if (is_fast(model) != is_fast(than)) return is_fast(model);
    return is_fast(model) ? model->needed_bytes > than->needed_bytes
                          : model->tokens_per_second > than->tokens_per_second;
}

static size_t best_of(const struct model_choice *choice, hob_model_kind kind)
{
    size_t best = choice->n_models;
    for (size_t i = 0; i < choice->n_models; i++) {
        const struct judged_model *model = &choice->models[i];
        if (!model->is_usable || !model->is_fitting || model->kind != kind) continue;
        if (best == choice->n_models || is_better(model, &choice->models[best])) best = i;
    }
    return best;
}

hob_status model_choice_make(const struct model_search *search, const struct machine *machine,
                             struct model_choice *ret_choice, hob_error *error)
{
    struct judging judging = {.machine = machine};
    struct model_choice choice = {.n_models = search->n_items};
    choice.models = memory_new(search->n_items, sizeof *choice.models);
    if (!choice.models) FAIL(error, HOB_NO_MEMORY, "no memory to judge %zu models", search->n_items);
    for (size_t i = 0; i < choice.n_models; i++) {
        choice.models[i].found = &search->items[i];
        judge(&judging, &choice.models[i], search->n_items == 1);
    }
    choice.decoder = best_of(&choice, HOB_MODEL_DECODER);
    choice.encoder = best_of(&choice, HOB_MODEL_ENCODER);
    *ret_choice = choice;
    return HOB_OK;
}

void model_choice_release(struct model_choice *choice)
{
    memory_free(choice->models);
    *choice = (struct model_choice){0};
}
