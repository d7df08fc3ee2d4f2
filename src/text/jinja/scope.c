#include "text/jinja/scope.h"

hob_status scope_new(struct run *run, struct scope *parent, struct scope **ret_scope)
{
    void *scope;
    struct value names;
    TRY(run_alloc(run, 1, sizeof(struct scope), &scope));
    TRY(dict_new(run, VALUE_DICT, 4, &names));
    *ret_scope = scope;
    **ret_scope = (struct scope){.parent = parent, .names = names.dict};
    return HOB_OK;
}

hob_status scope_set(struct run *run, struct scope *scope, const char *name, struct value value)
{
    return dict_set(run, scope->names, value_string(name), value);
}

const struct value *scope_find(struct run *run, const struct scope *scope, const char *name)
{
    const struct value *value = NULL;
    struct text key = value_string(name).text;
    for (; scope && !value; scope = scope->parent) value = dict_get_text(run, scope->names, key);
    return value;
}
