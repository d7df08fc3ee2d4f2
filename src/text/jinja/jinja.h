/* Jinja, as far as chat templates go: what transformers' sandboxed Jinja2 renders, byte for byte.
 *
 * All of Jinja2's expressions, its tests and filters (but for HTML's), and the statements if, for, set, macro, call, filter, with, raw,
 * break, continue and transformers' generation. Templates of several files (include, import, extends, block) are refused.
 * trim_blocks and lstrip_blocks are on, autoescape is off. A template comes from a stranger's model: nothing it says reaches outside,
 * and steps, memory, output and depth are bounded.
 *
 * A template is immutable after parsing: any number of threads may render it at once.
 *
 *     struct jinja_template *template;
 *     TRY(jinja_parse(text, n_bytes, "chat template", &template, error));
 *     TRY(jinja_render(template, variables, &(struct jinja_options){.now = time(NULL)}, &out, error));
 *     jinja_template_free(template);
 */
#ifndef TEXT_JINJA_JINJA_H
#define TEXT_JINJA_JINJA_H

#include "base/buffer.h"
#include "hob/status.h"

#include <jansson.h>
#include <stdint.h>

struct jinja_template;

/* 0 in a limit: the one that is said here. */
struct jinja_options {
    int64_t now;             /* seconds since 1970, for strftime_now: shown in the machine's time zone */
    size_t most_steps;       /* 50 million; a step is a node or 64 bytes of work */
    size_t most_bytes;       /* of values made on the way: 512 MiB */
    size_t most_output_bytes; /* 64 MiB */
    const char *trusted_member; /* of foreign objects: where it is a word of letters, digits, "_" and "-", it counts as the template's.
                                   NULL: none does */
};

/* text: any bytes, copied. name stands before the line in messages and is copied too.
 * Fails: HOB_BAD_FILE (syntax), HOB_UNSUPPORTED (a statement of several files), HOB_LIMIT (nested too deep, above 4 MiB). */
HOB_MUST_CHECK hob_status jinja_parse(const char *text, size_t n_bytes, const char *name, struct jinja_template **ret_template,
                                      hob_error *error);
void jinja_template_free(struct jinja_template *template); /* takes NULL */

/* Appends to out. variables: an object whose members the template sees as names.
 * Fails: HOB_BAD_ARGUMENT (raise_exception: the template does not take what it was given; undefined values, wrong types),
 * HOB_UNSUPPORTED (an unknown filter or test), HOB_LIMIT, HOB_NO_MEMORY; out then holds what was written so far. */
HOB_MUST_CHECK hob_status jinja_render(const struct jinja_template *template, const json_t *variables,
                                       const struct jinja_options *options, struct buffer *out, hob_error *error);
/* The same with more variables whose texts are a stranger's: ret_marks says of each byte of ret_text (both are written anew) whether it is
 * made of them (1) or the template's and its other variables' own (0); bytes behind the last mark are the template's. Marks follow texts
 * through all filters, methods and operators; where these make new characters of a text that is partly foreign, all of them are. */
HOB_MUST_CHECK hob_status jinja_render_marked(const struct jinja_template *template, const json_t *variables, const json_t *foreign,
                                              const struct jinja_options *options, struct buffer *ret_text, struct buffer *ret_marks,
                                              hob_error *error);

#endif
