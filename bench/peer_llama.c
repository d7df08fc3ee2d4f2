/* llama.cpp's side of a comparison: the prebuilt libraries of @node-llama-cpp/linux-x64, without headers.
 *
 *     peer_llama FOLDER BACKEND|best MODEL.gguf THREADS CONTEXT_TOKENS < questions
 *
 * Beside the questions of side.h it answers one that tests' figures come from:
 *
 *     perplexity BYTES FILE   of the first so many bytes, in windows of the context   {"perplexity":…,"error":…,"n_tokens":…,"n_windows":…}
 *
 * Its parameters travel by value in structs we do not know. The ABI passes large ones in memory, so a block that is larger than any of
 * them does; of the context's, the first four words are n_ctx, n_batch, n_ubatch and n_seq_max, which their defaults confirm. */
#include "side.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

struct opaque {
    unsigned char bytes[2048];
};

struct batch {
    int32_t n_tokens;
    int32_t *tokens;
    float *embeddings;
    int32_t *positions, *n_sequences;
    int32_t **sequences;
    int8_t *has_logits;
};

/* X(result, name, parameters) */
#define LLAMA_FUNCTIONS(X)                                                    \
    X(void, ggml_backend_load_all_from_path, (const char *folder))            \
    X(void *, ggml_backend_load, (const char *path))                          \
    X(void, llama_backend_init, (void))                                       \
    X(void, llama_log_set, (void (*sink)(int, const char *, void *), void *)) \
    X(struct opaque, llama_model_default_params, (void))                      \
    X(struct opaque, llama_context_default_params, (void))                    \
    X(void *, llama_model_load_from_file, (const char *path, struct opaque))  \
    X(void *, llama_init_from_model, (void *model, struct opaque))            \
    X(const void *, llama_model_get_vocab, (const void *model))               \
    X(int32_t, llama_vocab_n_tokens, (const void *vocab))                     \
    X(int32_t, llama_tokenize,                                                \
      (const void *vocab, const char *text, int32_t n_bytes, int32_t *ids, int32_t n_most, bool add_special, bool parse_special)) \
    X(bool, llama_vocab_get_add_bos, (const void *vocab))                     \
    X(int32_t, llama_vocab_bos, (const void *vocab))                          \
    X(void, llama_set_n_threads, (void *context, int32_t, int32_t))           \
    X(struct batch, llama_batch_get_one, (int32_t * tokens, int32_t n))       \
    X(int32_t, llama_decode, (void *context, struct batch))                   \
    X(void, llama_synchronize, (void *context))                               \
    X(float *, llama_get_logits_ith, (void *context, int32_t i))              \
    X(void *, llama_get_memory, (const void *context))                        \
    X(void, llama_memory_clear, (void *memory, bool with_data))               \
    X(bool, llama_memory_seq_rm, (void *memory, int32_t, int32_t, int32_t))

static struct {
#define X(result, name, parameters) result(*name) parameters;
    LLAMA_FUNCTIONS(X)
#undef X
} llama;

struct side {
    void *model, *context;
    size_t n_vocab, n_tokens; /* n_tokens: in the context */
    size_t n_context;
    int32_t prompt[MAX_IDS];
};

static int fail(const char *why)
{
    printf("{\"error\":\"%s\"}\n", why);
    return 0;
}

static void ignore_log(int level, const char *text, void *context)
{
    (void)context;
    if (level == 4) fputs(text, stderr); /* GGML_LOG_LEVEL_ERROR */
}

/* ---- the libraries ---- */

static int load_libraries(const char *folder)
{
    static const char *const names[] = {"libggml-base.so", "libggml.v0.5.0.so", "libllama.v0.5.0.so"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (!dlopen(path, RTLD_NOW | RTLD_GLOBAL)) {
            fprintf(stderr, "peer_llama: %s\n", dlerror());
            return 0;
        }
    }
    int is_complete = 1;
#define X(result, name, parameters)                                  \
    {                                                                \
        void *address = dlsym(RTLD_DEFAULT, #name);                  \
        memcpy(&llama.name, &address, sizeof address);               \
        if (!address) fprintf(stderr, "peer_llama: no %s\n", #name); \
        is_complete &= address != NULL;                              \
    }
    LLAMA_FUNCTIONS(X)
#undef X
    return is_complete;
}

static void load_backend(const char *folder, const char *backend)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/libggml-cpu-%s.so", folder, backend);
    if (strcmp(backend, "best") == 0) llama.ggml_backend_load_all_from_path(folder);
    else llama.ggml_backend_load(path);
}

static int open_context(struct side *side, int32_t n_threads, uint32_t n_context_tokens)
{
    struct opaque options = llama.llama_context_default_params();
    uint32_t words[4];
    memcpy(words, options.bytes, sizeof words);
    if (words[0] != 512 || words[1] != 2048 || words[2] != 512) {
        fprintf(stderr, "peer_llama: unexpected defaults of a context: %u %u %u\n", words[0], words[1], words[2]);
        return 0;
    }
    words[0] = n_context_tokens;
    memcpy(options.bytes, words, sizeof words);
    side->context = llama.llama_init_from_model(side->model, options);
    if (side->context) llama.llama_set_n_threads(side->context, n_threads, n_threads);
    return side->context != NULL;
}

static int open_model(struct side *side, char **arguments)
{
    if (!load_libraries(arguments[1])) return 0;
    llama.llama_log_set(ignore_log, NULL);
    llama.llama_backend_init();
    load_backend(arguments[1], arguments[2]);
    struct watch watch = watch_start();
    side->model = llama.llama_model_load_from_file(arguments[3], llama.llama_model_default_params());
    if (!side->model ||
        !open_context(side, (int32_t)strtol(arguments[4], NULL, 10), (uint32_t)strtoul(arguments[5], NULL, 10)))
        return 0;
    double load_ms = clock_ms(CLOCK_MONOTONIC) - watch.wall_ms;
    side->n_context = strtoul(arguments[5], NULL, 10);
    side->n_vocab = (size_t)llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(side->model));
    make_prompt(side->prompt, side->n_vocab);
    printf("{\"load_ms\":%.6f}\n", load_ms);
    fflush(stdout);
    return 1;
}

/* ---- questions ---- */

static int append(struct side *side, int32_t *ids, size_t n)
{
    if (llama.llama_decode(side->context, llama.llama_batch_get_one(ids, (int32_t)n)) != 0) return 0;
    llama.llama_synchronize(side->context);
    side->n_tokens += n;
    return 1;
}

static void clear(struct side *side)
{
    llama.llama_memory_clear(llama.llama_get_memory(side->context), true);
    side->n_tokens = 0;
}

static int prefill(struct side *side, size_t n)
{
    clear(side);
    struct watch watch = watch_start();
    if (!append(side, side->prompt, n)) return fail("llama_decode");
    answer_time(&watch);
    return 1;
}

static int restore(struct side *side, size_t depth)
{
    size_t n_kept = side->n_tokens < depth - 1 ? side->n_tokens : depth - 1;
    if (!llama.llama_memory_seq_rm(llama.llama_get_memory(side->context), 0, (int32_t)n_kept, -1)) return 0;
    side->n_tokens = n_kept;
    return append(side, side->prompt + n_kept, depth - n_kept);
}

static int decode(struct side *side, size_t n, size_t depth, bool is_measured)
{
    int32_t ids[MAX_IDS];
    if (depth == 0 || !restore(side, depth)) return fail("llama_decode");
    struct watch watch = watch_start();
    for (size_t i = 0; i < n; i++) {
        ids[i] = arg_max(llama.llama_get_logits_ith(side->context, -1), side->n_vocab);
        if (!append(side, &ids[i], 1)) return fail("llama_decode");
    }
    if (is_measured) answer_time(&watch);
    else answer_ids(ids, n);
    return 1;
}

static int write_logits(struct side *side, size_t n, const char *path)
{
    clear(side);
    if (!append(side, side->prompt, n)) return fail("llama_decode");
    return write_floats(path, llama.llama_get_logits_ith(side->context, -1), side->n_vocab) || fail("cannot write");
}

/* ---- perplexity, as llama.cpp's own tool computes it ---- */

struct cost {
    double sum, sum_squares;
    size_t n_tokens;
};

static double cost_of(const float *logits, size_t n_vocab, int32_t id)
{
    double sum = 0;
    float most = logits[0];
    for (size_t i = 1; i < n_vocab; i++) most = logits[i] > most ? logits[i] : most;
    for (size_t i = 0; i < n_vocab; i++) sum += exp((double)logits[i] - (double)most);
    return log(sum) - ((double)logits[id] - (double)most);
}

/* One window: the tokens of its second half are scored. */
static int score_window(struct side *side, int32_t *ids, int32_t bos, struct cost *cost)
{
    int32_t n = (int32_t)side->n_context, first = n / 2, positions[MAX_IDS], n_sequences[MAX_IDS], zero = 0, *sequences[MAX_IDS];
    int8_t has_logits[MAX_IDS];
    for (int32_t i = 0; i < n; i++) {
        positions[i] = i;
        n_sequences[i] = 1;
        sequences[i] = &zero;
        has_logits[i] = i >= first;
    }
    clear(side);
    int32_t begin = ids[0];
    if (bos >= 0) ids[0] = bos;
    struct batch batch = {.n_tokens = n, .tokens = ids, .positions = positions, .n_sequences = n_sequences,
                          .sequences = sequences, .has_logits = has_logits};
    int status = llama.llama_decode(side->context, batch);
    ids[0] = begin;
    for (int32_t i = first; status == 0 && i + 1 < n; i++) {
        double one = cost_of(llama.llama_get_logits_ith(side->context, i), side->n_vocab, ids[i + 1]);
        cost->sum += one;
        cost->sum_squares += one * one;
        cost->n_tokens++;
    }
    return status == 0;
}

static int32_t *read_ids(const void *vocab, const char *path, size_t n_most_bytes, size_t *ret_n_ids)
{
    FILE *file = fopen(path, "rbe");
    char *text = malloc(n_most_bytes);
    int32_t *ids = malloc((n_most_bytes + 8) * sizeof *ids), n = -1;
    if (file && text && ids) {
        size_t n_bytes = fread(text, 1, n_most_bytes, file);
        n = llama.llama_tokenize(vocab, text, (int32_t)n_bytes, ids, (int32_t)n_most_bytes + 8, true, false);
    }
    if (file) fclose(file);
    free(text);
    *ret_n_ids = n > 0 ? (size_t)n : 0;
    return ids;
}

static int perplexity(struct side *side, size_t n_most_bytes, const char *path)
{
    const void *vocab = llama.llama_model_get_vocab(side->model);
    int32_t bos = llama.llama_vocab_get_add_bos(vocab) ? llama.llama_vocab_bos(vocab) : -1;
    struct cost cost = {0};
    size_t n_ids, n_windows = 0;
    int32_t *ids = read_ids(vocab, path, n_most_bytes, &n_ids);
    for (; (n_windows + 1) * side->n_context <= n_ids; n_windows++)
        if (!score_window(side, ids + n_windows * side->n_context, bos, &cost)) break;
    free(ids);
    if (cost.n_tokens < 2 || (n_windows + 1) * side->n_context <= n_ids) return fail("llama_decode, or a text too short");
    double n = (double)cost.n_tokens, mean = cost.sum / n, variance = cost.sum_squares / n - mean * mean;
    printf("{\"perplexity\":%.9g,\"error\":%.9g,\"n_tokens\":%zu,\"n_windows\":%zu}\n", exp(mean),
           sqrt(variance / (n - 1)) * exp(mean), cost.n_tokens, n_windows);
    return 1;
}

static int answer(struct side *side, const char *line)
{
    size_t n, depth;
    char path[512];
    if (!strncmp(line, "memory", 6)) return answer_memory(), 1;
    if (sscanf(line, "prefill %zu", &n) == 1 && n <= MAX_IDS) return prefill(side, n);
    if (sscanf(line, "decode %zu %zu", &n, &depth) == 2 && n <= MAX_IDS && depth <= MAX_IDS)
        return decode(side, n, depth, true);
    if (sscanf(line, "greedy %zu %zu", &n, &depth) == 2 && n <= MAX_IDS && depth <= MAX_IDS)
        return decode(side, n, depth, false);
    if (sscanf(line, "perplexity %zu %511s", &n, path) == 2 && n < INT32_MAX / 2 && side->n_context <= MAX_IDS)
        return perplexity(side, n, path);
    if (sscanf(line, "logits %zu %511s", &n, path) == 2 && n <= MAX_IDS) return write_logits(side, n, path);
    return fail("not a question");
}

int main(int argc, char **argv)
{
    static struct side side;
    char line[1024];
    if (argc != 6 || !open_model(&side, argv)) {
        fprintf(stderr, "peer_llama: %s\n",
                argc == 6 ? "cannot open the model" : "expected FOLDER BACKEND MODEL THREADS CONTEXT_TOKENS");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        answer(&side, line);
        fflush(stdout);
    }
    _exit(0); /* its destructors outlive its backends */
}
