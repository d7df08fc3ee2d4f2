/* What a person who is typing is offered: short continuations of a text, best first.
 *
 * A beam search of a width that leaves n different lines, most of the time; where a model's caches do not allow one, n samples. */
#ifndef SERVER_LINE_SUGGESTIONS_H
#define SERVER_LINE_SUGGESTIONS_H

#include "server/jobs/generate.h"
#include "server/line/line_request.h"

#include <jansson.h>

enum { SUGGESTIONS_MOST = 64, SUGGESTIONS_MOST_TOKENS = 1024 };

/* How many are wanted: what the request says, else as configured. false: it makes no sense. */
bool suggestions_count(const struct line_request *request, size_t configured, size_t *ret_n, struct problem *ret_problem);
/* A job for the request, with one reference; NULL: memory is out, or ret_problem says what is wrong. */
struct generate_job *suggestions_job(const struct line_request *request, size_t n, bool has_beams, struct problem *ret_problem);
/* {"suggestions": […]} from a job that is done: each cut at its first line end, none empty, none twice, n at most. NULL: memory is out. */
json_t *suggestions_json(const struct transcript *transcript, size_t n);

#endif
