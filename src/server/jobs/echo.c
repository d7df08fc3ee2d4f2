/* Without probabilities the whole prompt is told in one step. With them its positions go through the session piece by piece; other
 * generations run in between, another echo may even take the session's cache: then what it held is run again. */
#include "server/jobs/echo.h"

#include "base/memory.h"

enum { MOST_LOGITS_BYTES = 32 << 20 };

struct echo {
    const int32_t *ids;
    size_t n_ids, n_told; /* tokens that have been told */
    struct echo_options options;
    hob_decoder *decoder;
    size_t n_vocab, n_rows;
    bool lacks_room;
    float *logits; /* [n_rows, n_vocab], of positions before those to be told */
    hob_logprob *top;
};

static bool no_memory(struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_NO_MEMORY, "a prompt to be repeated: out of memory");
}

static bool make_room(struct echo *echo, const struct loaded_model *model, struct problem *ret_problem)
{
    if (!echo->options.has_logprobs) return true;
    if (model->info.n_vocab <= 0)
        return problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s does not say how many tokens its vocabulary has: no log-probabilities",
                           model->name);
    echo->n_vocab = (size_t)model->info.n_vocab;
    size_t n_fitting = MOST_LOGITS_BYTES / sizeof(float) / echo->n_vocab;
    echo->n_rows = n_fitting > HOB_RUN_ROWS ? HOB_RUN_ROWS : n_fitting ? n_fitting : 1;
    if (echo->options.n_top_logprobs > echo->n_vocab) echo->options.n_top_logprobs = echo->n_vocab;
    echo->logits = memory_new(echo->n_rows * echo->n_vocab, sizeof *echo->logits);
    echo->top = memory_new(echo->options.n_top_logprobs, sizeof *echo->top);
    return (echo->logits && echo->top) || no_memory(ret_problem);
}

bool echo_new(const int32_t *ids, size_t n_ids, const struct echo_options *options, const struct loaded_model *model, struct echo **ret_echo,
              struct problem *ret_problem)
{
    hob_error error;
    struct echo *echo = memory_new(1, sizeof *echo);
    if (!echo) return no_memory(ret_problem);
    echo->ids = ids;
    echo->n_ids = n_ids;
    echo->options = *options;
    bool is_made = make_room(echo, model, ret_problem);
    if (is_made && hob_model_tokenizer(model->model) &&
        hob_decoder_new(hob_model_tokenizer(model->model), HOB_SKIP_SPECIAL, &echo->decoder, &error) != HOB_OK)
        is_made = problem_from(ret_problem, &error);
    if (is_made) *ret_echo = echo;
    else echo_free(echo, NULL);
    return is_made;
}

static void empty_session(struct loaded_model *model)
{
    model->session_user = NULL;
    hob_status ignored = hob_session_rewind(model->session, 0, NULL); /* to nothing: it cannot fail */
    (void)ignored;
}

static void leave_session(const struct echo *echo, struct loaded_model *model)
{
    if (model && model->session_user == echo) empty_session(model);
}

void echo_free(struct echo *echo, struct loaded_model *model)
{
    if (!echo) return;
    leave_session(echo, model);
    hob_decoder_free(echo->decoder);
    memory_free(echo->logits);
    memory_free(echo->top);
    memory_free(echo);
}

/* ---- probabilities ---- */

static double log_sum(const float *logits, size_t n)
{
    float largest = logits[0];
    double sum = 0;
    for (size_t i = 1; i < n; i++) largest = logits[i] > largest ? logits[i] : largest;
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - (double)largest);
    return (double)largest + log(sum); /* cppcheck-suppress invalidFunctionArg ; the largest alone makes it 1 */
}

/* The n_top best, best first; of equals the lower id. */
static void find_top(struct echo *echo, const float *logits, double sum)
{
    size_t n_top = echo->options.n_top_logprobs, n_found = 0;
    for (size_t id = 0; id < echo->n_vocab; id++) {
        if (n_found == n_top && (!n_top || !(logits[id] > echo->top[n_top - 1].logprob))) continue;
        size_t at = n_found < n_top ? n_found++ : n_top - 1;
        for (; at > 0 && logits[id] > echo->top[at - 1].logprob; at--) echo->top[at] = echo->top[at - 1];
        echo->top[at] = (hob_logprob){(int32_t)id, logits[id]};
    }
    for (size_t i = 0; i < n_top; i++) echo->top[i].logprob = (float)((double)echo->top[i].logprob - sum);
}

/* Makes the session hold the first n_told - 1 positions: those that foretell what was told. */
static hob_status take_session(struct echo *echo, struct loaded_model *model, hob_error *error)
{
    if (model->session_user == echo) return HOB_OK;
    hob_status status = hob_session_rewind(model->session, 0, error);
    model->session_user = NULL;
    if (status == HOB_OK && echo->n_told > 1) status = hob_session_append(model->session, echo->ids, echo->n_told - 1, error);
    if (status == HOB_OK) model->session_user = echo;
    return status;
}

/* ---- events ---- */

/* logits: of the position before; NULL: none are wanted or known. */
static bool tell(struct echo *echo, const float *logits, struct transcript *transcript, struct problem *ret_problem)
{
    hob_error error;
    int32_t id = echo->ids[echo->n_told];
    const char *text = "";
    size_t n_bytes = 0;
    struct event *event = transcript_event(transcript, EVENT_DELTA);
    if (!event) return no_memory(ret_problem);
    if (echo->decoder && hob_decoder_push(echo->decoder, id, &text, &n_bytes, &error) != HOB_OK) return problem_from(ret_problem, &error);
    event->id = id;
    event->is_echo = true;
    event->logprob = echo->options.has_logprobs ? NAN : 0;
    event->n_text_bytes = n_bytes;
    if (!(event->text = transcript_copy(transcript, text, n_bytes))) return no_memory(ret_problem);
    if (logits) {
        double sum = log_sum(logits, echo->n_vocab);
        find_top(echo, logits, sum);
        event->logprob = (float)((double)logits[id] - sum);
        event->n_top_logprobs = echo->options.n_top_logprobs;
        event->top_logprobs = transcript_copy(transcript, echo->top, event->n_top_logprobs * sizeof *echo->top);
        if (!event->top_logprobs) return no_memory(ret_problem);
    }
    transcript_append(transcript, event);
    echo->n_told++;
    return true;
}

static bool tell_rest(struct echo *echo, struct transcript *transcript, struct problem *ret_problem)
{
    hob_error error;
    const char *text;
    size_t n_bytes;
    if (!echo->options.is_all || !echo->decoder) return true;
    if (hob_decoder_finish(echo->decoder, &text, &n_bytes, &error) != HOB_OK) return problem_from(ret_problem, &error);
    if (!n_bytes) return true;
    struct event *event = transcript_event(transcript, EVENT_DELTA);
    if (!event || !(event->text = transcript_copy(transcript, text, n_bytes))) return no_memory(ret_problem);
    event->n_text_bytes = n_bytes;
    event->is_echo = true;
    transcript_append(transcript, event);
    return true;
}

static bool tell_scored(struct echo *echo, struct loaded_model *model, struct transcript *transcript, struct problem *ret_problem)
{
    hob_error error;
    if (!echo->n_told && !tell(echo, NULL, transcript, ret_problem)) return false; /* nothing foretells the first */
    size_t n_left = echo->n_ids - echo->n_told, n_rows = n_left < echo->n_rows ? n_left : echo->n_rows;
    if (!n_rows) return true;
    if (take_session(echo, model, &error) != HOB_OK ||
        hob_session_append_all(model->session, echo->ids + echo->n_told - 1, n_rows, echo->logits, &error) != HOB_OK) {
        empty_session(model);
        problem_from(ret_problem, &error);
        echo->lacks_room = error.code == HOB_LIMIT;
        if (echo->lacks_room) ret_problem->kind = PROBLEM_NO_MEMORY; /* no fault of the request's */
        return false;
    }
    for (size_t row = 0; row < n_rows; row++)
        if (!tell(echo, echo->logits + row * echo->n_vocab, transcript, ret_problem)) return false;
    return true;
}

bool echo_lacks_room(const struct echo *echo)
{
    return echo->lacks_room;
}

bool echo_step(struct echo *echo, struct loaded_model *model, struct transcript *transcript, bool *ret_is_done, struct problem *ret_problem)
{
    if (echo->options.has_logprobs) {
        if (!tell_scored(echo, model, transcript, ret_problem)) return false;
    } else {
        while (echo->n_told < echo->n_ids)
            if (!tell(echo, NULL, transcript, ret_problem)) return false;
    }
    *ret_is_done = echo->n_told == echo->n_ids;
    if (!*ret_is_done) return true;
    leave_session(echo, model);
    return tell_rest(echo, transcript, ret_problem);
}
