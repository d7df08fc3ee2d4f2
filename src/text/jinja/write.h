/* Values as text: Python's str() and repr(), and JSON as transformers writes it. */
#ifndef TEXT_JINJA_WRITE_H
#define TEXT_JINJA_WRITE_H

#include "text/jinja/value.h"

/* How json.dumps writes; characters beyond ASCII stay as they are unless is_ascii. */
struct json_layout {
    bool has_indent;      /* each item on a line of its own */
    struct text indent;   /* of one level */
    struct text item_separator, key_separator;
    bool is_ascii, is_sorted;
};

/* str(): what {{ }} prints. Fails: HOB_LIMIT. */
HOB_MUST_CHECK hob_status write_text(struct run *run, const struct value *value, struct writer *out);
/* repr(): with quotes. */
HOB_MUST_CHECK hob_status write_repr(struct run *run, const struct value *value, struct writer *out);
/* Fails: HOB_LIMIT, HOB_BAD_ARGUMENT on what JSON has no word for. */
HOB_MUST_CHECK hob_status write_json(struct run *run, const struct value *value, const struct json_layout *layout, struct writer *out);
/* str() as a value; a text is itself. */
HOB_MUST_CHECK hob_status write_to_text(struct run *run, const struct value *value, struct text *ret_text);
/* The shortest decimal that reads back as the same number. */
void write_float(double number, struct writer *out);

#endif
