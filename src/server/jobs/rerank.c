/* Pairs of a query and a text, texts by themselves, or pairs of texts, through a classifier in pieces like those of embeddings. */
#include "server/jobs/rerank.h"

#include "base/memory.h"
#include "server/jobs/encoding.h"
#include "server/jobs/pieces.h"

struct rerank_state {
    hob_encodings *encodings; /* one for all texts, or one for each pair with a first text of its own */
    size_t n_encodings;
    struct rows rows;
};

static struct rerank_job *rerank_of(const struct job *job)
{
    return (struct rerank_job *)job;
}

static bool no_memory(struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_NO_MEMORY, "scores: out of memory");
}

/* ---- prepare ---- */

static bool read_labels(struct rerank_job *rerank, const struct loaded_model *model, struct problem *ret_problem)
{
    size_t n_labels = model->info.n_labels > 0 ? (size_t)model->info.n_labels : 0;
    const char **labels = ARENA_NEW(&rerank->job.arena, const char *, n_labels);
    if (!labels) return no_memory(ret_problem);
    for (size_t i = 0; i < n_labels; i++) {
        const char *label = hob_model_label(model->model, i);
        labels[i] = label ? label : "";
    }
    rerank->labels = labels;
    rerank->n_labels = n_labels;
    if (rerank->inputs.query && n_labels != 1)
        return problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s has %zu labels: one that ranks texts by a query has one", model->name, n_labels);
    return true;
}

static bool encode_with(struct rerank_job *rerank, const struct loaded_model *model, const struct encoding_texts *texts, struct problem *ret_problem)
{
    struct rerank_state *state = rerank->state;
    hob_encode_options options = {.is_strict = !rerank->inputs.truncates,
                                  .cuts_beginning = rerank->inputs.truncates_left,
                                  .keeps_first = rerank->inputs.query != NULL};
    if (!encoding_make(model, texts, &options, &state->encodings[state->n_encodings], ret_problem)) return false;
    state->n_encodings++;
    return true;
}

/* Lists of all encodings one behind the other. */
static bool join(struct rerank_job *rerank, struct problem *ret_problem)
{
    struct rerank_state *state = rerank->state;
    size_t n_texts = rerank->inputs.n_texts, at = 0;
    const int32_t **ids = ARENA_NEW(&rerank->job.arena, const int32_t *, n_texts);
    const int32_t **types = ARENA_NEW(&rerank->job.arena, const int32_t *, n_texts);
    size_t *n_ids = ARENA_NEW(&rerank->job.arena, size_t, n_texts);
    if (!ids || !types || !n_ids) return no_memory(ret_problem);
    for (size_t e = 0; e < state->n_encodings; e++)
        for (size_t i = 0; i < state->encodings[e].n_texts; i++, at++) {
            ids[at] = state->encodings[e].ids[i];
            types[at] = state->encodings[e].types[i];
            n_ids[at] = state->encodings[e].n_ids[i];
        }
    state->rows = (struct rows){.ids = ids, .types = types, .n_ids = n_ids, .n_texts = at};
    return true;
}

static bool encode(struct rerank_job *rerank, const struct loaded_model *model, struct problem *ret_problem)
{
    const struct rerank_inputs *inputs = &rerank->inputs;
    struct encoding_texts texts = {.first = inputs->query,
                                   .n_first_bytes = inputs->n_query_bytes,
                                   .texts = inputs->texts,
                                   .text_bytes = inputs->text_bytes,
                                   .n_texts = inputs->n_texts};
    rerank->state->encodings = memory_new(inputs->second_texts ? inputs->n_texts : 1, sizeof *rerank->state->encodings);
    if (!rerank->state->encodings) return no_memory(ret_problem);
    if (!inputs->second_texts) return encode_with(rerank, model, &texts, ret_problem);
    for (size_t i = 0; i < inputs->n_texts; i++) {
        struct encoding_texts pair = {.first = inputs->texts[i],
                                      .n_first_bytes = inputs->text_bytes[i],
                                      .texts = inputs->second_texts + i,
                                      .text_bytes = inputs->second_bytes + i,
                                      .n_texts = 1};
        bool is_pair = inputs->second_texts[i] != NULL;
        struct encoding_texts single = {.texts = inputs->texts + i, .text_bytes = inputs->text_bytes + i, .n_texts = 1};
        if (!encode_with(rerank, model, is_pair ? &pair : &single, ret_problem)) return false;
    }
    return true;
}

static bool prepare(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    struct rerank_job *rerank = rerank_of(job);
    rerank->state = memory_new(1, sizeof *rerank->state);
    if (!rerank->state) return no_memory(ret_problem);
    return read_labels(rerank, model, ret_problem) && encode(rerank, model, ret_problem) && join(rerank, ret_problem);
}

static bool key(const struct job *job, struct buffer *ret_key)
{
    const struct rerank_job *rerank = rerank_of(job);
    const struct rows *rows = &rerank->state->rows;
    size_t sizes[] = {rows->n_texts, rerank->inputs.is_raw, rerank->inputs.query != NULL};
    buffer_append(ret_key, sizes, sizeof sizes);
    for (size_t i = 0; i < rows->n_texts; i++) {
        buffer_append(ret_key, &rows->n_ids[i], sizeof rows->n_ids[i]);
        buffer_append(ret_key, rows->ids[i], rows->n_ids[i] * sizeof *rows->ids[i]);
        if (rows->types[i]) buffer_append(ret_key, rows->types[i], rows->n_ids[i] * sizeof *rows->types[i]);
    }
    return !ret_key->is_failed;
}

/* ---- on the engine's thread ---- */

static size_t count_tokens(const struct rerank_job *rerank)
{
    const struct rows *rows = &rerank->state->rows;
    size_t n_tokens = 0;
    for (size_t i = 0; i < rows->n_texts; i++) n_tokens += rows->n_ids[i];
    return n_tokens;
}

static bool begin(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    (void)model;
    struct rerank_job *rerank = rerank_of(job);
    struct event *event = transcript_event(job->transcript, EVENT_STARTED);
    if (!event) return no_memory(ret_problem);
    event->usage.n_prompt_tokens = count_tokens(rerank);
    transcript_append(job->transcript, event);
    job->is_complete = !rerank->state->rows.n_texts;
    return true;
}

static bool tell_share(struct rerank_job *rerank, const struct piece_share *share, const float *scores, struct problem *ret_problem)
{
    size_t n_columns = rerank->n_labels;
    struct event *event = transcript_event(rerank->job.transcript, EVENT_SCORES);
    if (!event) return no_memory(ret_problem);
    event->numbers = transcript_copy(rerank->job.transcript, scores + share->first_row * n_columns, share->n_texts * n_columns * sizeof *scores);
    if (!event->numbers) return no_memory(ret_problem);
    event->first_row = share->first_text;
    event->n_rows = share->n_texts;
    event->n_columns = n_columns;
    transcript_append(rerank->job.transcript, event);
    rerank->state->rows.n_done += share->n_texts;
    rerank->job.is_complete = rerank->state->rows.n_done == rerank->state->rows.n_texts;
    return true;
}

static void gather(struct job *const *jobs, size_t n_jobs, struct piece *piece)
{
    const struct rerank_inputs *inputs = &rerank_of(jobs[0])->inputs;
    for (size_t i = 0; i < n_jobs; i++) {
        const struct rerank_inputs *others = &rerank_of(jobs[i])->inputs;
        bool is_alike = others->is_raw == inputs->is_raw && !others->query == !inputs->query;
        if (is_alike && !piece_add(piece, i, &rerank_of(jobs[i])->state->rows)) return;
    }
}

static hob_status compute(const struct rerank_job *rerank, const struct piece *piece, struct loaded_model *model, float *scores, hob_error *error)
{
    hob_rerank_options how = {.is_raw = rerank->inputs.is_raw};
    if (rerank->inputs.query)
        return hob_rerank_ids(model->session, piece->ids, piece->types, piece->n_ids, piece->n_texts, &how, scores, error);
    return hob_classify_ids(model->session, piece->ids, piece->types, piece->n_ids, piece->n_texts, &how, scores, error);
}

static bool step(struct job *const *jobs, size_t n_jobs, struct loaded_model *model, struct problem *ret_problem)
{
    hob_error error;
    struct piece piece = {0};
    const struct rerank_job *rerank = rerank_of(jobs[0]);
    gather(jobs, n_jobs, &piece);
    float *scores = memory_new(piece.n_texts, rerank->n_labels * sizeof *scores);
    if (!scores) return no_memory(ret_problem);
    bool is_done = compute(rerank, &piece, model, scores, &error) == HOB_OK || problem_from(ret_problem, &error);
    for (size_t i = 0; is_done && i < piece.n_shares; i++)
        is_done = tell_share(rerank_of(jobs[piece.shares[i].job]), &piece.shares[i], scores, ret_problem);
    memory_free(scores);
    return is_done;
}

static bool finish(struct job *job, struct usage *usage, struct problem *ret_problem)
{
    (void)ret_problem;
    usage->n_prompt_tokens = count_tokens(rerank_of(job));
    return true;
}

static void release(struct job *job)
{
    struct rerank_state *state = rerank_of(job)->state;
    if (!state) return;
    for (size_t i = 0; i < state->n_encodings; i++) hob_encodings_release(&state->encodings[i]);
    memory_free(state->encodings);
    memory_free(state);
    rerank_of(job)->state = NULL;
}

const struct job_def job_rerank = {.name = "rerank",
                                   .use = USE_RERANK,
                                   .prepare = prepare,
                                   .key = key,
                                   .begin = begin,
                                   .step = step,
                                   .finish = finish,
                                   .release = release};

struct rerank_job *rerank_job_new(const char *model_name)
{
    return job_new(&job_rerank, sizeof(struct rerank_job), model_name);
}
