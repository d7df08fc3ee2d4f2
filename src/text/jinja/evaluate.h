/* Expressions to values. */
#ifndef TEXT_JINJA_EVALUATE_H
#define TEXT_JINJA_EVALUATE_H

#include "text/jinja/syntax.h"

HOB_MUST_CHECK hob_status evaluate(struct run *run, const struct expression *expression, struct value *ret_value);
/* A call expression with one more argument, caller=…; NULL: without. */
HOB_MUST_CHECK hob_status evaluate_call(struct run *run, const struct expression *expression, const struct value *caller,
                                        struct value *ret_value);
/* Filters that were parsed without what they filter. */
HOB_MUST_CHECK hob_status evaluate_filters(struct run *run, const struct expression *filters, const struct value *input,
                                           struct value *ret_value);

#endif
