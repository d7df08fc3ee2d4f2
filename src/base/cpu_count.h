/* How many processors this process may really use. Thread-safe; reads the system anew on every call.
 *
 *     size_t n_threads = cpu_count();
 */
#ifndef BASE_CPU_COUNT_H
#define BASE_CPU_COUNT_H

#include <stddef.h>

/* The processors of the affinity mask, but not more than the cgroup's quota pays for; at least 1. */
size_t cpu_count(void);

/* The tightest CPU quota above a process, in whole processors rounded up; 0: no quota, or none that can be read.
 * own_cgroup: a file like /proc/self/cgroup. root: where the cgroups are mounted, like /sys/fs/cgroup. */
size_t cpu_count_quota(const char *own_cgroup, const char *root);

#endif
