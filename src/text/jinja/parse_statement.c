/* Statements, and the whole template. A block is read until a word that its statement names as its end. */
#include "base/memory.h"
#include "text/jinja/parser.h"

#include <string.h>

static const size_t most_bytes = (size_t)4 << 20;

static hob_status parse_block(struct parser *parser, const char *const *ends, struct block *block);

static hob_status new_statement(struct parser *parser, enum statement_kind kind, size_t offset, struct statement **ret_statement)
{
    struct statement *statement = ARENA_NEW(parser->arena, struct statement, 1);
    if (!statement) return PARSER_NO_MEMORY(parser);
    statement->kind = kind;
    statement->offset = offset;
    *ret_statement = statement;
    return HOB_OK;
}

static hob_status block_append(struct parser *parser, struct block *block, const struct statement *statement)
{
    void *items = block->items;
    TRY(parser_reserve(parser, &items, block->n_items, &block->n_reserved, sizeof statement));
    block->items = items;
    block->items[block->n_items++] = statement;
    return HOB_OK;
}

static hob_status expect_block_end(struct parser *parser)
{
    if (parser->next->kind != TOKEN_BLOCK_END) return PARSER_ERROR(parser, "expected the block's end, %%}");
    parser->next++;
    return HOB_OK;
}

/* "{% word" and no more: parse_block stopped there. */
static hob_status expect_end(struct parser *parser, const char *word)
{
    parser->next++;
    if (!parser_take_name(parser, word)) return PARSER_ERROR(parser, "expected %s", word);
    return expect_block_end(parser);
}

/* ---- One statement each, from behind its word on */

static hob_status add_branch(struct parser *parser, struct statement *statement, const struct expression *condition)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    void *branches = statement->branches;
    TRY(parser_reserve(parser, &branches, statement->n_branches, &statement->n_branches_reserved, sizeof *statement->branches));
    statement->branches = branches;
    struct branch branch = {.condition = condition};
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &branch.body));
    statement->branches[statement->n_branches++] = branch;
    return HOB_OK;
}

static hob_status parse_if(struct parser *parser, struct statement *statement)
{
    const struct expression *condition;
    bool has_else = false;
    TRY(parse_tuple(parser, TUPLE_WITHOUT_CONDITION, &condition));
    TRY(add_branch(parser, statement, condition));
    while (text_is(&parser->next[1].text, "endif") == false) {
        parser->next++;
        if (has_else) return PARSER_ERROR(parser, "found a branch behind else");
        has_else = parser_take_name(parser, "else");
        condition = NULL;
        if (!has_else) {
            parser->next++; /* elif */
            TRY(parse_tuple(parser, TUPLE_WITHOUT_CONDITION, &condition));
        }
        TRY(add_branch(parser, statement, condition));
    }
    return expect_end(parser, "endif");
}

static hob_status parse_for(struct parser *parser, struct statement *statement)
{
    static const char *const ends[] = {"else", "endfor", NULL}, *const last[] = {"endfor", NULL};
    TRY(parse_target(parser, false, &statement->target));
    if (!parser_take_name(parser, "in")) return PARSER_ERROR(parser, "expected 'in'");
    TRY(parse_tuple(parser, TUPLE_WITHOUT_CONDITION, &statement->value));
    if (parser_take_name(parser, "if")) TRY(parse_expression(parser, &statement->condition));
    statement->is_recursive = parser_take_name(parser, "recursive");
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &statement->body));
    if (text_is(&parser->next[1].text, "else")) {
        TRY(expect_end(parser, "else"));
        TRY(parse_block(parser, last, &statement->other));
    }
    return expect_end(parser, "endfor");
}

static hob_status parse_set(struct parser *parser, struct statement *statement)
{
    static const char *const ends[] = {"endset", NULL};
    TRY(parse_target(parser, true, &statement->target));
    if (parser_take_operator(parser, "=")) {
        TRY(parse_tuple(parser, TUPLE_ALLOWED, &statement->value));
        return expect_block_end(parser);
    }
    statement->kind = STATEMENT_SET_BLOCK;
    if (parser_take_operator(parser, "|")) TRY(parse_filters(parser, NULL, &statement->value));
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &statement->body));
    return expect_end(parser, "endset");
}

static hob_status add_parameter(struct parser *parser, struct statement *statement, bool must_have_value)
{
    void *parameters = statement->parameters;
    struct parameter parameter = {0};
    TRY(parser_reserve(parser, &parameters, statement->n_parameters, &statement->n_parameters_reserved, sizeof parameter));
    statement->parameters = parameters;
    TRY(parser_expect_name(parser, &parameter.name));
    if (must_have_value) TRY(parser_expect_operator(parser, "="));
    if (must_have_value || parser_take_operator(parser, "=")) TRY(parse_expression(parser, &parameter.absent));
    statement->parameters[statement->n_parameters++] = parameter;
    return HOB_OK;
}

static hob_status parse_parameters(struct parser *parser, struct statement *statement)
{
    TRY(parser_expect_operator(parser, "("));
    while (!parser_take_operator(parser, ")")) {
        if (statement->n_parameters) TRY(parser_expect_operator(parser, ","));
        if (parser_take_operator(parser, ")")) break;
        TRY(add_parameter(parser, statement, false));
    }
    return HOB_OK;
}

/* The body of a macro or call, noting whether it speaks of varargs, kwargs and caller; what an outer one speaks of is kept. */
static hob_status parse_macro_body(struct parser *parser, struct statement *statement, const char *end)
{
    const char *const ends[] = {end, NULL};
    struct statement *outer = parser->macro;
    TRY(expect_block_end(parser));
    parser->macro = statement;
    TRY(parse_block(parser, ends, &statement->body));
    parser->macro = outer;
    return expect_end(parser, end);
}

static hob_status parse_macro(struct parser *parser, struct statement *statement)
{
    TRY(parser_expect_name(parser, &statement->name));
    TRY(parse_parameters(parser, statement));
    return parse_macro_body(parser, statement, "endmacro");
}

static hob_status parse_call_block(struct parser *parser, struct statement *statement)
{
    if (parser_is_operator(parser, "(")) TRY(parse_parameters(parser, statement));
    statement->name = "caller";
    TRY(parse_expression(parser, &statement->value));
    if (statement->value->kind != EXPRESSION_CALL) return PARSER_ERROR(parser, "expected a call");
    return parse_macro_body(parser, statement, "endcall");
}

static hob_status parse_filter_block(struct parser *parser, struct statement *statement)
{
    static const char *const ends[] = {"endfilter", NULL};
    TRY(parse_filters(parser, NULL, &statement->value));
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &statement->body));
    return expect_end(parser, "endfilter");
}

static hob_status parse_with(struct parser *parser, struct statement *statement)
{
    static const char *const ends[] = {"endwith", NULL};
    while (parser->next->kind != TOKEN_BLOCK_END) {
        if (statement->n_parameters) TRY(parser_expect_operator(parser, ","));
        TRY(add_parameter(parser, statement, true));
    }
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &statement->body));
    return expect_end(parser, "endwith");
}

/* transformers marks what the model itself says, for training; it renders as its body. */
static hob_status parse_generation(struct parser *parser, struct statement *statement)
{
    static const char *const ends[] = {"endgeneration", NULL};
    TRY(expect_block_end(parser));
    TRY(parse_block(parser, ends, &statement->body));
    return expect_end(parser, "endgeneration");
}

static hob_status parse_nothing_more(struct parser *parser, struct statement *statement)
{
    (void)statement;
    return expect_block_end(parser);
}

static hob_status parse_statement(struct parser *parser, struct block *block)
{
    static const struct {
        const char *word;
        enum statement_kind kind;
        hob_status (*parse)(struct parser *parser, struct statement *statement);
    } rows[] = {{"if", STATEMENT_IF, parse_if},
                {"for", STATEMENT_FOR, parse_for},
                {"set", STATEMENT_SET, parse_set},
                {"macro", STATEMENT_MACRO, parse_macro},
                {"call", STATEMENT_CALL, parse_call_block},
                {"filter", STATEMENT_FILTER, parse_filter_block},
                {"with", STATEMENT_WITH, parse_with},
                {"generation", STATEMENT_WITH, parse_generation},
                {"break", STATEMENT_BREAK, parse_nothing_more},
                {"continue", STATEMENT_CONTINUE, parse_nothing_more}};
    static const char *const others[] = {"include", "import", "from", "extends", "block", "autoescape", "do", "trans"};
    const struct token *word = parser->next;
    struct statement *statement = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!parser_take_name(parser, rows[i].word)) continue;
        TRY(new_statement(parser, rows[i].kind, word->offset, &statement));
        TRY(rows[i].parse(parser, statement));
        return block_append(parser, block, statement);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (parser_is_name(parser, others[i]))
            return SOURCE_ERROR(parser->source, word->offset, parser->error, HOB_UNSUPPORTED, "%s is no statement of chat templates", others[i]);
    return PARSER_ERROR(parser, "found a statement that there is none of, or the end of one that was not begun");
}

static hob_status parse_text(struct parser *parser, struct block *block)
{
    struct statement *statement = NULL;
    TRY(new_statement(parser, STATEMENT_TEXT, parser->next->offset, &statement));
    statement->text = parser->next++->text;
    return block_append(parser, block, statement);
}

static hob_status parse_print(struct parser *parser, struct block *block)
{
    struct statement *statement = NULL;
    TRY(new_statement(parser, STATEMENT_PRINT, parser->next->offset, &statement));
    parser->next++;
    TRY(parse_tuple(parser, TUPLE_ALLOWED, &statement->value));
    if (parser->next->kind != TOKEN_PRINT_END) return PARSER_ERROR(parser, "expected the expression's end, }}");
    parser->next++;
    return block_append(parser, block, statement);
}

/* ends[i]: words; NULL in ends itself: the end of the template. */
static bool is_block_end(const struct parser *parser, const char *const *ends)
{
    const struct token *word = parser->next + 1;
    if (parser->next->kind != TOKEN_BLOCK_BEGIN || word->kind != TOKEN_NAME) return false;
    for (; ends && *ends; ends++)
        if (text_is(&word->text, *ends)) return true;
    return false;
}

static hob_status parse_block_items(struct parser *parser, const char *const *ends, struct block *block)
{
    while (!is_block_end(parser, ends)) {
        switch (parser->next->kind) {
        case TOKEN_TEXT:
            TRY(parse_text(parser, block));
            break;
        case TOKEN_PRINT_BEGIN:
            TRY(parse_print(parser, block));
            break;
        case TOKEN_BLOCK_BEGIN:
            parser->next++;
            TRY(parse_statement(parser, block));
            break;
        default:
            if (!ends) return HOB_OK;
            return PARSER_ERROR(parser, "found the template's end, expected %s", ends[0]);
        }
    }
    return HOB_OK;
}

static hob_status parse_block(struct parser *parser, const char *const *ends, struct block *block)
{
    TRY(parser_enter(parser));
    TRY(parse_block_items(parser, ends, block));
    parser_leave(parser);
    return HOB_OK;
}

/* With "\n" for every line end, one at the template's end left out, as Jinja reads templates. */
static char *normalized(struct arena *arena, const char *text, size_t n_bytes, size_t *ret_n_bytes)
{
    char *copy = arena_copy_string(arena, text, n_bytes);
    size_t n = 0;
    for (size_t i = 0; copy && i < n_bytes; i++) {
        bool is_return = text[i] == '\r';
        copy[n++] = is_return ? '\n' : text[i];
        i += is_return && i + 1 < n_bytes && text[i + 1] == '\n';
    }
    *ret_n_bytes = n - (n && copy[n - 1] == '\n');
    return copy;
}

static hob_status parse_into(struct jinja_template *template, const char *text, size_t n_bytes, const char *name, hob_error *error)
{
    struct tokens tokens;
    struct parser parser = {.arena = &template->arena, .source = &template->source, .error = error};
    struct source *source = &template->source;
    source->name = arena_copy_string(&template->arena, name, strlen(name));
    source->text = normalized(&template->arena, text, n_bytes, &source->n_bytes);
    if (!source->name || !source->text) FAIL(error, HOB_NO_MEMORY, "%s: no memory for its text", name);
    TRY(lex(source, &template->arena, &tokens, error));
    parser.next = tokens.items;
    return parse_block(&parser, NULL, &template->body);
}

hob_status jinja_parse(const char *text, size_t n_bytes, const char *name, struct jinja_template **ret_template, hob_error *error)
{
    if (n_bytes > most_bytes) FAIL(error, HOB_LIMIT, "%s: found %zu bytes, expected at most %zu", name, n_bytes, most_bytes);
    struct jinja_template *template = memory_new(1, sizeof *template);
    if (!template) FAIL(error, HOB_NO_MEMORY, "%s: no memory", name);
    arena_init(&template->arena, 16 * 1024);
    hob_status status = parse_into(template, text, n_bytes, name, error);
    if (status == HOB_OK) *ret_template = template;
    else jinja_template_free(template);
    return status;
}

void jinja_template_free(struct jinja_template *template)
{
    if (!template) return;
    arena_release(&template->arena);
    memory_free(template);
}
