#include "cli/json.h"

#include "cli/command.h"
#include "cli/report.h"

int json_print(json_t *object, struct output *output)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text) {
        report("no memory for the JSON text");
        return STATUS_FAILED;
    }
    output_printf(output, "%s\n", text);
    free(text);
    return STATUS_DONE;
}
