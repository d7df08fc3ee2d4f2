/* A model's file or folder as the system sees it: how large, how old, and a digest that changes with it. */
#ifndef SERVER_MODEL_FILE_H
#define SERVER_MODEL_FILE_H

#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>

struct model_file {
    uint64_t n_bytes;
    int64_t modified_s;
    unsigned char digest[SHA256_BYTES]; /* of path, sizes and times of change */
};

/* false: it is not there, or may not be read (errno). */
bool model_file_look(const char *path, struct model_file *ret_file);

#endif
