/* Statements run one after another; what a loop's body, a macro or a with sets is forgotten behind it, what an if sets is not. */
#include "base/memory.h"
#include "text/jinja/builtin.h"
#include "text/jinja/evaluate.h"
#include "text/jinja/scope.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/write.h"

#include <string.h>

/* How a block ended. */
enum outcome { OUTCOME_DONE, OUTCOME_BREAK, OUTCOME_CONTINUE };

static hob_status render_block(struct run *run, const struct block *block, enum outcome *ret_outcome);

/* A block's text as a value, written in a scope of its own. */
static hob_status capture(struct run *run, const struct block *block, struct scope *scope, struct value *ret_text)
{
    struct writer captured = run_writer(run), *out = run->out;
    struct scope *outer = run->scope;
    enum outcome outcome;
    run->out = &captured;
    run->scope = scope;
    hob_status status = render_block(run, block, &outcome);
    run->out = out;
    run->scope = outer;
    return text_take(run, status, &captured, ret_text);
}

/* ---- Assigning */

static hob_status assign(struct run *run, const struct expression *target, struct value value);

static hob_status assign_attribute(struct run *run, const struct expression *target, struct value value)
{
    struct value object;
    TRY(evaluate(run, target->left, &object));
    run->offset = target->offset;
    if (object.kind != VALUE_NAMESPACE)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found an attribute of %s set, expected a namespace", value_kind_name(&object));
    return dict_set(run, object.dict, value_string(target->name), value);
}

static hob_status assign_several(struct run *run, const struct expression *target, const struct value *value)
{
    const struct list *list;
    run->offset = target->offset;
    TRY(value_iterate(run, value, &list));
    if (list->n_items != target->items.n_items)
        return RUN_ERROR(run, HOB_BAD_ARGUMENT, "found %zu values for %zu names", list->n_items, target->items.n_items);
    for (size_t i = 0; i < list->n_items; i++) TRY(assign(run, target->items.items[i], list->items[i]));
    return HOB_OK;
}

static hob_status assign(struct run *run, const struct expression *target, struct value value)
{
    if (target->kind == EXPRESSION_NAME) return scope_set(run, run->scope, target->name, value);
    if (target->kind == EXPRESSION_ATTRIBUTE) return assign_attribute(run, target, value);
    TRY(run_enter(run));
    hob_status status = assign_several(run, target, &value);
    run_leave(run);
    return status;
}

static hob_status render_set(struct run *run, const struct statement *statement)
{
    struct value value;
    TRY(evaluate(run, statement->value, &value));
    return assign(run, statement->target, value);
}

static hob_status render_set_block(struct run *run, const struct statement *statement)
{
    struct value text;
    struct scope *scope;
    TRY(scope_new(run, run->scope, &scope));
    TRY(capture(run, &statement->body, scope, &text));
    if (statement->value) TRY(evaluate_filters(run, statement->value, &text, &text));
    return assign(run, statement->target, text);
}

/* ---- Macros */

/* What a macro was written with, and where. */
struct macro {
    const struct statement *statement;
    struct scope *scope;
};

static bool is_parameter(const struct statement *statement, struct text name)
{
    for (size_t i = 0; i < statement->n_parameters; i++)
        if (text_is(&name, statement->parameters[i].name)) return true;
    return false;
}

static hob_status set_keywords(struct run *run, const struct statement *statement, const struct arguments *arguments, struct scope *scope)
{
    struct value others;
    TRY(dict_new(run, VALUE_DICT, 0, &others));
    for (size_t i = 0; i < arguments->n_keywords; i++) {
        const struct keyword *keyword = &arguments->keywords[i];
        bool is_caller = text_is(&keyword->name, "caller") && statement->takes_caller;
        struct value name = {.kind = VALUE_TEXT, .text = keyword->name};
        if (is_parameter(statement, keyword->name) || is_caller) TRY(dict_set(run, scope->names, name, keyword->value));
        else if (statement->takes_keywords) TRY(dict_set(run, others.dict, name, keyword->value));
        else
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "macro '%s' takes no argument '%.*s'", statement->name,
                            (int)(keyword->name.n_bytes < 64 ? keyword->name.n_bytes : 64), keyword->name.bytes);
    }
    return statement->takes_keywords ? scope_set(run, scope, "kwargs", others) : HOB_OK;
}

static hob_status set_items(struct run *run, const struct statement *statement, const struct arguments *arguments, struct scope *scope)
{
    struct value others;
    TRY(list_new(run, VALUE_TUPLE, 0, &others));
    for (size_t i = 0; i < arguments->n_items; i++) {
        if (i < statement->n_parameters) TRY(scope_set(run, scope, statement->parameters[i].name, arguments->items[i]));
        else if (statement->takes_items) TRY(list_append(run, others.list, arguments->items[i]));
        else
            return RUN_ERROR(run, HOB_BAD_ARGUMENT, "macro '%s': found %zu arguments, expected at most %zu", statement->name,
                            arguments->n_items, statement->n_parameters);
    }
    return statement->takes_items ? scope_set(run, scope, "varargs", others) : HOB_OK;
}

/* In order, so that a default may speak of parameters before it. */
static hob_status set_defaults(struct run *run, const struct statement *statement, struct scope *scope)
{
    struct scope *outer = run->scope;
    hob_status status = HOB_OK;
    run->scope = scope;
    for (size_t i = 0; i < statement->n_parameters && status == HOB_OK; i++) {
        const struct parameter *parameter = &statement->parameters[i];
        struct value value = value_undefined(parameter->name);
        if (dict_get_text(run, scope->names, value_string(parameter->name).text)) continue;
        if (parameter->absent) status = evaluate(run, parameter->absent, &value);
        if (status == HOB_OK) status = scope_set(run, scope, parameter->name, value);
    }
    run->scope = outer;
    return status;
}

static hob_status call_macro(struct run *run, const struct callable *callable, const struct arguments *arguments, struct value *ret_value)
{
    const struct macro *macro = callable->data;
    struct scope *scope;
    TRY(run_enter(run));
    TRY(scope_new(run, macro->scope, &scope));
    TRY(set_items(run, macro->statement, arguments, scope));
    TRY(set_keywords(run, macro->statement, arguments, scope));
    TRY(set_defaults(run, macro->statement, scope));
    TRY(capture(run, &macro->statement->body, scope, ret_value));
    run_leave(run);
    return HOB_OK;
}

static hob_status new_macro(struct run *run, const struct statement *statement, struct value *ret_macro)
{
    void *macro, *callable;
    TRY(run_alloc(run, 1, sizeof(struct macro), &macro));
    TRY(run_alloc(run, 1, sizeof(struct callable), &callable));
    *(struct macro *)macro = (struct macro){.statement = statement, .scope = run->scope};
    *(struct callable *)callable = (struct callable){.name = statement->name, .call = call_macro, .data = macro};
    *ret_macro = (struct value){.kind = VALUE_CALLABLE, .callable = callable};
    return HOB_OK;
}

static hob_status render_macro(struct run *run, const struct statement *statement)
{
    struct value macro;
    TRY(new_macro(run, statement, &macro));
    return scope_set(run, run->scope, statement->name, macro);
}

static hob_status render_call(struct run *run, const struct statement *statement)
{
    struct value caller, text;
    TRY(new_macro(run, statement, &caller));
    TRY(evaluate_call(run, statement->value, &caller, &text));
    return write_text(run, &text, run->out);
}

/* ---- Loops */

static hob_status render_loop(struct run *run, const struct statement *statement, const struct value *over, size_t depth,
                              const struct callable *recursion);

/* loop(items) in a recursive loop: the same loop over other items. */
struct recursion {
    const struct statement *statement;
    size_t depth;
    struct scope *scope;
};

static hob_status call_loop(struct run *run, const struct callable *callable, const struct arguments *arguments, struct value *ret_value)
{
    const struct recursion *recursion = callable->data;
    struct writer captured = run_writer(run), *out = run->out;
    struct scope *outer = run->scope;
    if (arguments->n_items != 1) return RUN_ERROR(run, HOB_BAD_ARGUMENT, "loop: found %zu arguments, expected 1", arguments->n_items);
    TRY(run_enter(run));
    run->out = &captured;
    run->scope = recursion->scope;
    hob_status status = render_loop(run, recursion->statement, &arguments->items[0], recursion->depth + 1, callable);
    run->out = out;
    run->scope = outer;
    run_leave(run);
    return text_take(run, status, &captured, ret_value);
}

static hob_status new_recursion(struct run *run, const struct statement *statement, size_t depth, const struct callable **ret_recursion)
{
    void *recursion, *callable;
    if (!statement->is_recursive) return HOB_OK;
    TRY(run_alloc(run, 1, sizeof(struct recursion), &recursion));
    TRY(run_alloc(run, 1, sizeof(struct callable), &callable));
    *(struct recursion *)recursion = (struct recursion){.statement = statement, .depth = depth, .scope = run->scope};
    *(struct callable *)callable = (struct callable){.name = "loop", .call = call_loop, .data = recursion};
    *ret_recursion = callable;
    return HOB_OK;
}

/* The items that pass the for's condition, which sees its names but no loop. */
static hob_status filter_items(struct run *run, const struct statement *statement, const struct list **list)
{
    struct value kept, holds;
    struct scope *outer = run->scope;
    hob_status status = HOB_OK;
    if (!statement->condition) return HOB_OK;
    TRY(list_new(run, VALUE_LIST, 4, &kept));
    TRY(scope_new(run, outer, &run->scope));
    for (size_t i = 0; i < (*list)->n_items && status == HOB_OK; i++) {
        status = assign(run, statement->target, (*list)->items[i]);
        if (status == HOB_OK) status = evaluate(run, statement->condition, &holds);
        if (status == HOB_OK && value_is_true(&holds)) status = list_append(run, kept.list, (*list)->items[i]);
    }
    run->scope = outer;
    *list = kept.list;
    return status;
}

/* Each turn has names of its own. */
static hob_status render_turn(struct run *run, const struct statement *statement, struct loop *loop, enum outcome *ret_outcome)
{
    struct scope *outer = run->scope, *scope;
    TRY(scope_new(run, outer, &scope));
    run->scope = scope;
    hob_status status = assign(run, statement->target, loop->items->items[loop->index]);
    if (status == HOB_OK) status = scope_set(run, scope, "loop", (struct value){.kind = VALUE_LOOP, .loop = loop});
    if (status == HOB_OK) status = render_block(run, &statement->body, ret_outcome);
    run->scope = outer;
    return status;
}

static hob_status render_loop(struct run *run, const struct statement *statement, const struct value *over, size_t depth,
                              const struct callable *recursion)
{
    const struct list *list;
    enum outcome outcome = OUTCOME_DONE;
    void *loop_bytes;
    run->offset = statement->offset;
    TRY(value_iterate(run, over, &list));
    TRY(filter_items(run, statement, &list));
    TRY(run_alloc(run, 1, sizeof(struct loop), &loop_bytes));
    if (depth) TRY(new_recursion(run, statement, depth, &recursion));
    struct loop *loop = loop_bytes;
    *loop = (struct loop){.items = list, .depth = depth, .recursion = recursion};
    for (; loop->index < list->n_items && outcome != OUTCOME_BREAK; loop->index++) TRY(render_turn(run, statement, loop, &outcome));
    return list->n_items ? HOB_OK : render_block(run, &statement->other, &outcome);
}

static hob_status render_for(struct run *run, const struct statement *statement)
{
    struct value over;
    const struct callable *recursion = NULL;
    TRY(evaluate(run, statement->value, &over));
    TRY(new_recursion(run, statement, 0, &recursion));
    return render_loop(run, statement, &over, 0, recursion);
}

/* ---- The others */

static hob_status render_if(struct run *run, const struct statement *statement, enum outcome *ret_outcome)
{
    for (size_t i = 0; i < statement->n_branches; i++) {
        struct value condition = value_bool(true);
        if (statement->branches[i].condition) TRY(evaluate(run, statement->branches[i].condition, &condition));
        if (value_is_true(&condition)) return render_block(run, &statement->branches[i].body, ret_outcome);
    }
    return HOB_OK;
}

static hob_status render_filter(struct run *run, const struct statement *statement)
{
    struct value text;
    struct scope *scope;
    TRY(scope_new(run, run->scope, &scope));
    TRY(capture(run, &statement->body, scope, &text));
    TRY(evaluate_filters(run, statement->value, &text, &text));
    return write_text(run, &text, run->out);
}

static hob_status render_with(struct run *run, const struct statement *statement, enum outcome *ret_outcome)
{
    struct scope *outer = run->scope, *scope;
    TRY(scope_new(run, outer, &scope));
    for (size_t i = 0; i < statement->n_parameters; i++) {
        struct value value;
        TRY(evaluate(run, statement->parameters[i].absent, &value));
        TRY(scope_set(run, scope, statement->parameters[i].name, value));
    }
    run->scope = scope;
    hob_status status = render_block(run, &statement->body, ret_outcome);
    run->scope = outer;
    return status;
}

static hob_status render_print(struct run *run, const struct statement *statement)
{
    struct value value;
    TRY(evaluate(run, statement->value, &value));
    return write_text(run, &value, run->out);
}

static hob_status render_text(struct run *run, const struct statement *statement)
{
    TRY(run_charge(run, statement->text.n_bytes / 64));
    writer_append(run->out, statement->text.bytes, statement->text.n_bytes);
    return run_check_buffer(run, run->out);
}

static hob_status render_statement(struct run *run, const struct statement *statement, enum outcome *ret_outcome)
{
    run->offset = statement->offset;
    switch (statement->kind) {
    case STATEMENT_TEXT:
        return render_text(run, statement);
    case STATEMENT_PRINT:
        return render_print(run, statement);
    case STATEMENT_IF:
        return render_if(run, statement, ret_outcome);
    case STATEMENT_FOR:
        return render_for(run, statement);
    case STATEMENT_SET:
        return render_set(run, statement);
    case STATEMENT_SET_BLOCK:
        return render_set_block(run, statement);
    case STATEMENT_MACRO:
        return render_macro(run, statement);
    case STATEMENT_CALL:
        return render_call(run, statement);
    case STATEMENT_FILTER:
        return render_filter(run, statement);
    case STATEMENT_WITH:
        return render_with(run, statement, ret_outcome);
    case STATEMENT_BREAK:
        *ret_outcome = OUTCOME_BREAK;
        return HOB_OK;
    case STATEMENT_CONTINUE:
        break;
    }
    *ret_outcome = OUTCOME_CONTINUE;
    return HOB_OK;
}

static hob_status render_block(struct run *run, const struct block *block, enum outcome *ret_outcome)
{
    hob_status status = run_enter(run);
    *ret_outcome = OUTCOME_DONE;
    for (size_t i = 0; i < block->n_items && status == HOB_OK && *ret_outcome == OUTCOME_DONE; i++)
        status = render_statement(run, block->items[i], ret_outcome);
    run_leave(run);
    return status;
}

/* ---- A whole template */

static hob_status add_variables(struct run *run, const json_t *variables, bool is_foreign)
{
    struct value dict;
    if (!json_is_object(variables)) return HOB_OK;
    TRY(value_from_json(run, variables, is_foreign, &dict));
    for (size_t i = 0; i < dict.dict->n_entries; i++)
        TRY(dict_set(run, run->scope->names, dict.dict->entries[i].key, dict.dict->entries[i].value));
    return HOB_OK;
}

static void set_limits(struct run *run, const struct jinja_options *options)
{
    if (options) run->limits = *options;
    if (!run->limits.most_steps) run->limits.most_steps = 50 * 1000 * 1000;
    if (!run->limits.most_bytes) run->limits.most_bytes = (size_t)512 << 20;
    if (!run->limits.most_output_bytes) run->limits.most_output_bytes = (size_t)64 << 20;
}

static hob_status render(const struct jinja_template *template, const json_t *variables, const json_t *foreign,
                         const struct jinja_options *options, struct writer *out, hob_error *error)
{
    enum outcome outcome;
    struct run run = {.source = &template->source, .out = out, .error = error, .find_filter = builtin_filter, .find_test = builtin_test};
    set_limits(&run, options);
    out->text.cap_bytes = run.limits.most_output_bytes;
    out->origins = &run.origins;
    arena_init(&run.arena, 64 * 1024);
    hob_status status = scope_new(&run, NULL, &run.scope);
    if (status == HOB_OK) status = add_variables(&run, variables, false);
    if (status == HOB_OK) status = add_variables(&run, foreign, true);
    if (status == HOB_OK) status = scope_new(&run, run.scope, &run.scope);
    if (status == HOB_OK) status = render_block(&run, &template->body, &outcome);
    out->origins = NULL;
    origins_release(&run.origins);
    arena_release(&run.arena);
    return status;
}

hob_status jinja_render(const struct jinja_template *template, const json_t *variables, const struct jinja_options *options,
                        struct buffer *out, hob_error *error)
{
    struct writer writer = {0};
    hob_status status = render(template, variables, NULL, options, &writer, error);
    if (writer.text.n_bytes && !buffer_append(out, writer.text.bytes, writer.text.n_bytes) && status == HOB_OK)
        status = error_set(error, HOB_NO_MEMORY, ERROR_HERE, "%s: no memory for its text", template->source.name);
    writer_release(&writer);
    return status;
}

hob_status jinja_render_marked(const struct jinja_template *template, const json_t *variables, const json_t *foreign,
                               const struct jinja_options *options, struct buffer *ret_text, struct buffer *ret_marks, hob_error *error)
{
    struct writer writer = {0};
    hob_status status = render(template, variables, foreign, options, &writer, error);
    if (status == HOB_OK) {
        *ret_text = writer.text;
        *ret_marks = writer.marks;
    } else {
        writer_release(&writer);
    }
    return status;
}
