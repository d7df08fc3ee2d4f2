#include "engine/generate/restoring.h"

#include "base/error.h"
#include "base/memory.h"

hob_status restoring_init(struct restoring *restoring, size_t n_texts, size_t n_ids, hob_error *error)
{
    struct restoring made = {.n_texts = n_texts};
    made.texts = memory_new(n_texts, sizeof *made.texts);
    made.ids = memory_new(n_ids, sizeof *made.ids);
    if (!made.texts || !made.ids) {
        restoring_release(&made);
        FAIL(error, HOB_NO_MEMORY, "%zu parked texts: out of memory", n_texts);
    }
    *restoring = made;
    return HOB_OK;
}

void restoring_release(struct restoring *restoring)
{
    memory_free(restoring->texts);
    memory_free(restoring->ids);
    *restoring = (struct restoring){0};
}

bool restoring_is_over(const struct restoring *restoring)
{
    return restoring->n_whole == restoring->n_texts;
}

static size_t count_same(const struct restored_text *a, const struct restored_text *b)
{
    size_t n_same = 0, most = a->n_ids < b->n_ids ? a->n_ids : b->n_ids;
    while (n_same < most && a->ids[n_same] == b->ids[n_same]) n_same++;
    return n_same;
}

/* The whole text that this one shares most with; NULL: there is none with more than n_same. */
static const struct restored_text *find_relative(const struct restoring *restoring, const struct restored_text *text, size_t *n_same)
{
    const struct restored_text *relative = NULL;
    for (size_t i = 0; i < restoring->n_whole; i++) {
        size_t n = count_same(&restoring->texts[i], text);
        if (n <= *n_same) continue;
        *n_same = n;
        relative = &restoring->texts[i];
    }
    return relative;
}

static hob_status begin_text(const struct restoring *restoring, struct restored_text *text, struct sequence *sequence, hob_error *error)
{
    size_t n_begun = (size_t)sequence_recall(sequence, text->ids, (int64_t)text->n_ids);
    const struct restored_text *relative = find_relative(restoring, text, &n_begun);
    if (relative) {
        TRY(sequence_assign(sequence, *relative->place, error));
        TRY(sequence_rewind(sequence, (int64_t)n_begun, error));
    }
    text->n_done = n_begun;
    return HOB_OK;
}

hob_status restoring_advance(struct restoring *restoring, hob_session *session, hob_error *error)
{
    for (; !restoring_is_over(restoring); restoring->n_whole++) {
        struct restored_text *text = &restoring->texts[restoring->n_whole];
        if (!*text->place) {
            struct sequence *sequence;
            TRY(sequence_new(session, &sequence, error));
            hob_status status = begin_text(restoring, text, sequence, error);
            if (status == HOB_OK) *text->place = sequence;
            else sequence_free(sequence);
            TRY(status);
        }
        if (text->n_done < text->n_ids) return HOB_OK;
    }
    return HOB_OK;
}

void restoring_plan(const struct restoring *restoring, size_t most_ids, struct batch_entry *ret_entry)
{
    const struct restored_text *text = &restoring->texts[restoring->n_whole];
    size_t n_left = text->n_ids - text->n_done, n_ids = n_left < most_ids ? n_left : most_ids;
    *ret_entry = (struct batch_entry){.sequence = *text->place, .ids = text->ids + text->n_done, .n_ids = (int64_t)n_ids};
}

void restoring_take(struct restoring *restoring, size_t n_ids)
{
    restoring->texts[restoring->n_whole].n_done += n_ids;
}
