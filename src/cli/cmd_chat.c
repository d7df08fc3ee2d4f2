/* A conversation in the terminal, or, with standard input from elsewhere, one message a line and an answer to each. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/chat_command.h"
#include "cli/chat_lines.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    struct conversation_settings answers;
    const char *model_path, *system, *template_name, *template_path, *tools_path, *messages_path, *variables;
    size_t n_threads;
    bool is_json;
};

static const struct settings defaults = {.answers = {.sampling = SAMPLING_DEFAULTS}};

static const struct option_def options[] = {
    OPTION_MODEL(struct settings, "a language model: file or folder"),
    {.name = "system",
     .argument = "TEXT",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, system),
     .help = "what the model is told before the conversation"},
    {.name = "template",
     .argument = "NAME",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, template_name),
     .help = "a chat template that comes with hob, in place of the model's: chatml, llama2, …"},
    {.name = "template-file",
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, template_path),
     .help = "a chat template of your own (Jinja)"},
    {.name = "template-variables",
     .argument = "JSON",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, variables),
     .help = "an object with more names for the template: '{\"enable_thinking\": false}'"},
    {.name = "tools",
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, tools_path),
     .help = "functions that the model may call, a JSON list as OpenAI writes them"},
    {.name = "load",
     .argument = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct settings, messages_path),
     .help = "go on with a conversation that /save wrote"},
    {.name = "tokens",
     .letter = 'n',
     .argument = "TOKENS",
     .kind = OPTION_COUNT,
     .offset = offsetof(struct settings, answers.n_tokens),
     .help = "at most so many in an answer; 0 (default): until the context is full"},
    SAMPLING_OPTIONS(struct settings, answers.sampling),
    OPTION_JSON(struct settings, "each answer one JSON object on a line"),
    OPTION_THREADS(struct settings),
};

static bool has_colours(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && terminal && strcmp(terminal, "dumb") != 0;
}

/* What files name; template_text holds the template's. */
static hob_status prepare(struct conversation *conversation, const struct settings *settings, struct buffer *template_text, hob_error *error)
{
    struct buffer tools = {0};
    hob_chat_options *how = &conversation->template_options;
    TRY(hob_chat_new(&conversation->chat, error));
    *how = (hob_chat_options){.template_name = settings->template_name, .variables = settings->variables};
    if (settings->template_path) TRY(input_file(settings->template_path, template_text, error));
    if (settings->template_path) how->template_text = buffer_text(template_text);
    if (settings->messages_path) TRY(chat_load(conversation, settings->messages_path, error));
    if (settings->system) TRY(hob_chat_set_system(conversation->chat, settings->system, error));
    if (!settings->tools_path) return HOB_OK;
    hob_status status = input_file(settings->tools_path, &tools, error);
    if (status == HOB_OK) status = hob_chat_set_tools(conversation->chat, buffer_text(&tools), error);
    buffer_release(&tools);
    return status;
}

/* Told at once, not when the first message has been typed. */
static hob_status check_model(const struct conversation *conversation, const char *path, hob_error *error)
{
    const hob_model *model = conversation->loaded->model;
    const hob_chat_options *how = &conversation->template_options;
    if (!path) path = "default model";
    if (hob_model_get_info(model).kind != HOB_MODEL_DECODER)
        FAIL(error, HOB_UNSUPPORTED, "%s: found a model that generates no text, expected a language model", path);
    if (!hob_model_tokenizer(model)) FAIL(error, HOB_NOT_FOUND, "%s: found no tokenizer in it or beside it (tokenizer.json)", path);
    if (!how->template_text && !how->template_name && !hob_model_chat_template(model))
        FAIL(error, HOB_NOT_FOUND, "%s: found no chat template in it: name one with --template (chatml, llama2, …) or --template-file", path);
    for (size_t i = 0; how->template_name && hob_chat_template_name(i); i++)
        if (!strcmp(hob_chat_template_name(i), how->template_name)) return HOB_OK;
    if (how->template_name && !how->template_text) FAIL(error, HOB_BAD_ARGUMENT, "--template: there is none named '%s'", how->template_name);
    return HOB_OK;
}

/* false: the conversation is over. ret_status: what an answer to a script fails with. */
static bool take_message(struct conversation *conversation, const char *text, bool is_terminal, int *ret_status)
{
    hob_error error;
    if (*text == '/' && text[1] != '/') return chat_command_run(conversation, text + 1);
    text += *text == '/';
    if (!*text) return true;
    if (conversation_say(conversation, "user", text, &error) != HOB_OK) {
        *ret_status = report_error(&error);
        return is_terminal;
    }
    bool is_interrupted = interrupt_is_asked() && !is_terminal;
    if (is_interrupted) *ret_status = STATUS_INTERRUPTED;
    return !is_interrupted && !conversation->output->error_number;
}

/* A second Ctrl-C at an empty prompt leaves. */
static int talk(struct conversation *conversation, struct chat_lines *lines)
{
    struct buffer message = {0};
    hob_error error;
    int status = STATUS_DONE;
    bool is_terminal = chat_lines_is_terminal(lines), was_interrupted = false, goes_on = true;
    while (goes_on) {
        enum chat_lines_result result = chat_lines_next(lines, &message, &error);
        bool leaves = result == CHAT_LINES_INTERRUPTED && was_interrupted;
        if (result == CHAT_LINES_FAILED) status = report_error(&error);
        if (leaves) status = STATUS_INTERRUPTED;
        if (result == CHAT_LINES_END && is_terminal) output_write(conversation->output, "\n", 1);
        if (result == CHAT_LINES_INTERRUPTED && !leaves) output_printf(conversation->output, "\n(Ctrl-C again, or Ctrl-D, leaves)\n");
        output_flush(conversation->output);
        was_interrupted = result == CHAT_LINES_INTERRUPTED;
        goes_on = result == CHAT_LINES_MESSAGE || (was_interrupted && !leaves);
        if (result == CHAT_LINES_MESSAGE) goes_on = take_message(conversation, buffer_text(&message), is_terminal, &status);
        if (is_terminal && result == CHAT_LINES_MESSAGE) status = STATUS_DONE; /* the person has seen what went wrong */
    }
    buffer_release(&message);
    return status;
}

static int chat(struct conversation *conversation, const struct settings *settings)
{
    struct chat_lines *lines;
    struct buffer template_text = {0};
    hob_error error;
    int status;
    if (prepare(conversation, settings, &template_text, &error) != HOB_OK ||
        check_model(conversation, settings->model_path, &error) != HOB_OK || chat_lines_open(&lines, &error) != HOB_OK) {
        status = report_error(&error);
    } else {
        if (chat_lines_is_terminal(lines)) output_printf(conversation->output, "/help lists what can be typed; Ctrl-D leaves.\n");
        output_flush(conversation->output);
        status = talk(conversation, lines);
        chat_lines_free(lines);
    }
    buffer_release(&template_text);
    hob_chat_free(conversation->chat);
    return status;
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    struct loaded loaded;
    hob_logit_bias *biases;
    hob_error error;
    if (line->n_words > 0) return report_usage(line->command, "found '%s': what to say is read from standard input", line->words[0]);
    int status = sampling_read_biases(line->command, &settings->answers.sampling, &biases);
    if (status != STATUS_DONE) return status;
    if (load_model(settings->model_path, HOB_MODEL_DECODER, settings->n_threads, &loaded, &error) != HOB_OK) {
        memory_free(biases);
        return report_error(&error);
    }
    struct conversation conversation = {.settings = settings->answers,
                                        .biases = biases,
                                        .loaded = &loaded,
                                        .output = line->output,
                                        .is_json = settings->is_json,
                                        .has_colours = has_colours(),
                                        .shows_reasoning = isatty(STDOUT_FILENO)};
    status = chat(&conversation, settings);
    loaded_release(&loaded);
    memory_free(biases);
    return status;
}

const struct command_def command_chat = {
    .name = "chat",
    .synopsis = "[-m MODEL] [--system TEXT] [--template NAME | --template-file FILE] [--tools FILE]\n"
                "                [--load FILE] [-n TOKENS] [--temperature T] [--top-k K] [--top-p P] [--min-p P]\n"
                "                [--repeat-penalty X] [SAMPLING]… [--seed S] [--json] [--threads N]",
    .summary = "Talk with a model",
    .details = "The model's own chat template writes the prompt. On a terminal lines can be edited, the arrows bring back what was\n"
               "typed before, /help lists commands, Ctrl-C stops an answer. From a file or pipe each line is a message (\"\"\" … \"\"\"\n"
               "takes several; a message that begins with / is a command, with // the text behind one /).\n"
               "SAMPLING is what hob complete takes; answer i, from 0, draws with seed S + i.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .defaults = &defaults,
    .run = run,
};
