/* The file of a listening UNIX socket: made so that nobody else gets in, whatever a daemon that died left behind.
 *
 * A lock beside it ("hob.sock.lock", by flock, which the system drops with the process) tells a daemon that lives from one that died.
 * Owns the socket, its file and the lock. The loop's thread only. */
#ifndef SERVER_UNIX_SOCKET_H
#define SERVER_UNIX_SOCKET_H

#include "server/address.h"

struct unix_socket;

/* Makes the folder with 0700 where it is missing, the socket with 0600. ret_fd: listening, not blocking; the caller's to close.
 * Fails: HOB_IO (with the path): somebody answers there, something that is no socket is in the way, others may write to the folder. */
HOB_MUST_CHECK hob_status unix_socket_listen(const struct address *address, struct unix_socket **ret_socket, int *ret_fd, hob_error *error);
/* Removes the files, if they are still its own. Takes NULL. */
void unix_socket_free(struct unix_socket *socket);

#endif
