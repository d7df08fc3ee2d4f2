/* Configuration files: whatever loads can be written, and is loaded again from what was written. */
#include "base/buffer.h"
#include "config/config.h"
#include "config/write.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const environment[] = {"HOME=/home/x", NULL};

static void hear(void *context, enum config_severity severity, const char *message)
{
    *(size_t *)context += severity == CONFIG_FAULT;
    if (!strlen(message)) abort();
}

/* NULL: it does not load. The file is a memory's, which costs no disk. */
static struct config *load(int memory, const void *bytes, size_t n_bytes)
{
    char path[64];
    size_t n_faults = 0;
    struct config *config = NULL;
    if (ftruncate(memory, 0) != 0 || pwrite(memory, bytes, n_bytes, 0) != (ssize_t)n_bytes) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    const struct config_sources sources = {
        .file = path, .environment = environment, .report = hear, .report_context = &n_faults};
    hob_status status = config_load(&sources, &config, NULL);
    if ((status == HOB_OK) != (n_faults == 0) && status != HOB_NO_MEMORY) abort();
    return status == HOB_OK ? config : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int memory = -1;
    if (memory < 0) memory = memfd_create("config.toml", MFD_CLOEXEC);
    struct config *config = load(memory, data, size);
    if (!config) return 0;
    struct buffer text = {0};
    config_to_toml(config, &text);
    config_free(config);
    config = text.is_failed ? NULL : load(memory, buffer_text(&text), text.n_bytes);
    if (!config && !text.is_failed) abort();
    config_free(config);
    buffer_release(&text);
    return 0;
}
