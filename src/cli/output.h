/* Data for standard output, with its first failure remembered.
 *
 * After a failure every write does nothing and says false, so a command may write on and look once. A closed pipe is no
 * error: the reader has what it wanted, the command ends early and quietly. A full disk is one. Not thread-safe.
 *
 *     output_printf(output, "%d\n", n);
 *     if (!output_flush(output)) stop early
 *     return output_finish(output, STATUS_DONE);
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct output {
    FILE *stream;
    int error_number; /* errno of the first failure; 0: none */
};

bool output_write(struct output *output, const void *bytes, size_t n_bytes);
bool output_printf(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands everything to the reader now. */
bool output_flush(struct output *output);
/* Closes the stream and says what the program exits with: status, or 1 with a message when something was lost. */
int output_finish(struct output *output, int status);

#endif
