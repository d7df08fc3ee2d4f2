/* Stands in for libFuzzer where there is none: runs the target once on an empty input and once on each file given.
 *
 *     build/fuzz/replay_gguf fuzz/regressions/gguf/truncated-header
 *
 * An input that still harms the target ends the program through the sanitizers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) return perror(path), 1;
    size_t n_bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(n_bytes ? n_bytes : 1); /* just as long as the input: reading on is noticed */
    int is_bad = !bytes || fread(bytes, 1, n_bytes, file) != n_bytes;
    fclose(file);
    if (is_bad)
        fprintf(stderr, "%s: cannot be read\n", path);
    else
        LLVMFuzzerTestOneInput(bytes, n_bytes);
    free(bytes);
    return is_bad;
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    LLVMFuzzerTestOneInput(nothing, 0);
    int n_unreadable = 0;
    for (int i = 1; i < argc; i++) {
        printf("%s\n", argv[i]); /* the last line before a crash names the input */
        fflush(stdout);
        n_unreadable += replay(argv[i]);
    }
    return n_unreadable != 0;
}
