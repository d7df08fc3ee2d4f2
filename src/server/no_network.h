/* No network, enforced by the kernel: after no_network_enforce neither this process nor any it starts can make a socket that is not a UNIX
 * one, whatever code runs in it.
 *
 * A seccomp filter refuses socket and socketpair for all families but AF_UNIX, and the ways around it: io_uring, taking descriptors out of
 * other processes, system calls of another architecture. It cannot be taken off again. Sockets that are open already stay open, so it is
 * called first and the listener checks what it was given.
 *
 *     TRY(no_network_enforce(error));
 *     struct no_network_probe probes[NO_NETWORK_MOST_PROBES];
 *     size_t n = no_network_probe(probes);        what a try to get out meets: for hob prove-local
 */
#ifndef SERVER_NO_NETWORK_H
#define SERVER_NO_NETWORK_H

#include "hob/status.h"

#include <stdbool.h>
#include <stddef.h>

/* For this thread and all of the process. Fails: HOB_UNSUPPORTED (a kernel without seccomp), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status no_network_enforce(hob_error *error);

enum { NO_NETWORK_MOST_PROBES = 16 };

/* One way out, tried. */
struct no_network_probe {
    const char *what; /* "socket(AF_INET, SOCK_STREAM)": static */
    bool is_refused;  /* with the filter's own answer */
    int error;        /* errno; 0: it went through */
};

/* Tries them all in this process; returns how many. What opened is closed again, nothing is sent. */
size_t no_network_probe(struct no_network_probe ret_probes[NO_NETWORK_MOST_PROBES]);

#endif
