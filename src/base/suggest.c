/* Nearest by edit distance in which neighbours may change places (optimal string alignment), because a swap is one slip of
 * the fingers. A word that begins with all of the unknown one is near too: people abbreviate. */
#include "base/suggest.h"

#include <string.h>

enum { MAX_LENGTH = 32 };

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[MAX_LENGTH + 1][MAX_LENGTH + 1];
    for (size_t i = 0; i <= n_a; i++) {
        for (size_t j = 0; j <= n_b; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            size_t replaced = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            rows[i][j] = least_of(replaced, least_of(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = least_of(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[n_a][n_b];
}

size_t suggest_nearest(const char *unknown, const char *const *words, size_t n_words)
{
    size_t n_unknown = strlen(unknown), nearest = n_words;
    if (n_unknown == 0 || n_unknown > MAX_LENGTH) return n_words;
    size_t least_distance = n_unknown / 3 + 2; /* more edits than this are another word */
    for (size_t i = 0; i < n_words; i++) {
        size_t n_word = strlen(words[i]);
        if (n_word > MAX_LENGTH) continue;
        size_t distance = edit_distance(unknown, n_unknown, words[i], n_word);
        if (n_unknown >= 2 && strncmp(unknown, words[i], n_unknown) == 0) distance = 1;
        if (distance < least_distance) {
            least_distance = distance;
            nearest = i;
        }
    }
    return nearest;
}
