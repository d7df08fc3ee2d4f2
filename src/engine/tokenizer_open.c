#include "engine/tokenizer_open.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "engine/pack_model.h"
#include "formats/gguf.h"
#include "text/json_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096 };

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && !strcmp(text + n - n_end, end);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* Bytes of path before its last part, the slash included. */
static size_t folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* false: too long. n_folder: bytes of folder, its slash included. */
static bool join(char *ret_path, const char *folder, size_t n_folder, const char *name)
{
    const char *slash = n_folder && folder[n_folder - 1] != '/' ? "/" : "";
    int n = snprintf(ret_path, MAX_PATH_BYTES, "%.*s%s%s", (int)n_folder, folder, slash, name);
    return n > 0 && n < MAX_PATH_BYTES;
}

/* tokenizer_config.json gives roles as "eos_token": "</s>" or {"content": "</s>"}. What is wrong with it is not worth failing:
 * the tokenizer itself is whole. */
static void read_roles(struct tokenizer *tokenizer, const char *path)
{
    static const char *const names[HOB_N_TOKEN_ROLES] = {
        [HOB_TOKEN_BOS] = "bos_token", [HOB_TOKEN_EOS] = "eos_token",   [HOB_TOKEN_UNKNOWN] = "unk_token",
        [HOB_TOKEN_PAD] = "pad_token", [HOB_TOKEN_SEP] = "sep_token",   [HOB_TOKEN_CLS] = "cls_token",
        [HOB_TOKEN_MASK] = "mask_token"};
    char config_path[MAX_PATH_BYTES];
    if (!join(config_path, path, folder_bytes(path), "tokenizer_config.json") || !exists(config_path)) return;
    json_t *config = json_load_file(config_path, 0, NULL);
    for (size_t i = 0; config && i < HOB_N_TOKEN_ROLES; i++) {
        const json_t *token = names[i] ? json_object_get(config, names[i]) : NULL;
        if (json_is_object(token)) token = json_object_get(token, "content");
        if (json_is_string(token))
            tokenizer_set_role(tokenizer, (hob_token_role)i,
                               tokenizer_id(tokenizer, json_string_value(token), json_string_length(token)));
    }
    json_decref(config);
}

static hob_status open_text_file(const char *path, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    const void *bytes = file.bytes ? (const void *)file.bytes : "";
    hob_status status = ends_with(path, ".txt")
                            ? tokenizer_load_vocab_txt(bytes, file.n_bytes, path, ret_tokenizer, error)
                            : tokenizer_load_json(bytes, file.n_bytes, path, ret_tokenizer, error);
    mapped_file_release(&file);
    if (status == HOB_OK) read_roles(*ret_tokenizer, path);
    return status;
}

static hob_status open_gguf(const char *path, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct tensor_file *file;
    TRY(gguf_open(path, &file, error));
    hob_status status = tokenizer_from_gguf(file, ret_tokenizer, error);
    tensor_file_free(file);
    return status;
}

static hob_status open_in_folder(const char *folder, size_t n_folder, struct tokenizer **ret_tokenizer,
                                 hob_error *error)
{
    static const char *const names[] = {"tokenizer.json", "vocab.txt"};
    for (size_t i = 0; i < 2; i++) {
        char path[MAX_PATH_BYTES];
        if (!join(path, folder, n_folder, names[i]))
            FAIL(error, HOB_LIMIT, "path: found %zu bytes, at most %d are taken", n_folder, MAX_PATH_BYTES - 32);
        if (exists(path)) return open_text_file(path, ret_tokenizer, error);
    }
    FAIL(error, HOB_NOT_FOUND, "%.*s: no tokenizer.json and no vocab.txt there", n_folder ? (int)n_folder : 1,
         n_folder ? folder : ".");
}

static void release_pack(void *pack)
{
    pack_free(pack);
}

static hob_status open_pack(const char *path, struct tokenizer **ret_tokenizer, hob_error *error)
{
    struct pack *pack;
    struct tokenizer *tokenizer;
    TRY(pack_open(path, &pack, error));
    hob_status status = pack_tokenizer_read(pack, &tokenizer, error);
    if (status == HOB_OK && !tokenizer) status = error_set(error, HOB_NOT_FOUND, ERROR_HERE, "the pack has no tokenizer");
    if (status != HOB_OK) {
        pack_free(pack);
        return error_prefix(error, status, "%s", path);
    }
    tokenizer_own(tokenizer, pack, release_pack);
    *ret_tokenizer = tokenizer;
    return HOB_OK;
}

/* By its first bytes, whatever it is called. */
static bool is_pack(const char *path)
{
    unsigned char bytes[sizeof pack_magic];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool is_one = read(fd, bytes, sizeof bytes) == sizeof bytes && pack_is_pack(bytes, sizeof bytes);
    close(fd);
    return is_one;
}

hob_status tokenizer_open(const char *path, struct tokenizer **ret_tokenizer, hob_error *error)
{
    if (is_folder(path)) return open_in_folder(path, strlen(path), ret_tokenizer, error);
    if (is_pack(path)) return open_pack(path, ret_tokenizer, error);
    if (ends_with(path, ".gguf")) return open_gguf(path, ret_tokenizer, error);
    if (ends_with(path, ".json") || ends_with(path, ".txt")) return open_text_file(path, ret_tokenizer, error);
    if (!exists(path)) FAIL(error, HOB_NOT_FOUND, "%s: no such file or folder", path);
    return open_in_folder(path, folder_bytes(path), ret_tokenizer, error);
}
