/* What hob init found and did, for a person and as JSON. */
#ifndef CLI_INIT_REPORT_H
#define CLI_INIT_REPORT_H

#include "cli/model_choice.h"
#include "cli/output.h"

#include <jansson.h>

enum { SIZE_TEXT_BYTES = 32 };

/* "1.5 GiB", "12 KiB". */
void init_size_text(uint64_t n_bytes, char text[static SIZE_TEXT_BYTES]);
void init_print_machine(FILE *stream, const struct machine *machine);
/* A line a model, numbered from 1. */
void init_print_models(FILE *stream, const struct model_search *search, const struct model_choice *choice);
/* NULL when memory is out. */
json_t *init_machine_json(const struct machine *machine);
json_t *init_models_json(const struct model_choice *choice);

#endif
