/* A remote backend's stream of server-sent events, turned into events of a job while it comes.
 *
 *     struct remote_reply reply = {.transcript = job->transcript, .api = backend->api};
 *     remote_reply_push(&reply, bytes, n_bytes);          as they come, cut anywhere
 *     if (!remote_reply_finish(&reply, &problem)) …       the stream ended too early, or told an error
 *     remote_reply_release(&reply);
 */
#ifndef SERVER_REMOTE_REMOTE_REPLY_H
#define SERVER_REMOTE_REMOTE_REPLY_H

#include "base/buffer.h"
#include "config/config.h"
#include "server/transcript.h"

enum { REMOTE_MOST_CALLS = 64 };

/* A tool call whose pieces come one by one. */
struct remote_call {
    struct buffer id, name, arguments;
    bool is_told;
};

struct remote_reply {
    struct transcript *transcript;
    enum config_api api;
    struct buffer line; /* not yet whole */
    struct remote_call calls[REMOTE_MOST_CALLS];
    size_t n_calls;
    struct usage usage;
    hob_finish finish;
    bool has_started, is_over, has_failed;
    char failure[320]; /* what the backend said */
};

void remote_reply_push(struct remote_reply *reply, const char *bytes, size_t n_bytes);
/* Appends what ends the text, EVENT_DONE apart. false: ret_problem, and nothing is appended. */
bool remote_reply_finish(struct remote_reply *reply, struct problem *ret_problem);
void remote_reply_release(struct remote_reply *reply);

#endif
