#include "text/regex.h"
#include "base/error.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_PATTERN_BYTES = 1 << 16, MATCH_LIMIT = 1 << 22, DEPTH_LIMIT = 1 << 20, HEAP_LIMIT_KIB = 1 << 17 };

struct regex {
    pcre2_code *code;
    char *pattern; /* before it was translated */
    size_t n_bytes;
    bool is_literal;
};

static hob_status compile(const char *pattern, size_t n_bytes, uint32_t options, struct regex **ret_regex,
                          hob_error *error)
{
    struct regex *regex = memory_new(1, sizeof *regex);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    hob_status status = HOB_OK;
    if (!regex || !context) FAIL_CLEANUP(error, HOB_NO_MEMORY, "regular expression: no memory");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int code;
    PCRE2_SIZE at;
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, n_bytes, PCRE2_UTF | PCRE2_NO_UTF_CHECK | options, &code, &at,
                                context);
    if (!regex->code) {
        char reason[128] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        FAIL_CLEANUP(error, HOB_BAD_FILE, "regular expression \"%.80s\": %s at offset %zu", pattern, reason, at);
    }
    /* A pattern that the JIT does not take still runs, interpreted. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    *ret_regex = regex;
cleanup:
    pcre2_compile_context_free(context);
    if (status != HOB_OK) regex_free(regex);
    return status;
}

static hob_status check_pattern(const char *pattern, size_t n_bytes, hob_error *error)
{
    if (n_bytes > MAX_PATTERN_BYTES)
        FAIL(error, HOB_LIMIT, "pattern: found %zu bytes, at most %d are taken", n_bytes, MAX_PATTERN_BYTES);
    if (!unicode_is_valid(pattern, n_bytes) || memchr(pattern, '\0', n_bytes))
        FAIL(error, HOB_BAD_FILE, "pattern: not valid UTF-8, or a NUL in it");
    return HOB_OK;
}

static hob_status keep_pattern(const char *pattern, size_t n_bytes, bool is_literal, struct regex *regex, struct regex **ret_regex,
                               hob_error *error)
{
    regex->pattern = memory_new(n_bytes + 1, 1);
    if (!regex->pattern) {
        regex_free(regex);
        FAIL(error, HOB_NO_MEMORY, "regular expression: no memory");
    }
    if (n_bytes) memcpy(regex->pattern, pattern, n_bytes);
    regex->n_bytes = n_bytes;
    regex->is_literal = is_literal;
    *ret_regex = regex;
    return HOB_OK;
}

const char *regex_pattern(const struct regex *regex, size_t *ret_n_bytes, bool *ret_is_literal)
{
    *ret_n_bytes = regex->n_bytes;
    *ret_is_literal = regex->is_literal;
    return regex->pattern;
}

hob_status regex_new(const char *pattern, size_t n_bytes, struct regex **ret_regex, hob_error *error)
{
    TRY(check_pattern(pattern, n_bytes, error));
    struct buffer translated = {.cap_bytes = 16 * MAX_PATTERN_BYTES};
    struct regex *regex;
    hob_status status = HOB_OK;
    TRY_CLEANUP(regex_translate(pattern, n_bytes, &translated, error));
    TRY_CLEANUP(compile(buffer_text(&translated), translated.n_bytes, PCRE2_UCP | PCRE2_MULTILINE, &regex, error));
    TRY_CLEANUP(keep_pattern(pattern, n_bytes, false, regex, ret_regex, error));
cleanup:
    buffer_release(&translated);
    return status;
}

hob_status regex_new_literal(const char *text, size_t n_bytes, struct regex **ret_regex, hob_error *error)
{
    struct regex *regex;
    TRY(check_pattern(text, n_bytes, error));
    TRY(compile(text, n_bytes, PCRE2_LITERAL, &regex, error));
    return keep_pattern(text, n_bytes, true, regex, ret_regex, error);
}

void regex_free(struct regex *regex)
{
    if (!regex) return;
    pcre2_code_free(regex->code);
    memory_free(regex->pattern);
    memory_free(regex);
}

void regex_scratch_release(struct regex_scratch *scratch)
{
    pcre2_match_data_free(scratch->match_data);
    pcre2_match_context_free(scratch->match_context);
    *scratch = (struct regex_scratch){0};
}

static bool prepare(struct regex_scratch *scratch)
{
    if (scratch->match_data) return true;
    scratch->match_context = pcre2_match_context_create(NULL);
    if (!scratch->match_context) return false;
    pcre2_set_match_limit(scratch->match_context, MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->match_context, DEPTH_LIMIT);
    pcre2_set_heap_limit(scratch->match_context, HEAP_LIMIT_KIB);
    scratch->match_data = pcre2_match_data_create(1, NULL);
    return scratch->match_data != NULL;
}

/* The JIT has 32 KiB of stack; a match that needs more is done again by the interpreter, which takes heap. */
static int match(const struct regex *regex, struct regex_scratch *scratch, const struct regex_search *search,
                 size_t from)
{
    int code = pcre2_match(regex->code, (PCRE2_SPTR)search->text, search->n_bytes, from, PCRE2_NO_UTF_CHECK,
                           scratch->match_data, scratch->match_context);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
        code = pcre2_match(regex->code, (PCRE2_SPTR)search->text, search->n_bytes, from,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch->match_data, scratch->match_context);
    return code;
}

hob_status regex_next(const struct regex *regex, struct regex_scratch *scratch, struct regex_search *search,
                      bool *ret_is_found, hob_error *error)
{
    if (!prepare(scratch)) FAIL(error, HOB_NO_MEMORY, "regular expression: no memory to match");
    for (size_t from = search->end; from <= search->n_bytes;) {
        int code = match(regex, scratch, search, from);
        if (code == PCRE2_ERROR_NOMATCH) break;
        if (code < 0)
            FAIL(error, HOB_LIMIT, "regular expression: matching needs too much time or memory (PCRE2 error %d)", code);
        const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(scratch->match_data);
        size_t begin = offsets[0] <= offsets[1] ? offsets[0] : offsets[1]; /* \K may turn them round */
        if (begin < search->end) begin = search->end;
        if (begin == offsets[1] && search->is_after_match && begin == search->end) {
            size_t n = from < search->n_bytes ? unicode_char_bytes(search->text + from, search->n_bytes - from) : 1;
            from += n ? n : 1;
            continue;
        }
        search->begin = begin;
        search->end = offsets[1];
        search->is_after_match = true;
        *ret_is_found = true;
        return HOB_OK;
    }
    *ret_is_found = false;
    return HOB_OK;
}
