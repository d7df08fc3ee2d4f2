/* The container of a pack. Every number that a file gives is checked before it is used; what is
 * wrong with a file is told in the order in which a person would want to know: not a pack, another version, cut short, damaged. */
#include "formats/pack_file.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size.h"

#include <inttypes.h>
#include <string.h>

/* A byte above 127, a line end of DOS and one of Unix, and DOS' end of file: damaged by whatever takes it for text. */
const unsigned char pack_magic[8] = {0x89, 'H', 'O', 'B', '\r', '\n', 0x1A, '\n'};

enum { CHECKSUM_OFFSET = 24 };

static const char *const names[PACK_N_SECTIONS] = {
    [PACK_SOURCE] = "source",       [PACK_MODEL] = "model",   [PACK_GRAPH] = "graph",    [PACK_TOKENIZER] = "tokenizer",
    [PACK_CHAT_TEMPLATE] = "chat_template", [PACK_REPORT] = "report", [PACK_WEIGHTS] = "weights"};

const char *pack_section_name(enum pack_section_id section)
{
    return names[section];
}

bool pack_is_pack(const unsigned char *bytes, size_t n_bytes)
{
    return n_bytes >= sizeof pack_magic && !memcmp(bytes, pack_magic, sizeof pack_magic);
}

struct header {
    uint32_t version, n_sections;
    uint64_t file_bytes, checksum;
};

static hob_status read_header(const struct pack *pack, struct header *ret_header, hob_error *error)
{
    struct record_reader reader = record_reader_over(pack->map.bytes, pack->map.n_bytes);
    struct header header;
    if (!pack_is_pack(pack->map.bytes, pack->map.n_bytes)) FAIL(error, HOB_BAD_FILE, "not a pack: its first bytes are others");
    record_u64(&reader);
    header.version = record_u32(&reader);
    header.n_sections = record_u32(&reader);
    header.file_bytes = record_u64(&reader);
    header.checksum = record_u64(&reader);
    if (pack->map.n_bytes < PACK_HEADER_BYTES)
        FAIL(error, HOB_BAD_FILE, "the pack is cut short: found %zu bytes, expected at least %d", pack->map.n_bytes, PACK_HEADER_BYTES);
    if (header.version != PACK_VERSION)
        FAIL(error, HOB_UNSUPPORTED, "found a pack of version %" PRIu32 ", expected version %d: make it anew with hob import",
             header.version, PACK_VERSION);
    if (header.file_bytes != pack->map.n_bytes)
        FAIL(error, HOB_BAD_FILE, "the pack is %s: found %zu bytes, expected %" PRIu64,
             pack->map.n_bytes < header.file_bytes ? "cut short" : "too long", pack->map.n_bytes, header.file_bytes);
    *ret_header = header;
    return HOB_OK;
}

/* Over header and table, the checksum itself taken for zeros. */
static hob_status check_table(const struct pack *pack, const struct header *header, hob_error *error)
{
    static const unsigned char zeros[sizeof header->checksum];
    size_t table_end = PACK_HEADER_BYTES + (size_t)header->n_sections * PACK_ENTRY_BYTES;
    size_t behind = CHECKSUM_OFFSET + sizeof zeros;
    if (header->n_sections != PACK_N_SECTIONS || table_end > pack->map.n_bytes)
        FAIL(error, HOB_BAD_FILE, "the header is damaged: found %" PRIu32 " sections, expected %d", header->n_sections, PACK_N_SECTIONS);
    struct checksum checksum;
    checksum_init(&checksum);
    checksum_add(&checksum, pack->map.bytes, CHECKSUM_OFFSET);
    checksum_add(&checksum, zeros, sizeof zeros);
    checksum_add(&checksum, pack->map.bytes + behind, table_end - behind);
    uint64_t found = checksum_finish(&checksum);
    if (found != header->checksum)
        FAIL(error, HOB_BAD_FILE, "the header is damaged: found checksum %016" PRIx64 ", expected %016" PRIx64, found, header->checksum);
    return HOB_OK;
}

static hob_status read_section(struct pack *pack, enum pack_section_id id, hob_error *error)
{
    struct record_reader reader =
        record_reader_over(pack->map.bytes + PACK_HEADER_BYTES + (size_t)id * PACK_ENTRY_BYTES, PACK_ENTRY_BYTES);
    struct pack_section *section = &pack->sections[id];
    char name[PACK_NAME_BYTES + 1] = "";
    memcpy(name, reader.at, PACK_NAME_BYTES);
    if (strcmp(name, names[id])) FAIL(error, HOB_BAD_FILE, "section %d: found \"%.16s\", expected \"%s\"", (int)id, name, names[id]);
    reader.at += PACK_NAME_BYTES;
    section->name = names[id];
    section->offset = record_u64(&reader);
    section->n_bytes = record_u64(&reader);
    section->checksum = record_u64(&reader);
    if (section->offset > pack->map.n_bytes || section->n_bytes > pack->map.n_bytes - section->offset)
        FAIL(error, HOB_BAD_FILE, "section %s: found %" PRIu64 " bytes at %" PRIu64 ", expected them inside the file's %zu", names[id],
             section->n_bytes, section->offset, pack->map.n_bytes);
    if (section->offset % PACK_ALIGNMENT)
        FAIL(error, HOB_BAD_FILE, "section %s: found it at byte %" PRIu64 ", expected a multiple of %d", names[id], section->offset,
             PACK_ALIGNMENT);
    return HOB_OK;
}

static hob_status read_sections(struct pack *pack, hob_error *error)
{
    struct header header;
    TRY(read_header(pack, &header, error));
    TRY(check_table(pack, &header, error));
    memcpy(pack->source_sha256, pack->map.bytes + CHECKSUM_OFFSET + sizeof header.checksum, SHA256_BYTES);
    for (int id = 0; id < PACK_N_SECTIONS; id++) TRY(read_section(pack, (enum pack_section_id)id, error));
    for (int id = 0; id < PACK_N_SECTIONS; id++)
        if (id != PACK_WEIGHTS) TRY(pack_check_section(pack, (enum pack_section_id)id, error));
    return HOB_OK;
}

hob_status pack_check_section(const struct pack *pack, enum pack_section_id id, hob_error *error)
{
    size_t n_bytes;
    const void *bytes = pack_bytes(pack, id, &n_bytes);
    uint64_t found = checksum_bytes(bytes, n_bytes);
    if (found != pack->sections[id].checksum)
        FAIL(error, HOB_BAD_FILE, "section %s is damaged: found checksum %016" PRIx64 ", expected %016" PRIx64, names[id], found,
             pack->sections[id].checksum);
    return HOB_OK;
}

static hob_status new_pack(struct mapped_file map, bool owns_map, struct pack **ret_pack, hob_error *error)
{
    struct pack *pack = memory_new(1, sizeof *pack);
    if (!pack) FAIL(error, HOB_NO_MEMORY, "a pack: out of memory");
    pack->map = map;
    hob_status status = read_sections(pack, error);
    if (status != HOB_OK) {
        memory_free(pack);
        return status;
    }
    pack->owns_map = owns_map;
    *ret_pack = pack;
    return HOB_OK;
}

hob_status pack_open(const char *path, struct pack **ret_pack, hob_error *error)
{
    struct mapped_file map;
    TRY(mapped_file_open(path, &map, error));
    hob_status status = new_pack(map, true, ret_pack, error);
    if (status == HOB_OK) return HOB_OK;
    mapped_file_release(&map);
    return error_prefix(error, status, "%s", path);
}

hob_status pack_parse(const void *bytes, size_t n_bytes, struct pack **ret_pack, hob_error *error)
{
    return new_pack((struct mapped_file){bytes, n_bytes}, false, ret_pack, error);
}

void pack_free(struct pack *pack)
{
    if (!pack) return;
    if (pack->owns_map) mapped_file_release(&pack->map);
    memory_free(pack);
}

const void *pack_bytes(const struct pack *pack, enum pack_section_id id, size_t *ret_n_bytes)
{
    *ret_n_bytes = (size_t)pack->sections[id].n_bytes;
    return pack->map.bytes + pack->sections[id].offset;
}

struct record_reader pack_read(const struct pack *pack, enum pack_section_id id)
{
    size_t n_bytes;
    const void *bytes = pack_bytes(pack, id, &n_bytes);
    return record_reader_over(bytes, n_bytes);
}
