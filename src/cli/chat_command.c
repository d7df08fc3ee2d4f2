#include "cli/chat_command.h"

#include "base/error.h"
#include "base/output_file.h"
#include "cli/input.h"
#include "cli/option_value.h"
#include "cli/report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool run_help(struct conversation *conversation, const char *rest)
{
    (void)rest;
    chat_command_list(conversation->output);
    return true;
}

static bool run_clear(struct conversation *conversation, const char *rest)
{
    (void)rest;
    const char *role = hob_chat_role(conversation->chat, 0);
    hob_chat_truncate(conversation->chat, role && strcmp(role, "system") == 0);
    return true;
}

static bool run_system(struct conversation *conversation, const char *rest)
{
    hob_error error;
    if (hob_chat_set_system(conversation->chat, *rest ? rest : NULL, &error) != HOB_OK) report_error(&error);
    return true;
}

static hob_status save(const struct conversation *conversation, const char *path, hob_error *error)
{
    struct output_file *file;
    char *json;
    TRY(hob_chat_to_json(conversation->chat, &json, error));
    hob_status status = output_file_open(path, &file, error);
    if (status == HOB_OK) {
        output_file_write(file, json, strlen(json));
        output_file_write(file, "\n", 1);
        status = output_file_commit(file, error);
    }
    hob_free(json);
    return status;
}

static bool run_save(struct conversation *conversation, const char *rest)
{
    hob_error error;
    if (!*rest) report("/save: expected a file");
    else if (save(conversation, rest, &error) != HOB_OK) report_error(&error);
    return true;
}

/* Read into a conversation of its own first, so that a broken file leaves this one as it is. */
hob_status chat_load(struct conversation *conversation, const char *path, hob_error *error)
{
    struct buffer text = {0};
    hob_chat *tried = NULL;
    hob_status status = input_file(path, &text, error);
    if (status == HOB_OK) status = hob_chat_new(&tried, error);
    if (status == HOB_OK) status = hob_chat_add_json(tried, buffer_text(&text), text.n_bytes, error);
    if (status == HOB_OK) {
        hob_chat_truncate(conversation->chat, 0);
        status = hob_chat_add_json(conversation->chat, buffer_text(&text), text.n_bytes, error);
    }
    hob_chat_free(tried);
    buffer_release(&text);
    return status;
}

static bool run_load(struct conversation *conversation, const char *rest)
{
    hob_error error;
    if (!*rest) report("/load: expected a file");
    else if (chat_load(conversation, rest, &error) != HOB_OK) report_error(&error);
    return true;
}

static bool run_regenerate(struct conversation *conversation, const char *rest)
{
    (void)rest;
    hob_error error;
    if (!conversation_undo(conversation, false)) report("there is no answer to write anew");
    else if (conversation_answer(conversation, &error) != HOB_OK) report_error(&error);
    return true;
}

static bool run_undo(struct conversation *conversation, const char *rest)
{
    (void)rest;
    if (!conversation_undo(conversation, true)) report("there is nothing to undo");
    return true;
}

static bool run_tool(struct conversation *conversation, const char *rest)
{
    hob_error error;
    if (conversation_say(conversation, "tool", rest, &error) != HOB_OK) report_error(&error);
    return true;
}

/* ---- /set */

struct setting {
    const char *name;
    char kind; /* 'n' a count, 's' a seed, 'f' a number */
    size_t offset;
    double most;
};

#define AT(field) offsetof(struct conversation_settings, field)
static const struct setting settings[] = {{"tokens", 'n', AT(n_tokens), 0},
                                          {"temperature", 'f', AT(sampling.temperature), 1e6},
                                          {"top-k", 'n', AT(sampling.top_k), 0},
                                          {"top-p", 'f', AT(sampling.top_p), 1},
                                          {"min-p", 'f', AT(sampling.min_p), 1},
                                          {"repeat-penalty", 'f', AT(sampling.repeat_penalty), 1e6},
                                          {"seed", 's', AT(sampling.seed), 0}};

static bool set_value(struct conversation_settings *values, const struct setting *setting, const char *text)
{
    void *field = (char *)values + setting->offset;
    uint64_t whole;
    char *end;
    if (setting->kind == 'f') {
        double number = strtod(text, &end);
        if (end == text || *end || !(number >= 0 && number <= setting->most)) return false;
        *(float *)field = (float)number;
        return true;
    }
    if (setting->kind == 's') return parse_unsigned(text, UINT64_MAX, field);
    if (!parse_unsigned(text, SIZE_MAX, &whole)) return false;
    *(size_t *)field = (size_t)whole;
    return true;
}

static void show_settings(const struct conversation *conversation)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const void *field = (const char *)&conversation->settings + settings[i].offset;
        if (settings[i].kind == 'f') output_printf(conversation->output, "%s %g\n", settings[i].name, (double)*(const float *)field);
        else if (settings[i].kind == 'n') output_printf(conversation->output, "%s %zu\n", settings[i].name, *(const size_t *)field);
        else output_printf(conversation->output, "%s %llu\n", settings[i].name, (unsigned long long)*(const uint64_t *)field);
    }
}

static bool run_set(struct conversation *conversation, const char *rest)
{
    size_t n_name = strcspn(rest, " \t");
    const char *value = rest + n_name + strspn(rest + n_name, " \t");
    if (!*rest) show_settings(conversation);
    for (size_t i = 0; *rest && i < sizeof settings / sizeof settings[0]; i++) {
        if (strlen(settings[i].name) != n_name || memcmp(settings[i].name, rest, n_name) != 0) continue;
        if (!set_value(&conversation->settings, &settings[i], value)) report("/set %s: found '%s', expected a number in its range", settings[i].name, value);
        return true;
    }
    if (*rest) report("/set: there is no setting '%.*s'; /set alone lists them", (int)n_name, rest);
    return true;
}

static bool run_info(struct conversation *conversation, const char *rest)
{
    (void)rest;
    const hob_generate_result *last = &conversation->last;
    hob_model_info info = hob_model_get_info(conversation->loaded->model);
    struct output *output = conversation->output;
    const hob_session *session = conversation->loaded->session;
    output_printf(output, "model: %s (%s), %lld layers, width %lld\n", info.architecture, info.format, (long long)info.n_layers, (long long)info.width);
    output_printf(output, "messages: %zu; context: %zu of %zu tokens\n", hob_chat_n_messages(conversation->chat), hob_session_n_tokens(session),
                  hob_session_n_context_tokens(session));
    if (!last->n_prompt_tokens) return true;
    double prompt_rate = last->prompt_ms > 0 ? (double)(last->n_prompt_tokens - last->n_cached_tokens) * 1000 / last->prompt_ms : 0;
    double rate = last->generate_ms > 0 ? (double)last->n_tokens * 1000 / last->generate_ms : 0;
    output_printf(output, "last answer: prompt %zu tokens (%zu kept), %.1f tokens/s; answer %zu tokens, %.1f tokens/s; ended by %s\n",
                  last->n_prompt_tokens, last->n_cached_tokens, prompt_rate, last->n_tokens, rate, hob_finish_name(last->finish));
    return true;
}

static bool run_quit(struct conversation *conversation, const char *rest)
{
    (void)conversation;
    (void)rest;
    return false;
}

static const struct {
    const char *name, *argument, *help;
    bool (*run)(struct conversation *conversation, const char *rest);
} rows[] = {{"help", "", "this list", run_help},
            {"clear", "", "begin anew; the system message stays", run_clear},
            {"system", "TEXT", "set the system message; without TEXT take it away", run_system},
            {"save", "FILE", "write the conversation as JSON", run_save},
            {"load", "FILE", "go on with a conversation that was saved", run_load},
            {"regenerate", "", "answer the last message anew, with other random numbers", run_regenerate},
            {"undo", "", "forget the last message and its answer", run_undo},
            {"tool", "TEXT", "what a function that the model called gave", run_tool},
            {"set", "NAME VALUE", "change how answers are drawn; without words show it", run_set},
            {"info", "", "the model, the context, how fast the last answer was", run_info},
            {"quit", "", "leave, as Ctrl-D does", run_quit}};

void chat_command_list(struct output *output)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int n = output_printf(output, "/%s %s", rows[i].name, rows[i].argument) ? (int)(strlen(rows[i].name) + strlen(rows[i].argument) + 2) : 0;
        output_printf(output, "%*s%s\n", n < 20 ? 20 - n : 1, "", rows[i].help);
    }
    output_printf(output, "\"\"\" … \"\"\" or a \\ at a line's end: a message of several lines. Ctrl-C stops an answer.\n");
}

bool chat_command_run(struct conversation *conversation, const char *line)
{
    size_t n_name = 0;
    while (isalpha((unsigned char)line[n_name])) n_name++;
    const char *rest = line + n_name + strspn(line + n_name, " \t");
    bool goes_on = true;
    size_t i = 0;
    while (i < sizeof rows / sizeof rows[0] && (strlen(rows[i].name) != n_name || memcmp(rows[i].name, line, n_name) != 0)) i++;
    if (i < sizeof rows / sizeof rows[0]) goes_on = rows[i].run(conversation, rest);
    else report("there is no command /%.*s; /help lists them", (int)(n_name < 40 ? n_name : 40), line);
    output_flush(conversation->output);
    return goes_on;
}
