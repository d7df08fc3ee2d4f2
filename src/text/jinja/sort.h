/* Stable sorting of a list by what a filter's arguments say. */
#ifndef TEXT_JINJA_SORT_H
#define TEXT_JINJA_SORT_H

#include "text/jinja/value.h"

struct sort_order {
    bool is_reversed, is_case_sensitive;
    const struct value *path; /* of the attribute to sort by, several with commas between them; NULL: the item itself */
};

/* What an item is compared by: lower case unless case counts. */
HOB_MUST_CHECK hob_status sort_key(struct run *run, const struct value *item, const struct sort_order *order, struct value *ret_key);
/* Fails: HOB_BAD_ARGUMENT on items that have no order. */
HOB_MUST_CHECK hob_status sort_list(struct run *run, const struct list *list, const struct sort_order *order, struct value *ret_list);

#endif
