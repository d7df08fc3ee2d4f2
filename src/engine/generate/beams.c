#include "engine/generate/beams.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/generate/text_stream.h"

#include <string.h>

static hob_status reserve(struct beams *beams, size_t width, hob_error *error)
{
    beams->sequences = memory_new(width, sizeof(struct sequence *));
    beams->next = memory_new(width, sizeof(struct sequence *));
    beams->rows = memory_new(width, sizeof(const float *));
    beams->outputs = memory_new(beams->request->options.n_samples, sizeof *beams->outputs);
    if (beams->sequences && beams->next && beams->rows && beams->outputs) return HOB_OK;
    FAIL(error, HOB_NO_MEMORY, "no memory for %zu beams", width);
}

hob_status beams_init(struct beams *beams, struct request *request, hob_error *error)
{
    const hob_generate_options *options = &request->options;
    struct beam_settings settings = {.width = options->beam_width,
                                     .n_vocab = (size_t)request->session->n_vocab,
                                     .max_tokens = request_most_tokens(request),
                                     .min_tokens = options->min_tokens,
                                     .end_ids = request->end_ids,
                                     .n_end_ids = request->n_end_ids,
                                     .n_model_ends = request->n_model_ends,
                                     .length_penalty = (double)options->length_penalty,
                                     .early_stopping = options->early_stopping,
                                     .kernels = request->session->provider.kernels};
    *beams = (struct beams){.request = request};
    hob_status status = beam_search_init(&beams->search, &settings, error);
    if (status == HOB_OK) status = reserve(beams, options->beam_width, error);
    if (status != HOB_OK) beams_release(beams);
    return status;
}

static void give_sequences_back(struct beams *beams)
{
    size_t width = beams->sequences ? beams->request->options.beam_width : 0;
    for (size_t i = 0; i < width; i++) {
        sequence_free(beams->sequences[i]);
        beams->sequences[i] = NULL;
    }
}

void beams_release(struct beams *beams)
{
    give_sequences_back(beams);
    beam_search_release(&beams->search);
    memory_free(beams->sequences);
    memory_free(beams->next);
    memory_free(beams->rows);
    memory_free(beams->outputs);
    *beams = (struct beams){0};
}

/* ---- which sequence goes on as which beam ---- */

/* The first beams that continue an old one move into its place. */
static void move_first(struct beams *beams)
{
    memset(beams->next, 0, beams->request->options.beam_width * sizeof *beams->next);
    for (size_t i = 0; i < beams->search.n_beams; i++) {
        size_t parent = beams->search.beams[i].parent;
        beams->next[i] = beams->sequences[parent];
        beams->sequences[parent] = NULL;
    }
}

/* The place of the beam that took over the sequence of beam i's parent. */
static const struct sequence *moved_to(const struct beams *beams, size_t i)
{
    size_t first = 0;
    while (beams->search.beams[first].parent != beams->search.beams[i].parent) first++;
    return beams->next[first];
}

/* A sequence that nothing continues, to be written over; NULL: there is none left. */
static struct sequence *take_unused(struct beams *beams)
{
    for (size_t i = 0; i < beams->request->options.beam_width; i++) {
        struct sequence *unused = beams->sequences[i];
        beams->sequences[i] = NULL;
        if (unused) return unused;
    }
    return NULL;
}

static hob_status make_twin(struct beams *beams, const struct sequence *from, struct sequence **ret_sequence, hob_error *error)
{
    struct sequence *to = take_unused(beams);
    if (!to) return sequence_fork(from, ret_sequence, error);
    *ret_sequence = to;
    return sequence_assign(to, from, error);
}

static hob_status reorder(struct beams *beams, hob_error *error)
{
    hob_status status = HOB_OK;
    move_first(beams);
    for (size_t i = 0; status == HOB_OK && i < beams->search.n_beams; i++)
        if (!beams->next[i]) status = make_twin(beams, moved_to(beams, i), &beams->next[i], error);
    give_sequences_back(beams);
    struct sequence **old = beams->sequences;
    beams->sequences = beams->next;
    beams->next = old;
    return status;
}

/* ---- steps ---- */

/* After a step of the search, which has moved on to the next beams. */
static hob_status go_on(struct beams *beams, hob_error *error)
{
    const struct request *request = beams->request;
    hob_finish finish = HOB_FINISH_LENGTH;
    size_t max_tokens = request->options.max_tokens;
    if (max_tokens == 0 || beams->search.n_tokens < max_tokens) finish = HOB_FINISH_CONTEXT;
    if (beams->search.is_done || request_is_over(request, &finish)) return beams_end(beams, finish, error);
    return HOB_OK;
}

hob_status beams_take_prompt(struct beams *beams, const struct sequence *prompt, const float *logits, hob_error *error)
{
    beam_search_step(&beams->search, &logits);
    for (size_t i = 0; !beams->search.is_done && i < beams->search.n_beams; i++)
        TRY(sequence_fork(prompt, &beams->sequences[i], error));
    return go_on(beams, error);
}

size_t beams_plan(struct beams *beams, struct batch_entry *entries)
{
    const struct beam_search *search = &beams->search;
    for (size_t i = 0; i < search->n_beams; i++)
        entries[i] = (struct batch_entry){.sequence = beams->sequences[i], .ids = &search->beams[i].id, .n_ids = 1, .n_rows = 1};
    return search->n_beams;
}

hob_status beams_take(struct beams *beams, const struct batch_entry *entries, hob_error *error)
{
    for (size_t i = 0; i < beams->search.n_beams; i++) beams->rows[i] = entries[i].logits;
    beam_search_step(&beams->search, beams->rows);
    if (!beams->search.is_done) TRY(reorder(beams, error));
    return go_on(beams, error);
}

/* ---- out of the cache ---- */

void beams_park(struct beams *beams)
{
    for (size_t i = 0; i < beams->search.n_beams; i++)
        if (beams->sequences[i]) sequence_remember(beams->sequences[i], false);
    give_sequences_back(beams);
}

/* All but the last id, which is to be run. */
size_t beams_n_ids(const struct beams *beams)
{
    return beams->request->n_prompt + beams->search.n_tokens - 1;
}

void beams_list_ids(const struct beams *beams, size_t i, int32_t *ret_ids)
{
    const struct beam_node *nodes = beams->search.nodes;
    size_t n_prompt = beams->request->n_prompt;
    memcpy(ret_ids, beams->request->prompt, n_prompt * sizeof *ret_ids);
    int32_t node = nodes[beams->search.beams[i].node].parent;
    for (size_t at = beams_n_ids(beams); at > n_prompt; node = nodes[node].parent) ret_ids[--at] = nodes[node].id;
}

/* ---- the texts ---- */

static hob_status tell_tokens(struct beams *beams, size_t index, const struct beam_node **nodes, size_t n_nodes, struct text_stream *stream,
                              hob_error *error)
{
    struct request *request = beams->request;
    for (size_t i = 0; i < n_nodes && !request_is_cancelled(request); i++) {
        hob_generated generated = {.id = nodes[i]->id, .output = index};
        if (request->options.has_logprobs) generated.logprob = nodes[i]->logprob;
        TRY(text_stream_push(stream, generated.id, false, &generated.text, &generated.n_text_bytes, error));
        request_tell(request, &generated);
    }
    hob_generated rest = {.id = HOB_NO_TOKEN, .output = index};
    TRY(text_stream_finish(stream, false, &rest.text, &rest.n_text_bytes, error));
    if (rest.n_text_bytes && !request_is_cancelled(request)) request_tell(request, &rest);
    return HOB_OK;
}

static hob_status tell_text(struct beams *beams, size_t index, hob_error *error)
{
    hob_status status = HOB_OK;
    const struct request *request = beams->request;
    const struct hypothesis *hypothesis = &beams->search.hypotheses[index];
    struct text_stream stream = {0};
    const struct beam_node **nodes = memory_new(hypothesis->n_tokens, sizeof *nodes);
    if (!nodes) FAIL(error, HOB_NO_MEMORY, "a beam's text: out of memory");
    beam_search_path(&beams->search, hypothesis, nodes);
    TRY_CLEANUP(text_stream_init(&stream, request->session->model->tokenizer, request->prompt, request->n_prompt, NULL, 0, error));
    TRY_CLEANUP(tell_tokens(beams, index, nodes, hypothesis->n_tokens, &stream, error));
cleanup:
    text_stream_release(&stream);
    memory_free(nodes);
    return status;
}

hob_status beams_end(struct beams *beams, hob_finish finish, hob_error *error)
{
    if (beams->is_done) return HOB_OK;
    beams->is_done = true;
    give_sequences_back(beams);
    beam_search_finish(&beams->search, finish);
    size_t n_wanted = beams->request->options.n_samples, n_there = beams->search.n_hypotheses;
    beams->n_outputs = n_wanted < n_there ? n_wanted : n_there;
    for (size_t i = 0; i < beams->n_outputs; i++) {
        const struct hypothesis *hypothesis = &beams->search.hypotheses[i];
        beams->outputs[i] = (hob_generated_output){
            .finish = hypothesis->finish, .n_tokens = hypothesis->n_tokens, .score = hypothesis->score, .stop = -1, .end_id = hypothesis->end_id};
        if (finish != HOB_FINISH_CANCELLED) TRY(tell_text(beams, i, error));
    }
    return HOB_OK;
}
