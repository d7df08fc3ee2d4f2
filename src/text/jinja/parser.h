/* A cursor over tokens, and the two halves of the parser: expressions, and statements on top of them (parse_statement.c). */
#ifndef TEXT_JINJA_PARSER_H
#define TEXT_JINJA_PARSER_H

#include "text/jinja/lexer.h"
#include "text/jinja/syntax.h"

struct parser {
    struct arena *arena;
    const struct source *source;
    const struct token *next;
    hob_error *error;
    size_t n_nested;
    struct statement *macro; /* that is being read; NULL: none */
};

/* The names beside a set's or for's "in" and behind "as" are targets, not values. */
enum tuple_kind { TUPLE_ALLOWED, TUPLE_WITHOUT_CONDITION };

/* At what is next; an expression that is the code. */
#define PARSER_ERROR(parser, ...) SOURCE_ERROR((parser)->source, (parser)->next->offset, (parser)->error, HOB_BAD_FILE, __VA_ARGS__)
#define PARSER_NO_MEMORY(parser) SOURCE_ERROR((parser)->source, (parser)->next->offset, (parser)->error, HOB_NO_MEMORY, "no memory for the tree")
HOB_MUST_CHECK hob_status parser_enter(struct parser *parser); /* around what calls itself; Fails: HOB_LIMIT */
void parser_leave(struct parser *parser);

bool parser_is_operator(const struct parser *parser, const char *text);
bool parser_is_name(const struct parser *parser, const char *text);
bool parser_take_operator(struct parser *parser, const char *text); /* false: something else is next */
bool parser_take_name(struct parser *parser, const char *text);
HOB_MUST_CHECK hob_status parser_expect_operator(struct parser *parser, const char *text);
/* Any name, as a string of the template's. */
HOB_MUST_CHECK hob_status parser_expect_name(struct parser *parser, const char **ret_name);
/* Room for one more of an array in the arena that doubles. */
HOB_MUST_CHECK hob_status parser_reserve(struct parser *parser, void **items, size_t n_items, size_t *n_reserved, size_t item_bytes);
HOB_MUST_CHECK hob_status parser_new_expression(struct parser *parser, enum expression_kind kind, size_t offset,
                                                struct expression **ret_expression);
HOB_MUST_CHECK hob_status expression_list_append(struct parser *parser, struct expression_list *list, const struct expression *item);

/* One expression, conditions included. */
HOB_MUST_CHECK hob_status parse_expression(struct parser *parser, const struct expression **ret_expression);
/* One, or several with commas between them as a tuple. */
HOB_MUST_CHECK hob_status parse_tuple(struct parser *parser, enum tuple_kind kind, const struct expression **ret_expression);
/* What a set or for assigns to. */
HOB_MUST_CHECK hob_status parse_target(struct parser *parser, bool may_be_attribute, const struct expression **ret_target);
/* name | name(arguments) | …, over left. */
HOB_MUST_CHECK hob_status parse_filters(struct parser *parser, const struct expression *left, const struct expression **ret_expression);

#endif
