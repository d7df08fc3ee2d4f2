#include "engine/kv/cache_writer.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

struct cache_writer {
    cache_writer_write *write;
    void *context;
    unsigned char *pieces; /* a ring */
    size_t piece_bytes, n_most;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t is_due;
    size_t first, n_waiting; /* the one that is being written is the first */
    bool is_filling;         /* the place behind the last is being copied to */
    bool is_ending;
};

static unsigned char *place_of(const struct cache_writer *writer, size_t i)
{
    return writer->pieces + (writer->first + i) % writer->n_most * writer->piece_bytes;
}

/* The mutex is held before and after. */
static void write_first(struct cache_writer *writer)
{
    const unsigned char *piece = place_of(writer, 0);
    pthread_mutex_unlock(&writer->mutex);
    writer->write(writer->context, piece);
    pthread_mutex_lock(&writer->mutex);
    writer->first = (writer->first + 1) % writer->n_most;
    writer->n_waiting--;
    if (!writer->n_waiting && !writer->is_filling) memory_discard(writer->pieces, writer->n_most * writer->piece_bytes);
}

static void *work(void *context)
{
    struct cache_writer *writer = context;
    pthread_mutex_lock(&writer->mutex);
    while (writer->n_waiting || !writer->is_ending) {
        if (writer->n_waiting) write_first(writer);
        else pthread_cond_wait(&writer->is_due, &writer->mutex);
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* Signals are the program's threads' business. */
static hob_status start(struct cache_writer *writer, hob_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&writer->thread, NULL, work, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code) FAIL(error, HOB_NO_MEMORY, "a thread that writes: %s", strerror(code));
    writer->has_thread = true;
    return HOB_OK;
}

static hob_status set_up(struct cache_writer *writer, hob_error *error)
{
    size_t n_bytes;
    if (!size_mul(writer->piece_bytes, writer->n_most, &n_bytes))
        FAIL(error, HOB_LIMIT, "found a queue of %zu pieces of %zu bytes: too long", writer->n_most, writer->piece_bytes);
    writer->pieces = memory_reserve(n_bytes);
    if (!writer->pieces) FAIL(error, HOB_NO_MEMORY, "no address space for a queue of %zu bytes", n_bytes);
    return start(writer, error);
}

hob_status cache_writer_new(size_t piece_bytes, size_t n_pieces, cache_writer_write *write, void *context, struct cache_writer **ret_writer,
                            hob_error *error)
{
    struct cache_writer *writer = memory_new(1, sizeof *writer);
    if (!writer) FAIL(error, HOB_NO_MEMORY, "a thread that writes: out of memory");
    *writer = (struct cache_writer){.write = write, .context = context, .piece_bytes = size_align(piece_bytes, 64), .n_most = n_pieces};
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->is_due, NULL);
    hob_status status = set_up(writer, error);
    if (status == HOB_OK) *ret_writer = writer;
    else cache_writer_free(writer);
    return status;
}

static void finish(struct cache_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    writer->is_ending = true;
    pthread_cond_signal(&writer->is_due);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
}

void cache_writer_free(struct cache_writer *writer)
{
    if (!writer) return;
    if (writer->has_thread) finish(writer);
    memory_unreserve(writer->pieces, writer->n_most * writer->piece_bytes);
    pthread_cond_destroy(&writer->is_due);
    pthread_mutex_destroy(&writer->mutex);
    memory_free(writer);
}

bool cache_writer_put(struct cache_writer *writer, const void *head, size_t head_bytes, const void *body, size_t body_bytes)
{
    HOB_ASSERT(head_bytes + body_bytes <= writer->piece_bytes);
    pthread_mutex_lock(&writer->mutex);
    bool is_taken = writer->n_waiting < writer->n_most;
    unsigned char *place = place_of(writer, writer->n_waiting);
    writer->is_filling = is_taken;
    pthread_mutex_unlock(&writer->mutex);
    if (!is_taken) return false;
    memcpy(place, head, head_bytes);
    memcpy(place + head_bytes, body, body_bytes);
    pthread_mutex_lock(&writer->mutex);
    writer->is_filling = false;
    writer->n_waiting++;
    pthread_cond_signal(&writer->is_due);
    pthread_mutex_unlock(&writer->mutex);
    return true;
}

size_t cache_writer_n_bytes(struct cache_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    size_t n_bytes = writer->n_waiting * writer->piece_bytes;
    pthread_mutex_unlock(&writer->mutex);
    return n_bytes;
}
