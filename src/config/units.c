#include "config/units.h"
#include "base/size.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

#define KIBI 1024.0
static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"K", KIBI},
    {"Ki", KIBI},
    {"KiB", KIBI},
    {"kB", 1e3},
    {"KB", 1e3},
    {"M", KIBI *KIBI},
    {"Mi", KIBI *KIBI},
    {"MiB", KIBI *KIBI},
    {"MB", 1e6},
    {"G", KIBI *KIBI *KIBI},
    {"Gi", KIBI *KIBI *KIBI},
    {"GiB", KIBI *KIBI *KIBI},
    {"GB", 1e9},
    {"T", KIBI *KIBI *KIBI *KIBI},
    {"Ti", KIBI *KIBI *KIBI *KIBI},
    {"TiB", KIBI *KIBI *KIBI *KIBI},
    {"TB", 1e12},
};
static const struct unit times[] = {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

static const struct unit *find_unit(const struct unit *units, size_t n_units, const char *name, size_t n_bytes)
{
    for (size_t i = 0; i < n_units; i++)
        if (strlen(units[i].name) == n_bytes && !memcmp(units[i].name, name, n_bytes)) return &units[i];
    return NULL;
}

/* Takes digits and perhaps a point; strtod alone would take "inf", "0x1" and "-1" too. */
static bool take_number(const char **at, double *ret_number)
{
    const char *end = *at;
    while (isdigit((unsigned char)*end)) end++;
    if (end == *at) return false;
    if (*end == '.' && isdigit((unsigned char)end[1])) {
        end++;
        while (isdigit((unsigned char)*end)) end++;
    }
    *ret_number = strtod(*at, NULL);
    *at = end;
    return true;
}

/* A number, blanks, letters. */
static bool take_quantity(const char **at, const struct unit *units, size_t n_units, double *ret_number,
                          double *ret_factor)
{
    if (!take_number(at, ret_number)) return false;
    while (**at == ' ') ++*at;
    size_t n_letters = 0;
    while (isalpha((unsigned char)(*at)[n_letters])) n_letters++;
    const struct unit *unit = find_unit(units, n_units, *at, n_letters);
    if (!unit) return false;
    *at += n_letters;
    *ret_factor = unit->factor;
    return true;
}

bool units_read_whole(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text)) return false;
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    }
    *ret_number = number;
    return true;
}

bool units_read_bytes(const char *text, uint64_t *ret_n_bytes)
{
    double number, factor;
    if (units_read_whole(text, ret_n_bytes)) return true; /* exact beyond 2^53 too */
    if (!take_quantity(&text, sizes, ARRAY_LENGTH(sizes), &number, &factor) || *text) return false;
    double n_bytes = floor(number * factor);
    if (!(n_bytes < 18446744073709551616.0)) return false;
    *ret_n_bytes = (uint64_t)n_bytes;
    return true;
}

bool units_read_seconds(const char *text, double *ret_seconds)
{
    double seconds = 0;
    do {
        double number, factor;
        if (!take_quantity(&text, times, ARRAY_LENGTH(times), &number, &factor)) return false;
        seconds += number * factor;
    } while (*text);
    if (!isfinite(seconds)) return false;
    *ret_seconds = seconds;
    return true;
}

void units_write_bytes(uint64_t n_bytes, char text[static 32])
{
    static const char *const names[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (unit + 1 < ARRAY_LENGTH(names) && n_bytes && n_bytes % 1024 == 0) {
        n_bytes /= 1024;
        unit++;
    }
    snprintf(text, 32, "%llu%s", (unsigned long long)n_bytes, names[unit]);
}
