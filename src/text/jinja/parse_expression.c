/* By precedence, from a condition down to a name: Jinja2's grammar, where "~" binds tighter than "+" and filters tighter than all. */
#include "text/jinja/builtin.h"
#include "text/jinja/parser.h"

#include <string.h>

static hob_status parse_unary(struct parser *parser, bool has_filters, const struct expression **ret_expression);

static hob_status new_pair(struct parser *parser, enum expression_kind kind, const struct expression *left,
                           const struct expression *right, size_t offset, const struct expression **ret_expression)
{
    struct expression *expression;
    TRY(parser_new_expression(parser, kind, offset, &expression));
    expression->left = left;
    expression->right = right;
    *ret_expression = expression;
    return HOB_OK;
}

/* ---- Constants, names, lists, dicts */

static hob_status parse_string(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *expression;
    struct buffer joined = {0};
    TRY(parser_new_expression(parser, EXPRESSION_CONSTANT, parser->next->offset, &expression));
    struct text text = parser->next->text;
    for (; parser->next->kind == TOKEN_STRING; parser->next++) buffer_append(&joined, parser->next->text.bytes, parser->next->text.n_bytes);
    if (joined.n_bytes > text.n_bytes) {
        text = (struct text){arena_copy_string(parser->arena, buffer_text(&joined), joined.n_bytes), joined.n_bytes};
    }
    bool is_failed = joined.is_failed || !text.bytes;
    buffer_release(&joined);
    if (is_failed) return PARSER_NO_MEMORY(parser);
    expression->constant = (struct value){.kind = VALUE_TEXT, .text = text};
    *ret_expression = expression;
    return HOB_OK;
}

static hob_status parse_number(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *expression;
    const struct token *token = parser->next++;
    TRY(parser_new_expression(parser, EXPRESSION_CONSTANT, token->offset, &expression));
    expression->constant = token->kind == TOKEN_FLOAT ? value_float(token->number) : value_int(token->integer);
    *ret_expression = expression;
    return HOB_OK;
}

static bool constant_of(const char *name, struct value *ret_constant)
{
    static const struct {
        const char *name;
        struct value value;
    } constants[] = {{"true", {.kind = VALUE_BOOL, .truth = true}},  {"True", {.kind = VALUE_BOOL, .truth = true}},
                     {"false", {.kind = VALUE_BOOL}},                {"False", {.kind = VALUE_BOOL}},
                     {"none", {.kind = VALUE_NONE}},                 {"None", {.kind = VALUE_NONE}}};
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (strcmp(name, constants[i].name) != 0) continue;
        *ret_constant = constants[i].value;
        return true;
    }
    return false;
}

/* What a macro's body speaks of decides what it can be called with. */
static void note_macro_name(struct parser *parser, const char *name)
{
    if (!parser->macro) return;
    parser->macro->takes_items |= !strcmp(name, "varargs");
    parser->macro->takes_keywords |= !strcmp(name, "kwargs");
    parser->macro->takes_caller |= !strcmp(name, "caller");
}

static hob_status parse_name(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *expression;
    TRY(parser_new_expression(parser, EXPRESSION_NAME, parser->next->offset, &expression));
    TRY(parser_expect_name(parser, &expression->name));
    if (constant_of(expression->name, &expression->constant)) expression->kind = EXPRESSION_CONSTANT;
    note_macro_name(parser, expression->name);
    *ret_expression = expression;
    return HOB_OK;
}

static hob_status parse_list(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *list;
    TRY(parser_new_expression(parser, EXPRESSION_LIST, parser->next->offset, &list));
    TRY(parser_expect_operator(parser, "["));
    while (!parser_take_operator(parser, "]")) {
        const struct expression *item;
        if (list->items.n_items) TRY(parser_expect_operator(parser, ","));
        if (parser_take_operator(parser, "]")) break;
        TRY(parse_expression(parser, &item));
        TRY(expression_list_append(parser, &list->items, item));
    }
    *ret_expression = list;
    return HOB_OK;
}

static hob_status parse_dict(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *dict;
    TRY(parser_new_expression(parser, EXPRESSION_DICT, parser->next->offset, &dict));
    TRY(parser_expect_operator(parser, "{"));
    while (!parser_take_operator(parser, "}")) {
        const struct expression *key, *value;
        if (dict->items.n_items) TRY(parser_expect_operator(parser, ","));
        if (parser_take_operator(parser, "}")) break;
        TRY(parse_expression(parser, &key));
        TRY(parser_expect_operator(parser, ":"));
        TRY(parse_expression(parser, &value));
        TRY(expression_list_append(parser, &dict->items, key));
        TRY(expression_list_append(parser, &dict->items, value));
    }
    *ret_expression = dict;
    return HOB_OK;
}

static hob_status parse_parenthesis(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *empty;
    size_t offset = parser->next->offset;
    TRY(parser_expect_operator(parser, "("));
    if (parser_take_operator(parser, ")")) {
        TRY(parser_new_expression(parser, EXPRESSION_TUPLE, offset, &empty));
        *ret_expression = empty;
        return HOB_OK;
    }
    TRY(parse_tuple(parser, TUPLE_ALLOWED, ret_expression));
    return parser_expect_operator(parser, ")");
}

static hob_status parse_primary(struct parser *parser, const struct expression **ret_expression)
{
    switch (parser->next->kind) {
    case TOKEN_NAME:
        return parse_name(parser, ret_expression);
    case TOKEN_STRING:
        return parse_string(parser, ret_expression);
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return parse_number(parser, ret_expression);
    case TOKEN_OPERATOR:
        if (parser_is_operator(parser, "(")) return parse_parenthesis(parser, ret_expression);
        if (parser_is_operator(parser, "[")) return parse_list(parser, ret_expression);
        if (parser_is_operator(parser, "{")) return parse_dict(parser, ret_expression);
        break;
    default:
        break;
    }
    return PARSER_ERROR(parser, "expected a value");
}

/* ---- What stands behind a value */

static hob_status append_keyword(struct parser *parser, struct call_arguments *arguments)
{
    void *keywords = arguments->keywords;
    TRY(parser_reserve(parser, &keywords, arguments->n_keywords, &arguments->n_reserved, sizeof *arguments->keywords));
    arguments->keywords = keywords;
    struct call_keyword *keyword = &arguments->keywords[arguments->n_keywords];
    keyword->name = parser->next->text;
    parser->next += 2; /* the name and "=" */
    TRY(parse_expression(parser, &keyword->value));
    arguments->n_keywords++;
    return HOB_OK;
}

static bool is_keyword_next(const struct parser *parser)
{
    const struct token *second = parser->next + 1;
    return parser->next->kind == TOKEN_NAME && second->kind == TOKEN_OPERATOR && text_is(&second->text, "=");
}

static hob_status parse_argument(struct parser *parser, struct call_arguments *arguments)
{
    const struct expression *value;
    if (parser_take_operator(parser, "**")) return parse_expression(parser, &arguments->all_keywords);
    if (parser_take_operator(parser, "*")) return parse_expression(parser, &arguments->all_items);
    if (is_keyword_next(parser)) return append_keyword(parser, arguments);
    if (arguments->n_keywords) return PARSER_ERROR(parser, "found an argument without a name behind one with a name");
    TRY(parse_expression(parser, &value));
    return expression_list_append(parser, &arguments->items, value);
}

static hob_status parse_arguments(struct parser *parser, struct call_arguments *arguments)
{
    TRY(parser_expect_operator(parser, "("));
    for (bool is_first = true; !parser_take_operator(parser, ")"); is_first = false) {
        if (!is_first) TRY(parser_expect_operator(parser, ","));
        if (parser_take_operator(parser, ")")) break;
        TRY(parse_argument(parser, arguments));
    }
    return HOB_OK;
}

static hob_status parse_call(struct parser *parser, const struct expression *left, const struct expression **ret_expression)
{
    struct expression *call;
    TRY(parser_new_expression(parser, EXPRESSION_CALL, parser->next->offset, &call));
    call->left = left;
    TRY(parse_arguments(parser, &call->arguments));
    *ret_expression = call;
    return HOB_OK;
}

static hob_status parse_attribute(struct parser *parser, const struct expression *left, const struct expression **ret_expression)
{
    struct expression *attribute;
    const struct expression *index;
    size_t offset = parser->next->offset;
    TRY(parser_expect_operator(parser, "."));
    if (parser->next->kind == TOKEN_INTEGER) {
        TRY(parse_number(parser, &index));
        return new_pair(parser, EXPRESSION_INDEX, left, index, offset, ret_expression);
    }
    TRY(parser_new_expression(parser, EXPRESSION_ATTRIBUTE, parser->next->offset, &attribute));
    attribute->left = left;
    TRY(parser_expect_name(parser, &attribute->name));
    *ret_expression = attribute;
    return HOB_OK;
}

/* The rest of [a:b:c] from the first ":" on; first may be NULL. */
static hob_status parse_slice(struct parser *parser, const struct expression *left, const struct expression *first,
                              const struct expression **ret_expression)
{
    struct expression *slice;
    const struct expression *parts[3] = {first};
    TRY(parser_new_expression(parser, EXPRESSION_SLICE, parser->next->offset, &slice));
    for (size_t i = 1; i < 3 && parser_take_operator(parser, ":"); i++)
        if (!parser_is_operator(parser, ":") && !parser_is_operator(parser, "]")) TRY(parse_expression(parser, &parts[i]));
    slice->left = left;
    for (size_t i = 0; i < 3; i++) TRY(expression_list_append(parser, &slice->items, parts[i]));
    *ret_expression = slice;
    return HOB_OK;
}

static hob_status parse_index(struct parser *parser, const struct expression *left, const struct expression **ret_expression)
{
    const struct expression *index = NULL;
    size_t offset = parser->next->offset;
    TRY(parser_expect_operator(parser, "["));
    if (!parser_is_operator(parser, ":")) TRY(parse_tuple(parser, TUPLE_ALLOWED, &index));
    if (parser_is_operator(parser, ":")) TRY(parse_slice(parser, left, index, ret_expression));
    else TRY(new_pair(parser, EXPRESSION_INDEX, left, index, offset, ret_expression));
    return parser_expect_operator(parser, "]");
}

static hob_status parse_postfix(struct parser *parser, const struct expression **expression)
{
    for (;;) {
        if (parser_is_operator(parser, ".")) TRY(parse_attribute(parser, *expression, expression));
        else if (parser_is_operator(parser, "[")) TRY(parse_index(parser, *expression, expression));
        else if (parser_is_operator(parser, "(")) TRY(parse_call(parser, *expression, expression));
        else return HOB_OK;
    }
}

static hob_status parse_one_filter(struct parser *parser, const struct expression *left, const struct expression **ret_expression)
{
    struct expression *filter;
    TRY(parser_new_expression(parser, EXPRESSION_FILTER, parser->next->offset, &filter));
    filter->left = left;
    TRY(parser_expect_name(parser, &filter->name));
    filter->builtin = builtin_filter(filter->name, strlen(filter->name));
    if (parser_is_operator(parser, "(")) TRY(parse_arguments(parser, &filter->arguments));
    *ret_expression = filter;
    return HOB_OK;
}

hob_status parse_filters(struct parser *parser, const struct expression *left, const struct expression **ret_expression)
{
    const struct expression *filter = left;
    do TRY(parse_one_filter(parser, filter, &filter));
    while (parser_take_operator(parser, "|"));
    *ret_expression = filter;
    return HOB_OK;
}

/* "is divisibleby 3" is "is divisibleby(3)". */
static bool is_argument_next(const struct parser *parser)
{
    static const char *const others[] = {"else", "or", "and", "if", "in", "not", "is"};
    if (parser->next->kind == TOKEN_OPERATOR) return parser_is_operator(parser, "[") || parser_is_operator(parser, "{");
    if (parser->next->kind != TOKEN_NAME)
        return parser->next->kind == TOKEN_STRING || parser->next->kind == TOKEN_INTEGER || parser->next->kind == TOKEN_FLOAT;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (parser_is_name(parser, others[i])) return false;
    return true;
}

static hob_status parse_test_arguments(struct parser *parser, struct expression *test)
{
    const struct expression *argument;
    if (parser_is_operator(parser, "(")) return parse_arguments(parser, &test->arguments);
    if (!is_argument_next(parser)) return HOB_OK;
    TRY(parse_primary(parser, &argument));
    TRY(parse_postfix(parser, &argument));
    return expression_list_append(parser, &test->arguments.items, argument);
}

static hob_status parse_test(struct parser *parser, const struct expression **expression)
{
    struct expression *test, *negation;
    bool is_negated = parser_take_name(parser, "not");
    TRY(parser_new_expression(parser, EXPRESSION_TEST, parser->next->offset, &test));
    test->left = *expression;
    TRY(parser_expect_name(parser, &test->name));
    test->builtin = builtin_test(test->name, strlen(test->name));
    TRY(parse_test_arguments(parser, test));
    *expression = test;
    if (!is_negated) return HOB_OK;
    TRY(parser_new_expression(parser, EXPRESSION_NOT, test->offset, &negation));
    negation->left = test;
    *expression = negation;
    return HOB_OK;
}

/* Filters, tests, and calls of what they give. */
static hob_status parse_filters_and_tests(struct parser *parser, const struct expression **expression)
{
    for (;;) {
        if (parser_take_operator(parser, "|")) TRY(parse_one_filter(parser, *expression, expression));
        else if (parser_take_name(parser, "is")) TRY(parse_test(parser, expression));
        else if (parser_is_operator(parser, "(")) TRY(parse_call(parser, *expression, expression));
        else return HOB_OK;
    }
}

/* ---- Operators, tightest first */

static hob_status parse_signed(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *expression;
    enum expression_kind kind = parser_is_operator(parser, "-") ? EXPRESSION_NEGATIVE : EXPRESSION_POSITIVE;
    TRY(parser_new_expression(parser, kind, parser->next->offset, &expression));
    parser->next++;
    TRY(parser_enter(parser));
    TRY(parse_unary(parser, false, &expression->left));
    parser_leave(parser);
    *ret_expression = expression;
    return HOB_OK;
}

static hob_status parse_unary(struct parser *parser, bool has_filters, const struct expression **ret_expression)
{
    bool is_signed = parser_is_operator(parser, "-") || parser_is_operator(parser, "+");
    TRY(is_signed ? parse_signed(parser, ret_expression) : parse_primary(parser, ret_expression));
    TRY(parse_postfix(parser, ret_expression));
    return has_filters ? parse_filters_and_tests(parser, ret_expression) : HOB_OK;
}

struct operator_row {
    const char *text;
    enum operation operation;
};

static const struct operator_row powers[] = {{"**", OPERATION_POWER}, {0}};
static const struct operator_row products[] = {
    {"*", OPERATION_MULTIPLY}, {"//", OPERATION_FLOOR_DIVIDE}, {"/", OPERATION_DIVIDE}, {"%", OPERATION_MODULO}, {0}};
static const struct operator_row sums[] = {{"+", OPERATION_ADD}, {"-", OPERATION_SUBTRACT}, {0}};
static const struct operator_row comparisons[] = {{"==", OPERATION_EQUAL},      {"!=", OPERATION_NOT_EQUAL}, {"<", OPERATION_LESS},
                                                  {"<=", OPERATION_LESS_EQUAL}, {">", OPERATION_GREATER},    {">=", OPERATION_GREATER_EQUAL},
                                                  {0}};

static const struct operator_row *take_row(struct parser *parser, const struct operator_row *rows)
{
    for (; rows->text; rows++)
        if (parser_take_operator(parser, rows->text)) return rows;
    return NULL;
}

typedef hob_status parse_function(struct parser *parser, const struct expression **ret_expression);

static hob_status parse_chain(struct parser *parser, const struct operator_row *rows, parse_function *parse_operand,
                              const struct expression **ret_expression)
{
    const struct expression *left, *right;
    TRY(parse_operand(parser, &left));
    for (;;) {
        struct expression *expression;
        size_t offset = parser->next->offset;
        const struct operator_row *row = take_row(parser, rows);
        if (!row) break;
        TRY(parse_operand(parser, &right));
        TRY(parser_new_expression(parser, EXPRESSION_ARITHMETIC, offset, &expression));
        expression->operation = row->operation;
        expression->left = left;
        expression->right = right;
        left = expression;
    }
    *ret_expression = left;
    return HOB_OK;
}

static hob_status parse_operand(struct parser *parser, const struct expression **ret_expression)
{
    return parse_unary(parser, true, ret_expression);
}

static hob_status parse_power(struct parser *parser, const struct expression **ret_expression)
{
    return parse_chain(parser, powers, parse_operand, ret_expression);
}

static hob_status parse_product(struct parser *parser, const struct expression **ret_expression)
{
    return parse_chain(parser, products, parse_power, ret_expression);
}

static hob_status parse_concat(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *concat;
    const struct expression *part;
    TRY(parse_product(parser, &part));
    *ret_expression = part;
    if (!parser_is_operator(parser, "~")) return HOB_OK;
    TRY(parser_new_expression(parser, EXPRESSION_CONCAT, parser->next->offset, &concat));
    TRY(expression_list_append(parser, &concat->items, part));
    while (parser_take_operator(parser, "~")) {
        TRY(parse_product(parser, &part));
        TRY(expression_list_append(parser, &concat->items, part));
    }
    *ret_expression = concat;
    return HOB_OK;
}

static hob_status parse_sum(struct parser *parser, const struct expression **ret_expression)
{
    return parse_chain(parser, sums, parse_concat, ret_expression);
}

static bool take_comparison(struct parser *parser, enum operation *ret_operation)
{
    const struct operator_row *row = take_row(parser, comparisons);
    if (row) {
        *ret_operation = row->operation;
    } else if (parser_take_name(parser, "in")) {
        *ret_operation = OPERATION_IN;
    } else if (parser_is_name(parser, "not") && parser->next[1].kind == TOKEN_NAME && text_is(&parser->next[1].text, "in")) {
        parser->next += 2;
        *ret_operation = OPERATION_NOT_IN;
    } else {
        return false;
    }
    return true;
}

static hob_status parse_comparison(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *comparison = NULL;
    const struct expression *part;
    enum operation operation;
    size_t n_reserved = 0;
    TRY(parse_sum(parser, &part));
    *ret_expression = part;
    for (size_t i = 0; take_comparison(parser, &operation); i++) {
        if (!comparison) {
            TRY(parser_new_expression(parser, EXPRESSION_COMPARE, parser->next->offset, &comparison));
            TRY(expression_list_append(parser, &comparison->items, part));
        }
        void *operations = comparison->operations;
        TRY(parser_reserve(parser, &operations, i, &n_reserved, sizeof operation));
        comparison->operations = operations;
        comparison->operations[i] = operation;
        TRY(parse_sum(parser, &part));
        TRY(expression_list_append(parser, &comparison->items, part));
        *ret_expression = comparison;
    }
    return HOB_OK;
}

static hob_status parse_not(struct parser *parser, const struct expression **ret_expression)
{
    struct expression *negation;
    if (!parser_is_name(parser, "not")) return parse_comparison(parser, ret_expression);
    TRY(parser_new_expression(parser, EXPRESSION_NOT, parser->next->offset, &negation));
    parser->next++;
    TRY(parser_enter(parser));
    TRY(parse_not(parser, &negation->left));
    parser_leave(parser);
    *ret_expression = negation;
    return HOB_OK;
}

static hob_status parse_words(struct parser *parser, const char *word, enum expression_kind kind, parse_function *parse_side,
                              const struct expression **ret_expression)
{
    const struct expression *left, *right;
    TRY(parse_side(parser, &left));
    for (size_t offset = parser->next->offset; parser_take_name(parser, word); offset = parser->next->offset) {
        TRY(parse_side(parser, &right));
        TRY(new_pair(parser, kind, left, right, offset, &left));
    }
    *ret_expression = left;
    return HOB_OK;
}

static hob_status parse_and(struct parser *parser, const struct expression **ret_expression)
{
    return parse_words(parser, "and", EXPRESSION_AND, parse_not, ret_expression);
}

static hob_status parse_or(struct parser *parser, const struct expression **ret_expression)
{
    return parse_words(parser, "or", EXPRESSION_OR, parse_and, ret_expression);
}

/* a if b else c if d else e */
static hob_status parse_condition(struct parser *parser, const struct expression **ret_expression)
{
    const struct expression *value;
    struct expression *condition;
    TRY(parse_or(parser, &value));
    while (parser_is_name(parser, "if")) {
        TRY(parser_new_expression(parser, EXPRESSION_CONDITIONAL, parser->next->offset, &condition));
        parser->next++;
        condition->left = value;
        TRY(parse_or(parser, &condition->condition));
        if (parser_take_name(parser, "else")) TRY(parse_expression(parser, &condition->right));
        value = condition;
    }
    *ret_expression = value;
    return HOB_OK;
}

hob_status parse_expression(struct parser *parser, const struct expression **ret_expression)
{
    TRY(parser_enter(parser));
    TRY(parse_condition(parser, ret_expression));
    parser_leave(parser);
    return HOB_OK;
}

/* ---- Tuples and targets */

static bool is_tuple_end(const struct parser *parser)
{
    return parser->next->kind == TOKEN_BLOCK_END || parser->next->kind == TOKEN_PRINT_END || parser_is_operator(parser, ")") ||
           parser_is_operator(parser, "]") || parser_is_operator(parser, "=") || parser_is_name(parser, "in") ||
           parser_is_name(parser, "recursive");
}

hob_status parse_tuple(struct parser *parser, enum tuple_kind kind, const struct expression **ret_expression)
{
    parse_function *parse_item = kind == TUPLE_ALLOWED ? parse_expression : parse_or;
    struct expression *tuple;
    const struct expression *item;
    size_t offset = parser->next->offset;
    TRY(parse_item(parser, &item));
    *ret_expression = item;
    if (!parser_is_operator(parser, ",")) return HOB_OK;
    TRY(parser_new_expression(parser, EXPRESSION_TUPLE, offset, &tuple));
    TRY(expression_list_append(parser, &tuple->items, item));
    while (parser_take_operator(parser, ",") && !is_tuple_end(parser)) {
        TRY(parse_item(parser, &item));
        TRY(expression_list_append(parser, &tuple->items, item));
    }
    *ret_expression = tuple;
    return HOB_OK;
}

static hob_status parse_one_target(struct parser *parser, bool may_be_attribute, const struct expression **ret_target)
{
    if (parser_take_operator(parser, "(")) {
        TRY(parser_enter(parser));
        TRY(parse_target(parser, may_be_attribute, ret_target));
        parser_leave(parser);
        return parser_expect_operator(parser, ")");
    }
    if (parser->next->kind != TOKEN_NAME) return PARSER_ERROR(parser, "expected a name to assign to");
    TRY(parse_name(parser, ret_target));
    if (may_be_attribute && parser_is_operator(parser, ".")) TRY(parse_attribute(parser, *ret_target, ret_target));
    if ((*ret_target)->kind != EXPRESSION_NAME && (*ret_target)->kind != EXPRESSION_ATTRIBUTE)
        return PARSER_ERROR(parser, "expected a name to assign to");
    return HOB_OK;
}

hob_status parse_target(struct parser *parser, bool may_be_attribute, const struct expression **ret_target)
{
    struct expression *tuple;
    const struct expression *item;
    size_t offset = parser->next->offset;
    TRY(parse_one_target(parser, may_be_attribute, &item));
    *ret_target = item;
    if (!parser_is_operator(parser, ",")) return HOB_OK;
    TRY(parser_new_expression(parser, EXPRESSION_TUPLE, offset, &tuple));
    TRY(expression_list_append(parser, &tuple->items, item));
    while (parser_take_operator(parser, ",") && !is_tuple_end(parser)) {
        TRY(parse_one_target(parser, may_be_attribute, &item));
        TRY(expression_list_append(parser, &tuple->items, item));
    }
    *ret_target = tuple;
    return HOB_OK;
}
