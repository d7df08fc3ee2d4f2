/* What the kernel says about a process and the network: for hob prove-local. Reads /proc; changes nothing.
 *
 *     struct local_proof proof;
 *     local_proof_make(pid, &proof);
 *     if (proof.n_network_sockets == 0 && proof.has_seccomp) …
 */
#ifndef CLI_LOCAL_PROOF_H
#define CLI_LOCAL_PROOF_H

#include "server/no_network.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LOCAL_PROOF_MOST_SOCKETS = 64, LOCAL_PROOF_SOCKET_BYTES = 96 };

struct local_proof {
    pid_t pid;
    bool is_readable; /* /proc/PID is there, and ours to look into */
    bool has_seccomp; /* a filter is on */
    bool has_no_new_privileges;
    bool has_own_namespace;                                      /* of the network: not the one of this command */
    bool has_curl;                                               /* libcurl is loaded */
    size_t n_unix_sockets, n_network_sockets, n_foreign_sockets; /* foreign: bound or connected beyond this machine */
    char sockets[LOCAL_PROOF_MOST_SOCKETS]
                [LOCAL_PROOF_SOCKET_BYTES]; /* "tcp 127.0.0.1:8080 -> 0.0.0.0:0": the first of those of the network */
};

void local_proof_make(pid_t pid, struct local_proof *ret_proof);

/* Puts the daemon's filter on a child and tries every way out there. Returns how many probes there are; ret_is_enforced: the filter could
 * be put on and each was refused. */
size_t local_proof_try(struct no_network_probe ret_probes[NO_NETWORK_MOST_PROBES], bool *ret_is_enforced);

#endif
