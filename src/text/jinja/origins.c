#include "text/jinja/origins.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 32 * 1024 };

void origins_release(struct origins *origins)
{
    for (size_t i = 0; i < origins->n_blocks; i++) memory_free(origins->blocks[i].bytes);
    memory_free(origins->blocks);
    *origins = (struct origins){0};
}

/* The first block behind an address. */
static size_t find_behind(const struct origins *origins, const char *bytes)
{
    size_t low = 0, high = origins->n_blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)origins->blocks[middle].bytes <= (uintptr_t)bytes) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct origin_block *add_block(struct origins *origins, size_t n_bytes)
{
    struct origin_block block = {.n_reserved = n_bytes > BLOCK_BYTES ? n_bytes : BLOCK_BYTES};
    if (origins->n_blocks == origins->blocks_reserved) {
        size_t n_wanted = origins->blocks_reserved * 2 + 8;
        struct origin_block *blocks = memory_resize(origins->blocks, n_wanted, sizeof *blocks);
        if (!blocks) return NULL;
        origins->blocks = blocks;
        origins->blocks_reserved = n_wanted;
    }
    block.bytes = memory_new(block.n_reserved, 2);
    if (!block.bytes) return NULL;
    size_t place = find_behind(origins, block.bytes);
    memmove(origins->blocks + place + 1, origins->blocks + place, (origins->n_blocks - place) * sizeof block);
    origins->blocks[place] = block;
    origins->n_blocks++;
    origins->total_bytes += 2 * block.n_reserved;
    origins->newest = place;
    return &origins->blocks[place];
}

const char *origins_copy(struct origins *origins, const char *bytes, size_t n_bytes, const char *marks, size_t n_marked)
{
    struct origin_block *block = origins->n_blocks ? &origins->blocks[origins->newest] : NULL;
    if (!n_bytes) return "";
    if (!block || block->n_reserved - block->n_bytes < n_bytes) block = add_block(origins, n_bytes);
    if (!block) return NULL;
    char *copy = block->bytes + block->n_bytes;
    memcpy(copy, bytes, n_bytes);
    if (!marks) memset(copy + block->n_reserved, 1, n_bytes);
    else if (n_marked) memcpy(copy + block->n_reserved, marks, n_marked);
    block->n_bytes += n_bytes;
    return copy;
}

const char *origins_marks(const struct origins *origins, const char *bytes)
{
    size_t behind = origins ? find_behind(origins, bytes) : 0;
    if (!behind) return NULL;
    const struct origin_block *block = &origins->blocks[behind - 1];
    bool is_within = (uintptr_t)bytes - (uintptr_t)block->bytes < block->n_bytes;
    return is_within ? bytes + block->n_reserved : NULL;
}

/* ---- writers ---- */

void writer_release(struct writer *writer)
{
    buffer_release(&writer->text);
    buffer_release(&writer->marks);
}

/* Marks up to a place, which may have been the template's only. */
static bool reach(struct writer *writer, size_t from)
{
    size_t n_missing = from > writer->marks.n_bytes ? from - writer->marks.n_bytes : 0;
    if (!buffer_reserve(&writer->marks, n_missing)) return false;
    if (n_missing) memset(writer->marks.bytes + writer->marks.n_bytes, 0, n_missing);
    writer->marks.n_bytes += n_missing;
    return true;
}

void writer_append(struct writer *writer, const char *bytes, size_t n_bytes)
{
    size_t from = writer->text.n_bytes;
    if (!buffer_append(&writer->text, bytes, n_bytes) || !n_bytes) return;
    const char *marks = origins_marks(writer->origins, bytes);
    if (!marks) return;
    if (!reach(writer, from) || !buffer_append(&writer->marks, marks, n_bytes)) writer->text.is_failed = true;
}

void writer_string(struct writer *writer, const char *text)
{
    buffer_append_string(&writer->text, text);
}

void writer_byte(struct writer *writer, unsigned char byte)
{
    buffer_append_byte(&writer->text, byte);
}

void writer_character(struct writer *writer, uint32_t c)
{
    unicode_append(&writer->text, c);
}

void writer_printf(struct writer *writer, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    writer_string(writer, text);
}

void writer_mark(struct writer *writer, size_t from, const char *bytes, size_t n_bytes)
{
    size_t to = writer->text.n_bytes;
    const char *marks = n_bytes && !writer->text.is_failed ? origins_marks(writer->origins, bytes) : NULL;
    if (!marks || !memchr(marks, 1, n_bytes) || to <= from) return;
    if (!reach(writer, to)) writer->text.is_failed = true;
    else memset(writer->marks.bytes + from, 1, to - from);
}
