#include "base/available_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 4096 };

/* Where a version keeps its numbers. Below a limit counts what is in use less the files' pages that go at once when memory is wanted. */
struct group_files {
    const char *mount, *limit, *usage, *reclaimable;
};
static const struct group_files version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};
static const struct group_files version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};

/* The number behind the first line's beginning; "": of the first line. */
static bool read_number(const char *path, const char *beginning, uint64_t *ret_number)
{
    char line[LINE_BYTES], *end;
    bool is_found = false;
    FILE *stream = fopen(path, "re");
    if (!stream) return false;
    while (!is_found && fgets(line, sizeof line, stream)) {
        const char *digits = line + strlen(beginning);
        if (strncmp(line, beginning, strlen(beginning))) continue;
        errno = 0;
        *ret_number = strtoull(digits, &end, 10);
        is_found = end != digits && !errno;
    }
    fclose(stream);
    return is_found;
}

static bool read_group(const char *root, const struct group_files *files, const char *group, const char *name, const char *beginning,
                       uint64_t *ret_number)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s/%s", root, files->mount, group, name);
    return n > 0 && (size_t)n < sizeof path && read_number(path, beginning, ret_number);
}

/* "max", which is no number, is no limit. */
static uint64_t left_in_group(const char *root, const struct group_files *files, const char *group)
{
    uint64_t limit, usage, reclaimable = 0;
    if (!read_group(root, files, group, files->limit, "", &limit)) return UINT64_MAX;
    if (!read_group(root, files, group, files->usage, "", &usage)) return limit;
    if (read_group(root, files, group, "memory.stat", files->reclaimable, &reclaimable)) usage -= reclaimable < usage ? reclaimable : usage;
    return usage < limit ? limit - usage : 0;
}

/* A group has no more than those it is in. Inside a container the path is one of outside: only the top is there. */
static uint64_t left_in_groups(const char *root, const struct group_files *files, char *group)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        uint64_t left = left_in_group(root, files, group);
        if (left < least) least = left;
        char *slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

static bool lists_memory(const char *controllers)
{
    for (const char *at = strstr(controllers, "memory"); at; at = strstr(at + 1, "memory"))
        if ((at == controllers || at[-1] == ',') && (at[6] == '\0' || at[6] == ',')) return true;
    return false;
}

/* A line "ID:CONTROLLERS:PATH". */
static uint64_t left_by_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return UINT64_MAX;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (!strcmp(++controllers, "")) return left_in_groups(root, &version_2, group);
    return lists_memory(controllers) ? left_in_groups(root, &version_1, group) : UINT64_MAX;
}

uint64_t available_memory(const char *root)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    uint64_t least = UINT64_MAX, kilobytes;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemAvailable:", &kilobytes) && kilobytes < UINT64_MAX / 1024) least = kilobytes * 1024;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *stream = fopen(path, "re");
    while (stream && fgets(line, sizeof line, stream)) {
        uint64_t left = left_by_line(root, line);
        if (left < least) least = left;
    }
    if (stream) fclose(stream);
    return least;
}
