#include "server/line/suggestions.h"

#include "base/memory.h"
#include "server/http/exchange.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_TOKENS = 16 };

bool suggestions_count(const struct line_request *request, size_t configured, size_t *ret_n, struct problem *ret_problem)
{
    double n = request->n != 0 ? request->n : (double)configured;
    if (!(n >= 1 && n <= SUGGESTIONS_MOST) || n != floor(n))
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "n: found %g, expected 1 to %d", request->n, SUGGESTIONS_MOST);
    *ret_n = (size_t)n;
    return true;
}

static bool read_max_tokens(const struct line_request *request, size_t *ret_max_tokens, struct problem *ret_problem)
{
    double n = request->max_tokens != 0 ? request->max_tokens : DEFAULT_TOKENS;
    if (!(n >= 1 && n <= SUGGESTIONS_MOST_TOKENS) || n != floor(n))
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "max_tokens: found %g, expected 1 to %d", request->max_tokens,
                           SUGGESTIONS_MOST_TOKENS);
    *ret_max_tokens = (size_t)n;
    return true;
}

/* Beams that are the same up to their first line end count once, so there are some more than are wanted. */
static void choose_beams(hob_generate_options *options, size_t n)
{
    size_t width = n + (n + 1) / 2;
    options->beam_width = options->n_samples = width < SUGGESTIONS_MOST ? width : SUGGESTIONS_MOST;
}

static bool choose_samples(struct generate_job *generate, size_t n)
{
    hob_generate_options *options = &generate->inputs.options;
    const char **stops = ARENA_NEW(&generate->job.arena, const char *, 1);
    if (!stops) return false;
    stops[0] = "\n";
    options->stops = stops;
    options->n_stops = 1;
    options->n_samples = n;
    options->temperature = n > 1 ? 0.8F : 0;
    generate->inputs.has_seed = true; /* 0: the same text is offered the same */
    return true;
}

struct generate_job *suggestions_job(const struct line_request *request, size_t n, bool has_beams, struct problem *ret_problem)
{
    size_t max_tokens = 0;
    if (!read_max_tokens(request, &max_tokens, ret_problem)) return NULL;
    struct generate_job *generate = generate_job_new(buffer_text(&request->model));
    problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
    if (!generate) return NULL;
    generate->job.priority = PRIORITY_COMPLETION;
    generate->inputs.kind = PROMPT_TEXT;
    generate->inputs.text = job_copy(&generate->job, buffer_text(&request->text), request->text.n_bytes);
    generate->inputs.n_text_bytes = request->text.n_bytes;
    generate->inputs.options.max_tokens = max_tokens;
    bool is_made = generate->inputs.text != NULL;
    if (has_beams && n > 1) choose_beams(&generate->inputs.options, n);
    else is_made &= choose_samples(generate, n);
    if (is_made) return generate;
    job_unref(&generate->job);
    return NULL;
}

/* ---- the answer ---- */

static json_t *line_of(const struct buffer *text)
{
    const char *bytes = buffer_text(text);
    size_t n_bytes = strcspn(bytes, "\r\n");
    while (n_bytes && strchr(" \t", bytes[n_bytes - 1])) n_bytes--;
    return n_bytes ? json_text(bytes, n_bytes) : NULL;
}

static bool is_in(const json_t *array, const json_t *text)
{
    size_t i;
    json_t *other;
    json_array_foreach(array, i, other) if (json_equal(other, text)) return true;
    return false;
}

static void gather(const struct transcript *transcript, struct buffer texts[static SUGGESTIONS_MOST])
{
    for (const struct event *event = NULL; (event = transcript_next(transcript, event));)
        if (event->kind == EVENT_DELTA && event->output < SUGGESTIONS_MOST)
            buffer_append(&texts[event->output], event->text, event->n_text_bytes);
}

json_t *suggestions_json(const struct transcript *transcript, size_t n)
{
    struct buffer texts[SUGGESTIONS_MOST] = {0};
    json_t *array = json_array();
    gather(transcript, texts);
    for (size_t i = 0; i < SUGGESTIONS_MOST; i++) {
        json_t *line = json_array_size(array) < n ? line_of(&texts[i]) : NULL;
        if (line && !is_in(array, line)) json_array_append(array, line);
        json_decref(line);
        buffer_release(&texts[i]);
    }
    return json_pack("{s:o}", "suggestions", array);
}
