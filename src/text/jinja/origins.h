/* Whose a byte of a text is: the template's, or a stranger's who wrote a message.
 *
 * Values live in memory until the rendering ends, so where a byte lies tells what it is. Texts with a stranger's bytes among them lie in
 * blocks of their own, which keep a mark beside each byte; slices of them need nothing. A writer is a buffer that copies marks along
 * with bytes, so whatever filters, operators and statements put together from texts has the marks of its pieces. Owns its blocks. One
 * thread at a time.
 *
 *     TRY(text_take(run, status, &out, &text));      a writer's text, with its marks, as a value
 */
#ifndef TEXT_JINJA_ORIGINS_H
#define TEXT_JINJA_ORIGINS_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n_reserved bytes, then as many marks. */
struct origin_block {
    char *bytes;
    size_t n_bytes, n_reserved;
};

struct origins {
    struct origin_block *blocks; /* by address */
    size_t n_blocks, blocks_reserved;
    size_t newest;               /* where the next text may lie */
    size_t total_bytes;
};

void origins_release(struct origins *origins); /* takes a zeroed one */
/* A copy of a text; marks of its first n_marked bytes, the others are the template's; NULL: all are foreign. NULL: memory is out. */
const char *origins_copy(struct origins *origins, const char *bytes, size_t n_bytes, const char *marks, size_t n_marked);
/* The marks of bytes, 1 for each that is foreign; NULL: all are the template's. */
const char *origins_marks(const struct origins *origins, const char *bytes);

struct writer {
    struct buffer text;
    struct buffer marks; /* of the text's first bytes; behind them all is the template's */
    const struct origins *origins;
};

void writer_release(struct writer *writer);
/* Bytes with the marks of where they lie. */
void writer_append(struct writer *writer, const char *bytes, size_t n_bytes);
/* What the template writes. */
void writer_string(struct writer *writer, const char *text);
void writer_byte(struct writer *writer, unsigned char byte);
void writer_character(struct writer *writer, uint32_t c);
void writer_printf(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was written from `from` on is made of these bytes: foreign where one of them is. */
void writer_mark(struct writer *writer, size_t from, const char *bytes, size_t n_bytes);

#endif
