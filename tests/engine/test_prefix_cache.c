/* The cache of prefixes, in memory and on disk: what it keeps and drops, and that no byte of a result depends on it. */
#include "engine/use.h"

#include "base/checksum.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/kv/cache_folder.h"
#include "engine/kv/cache_writer.h"
#include "engine/kv/prefix_cache.h"
#include "engine/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STORIES "../shared/models/stories260k/"

enum { N_VOCAB = 512, MOST_PROMPT = 300, N_TOKENS = 12 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { N_REQUESTS = 4, LEAST_CACHED = 0 }; /* twenty times as slow */
#else
enum { N_REQUESTS = 24, LEAST_CACHED = 500 };
#endif

/* ---- the trie ---- */

static struct kv_cache *new_pool(uint32_t n_blocks)
{
    static const struct paged_layout layout = {.block_bytes = 64};
    hob_error error = {0};
    struct kv_cache *pool;
    ASSERT_HOB(kv_cache_new(&layout, n_blocks, &pool, &error), error);
    return pool;
}

static struct prefix_cache *new_cache(struct kv_cache *pool, uint32_t most_blocks)
{
    hob_error error = {0};
    struct prefix_cache *cache;
    ASSERT_HOB(prefix_cache_new(pool, most_blocks, &cache, &error), error);
    return cache;
}

static uint32_t take(struct kv_cache *pool)
{
    hob_error error = {0};
    uint32_t block;
    ASSERT_HOB(kv_cache_take(pool, &block, &error), error);
    return block;
}

/* A block of the trie that nobody else holds. */
static uint32_t add(struct kv_cache *pool, struct prefix_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint32_t block = take(pool), node = prefix_cache_add(cache, parent, ids, block);
    kv_cache_unref(pool, block);
    return node;
}

static void fill_ids(int32_t *ids, int32_t start)
{
    for (int32_t i = 0; i < PAGED_POSITIONS; i++) ids[i] = start + i;
}

static void test_finds_by_ids_and_place(void **state)
{
    (void)state;
    int32_t a[PAGED_POSITIONS], b[PAGED_POSITIONS];
    struct kv_cache *pool = new_pool(8);
    struct prefix_cache *cache = new_cache(pool, 4);
    fill_ids(a, 0);
    fill_ids(b, 0);
    b[PAGED_POSITIONS - 1] = -1;
    uint32_t first = add(pool, cache, PREFIX_ROOT, a), second = add(pool, cache, first, a);
    assert_int_equal(prefix_cache_find(cache, PREFIX_ROOT, a), first);
    assert_int_equal(prefix_cache_find(cache, first, a), second);
    assert_int_equal(prefix_cache_find(cache, second, a), PREFIX_NONE);
    assert_int_equal(prefix_cache_find(cache, PREFIX_ROOT, b), PREFIX_NONE);
    assert_int_equal(prefix_cache_usage(cache).n_blocks, 2);
    prefix_cache_free(cache);
    assert_int_equal(kv_cache_usage(pool).n_used, 0);
    kv_cache_free(pool);
}

static void test_drops_the_oldest_end_first(void **state)
{
    (void)state;
    int32_t ids[4][PAGED_POSITIONS];
    struct kv_cache *pool = new_pool(8);
    struct prefix_cache *cache = new_cache(pool, 3);
    for (int32_t i = 0; i < 4; i++) fill_ids(ids[i], 100 * i);
    uint32_t first = add(pool, cache, PREFIX_ROOT, ids[0]), end = add(pool, cache, first, ids[1]);
    prefix_cache_touch(cache, end);
    uint32_t other = add(pool, cache, PREFIX_ROOT, ids[2]);
    prefix_cache_touch(cache, other);
    prefix_cache_touch(cache, first); /* its end was not used */
    assert_int_not_equal(add(pool, cache, other, ids[3]), PREFIX_NONE);
    assert_int_equal(prefix_cache_find(cache, first, ids[1]), PREFIX_NONE);
    assert_int_equal(prefix_cache_find(cache, PREFIX_ROOT, ids[0]), first);
    assert_int_equal(prefix_cache_find(cache, PREFIX_ROOT, ids[2]), other);
    assert_int_equal(prefix_cache_usage(cache).n_dropped, 1);
    prefix_cache_free(cache);
    kv_cache_free(pool);
}

static void test_keeps_what_is_in_use(void **state)
{
    (void)state;
    int32_t ids[PAGED_POSITIONS], more[PAGED_POSITIONS];
    struct kv_cache *pool = new_pool(8);
    struct prefix_cache *cache = new_cache(pool, 1), *none = new_cache(pool, 0);
    fill_ids(ids, 0);
    fill_ids(more, 7);
    uint32_t block = take(pool), node = prefix_cache_add(cache, PREFIX_ROOT, ids, block);
    assert_false(prefix_cache_drop(cache));
    assert_int_equal(prefix_cache_add(cache, PREFIX_ROOT, more, block), PREFIX_NONE);
    assert_int_equal(prefix_cache_add(none, PREFIX_ROOT, more, block), PREFIX_NONE);
    kv_cache_unref(pool, block);
    assert_int_equal(prefix_cache_add(cache, node, more, block), PREFIX_NONE); /* the parent stays */
    assert_true(prefix_cache_drop(cache));
    assert_false(prefix_cache_drop(cache));
    prefix_cache_free(cache);
    prefix_cache_free(none);
    kv_cache_free(pool);
}

/* ---- generations ---- */

struct request {
    int32_t ids[MOST_PROMPT];
    size_t n_ids;
    hob_generate_options options;
};

struct heard {
    struct checksum sum;
};

static bool hear(void *context, const hob_generated *generated)
{
    struct heard *heard = context;
    checksum_add(&heard->sum, &generated->id, sizeof generated->id);
    checksum_add(&heard->sum, &generated->logprob, sizeof generated->logprob);
    checksum_add(&heard->sum, &generated->output, sizeof generated->output);
    return true;
}

/* Prompts that share beginnings of any length with others. */
static struct request make_request(uint64_t seed)
{
    struct rng chance = {.seed = seed};
    struct request request = {.n_ids = 1 + rng_below(&chance, MOST_PROMPT - 1)};
    uint32_t kind = rng_below(&chance, 3), n_common = rng_below(&chance, MOST_PROMPT);
    for (uint32_t i = 0; i < request.n_ids; i++)
        request.ids[i] =
            i < n_common ? (int32_t)(1 + (i * 7 + kind * i * i) % (N_VOCAB - 1)) : (int32_t)rng_below(&chance, N_VOCAB);
    request.options = (hob_generate_options){.max_tokens = N_TOKENS,
                                             .has_logprobs = true,
                                             .ignores_end = true,
                                             .seed = seed,
                                             .chunk_tokens = rng_below(&chance, 2) * rng_below(&chance, 100)};
    if (rng_below(&chance, 4) == 0) request.options.beam_width = 2;
    else request.options.n_samples = 1 + rng_below(&chance, 3);
    if (!request.options.beam_width) request.options.temperature = 0.8f;
    return request;
}

static uint64_t answer(hob_session *session, const struct request *request, bool is_own,
                       hob_generate_result *ret_result)
{
    hob_error error = {0};
    hob_generation *generation;
    struct heard heard;
    checksum_init(&heard.sum);
    if (is_own) {
        ASSERT_HOB(
            hob_generate(session, request->ids, request->n_ids, &request->options, hear, &heard, ret_result, &error),
            error);
        return checksum_finish(&heard.sum);
    }
    ASSERT_HOB(
        hob_generation_new(session, request->ids, request->n_ids, &request->options, hear, &heard, &generation, &error),
        error);
    while (!hob_generation_is_done(generation))
        ASSERT_HOB(hob_generations_step(session, &generation, 1, &error), error);
    *ret_result = hob_generation_result(generation);
    hob_generation_free(generation);
    return checksum_finish(&heard.sum);
}

static hob_session *open_session(hob_model *model, const hob_session_options *options)
{
    hob_error error = {0};
    hob_session *session;
    ASSERT_HOB(hob_session_new(model, options, &session, &error), error);
    return session;
}

static size_t block_bytes(const hob_session *session)
{
    return kv_cache_usage(session->kv_cache).block_bytes;
}

/* All requests with and without; returns how many tokens were not computed. */
static size_t compare(hob_session *plain, hob_session *cached, uint64_t seed, int n_requests)
{
    size_t n_cached = 0;
    struct rng chance = {.seed = seed};
    for (int i = 0; i < n_requests; i++) {
        hob_generate_result result;
        struct request request = make_request(seed + rng_below(&chance, 12));
        uint64_t expected = answer(plain, &request, false, &result);
        assert_int_equal(result.n_cached_tokens, 0);
        assert_int_equal(answer(cached, &request, rng_below(&chance, 2), &result), expected);
        n_cached += result.n_cached_tokens;
    }
    return n_cached;
}

static void compare_types(const char *cache_type)
{
    struct use use = use_open(STORIES "model-q8_0.gguf", NULL, 1);
    hob_session *plain = open_session(use.model, &(hob_session_options){.n_threads = 1, .cache_type = cache_type});
    for (uint32_t n_blocks = 1; n_blocks <= 32; n_blocks *= 4) {
        hob_session_options options = {
            .n_threads = 1, .cache_type = cache_type, .prefix_cache_bytes = n_blocks * block_bytes(plain)};
        options.n_cache_tokens =
            n_blocks == 4 ? 3 * (MOST_PROMPT + 100) : 0; /* little, so that running texts take from what is kept */
        hob_session *cached = open_session(use.model, &options);
        size_t n_cached = compare(plain, cached, 1000 + n_blocks, N_REQUESTS);
        if (n_blocks == 32) assert_in_range(n_cached, LEAST_CACHED, SIZE_MAX);
        assert_true(prefix_cache_usage(cached->prefixes).n_blocks <= n_blocks);
        hob_session_free(cached);
    }
    hob_session_free(plain);
    use_close(&use);
}

static void test_changes_no_byte(void **state)
{
    (void)state;
    compare_types(NULL);
}

static void test_changes_no_byte_of_full_floats(void **state)
{
    (void)state;
    compare_types("f32");
}

static void test_shares_while_others_run(void **state)
{
    (void)state;
    hob_error error = {0};
    struct use use = use_open(STORIES "model-q8_0.gguf", NULL, 1);
    hob_session *session =
        open_session(use.model, &(hob_session_options){.n_threads = 1, .prefix_cache_bytes = 1 << 20});
    struct request request = make_request(3);
    request.n_ids = 200;
    request.options = (hob_generate_options){.max_tokens = 4, .ignores_end = true};
    hob_generation *first, *second;
    ASSERT_HOB(hob_generation_new(session, request.ids, request.n_ids, &request.options, NULL, NULL, &first, &error),
               error);
    while (!hob_generation_result(first).n_tokens) ASSERT_HOB(hob_generations_step(session, &first, 1, &error), error);
    uint32_t n_used = kv_cache_usage(session->kv_cache).n_used;
    ASSERT_HOB(hob_generation_new(session, request.ids, request.n_ids, &request.options, NULL, NULL, &second, &error),
               error);
    assert_int_equal(hob_generation_result(second).n_cached_tokens, 192);
    assert_int_equal(kv_cache_usage(session->kv_cache).n_used, n_used); /* no copy */
    hob_generation_free(first);
    while (!hob_generation_is_done(second)) ASSERT_HOB(hob_generations_step(session, &second, 1, &error), error);
    hob_generation_free(second);
    assert_int_equal(kv_cache_usage(session->kv_cache).n_used, 3);
    hob_session_free(session);
    use_close(&use);
}

static void test_refuses_what_cannot_be(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_session *session;
    struct use use = use_open(STORIES "model-q8_0.gguf", NULL, 1);
    hob_session_options options = {.prefix_cache_bytes = 100};
    assert_int_equal(hob_session_new(use.model, &options, &session, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "100 bytes"));
    use_close(&use);
    use = use_open(STORIES "model.onnx", NULL, 1);
    options.prefix_cache_bytes = 1 << 20;
    if (!use.session->kv_cache)
        assert_int_equal(hob_session_new(use.model, &options, &session, &error), HOB_UNSUPPORTED);
    use_close(&use);
}

/* ---- the folder ---- */

struct scene {
    struct use use;
    char folder[64];
    hob_session_options options;
    struct request request;
    uint64_t expected;
};

static struct scene set_scene(void)
{
    hob_generate_result result;
    struct scene scene = {.use = use_open(STORIES "model-q8_0.gguf", NULL, 1),
                          .folder = "/tmp/hob-test-kv-XXXXXX",
                          .request = make_request(5)};
    assert_non_null(mkdtemp(scene.folder));
    scene.request.n_ids = 260;
    scene.request.options = (hob_generate_options){.max_tokens = N_TOKENS, .has_logprobs = true, .ignores_end = true};
    scene.expected = answer(scene.use.session, &scene.request, true, &result);
    return scene;
}

/* Calls visit for each file; returns how many there are. */
static int each_file(const struct scene *scene, void (*visit)(const char *path, void *context), void *context)
{
    char path[512];
    int n_files = 0;
    DIR *stream = opendir(scene->folder);
    assert_non_null(stream);
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", scene->folder, entry->d_name);
        n_files++;
        if (visit) visit(path, context);
    }
    closedir(stream);
    return n_files;
}

static void remove_file(const char *path, void *context)
{
    (void)context;
    unlink(path);
}

static void strike_scene(struct scene *scene)
{
    each_file(scene, remove_file, NULL);
    rmdir(scene->folder);
    use_close(&scene->use);
}

/* What a process that just started answers; returns how much it found. */
static size_t restart(const struct scene *scene)
{
    hob_generate_result result;
    hob_session_options options = scene->options;
    options.n_threads = 1;
    options.cache_folder = scene->folder;
    hob_session *session = open_session(scene->use.model, &options);
    assert_int_equal(answer(session, &scene->request, false, &result), scene->expected);
    hob_session_free(session);
    return result.n_cached_tokens;
}

static void check_private(const char *path, void *context)
{
    (void)context;
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_comes_back_from_disk(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    assert_int_equal(restart(&scene), 0);
    assert_int_equal(each_file(&scene, check_private, NULL), 4);
    assert_int_equal(restart(&scene), 256);
    scene.options.prefix_cache_bytes = 1 << 20;
    assert_int_equal(restart(&scene), 256);
    scene.options.cache_type = "f32"; /* another cache: nothing of it is there */
    hob_generate_result result;
    hob_session *plain = open_session(scene.use.model, &(hob_session_options){.n_threads = 1, .cache_type = "f32"});
    scene.expected = answer(plain, &scene.request, false, &result);
    hob_session_free(plain);
    assert_int_equal(restart(&scene), 0);
    assert_int_equal(each_file(&scene, NULL, NULL), 8);
    assert_int_equal(restart(&scene), 256);
    strike_scene(&scene);
}

/* A file is only looked at when those before it are good: each run finds at least one more. */
static bool is_healed(const struct scene *scene)
{
    for (int i = 0; i < 4; i++)
        if (restart(scene) == 256) return true;
    return false;
}

/* A byte turned, the end cut off, another file in its place, nothing at all: by chance. */
static void damage(const char *path, void *context)
{
    struct rng *chance = context;
    struct stat info;
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    off_t place = (off_t)rng_below(chance, (uint32_t)info.st_size);
    if (rng_below(chance, 3) == 0) {
        assert_int_equal(ftruncate(fd, place), 0);
    } else {
        assert_int_equal(pread(fd, &byte, 1, place), 1);
        byte ^= (unsigned char)(1 + rng_below(chance, 255));
        assert_int_equal(pwrite(fd, &byte, 1, place), 1);
    }
    close(fd);
}

static void test_damaged_files_are_not_used(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    struct rng chance = {.seed = 77};
    restart(&scene);
    for (int round = 0; round < 5; round++) {
        each_file(&scene, damage, &chance);
        assert_int_equal(restart(&scene), 0);
        assert_true(is_healed(&scene));
    }
    strike_scene(&scene);
}

/* What a file was renamed to is not what it says it is. */
static void test_files_are_who_they_say(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    char from[512];
    restart(&scene);
    DIR *stream = opendir(scene.folder);
    char names[4][512];
    int n_names = 0;
    for (const struct dirent *entry; (entry = readdir(stream)) && n_names < 4;)
        if (entry->d_name[0] != '.') snprintf(names[n_names++], sizeof names[0], "%s/%s", scene.folder, entry->d_name);
    closedir(stream);
    assert_int_equal(n_names, 4);
    snprintf(from, sizeof from, "%s/x.tmp", scene.folder);
    assert_int_equal(rename(names[0], from), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(rename(names[i + 1], names[i]), 0);
    assert_int_equal(rename(from, names[3]), 0);
    assert_int_equal(restart(&scene), 0);
    assert_true(is_healed(&scene));
    strike_scene(&scene);
}

static void count_bytes(const char *path, void *context)
{
    struct stat info;
    if (stat(path, &info) == 0) *(uint64_t *)context += (uint64_t)info.st_size;
}

static void test_folder_is_bounded(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    uint64_t n_file = CACHE_FILE_HEADER_BYTES + block_bytes(scene.use.session), n_bytes = 0;
    scene.options.cache_folder_bytes = 9 * n_file + 100;
    hob_session_options options = scene.options;
    options.n_threads = 1;
    options.cache_folder = scene.folder;
    hob_session *session = open_session(scene.use.model, &options);
    for (uint64_t i = 0; i < 12; i++) {
        hob_generate_result result;
        struct request request = make_request(100 + i);
        answer(session, &request, false, &result);
        n_bytes = 0;
        each_file(&scene, count_bytes, &n_bytes);
        assert_true(n_bytes <= scene.options.cache_folder_bytes);
    }
    hob_session_free(session); /* now all is written */
    n_bytes = 0;
    each_file(&scene, count_bytes, &n_bytes);
    assert_in_range(n_bytes, 4 * n_file + 1, scene.options.cache_folder_bytes);
    restart(&scene);
    assert_int_equal(restart(&scene), 256); /* the newest are there, others are gone */
    strike_scene(&scene);
}

static void test_folder_is_private(void **state)
{
    (void)state;
    hob_error error = {0};
    hob_session *session;
    struct scene scene = set_scene();
    hob_session_options options = {.cache_folder = scene.folder};
    assert_int_equal(chmod(scene.folder, 0777), 0);
    assert_int_equal(hob_session_new(scene.use.model, &options, &session, &error), HOB_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "0777") ? strstr(error.message, "0777") : strstr(error.message, "777"));
    assert_int_equal(chmod(scene.folder, 0700), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/made/here", scene.folder);
    options.cache_folder = path;
    ASSERT_HOB(hob_session_new(scene.use.model, &options, &session, &error), error);
    hob_session_free(session);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    rmdir(path);
    snprintf(path, sizeof path, "%s/made", scene.folder);
    rmdir(path);
    options.cache_folder = "";
    assert_int_equal(hob_session_new(scene.use.model, &options, &session, &error), HOB_BAD_ARGUMENT);
    strike_scene(&scene);
}

static void count_warning(void *context, enum log_level level, const char *message)
{
    assert_int_equal(level, LOG_WARNING);
    assert_non_null(strstr(message, "nothing more is written"));
    atomic_fetch_add((atomic_int *)context, 1);
}

/* A limit of the process stands for a disk that is full: told once, then left alone. */
static void test_full_disk_is_told_once(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    atomic_int n_warnings = 0;
    struct rlimit before, tight;
    restart(&scene);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    log_set_sink(count_warning, &n_warnings, LOG_WARNING);
    hob_session_options options = scene.options;
    options.n_threads = 1;
    options.cache_folder = scene.folder;
    hob_session *session = open_session(scene.use.model, &options);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (uint64_t i = 0; i < 5; i++) {
        hob_generate_result result;
        struct request request = make_request(200 + i);
        answer(session, &request, false, &result);
    }
    hob_session_free(session);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_set_sink(NULL, NULL, LOG_ERROR);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(n_warnings, 1);
    assert_int_equal(each_file(&scene, check_private, NULL), 4); /* nothing half-written is left */
    assert_int_equal(restart(&scene), 256);
    strike_scene(&scene);
}

/* ---- the writer ---- */

struct written {
    pthread_mutex_t gate; /* held: the writer waits */
    size_t n;
    uint64_t pieces[64][8];
};

static void write_piece(void *context, const void *piece)
{
    struct written *written = context;
    pthread_mutex_lock(&written->gate);
    memcpy(written->pieces[written->n++], piece, sizeof written->pieces[0]);
    pthread_mutex_unlock(&written->gate);
}

static bool put(struct cache_writer *writer, uint64_t number)
{
    const uint64_t head[2] = {number, number * 3}, body[6] = {number + 5};
    return cache_writer_put(writer, head, sizeof head, body, sizeof body);
}

static void test_a_full_queue_takes_nothing(void **state)
{
    (void)state;
    hob_error error = {0};
    struct cache_writer *writer;
    static struct written written = {.gate = PTHREAD_MUTEX_INITIALIZER};
    ASSERT_HOB(cache_writer_new(64, 4, write_piece, &written, &writer, &error), error);
    for (uint64_t round = 0; round < 3; round++) {
        pthread_mutex_lock(&written.gate);
        for (uint64_t i = 0; i < 4; i++) assert_true(put(writer, 4 * round + i));
        assert_false(put(writer, 999));
        assert_int_equal(cache_writer_n_bytes(writer), 4 * 64);
        pthread_mutex_unlock(&written.gate);
        while (cache_writer_n_bytes(writer)) usleep(100);
    }
    for (uint64_t i = 12; i < 16; i++) assert_true(put(writer, i));
    cache_writer_free(writer); /* the last ones are written first */
    assert_int_equal(written.n, 16);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(written.pieces[i][0], i);
        assert_int_equal(written.pieces[i][1], 3 * i);
        assert_int_equal(written.pieces[i][2], i + 5);
    }
    cache_writer_free(NULL);
}

/* Writers are killed at any moment; what they leave is whole or not there. */
static void test_survives_kills(void **state)
{
    (void)state;
    struct scene scene = set_scene();
    struct rng chance = {.seed = 99};
    for (int round = 0; round < 6; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (uint64_t i = 0;; i++) {
                struct scene other = scene;
                hob_generate_result result;
                hob_session_options options = {
                    .n_threads = 1, .cache_folder = scene.folder, .cache_folder_bytes = 1 << 20};
                hob_session *session;
                other.request = i % 3 ? make_request(i) : scene.request;
                if (hob_session_new(scene.use.model, &options, &session, NULL) != HOB_OK) _exit(1);
                answer(session, &other.request, false, &result);
                hob_session_free(session);
            }
        }
        usleep(2000 + rng_below(&chance, 30000));
        assert_int_equal(kill(child, SIGKILL), 0);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        restart(&scene);
        assert_int_equal(restart(&scene), 256);
    }
    strike_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_by_ids_and_place),
        cmocka_unit_test(test_drops_the_oldest_end_first),
        cmocka_unit_test(test_keeps_what_is_in_use),
        cmocka_unit_test(test_changes_no_byte),
        cmocka_unit_test(test_changes_no_byte_of_full_floats),
        cmocka_unit_test(test_shares_while_others_run),
        cmocka_unit_test(test_refuses_what_cannot_be),
        cmocka_unit_test(test_comes_back_from_disk),
        cmocka_unit_test(test_damaged_files_are_not_used),
        cmocka_unit_test(test_files_are_who_they_say),
        cmocka_unit_test(test_folder_is_bounded),
        cmocka_unit_test(test_folder_is_private),
        cmocka_unit_test(test_full_disk_is_told_once),
        cmocka_unit_test(test_a_full_queue_takes_nothing),
        cmocka_unit_test(test_survives_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
