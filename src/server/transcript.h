/* What came of a job: events in order, appended by one thread and read by others while it goes on, without locks.
 *
 * Events never move or change once they are appended, so a reader keeps pointers to them as long as it holds a reference to the
 * transcript; the result cache keeps whole transcripts. Owns the events and all they point to.
 *
 *     struct transcript *transcript = transcript_new();
 *     struct event *event = transcript_event(transcript, EVENT_DELTA);       writer: fill it, then
 *     transcript_append(transcript, event);
 *     for (const struct event *e = transcript_next(transcript, NULL); e; e = transcript_next(transcript, e)) …   reader
 *     transcript_unref(transcript);
 */
#ifndef SERVER_TRANSCRIPT_H
#define SERVER_TRANSCRIPT_H

#include "hob/generate.h"
#include "server/problem.h"

enum event_kind {
    EVENT_STARTED,    /* the engine has begun: nothing of the request itself is wrong; n_prompt_tokens is known */
    EVENT_DELTA,      /* a token of a text, or text that was held back */
    EVENT_TOOL_CALL,  /* text: a whole call as JSON, {"id", "type": "function", "function": {"name", "arguments"}} */
    EVENT_OUTPUT_END, /* one of the texts is over: finish, stop */
    EVENT_VECTORS,    /* numbers [n_rows, n_columns]: embeddings of texts first_row and on; of embed_all, the tokens of text first_row */
    EVENT_SCORES,     /* numbers [n_rows, n_columns]: of texts first_row and on */
    EVENT_IDS,        /* ids [n_ids] of text first_row */
    EVENT_TEXT,       /* text: a prompt by its template, detokenised ids */
    EVENT_DONE,       /* the last one: usage */
    EVENT_FAILED      /* the last one: problem */
};

struct usage {
    size_t n_prompt_tokens, n_cached_tokens, n_generated_tokens, n_drafted, n_draft_accepted;
    double queue_ms, load_ms, prompt_ms, generate_ms, total_ms; /* load_ms: waiting for the model to be opened */
    bool is_from_cache;                                         /* the result cache had it */
};

struct event {
    struct event *_Atomic next; /* transcript_next reads it */
    enum event_kind kind;
    uint32_t output;  /* which of a job's texts */
    uint64_t at_ns;   /* when it was appended, of clock_now_ns */
    const char *text, *reasoning; /* UTF-8, NUL-terminated, never NULL; of a delta what became final with it */
    size_t n_text_bytes, n_reasoning_bytes;
    int32_t id;       /* of a delta; HOB_NO_TOKEN: only text that was held back */
    float logprob;    /* NAN: nothing foretells a text's first token (is_echo) */
    const hob_logprob *top_logprobs;
    size_t n_top_logprobs;
    bool is_echo;     /* a token of the prompt, which was asked to be repeated */
    hob_finish finish;
    const char *stop; /* the stop text that ended the output; NULL: none */
    bool has_tool_calls; /* of an output's end */
    const float *numbers;
    size_t first_row, n_rows, n_columns;
    const int32_t *ids;
    size_t n_ids;
    /* Of these two there is memory only in events that have them. */
    struct usage usage;     /* of EVENT_DONE; of EVENT_STARTED what is known then */
    struct problem problem; /* of EVENT_FAILED */
};

struct transcript;

struct transcript *transcript_new(void); /* with one reference; NULL: memory is out */
struct transcript *transcript_ref(struct transcript *transcript);
void transcript_unref(struct transcript *transcript); /* takes NULL */

/* ---- the writer ---- */
/* A zeroed event with empty texts, not yet seen; NULL: memory is out. */
struct event *transcript_event(struct transcript *transcript, enum event_kind kind);
/* The same for the last event, EVENT_DONE or EVENT_FAILED: there is always memory for it. */
struct event *transcript_last_event(struct transcript *transcript, enum event_kind kind);
/* A copy that the transcript owns, with a NUL behind it; NULL: memory is out. */
void *transcript_copy(struct transcript *transcript, const void *bytes, size_t n_bytes);
void transcript_append(struct transcript *transcript, struct event *event);
size_t transcript_n_events(const struct transcript *transcript);
/* Appends what is in another one, which is over and does not change any more, all but its last event. It is kept, not copied: only what
 * links events is made anew. false: memory is out, and some of them may be there. */
bool transcript_replay(struct transcript *transcript, struct transcript *source);

/* ---- readers ---- */
/* The event behind `event`, the first one for NULL; NULL: none yet. */
const struct event *transcript_next(const struct transcript *transcript, const struct event *event);
/* Whether EVENT_DONE or EVENT_FAILED has come. */
bool transcript_is_over(const struct transcript *transcript);
size_t transcript_bytes(const struct transcript *transcript);

#endif
