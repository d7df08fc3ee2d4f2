/* hob init: looks at the machine and for models, asks where there is somebody to ask, and writes a first configuration. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/init_file.h"
#include "cli/init_report.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/report.h"
#include "config/folders.h"

#include <unistd.h>

struct settings {
    const char *model_path, *output_path;
    struct text_list folders, listen;
    bool is_forced, is_yes, is_json;
};

static const struct option_def options[] = {
    OPTION_MODEL(struct settings, "complete text with this one, and do not look for others"),
    {.name = "search",
     .argument = "DIR",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct settings, folders),
     .help = "look for models there too; may be repeated"},
    {.name = "listen",
     .argument = "ADDRESS",
     .kind = OPTION_TEXTS,
     .offset = offsetof(struct settings, listen),
     .help = "answer there beside the socket, as 127.0.0.1:8080; may be repeated"},
    {.name = "output",
     .letter = 'o',
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, output_path),
     .help = "instead of the user's configuration; - is standard output"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_forced),
     .help = "write over a file that is there"},
    {.name = "yes",
     .letter = 'y',
     .kind = OPTION_FLAG,
     .offset = offsetof(struct settings, is_yes),
     .help = "take what is recommended and ask nothing"},
    OPTION_JSON(struct settings, "what was found and written as one object; asks nothing"),
};

/* All of one call. */
struct init {
    const struct command_line *line;
    const struct settings *settings;
    struct buffer path; /* of the file */
    bool is_to_stdout, is_asking;
    struct machine machine;
    struct model_search search;
    struct model_choice choice;
    struct line_reader answers;
    struct init_file file;
    const char *asked_listen[1];
    struct buffer asked_address;
};

/* ---- what is there ---- */

static hob_status find_path(struct init *init, hob_error *error)
{
    const char *given = init->settings->output_path;
    init->is_to_stdout = given && strcmp(given, "-") == 0;
    if (given) buffer_append_string(&init->path, given);
    else if (!folders_expand(NULL, "$XDG_CONFIG_HOME/hob/config.toml", NULL, &init->path) && !init->path.is_failed)
        FAIL(error, HOB_NOT_FOUND,
             "no folder for the configuration is known, as HOME is not set: name a file with --output");
    if (init->path.is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for the path");
    return init->is_to_stdout ? HOB_OK : init_file_check_free(init->path.bytes, init->settings->is_forced, error);
}

static hob_status find_models(struct init *init, hob_error *error)
{
    const struct settings *settings = init->settings;
    if (settings->model_path) return model_search_one(&init->search, settings->model_path, error);
    for (size_t i = 0; i < settings->folders.n_items; i++)
        TRY(model_search_folder(&init->search, settings->folders.items[i], error));
    return model_search_places(&init->search, error);
}

static hob_status look(struct init *init, hob_error *error)
{
    TRY(find_path(init, error));
    TRY(find_models(init, error));
    TRY(machine_measure(&init->machine, error));
    init->file.machine = &init->machine;
    return model_choice_make(&init->search, &init->machine, &init->choice, error);
}

static void take_model(struct init *init, size_t index)
{
    const struct judged_model *model = &init->choice.models[index];
    if (model->kind == HOB_MODEL_ENCODER) init->file.embed_model_path = model->found->path;
    else {
        init->file.model_path = model->found->path;
        init->file.context_tokens = model->context_tokens;
    }
}

/* A model that was named must do; one that was found need not be there. */
static hob_status take_recommended(struct init *init, hob_error *error)
{
    const struct model_choice *choice = &init->choice;
    if (init->settings->model_path && !choice->models[0].is_usable)
        FAIL(error, HOB_UNSUPPORTED, "%s", choice->models[0].why);
    if (init->settings->model_path) take_model(init, 0);
    else {
        if (choice->decoder < choice->n_models) take_model(init, choice->decoder);
        if (choice->encoder < choice->n_models) take_model(init, choice->encoder);
    }
    init->file.listen = init->settings->listen.items;
    init->file.n_listen = init->settings->listen.n_items;
    return HOB_OK;
}

/* ---- asking ---- */

/* NULL: there is no more answer. Valid until the next question. */
static hob_status ask(struct init *init, const char *question, const char *standard, char **ret_answer,
                      hob_error *error)
{
    size_t n_bytes;
    fprintf(stderr, "%s [%s] ", question, standard);
    fflush(stderr);
    TRY(line_reader_next(&init->answers, ret_answer, &n_bytes, error));
    if (*ret_answer) return HOB_OK;
    fprintf(stderr, "\n");
    FAIL(error, HOB_CANCELLED, "nothing is written: standard input ended");
}

/* A model's number, or nothing. false: neither. */
static bool take_answered_model(struct init *init, const char *answer)
{
    char *end;
    if (!*answer) return true;
    unsigned long number = strtoul(answer, &end, 10);
    if (*end || number == 0 || number > init->choice.n_models || !init->choice.models[number - 1].is_usable)
        return false;
    if (init->choice.models[number - 1].kind != HOB_MODEL_DECODER) return false;
    take_model(init, number - 1);
    return true;
}

static hob_status ask_model(struct init *init, hob_error *error)
{
    char standard[32] = "the default model", *answer;
    size_t best = init->choice.decoder;
    if (best < init->choice.n_models) snprintf(standard, sizeof standard, "%zu", best + 1);
    do TRY(ask(init, "Which language model, by its number?", standard, &answer, error));
    while (!take_answered_model(init, answer));
    return HOB_OK;
}

static hob_status ask_address(struct init *init, hob_error *error)
{
    char *answer;
    TRY(ask(init, "Listen at a TCP address beside the socket, as 127.0.0.1:8080?", "no", &answer, error));
    if (!*answer || strcmp(answer, "no") == 0 || strcmp(answer, "n") == 0) return HOB_OK;
    buffer_append_string(&init->asked_address, answer);
    if (init->asked_address.is_failed) FAIL(error, HOB_NO_MEMORY, "no memory for the address");
    init->asked_listen[0] = init->asked_address.bytes;
    init->file.listen = init->asked_listen;
    init->file.n_listen = 1;
    return HOB_OK;
}

static hob_status ask_all(struct init *init, hob_error *error)
{
    if (!init->settings->model_path && init->choice.n_models) TRY(ask_model(init, error));
    return init->settings->listen.n_items ? HOB_OK : ask_address(init, error);
}

/* ---- writing ---- */

static int print_json(struct init *init, const struct buffer *text)
{
    json_t *file = init->is_to_stdout ? json_null() : json_text(init->path.bytes, init->path.n_bytes);
    return json_print(json_pack("{s:o, s:o, s:o, s:o}", "machine", init_machine_json(&init->machine), "models",
                                init_models_json(&init->choice), "file", file, "text",
                                json_text(buffer_text(text), text->n_bytes)),
                      init->line->output);
}

static void print_next(struct init *init)
{
    struct output *output = init->line->output;
    output_printf(output, "Wrote %s\n\nNext:\n", init->path.bytes);
    const char *own = init->settings->output_path ? " --config " : "";
    const char *path = init->settings->output_path ? init->path.bytes : "";
    output_printf(output, "  hob config show%s%s\n  hob serve%s%s\n", own, path, own, path);
    if (!init->file.model_path) {
        char *standing = hob_model_default_path(HOB_MODEL_DECODER);
        if (standing) output_printf(output, "It completes with the default model, %s.\n", standing);
        else
            output_printf(
                output, "There is no language model yet: put one into the models folder, or name one with --model.\n");
        hob_free(standing);
    }
}

static hob_status write_file(struct init *init, struct buffer *text, hob_error *error)
{
    TRY(init_file_text(&init->file, text, error));
    if (init->is_to_stdout) return HOB_OK;
    return init_file_write(init->path.bytes, text, init->settings->is_forced, error);
}

static int finish(struct init *init)
{
    hob_error error;
    struct buffer text = {0};
    int status = STATUS_DONE;
    if (write_file(init, &text, &error) != HOB_OK) status = report_error(&error);
    else if (init->settings->is_json) status = print_json(init, &text);
    else if (init->is_to_stdout) output_write(init->line->output, text.bytes, text.n_bytes);
    else print_next(init);
    buffer_release(&text);
    return status;
}

/* ---- the command ---- */

static int run_init(struct init *init)
{
    hob_error error;
    if (look(init, &error) != HOB_OK || take_recommended(init, &error) != HOB_OK) return report_error(&error);
    if (!init->settings->is_json) {
        init_print_machine(stderr, &init->machine);
        init_print_models(stderr, &init->search, &init->choice);
    }
    if (init->is_asking && ask_all(init, &error) != HOB_OK) return report_error(&error);
    return finish(init);
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    struct init init = {.line = line, .settings = settings, .answers = {.fd = STDIN_FILENO, .name = "standard input"}};
    if (line->n_words) return report_usage(line->command, "found '%s', expected options alone", line->words[0]);
    init.is_asking = !settings->is_yes && !settings->is_json;
    if (init.is_asking && !isatty(STDIN_FILENO))
        return report_usage(line->command, "standard input is no terminal to ask at: --yes takes what is recommended");
    int status = run_init(&init);
    model_choice_release(&init.choice);
    model_search_release(&init.search);
    line_reader_release(&init.answers);
    buffer_release(&init.asked_address);
    buffer_release(&init.path);
    return status;
}

const struct command_def command_init = {
    .name = "init",
    .synopsis = "[-m MODEL] [--search DIR] [--listen ADDRESS] [-o FILE] [--force] [--yes] [--json]",
    .summary = "Look at the machine and for models, and write a first configuration",
    .details = "It counts the cores that it may really use, measures memory for a second, looks for models in hob's, "
               "Hugging Face's,\n"
               "LM Studio's and llama.cpp's folders and in ~/.models, and recommends the largest that fits and writes "
               "as fast as one\n"
               "reads. Tokens a second are an estimate: memory's speed by the bytes of the weights. A file that is "
               "there stays.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
