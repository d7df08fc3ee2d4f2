/* What this machine gives a model: processors, memory, and how fast memory is read, which bounds how fast tokens come.
 *
 *     struct machine machine;
 *     TRY(machine_measure(&machine, error));          about a second
 */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "hob/status.h"

#include <stddef.h>
#include <stdint.h>

struct machine {
    size_t n_cores;               /* that this process may really use */
    uint64_t memory_bytes;        /* that it can still take; UINT64_MAX: the system does not say */
    double read_bytes_per_second; /* all cores together, from memory, not from a cache */
};

/* Fails: HOB_NO_MEMORY (for what is read to measure). */
HOB_MUST_CHECK hob_status machine_measure(struct machine *ret_machine, hob_error *error);

#endif
