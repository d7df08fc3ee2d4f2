/* Names and what they stand for, innermost first. A scope lives as long as the run: a macro may keep the one it was written in.
 *
 *     TRY(scope_new(run, run->scope, &scope));
 *     TRY(scope_set(run, scope, "message", value));
 */
#ifndef TEXT_JINJA_SCOPE_H
#define TEXT_JINJA_SCOPE_H

#include "text/jinja/value.h"

struct scope {
    struct scope *parent; /* NULL: the template's own names */
    struct dict *names;
};

HOB_MUST_CHECK hob_status scope_new(struct run *run, struct scope *parent, struct scope **ret_scope);
HOB_MUST_CHECK hob_status scope_set(struct run *run, struct scope *scope, const char *name, struct value value);
/* NULL: no scope has it. */
const struct value *scope_find(struct run *run, const struct scope *scope, const char *name);

#endif
