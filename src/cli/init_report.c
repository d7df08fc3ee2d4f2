#include "cli/init_report.h"

#include "cli/json.h"

static const char *kind_name(hob_model_kind kind)
{
    static const char *const names[] = {
        [HOB_MODEL_GRAPH] = "graph", [HOB_MODEL_DECODER] = "language model", [HOB_MODEL_ENCODER] = "embedder"};
    return names[kind];
}

void init_size_text(uint64_t n_bytes, char text[static SIZE_TEXT_BYTES])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)n_bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++) size /= 1024;
    snprintf(text, SIZE_TEXT_BYTES, size < 10 && unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

void init_print_machine(FILE *stream, const struct machine *machine)
{
    char memory[SIZE_TEXT_BYTES] = "an unknown amount";
    if (machine->memory_bytes != UINT64_MAX) init_size_text(machine->memory_bytes, memory);
    fprintf(stream, "This machine: %zu core%s, %s of memory free, read at %.1f GB/s.\n", machine->n_cores,
            machine->n_cores == 1 ? "" : "s", memory, machine->read_bytes_per_second * 1e-9);
}

/* Names come from folders that anybody may have filled: they must not steer the terminal. */
static void print_plain(FILE *stream, const char *text)
{
    for (; *text; text++) putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, stream);
}

static void print_model(FILE *stream, const struct judged_model *model)
{
    char size[SIZE_TEXT_BYTES];
    if (!model->is_usable) {
        print_plain(stream, model->why);
        return;
    }
    init_size_text(model->needed_bytes, size);
    fprintf(stream, "%s, needs %s%s", kind_name(model->kind), size, model->is_guess ? " by its size" : "");
    const char *speed =
        model->tokens_per_second < 10 ? ", at most about %.1f tokens/s" : ", at most about %.0f tokens/s";
    if (model->tokens_per_second > 0) fprintf(stream, speed, model->tokens_per_second);
    if (!model->is_fitting) fprintf(stream, ", too large for this machine");
    if (model->context_tokens) fprintf(stream, ", with a context of %lld tokens", (long long)model->context_tokens);
}

void init_print_models(FILE *stream, const struct model_search *search, const struct model_choice *choice)
{
    if (!choice->n_models) fprintf(stream, "No models were found.\n");
    for (size_t i = 0; i < choice->n_models; i++) {
        fprintf(stream, "%3zu  ", i + 1);
        print_plain(stream, choice->models[i].found->path);
        fprintf(stream, "\n     ");
        print_model(stream, &choice->models[i]);
        fprintf(stream, "%s\n", i == choice->decoder || i == choice->encoder ? "  <- recommended" : "");
    }
    if (search->is_cut) fprintf(stream, "There may be more: the search was cut off.\n");
}

json_t *init_machine_json(const struct machine *machine)
{
    json_t *memory =
        machine->memory_bytes == UINT64_MAX ? json_null() : json_integer((json_int_t)machine->memory_bytes);
    return json_pack("{s:I, s:o, s:f}", "cores", (json_int_t)machine->n_cores, "memory_bytes", memory,
                     "read_bytes_per_s", machine->read_bytes_per_second);
}

static json_t *model_json(const struct model_choice *choice, size_t index)
{
    static const char *const kinds[] = {
        [HOB_MODEL_GRAPH] = "graph", [HOB_MODEL_DECODER] = "decoder", [HOB_MODEL_ENCODER] = "encoder"};
    const struct judged_model *model = &choice->models[index];
    json_t *object = json_pack("{s:o, s:I, s:b}", "path", json_text(model->found->path, strlen(model->found->path)),
                               "bytes", (json_int_t)model->found->n_bytes, "usable", model->is_usable);
    if (!object) return NULL;
    if (!model->is_usable) {
        json_object_set_new(object, "why", json_text(model->why, strlen(model->why)));
        return object;
    }
    json_object_set_new(object, "kind", json_string(kinds[model->kind]));
    json_object_set_new(object, "is_guess", json_boolean(model->is_guess));
    json_object_set_new(object, "fits", json_boolean(model->is_fitting));
    json_object_set_new(object, "needed_bytes", json_integer((json_int_t)model->needed_bytes));
    json_object_set_new(object, "recommended", json_boolean(index == choice->decoder || index == choice->encoder));
    if (model->tokens_per_second > 0)
        json_object_set_new(object, "most_tokens_per_s", json_real(model->tokens_per_second));
    return object;
}

json_t *init_models_json(const struct model_choice *choice)
{
    json_t *models = json_array();
    for (size_t i = 0; models && i < choice->n_models; i++) {
        if (json_array_append_new(models, model_json(choice, i)) == 0) continue;
        json_decref(models);
        models = NULL;
    }
    return models;
}
