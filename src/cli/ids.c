#include "cli/ids.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/option_value.h"

static const char separators[] = " \t\r\n,";

void ids_print(struct output *output, const int32_t *ids, size_t n_ids)
{
    for (size_t i = 0; i < n_ids; i++) output_printf(output, i ? " %d" : "%d", (int)ids[i]);
}

static hob_status parse_one(const char *text, size_t n_bytes, int32_t *ret_id, hob_error *error)
{
    char digits[16];
    uint64_t value;
    snprintf(digits, sizeof digits, "%.*s", (int)(n_bytes < sizeof digits ? n_bytes : sizeof digits - 1), text);
    if (n_bytes >= sizeof digits || !parse_unsigned(digits, INT32_MAX, &value))
        FAIL(error, HOB_BAD_ARGUMENT, "token id: found '%s', expected a whole number from 0 to %d", digits, INT32_MAX);
    *ret_id = (int32_t)value;
    return HOB_OK;
}

hob_status ids_parse(const char *text, int32_t **ret_ids, size_t *ret_n_ids, hob_error *error)
{
    /* A number and its separator take two bytes at least. */
    int32_t *ids = memory_new(strlen(text) / 2 + 1, sizeof *ids);
    if (!ids) FAIL(error, HOB_NO_MEMORY, "no memory for the token ids");
    size_t n_ids = 0;
    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        size_t n_bytes = strcspn(text, separators);
        hob_status status = parse_one(text, n_bytes, &ids[n_ids++], error);
        if (status != HOB_OK) {
            memory_free(ids);
            return status;
        }
        text += n_bytes;
    }
    *ret_ids = ids;
    *ret_n_ids = n_ids;
    return HOB_OK;
}
