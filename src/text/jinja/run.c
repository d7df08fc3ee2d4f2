#include "text/jinja/run.h"
#include "base/size.h"

#include <stdio.h>

enum { MOST_DEEP = 600, BYTES_PER_STEP = 64 };

static void set_error(const struct source *source, size_t offset, hob_error *error, hob_status code, const char *format,
                      va_list arguments)
{
    char message[400];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < source->n_bytes; i++) {
        bool is_line_end = source->text[i] == '\n';
        line += is_line_end;
        column = is_line_end ? 1 : column + ((source->text[i] & 0xC0) != 0x80);
    }
    vsnprintf(message, sizeof message, format, arguments);
    error_set(error, code, ERROR_HERE, "%s: line %zu, column %zu: %s", source->name, line, column, message);
}

void source_set_error(const struct source *source, size_t offset, hob_error *error, hob_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(source, offset, error, code, format, arguments);
    va_end(arguments);
}

void run_set_error(struct run *run, hob_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(run->source, run->offset, run->error, code, format, arguments);
    va_end(arguments);
}

hob_status run_charge(struct run *run, size_t n_steps)
{
    size_t n_left = run->limits.most_steps - run->n_steps;
    if (n_steps > n_left) return RUN_ERROR(run, HOB_LIMIT, "the template takes more than %zu steps", run->limits.most_steps);
    run->n_steps += n_steps;
    return HOB_OK;
}

hob_status run_enter(struct run *run)
{
    if (run->n_deep == MOST_DEEP) return RUN_ERROR(run, HOB_LIMIT, "nested deeper than %d", MOST_DEEP);
    run->n_deep++;
    return run_charge(run, 1);
}

void run_leave(struct run *run)
{
    run->n_deep--;
}

hob_status run_alloc(struct run *run, size_t n_items, size_t item_bytes, void **ret_bytes)
{
    size_t n_bytes;
    if (!size_mul(n_items, item_bytes, &n_bytes) || n_bytes > run->limits.most_bytes ||
        run->arena.total_bytes + run->origins.total_bytes > run->limits.most_bytes - n_bytes)
        return RUN_ERROR(run, HOB_LIMIT, "the template's values take more than %zu bytes", run->limits.most_bytes);
    TRY(run_charge(run, n_bytes / BYTES_PER_STEP));
    void *bytes = arena_new(&run->arena, n_items ? n_items : 1, item_bytes, _Alignof(max_align_t));
    if (!bytes) return RUN_ERROR(run, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    *ret_bytes = bytes;
    return HOB_OK;
}

hob_status run_copy_marked(struct run *run, const char *bytes, size_t n_bytes, const char *marks, size_t n_marked, const char **ret_copy)
{
    if (n_bytes > run->limits.most_bytes / 2 || run->arena.total_bytes + run->origins.total_bytes > run->limits.most_bytes - 2 * n_bytes)
        return RUN_ERROR(run, HOB_LIMIT, "the template's values take more than %zu bytes", run->limits.most_bytes);
    TRY(run_charge(run, n_bytes / BYTES_PER_STEP));
    const char *copy = origins_copy(&run->origins, bytes, n_bytes, marks, n_marked);
    if (!copy) return RUN_ERROR(run, HOB_NO_MEMORY, "no memory for %zu bytes", n_bytes);
    *ret_copy = copy;
    return HOB_OK;
}

struct writer run_writer(const struct run *run)
{
    return (struct writer){.text = {.cap_bytes = run->limits.most_bytes}, .origins = &run->origins};
}

hob_status run_check_buffer(struct run *run, const struct writer *writer)
{
    if (!writer->text.is_failed) return HOB_OK;
    return RUN_ERROR(run, HOB_LIMIT, "a text grows above %zu bytes, or memory is out", writer->text.cap_bytes);
}
