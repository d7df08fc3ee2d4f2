/* Chat templates: whatever parses must render, or be refused, without harm and within its bounds. */
#include "text/jinja/jinja.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"H\xC3\xB6llo\"},"
    " {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1.5}}}]},"
    " {\"role\": \"tool\", \"content\": [{\"type\": \"text\", \"text\": \"x\"}]}], \"tools\": [{\"function\": {\"name\": \"f\"}}],"
    " \"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"add_generation_prompt\": true}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jinja_template *template;
    struct jinja_options options = {.now = 1767268800, .most_steps = 300000, .most_bytes = 8 << 20, .most_output_bytes = 1 << 20};
    struct buffer out = {0};
    hob_error error;
    if (jinja_parse((const char *)data, size, "input", &template, &error) != HOB_OK) return 0;
    json_t *names = json_loads(variables, 0, NULL);
    hob_status status = jinja_render(template, names, &options, &out, &error);
    (void)status; /* refused or not: only harm would be a finding */
    json_decref(names);
    buffer_release(&out);
    jinja_template_free(template);
    return 0;
}
