#include "cli/chat_lines.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/paths.h"

#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

#define FENCE "\"\"\""

struct chat_lines {
    EditLine *editor; /* NULL: not a terminal */
    History *history;
    HistEvent event;
    char *history_path; /* NULL: nowhere to keep it */
    struct line_reader reader;
    bool is_continued; /* the prompt shows that a message goes on */
};

/* $XDG_STATE_HOME/hob/chat_history, or below ~/.local/state. */
static char *find_history_path(void)
{
    struct buffer folder = {0}, path = {0};
    hob_error error;
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state == '/') buffer_printf(&folder, "%s/hob", state);
    else if (home && *home) buffer_printf(&folder, "%s/.local/state/hob", home);
    bool is_there = folder.n_bytes && !folder.is_failed && make_folder(folder.bytes, &error) == HOB_OK;
    if (is_there) buffer_printf(&path, "%s/chat_history", folder.bytes);
    buffer_release(&folder);
    return path.bytes;
}

static char *prompt(EditLine *editor)
{
    static char first[] = "> ", next[] = ". ";
    void *lines;
    el_get(editor, EL_CLIENTDATA, &lines);
    return ((struct chat_lines *)lines)->is_continued ? next : first;
}

static hob_status open_editor(struct chat_lines *lines, hob_error *error)
{
    lines->history = history_init();
    lines->editor = el_init("hob", stdin, stdout, stderr);
    if (!lines->history || !lines->editor) FAIL(error, HOB_NO_MEMORY, "no memory for line editing");
    history(lines->history, &lines->event, H_SETSIZE, HISTORY_LINES);
    history(lines->history, &lines->event, H_SETUNIQUE, 1);
    el_set(lines->editor, EL_CLIENTDATA, lines);
    el_set(lines->editor, EL_PROMPT, prompt);
    el_set(lines->editor, EL_EDITOR, "emacs");
    el_set(lines->editor, EL_HIST, history, lines->history);
    el_source(lines->editor, NULL); /* the person's ~/.editrc */
    lines->history_path = find_history_path();
    if (lines->history_path) history(lines->history, &lines->event, H_LOAD, lines->history_path);
    return HOB_OK;
}

hob_status chat_lines_open(struct chat_lines **ret_lines, hob_error *error)
{
    struct chat_lines *lines = memory_new(1, sizeof *lines);
    if (!lines) FAIL(error, HOB_NO_MEMORY, "no memory for what is typed");
    lines->reader = (struct line_reader){.fd = STDIN_FILENO, .name = "standard input"};
    hob_status status = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? open_editor(lines, error) : HOB_OK;
    if (status == HOB_OK) *ret_lines = lines;
    else chat_lines_free(lines);
    return status;
}

/* What was typed is the person's own business: nobody else may read it. */
static void save_history(struct chat_lines *lines)
{
    mode_t old = umask(077);
    history(lines->history, &lines->event, H_SAVE, lines->history_path);
    umask(old);
    chmod(lines->history_path, 0600);
}

void chat_lines_free(struct chat_lines *lines)
{
    if (!lines) return;
    if (lines->history && lines->history_path) save_history(lines);
    if (lines->editor) el_end(lines->editor);
    if (lines->history) history_end(lines->history);
    memory_free(lines->history_path);
    line_reader_release(&lines->reader);
    memory_free(lines);
}

bool chat_lines_is_terminal(const struct chat_lines *lines)
{
    return lines->editor != NULL;
}

static enum chat_lines_result edit_line(struct chat_lines *lines, const char **ret_line, size_t *ret_n_bytes)
{
    int n_bytes = 0;
    interrupt_forget();
    interrupt_watch_reading();
    const char *line = el_gets(lines->editor, &n_bytes);
    if (interrupt_is_asked()) return CHAT_LINES_INTERRUPTED;
    if (!line || n_bytes <= 0) return CHAT_LINES_END;
    if (n_bytes > 1) history(lines->history, &lines->event, H_ENTER, line);
    *ret_line = line;
    *ret_n_bytes = (size_t)n_bytes - (line[n_bytes - 1] == '\n');
    return CHAT_LINES_MESSAGE;
}

static enum chat_lines_result read_line(struct chat_lines *lines, const char **ret_line, size_t *ret_n_bytes, hob_error *error)
{
    char *line;
    if (lines->editor) return edit_line(lines, ret_line, ret_n_bytes);
    if (line_reader_next(&lines->reader, &line, ret_n_bytes, error) != HOB_OK) return CHAT_LINES_FAILED;
    *ret_line = line;
    return line ? CHAT_LINES_MESSAGE : CHAT_LINES_END;
}

/* Takes a line into the message; true: there is more to come. */
static bool take_line(struct buffer *message, const char *line, size_t n_bytes, bool *is_fenced)
{
    size_t n_fence = strlen(FENCE);
    bool begins = !*is_fenced && !message->n_bytes && n_bytes >= n_fence && !memcmp(line, FENCE, n_fence);
    if (begins) {
        line += n_fence;
        n_bytes -= n_fence;
    }
    bool ends = (begins || *is_fenced) && n_bytes >= n_fence && !memcmp(line + n_bytes - n_fence, FENCE, n_fence);
    if (ends) n_bytes -= n_fence;
    bool is_in_fence = (begins || *is_fenced) && !ends;
    bool has_backslash = !begins && !*is_fenced && n_bytes && line[n_bytes - 1] == '\\';
    buffer_append(message, line, n_bytes - has_backslash);
    if (has_backslash || (is_in_fence && !(begins && !n_bytes))) buffer_append_byte(message, '\n');
    *is_fenced = is_in_fence;
    return is_in_fence || has_backslash;
}

/* The line end before a closing fence belongs to the fence. */
static void drop_last_line_end(struct buffer *message)
{
    if (message->n_bytes && message->bytes[message->n_bytes - 1] == '\n') message->bytes[--message->n_bytes] = '\0';
}

enum chat_lines_result chat_lines_next(struct chat_lines *lines, struct buffer *message, hob_error *error)
{
    const char *line;
    size_t n_bytes;
    bool is_fenced = false, goes_on = true;
    buffer_clear(message);
    for (lines->is_continued = false; goes_on; lines->is_continued = true) {
        enum chat_lines_result result = read_line(lines, &line, &n_bytes, error);
        if (result == CHAT_LINES_END && lines->is_continued) break;
        if (result != CHAT_LINES_MESSAGE) return result;
        goes_on = take_line(message, line, n_bytes, &is_fenced);
    }
    drop_last_line_end(message);
    if (!message->is_failed) return CHAT_LINES_MESSAGE;
    error_set(error, HOB_NO_MEMORY, ERROR_HERE, "no memory for a message");
    return CHAT_LINES_FAILED;
}
