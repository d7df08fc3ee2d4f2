/* A folder for a test's own files, gone at its end.
 *
 *     struct scratch_folder folder;
 *     scratch_folder_make(&folder);
 *     scratch_folder_write(&folder, "config.json", "{}");
 *     scratch_folder_remove(&folder);
 */
#ifndef TESTS_MODELS_SCRATCH_FOLDER_H
#define TESTS_MODELS_SCRATCH_FOLDER_H

#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch_folder {
    char path[64];
};

static inline void scratch_folder_make(struct scratch_folder *folder)
{
    snprintf(folder->path, sizeof folder->path, P_tmpdir "/hob-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

/* name may have one folder in it. */
static inline void scratch_folder_write(const struct scratch_folder *folder, const char *name, const char *text)
{
    char path[256];
    const char *slash = strchr(name, '/');
    if (slash) {
        snprintf(path, sizeof path, "%s/%.*s", folder->path, (int)(slash - name), name);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static inline int scratch_folder_remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline void scratch_folder_remove(const struct scratch_folder *folder)
{
    nftw(folder->path, scratch_folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
