/* Lays out first, sums, then writes from front to back: header, table, sections, weights. */
#include "formats/pack_write.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/output_file.h"
#include "base/size.h"

#include <string.h>

enum { PIECE_BYTES = 8 << 20 };

struct layout {
    struct pack_section sections[PACK_N_SECTIONS];
    uint64_t n_file_bytes;
};

static const unsigned char zeros[PACK_WEIGHTS_ALIGNMENT];

static void report(const struct pack_content *content, const char *what, uint64_t done, uint64_t whole)
{
    if (content->progress) content->progress(content->progress_context, what, whole ? (double)done / (double)whole : 1.0);
}

static uint64_t sum_weights(const struct pack_content *content)
{
    const struct pack_weights *weights = content->weights;
    struct checksum checksum;
    uint64_t end = 0;
    checksum_init(&checksum);
    for (size_t i = 0; i < weights->n_blobs; i++) {
        const struct pack_blob *blob = &weights->blobs[i];
        checksum_add(&checksum, zeros, blob->offset - end);
        checksum_add(&checksum, blob->bytes, blob->n_bytes);
        end = blob->offset + blob->n_bytes;
        report(content, "summing", end, weights->n_bytes);
    }
    return checksum_finish(&checksum);
}

static void lay_out(const struct pack_content *content, struct layout *layout)
{
    uint64_t end = PACK_HEADER_BYTES + (uint64_t)PACK_N_SECTIONS * PACK_ENTRY_BYTES;
    for (int id = 0; id < PACK_N_SECTIONS; id++) {
        const struct buffer *bytes = &content->sections[id];
        bool is_weights = id == PACK_WEIGHTS;
        struct pack_section *section = &layout->sections[id];
        section->offset = size_align(end, is_weights ? PACK_WEIGHTS_ALIGNMENT : PACK_ALIGNMENT);
        section->n_bytes = is_weights ? content->weights->n_bytes : bytes->n_bytes;
        section->checksum = is_weights ? sum_weights(content) : checksum_bytes(bytes->bytes, bytes->n_bytes);
        end = section->offset + section->n_bytes;
    }
    layout->n_file_bytes = end;
}

/* The checksum of header and table stands in the header, and counts as zero there. */
static void put_header(const struct pack_content *content, const struct layout *layout, uint64_t checksum, struct buffer *bytes)
{
    buffer_clear(bytes);
    buffer_append(bytes, pack_magic, sizeof pack_magic);
    record_put_u32(bytes, PACK_VERSION);
    record_put_u32(bytes, PACK_N_SECTIONS);
    record_put_u64(bytes, layout->n_file_bytes);
    record_put_u64(bytes, checksum);
    buffer_append(bytes, content->source_sha256, SHA256_BYTES);
    for (int id = 0; id < PACK_N_SECTIONS; id++) {
        char name[PACK_NAME_BYTES] = "";
        const char *text = pack_section_name((enum pack_section_id)id);
        memcpy(name, text, strlen(text));
        buffer_append(bytes, name, sizeof name);
        record_put_u64(bytes, layout->sections[id].offset);
        record_put_u64(bytes, layout->sections[id].n_bytes);
        record_put_u64(bytes, layout->sections[id].checksum);
        buffer_append(bytes, zeros, PACK_ENTRY_BYTES - PACK_NAME_BYTES - 3 * sizeof(uint64_t));
    }
}

static void write_weights(const struct pack_content *content, struct output_file *file)
{
    const struct pack_weights *weights = content->weights;
    uint64_t end = 0;
    for (size_t i = 0; i < weights->n_blobs; i++) {
        const struct pack_blob *blob = &weights->blobs[i];
        output_file_write(file, zeros, blob->offset - end);
        for (size_t at = 0; at < blob->n_bytes; at += PIECE_BYTES) {
            size_t n_left = blob->n_bytes - at;
            output_file_write(file, (const char *)blob->bytes + at, n_left < PIECE_BYTES ? n_left : PIECE_BYTES);
            report(content, "writing", blob->offset + at, weights->n_bytes);
        }
        end = blob->offset + blob->n_bytes;
    }
}

static hob_status write_file(const char *path, const struct pack_content *content, const struct layout *layout,
                             const struct buffer *header, hob_error *error)
{
    struct output_file *file;
    uint64_t end = header->n_bytes;
    TRY(output_file_open(path, &file, error));
    output_file_write(file, header->bytes, header->n_bytes);
    for (int id = 0; id < PACK_N_SECTIONS; id++) {
        const struct pack_section *section = &layout->sections[id];
        output_file_write(file, zeros, section->offset - end);
        if (id == PACK_WEIGHTS) write_weights(content, file);
        else output_file_write(file, content->sections[id].bytes, content->sections[id].n_bytes);
        end = section->offset + section->n_bytes;
    }
    return output_file_commit(file, error);
}

hob_status pack_write(const char *path, const struct pack_content *content, hob_error *error)
{
    struct layout layout;
    struct buffer header = {0};
    lay_out(content, &layout);
    put_header(content, &layout, 0, &header);
    put_header(content, &layout, checksum_bytes(header.bytes, header.n_bytes), &header);
    hob_status status = header.is_failed ? error_set(error, HOB_NO_MEMORY, ERROR_HERE, "%s: out of memory", path)
                                         : write_file(path, content, &layout, &header, error);
    buffer_release(&header);
    return status;
}
