/* TOML: whatever parses can be walked, and each key found again. */
#include "config/toml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct toml_value *value)
{
    if (value->kind == TOML_ARRAY)
        for (size_t i = 0; i < value->array->n_items; i++) walk(&value->array->items[i]);
    if (value->kind != TOML_TABLE) return;
    for (const struct toml_entry *entry = toml_first(value->table); entry; entry = entry->next) {
        bool is_plain = strlen(entry->key) == entry->n_key_bytes;
        if (is_plain && toml_find(value->table, entry->key) != &entry->value) abort();
        walk(&entry->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct toml *document;
    hob_error error;
    if (toml_parse((const char *)data, size, "input", &document, &error) != HOB_OK) return 0;
    for (const struct toml_entry *entry = toml_first(toml_root(document)); entry; entry = entry->next) walk(&entry->value);
    toml_free(document);
    return 0;
}
