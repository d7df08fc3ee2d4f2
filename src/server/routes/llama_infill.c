/* POST /infill: what belongs between two texts, as llama.vim and llama.vscode ask for it. "prompt" is what stands behind the prefix already;
 * "input_extra" are pieces of other files. */
#include "server/routes/api_llama.h"
#include "server/routes/job_inputs.h"

struct inputs {
    struct llama_fields common;
    const char *prefix, *suffix, *prompt;
    const json_t *extra;
};

static const struct field_def fields[] = {
    {.name = "input_prefix",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, prefix),
     .help = "what stands before the gap"},
    {.name = "input_suffix",
     .kind = FIELD_TEXT,
     .is_required = true,
     .offset = offsetof(struct inputs, suffix),
     .help = "what stands behind it"},
    {.name = "prompt",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct inputs, prompt),
     .help = "goes on behind the prefix: the line so far"},
    {.name = "input_extra",
     .kind = FIELD_LIST,
     .most_items = 256,
     .offset = offsetof(struct inputs, extra),
     .help = "pieces of other files: {\"filename\", \"text\"}"},
    LLAMA_FIELDS(struct inputs, common),
};

static bool copy_text(struct job *job, const char *text, size_t n_bytes, const char **ret_copy,
                      struct problem *ret_problem)
{
    *ret_copy = job_copy(job, text, n_bytes);
    return *ret_copy || problem_no_memory(ret_problem);
}

static bool set_prefix(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    struct buffer prefix = {0};
    buffer_append_string(&prefix, inputs->prefix);
    buffer_append_string(&prefix, inputs->prompt);
    hob_fim *fill = &generate->inputs.fill;
    fill->n_prefix_bytes = prefix.n_bytes;
    bool is_set = prefix.is_failed
                      ? problem_no_memory(ret_problem)
                      : copy_text(&generate->job, buffer_text(&prefix), prefix.n_bytes, &fill->prefix, ret_problem);
    buffer_release(&prefix);
    return is_set;
}

/* Models that know no repositories get the pieces before the prefix: the job sees to that. */
static bool set_extra(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    hob_fim *fill = &generate->inputs.fill;
    size_t n_files = json_array_size(inputs->extra);
    hob_fim_file *files = ARENA_NEW(&generate->job.arena, hob_fim_file, n_files + 1);
    if (!files) return problem_no_memory(ret_problem);
    for (size_t i = 0; i < n_files; i++) {
        const json_t *piece = json_array_get(inputs->extra, i), *text = json_object_get(piece, "text"),
                     *name = json_object_get(piece, "filename");
        if (!json_is_string(text) || (name && !json_is_string(name)))
            return problem_set_field(ret_problem, "input_extra",
                                     "input_extra[%zu]: expected an object with the texts \"filename\" and \"text\"",
                                     i);
        const char *path = name ? json_string_value(name) : "tmp";
        files[i].n_text_bytes = json_string_length(text);
        if (!copy_text(&generate->job, json_string_value(text), files[i].n_text_bytes, &files[i].text, ret_problem) ||
            !copy_text(&generate->job, path, strlen(path), &files[i].path, ret_problem))
            return false;
    }
    if (!n_files) return true;
    fill->repo_name = "repository";
    fill->path = "filename";
    fill->files = files;
    fill->n_files = n_files;
    return true;
}

static bool fill_in(const struct inputs *inputs, struct generate_job *generate, struct problem *ret_problem)
{
    hob_fim *fill = &generate->inputs.fill;
    generate->inputs.kind = PROMPT_FILL;
    generate->job.priority = PRIORITY_COMPLETION;
    fill->n_suffix_bytes = strlen(inputs->suffix);
    return llama_fill_in(&inputs->common, generate, ret_problem) && set_prefix(inputs, generate, ret_problem) &&
           copy_text(&generate->job, inputs->suffix, fill->n_suffix_bytes, &fill->suffix, ret_problem) &&
           set_extra(inputs, generate, ret_problem);
}

static bool handle(struct exchange *exchange, struct problem *ret_problem)
{
    struct inputs inputs = {.common = LLAMA_DEFAULTS, .prompt = ""};
    if (!fields_read(exchange_body(exchange), fields, sizeof fields / sizeof fields[0], &inputs, ret_problem))
        return false;
    struct generate_job *generate = generate_job_new(inputs.common.model ? inputs.common.model : "");
    return exchange_add(exchange, (struct job *)generate, ret_problem) && fill_in(&inputs, generate, ret_problem) &&
           llama_run(exchange, &inputs.common, ret_problem);
}

const struct route_def route_llama_infill = {
    .method = "POST",
    .path = "/infill",
    .api = &api_llama,
    .summary = "Fill the gap between two texts",
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
    .reply = "As /completion; 501 when the model has no tokens for it",
    .handle = handle,
};
