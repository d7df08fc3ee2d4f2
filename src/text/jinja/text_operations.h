/* What filters and methods of texts share. Results are slices of their operands or lie in the run's memory. Fail: HOB_LIMIT. */
#ifndef TEXT_JINJA_TEXT_OPERATIONS_H
#define TEXT_JINJA_TEXT_OPERATIONS_H

#include "text/jinja/value.h"

enum text_sides { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 };
enum text_case { CASE_UPPER, CASE_LOWER, CASE_CAPITALIZE, CASE_TITLE };

/* Without the characters that `characters` holds at the sides; NULL: white space. */
struct text text_strip(struct text text, const struct text *characters, enum text_sides sides);
HOB_MUST_CHECK hob_status text_change_case(struct run *run, struct text text, enum text_case to, struct value *ret_text);
/* The first `most` of them, all when it is negative. */
HOB_MUST_CHECK hob_status text_replace(struct run *run, struct text text, struct text old, struct text new, int64_t most,
                                       struct value *ret_text);
/* Where needle is first found from `from` on; SIZE_MAX: nowhere. */
size_t text_find(struct text text, struct text needle, size_t from);
/* Python's "%": as many values as the format has places. Fails: HOB_BAD_ARGUMENT. */
HOB_MUST_CHECK hob_status text_format(struct run *run, struct text format, const struct value *values, size_t n_values,
                                      struct value *ret_text);

#endif
