/* Writing and reading records of plain fields, little endian, one behind the other: what a pack's sections are made of.
 *
 * Arrays stand on a multiple of RECORD_ALIGNMENT bytes from the record's beginning, so that a record whose beginning is
 * aligned so (a mapped file's) hands out its arrays where they lie. Texts have a NUL behind them.
 *
 * Both sides are sticky: after a failure everything reads as zero, and one look at the end says so. The writer owns its bytes;
 * the reader owns nothing, and what it hands out lives as long as the bytes. Not thread-safe.
 *
 *     struct buffer bytes = {0};
 *     record_put_u32(&bytes, 7);
 *     record_put_text(&bytes, "abc", 3);
 *     if (bytes.is_failed) …
 *
 *     struct record_reader reader = record_reader_over(bytes, n_bytes);
 *     uint32_t seven = record_u32(&reader);
 *     size_t n_text;
 *     const char *text = record_text(&reader, &n_text);
 *     if (!record_is_read(&reader)) …                 too short, or something is left over
 */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_ALIGNMENT = 64 };

void record_put_u8(struct buffer *bytes, uint8_t number);
void record_put_u32(struct buffer *bytes, uint32_t number);
void record_put_u64(struct buffer *bytes, uint64_t number);
void record_put_i64(struct buffer *bytes, int64_t number);
void record_put_f32(struct buffer *bytes, float number);
void record_put_f64(struct buffer *bytes, double number);
/* text NULL is kept apart from an empty one. */
void record_put_text(struct buffer *bytes, const char *text, size_t n_bytes);
/* n_items of item_bytes each, aligned; item_bytes is not written. */
void record_put_array(struct buffer *bytes, const void *items, size_t n_items, size_t item_bytes);

struct record_reader {
    const unsigned char *start, *at, *end;
    bool is_bad;
};

struct record_reader record_reader_over(const void *bytes, size_t n_bytes);
/* Everything was there, and nothing more. */
bool record_is_read(const struct record_reader *reader);

uint8_t record_u8(struct record_reader *reader);
uint32_t record_u32(struct record_reader *reader);
uint64_t record_u64(struct record_reader *reader);
int64_t record_i64(struct record_reader *reader);
float record_f32(struct record_reader *reader);
double record_f64(struct record_reader *reader);
/* A byte that is 0 or 1. */
bool record_bool(struct record_reader *reader);
/* A number of things of at least least_bytes each that follow: never more than the bytes left could hold. */
uint32_t record_count(struct record_reader *reader, size_t least_bytes);
/* NUL-terminated; NULL when NULL was written, and on failure. ret_n_bytes may be NULL. */
const char *record_text(struct record_reader *reader, size_t *ret_n_bytes);
/* As record_text, but never NULL, and NULL or a NUL inside is a failure: a name. */
const char *record_name(struct record_reader *reader);
/* NULL on failure only. */
const void *record_array(struct record_reader *reader, size_t item_bytes, size_t *ret_n_items);
void record_fail(struct record_reader *reader);

#endif
