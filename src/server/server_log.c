/* A line is put together in a buffer of its own and written at once, so that lines of two threads never mix. The library's messages come
 * through base/log's sink, which is set while a server_log exists. */
#include "server/server_log.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdatomic.h>
#include <unistd.h>

struct server_log {
    int fd;
    bool is_under_systemd; /* then each line begins with its priority */
    atomic_bool is_json, has_texts;
    atomic_int least_important;
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};

static void from_library(void *context, enum log_level level, const char *message)
{
    server_log(context, level, message, NULL);
}

hob_status server_log_new(const struct config *config, int fd, struct server_log **ret_log, hob_error *error)
{
    struct server_log *log = memory_new(1, sizeof *log);
    if (!log) FAIL(error, HOB_NO_MEMORY, "the log: out of memory");
    log->fd = fd;
    log->is_under_systemd = getenv("JOURNAL_STREAM") != NULL;
    server_log_reload(log, config);
    log_set_sink(from_library, log, LOG_DEBUG);
    *ret_log = log;
    return HOB_OK;
}

void server_log_free(struct server_log *log)
{
    if (!log) return;
    log_set_sink(NULL, NULL, LOG_ERROR);
    memory_free(log);
}

void server_log_reload(struct server_log *log, const struct config *config)
{
    atomic_store(&log->is_json, config->log_format == CONFIG_LOG_JSON);
    atomic_store(&log->has_texts, config->log_texts);
    atomic_store(&log->least_important, (int)config->log_level);
}

/* ---- lines ---- */

static void put_time(char text[40])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + n, 40 - n, ".%03ldZ", now.tv_nsec / 1000000);
}

static bool is_told(const struct server_log *log, const struct log_field *field)
{
    if (field->kind == LOG_FIELD_PRIVATE && !atomic_load(&log->has_texts)) return false;
    return field->text || field->kind == LOG_FIELD_COUNT || field->kind == LOG_FIELD_NUMBER;
}

/* Control characters and quotation marks must not forge lines or fields. */
static void put_quoted(struct buffer *line, const char *text)
{
    bool is_plain = *text && !text[strcspn(text, " \"=\\")];
    for (const char *c = text; *c; c++) is_plain &= (unsigned char)*c > ' ' && *c != 0x7F;
    if (is_plain) {
        buffer_append_string(line, text);
        return;
    }
    buffer_append_byte(line, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c == 0x7F) buffer_printf(line, "\\x%02x", *c);
        else {
            if (*c == '"' || *c == '\\') buffer_append_byte(line, '\\');
            buffer_append_byte(line, *c);
        }
    }
    buffer_append_byte(line, '"');
}

static void put_text_line(const struct server_log *log, enum log_level level, const char *message,
                          const struct log_field *fields, struct buffer *line)
{
    if (log->is_under_systemd) buffer_append_string(line, priorities[level]);
    else {
        char time_text[40];
        put_time(time_text);
        buffer_printf(line, "%s %s ", time_text, level_names[level]);
    }
    for (const char *c = message; *c; c++)
        buffer_append_byte(line, (unsigned char)((unsigned char)*c < ' ' ? ' ' : *c));
    for (; fields && fields->kind != LOG_FIELD_END; fields++) {
        if (!is_told(log, fields)) continue;
        buffer_printf(line, " %s=", fields->name);
        if (fields->kind == LOG_FIELD_COUNT) buffer_printf(line, "%lld", (long long)fields->count);
        else if (fields->kind == LOG_FIELD_NUMBER) buffer_printf(line, "%.6g", fields->number);
        else put_quoted(line, fields->text);
    }
    buffer_append_byte(line, '\n');
}

static json_t *field_json(const struct log_field *field)
{
    if (field->kind == LOG_FIELD_COUNT) return json_integer((json_int_t)field->count);
    if (field->kind == LOG_FIELD_NUMBER) return json_real(field->number);
    json_t *text = json_string(field->text);
    return text ? text : json_string("(not UTF-8)");
}

static void put_json_line(const struct server_log *log, enum log_level level, const char *message,
                          const struct log_field *fields, struct buffer *line)
{
    char time_text[40];
    put_time(time_text);
    json_t *object = json_pack("{s:s,s:s}", "time", time_text, "level", level_names[level]);
    json_t *text = json_string(message);
    json_object_set_new(object, "message", text ? text : json_string("(not UTF-8)"));
    for (; fields && fields->kind != LOG_FIELD_END; fields++)
        if (is_told(log, fields)) json_object_set_new(object, fields->name, field_json(fields));
    char *written = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (written) buffer_printf(line, "%s\n", written);
    free(written);
}

void server_log(struct server_log *log, enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log || (int)level > atomic_load(&log->least_important)) return;
    struct buffer line = {.cap_bytes = 1 << 20};
    if (atomic_load(&log->is_json)) put_json_line(log, level, message, fields, &line);
    else put_text_line(log, level, message, fields, &line);
    if (line.n_bytes && write(log->fd, line.bytes, line.n_bytes) < 0) {
    } /* nobody is left to be told */
    buffer_release(&line);
}
