/* Sizes and times as people write them: "512MiB", "1.5 GB", "90", "5m", "1h30m". Thread-safe. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits alone. */
bool units_read_whole(const char *text, uint64_t *ret_number);
/* A number and perhaps a unit: B; K M G T, Ki… and KiB…: powers of 1024; kB KB MB GB TB: of 1000. false: it is none, or has more than 64
 * bits. */
bool units_read_bytes(const char *text, uint64_t *ret_n_bytes);
/* Numbers with ms s m h d, added up; without a unit: seconds. false: it is none, or not finite. */
bool units_read_seconds(const char *text, double *ret_seconds);

/* The shortest that reads back as the same: "512MiB", "1000". */
void units_write_bytes(uint64_t n_bytes, char text[static 32]);

#endif
