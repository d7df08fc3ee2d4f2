/* A kernel table as an instruction set offers it: the slots it has (NULL elsewhere: the worse table's) and whether this
 * machine can run them. Table files stand outside the instruction sets' folders because they must run on every machine. */
#ifndef KERNELS_TABLE_H
#define KERNELS_TABLE_H

#include "kernels/kernels.h"

struct kernel_table_def {
    bool (*is_supported)(void);
    struct kernels kernels;
};

#endif
