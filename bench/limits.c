/* What this machine could do at best: arithmetic peaks of each instruction set it has, and how fast memory and the last cache can be
 * read. One long-lived process that takes turns with the sides, so that a limit and what is held to it are of the same minute.
 *
 *     limits            answers "NAME THREADS" lines with {"value":…}: work per second of processor time at one thread, per second of the
 *                       clock at more; {"error":…} for what the machine lacks
 *     fma_avx2 fma_avx512     f32 multiply-adds, GFLOP/s
 *     int8_avx2 int8_vnni     bytes by bytes into 32-bit sums, GOP/s (a multiplication and an addition are two)
 *     int4_avx2               products of 4-bit by 8-bit numbers, eight of them summed in 16 bits before they are widened, GOP/s
 *     dram cache              read, GB/s: 256 MB, and 6 MB, which the last cache holds and no core's own does */
#include "side.h"

#include <pthread.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MAX_THREADS = 64, DRAM_BYTES = 256 << 20, CACHE_BYTES = 6 << 20, CHAINS = 12 };

/* Does its work and returns how much it was, in units of 10^9. */
typedef double kernel(size_t thread);

static unsigned char *buffers[MAX_THREADS];
static volatile float sink;

#if defined(__x86_64__)

/* Independent chains, more than latency times throughput needs; in registers once the loops over them are unrolled. */
#define EACH_CHAIN _Pragma("GCC unroll 16") for (int c = 0; c < CHAINS; c++)

__attribute__((target("avx2,fma"))) static double fma_avx2(size_t thread)
{
    enum { ROUNDS = 2000000 };
    __m256 sums[CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-6f + (float)thread * 1e-9f);
    EACH_CHAIN sums[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < ROUNDS; i++) EACH_CHAIN sums[c] = _mm256_fmadd_ps(sums[c], a, b);
    for (int c = 1; c < CHAINS; c++) sums[0] = _mm256_add_ps(sums[0], sums[c]);
    sink = _mm256_cvtss_f32(sums[0]);
    return 16e-9 * CHAINS * ROUNDS;
}

__attribute__((target("avx512f"))) static double fma_avx512(size_t thread)
{
    enum { ROUNDS = 2000000 };
    __m512 sums[CHAINS], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-6f + (float)thread * 1e-9f);
    EACH_CHAIN sums[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < ROUNDS; i++) EACH_CHAIN sums[c] = _mm512_fmadd_ps(sums[c], a, b);
    for (int c = 1; c < CHAINS; c++) sums[0] = _mm512_add_ps(sums[0], sums[c]);
    sink = _mm512_cvtss_f32(sums[0]);
    return 32e-9 * CHAINS * ROUNDS;
}

/* The empty statement keeps the compiler from computing equal products once. */
#define OPAQUE(x) __asm__ volatile("" : "+x"(x))

__attribute__((target("avx2"))) static double int8_avx2(size_t thread)
{
    enum { ROUNDS = 1000000 };
    __m256i sums[CHAINS], a = _mm256_set1_epi8((char)(thread + 3)), b = _mm256_set1_epi8(-2),
                          ones = _mm256_set1_epi16(1);
    EACH_CHAIN sums[c] = _mm256_setzero_si256();
    for (int i = 0; i < ROUNDS; i++) EACH_CHAIN
        {
            OPAQUE(b);
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    for (int c = 1; c < CHAINS; c++) sums[0] = _mm256_add_epi32(sums[0], sums[c]);
    sink = (float)_mm256_extract_epi32(sums[0], 0);
    return 64e-9 * CHAINS * ROUNDS;
}

__attribute__((target("avx2"))) static double int4_avx2(size_t thread)
{
    enum { ROUNDS = 150000, SUMMED = 8 };
    __m256i sums[CHAINS], a = _mm256_set1_epi8((char)(thread % 8 + 3)), b = _mm256_set1_epi8(-2),
                          ones = _mm256_set1_epi16(1);
    EACH_CHAIN sums[c] = _mm256_setzero_si256();
    for (int i = 0; i < ROUNDS; i++) EACH_CHAIN
        {
            __m256i halves = _mm256_setzero_si256();
            _Pragma("GCC unroll 8") for (int k = 0; k < SUMMED; k++)
            {
                OPAQUE(b);
                halves = _mm256_add_epi16(halves, _mm256_maddubs_epi16(a, b));
            }
            sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(halves, ones));
        }
    for (int c = 1; c < CHAINS; c++) sums[0] = _mm256_add_epi32(sums[0], sums[c]);
    sink = (float)_mm256_extract_epi32(sums[0], 0);
    return 64e-9 * SUMMED * CHAINS * ROUNDS;
}

/* A variable a chain: gcc 12 keeps an array of them in memory too, and its stores would be what is measured. */
#define EACH_SUM(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define NEW_SUM(c) __m512i sum##c = _mm512_set1_epi32(c);
#define DPBUSD(c) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum##c) : "v"(a), "v"(b));
#define ADD_SUM(c) total = _mm512_add_epi32(total, sum##c);

__attribute__((target("avx512f,avx512vnni"))) static double int8_vnni(size_t thread)
{
    enum { ROUNDS = 2000000 };
    __m512i a = _mm512_set1_epi32((int)thread + 3), b = _mm512_set1_epi32(-2), total = _mm512_setzero_si512();
    EACH_SUM(NEW_SUM)
    for (int i = 0; i < ROUNDS; i++) {
        EACH_SUM(DPBUSD)
    }
    EACH_SUM(ADD_SUM)
    sink = (float)_mm_extract_epi32(_mm512_castsi512_si128(total), 0);
    return 128e-9 * CHAINS * ROUNDS;
}

__attribute__((target("avx2"))) static double read_bytes(size_t thread, size_t n_bytes, int n_times)
{
    __m256i seen[8];
    for (int i = 0; i < 8; i++) seen[i] = _mm256_setzero_si256();
    for (int time = 0; time < n_times; time++)
        for (const unsigned char *at = buffers[thread], *end = at + n_bytes; at < end; at += sizeof seen)
            _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) seen[i] =
                _mm256_xor_si256(seen[i], _mm256_load_si256((const __m256i *)at + i));
    for (int i = 1; i < 8; i++) seen[0] = _mm256_xor_si256(seen[0], seen[i]);
    sink = (float)_mm256_extract_epi32(seen[0], 0);
    return 1e-9 * (double)n_bytes * n_times;
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
static int has_vnni(void)
{
    return __builtin_cpu_supports("avx512vnni");
}

#else

static double read_bytes(size_t thread, size_t n_bytes, int n_times)
{
    uint64_t seen[8] = {0};
    for (int time = 0; time < n_times; time++)
        for (const uint64_t *at = (const uint64_t *)(const void *)buffers[thread], *end = at + n_bytes / sizeof *at;
             at < end; at += 8)
            for (int i = 0; i < 8; i++) seen[i] ^= at[i];
    for (int i = 1; i < 8; i++) seen[0] ^= seen[i];
    sink = (float)seen[0];
    return 1e-9 * (double)n_bytes * n_times;
}

#endif

static double dram(size_t thread)
{
    return read_bytes(thread, DRAM_BYTES, 1);
}
static double cache(size_t thread)
{
    return read_bytes(thread, CACHE_BYTES, 20);
}

static const struct {
    const char *name;
    kernel *run;
    int (*is_possible)(void);
} limits[] = {
#if defined(__x86_64__)
    {"fma_avx2", fma_avx2, has_avx2},   {"fma_avx512", fma_avx512, has_avx512}, {"int8_avx2", int8_avx2, has_avx2},
    {"int4_avx2", int4_avx2, has_avx2}, {"int8_vnni", int8_vnni, has_vnni},     {"dram", dram, has_avx2},
    {"cache", cache, has_avx2},
#else
    {"dram", dram, always},
    {"cache", cache, always},
#endif
};

struct job {
    kernel *run;
    size_t thread;
    double work;
};

static void *run_job(void *argument)
{
    struct job *job = argument;
    job->work = job->run(job->thread);
    return NULL;
}

/* Pages that are all the same zero page would be read from the cache. */
static int reserve(size_t n_threads)
{
    for (size_t i = 0; i < n_threads; i++) {
        if (buffers[i]) continue;
        buffers[i] = aligned_alloc(4096, DRAM_BYTES);
        if (!buffers[i]) return 0;
        memset(buffers[i], (int)i + 1, DRAM_BYTES);
    }
    return 1;
}

static double measure(kernel *run, size_t n_threads)
{
    struct job jobs[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    double work = 0;
    struct watch watch = watch_start();
    for (size_t i = 1; i < n_threads; i++) {
        jobs[i] = (struct job){.run = run, .thread = i};
        if (pthread_create(&threads[i], NULL, run_job, &jobs[i]) != 0) exit(1);
    }
    work += run(0);
    for (size_t i = 1; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        work += jobs[i].work;
    }
    double cpu_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - watch.cpu_ms,
           wall_ms = clock_ms(CLOCK_MONOTONIC) - watch.wall_ms;
    return work * 1e3 / (n_threads == 1 ? cpu_ms : wall_ms);
}

static void answer(const char *name, size_t n_threads)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(limits[i].name, name) != 0) continue;
        int reads = limits[i].run == dram || limits[i].run == cache;
        if (!limits[i].is_possible() || n_threads < 1 || n_threads > MAX_THREADS || (reads && !reserve(n_threads)))
            break;
        printf("{\"value\":%.3f}\n", measure(limits[i].run, n_threads));
        return;
    }
    printf("{\"error\":\"not on this machine\"}\n");
}

int main(void)
{
    char line[256], name[64];
    size_t n_threads;
    printf("{\"load_ms\":0}\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%63s %zu", name, &n_threads) == 2) answer(name, n_threads);
        else printf("{\"error\":\"not a question\"}\n");
        fflush(stdout);
    }
    return 0;
}
