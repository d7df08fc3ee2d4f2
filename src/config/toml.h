/* TOML 1.0: a document read into tables, arrays and values that know the line and column they stand at.
 *
 * A document owns everything in it (one arena) and is read-only once it is parsed: threads may share it. Every rule of the
 * specification holds: what it forbids is refused with the place of the fault.
 *
 *     struct toml *document;
 *     TRY(toml_parse(text, n_bytes, "config.toml", &document, error));
 *     const struct toml_value *port = toml_find(toml_root(document), "port");
 *     if (port && port->kind == TOML_INTEGER) … port->integer …
 *     toml_free(document);
 *
 * Source: toml.io, TOML v1.0.0. */
#ifndef CONFIG_TOML_H
#define CONFIG_TOML_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum toml_kind {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_TIME, /* any of the four kinds of dates and times */
    TOML_ARRAY,
    TOML_TABLE
};

/* What is not written has is_… false and zeros. Years 0 to 9999; second 60 is a leap second. */
struct toml_time {
    bool has_date, has_time, has_offset;
    int year, month, day, hour, minute, second;
    int nanosecond;     /* further digits are cut off */
    int offset_minutes; /* east of UTC */
};

struct toml_table;
struct toml_array;

struct toml_value {
    enum toml_kind kind;
    int line, column; /* 1-based; the column counts bytes */
    union {
        struct {
            const char *text; /* UTF-8, NUL-terminated; may hold NULs of its own (\u0000) */
            size_t n_text_bytes;
        };
        int64_t integer;
        double number;
        bool boolean;
        struct toml_time time;
        struct toml_array *array;
        struct toml_table *table;
    };
};

struct toml_array {
    struct toml_value *items;
    size_t n_items, n_reserved;
    bool is_of_tables; /* made by [[name]]: further ones may come */
};

/* A table's keys in the order of the file. */
struct toml_entry {
    const char *key;
    size_t n_key_bytes;
    int line, column; /* of the key */
    struct toml_value value;
    struct toml_entry *next;
};

struct toml;

enum { TOML_MAX_BYTES = 1 << 20, TOML_MAX_DEPTH = 64 };

/* name: for messages, "NAME:LINE:COLUMN: what". Fails: HOB_BAD_FILE, HOB_LIMIT (too large, too deep), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status toml_parse(const char *text, size_t n_bytes, const char *name, struct toml **ret_document,
                                     hob_error *error);
/* The same for a person who wants to know all that is wrong: on_fault is told each fault, and reading goes on where the next key or header
 * seems to begin. The document holds what could be read. Fails: HOB_NO_MEMORY, HOB_LIMIT (too large). */
typedef void toml_on_fault(void *context, const hob_error *fault);
HOB_MUST_CHECK hob_status toml_parse_all(const char *text, size_t n_bytes, const char *name, toml_on_fault *on_fault, void *context,
                                         struct toml **ret_document, hob_error *error);
void toml_free(struct toml *document); /* takes NULL */

const struct toml_table *toml_root(const struct toml *document);
/* NULL when the table is empty. */
const struct toml_entry *toml_first(const struct toml_table *table);
/* NULL when the table has no such key. */
const struct toml_value *toml_find(const struct toml_table *table, const char *key);

/* "a string", "an integer", …: for messages. Static. */
const char *toml_kind_name(enum toml_kind kind);

#endif
