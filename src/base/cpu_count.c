/* A container is often given all processors in its affinity mask and two of them by quota: more threads than the quota pays
 * for are throttled together, so the quota counts. Both cgroup versions are read; a quota may sit on any ancestor. */
#include "base/cpu_count.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CPUS = 8192, PATH_BYTES = 4096 };

static size_t count_affinity(void)
{
    cpu_set_t sets[MAX_CPUS / CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
    return (size_t)CPU_COUNT_S(sizeof sets, sets);
}

/* Fills line with the first line of folder/name; false when there is none. */
static bool read_line(const char *folder, const char *name, char *line, size_t line_bytes)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) return false;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool is_read = fgets(line, (int)line_bytes, file) != NULL;
    fclose(file);
    return is_read;
}

/* Microseconds of processor time a period: 0 when unlimited. */
static size_t processors(const char *quota_text, const char *period_text)
{
    long quota_us = strtol(quota_text, NULL, 10), period_us = strtol(period_text, NULL, 10);
    if (quota_us <= 0 || period_us <= 0) return 0; /* "max" (v2) and -1 (v1) mean no limit */
    return (size_t)(quota_us / period_us + (quota_us % period_us != 0));
}

static size_t folder_quota(const char *folder)
{
    char quota[64], period[64];
    if (read_line(folder, "cpu.max", quota, sizeof quota)) {
        const char *space = strchr(quota, ' ');
        return space ? processors(quota, space) : 0;
    }
    if (read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota) &&
        read_line(folder, "cpu.cfs_period_us", period, sizeof period))
        return processors(quota, period);
    return 0;
}

/* The least quota of root/path and of every folder above it down to root. */
static size_t least_quota(const char *root, const char *path)
{
    char folder[PATH_BYTES];
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", root, path) >= sizeof folder) return 0;
    size_t least = 0, root_length = strlen(root);
    for (;;) {
        size_t quota = folder_quota(folder);
        if (quota && (!least || quota < least)) least = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || slash < folder + root_length) return least;
        *slash = '\0';
    }
}

static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ',') && (at[n] == '\0' || at[n] == ',')) return true;
    return false;
}

/* A line is "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1); v1 mounts the controllers' list as a folder below root. */
static size_t line_quota(char *line, const char *root)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return 0;
    controllers++;
    *path++ = '\0';
    if (!*controllers) return least_quota(root, path);
    if (!list_has(controllers, "cpu")) return 0;
    char mount[PATH_BYTES];
    if ((size_t)snprintf(mount, sizeof mount, "%s/%s", root, controllers) >= sizeof mount) return 0;
    return least_quota(mount, path);
}

size_t cpu_count_quota(const char *own_cgroup, const char *root)
{
    FILE *file = fopen(own_cgroup, "re");
    if (!file) return 0;
    char line[PATH_BYTES];
    size_t least = 0;
    while (fgets(line, sizeof line, file)) {
        size_t quota = line_quota(line, root);
        if (quota && (!least || quota < least)) least = quota;
    }
    fclose(file);
    return least;
}

size_t cpu_count(void)
{
    size_t n = count_affinity();
    size_t quota = cpu_count_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota && quota < n) n = quota;
    return n ? n : 1;
}
