/* What templates can call by name: filters, tests, global functions and the methods of texts and dicts. A row names the parameters;
 * whoever calls puts arguments, with names or without, into their places.
 */
#ifndef TEXT_JINJA_BUILTIN_H
#define TEXT_JINJA_BUILTIN_H

#include "text/jinja/value.h"

enum { BUILTIN_MOST_PARAMETERS = 5 };

/* One call of a builtin. */
struct call {
    const char *name;
    struct value self; /* what is filtered or tested, or whose method this is */
    const struct value *arguments[BUILTIN_MOST_PARAMETERS]; /* by place in the row's parameters; NULL: not given */
    const struct arguments *all;
};

struct builtin {
    const char *name;
    hob_status (*run)(struct run *run, const struct call *call, struct value *ret_value);
    /* Names, ending with NULL; a "*" behind them: any more arguments are taken, in call->all. */
    const char *parameters[BUILTIN_MOST_PARAMETERS + 1];
    size_t n_required;
};

/* NULL: none of that name. */
const struct builtin *builtin_filter(const char *name, size_t n_bytes);
const struct builtin *builtin_test(const char *name, size_t n_bytes);
const struct builtin *builtin_global(const char *name, size_t n_bytes);
/* Of a text, list or dict. */
const struct builtin *builtin_method(const struct value *self, const char *name, size_t n_bytes);

/* Fails: HOB_BAD_ARGUMENT on arguments that the row does not know or misses; whatever the builtin says. */
HOB_MUST_CHECK hob_status builtin_call(struct run *run, const struct builtin *builtin, const struct value *self,
                                       const struct arguments *arguments, struct value *ret_value);
/* A value that calls it. */
HOB_MUST_CHECK hob_status builtin_bind(struct run *run, const struct builtin *builtin, const struct value *self, struct value *ret_value);

/* Arguments of a kind, with a value for when they are not given; none counts as not given where has_none.
 * Fail: HOB_BAD_ARGUMENT. */
HOB_MUST_CHECK hob_status call_int(struct run *run, const struct call *call, size_t index, int64_t absent, int64_t *ret_integer);
HOB_MUST_CHECK hob_status call_text(struct run *run, const struct call *call, size_t index, const char *absent, struct text *ret_text);
bool call_bool(const struct call *call, size_t index, bool absent);
bool call_has(const struct call *call, size_t index); /* given, and not none */
HOB_MUST_CHECK hob_status call_self_text(struct run *run, const struct call *call, struct text *ret_text); /* str() of self */

/* value.name as templates see it: an attribute path of a filter, "a.b.0"; an undefined value where there is none. */
HOB_MUST_CHECK hob_status attribute_get(struct run *run, const struct value *value, struct text name, struct value *ret_value);
/* value[index]. */
HOB_MUST_CHECK hob_status item_get(struct run *run, const struct value *value, const struct value *index, struct value *ret_value);
HOB_MUST_CHECK hob_status attribute_get_path(struct run *run, const struct value *value, const struct value *path, struct value *ret_value);

/* Tables that builtin.c searches; each ends with a row without a name. */
extern const struct builtin text_filters[], number_filters[], list_filters[], choice_filters[];
extern const struct builtin value_tests[];
extern const struct builtin text_methods[], dict_methods[], list_methods[];
extern const struct builtin global_functions[];
extern const struct builtin loop_methods[];

#endif
