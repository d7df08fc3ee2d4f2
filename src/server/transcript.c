/* One writer links events behind each other with release stores; readers follow with acquire loads. Memory is one arena, which only the
 * writer allocates from, so what a reader sees never moves. */
#include "server/transcript.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdatomic.h>

enum { CHUNK_BYTES = 2048 };

struct transcript {
    atomic_uint n_refs;
    struct arena arena;
    struct event head; /* before the first: its next is the first */
    struct event end;  /* so that a job can end when memory is out */
    struct event *last;
    size_t n_events;
    struct transcript *source; /* owns what replayed events point to; NULL: there are none */
    atomic_bool is_over;
};

/* Usage and problem are large, and most events are single tokens. */
static size_t event_bytes(enum event_kind kind)
{
    if (kind == EVENT_FAILED) return sizeof(struct event);
    return kind == EVENT_STARTED || kind == EVENT_DONE ? offsetof(struct event, problem) : offsetof(struct event, usage);
}

struct transcript *transcript_new(void)
{
    struct transcript *transcript = memory_new(1, sizeof *transcript);
    if (!transcript) return NULL;
    atomic_init(&transcript->n_refs, 1);
    arena_init(&transcript->arena, CHUNK_BYTES);
    transcript->last = &transcript->head;
    return transcript;
}

struct transcript *transcript_ref(struct transcript *transcript)
{
    atomic_fetch_add_explicit(&transcript->n_refs, 1, memory_order_relaxed);
    return transcript;
}

void transcript_unref(struct transcript *transcript)
{
    if (!transcript || atomic_fetch_sub_explicit(&transcript->n_refs, 1, memory_order_acq_rel) != 1) return;
    transcript_unref(transcript->source);
    arena_release(&transcript->arena);
    memory_free(transcript);
}

static struct event *init_event(struct event *event, enum event_kind kind)
{
    event->kind = kind;
    event->text = event->reasoning = "";
    event->id = HOB_NO_TOKEN;
    return event;
}

struct event *transcript_event(struct transcript *transcript, enum event_kind kind)
{
    struct event *event = arena_new(&transcript->arena, 1, event_bytes(kind), _Alignof(struct event));
    return event ? init_event(event, kind) : NULL;
}

struct event *transcript_last_event(struct transcript *transcript, enum event_kind kind)
{
    return init_event(&transcript->end, kind);
}

void *transcript_copy(struct transcript *transcript, const void *bytes, size_t n_bytes)
{
    char *copy = arena_alloc(&transcript->arena, n_bytes + 1, 16);
    if (!copy) return NULL;
    if (n_bytes) memcpy(copy, bytes, n_bytes);
    copy[n_bytes] = 0;
    return copy;
}

void transcript_append(struct transcript *transcript, struct event *event)
{
    event->at_ns = clock_now_ns();
    bool is_last = event->kind == EVENT_DONE || event->kind == EVENT_FAILED;
    atomic_store_explicit(&transcript->last->next, event, memory_order_release);
    transcript->last = event;
    transcript->n_events++;
    if (is_last) atomic_store_explicit(&transcript->is_over, true, memory_order_release);
}

size_t transcript_n_events(const struct transcript *transcript)
{
    return transcript->n_events;
}

bool transcript_replay(struct transcript *transcript, struct transcript *source)
{
    HOB_ASSERT(!transcript->source);
    transcript->source = transcript_ref(source);
    for (const struct event *from = transcript_next(source, NULL); from; from = transcript_next(source, from)) {
        if (from->kind == EVENT_DONE || from->kind == EVENT_FAILED) break;
        struct event *event = arena_copy(&transcript->arena, from, event_bytes(from->kind), _Alignof(struct event));
        if (!event) return false;
        atomic_init(&event->next, NULL);
        if (event->kind == EVENT_STARTED) event->usage.is_from_cache = true;
        transcript_append(transcript, event);
    }
    return true;
}

const struct event *transcript_next(const struct transcript *transcript, const struct event *event)
{
    return atomic_load_explicit(&(event ? event : &transcript->head)->next, memory_order_acquire);
}

bool transcript_is_over(const struct transcript *transcript)
{
    return atomic_load_explicit(&transcript->is_over, memory_order_acquire);
}

size_t transcript_bytes(const struct transcript *transcript)
{
    return sizeof *transcript + transcript->arena.total_bytes;
}
