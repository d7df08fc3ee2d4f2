#include "text/metaspace.h"
#include "base/error.h"
#include "base/size.h"
#include "text/json_read.h"

#include <string.h>

static hob_status load_scheme(const json_t *json, struct metaspace *metaspace, hob_error *error)
{
    static const char *const names[] = {"always", "first", "never"};
    const char *name;
    size_t n_bytes, i = 0;
    bool adds_prefix; /* what older files say in place of the scheme */
    TRY(json_read_bool(json, "add_prefix_space", true, &adds_prefix, error));
    TRY(json_read_string(json, "prepend_scheme", adds_prefix ? "always" : "never", &name, &n_bytes, error));
    while (i < ARRAY_LENGTH(names) && strcmp(names[i], name) != 0) i++;
    if (i == ARRAY_LENGTH(names))
        FAIL(error, HOB_BAD_FILE, "\"prepend_scheme\": found \"%.40s\", expected always, first or never", name);
    metaspace->scheme = (enum metaspace_scheme)i;
    return HOB_OK;
}

hob_status metaspace_load(struct tokenizer *tokenizer, const json_t *json, const void **ret_config, hob_error *error)
{
    struct metaspace *metaspace = CONFIG_NEW(tokenizer, struct metaspace);
    const char *text;
    size_t n_bytes, n_char = 0;
    if (!metaspace) return text_no_memory(error);
    TRY(json_read_string(json, "replacement", "\xE2\x96\x81", &text, &n_bytes, error));
    if (n_bytes) metaspace->replacement = unicode_decode(text, &n_char);
    if (n_bytes == 0 || n_char != n_bytes)
        FAIL(error, HOB_BAD_FILE, "\"replacement\": found \"%.40s\", expected one character", text);
    TRY(load_scheme(json, metaspace, error));
    TRY(json_read_bool(json, "split", true, &metaspace->is_splitting, error));
    *ret_config = metaspace;
    return HOB_OK;
}
