/* The daemon's log, on standard error: lines of text ("<level> message key=value …", with systemd's priority prefix under it), or a JSON
 * object each. The person's texts are never in it unless the configuration says log.texts. Thread-safe.
 *
 *     server_log(log, LOG_INFO, "request", (struct log_field[]){LOG_TEXT("id", id), LOG_COUNT("status", 200), LOG_END});
 */
#ifndef SERVER_SERVER_LOG_H
#define SERVER_SERVER_LOG_H

#include "base/log.h"
#include "config/config.h"

#include <stdint.h>

struct server_log;

enum log_field_kind { LOG_FIELD_END, LOG_FIELD_TEXT, LOG_FIELD_COUNT, LOG_FIELD_NUMBER, LOG_FIELD_PRIVATE };

struct log_field {
    enum log_field_kind kind;
    const char *name;
    const char *text; /* NULL: the field is left out */
    double number;
    int64_t count;
};

#define LOG_TEXT(name_, value) ((struct log_field){.kind = LOG_FIELD_TEXT, .name = (name_), .text = (value)})
#define LOG_COUNT(name_, value) ((struct log_field){.kind = LOG_FIELD_COUNT, .name = (name_), .count = (int64_t)(value)})
#define LOG_NUMBER(name_, value) ((struct log_field){.kind = LOG_FIELD_NUMBER, .name = (name_), .number = (value)})
/* A person's text: only with log.texts. */
#define LOG_PRIVATE(name_, value) ((struct log_field){.kind = LOG_FIELD_PRIVATE, .name = (name_), .text = (value)})
#define LOG_FIELDS_END ((struct log_field){.kind = LOG_FIELD_END})

/* fd: where lines go, usually 2; the library's own messages (base/log) go there as well. */
HOB_MUST_CHECK hob_status server_log_new(const struct config *config, int fd, struct server_log **ret_log, hob_error *error);
void server_log_free(struct server_log *log); /* takes NULL */
void server_log_reload(struct server_log *log, const struct config *config);
/* log may be NULL. fields NULL: none. */
void server_log(struct server_log *log, enum log_level level, const char *message, const struct log_field *fields);

#endif
