/* The clerk makes ids of the texts; the engine runs them in pieces, in which jobs that want the same kind of vectors stand together. */
#include "server/jobs/embed.h"

#include "base/memory.h"
#include "base/size.h"
#include "server/jobs/encoding.h"
#include "server/jobs/pieces.h"

struct embed_state {
    hob_encodings encodings; /* of texts; zero for ids */
    struct rows rows;
};

static struct embed_job *embed_of(const struct job *job)
{
    return (struct embed_job *)job;
}

static bool no_memory(struct problem *ret_problem)
{
    return problem_set(ret_problem, PROBLEM_NO_MEMORY, "embeddings: out of memory");
}

/* ---- prepare ---- */

static size_t width_of(const struct embed_job *embed, const struct loaded_model *model)
{
    return embed->inputs.how.n_dimensions ? embed->inputs.how.n_dimensions : (size_t)model->info.width;
}

static bool check_width(const struct embed_job *embed, const struct loaded_model *model, struct problem *ret_problem)
{
    if (model->info.width <= 0)
        return problem_set(ret_problem, PROBLEM_UNSUPPORTED, "model %s does not say how wide its embeddings are", model->name);
    if (width_of(embed, model) <= (size_t)model->info.width) return true;
    return problem_set_field(ret_problem, "dimensions", "dimensions: found %zu, expected at most %lld, what model %s gives",
                             embed->inputs.how.n_dimensions, (long long)model->info.width, model->name);
}

static bool encode(struct embed_job *embed, const struct loaded_model *model, struct problem *ret_problem)
{
    const struct embed_inputs *inputs = &embed->inputs;
    struct embed_state *state = embed->state;
    struct encoding_texts texts = {.texts = inputs->texts, .text_bytes = inputs->text_bytes, .n_texts = inputs->n_texts};
    hob_encode_options options = {.prompt = inputs->how.prompt,
                                  .max_tokens = inputs->how.max_tokens,
                                  .is_strict = !inputs->truncates,
                                  .cuts_beginning = inputs->truncates_left};
    if (!encoding_make(model, &texts, &options, &state->encodings, ret_problem)) return false;
    state->rows = (struct rows){.ids = state->encodings.ids, .n_ids = state->encodings.n_ids, .n_texts = inputs->n_texts};
    return true;
}

/* As they are: what is too long is cut where that is wanted. */
static bool take_ids(struct embed_job *embed, const struct loaded_model *model, struct problem *ret_problem)
{
    const struct embed_inputs *inputs = &embed->inputs;
    size_t *n_ids = ARENA_NEW(&embed->job.arena, size_t, inputs->n_texts);
    const int32_t **ids = ARENA_NEW(&embed->job.arena, const int32_t *, inputs->n_texts);
    size_t n_most = (size_t)(model->info.n_text_tokens > 0 ? model->info.n_text_tokens : model->info.n_context);
    if (!n_ids || !ids) return no_memory(ret_problem);
    for (size_t i = 0; i < inputs->n_texts; i++) {
        size_t n_cut = inputs->truncates && n_most && inputs->n_ids[i] > n_most ? inputs->n_ids[i] - n_most : 0;
        n_ids[i] = inputs->n_ids[i] - n_cut;
        ids[i] = inputs->ids[i] + (inputs->truncates_left ? n_cut : 0);
        if (!encoding_check(model, ids[i], n_ids[i], i, ret_problem)) return false;
    }
    embed->state->rows = (struct rows){.ids = ids, .n_ids = n_ids, .n_texts = inputs->n_texts};
    return true;
}

/* Vectors of tokens are what takes memory: a bound that no sound request reaches. */
static bool check_size(const struct embed_job *embed, const struct loaded_model *model, struct problem *ret_problem)
{
    const struct rows *rows = &embed->state->rows;
    size_t n_rows = embed->inputs.has_tokens ? 0 : rows->n_texts, n_bytes;
    for (size_t i = 0; embed->inputs.has_tokens && i < rows->n_texts; i++) n_rows += rows->n_ids[i];
    if (size_mul(n_rows, width_of(embed, model) * sizeof(float), &n_bytes) && n_bytes <= (size_t)1 << 30) return true;
    return problem_set(ret_problem, PROBLEM_TOO_LARGE, "found %zu vectors to make, which would take more than 1 GiB", n_rows);
}

static bool prepare(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    struct embed_job *embed = embed_of(job);
    embed->state = memory_new(1, sizeof *embed->state);
    embed->n_tokens = ARENA_NEW(&job->arena, size_t, embed->inputs.n_texts);
    if (!embed->state || !embed->n_tokens) return no_memory(ret_problem);
    if (!check_width(embed, model, ret_problem)) return false;
    if (!(embed->inputs.ids ? take_ids(embed, model, ret_problem) : encode(embed, model, ret_problem))) return false;
    if (embed->inputs.n_texts) memcpy(embed->n_tokens, embed->state->rows.n_ids, embed->inputs.n_texts * sizeof *embed->n_tokens);
    return check_size(embed, model, ret_problem);
}

/* The prompt is in the ids already. */
static bool key(const struct job *job, struct buffer *ret_key)
{
    const struct embed_job *embed = embed_of(job);
    const struct rows *rows = &embed->state->rows;
    const hob_embed_options *how = &embed->inputs.how;
    size_t sizes[] = {rows->n_texts, how->n_dimensions, (size_t)how->pooling, how->is_raw, how->is_normalized, embed->inputs.has_tokens};
    buffer_append(ret_key, sizes, sizeof sizes);
    for (size_t i = 0; i < rows->n_texts; i++) {
        buffer_append(ret_key, &rows->n_ids[i], sizeof rows->n_ids[i]);
        buffer_append(ret_key, rows->ids[i], rows->n_ids[i] * sizeof *rows->ids[i]);
    }
    return !ret_key->is_failed;
}

/* ---- on the engine's thread ---- */

static size_t count_tokens(const struct embed_job *embed)
{
    size_t n_tokens = 0;
    for (size_t i = 0; i < embed->inputs.n_texts; i++) n_tokens += embed->n_tokens[i];
    return n_tokens;
}

static bool begin(struct job *job, struct loaded_model *model, struct problem *ret_problem)
{
    (void)model;
    struct event *event = transcript_event(job->transcript, EVENT_STARTED);
    if (!event) return no_memory(ret_problem);
    event->usage.n_prompt_tokens = count_tokens(embed_of(job));
    transcript_append(job->transcript, event);
    job->is_complete = !embed_of(job)->inputs.n_texts;
    return true;
}

/* numbers: of the share's texts, whose rows follow each other. */
static bool tell(struct embed_job *embed, size_t first_text, size_t n_rows, const float *numbers, size_t width, struct problem *ret_problem)
{
    struct event *event = transcript_event(embed->job.transcript, EVENT_VECTORS);
    if (!event) return no_memory(ret_problem);
    event->numbers = transcript_copy(embed->job.transcript, numbers, n_rows * width * sizeof *numbers);
    if (!event->numbers) return no_memory(ret_problem);
    event->first_row = first_text;
    event->n_rows = n_rows;
    event->n_columns = width;
    transcript_append(embed->job.transcript, event);
    return true;
}

static bool is_alike(const struct embed_inputs *a, const struct embed_inputs *b)
{
    return a->has_tokens == b->has_tokens && a->how.n_dimensions == b->how.n_dimensions && a->how.pooling == b->how.pooling &&
           a->how.is_raw == b->how.is_raw && a->how.is_normalized == b->how.is_normalized;
}

static void gather(struct job *const *jobs, size_t n_jobs, struct piece *piece)
{
    const struct embed_inputs *inputs = &embed_of(jobs[0])->inputs;
    for (size_t i = 0; i < n_jobs; i++)
        if (is_alike(inputs, &embed_of(jobs[i])->inputs) && !piece_add(piece, i, &embed_of(jobs[i])->state->rows)) return;
}

/* A vector for each text of a share, or for each token, text by text. */
static bool tell_share(struct embed_job *embed, const struct piece *piece, const struct piece_share *share, const float **numbers, size_t width,
                       struct problem *ret_problem)
{
    bool is_told = embed->inputs.has_tokens || tell(embed, share->first_text, share->n_texts, *numbers, width, ret_problem);
    if (!embed->inputs.has_tokens) *numbers += share->n_texts * width;
    for (size_t i = 0; embed->inputs.has_tokens && i < share->n_texts; i++) {
        size_t n_rows = piece->n_ids[share->first_row + i];
        is_told = is_told && tell(embed, share->first_text + i, n_rows, *numbers, width, ret_problem);
        *numbers += n_rows * width;
    }
    if (!is_told) return false;
    embed->state->rows.n_done += share->n_texts;
    embed->job.is_complete = embed->state->rows.n_done == embed->state->rows.n_texts;
    return true;
}

static hob_status compute(const struct embed_job *embed, const struct piece *piece, struct loaded_model *model, float *numbers, hob_error *error)
{
    hob_embed_options how = embed->inputs.how;
    how.prompt = NULL;
    if (embed->inputs.has_tokens) return hob_embed_tokens(model->session, piece->ids, piece->n_ids, piece->n_texts, &how, numbers, error);
    return hob_embed_ids(model->session, piece->ids, piece->n_ids, piece->n_texts, &how, numbers, error);
}

static bool step(struct job *const *jobs, size_t n_jobs, struct loaded_model *model, struct problem *ret_problem)
{
    hob_error error;
    struct piece piece = {0};
    const struct embed_job *embed = embed_of(jobs[0]);
    gather(jobs, n_jobs, &piece);
    size_t width = width_of(embed, model);
    float *numbers = memory_new(embed->inputs.has_tokens ? piece.n_tokens : piece.n_texts, width * sizeof *numbers);
    if (!numbers) return no_memory(ret_problem);
    bool is_done = compute(embed, &piece, model, numbers, &error) == HOB_OK || problem_from(ret_problem, &error);
    const float *next = numbers;
    for (size_t i = 0; is_done && i < piece.n_shares; i++)
        is_done = tell_share(embed_of(jobs[piece.shares[i].job]), &piece, &piece.shares[i], &next, width, ret_problem);
    memory_free(numbers);
    return is_done;
}

static bool finish(struct job *job, struct usage *usage, struct problem *ret_problem)
{
    (void)ret_problem;
    usage->n_prompt_tokens = count_tokens(embed_of(job));
    return true;
}

static void release(struct job *job)
{
    struct embed_job *embed = embed_of(job);
    if (!embed->state) return;
    hob_encodings_release(&embed->state->encodings);
    memory_free(embed->state);
    embed->state = NULL;
}

const struct job_def job_embed = {.name = "embed",
                                  .use = USE_EMBED,
                                  .prepare = prepare,
                                  .key = key,
                                  .begin = begin,
                                  .step = step,
                                  .finish = finish,
                                  .release = release};

struct embed_job *embed_job_new(const char *model_name)
{
    return job_new(&job_embed, sizeof(struct embed_job), model_name);
}
