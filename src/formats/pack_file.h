/* Packs (.hob): a compiled model in one file that is mapped, not loaded. docs/pack-format.md is the specification.
 *
 * A pack is a header, a table of sections and the sections. Opening checks the header, the table and every section but the
 * weights against their checksums, and that all of it lies inside the file. Weights are bounds-checked, not summed: that would read
 * the whole file (pack_check_section does, for whoever wants it).
 *
 * A struct pack owns its map; what it hands out points into it. Immutable after opening: threads may share it.
 *
 *     struct pack *pack;
 *     TRY(pack_open("model.hob", &pack, error));
 *     struct record_reader reader = pack_read(pack, PACK_TOKENIZER);
 *     pack_free(pack);
 */
#ifndef FORMATS_PACK_FILE_H
#define FORMATS_PACK_FILE_H

#include "base/mapped_file.h"
#include "base/record.h"
#include "base/sha256.h"
#include "hob/status.h"

/* Raised by any change to the container, to what a section holds, to the meaning of an operator of the domain hob, or to the
 * order of panels: a pack is read by the version that wrote it, and made anew from its source otherwise. */
enum { PACK_VERSION = 3 };

enum { PACK_NAME_BYTES = 16, PACK_HEADER_BYTES = 64, PACK_ENTRY_BYTES = 64, PACK_ALIGNMENT = 64, PACK_WEIGHTS_ALIGNMENT = 4096 };

/* In this order in the file; all of them are always there, perhaps empty. */
enum pack_section_id {
    PACK_SOURCE,        /* what the pack was made from, and how */
    PACK_MODEL,         /* what the engine knows of the model beside its graph */
    PACK_GRAPH,
    PACK_TOKENIZER,     /* empty: the model has none */
    PACK_CHAT_TEMPLATE, /* Jinja text */
    PACK_REPORT,        /* JSON text: what quantising cost */
    PACK_WEIGHTS,
    PACK_N_SECTIONS
};

struct pack_section {
    const char *name;
    uint64_t offset, n_bytes, checksum;
};

struct pack {
    struct mapped_file map; /* bytes of pack_parse are the caller's */
    bool owns_map;
    unsigned char source_sha256[SHA256_BYTES];
    struct pack_section sections[PACK_N_SECTIONS];
};

bool pack_is_pack(const unsigned char *bytes, size_t n_bytes); /* by its first bytes */

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE (truncated, damaged), HOB_UNSUPPORTED (another version), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status pack_open(const char *path, struct pack **ret_pack, hob_error *error);
/* The same for bytes in memory, aligned to 64, which must live as long as the pack. The message names no file. */
HOB_MUST_CHECK hob_status pack_parse(const void *bytes, size_t n_bytes, struct pack **ret_pack, hob_error *error);
void pack_free(struct pack *pack); /* takes NULL */

const void *pack_bytes(const struct pack *pack, enum pack_section_id section, size_t *ret_n_bytes);
struct record_reader pack_read(const struct pack *pack, enum pack_section_id section);
/* Sums the section's bytes. Fails: HOB_BAD_FILE. */
HOB_MUST_CHECK hob_status pack_check_section(const struct pack *pack, enum pack_section_id section, hob_error *error);

/* ---- for the writer ---- */
const char *pack_section_name(enum pack_section_id section);
extern const unsigned char pack_magic[8];

#endif
