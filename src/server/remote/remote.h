/* Remote backends: where a person configured one, it answers for a model of theirs that failed. Off unless [backends.NAME] says so, and
 * impossible with --no-network: then there is no struct remote, and libcurl is never loaded.
 *
 * Only jobs that failed before their first event and through no fault of their own are handed over: the model cannot be opened, memory is
 * out, the engine broke. Every request is written to the backend's log file, whole, before a byte of it is sent; where that cannot be done
 * nothing is sent. A few threads of its own, one request each at a time. Thread-safe.
 *
 *     TRY(remote_new(config, log, metrics, announce, scheduler, &remote, error));
 *     if (!remote_take(remote, job, "qwen", &problem)) … the job fails …         else the transcript goes on by itself
 *     remote_free(remote);
 */
#ifndef SERVER_REMOTE_REMOTE_H
#define SERVER_REMOTE_REMOTE_H

#include "config/config.h"
#include "server/job.h"
#include "server/metrics.h"
#include "server/server_log.h"

struct remote;

/* announce: called from remote's threads when a job's transcript grew. config must outlive the next remote_reload.
 * Fails: HOB_UNSUPPORTED (libcurl is not installed: the message names the package), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status remote_new(const struct config *config, struct server_log *log, struct metrics *metrics,
                                     void (*announce)(void *context, struct job *job), void *context,
                                     struct remote **ret_remote, hob_error *error);
/* Ends what is under way, joins the threads, takes no more jobs: before those whom it tells go; takes NULL. */
void remote_stop(struct remote *remote);
void remote_free(struct remote *remote); /* behind those who may call remote_take; takes NULL */
/* Requests under way end as they began. */
void remote_reload(struct remote *remote, const struct config *config);

/* Takes a reference to the job and goes on with it, if a backend stands in for the model and the job is of a kind that can be sent: text or
 * a conversation, one answer, no log-probabilities. false: nothing happened. remote may be NULL. */
bool remote_take(struct remote *remote, struct job *job, const char *model_name, const struct problem *problem);

#endif
