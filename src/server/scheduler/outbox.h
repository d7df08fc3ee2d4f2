/* Jobs whose clients are to hear of new events: put in by any thread, taken out by the loop's.
 *
 *     outbox_post(&outbox, job);               after transcript_append; wakes the loop where it has nothing to do yet
 *     outbox_deliver(&outbox);                 calls on_change of each, once however many events there are
 */
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include "server/job.h"

#include <pthread.h>

struct outbox {
    pthread_mutex_t lock;
    struct job *first, *last; /* a reference each */
    void (*wake)(void *context);
    void *context;
};

void outbox_init(struct outbox *outbox, void (*wake)(void *context), void *context);
void outbox_release(struct outbox *outbox); /* nobody is told any more */
void outbox_post(struct outbox *outbox, struct job *job);
void outbox_deliver(struct outbox *outbox);

#endif
