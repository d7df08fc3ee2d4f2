/* A registry and a scheduler for tests: the loop is a condition that the test's thread waits for.
 *
 *     struct serving serving;
 *     struct config config = serving_config();
 *     serving_open(&serving, &config);
 *     struct generate_job *job = serving_complete("Once upon a time", 8);
 *     serving_submit(&serving, &job->job);
 *     serving_wait(&serving);                       until all that were submitted are over
 *     assert_string_equal(serving_text(&job->job), …);
 *     job_unref(&job->job);
 *     serving_close(&serving);
 */
#ifndef TESTS_SERVER_SERVING_H
#define TESTS_SERVER_SERVING_H

#include "unit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "server/jobs/embed.h"
#include "server/jobs/generate.h"
#include "server/jobs/rerank.h"
#include "server/jobs/tokens.h"
#include "server/scheduler/scheduler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORIES "../shared/models/stories260k/model-f16.gguf"
#define BERT "../shared/models/bert-tiny-random"

struct serving {
    struct model_registry *registry;
    struct scheduler *scheduler;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_woken;
};

static struct config_model serving_models[4];

/* Everything that a default configuration says, as far as jobs and models go; no model comes from the machine. */
static inline struct config serving_config(void)
{
    return (struct config){.model_path = STORIES,
                           .embed_model_path = BERT,
                           .threads = 1,
                           .max_running = 16,
                           .max_queue = 512,
                           .deadline_s = 600,
                           .chunk_tokens = 192,
                           .keep_alive_s = 1800,
                           .prefix_cache_bytes = 1 << 20,
                           .models = serving_models};
}

static inline void serving_wake(void *context)
{
    struct serving *serving = context;
    pthread_mutex_lock(&serving->lock);
    serving->is_woken = true;
    pthread_cond_signal(&serving->woken);
    pthread_mutex_unlock(&serving->lock);
}

static inline void serving_models_changed(void *context)
{
    struct serving *serving = context;
    pthread_mutex_lock(&serving->lock);
    struct scheduler *scheduler = serving->scheduler;
    pthread_mutex_unlock(&serving->lock);
    if (scheduler) scheduler_models_changed(scheduler);
}

static inline void serving_open(struct serving *serving, const struct config *config)
{
    hob_error error;
    struct scheduler *scheduler;
    *serving = (struct serving){0};
    pthread_mutex_init(&serving->lock, NULL);
    pthread_cond_init(&serving->woken, NULL);
    assert_int_equal(model_registry_new(config, serving_models_changed, serving, &serving->registry, &error), HOB_OK);
    assert_int_equal(scheduler_new(config, serving->registry, NULL, serving_wake, serving, &scheduler, &error), HOB_OK);
    pthread_mutex_lock(&serving->lock);
    serving->scheduler = scheduler;
    pthread_mutex_unlock(&serving->lock);
}

/* The models last: jobs give them back. */
static inline void serving_close(struct serving *serving)
{
    scheduler_free(serving->scheduler);
    pthread_mutex_lock(&serving->lock);
    serving->scheduler = NULL;
    pthread_mutex_unlock(&serving->lock);
    model_registry_free(serving->registry);
    pthread_cond_destroy(&serving->woken);
    pthread_mutex_destroy(&serving->lock);
}

static inline void serving_submit(struct serving *serving, struct job *job)
{
    assert_non_null(job);
    scheduler_submit(serving->scheduler, job);
}

static inline void serving_pump(struct serving *serving)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60; /* only a test that fails waits so long */
    pthread_mutex_lock(&serving->lock);
    while (!serving->is_woken && pthread_cond_timedwait(&serving->woken, &serving->lock, &until) == 0) {}
    assert_true(serving->is_woken);
    serving->is_woken = false;
    pthread_mutex_unlock(&serving->lock);
    scheduler_deliver(serving->scheduler);
}

static inline bool serving_is_over(const struct job *job)
{
    return transcript_is_over(job->transcript);
}

static inline void serving_wait_for(struct serving *serving, const struct job *job)
{
    while (!serving_is_over(job)) serving_pump(serving);
}

/* ---- jobs ---- */

static inline struct generate_job *serving_complete(const char *text, size_t max_tokens)
{
    struct generate_job *generate = generate_job_new("");
    generate->inputs.kind = PROMPT_TEXT;
    generate->inputs.text = job_copy(&generate->job, text, strlen(text));
    generate->inputs.n_text_bytes = strlen(text);
    generate->inputs.options.max_tokens = max_tokens;
    return generate;
}

static inline struct embed_job *serving_embed(const char *const *texts, size_t n_texts)
{
    struct embed_job *embed = embed_job_new("");
    const char **copies = ARENA_NEW(&embed->job.arena, const char *, n_texts);
    size_t *sizes = ARENA_NEW(&embed->job.arena, size_t, n_texts);
    for (size_t i = 0; i < n_texts; i++) {
        copies[i] = job_copy(&embed->job, texts[i], strlen(texts[i]));
        sizes[i] = strlen(texts[i]);
    }
    embed->job.priority = PRIORITY_BATCH;
    embed->inputs.texts = copies;
    embed->inputs.text_bytes = sizes;
    embed->inputs.n_texts = n_texts;
    return embed;
}

/* ---- what came of them ---- */

static inline const struct event *serving_last(const struct job *job)
{
    const struct event *last = NULL;
    for (const struct event *event = transcript_next(job->transcript, NULL); event; event = transcript_next(job->transcript, event)) last = event;
    return last;
}

static inline const struct event *serving_find(const struct job *job, enum event_kind kind)
{
    const struct event *event = transcript_next(job->transcript, NULL);
    while (event && event->kind != kind) event = transcript_next(job->transcript, event);
    return event;
}

static inline size_t serving_count(const struct job *job, enum event_kind kind)
{
    size_t n = 0;
    for (const struct event *event = transcript_next(job->transcript, NULL); event; event = transcript_next(job->transcript, event))
        n += event->kind == kind;
    return n;
}

/* The text of one output; free with free. */
static inline char *serving_text_of(const struct job *job, uint32_t output)
{
    struct buffer text = {0};
    for (const struct event *event = transcript_next(job->transcript, NULL); event; event = transcript_next(job->transcript, event))
        if (event->kind == EVENT_DELTA && event->output == output) buffer_append(&text, event->text, event->n_text_bytes);
    char *copy = strdup(buffer_text(&text));
    buffer_release(&text);
    return copy;
}

static inline void serving_put_event(const struct event *event, struct buffer *bytes)
{
    buffer_printf(bytes, "%d %u ", event->kind, event->output);
    buffer_append(bytes, event->text, event->n_text_bytes);
    buffer_append(bytes, event->reasoning, event->n_reasoning_bytes);
    if (event->kind == EVENT_DELTA) buffer_printf(bytes, " %d %a %d", event->id, (double)event->logprob, event->is_echo);
    if (event->kind == EVENT_OUTPUT_END) buffer_printf(bytes, " %s %s", hob_finish_name(event->finish), event->stop ? event->stop : "");
    for (size_t i = 0; i < event->n_top_logprobs; i++)
        buffer_printf(bytes, " %d:%a", event->top_logprobs[i].id, (double)event->top_logprobs[i].logprob);
    buffer_append_byte(bytes, '\n');
}

/* Everything that a client could see, text by text, as bytes; free with buffer_release. How texts of one job take turns is left out: drafts
 * change that. */
static inline struct buffer serving_bytes(const struct job *job)
{
    struct buffer bytes = {0};
    for (uint32_t output = 0; output < 8; output++)
        for (const struct event *event = transcript_next(job->transcript, NULL); event; event = transcript_next(job->transcript, event))
            if (event->output == output) serving_put_event(event, &bytes);
    return bytes;
}

static inline void serving_expect_done(const struct job *job)
{
    const struct event *last = serving_last(job);
    if (last && last->kind == EVENT_FAILED) print_message("failed: %s\n", last->problem.message);
    assert_non_null(last);
    assert_int_equal(last->kind, EVENT_DONE);
}

static inline void serving_expect_failed(const struct job *job, enum problem_kind kind)
{
    const struct event *last = serving_last(job);
    assert_non_null(last);
    assert_int_equal(last->kind, EVENT_FAILED);
    if (last->problem.kind != kind) print_message("failed: %s\n", last->problem.message);
    assert_int_equal(last->problem.kind, kind);
}

static inline bool serving_has_models(void)
{
    return access(STORIES, R_OK) == 0;
}

#define SKIP_WITHOUT_MODELS()              \
    do {                                   \
        if (!serving_has_models()) skip(); \
    } while (0)

#endif
