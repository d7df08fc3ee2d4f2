/* Texts of any bytes as JSON, by jansson. Makers return NULL when memory is out, as jansson's do. Thread-safe. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

/* A JSON string: what is not UTF-8 becomes U+FFFD. */
json_t *json_text(const char *bytes, size_t n_bytes);
/* What editors cut off: an escaped half of a surrogate pair ("\ud83d" alone), which is no character and which jansson refuses, becomes
 * \ufffd. text: JSON, changed in place, of the same length. */
void json_mend_surrogates(char *text, size_t n_bytes);
/* Take item or value. Where memory is out (item NULL, too) the whole is given up and becomes NULL, so that none goes out with a hole in it;
 * of NULL they make nothing, and the last one to look is told. */
void json_append(json_t **list, json_t *item);
void json_put(json_t **object, const char *key, json_t *value);
json_t *json_ids(const int32_t *ids, size_t n_ids);

#endif
