/* The filter, by libseccomp. It answers EACCES, which none of these calls gives by itself here, so a probe can tell the filter from a machine
 * that has no network anyway. */
#include "server/no_network.h"

#include "base/error.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers are the same on every architecture since Linux 5.1; older libraries do not know the names. */
enum { CALL_IO_URING_SETUP = 425, CALL_PIDFD_GETFD = 438 };

static int refuse_families(scmp_filter_ctx filter, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), call, 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
}

static int add_rules(scmp_filter_ctx filter)
{
    static const int refused[] = {CALL_IO_URING_SETUP, CALL_PIDFD_GETFD, SCMP_SYS(ptrace), SCMP_SYS(process_vm_writev)};
    int failed = refuse_families(filter, SCMP_SYS(socket));
    if (!failed) failed = refuse_families(filter, SCMP_SYS(socketpair));
    for (size_t i = 0; !failed && i < sizeof refused / sizeof refused[0]; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
    return failed;
}

hob_status no_network_enforce(hob_error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) FAIL(error, HOB_NO_MEMORY, "no network: no memory for the filter");
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that libraries started, too */
    if (!failed) failed = add_rules(filter);
    if (!failed) failed = seccomp_load(filter); /* sets no_new_privs */
    seccomp_release(filter);
    if (failed)
        FAIL(error, HOB_UNSUPPORTED, "no network: the kernel refuses the seccomp filter: %s", strerror(-failed));
    return HOB_OK;
}

/* ---- probes ---- */

static void note(struct no_network_probe *probe, const char *what, long result)
{
    *probe = (struct no_network_probe){.what = what, .error = result < 0 ? errno : 0};
    probe->is_refused = probe->error == EACCES;
    if (result >= 0) close((int)result);
}

size_t no_network_probe(struct no_network_probe ret_probes[NO_NETWORK_MOST_PROBES])
{
    static const struct {
        const char *what;
        int family, type;
    } sockets[] = {
        {"socket(AF_INET, SOCK_STREAM)", AF_INET, SOCK_STREAM},
        {"socket(AF_INET, SOCK_DGRAM)", AF_INET, SOCK_DGRAM},
        {"socket(AF_INET, SOCK_RAW)", AF_INET, SOCK_RAW},
        {"socket(AF_INET6, SOCK_STREAM)", AF_INET6, SOCK_STREAM},
        {"socket(AF_INET6, SOCK_DGRAM)", AF_INET6, SOCK_DGRAM},
        {"socket(AF_PACKET, SOCK_RAW)", AF_PACKET, SOCK_RAW},
        {"socket(AF_NETLINK, SOCK_RAW)", AF_NETLINK, SOCK_RAW},
        {"socket(AF_VSOCK, SOCK_STREAM)", AF_VSOCK, SOCK_STREAM},
        {"socket(AF_BLUETOOTH, SOCK_STREAM)", AF_BLUETOOTH, SOCK_STREAM},
    };
    size_t n = 0;
    for (; n < sizeof sockets / sizeof sockets[0]; n++)
        note(&ret_probes[n], sockets[n].what, socket(sockets[n].family, sockets[n].type | SOCK_CLOEXEC, 0));
    unsigned char parameters[120] = {0}; /* struct io_uring_params */
    note(&ret_probes[n++], "io_uring_setup", syscall(CALL_IO_URING_SETUP, 1, parameters));
    note(&ret_probes[n++], "pidfd_getfd", syscall(CALL_PIDFD_GETFD, -1, 0, 0));
    return n;
}
