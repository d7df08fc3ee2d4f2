/* Mutations that keep a protobuf message well-formed: one field gets another number or name, goes, or stands twice, and the
 * lengths around it are written anew. It knows no schema: bytes that parse as a message are taken for one.
 *
 *     n_bytes = mutate_proto(bytes, n_bytes, max_bytes, seed, pick_name);
 */
#ifndef FUZZ_MUTATE_PROTO_H
#define FUZZ_MUTATE_PROTO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATE_MAX_FIELDS = 4096, MUTATE_MAX_DEPTH = 12 };

/* A name to stand in place of this one, or NULL: leave it. */
typedef const char *mutate_name(const char *name, size_t n_bytes, uint64_t random);

struct mutate_field {
    size_t start, payload, end; /* of the tag, of what follows tag and length, of the whole */
    int type, parent;           /* wire type; field it stands in, -1: the message itself */
};

struct mutate_fields {
    struct mutate_field items[MUTATE_MAX_FIELDS];
    int n_items;
};

static inline uint64_t mutate_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* false: the varint ends outside. */
static inline bool mutate_read(const uint8_t *bytes, size_t end, size_t *at, uint64_t *ret_number)
{
    *ret_number = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        *ret_number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static inline size_t mutate_write(uint64_t number, uint8_t *bytes)
{
    size_t n_bytes = 0;
    for (; number > 127; number >>= 7) bytes[n_bytes++] = (uint8_t)(number | 128);
    bytes[n_bytes++] = (uint8_t)number;
    return n_bytes;
}

static inline bool mutate_next(const uint8_t *bytes, size_t end, size_t at, struct mutate_field *field)
{
    uint64_t tag, length;
    field->start = at;
    if (!mutate_read(bytes, end, &at, &tag) || tag >> 3 == 0 || tag >> 3 > 64) return false;
    field->type = (int)(tag & 7);
    field->payload = at;
    if (field->type == 0) {
        if (!mutate_read(bytes, end, &at, &length)) return false;
    } else if (field->type == 2) {
        if (!mutate_read(bytes, end, &at, &length) || length > end - at) return false;
        field->payload = at;
        at += length;
    } else if (field->type == 1 || field->type == 5) {
        size_t n_bytes = field->type == 1 ? 8 : 4;
        if (n_bytes > end - at) return false;
        at += n_bytes;
    } else {
        return false;
    }
    field->end = at;
    return true;
}

/* Adds the fields of bytes[start, end); false, and nothing added, when they are no message. */
static inline bool mutate_collect(const uint8_t *bytes, size_t start, size_t end, int parent, int depth,
                                  struct mutate_fields *fields)
{
    int n_before = fields->n_items;
    for (size_t at = start; at < end;) {
        struct mutate_field field;
        if (fields->n_items == MUTATE_MAX_FIELDS) return true;
        if (!mutate_next(bytes, end, at, &field)) {
            fields->n_items = n_before;
            return false;
        }
        field.parent = parent;
        int index = fields->n_items++;
        fields->items[index] = field;
        if (field.type == 2 && field.end > field.payload && depth < MUTATE_MAX_DEPTH)
            mutate_collect(bytes, field.payload, field.end, index, depth + 1, fields);
        at = field.end;
    }
    return true;
}

static inline uint64_t mutate_number(uint64_t random)
{
    static const uint64_t telling[] = {0,
                                       1,
                                       2,
                                       3,
                                       4,
                                       5,
                                       7,
                                       8,
                                       16,
                                       63,
                                       64,
                                       255,
                                       (uint64_t)-1,
                                       (uint64_t)-2,
                                       (uint64_t)-8,
                                       INT32_MAX,
                                       UINT32_MAX,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       1000,
                                       65536,
                                       1ull << 40};
    enum { N_TELLING = sizeof telling / sizeof *telling };
    uint64_t choice = random >> 8 & 63;
    return choice < N_TELLING ? telling[choice] : choice & 31;
}

/* What replaces bytes[start, end) of the outermost message; the lengths of all that it stands in change. */
struct mutate_edit {
    size_t start, end;
    uint8_t bytes[4096];
    size_t n_bytes;
};

/* Applies the edit from the inside outwards: each enclosing field's head is one more edit. Returns the new size; 0: no room. */
static inline size_t mutate_apply(uint8_t *bytes, size_t n_bytes, size_t max_bytes, const struct mutate_fields *fields,
                                  int parent, const struct mutate_edit *edit)
{
    size_t n_new = n_bytes - (edit->end - edit->start) + edit->n_bytes;
    if (n_new + 16 * MUTATE_MAX_DEPTH > max_bytes) return 0;
    memmove(bytes + edit->start + edit->n_bytes, bytes + edit->end, n_bytes - edit->end);
    memcpy(bytes + edit->start, edit->bytes, edit->n_bytes);
    long long growth = (long long)edit->n_bytes - (long long)(edit->end - edit->start);
    for (int i = parent; i >= 0; i = fields->items[i].parent) {
        const struct mutate_field *field = &fields->items[i];
        uint8_t head[24];
        uint64_t tag;
        size_t at = field->start;
        if (!mutate_read(bytes, n_new, &at, &tag)) return 0;
        size_t n_head = mutate_write(tag, head);
        n_head += mutate_write((uint64_t)((long long)(field->end - field->payload) + growth), head + n_head);
        size_t n_old = field->payload - field->start;
        memmove(bytes + field->start + n_head, bytes + field->payload, n_new - field->payload);
        memcpy(bytes + field->start, head, n_head);
        n_new += n_head - n_old;
        growth += (long long)n_head - (long long)n_old;
    }
    return n_new;
}

/* false: this field is left alone. */
static inline bool mutate_make_edit(const uint8_t *bytes, const struct mutate_field *field, uint64_t random,
                                    mutate_name *pick_name, struct mutate_edit *edit)
{
    size_t n_field = field->end - field->start;
    unsigned choice = (unsigned)(random & 7);
    *edit = (struct mutate_edit){.start = field->start, .end = field->end};
    if (choice == 0) return true;                           /* it goes */
    if (choice == 1 && 2 * n_field <= sizeof edit->bytes) { /* it stands twice */
        memcpy(edit->bytes, bytes + field->start, n_field);
        memcpy(edit->bytes + n_field, bytes + field->start, n_field);
        edit->n_bytes = 2 * n_field;
        return true;
    }
    edit->start = field->payload;
    if (field->type == 0) {
        edit->n_bytes = mutate_write(mutate_number(random), edit->bytes);
        return true;
    }
    if (field->type != 2) {
        edit->n_bytes = field->end - field->payload;
        for (size_t i = 0; i < edit->n_bytes; i++) edit->bytes[i] = (uint8_t)(random >> (8 * (i & 7)));
        return true;
    }
    const char *name = pick_name((const char *)bytes + field->payload, field->end - field->payload, random >> 3);
    if (!name) return false;
    uint8_t head[24];
    uint64_t tag;
    size_t at = field->start;
    if (!mutate_read(bytes, field->end, &at, &tag)) return false;
    size_t n_head = mutate_write(tag, head), n_name = strlen(name);
    n_head += mutate_write(n_name, head + n_head);
    edit->start = field->start;
    memcpy(edit->bytes, head, n_head);
    memcpy(edit->bytes + n_head, name, n_name);
    edit->n_bytes = n_head + n_name;
    return true;
}

/* Changes bytes in place. Returns the new size; 0: nothing could be changed. */
static inline size_t mutate_proto(uint8_t *bytes, size_t n_bytes, size_t max_bytes, uint64_t seed,
                                  mutate_name *pick_name)
{
    static struct mutate_fields fields;
    static struct mutate_edit edit;
    uint64_t random = seed * 0x9E3779B97F4A7C15ull + 1;
    fields.n_items = 0;
    mutate_collect(bytes, 0, n_bytes, -1, 0, &fields);
    for (int attempt = 0; attempt < 16 && fields.n_items; attempt++) {
        const struct mutate_field *field = &fields.items[mutate_random(&random) % (uint64_t)fields.n_items];
        if (!mutate_make_edit(bytes, field, mutate_random(&random), pick_name, &edit)) continue;
        return mutate_apply(bytes, n_bytes, max_bytes, &fields, field->parent, &edit);
    }
    return 0;
}

#endif
