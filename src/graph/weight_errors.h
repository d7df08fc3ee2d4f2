/* What quantising did to each weight: passes that make weights smaller note it here when the caller asks (pass_options.weight_errors).
 *
 * The caller owns the list, zeroed at first. Not thread-safe.
 *
 *     struct weight_errors errors = {0};
 *     … passes_run with .weight_errors = &errors …
 *     weight_errors_release(&errors);
 */
#ifndef GRAPH_WEIGHT_ERRORS_H
#define GRAPH_WEIGHT_ERRORS_H

#include "kernels/panel.h"

enum { WEIGHT_NAME_BYTES = 96 };

struct weight_error {
    char name[WEIGHT_NAME_BYTES]; /* cut where it is longer */
    enum dtype dtype;             /* of the panels */
    int64_t n, k;
    double relative; /* length of the difference to the length of the weight; 0 where both are */
    double largest;  /* of the differences of single items, as a magnitude */
};

struct weight_errors {
    struct weight_error *items;
    size_t n_items, n_reserved;
};

/* Compares a weight with the panels made of it: column_scales [n] for int8, NULL for others. Nothing is noted where errors is NULL or
 * the panels hold the very numbers of the source. Fails: HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status weight_errors_add(struct weight_errors *errors, const char *name, const struct panel_source *source,
                                            enum dtype panel_dtype, const void *panels, const float *column_scales,
                                            hob_error *error);
void weight_errors_release(struct weight_errors *errors); /* takes a zeroed list */

#endif
