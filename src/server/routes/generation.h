/* What routes that generate share, whatever their API: ids of replies, schemas, usage of all jobs, spellings of tokens. */
#ifndef SERVER_ROUTES_GENERATION_H
#define SERVER_ROUTES_GENERATION_H

#include "server/http/exchange.h"
#include "server/jobs/generate.h"

enum { GENERATION_ID_BYTES = 48 };

/* PREFIX and 24 hexadecimal digits drawn for it. */
void generation_id(const char *prefix, char ret_id[GENERATION_ID_BYTES]);

/* What may come is JSON of that schema: an object, or a text that holds one. field: for messages. */
bool generation_set_schema(const json_t *schema, const char *field, struct generate_inputs *inputs, struct job *job,
                           struct problem *ret_problem);

/* Of all the exchange's jobs that are done: counts added up, times of the slowest. */
struct usage generation_usage(const struct exchange *exchange);

/* Once a job's events come. A job that a remote backend answered has no model: its name is the one asked for, and its tokens cannot be
 * spelt. pieces: NULL for that, and where memory is out. */
const char *generation_model_name(const struct job *job);
const hob_tokenizer *generation_tokenizer(const struct job *job);
hob_pieces *generation_pieces(const struct job *job);

#endif
