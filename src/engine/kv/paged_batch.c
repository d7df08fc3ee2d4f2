#include "engine/kv/paged_batch.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"
#include "engine/kv/kv_cache.h"
#include "engine/kv/sequence_parts.h"

#include <string.h>

enum { RUN_ARENA_BYTES = 16 * 1024 };

/* An entry on its way. */
struct part {
    struct batch_entry *entry;
    int64_t n_done, n_rows_done; /* ids and logits of earlier runs */
    int64_t n_new, n_rows;       /* of this run; n_new 0: it takes no part in it */
    int64_t first;               /* its first row in this run */
    size_t row_at;               /* where its logits are kept, in rows */
};

struct paged_batch {
    struct hob_session *session;
    struct arena run_arena;         /* life of a run: its inputs */
    struct tensor *inputs, *bounds; /* one an input of the graph */
    struct part *parts;
    struct paged_text *texts;
    size_t n_parts, n_reserved;
    int64_t n_run_ids, n_run_rows; /* of this run */
    bool has_all;                  /* a run gives the logits of all its rows, not of those that are asked for */
    float *rows;                   /* logits that a run behind theirs would overwrite, or that were halves */
    size_t n_row_floats;
};

/* ---- life ---- */

static bool is_read(const struct graph *graph, uint32_t value)
{
    for (uint32_t i = 0; i < graph->n_nodes; i++)
        for (uint32_t j = 0; !graph->nodes[i].is_removed && j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == value) return true;
    return false;
}

bool paged_batch_fits(const struct hob_model *model)
{
    if (model->roles.n_carried) return false;
    for (uint32_t i = 0; i < model->graph->n_inputs; i++) {
        enum input_role role = model->roles.inputs[i];
        bool is_known = role == INPUT_IDS || role == INPUT_POSITIONS || role == INPUT_TOKEN_TYPES || role == INPUT_ROWS || role == INPUT_CAPACITY;
        if (!is_known && (role != INPUT_MASK || is_read(model->graph, model->graph->inputs[i]))) return false;
    }
    return true;
}

hob_status paged_batch_new(struct hob_session *session, struct paged_batch **ret_batch, hob_error *error)
{
    struct paged_batch *batch = memory_new(1, sizeof *batch);
    if (!batch) FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
    size_t n_inputs = session->model->graph->n_inputs;
    batch->session = session;
    batch->has_all = true;
    for (size_t i = 0; i < n_inputs; i++)
        if (session->model->roles.inputs[i] == INPUT_ROWS) batch->has_all = false;
    arena_init(&batch->run_arena, RUN_ARENA_BYTES);
    batch->inputs = memory_new(n_inputs, sizeof *batch->inputs);
    batch->bounds = memory_new(n_inputs, sizeof *batch->bounds);
    if (!batch->inputs || !batch->bounds) {
        paged_batch_free(batch);
        FAIL(error, HOB_NO_MEMORY, "a new session: out of memory");
    }
    *ret_batch = batch;
    return HOB_OK;
}

void paged_batch_free(struct paged_batch *batch)
{
    if (!batch) return;
    arena_release(&batch->run_arena);
    memory_free(batch->inputs);
    memory_free(batch->bounds);
    memory_free(batch->parts);
    memory_free(batch->texts);
    memory_free(batch->rows);
    memory_free(batch);
}

size_t paged_batch_n_bytes(const struct paged_batch *batch)
{
    return batch->n_row_floats * sizeof *batch->rows + batch->run_arena.total_bytes + batch->n_reserved * (sizeof *batch->parts + sizeof *batch->texts);
}

void paged_batch_trim(struct paged_batch *batch)
{
    memory_free(batch->rows);
    batch->rows = NULL;
    batch->n_row_floats = 0;
    arena_release(&batch->run_arena);
    arena_init(&batch->run_arena, RUN_ARENA_BYTES);
}

static hob_status reserve_parts(struct paged_batch *batch, size_t n_entries, hob_error *error)
{
    if (n_entries <= batch->n_reserved) return HOB_OK;
    struct part *parts = memory_resize(batch->parts, n_entries, sizeof *parts);
    if (parts) batch->parts = parts;
    struct paged_text *texts = memory_resize(batch->texts, n_entries, sizeof *texts);
    if (texts) batch->texts = texts;
    if (!parts || !texts) FAIL(error, HOB_NO_MEMORY, "a batch of %zu sequences: out of memory", n_entries);
    batch->n_reserved = n_entries;
    return HOB_OK;
}

/* ---- what goes into a run ---- */

/* As much of the entry as there is room for: in rows of the run, and in rows of logits. */
static void fill_part(struct part *part, int64_t n_free_ids, int64_t n_free_rows)
{
    int64_t n_left = part->entry->n_ids - part->n_done, n_new = n_left < n_free_ids ? n_left : n_free_ids;
    int64_t n_behind = n_left - n_new, n_rows = part->entry->n_rows - n_behind;
    if (n_rows > n_new) n_rows = n_new;
    if (n_rows < 0) n_rows = 0;
    if (n_rows > n_free_rows) {
        n_new -= n_rows - n_free_rows;
        n_rows = n_free_rows;
    }
    part->n_new = n_new;
    part->n_rows = n_rows;
}

/* The next run, of those that are not done, in their order. false: all are. */
static bool next_run(struct paged_batch *batch)
{
    batch->n_run_ids = batch->n_run_rows = 0;
    for (size_t i = 0; i < batch->n_parts; i++) {
        struct part *part = &batch->parts[i];
        fill_part(part, RUN_TOKENS - batch->n_run_ids, RUN_LOGITS - batch->n_run_rows);
        part->first = batch->n_run_ids;
        batch->n_run_ids += part->n_new;
        batch->n_run_rows += part->n_rows;
    }
    return batch->n_run_ids > 0;
}

static bool is_last_run(const struct paged_batch *batch)
{
    for (size_t i = 0; i < batch->n_parts; i++)
        if (batch->parts[i].n_done + batch->parts[i].n_new < batch->parts[i].entry->n_ids) return false;
    return true;
}

static void bind_texts(struct paged_batch *batch)
{
    const struct hob_session *session = batch->session;
    struct paged_run run = {.texts = batch->texts,
                            .n_rows = batch->n_run_ids,
                            .bytes = kv_cache_bytes(session->kv_cache, 0),
                            .block_bytes = kv_cache_layout(session->kv_cache)->block_bytes};
    for (size_t i = 0; i < batch->n_parts; i++) {
        const struct part *part = &batch->parts[i];
        const struct sequence *sequence = part->entry->sequence;
        if (!part->n_new) continue;
        batch->texts[run.n_texts++] =
            (struct paged_text){.n_used = sequence->n_ids + part->n_done, .n_new = part->n_new, .blocks = sequence->blocks};
    }
    executor_bind_texts(session->executor, &run);
}

/* ---- inputs ---- */

static void fill_ids(const struct paged_batch *batch, struct tensor *tensor)
{
    for (size_t i = 0; i < batch->n_parts; i++) {
        const struct part *part = &batch->parts[i];
        session_copy_ids(part->entry->ids + part->n_done, part->n_new, part->first, tensor);
    }
}

static void fill_positions(const struct paged_batch *batch, struct tensor *tensor)
{
    for (size_t i = 0; i < batch->n_parts; i++) {
        const struct part *part = &batch->parts[i];
        session_fill_items(tensor, part->first, part->n_new, part->entry->sequence->n_ids + part->n_done, 1);
    }
}

/* A run that nobody wants logits of computes those of its last row: graphs are not made for none. */
static void fill_rows(const struct paged_batch *batch, struct tensor *tensor)
{
    int64_t n_filled = 0;
    for (size_t i = 0; i < batch->n_parts; i++) {
        const struct part *part = &batch->parts[i];
        session_fill_items(tensor, n_filled, part->n_rows, part->first + part->n_new - part->n_rows, 1);
        n_filled += part->n_rows;
    }
    if (!n_filled) session_fill_items(tensor, 0, 1, batch->n_run_ids - 1, 1);
}

static int64_t count_run_rows(const struct paged_batch *batch)
{
    return batch->n_run_rows ? batch->n_run_rows : 1;
}

static hob_status make_input(struct paged_batch *batch, uint32_t i, hob_error *error)
{
    struct hob_session *session = batch->session;
    struct tensor *tensor = &batch->inputs[i];
    enum input_role role = session->model->roles.inputs[i];
    int64_t n = role == INPUT_ROWS ? count_run_rows(batch) : role == INPUT_CAPACITY ? 1 : batch->n_run_ids;
    int64_t item = role == INPUT_CAPACITY ? session->n_context_tokens : role == INPUT_MASK;
    TRY(session_fill_input(session, i, &batch->run_arena, n, item, 0, tensor, error));
    if (role == INPUT_IDS) fill_ids(batch, tensor);
    if (role == INPUT_POSITIONS) fill_positions(batch, tensor);
    if (role == INPUT_ROWS) fill_rows(batch, tensor);
    return HOB_OK;
}

/* ---- a run ---- */

/* Plans are made for rounded-up shapes, so that a few serve all runs. */
static int64_t round_up(int64_t n, int64_t multiple)
{
    return n == 1 ? 1 : (n + multiple - 1) / multiple * multiple;
}

static struct executor_bounds make_bounds(struct paged_batch *batch)
{
    const struct hob_model *model = batch->session->model;
    int64_t n_ids = round_up(batch->n_run_ids, 16), n_rows = round_up(count_run_rows(batch), 16);
    for (uint32_t i = 0; i < model->graph->n_inputs; i++) {
        struct tensor *bound = &batch->bounds[i];
        *bound = batch->inputs[i];
        bound->data = NULL;
        int64_t *n = &bound->dims[bound->rank - 1];
        if (model->roles.inputs[i] == INPUT_ROWS) *n = n_rows;
        else if (model->roles.inputs[i] != INPUT_CAPACITY) *n = n_ids;
        tensor_set_contiguous(bound);
    }
    return (struct executor_bounds){.inputs = batch->bounds};
}

static hob_status run_once(struct paged_batch *batch, hob_error *error)
{
    struct executor *executor = batch->session->executor;
    arena_clear(&batch->run_arena);
    for (uint32_t i = 0; i < batch->session->model->graph->n_inputs; i++) {
        TRY(make_input(batch, i, error));
        executor_bind(executor, i, &batch->inputs[i]);
    }
    bind_texts(batch);
    struct executor_bounds bounds = make_bounds(batch);
    hob_status status = executor_run(executor, &bounds, error);
    executor_bind_texts(executor, &(struct paged_run){0}); /* they may change before anybody runs again */
    return status;
}

/* ---- logits ---- */

static hob_status reserve_rows(struct paged_batch *batch, hob_error *error)
{
    size_t n_rows = 0, n_floats;
    for (size_t i = 0; i < batch->n_parts; i++) n_rows += (size_t)batch->parts[i].entry->n_rows;
    bool fits = size_mul(n_rows, (size_t)batch->session->n_vocab, &n_floats);
    if (fits && n_floats <= batch->n_row_floats) return HOB_OK;
    float *rows = fits ? memory_resize(batch->rows, n_floats, sizeof *rows) : NULL;
    if (!rows) FAIL(error, HOB_NO_MEMORY, "logits of %zu positions: out of memory", n_rows);
    batch->rows = rows;
    batch->n_row_floats = n_floats;
    return HOB_OK;
}

/* The part's rows are `first` … of what the run gave: as they lie there when no run comes behind, else copied. */
static hob_status take_part(struct paged_batch *batch, struct part *part, const struct logit_rows *rows, int64_t first, bool is_last,
                            hob_error *error)
{
    const struct hob_session *session = batch->session;
    int64_t n_vocab = session->n_vocab;
    if (is_last && rows->as_is && part->n_rows == part->entry->n_rows) {
        part->entry->logits = rows->as_is + first * n_vocab;
        return HOB_OK;
    }
    TRY(reserve_rows(batch, error));
    float *target = batch->rows + part->row_at * (size_t)n_vocab;
    for (int64_t i = 0; i < part->n_rows; i++)
        logit_rows_copy(session, rows, first + i, target + (part->n_rows_done + i) * n_vocab);
    part->entry->logits = target;
    return HOB_OK;
}

static hob_status take_logits(struct paged_batch *batch, hob_error *error)
{
    struct hob_session *session = batch->session;
    bool is_last = is_last_run(batch), has_all = batch->has_all;
    int64_t n_taken = 0;
    struct logit_rows rows;
    TRY(session_read_logits(session, session->executor, has_all ? batch->n_run_ids : count_run_rows(batch), &rows, error));
    for (size_t i = 0; i < batch->n_parts; i++) {
        struct part *part = &batch->parts[i];
        int64_t first = has_all ? part->first + part->n_new - part->n_rows : n_taken;
        if (part->n_rows) TRY(take_part(batch, part, &rows, first, is_last, error));
        n_taken += part->n_rows;
    }
    return HOB_OK;
}

/* ---- a batch ---- */

static hob_status start(struct paged_batch *batch, struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    size_t row_at = 0;
    TRY(reserve_parts(batch, n_entries, error));
    batch->n_parts = 0;
    for (size_t i = 0; i < n_entries; i++) {
        entries[i].logits = NULL;
        TRY(sequence_reserve(entries[i].sequence, entries[i].n_ids, error));
        batch->parts[batch->n_parts++] = (struct part){.entry = &entries[i], .row_at = row_at};
        row_at += (size_t)entries[i].n_rows;
    }
    return HOB_OK;
}

static hob_status run_all(struct paged_batch *batch, struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    TRY(start(batch, entries, n_entries, error));
    while (next_run(batch)) {
        TRY(run_once(batch, error));
        TRY(take_logits(batch, error));
        for (size_t i = 0; i < batch->n_parts; i++) {
            batch->parts[i].n_done += batch->parts[i].n_new;
            batch->parts[i].n_rows_done += batch->parts[i].n_rows;
        }
    }
    return HOB_OK;
}

hob_status paged_batch_run(struct paged_batch *batch, struct batch_entry *entries, size_t n_entries, hob_error *error)
{
    hob_status status = run_all(batch, entries, n_entries, error);
    for (size_t i = 0; i < n_entries; i++) {
        struct sequence *sequence = entries[i].sequence;
        if (status == HOB_OK) {
            memcpy(sequence->ids + sequence->n_ids, entries[i].ids, (size_t)entries[i].n_ids * sizeof *sequence->ids);
            sequence->n_ids += entries[i].n_ids;
        } else {
            sequence_cut(sequence, sequence->n_ids);
        }
    }
    return status;
}
