/* Operators of two values, with Python's meaning. */
#ifndef TEXT_JINJA_OPERATORS_H
#define TEXT_JINJA_OPERATORS_H

#include "text/jinja/syntax.h"

/* Arithmetic and comparisons. Fails: HOB_BAD_ARGUMENT (kinds that do not fit, division by zero, a result above 64 bits), HOB_LIMIT. */
HOB_MUST_CHECK hob_status operate(struct run *run, enum operation operation, const struct value *left, const struct value *right,
                                  struct value *ret_value);

#endif
