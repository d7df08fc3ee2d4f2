/* Rendering in tests: a template's text and variables in, the text or NULL out. */
#ifndef TESTS_TEXT_JINJA_CASES_H
#define TESTS_TEXT_JINJA_CASES_H

#include "text/jinja/jinja.h"

#include <stdlib.h>
#include <string.h>

/* The first of January 2026, noon. */
static const struct jinja_options new_year = {.now = 1767268800};

/* out is empty and the result not HOB_OK where the template is refused. */
static inline hob_status render_case(const char *text, const json_t *variables, const struct jinja_options *options, struct buffer *out,
                                     hob_error *error)
{
    struct jinja_template *template = NULL;
    hob_status status = jinja_parse(text, strlen(text), "t", &template, error);
    if (status == HOB_OK) status = jinja_render(template, variables, options, out, error);
    jinja_template_free(template);
    return status;
}

#endif
