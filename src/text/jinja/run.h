/* One rendering: its memory, its budget and where it stands, for messages. One thread.
 *
 *     TRY(run_charge(run, n_bytes / 64));
 *     if (!text) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "expected a string, found %s", …);
 */
#ifndef TEXT_JINJA_RUN_H
#define TEXT_JINJA_RUN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "text/jinja/jinja.h"
#include "text/jinja/origins.h"

struct value;
struct builtin;
struct scope;

/* What a template's text is, for messages. */
struct source {
    const char *name, *text;
    size_t n_bytes;
};

struct run {
    const struct source *source;
    size_t offset; /* in the source: what is being evaluated */
    struct arena arena;
    struct origins origins; /* texts that are not the template's alone */
    struct jinja_options limits;
    size_t n_steps, n_deep;
    struct writer *out;
    struct scope *scope;
    hob_error *error;
    /* NULL: none of that name. Here, so that filters that apply filters need not know the table they stand in. */
    const struct builtin *(*find_filter)(const char *name, size_t n_bytes);
    const struct builtin *(*find_test)(const char *name, size_t n_bytes);
};

/* "chat template: line 3, column 7: …" */
void source_set_error(const struct source *source, size_t offset, hob_error *error, hob_status code, const char *format, ...)
    __attribute__((format(printf, 5, 6), cold));
/* The same at run->offset. */
void run_set_error(struct run *run, hob_status code, const char *format, ...) __attribute__((format(printf, 3, 4), cold));
/* Expressions that set the error and are the code itself, so that the compiler sees that it is not HOB_OK. */
#define SOURCE_ERROR(source, offset, error, code, ...) (source_set_error((source), (offset), (error), (code), __VA_ARGS__), (code))
#define RUN_ERROR(run, code, ...) (run_set_error((run), (code), __VA_ARGS__), (code))

/* Counts work. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status run_charge(struct run *run, size_t n_steps);
/* Around whatever calls itself. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status run_enter(struct run *run);
void run_leave(struct run *run);
/* n_items * item_bytes zeroed bytes that live until the run's end, charged. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status run_alloc(struct run *run, size_t n_items, size_t item_bytes, void **ret_bytes);
/* A copy of a text that lives until the run's end; marks as origins_copy has them. Fails: HOB_LIMIT, HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status run_copy_marked(struct run *run, const char *bytes, size_t n_bytes, const char *marks, size_t n_marked,
                                          const char **ret_copy);
/* One that copies marks of the run's texts. */
struct writer run_writer(const struct run *run);
/* Whether appending to a buffer went well. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status run_check_buffer(struct run *run, const struct writer *writer);

#endif
