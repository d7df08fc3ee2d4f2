/* A process's sockets are the inodes behind its descriptors; the tables of /proc/PID/net say which of them belong to a network. */
#include "cli/local_proof.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- /proc/PID/status, maps, ns ---- */

/* Calls on_line for each line of /proc/PID/NAME. */
static bool for_lines(pid_t pid, const char *name, void (*on_line)(struct local_proof *proof, const char *line),
                      struct local_proof *proof)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    while (fgets(line, sizeof line, file)) on_line(proof, line);
    fclose(file);
    return true;
}

static void on_status(struct local_proof *proof, const char *line)
{
    if (!strncmp(line, "Seccomp:\t2", 10)) proof->has_seccomp = true;
    if (!strncmp(line, "NoNewPrivs:\t1", 13)) proof->has_no_new_privileges = true;
}

static void on_map(struct local_proof *proof, const char *line)
{
    if (strstr(line, "/libcurl")) proof->has_curl = true;
}

static bool has_own_namespace(pid_t pid)
{
    char path[64], theirs[64] = "", ours[64] = "";
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    return readlink(path, theirs, sizeof theirs - 1) > 0 && readlink("/proc/self/ns/net", ours, sizeof ours - 1) > 0 &&
           strcmp(theirs, ours) != 0;
}

/* ---- sockets ---- */

enum { MOST_INODES = 65536 };

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool read_inodes(pid_t pid, uint64_t *items, size_t *ret_n_items)
{
    char path[64], target[64];
    size_t n_items = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (!folder) return false;
    for (struct dirent *entry; (entry = readdir(folder)) && n_items < MOST_INODES;) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = 0;
        if (!strncmp(target, "socket:[", 8)) items[n_items++] = strtoull(target + 8, NULL, 10);
    }
    closedir(folder);
    qsort(items, n_items, sizeof *items, compare);
    *ret_n_items = n_items;
    return true;
}

/* "0100007F:1F90": the address as the processor has it in memory, and the port. Returns whether it is one of this machine, or none. */
static bool read_address(const char *text, char *ret_text, size_t n_bytes)
{
    uint32_t words[4] = {0};
    size_t n_words = strcspn(text, ":") / 8;
    char shown[INET6_ADDRSTRLEN] = "?";
    for (size_t i = 0; i < n_words && i < 4; i++) {
        char word[9] = "";
        memcpy(word, text + 8 * i, 8);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    const char *port = text + strcspn(text, ":");
    inet_ntop(n_words == 4 ? AF_INET6 : AF_INET, words, shown, sizeof shown);
    snprintf(ret_text, n_bytes, "%s:%lu", shown, *port ? strtoul(port + 1, NULL, 16) : 0);
    return !strncmp(shown, "127.", 4) || !strcmp(shown, "::1") || !strcmp(shown, "0.0.0.0") || !strcmp(shown, "::");
}

/* A listener at 0.0.0.0 is open to others although it has no peer. */
static void note_socket(struct local_proof *proof, const char *protocol, const char *local, const char *remote)
{
    char here[64], there[64];
    bool is_local = read_address(local, here, sizeof here), is_local_peer = read_address(remote, there, sizeof there);
    bool is_open_to_all = (!strncmp(here, "0.0.0.0:", 8) || !strncmp(here, ":::", 3)) && strcmp(here, "0.0.0.0:0") != 0;
    if (proof->n_network_sockets < LOCAL_PROOF_MOST_SOCKETS)
        snprintf(proof->sockets[proof->n_network_sockets], LOCAL_PROOF_SOCKET_BYTES, "%s %.40s -> %.40s", protocol,
                 here, there);
    proof->n_network_sockets++;
    if (!is_local || !is_local_peer || is_open_to_all) proof->n_foreign_sockets++;
}

/* A table of internet sockets: "sl local remote st tx:rx tr:when retrnsmt uid timeout inode". */
static void read_table(struct local_proof *proof, const char *protocol, const uint64_t *inodes, size_t n_inodes)
{
    char path[64], line[512], local[64], remote[64];
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)proof->pid, protocol);
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        unsigned long long inode;
        if (sscanf(line, " %*d: %63s %63s %*x %*x:%*x %*x:%*x %*x %*u %*u %llu", local, remote, &inode) != 3) continue;
        if (n_inodes && bsearch(&(uint64_t){inode}, inodes, n_inodes, sizeof *inodes, compare))
            note_socket(proof, protocol, local, remote);
    }
    fclose(file);
}

/* Tables whose rows only say an inode somewhere: netlink's last, packet's last column. */
static void read_other_table(struct local_proof *proof, const char *protocol, const uint64_t *inodes, size_t n_inodes)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", (int)proof->pid, protocol);
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        size_t n = strlen(line);
        while (n && (line[n - 1] == '\n' || line[n - 1] == ' ')) line[--n] = 0;
        const char *last = strrchr(line, ' ');
        uint64_t inode = last ? strtoull(last + 1, NULL, 10) : 0;
        if (!inode || !bsearch(&inode, inodes, n_inodes, sizeof *inodes, compare)) continue;
        if (proof->n_network_sockets < LOCAL_PROOF_MOST_SOCKETS)
            snprintf(proof->sockets[proof->n_network_sockets], LOCAL_PROOF_SOCKET_BYTES, "%s", protocol);
        proof->n_network_sockets++;
        proof->n_foreign_sockets++;
    }
    fclose(file);
}

static bool read_sockets(struct local_proof *proof)
{
    static const char *const tables[] = {"tcp",      "tcp6", "udp",  "udp6", "udplite",
                                         "udplite6", "raw",  "raw6", "icmp", "icmp6"};
    size_t n_inodes = 0;
    uint64_t *inodes = memory_new(MOST_INODES, sizeof *inodes);
    bool is_read = inodes && read_inodes(proof->pid, inodes, &n_inodes);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) read_table(proof, tables[i], inodes, n_inodes);
    read_other_table(proof, "packet", inodes, n_inodes);
    read_other_table(proof, "netlink", inodes, n_inodes);
    proof->n_unix_sockets = n_inodes - (proof->n_network_sockets < n_inodes ? proof->n_network_sockets : n_inodes);
    memory_free(inodes);
    return is_read;
}

void local_proof_make(pid_t pid, struct local_proof *ret_proof)
{
    *ret_proof = (struct local_proof){.pid = pid};
    bool is_read = for_lines(pid, "status", on_status, ret_proof);
    is_read &= for_lines(pid, "maps", on_map, ret_proof);
    ret_proof->has_own_namespace = has_own_namespace(pid);
    ret_proof->is_readable = is_read && read_sockets(ret_proof);
}

/* ---- trying ---- */

/* In the child: the probes as they lie in memory, through the pipe; what they are called is in static memory of both. */
static void try_in_child(int out)
{
    struct no_network_probe probes[NO_NETWORK_MOST_PROBES];
    if (no_network_enforce(NULL) != HOB_OK) _exit(1);
    size_t n_bytes = no_network_probe(probes) * sizeof *probes;
    _exit(write(out, probes, n_bytes) == (ssize_t)n_bytes ? 0 : 1);
}

size_t local_proof_try(struct no_network_probe ret_probes[NO_NETWORK_MOST_PROBES], bool *ret_is_enforced)
{
    int ends[2], status = 1;
    *ret_is_enforced = false;
    if (pipe(ends) != 0) return 0;
    pid_t child = fork();
    if (!child) try_in_child(ends[1]);
    close(ends[1]);
    ssize_t n_bytes = child > 0 ? read(ends[0], ret_probes, NO_NETWORK_MOST_PROBES * sizeof *ret_probes) : 0;
    close(ends[0]);
    bool has_ended = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    size_t n_probes = n_bytes > 0 ? (size_t)n_bytes / sizeof *ret_probes : 0;
    *ret_is_enforced = has_ended && n_probes > 0;
    for (size_t i = 0; i < n_probes; i++) *ret_is_enforced &= ret_probes[i].is_refused;
    return n_probes;
}
