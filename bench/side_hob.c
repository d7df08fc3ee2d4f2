/* hob's side of a comparison, through the public API as any program would use it.
 *
 *     side_hob MODEL THREADS CONTEXT_TOKENS < questions */
#include "hob/hob.h"
#include "side.h"

struct side {
    hob_model *model;
    hob_session *session;
    hob_model_info info;
    int32_t prompt[MAX_IDS], text[MAX_IDS];
    hob_error error;
};

static int fail(const struct side *side)
{
    printf("{\"error\":\"%s\"}\n", side->error.message);
    return 0;
}

static int prefill(struct side *side, size_t n)
{
    if (hob_session_rewind(side->session, 0, &side->error) != HOB_OK) return fail(side);
    struct watch watch = watch_start();
    if (hob_session_append(side->session, side->prompt, n, &side->error) != HOB_OK) return fail(side);
    answer_time(&watch);
    return 1;
}

/* Context: the prompt's first `depth` tokens and nothing else, with the last one's logits. */
static hob_status restore(struct side *side, size_t depth)
{
    size_t n_kept = hob_session_n_tokens(side->session);
    if (n_kept > depth - 1) n_kept = depth - 1;
    hob_status status = hob_session_rewind(side->session, n_kept, &side->error);
    return status == HOB_OK ? hob_session_append(side->session, side->prompt + n_kept, depth - n_kept, &side->error)
                            : status;
}

static hob_status decode_ids(struct side *side, size_t n, int32_t ids[MAX_IDS])
{
    for (size_t i = 0; i < n; i++) {
        ids[i] = arg_max(hob_session_logits(side->session), (size_t)side->info.n_vocab);
        hob_status status = hob_session_append(side->session, &ids[i], 1, &side->error);
        if (status != HOB_OK) return status;
    }
    return HOB_OK;
}

static int decode(struct side *side, size_t n, size_t depth, int is_measured)
{
    int32_t ids[MAX_IDS];
    if (depth == 0 || restore(side, depth) != HOB_OK) return fail(side);
    struct watch watch = watch_start();
    if (decode_ids(side, n, ids) != HOB_OK) return fail(side);
    if (is_measured) answer_time(&watch);
    else answer_ids(ids, n);
    return 1;
}

static int write_logits(struct side *side, size_t n, const char *path)
{
    if (n == 0 || hob_session_rewind(side->session, 0, &side->error) != HOB_OK ||
        hob_session_append(side->session, side->prompt, n, &side->error) != HOB_OK)
        return fail(side);
    return write_floats(path, hob_session_logits(side->session), (size_t)side->info.n_vocab);
}

static hob_status embed_texts(struct side *side, const size_t *lengths, size_t n, const hob_embed_options *how,
                              float *vectors)
{
    const int32_t *texts[MAX_TEXTS];
    for (size_t i = 0; i < n; i++) texts[i] = side->text;
    return hob_embed_ids(side->session, texts, lengths, n, how, vectors, &side->error);
}

static int embed(struct side *side, const char *list)
{
    size_t lengths[MAX_TEXTS], n = read_lengths(list, lengths);
    float *vectors = calloc(n + 1, (size_t)side->info.width * sizeof *vectors);
    struct watch watch = watch_start();
    int is_done = vectors && embed_texts(side, lengths, n, NULL, vectors) == HOB_OK;
    if (is_done) answer_time(&watch);
    free(vectors);
    return is_done || fail(side);
}

static void print_vector(const float *vector, size_t width)
{
    for (size_t i = 0; i < width; i++) printf("%c%.9g", i ? ',' : '[', (double)vector[i]);
    printf("]");
}

/* For each text: mean, first, last, unscaled. */
static int pooled(struct side *side, const char *list)
{
    static const hob_pooling poolings[] = {HOB_POOLING_MEAN, HOB_POOLING_CLS, HOB_POOLING_LAST};
    size_t lengths[MAX_TEXTS], n = read_lengths(list, lengths), width = (size_t)side->info.width;
    float *vectors = calloc(3 * n + 1, width * sizeof *vectors);
    int is_done = vectors != NULL;
    for (size_t p = 0; p < 3 && is_done; p++)
        is_done = embed_texts(side, lengths, n, &(hob_embed_options){.pooling = poolings[p], .is_raw = true},
                              vectors + p * n * width) == HOB_OK;
    if (is_done) printf("{\"vectors\":[");
    for (size_t i = 0; i < 3 * n && is_done; i++) {
        if (i) printf(",");
        print_vector(vectors + (i % 3 * n + i / 3) * width, width);
    }
    if (is_done) printf("]}\n");
    free(vectors);
    return is_done || fail(side);
}

static int answer(struct side *side, const char *line)
{
    size_t n, depth;
    char text[512];
    if (sscanf(line, "embed %511s", text) == 1) return embed(side, text);
    if (sscanf(line, "pooled %511s", text) == 1) return pooled(side, text);
    if (!strncmp(line, "memory", 6)) return answer_memory(), 1;
    if (sscanf(line, "prefill %zu", &n) == 1 && n <= MAX_IDS) return prefill(side, n);
    if (sscanf(line, "decode %zu %zu", &n, &depth) == 2 && n <= MAX_IDS && depth <= MAX_IDS)
        return decode(side, n, depth, 1);
    if (sscanf(line, "greedy %zu %zu", &n, &depth) == 2 && n <= MAX_IDS && depth <= MAX_IDS)
        return decode(side, n, depth, 0);
    if (sscanf(line, "logits %zu %511s", &n, text) == 2 && n <= MAX_IDS) return write_logits(side, n, text);
    printf("{\"error\":\"not a question\"}\n");
    return 0;
}

static int open_model(struct side *side, char **arguments)
{
    hob_session_options how = {.n_threads = strtoul(arguments[2], NULL, 10),
                               .n_context_tokens = strtol(arguments[3], NULL, 10)};
    struct watch watch = watch_start();
    if (hob_model_open(arguments[1], NULL, &side->model, &side->error) != HOB_OK) return 0;
    side->info = hob_model_get_info(side->model);
    if (side->info.kind != HOB_MODEL_DECODER) how.n_context_tokens = 0;
    if (hob_session_new(side->model, &how, &side->session, &side->error) != HOB_OK) return 0;
    printf("{\"load_ms\":%.6f}\n", clock_ms(CLOCK_MONOTONIC) - watch.wall_ms);
    make_prompt(side->prompt, side->info.n_vocab > 0 ? (size_t)side->info.n_vocab : SIZE_MAX);
    for (size_t i = 0; i < MAX_IDS; i++) side->text[i] = (int32_t)(1000 + i * 7919 % 20000);
    fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    static struct side side;
    char line[1024];
    if (argc != 4 || !open_model(&side, argv)) {
        fprintf(stderr, "side_hob: %s\n", argc == 4 ? side.error.message : "expected MODEL THREADS CONTEXT_TOKENS");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        answer(&side, line);
        fflush(stdout);
    }
    hob_session_free(side.session);
    hob_model_free(side.model);
    return 0;
}
