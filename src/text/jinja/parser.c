#include "text/jinja/parser.h"

#include <string.h>

enum { MOST_NESTED = 200 };

hob_status parser_enter(struct parser *parser)
{
    if (parser->n_nested == MOST_NESTED)
        return SOURCE_ERROR(parser->source, parser->next->offset, parser->error, HOB_LIMIT, "nested deeper than %d", MOST_NESTED);
    parser->n_nested++;
    return HOB_OK;
}

void parser_leave(struct parser *parser)
{
    parser->n_nested--;
}

bool parser_is_operator(const struct parser *parser, const char *text)
{
    return parser->next->kind == TOKEN_OPERATOR && text_is(&parser->next->text, text);
}

bool parser_is_name(const struct parser *parser, const char *text)
{
    return parser->next->kind == TOKEN_NAME && text_is(&parser->next->text, text);
}

bool parser_take_operator(struct parser *parser, const char *text)
{
    bool is_next = parser_is_operator(parser, text);
    parser->next += is_next;
    return is_next;
}

bool parser_take_name(struct parser *parser, const char *text)
{
    bool is_next = parser_is_name(parser, text);
    parser->next += is_next;
    return is_next;
}

hob_status parser_expect_operator(struct parser *parser, const char *text)
{
    if (parser_take_operator(parser, text)) return HOB_OK;
    return PARSER_ERROR(parser, "found '%.*s', expected '%s'", (int)(parser->next->text.n_bytes & 0x3F), parser->next->text.bytes, text);
}

hob_status parser_expect_name(struct parser *parser, const char **ret_name)
{
    const struct token *token = parser->next;
    if (token->kind != TOKEN_NAME) return PARSER_ERROR(parser, "expected a name");
    const char *name = arena_copy_string(parser->arena, token->text.bytes, token->text.n_bytes);
    if (!name) return PARSER_NO_MEMORY(parser);
    parser->next++;
    *ret_name = name;
    return HOB_OK;
}

hob_status parser_reserve(struct parser *parser, void **items, size_t n_items, size_t *n_reserved, size_t item_bytes)
{
    if (n_items < *n_reserved) return HOB_OK;
    size_t n_more = n_items * 2 + 4;
    void *grown = arena_new(parser->arena, n_more, item_bytes, _Alignof(max_align_t));
    if (!grown) return PARSER_NO_MEMORY(parser);
    if (n_items) memcpy(grown, *items, n_items * item_bytes);
    *items = grown;
    *n_reserved = n_more;
    return HOB_OK;
}

hob_status parser_new_expression(struct parser *parser, enum expression_kind kind, size_t offset, struct expression **ret_expression)
{
    struct expression *expression = ARENA_NEW(parser->arena, struct expression, 1);
    if (!expression) return PARSER_NO_MEMORY(parser);
    expression->kind = kind;
    expression->offset = offset;
    *ret_expression = expression;
    return HOB_OK;
}

hob_status expression_list_append(struct parser *parser, struct expression_list *list, const struct expression *item)
{
    void *items = list->items;
    TRY(parser_reserve(parser, &items, list->n_items, &list->n_reserved, sizeof(struct expression *)));
    list->items = items;
    list->items[list->n_items++] = item;
    return HOB_OK;
}
