/* Values of a template while it runs, with Python's meaning. They live in the run's arena, all until its end; a value is passed by
 * copy, its text, list or dict is shared. Lists are never changed once they are complete; only namespaces are.
 */
#ifndef TEXT_JINJA_VALUE_H
#define TEXT_JINJA_VALUE_H

#include "text/jinja/run.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum value_kind {
    VALUE_UNDEFINED, /* name: what was looked for, or NULL */
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT,
    VALUE_NAMESPACE,
    VALUE_LOOP,
    VALUE_CALLABLE,
};

struct text {
    const char *bytes; /* UTF-8; not NUL-terminated: slices point into other texts */
    size_t n_bytes;
};

struct value {
    enum value_kind kind;
    union {
        const char *name;
        bool truth;
        int64_t integer;
        double number;
        struct text text;
        struct list *list;
        struct dict *dict; /* dicts and namespaces */
        struct loop *loop;
        const struct callable *callable;
    };
};

struct list {
    struct value *items;
    size_t n_items, n_reserved;
};

/* In the order in which keys came. */
struct dict_entry {
    struct value key, value;
};
struct dict {
    struct dict_entry *entries;
    size_t n_entries, n_reserved;
};

struct keyword {
    struct text name;
    struct value value;
};

struct arguments {
    const struct value *items;
    size_t n_items;
    const struct keyword *keywords;
    size_t n_keywords;
};

/* A function, bound method or macro. */
struct callable {
    const char *name;
    hob_status (*call)(struct run *run, const struct callable *callable, const struct arguments *arguments, struct value *ret_value);
    struct value self;
    const void *data;
};

/* The `loop` of a for statement. */
struct loop {
    const struct list *items;
    size_t index; /* from 0 */
    size_t depth; /* from 0: loops within this one called by itself */
    bool has_changed_value;
    struct value changed_value; /* what loop.changed() saw last */
    const struct callable *recursion; /* NULL: not recursive */
};

static inline struct value value_undefined(const char *name)
{
    return (struct value){.kind = VALUE_UNDEFINED, .name = name};
}

static inline struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}

static inline struct value value_bool(bool truth)
{
    return (struct value){.kind = VALUE_BOOL, .truth = truth};
}

static inline struct value value_int(int64_t integer)
{
    return (struct value){.kind = VALUE_INT, .integer = integer};
}

static inline struct value value_float(double number)
{
    return (struct value){.kind = VALUE_FLOAT, .number = number};
}

static inline struct value value_text(const char *bytes, size_t n_bytes)
{
    return (struct value){.kind = VALUE_TEXT, .text = {bytes, n_bytes}};
}

static inline struct value value_string(const char *text)
{
    return value_text(text, __builtin_strlen(text));
}

static inline bool value_is_list(const struct value *value)
{
    return value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

static inline bool value_is_number(const struct value *value)
{
    return value->kind == VALUE_BOOL || value->kind == VALUE_INT || value->kind == VALUE_FLOAT;
}

static inline bool text_is(const struct text *text, const char *other)
{
    size_t n_bytes = __builtin_strlen(other);
    return text->n_bytes == n_bytes && !__builtin_memcmp(text->bytes, other, n_bytes);
}

/* "a string", "none", … for messages. */
const char *value_kind_name(const struct value *value);
bool value_is_true(const struct value *value);
/* Of a bool, int or float. */
double value_number(const struct value *value);

/* An empty list or tuple with room for n_reserved items. */
HOB_MUST_CHECK hob_status list_new(struct run *run, enum value_kind kind, size_t n_reserved, struct value *ret_list);
HOB_MUST_CHECK hob_status list_append(struct run *run, struct list *list, struct value item);
HOB_MUST_CHECK hob_status dict_new(struct run *run, enum value_kind kind, size_t n_reserved, struct value *ret_dict);
/* Adds or replaces. Fails: HOB_BAD_ARGUMENT (a list or dict as key). */
HOB_MUST_CHECK hob_status dict_set(struct run *run, struct dict *dict, struct value key, struct value value);
/* NULL when there is none. */
const struct value *dict_get(struct run *run, const struct dict *dict, const struct value *key);
const struct value *dict_get_text(struct run *run, const struct dict *dict, struct text key);

/* A copy of bytes in the run's memory. */
HOB_MUST_CHECK hob_status text_copy(struct run *run, const char *bytes, size_t n_bytes, struct value *ret_text);
/* Takes what a writer holds into the run's memory, with its marks, and releases it; status is forwarded. */
HOB_MUST_CHECK hob_status text_take(struct run *run, hob_status status, struct writer *writer, struct value *ret_text);
/* is_foreign: texts in it are a stranger's; else they are the template's and stay where they are. */
HOB_MUST_CHECK hob_status value_from_json(struct run *run, const json_t *json, bool is_foreign, struct value *ret_value);

/* ==: numbers by value, lists and dicts by their items. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status value_is_equal(struct run *run, const struct value *a, const struct value *b, bool *ret_is_equal);
/* Below 0, 0, above 0. Fails: HOB_BAD_ARGUMENT on kinds that have no order. */
HOB_MUST_CHECK hob_status value_compare(struct run *run, const struct value *a, const struct value *b, int *ret_order);
/* b in a: a character of a text, an item of a list, a key of a dict. */
HOB_MUST_CHECK hob_status value_contains(struct run *run, const struct value *container, const struct value *item, bool *ret_is_in);
/* What a for statement goes over: items of a list, keys of a dict, characters of a text; nothing of an undefined value.
 * ret_list shares the items of a list. Fails: HOB_BAD_ARGUMENT. */
HOB_MUST_CHECK hob_status value_iterate(struct run *run, const struct value *value, const struct list **ret_list);
/* len(). */
HOB_MUST_CHECK hob_status value_length(struct run *run, const struct value *value, size_t *ret_length);

/* Characters, not bytes. */
size_t text_length(struct text text);
/* Where character index begins; n_bytes when there are fewer. */
size_t text_offset(struct text text, size_t index);

#endif
