/* Sockets that systemd, or whoever speaks its protocol, opened for us: LISTEN_PID, LISTEN_FDS. */
#ifndef SERVER_LISTEN_FDS_H
#define SERVER_LISTEN_FDS_H

#include <stddef.h>

/* How many were passed to this very process; 0: none. */
size_t listen_fds_count(void);
int listen_fds_at(size_t index);
/* Takes the variables out of the environment, so that no child thinks they are meant for it. Before threads start, behind the calls above. */
void listen_fds_forget(void);

#endif
