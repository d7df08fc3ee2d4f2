/* What drafts gain where a model edits code: decoding an edited file behind a prompt that holds the file, with drafts and without, in turns.
 *
 *     speculate MODEL TOKENIZER PROMPT_FILE ANSWER_FILE THREADS DRAFTS ROUNDS
 *
 * A model of random weights would not write the answer, so each pick is held to it by a mask of one token: what the model computes, the
 * drafts that are made, run, kept and dropped, and the picks are those of a model that does. */
#include "hob/hob.h"
#include "side.h"

#include "engine/generate/drafts.h"
#include "engine/kv/sequence.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 20 };

struct edit {
    hob_session *session;
    struct sequence *prompt; /* its tokens but the last */
    int32_t *prompt_ids, *answer_ids;
    size_t n_prompt, n_answer;
    uint32_t *allowed; /* a bit an id */
};

struct outcome {
    double cpu_ms, ms;
    size_t n_runs, n_drafted, n_right;
};

static hob_error error;

static void check(hob_status status)
{
    if (status == HOB_OK) return;
    fprintf(stderr, "speculate: %s\n", error.message);
    exit(1);
}

static void read_ids(const hob_tokenizer *tokenizer, const char *path, int32_t **ret_ids, size_t *ret_n_ids)
{
    static char text[MAX_FILE_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t n_bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    check(hob_tokenizer_encode(tokenizer, text, n_bytes, 0, ret_ids, ret_n_ids, &error));
}

/* The token that the answer goes on with, as if the row's logits had chosen it. */
static int32_t pick(struct edit *edit, struct sampler_chain *chain, const float *row, size_t place)
{
    int32_t id, wanted = edit->answer_ids[place];
    edit->allowed[wanted / 32] = 1u << wanted % 32;
    sampler_chain_pick(chain, row, edit->allowed, &id, NULL);
    edit->allowed[wanted / 32] = 0;
    return id;
}

/* One run: the last token and drafts behind it. Returns how many tokens of the answer it gave. */
static size_t step(struct edit *edit, struct sequence *sequence, struct sampler_chain *chain, struct drafts *drafts, int32_t *last_id,
                   size_t place)
{
    size_t n_vocab = chain->n_vocab, n_left = edit->n_answer - place, n_right = 0;
    if (drafts->drafter) check(drafts_make(drafts, chain, *last_id, n_left - 1, &error));
    struct batch_entry entry = {.sequence = sequence, .ids = drafts->drafter ? drafts->ids : last_id, .n_ids = 1 + (int64_t)drafts->n_ids};
    entry.n_rows = entry.n_ids;
    check(batch_run(edit->session, &entry, 1, &error));
    for (;; n_right++) {
        *last_id = pick(edit, chain, entry.logits + n_right * n_vocab, place + n_right);
        if (n_right == drafts->n_ids || drafts->ids[1 + n_right] != *last_id) break;
    }
    drafts_note(drafts, n_right);
    if (n_right < drafts->n_ids) check(sequence_rewind(sequence, sequence_n_tokens(sequence) - (int64_t)(drafts->n_ids - n_right), &error));
    return n_right + 1;
}

static struct outcome decode(struct edit *edit, size_t n_drafts)
{
    struct sequence *sequence;
    struct sampler_chain chain;
    struct drafts drafts;
    struct request request = {.session = edit->session, .options = {.n_draft_tokens = n_drafts}};
    check(sequence_fork(edit->prompt, &sequence, &error));
    hob_model_info info = hob_model_get_info(edit->session->model);
    check(sampler_chain_init(&chain, NULL, NULL, (size_t)info.n_vocab, &error));
    check(sampler_chain_begin(&chain, edit->prompt_ids, edit->n_prompt, edit->n_answer + DRAFTS_MOST, &error));
    check(drafts_init(&drafts, &request, chain.n_room, &error));
    struct outcome outcome = {0};
    int32_t last_id = edit->prompt_ids[edit->n_prompt - 1];
    struct watch watch = watch_start();
    for (size_t place = 0; place < edit->n_answer; outcome.n_runs++) place += step(edit, sequence, &chain, &drafts, &last_id, place);
    struct watch now = watch_start();
    outcome.ms = now.wall_ms - watch.wall_ms;
    outcome.cpu_ms = now.cpu_ms - watch.cpu_ms;
    outcome.n_drafted = drafts.n_made;
    outcome.n_right = drafts.n_right;
    drafts_release(&drafts);
    sampler_chain_release(&chain);
    sequence_free(sequence);
    return outcome;
}

static void prefill(struct edit *edit)
{
    struct batch_entry entry = {.ids = edit->prompt_ids, .n_ids = (int64_t)edit->n_prompt - 1};
    check(sequence_new(edit->session, &edit->prompt, &error));
    entry.sequence = edit->prompt;
    check(batch_run(edit->session, &entry, 1, &error));
}

int main(int n_arguments, char **arguments)
{
    if (n_arguments != 8) {
        fprintf(stderr, "usage: speculate MODEL TOKENIZER PROMPT_FILE ANSWER_FILE THREADS DRAFTS ROUNDS\n");
        return 2;
    }
    struct edit edit = {0};
    hob_model *model;
    hob_tokenizer *tokenizer;
    check(hob_tokenizer_open(arguments[2], &tokenizer, &error));
    read_ids(tokenizer, arguments[3], &edit.prompt_ids, &edit.n_prompt);
    read_ids(tokenizer, arguments[4], &edit.answer_ids, &edit.n_answer);
    check(hob_model_open(arguments[1], NULL, &model, &error));
    hob_session_options options = {.n_threads = (size_t)atoi(arguments[5]), .n_context_tokens = (int64_t)(edit.n_prompt + edit.n_answer + DRAFTS_MOST)};
    check(hob_session_new(model, &options, &edit.session, &error));
    edit.allowed = calloc(((size_t)hob_model_get_info(model).n_vocab + 31) / 32, sizeof *edit.allowed);
    prefill(&edit);
    for (int round = 0; round < atoi(arguments[7]); round++) {
        struct outcome plain = decode(&edit, 0), drafted = decode(&edit, (size_t)atoi(arguments[6]));
        printf("{\"tokens\":%zu,\"plain_cpu_ms\":%.1f,\"drafts_cpu_ms\":%.1f,\"plain_ms\":%.1f,\"drafts_ms\":%.1f,\"cpu_ratio\":%.3f,\"ratio\":%.3f,"
               "\"runs\":%zu,\"drafted\":%zu,\"right\":%zu}\n",
               edit.n_answer, plain.cpu_ms, drafted.cpu_ms, plain.ms, drafted.ms, plain.cpu_ms / drafted.cpu_ms, plain.ms / drafted.ms,
               drafted.n_runs, drafted.n_drafted, drafted.n_right);
        fflush(stdout);
    }
    return 0;
}
