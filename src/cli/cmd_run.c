#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/cases.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "cli/run_graph.h"

struct settings {
    struct text_list inputs;
    const char *output_path, *cases_path;
    size_t n_threads;
    float timeout_s;
    bool is_json;
};

static const struct option_def options[] = {
    {.name = "input",
     .letter = 'i',
     .argument = "NAME=FILE",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct settings, inputs),
     .help = "an input, from a .npy or .pb file; one for each"},
    {.name = "output",
     .letter = 'o',
     .argument = "DIR",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, output_path),
     .help = "where DIR/NAME.npy is written for each output"},
    {.name = "cases",
     .argument = "FILE|-",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, cases_path),
     .help = "run each case of a list"},
    {.name = "timeout",
     .argument = "SECONDS",
     .kind = OPTION_NUMBER,
     .offset = offsetof(struct settings, timeout_s),
     .least = 0.001,
     .most = 1e6,
     .help = "how long one case may take (60)"},
    OPTION_JSON(struct settings, "one JSON object that tells the outputs"),
    OPTION_THREADS(struct settings),
};

/* A run whose outputs become files, and the names it needs for that. */
struct file_run {
    struct run run;
    char **input_names;        /* owned copies, the part before '=' */
    const char **output_names; /* the model's */
    char **file_names;         /* of the outputs */
    struct buffer path;
    json_t *files; /* NULL without --json */
};

static hob_status add_input(struct file_run *file_run, const char *argument, hob_error *error)
{
    const char *equals = strchr(argument, '=');
    char *name = memory_new((size_t)(equals - argument) + 1, 1);
    if (!name) FAIL(error, HOB_NO_MEMORY, "no memory for the name of an input");
    memcpy(name, argument, (size_t)(equals - argument));
    file_run->input_names[file_run->run.n_inputs] = name; /* the next free place, whether or not the file can be read */
    return run_add_input(&file_run->run, name, equals + 1, error);
}

static json_t *json_of_output(const char *name, const char *path, const hob_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < hob_tensor_rank(tensor); i++)
        json_array_append_new(shape, json_integer(hob_tensor_dims(tensor)[i]));
    return json_pack("{s:o, s:o, s:s, s:o}", "name", json_text(name, strlen(name)), "file",
                     json_text(path, strlen(path)), "type", hob_tensor_type_name(tensor), "shape", shape);
}

static hob_status write_output(struct file_run *file_run, const char *folder, size_t index, hob_error *error)
{
    const struct run *run = &file_run->run;
    const char *name = file_run->output_names[index];
    static const char *const endings[] = {".npy", ".pb"}; /* NumPy lacks some of ONNX's types */
    hob_status status = HOB_BAD_TYPE;
    for (size_t i = 0; i < 2 && status == HOB_BAD_TYPE; i++) {
        TRY(join_path(folder, file_run->file_names[index], endings[i], &file_run->path, error));
        status = hob_tensor_write(run->outputs[index], buffer_text(&file_run->path), error);
    }
    if (status != HOB_OK) return error_prefix(error, status, "output %s", name);
    if (!file_run->files) return HOB_OK;
    json_t *entry = json_of_output(name, buffer_text(&file_run->path), run->outputs[index]);
    if (json_array_append_new(file_run->files, entry) != 0) FAIL(error, HOB_NO_MEMORY, "no memory for the JSON text");
    return HOB_OK;
}

static hob_status write_outputs(struct file_run *file_run, const char *folder, hob_error *error)
{
    const struct run *run = &file_run->run;
    file_run->output_names = memory_new(run->n_outputs, sizeof *file_run->output_names);
    if (!file_run->output_names) FAIL(error, HOB_NO_MEMORY, "no memory for the names of %zu outputs", run->n_outputs);
    for (size_t i = 0; i < run->n_outputs; i++) file_run->output_names[i] = hob_model_output_name(run->loaded.model, i);
    TRY(file_names_new(file_run->output_names, run->n_outputs, &file_run->file_names, error));
    TRY(make_folder(folder, error));
    for (size_t i = 0; i < run->n_outputs; i++) TRY(write_output(file_run, folder, i, error));
    return HOB_OK;
}

static hob_status run_files(struct file_run *file_run, const struct settings *settings, const char *model_path,
                            double *ret_run_ms, hob_error *error)
{
    TRY(run_open(&file_run->run, model_path, settings->n_threads, settings->inputs.n_items, error));
    file_run->input_names = memory_new(settings->inputs.n_items, sizeof *file_run->input_names);
    if (!file_run->input_names) FAIL(error, HOB_NO_MEMORY, "no memory for the names of the inputs");
    for (size_t i = 0; i < settings->inputs.n_items; i++) TRY(add_input(file_run, settings->inputs.items[i], error));
    uint64_t start_ns = clock_now_ns();
    TRY(run_graph(&file_run->run, error));
    *ret_run_ms = (double)(clock_now_ns() - start_ns) * 1e-6;
    return write_outputs(file_run, settings->output_path, error);
}

static void file_run_release(struct file_run *file_run, size_t n_input_names)
{
    file_names_free(file_run->file_names, file_run->run.n_outputs);
    run_release(&file_run->run);
    for (size_t i = 0; file_run->input_names && i < n_input_names; i++) memory_free(file_run->input_names[i]);
    memory_free(file_run->input_names);
    memory_free(file_run->output_names);
    buffer_release(&file_run->path);
    json_decref(file_run->files);
}

static int run_model(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    struct file_run file_run = {.files = settings->is_json ? json_array() : NULL};
    double run_ms;
    hob_error error;
    hob_status status = run_files(&file_run, settings, line->words[0], &run_ms, &error);
    int exit_status = status == HOB_OK ? STATUS_DONE : report_error(&error);
    if (status == HOB_OK && settings->is_json)
        exit_status =
            json_print(json_pack("{s:o, s:O, s:f}", "model", json_text(line->words[0], strlen(line->words[0])),
                                 "outputs", file_run.files, "run_ms", run_ms),
                       line->output);
    file_run_release(&file_run, settings->inputs.n_items);
    return exit_status;
}

static int check_inputs(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    for (size_t i = 0; i < settings->inputs.n_items; i++) {
        const char *input = settings->inputs.items[i], *equals = strchr(input, '=');
        if (!equals || equals == input || !equals[1])
            return report_usage(line->command, "--input: found '%s', expected NAME=FILE", input);
    }
    return STATUS_DONE;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (settings->cases_path) {
        if (line->n_words || settings->inputs.n_items || settings->output_path || settings->is_json)
            return report_usage(line->command, "--cases goes with --threads and --timeout only: the list names models and folders");
        struct cases_options cases = {.n_threads = settings->n_threads, .timeout_s = (double)settings->timeout_s};
        return cases_run(settings->cases_path, &cases, line->output);
    }
    if (line->n_words != 1) return report_usage(line->command, "found %zu words, expected one MODEL", line->n_words);
    if (!settings->output_path) return report_usage(line->command, "expected --output DIR for the results");
    int status = check_inputs(line);
    return status == STATUS_DONE ? run_model(line) : status;
}

const struct command_def command_run = {
    .name = "run",
    .synopsis = "MODEL -i NAME=FILE.npy|FILE.pb … -o DIR [--threads N] [--json]\n"
                "       hob run --cases FILE|- [--threads N] [--timeout SECONDS]",
    .summary = "Run any graph on tensors from files",
    .details =
        "A character of an output's name that cannot stand in a file name becomes '_'. What NumPy has no type for\n"
        "(strings, sequences, bfloat16 and smaller numbers) is written to DIR/NAME.pb.\n"
        "\n"
        "A list of cases has lines of model, folder with input_0.pb …, and output folder, with tabs between;\n"
        "output_0.pb … are written there and each case is answered by one line: \"ok\", \"unsupported<TAB>WHY\" or\n"
        "\"error<TAB>WHY\". A case that fails, crashes or takes too long does not stop the others.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .defaults = &(const struct settings){.timeout_s = 60},
    .run = run,
};
