/* Texts of any bytes as JSON, by jansson. Makers return NULL when memory is out, as jansson's do. Thread-safe. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

/* A JSON string: what is not UTF-8 becomes U+FFFD. */
json_t *json_text(const char *bytes, size_t n_bytes);
json_t *json_ids(const int32_t *ids, size_t n_ids);

#endif
