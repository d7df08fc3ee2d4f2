/* Where the library reports what is not an error: a sink that the program may set, silent by default. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The message is one line without its end; valid during the call only. Called from any thread. */
typedef void log_sink(void *context, enum log_level level, const char *message);

/* Set once, before threads start. NULL silences. */
void log_set_sink(log_sink *sink, void *context, enum log_level least_important);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
