/* Replies from jobs.
 *
 * Nothing is said before the first event: a job that fails at once still gets its status line. Of a stream so many events are written out as
 * the client takes, a little ahead; the rest stays in the transcripts, so that a slow reader costs no memory. libmicrohttpd asks for bytes
 * and is suspended while there are none. */
#include "server/http/exchange_parts.h"

#include "base/memory.h"

#include <string.h>

enum { AHEAD_BYTES = 64 << 10, PING_MS = 15 * 1000, BLOCK_BYTES = 32 << 10 };

/* ---- a whole body ---- */

static void finish_whole(struct exchange *exchange)
{
    exchange_reply_json(exchange, 200, exchange->answer->whole(exchange, exchange->state));
    exchange_wake(exchange);
}

static void fail(struct exchange *exchange, const struct problem *problem)
{
    for (size_t i = 0; i < exchange->n_jobs; i++) job_cancel(exchange->jobs[i].job);
    exchange_fail(exchange, problem);
    exchange_wake(exchange);
}

/* Reads on to the last event there is. false: it failed. */
static bool is_well(struct exchange_job *entry, bool *ret_is_over)
{
    for (const struct event *event; (event = transcript_next(entry->job->transcript, entry->seen));) entry->seen = event;
    *ret_is_over = entry->seen && (entry->seen->kind == EVENT_DONE || entry->seen->kind == EVENT_FAILED);
    return !entry->seen || entry->seen->kind != EVENT_FAILED;
}

static void go_on_whole(struct exchange *exchange)
{
    size_t n_over = 0;
    for (size_t i = 0; i < exchange->n_jobs; i++) {
        bool is_over;
        if (!is_well(&exchange->jobs[i], &is_over)) {
            fail(exchange, &exchange->jobs[i].seen->problem);
            return;
        }
        n_over += is_over;
    }
    if (n_over == exchange->n_jobs) finish_whole(exchange);
}

/* ---- a stream ---- */

static size_t n_ready(const struct exchange *exchange)
{
    return exchange->out.n_bytes - exchange->n_taken;
}

/* One event of each job that has one; false: there are none. */
static bool write_events(struct exchange *exchange)
{
    bool has_any = false;
    for (size_t i = 0; i < exchange->n_jobs; i++) {
        struct exchange_job *entry = &exchange->jobs[i];
        const struct event *event = transcript_next(entry->job->transcript, entry->seen);
        if (!event) continue;
        entry->seen = event;
        exchange->answer->event(exchange, exchange->state, i, event, &exchange->out);
        has_any = true;
    }
    return has_any;
}

static bool are_all_read(const struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->n_jobs; i++) {
        const struct event *seen = exchange->jobs[i].seen;
        if (!seen || (seen->kind != EVENT_DONE && seen->kind != EVENT_FAILED)) return false;
    }
    return true;
}

/* What was taken goes from the front, before it is more than what is left. */
static void close_up(struct exchange *exchange)
{
    struct buffer *out = &exchange->out;
    if (exchange->n_taken < AHEAD_BYTES) return;
    memmove(out->bytes, out->bytes + exchange->n_taken, n_ready(exchange) + 1); /* the NUL too */
    out->n_bytes = n_ready(exchange);
    exchange->n_taken = 0;
}

static void write_ahead(struct exchange *exchange)
{
    close_up(exchange);
    while (n_ready(exchange) < AHEAD_BYTES && write_events(exchange)) continue;
    if (exchange->has_ended || !are_all_read(exchange)) return;
    if (exchange->answer->end) exchange->answer->end(exchange, exchange->state, &exchange->out);
    exchange->has_ended = true;
}

static ssize_t give(struct exchange *exchange, char *ret_bytes, size_t most)
{
    size_t n_bytes = n_ready(exchange) < most ? n_ready(exchange) : most;
    memcpy(ret_bytes, exchange->out.bytes + exchange->n_taken, n_bytes);
    exchange->n_taken += n_bytes;
    if (n_ready(exchange) == 0) {
        buffer_clear(&exchange->out);
        exchange->n_taken = 0;
    }
    exchange->n_reply_bytes += n_bytes;
    exchange->connection->n_given += n_bytes;
    if (exchange->ping) loop_timer_set(exchange->ping, PING_MS);
    return (ssize_t)n_bytes;
}

static ssize_t read_stream(void *context, uint64_t position, char *ret_bytes, size_t most)
{
    struct exchange *exchange = context;
    (void)position;
    if (exchange->is_gone) return MHD_CONTENT_READER_END_WITH_ERROR;
    write_ahead(exchange);
    if (exchange->out.is_failed) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n_ready(exchange)) return give(exchange, ret_bytes, most);
    if (exchange->has_ended) return MHD_CONTENT_READER_END_OF_STREAM;
    exchange_wait(exchange);
    return 0;
}

static void begin_stream(struct exchange *exchange)
{
    exchange->has_begun = true;
    if (exchange->answer->begin) exchange->answer->begin(exchange, exchange->state, &exchange->out);
    exchange_set_header(exchange, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    exchange_set_header(exchange, "X-Accel-Buffering", "no"); /* a proxy that is asked not to hold pieces back */
    exchange_set_response(exchange, 200, exchange->answer->stream_type,
                          MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, exchange, NULL));
    exchange_wake(exchange);
}

static void go_on_stream(struct exchange *exchange)
{
    bool has_event = exchange->n_jobs == 0;
    for (size_t i = 0; i < exchange->n_jobs && !exchange->has_begun; i++) {
        const struct event *first = transcript_next(exchange->jobs[i].job->transcript, NULL);
        if (first && first->kind == EVENT_FAILED) {
            fail(exchange, &first->problem);
            return;
        }
        has_event |= first != NULL;
    }
    if (exchange->has_begun) exchange_wake(exchange);
    else if (has_event) begin_stream(exchange);
}

/* Nothing was sent for a while: who waits is told that we are alive. */
static void on_silence(void *context)
{
    struct exchange *exchange = context;
    loop_timer_set(exchange->ping, PING_MS);
    bool is_replied = exchange->is_gone || exchange->has_ended || (exchange->response && !exchange->has_begun);
    if (is_replied || n_ready(exchange)) return; /* it is the client who is slow */
    if (!exchange->has_begun) begin_stream(exchange);
    buffer_append_string(&exchange->out, exchange->answer->ping);
    exchange_wake(exchange);
}

/* ---- both ---- */

static void go_on(struct exchange *exchange)
{
    if (exchange->is_gone || (exchange->response && !exchange->has_begun)) return; /* replied */
    if (exchange->is_stream) go_on_stream(exchange);
    else go_on_whole(exchange);
}

static void on_change(void *context, struct job *job)
{
    (void)job;
    go_on(context);
}

bool exchange_add(struct exchange *exchange, struct job *job, struct problem *ret_problem)
{
    if (job && exchange->n_jobs == exchange->n_jobs_reserved) {
        size_t n_reserved = exchange->n_jobs_reserved ? 2 * exchange->n_jobs_reserved : 4;
        struct exchange_job *jobs = memory_resize(exchange->jobs, n_reserved, sizeof *jobs);
        if (!jobs) {
            job_unref(job);
            return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
        }
        exchange->jobs = jobs;
        exchange->n_jobs_reserved = n_reserved;
    }
    if (!job) return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for the request");
    job->on_change = on_change;
    job->context = exchange;
    job->fairness = exchange_client(exchange);
    job->request_id = job_copy(job, exchange->id, strlen(exchange->id));
    exchange->jobs[exchange->n_jobs++] = (struct exchange_job){.job = job};
    return true;
}

void exchange_run(struct exchange *exchange, const struct answer_def *answer, void *state, bool is_stream)
{
    exchange->answer = answer;
    exchange->state = state;
    exchange->is_stream = is_stream && answer->stream_type;
    struct loop *loop = exchange_server(exchange)->loop;
    if (exchange->is_stream && answer->ping && loop_timer_new(loop, on_silence, exchange, &exchange->ping, NULL) == HOB_OK)
        loop_timer_set(exchange->ping, PING_MS);
    for (size_t i = 0; i < exchange->n_jobs; i++) scheduler_submit(exchange_server(exchange)->scheduler, exchange->jobs[i].job);
    if (exchange->n_jobs == 0) go_on(exchange);
}

void exchange_drop_jobs(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->n_jobs; i++) {
        struct job *job = exchange->jobs[i].job;
        job->on_change = NULL;
        if (!transcript_is_over(job->transcript)) job_cancel(job);
    }
    if (exchange->answer && exchange->answer->release) exchange->answer->release(exchange->state);
    exchange->answer = NULL;
    for (size_t i = 0; i < exchange->n_jobs; i++) job_unref(exchange->jobs[i].job);
    exchange->n_jobs = 0;
}

void exchange_leave(struct exchange *exchange)
{
    exchange->is_gone = true;
    for (size_t i = 0; i < exchange->n_jobs; i++) job_cancel(exchange->jobs[i].job);
    exchange_wake(exchange);
}

const struct transcript *exchange_transcript(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job].job->transcript;
}

struct job *exchange_job(const struct exchange *exchange, size_t job)
{
    return exchange->jobs[job].job;
}

size_t exchange_n_jobs(const struct exchange *exchange)
{
    return exchange->n_jobs;
}
