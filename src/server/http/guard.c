/* A page of any site can make the person's browser send requests to 127.0.0.1, and by a name that it lets point there (DNS rebinding) even
 * read the replies. Its requests show by their Origin, the rebound name by its Host; programs send neither a foreign one nor the other.
 *
 * Keys are compared as digests: those have one length, and the time of comparing them says nothing about a key. */
#include "server/http/guard.h"

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/memory.h"

#include <sodium/core.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_verify_32.h> /* sodium.h has an attribute named malloc */
#include <string.h>
#include <strings.h>

enum { KEY_BYTES = 32, MOST_KEYS = 256 };

struct guard {
    struct arena arena;
    struct config_list hosts, origins;
    unsigned char (*keys)[KEY_BYTES];
    size_t n_keys;
    bool has_keys;
};

static bool copy_list(struct arena *arena, struct config_list list, struct config_list *ret_list)
{
    const char **items = ARENA_NEW(arena, const char *, list.n_items);
    if (!items) return false;
    for (size_t i = 0; i < list.n_items; i++) {
        items[i] = arena_copy_string(arena, list.items[i], strlen(list.items[i]));
        if (!items[i]) return false;
    }
    *ret_list = (struct config_list){.items = items, .n_items = list.n_items};
    return true;
}

/* ---- keys ---- */

static void digest(const char *key, size_t n_bytes, unsigned char ret_digest[static KEY_BYTES])
{
    crypto_generichash(ret_digest, KEY_BYTES, (const unsigned char *)key, n_bytes, NULL, 0);
}

/* A line without what surrounds it; empty ones and comments are passed over. false: there are too many. */
static bool take_line(struct guard *guard, const char *line, size_t n_bytes)
{
    while (n_bytes && strchr(" \t\r", line[n_bytes - 1])) n_bytes--;
    while (n_bytes && strchr(" \t", *line)) line++, n_bytes--;
    if (n_bytes == 0 || *line == '#') return true;
    if (guard->n_keys == MOST_KEYS) return false;
    digest(line, n_bytes, guard->keys[guard->n_keys++]);
    return true;
}

static hob_status read_keys(struct guard *guard, const char *path, hob_error *error)
{
    struct mapped_file file;
    TRY(mapped_file_open(path, &file, error));
    guard->keys = memory_new(MOST_KEYS, KEY_BYTES);
    guard->has_keys = true;
    const char *bytes = (const char *)file.bytes;
    bool is_read = true;
    for (size_t at = 0; guard->keys && is_read && at < file.n_bytes;) {
        const char *end = memchr(bytes + at, '\n', file.n_bytes - at);
        size_t n_line = end ? (size_t)(end - (bytes + at)) : file.n_bytes - at;
        is_read = take_line(guard, bytes + at, n_line);
        at += n_line + 1;
    }
    mapped_file_release(&file);
    if (!guard->keys) FAIL(error, HOB_NO_MEMORY, "no memory for API keys");
    if (!is_read) FAIL(error, HOB_BAD_FILE, "%s: found more than %d keys", path, MOST_KEYS);
    if (guard->n_keys == 0) FAIL(error, HOB_BAD_FILE, "%s: found no key, expected one a line", path);
    return HOB_OK;
}

static bool is_key(const struct guard *guard, const char *key)
{
    if (!key) return false;
    unsigned char found[KEY_BYTES];
    digest(key, strlen(key), found);
    bool is_one = false;
    for (size_t i = 0; i < guard->n_keys; i++) is_one |= crypto_verify_32(found, guard->keys[i]) == 0;
    return is_one;
}

static const char *bearer(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "bearer ", 7) != 0) return NULL;
    return authorization + 7 + strspn(authorization + 7, " ");
}

/* ---- life ---- */

hob_status guard_new(const struct config *config, struct guard **ret_guard, hob_error *error)
{
    struct guard *guard = memory_new(1, sizeof *guard);
    if (!guard) FAIL(error, HOB_NO_MEMORY, "no memory for who may ask");
    hob_status status = HOB_OK;
    arena_init(&guard->arena, 256);
    if (sodium_init() < 0) FAIL_CLEANUP(error, HOB_INTERNAL, "libsodium does not start");
    if (!copy_list(&guard->arena, config->allowed_hosts, &guard->hosts) || !copy_list(&guard->arena, config->allowed_origins, &guard->origins))
        FAIL_CLEANUP(error, HOB_NO_MEMORY, "no memory for who may ask");
    if (config->api_key_file) TRY_CLEANUP(read_keys(guard, config->api_key_file, error));
    *ret_guard = guard;
    return HOB_OK;

cleanup:
    guard_free(guard);
    return status;
}

void guard_free(struct guard *guard)
{
    if (!guard) return;
    arena_release(&guard->arena);
    memory_free(guard->keys);
    memory_free(guard);
}

/* ---- Host and Origin ---- */

/* The bytes of a Host header before its port. */
static size_t host_bytes(const char *host)
{
    const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;
    if (bracket) return (size_t)(bracket + 1 - host);
    return strcspn(host, ":");
}

static bool is_named(const char *host, size_t n_bytes, const char *name)
{
    return strlen(name) == n_bytes && strncasecmp(host, name, n_bytes) == 0;
}

static bool has_good_port(const char *port)
{
    if (!*port) return true;
    return *port == ':' && strspn(port + 1, "0123456789") == strlen(port + 1);
}

static bool is_known_host(const struct guard *guard, const char *host)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t n_bytes = host_bytes(host);
    if (!has_good_port(host + n_bytes)) return false;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (is_named(host, n_bytes, always[i])) return true;
    for (size_t i = 0; i < guard->hosts.n_items; i++)
        if (is_named(host, n_bytes, guard->hosts.items[i]) || strcasecmp(host, guard->hosts.items[i]) == 0) return true;
    return false;
}

bool guard_shares_with(const struct guard *guard, const char *origin)
{
    for (size_t i = 0; origin && i < guard->origins.n_items; i++)
        if (strcmp(guard->origins.items[i], "*") == 0 || strcasecmp(guard->origins.items[i], origin) == 0) return true;
    return false;
}

/* A page that came from the very address it asks. */
static bool is_own_origin(const char *origin, const char *host)
{
    return host && strncasecmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0;
}

static bool admit_host(const struct guard *guard, const struct guard_question *question, struct problem *ret_problem)
{
    if (question->is_local) return true;
    if (!question->host && question->is_http_1_0) return true;
    if (!question->host) return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the request has no Host header");
    if (is_known_host(guard, question->host)) return true;
    return problem_set(ret_problem, PROBLEM_FORBIDDEN, "Host: found %.100s, expected localhost, 127.0.0.1, [::1] or one of server.allowed_hosts",
                       question->host);
}

static bool admit_origin(const struct guard *guard, const struct guard_question *question, struct problem *ret_problem)
{
    const char *origin = question->origin;
    if (!origin || guard_shares_with(guard, origin) || is_own_origin(origin, question->host)) return true;
    return problem_set(ret_problem, PROBLEM_FORBIDDEN, "Origin: found %.100s, expected one of server.allowed_origins", origin);
}

bool guard_admit(const struct guard *guard, const struct guard_question *question, struct problem *ret_problem)
{
    if (!admit_host(guard, question, ret_problem) || !admit_origin(guard, question, ret_problem)) return false;
    if (!guard->has_keys || question->is_local || question->is_open) return true;
    bool is_bearer_key = is_key(guard, bearer(question->authorization)), is_header_key = is_key(guard, question->x_api_key);
    if (is_bearer_key || is_header_key) return true; /* both looked at: the time taken does not tell which was right */
    bool has_one = question->authorization || question->x_api_key;
    return problem_set(ret_problem, PROBLEM_UNAUTHORIZED, "%s", has_one ? "the API key is not one of ours"
                       : "no API key: expected \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"");
}
