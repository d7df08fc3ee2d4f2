/* A template as a tree: expressions, and statements in lists. Made once by the parser in the template's arena, never changed. */
#ifndef TEXT_JINJA_SYNTAX_H
#define TEXT_JINJA_SYNTAX_H

#include "base/arena.h"
#include "text/jinja/value.h"

struct expression;

/* Grows while it is parsed. */
struct expression_list {
    const struct expression **items;
    size_t n_items, n_reserved;
};

/* Of a call, a filter or a test: positional ones first come into `items`, those with names into `keywords`. */
struct call_keyword {
    struct text name;
    const struct expression *value;
};
struct call_arguments {
    struct expression_list items;
    struct call_keyword *keywords;
    size_t n_keywords, n_reserved;
    const struct expression *all_items, *all_keywords; /* *list, **dict; NULL: none */
};

enum expression_kind {
    EXPRESSION_CONSTANT,
    EXPRESSION_NAME,
    EXPRESSION_LIST,
    EXPRESSION_TUPLE,
    EXPRESSION_DICT,      /* items: key, value, key, value … */
    EXPRESSION_ATTRIBUTE, /* left.name */
    EXPRESSION_INDEX,     /* left[right] */
    EXPRESSION_SLICE,     /* left[items[0] : items[1] : items[2]], each may be NULL */
    EXPRESSION_CALL,      /* left(arguments) */
    EXPRESSION_FILTER,    /* left | name(arguments); left NULL: a filter block's body */
    EXPRESSION_TEST,      /* left is name(arguments) */
    EXPRESSION_NOT,
    EXPRESSION_NEGATIVE,
    EXPRESSION_POSITIVE,
    EXPRESSION_AND,
    EXPRESSION_OR,
    EXPRESSION_CONCAT,      /* items[0] ~ items[1] ~ … */
    EXPRESSION_ARITHMETIC,  /* left operation right */
    EXPRESSION_COMPARE,     /* items[0] operations[0] items[1] operations[1] … */
    EXPRESSION_CONDITIONAL, /* left if condition else right; right may be NULL */
};

enum operation {
    OPERATION_ADD,
    OPERATION_SUBTRACT,
    OPERATION_MULTIPLY,
    OPERATION_DIVIDE,
    OPERATION_FLOOR_DIVIDE,
    OPERATION_MODULO,
    OPERATION_POWER,
    OPERATION_EQUAL,
    OPERATION_NOT_EQUAL,
    OPERATION_LESS,
    OPERATION_LESS_EQUAL,
    OPERATION_GREATER,
    OPERATION_GREATER_EQUAL,
    OPERATION_IN,
    OPERATION_NOT_IN,
};

struct expression {
    enum expression_kind kind;
    enum operation operation;
    size_t offset; /* in the source, for messages */
    struct value constant;
    const char *name; /* NUL-terminated */
    const struct builtin *builtin; /* of filters and tests; NULL: unknown, an error where it is reached */
    const struct expression *left, *right, *condition;
    struct expression_list items;
    enum operation *operations;
    struct call_arguments arguments;
};

enum statement_kind {
    STATEMENT_TEXT,
    STATEMENT_PRINT,
    STATEMENT_IF,        /* branches */
    STATEMENT_FOR,       /* target in value if condition: body, else other */
    STATEMENT_SET,       /* target = value */
    STATEMENT_SET_BLOCK, /* target, value: filters over the body or NULL */
    STATEMENT_MACRO,     /* name, parameters: body */
    STATEMENT_CALL,      /* value: the call; parameters: body */
    STATEMENT_FILTER,    /* value: filters over the body */
    STATEMENT_WITH,      /* parameters with defaults: body */
    STATEMENT_BREAK,
    STATEMENT_CONTINUE,
};

struct block {
    const struct statement **items;
    size_t n_items, n_reserved;
};

struct branch {
    const struct expression *condition; /* NULL: else */
    struct block body;
};

/* A name with what it is when nothing is given; NULL: undefined. */
struct parameter {
    const char *name;
    const struct expression *absent;
};

struct statement {
    enum statement_kind kind;
    size_t offset;
    struct text text;
    const char *name;
    const struct expression *value, *condition;
    const struct expression *target; /* a name, a tuple of targets, or an attribute of a namespace */
    struct block body, other;
    struct branch *branches;
    size_t n_branches, n_branches_reserved;
    struct parameter *parameters;
    size_t n_parameters, n_parameters_reserved;
    bool is_recursive;
    bool takes_items, takes_keywords, takes_caller; /* of a macro: its body speaks of varargs, kwargs, caller */
};

struct jinja_template {
    struct arena arena;
    struct source source;
    struct block body;
};

#endif
