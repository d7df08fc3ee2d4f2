#include "text/splitter.h"
#include "base/error.h"
#include "base/size.h"
#include "text/json_read.h"

#include <string.h>

struct splitter splitter_start(enum split_behavior behavior, struct encoding *encoding, size_t stage,
                               const struct piece *piece)
{
    return (struct splitter){.behavior = behavior, .encoding = encoding, .stage = stage, .piece = piece};
}

static hob_status emit(const struct splitter *splitter, size_t begin, size_t end, hob_error *error)
{
    const struct piece *whole = splitter->piece;
    struct piece piece = {whole->text + begin, end - begin, whole->is_first && begin == 0};
    return encoding_next(splitter->encoding, splitter->stage, &piece, error);
}

static bool joins_waiting(const struct splitter *splitter, bool is_match)
{
    if (!splitter->is_waiting) return false;
    switch (splitter->behavior) {
    case SPLIT_MERGED_WITH_PREVIOUS:
        return is_match && !splitter->is_waiting_match;
    case SPLIT_MERGED_WITH_NEXT:
        return !is_match && splitter->is_waiting_match;
    case SPLIT_CONTIGUOUS:
        return is_match == splitter->is_waiting_match;
    default:
        return false;
    }
}

hob_status splitter_feed(struct splitter *splitter, size_t end, bool is_match, hob_error *error)
{
    size_t begin = splitter->end;
    splitter->end = end;
    if (splitter->behavior == SPLIT_REMOVED && is_match) return HOB_OK;
    if (splitter->behavior == SPLIT_REMOVED || splitter->behavior == SPLIT_ISOLATED)
        return emit(splitter, begin, end, error);
    bool is_joined = joins_waiting(splitter, is_match);
    if (!is_joined && splitter->is_waiting) TRY(emit(splitter, splitter->begin, begin, error));
    if (!is_joined) splitter->begin = begin;
    /* What has joined takes no more, except a run of equals. */
    splitter->is_waiting_match = splitter->behavior == SPLIT_MERGED_WITH_NEXT ? is_match && !is_joined : is_match;
    splitter->is_waiting = true;
    return HOB_OK;
}

hob_status splitter_finish(struct splitter *splitter, hob_error *error)
{
    return splitter->is_waiting ? emit(splitter, splitter->begin, splitter->end, error) : HOB_OK;
}

hob_status split_behavior_load(const json_t *json, enum split_behavior absent, enum split_behavior *ret_behavior,
                               hob_error *error)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name;
    size_t n_bytes;
    TRY(json_read_string(json, "behavior", names[absent], &name, &n_bytes, error));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i], name) != 0) continue;
        *ret_behavior = (enum split_behavior)i;
        return HOB_OK;
    }
    FAIL(error, HOB_BAD_FILE, "\"behavior\": found \"%.40s\", expected Removed, Isolated, MergedWithPrevious, …", name);
}

hob_status split_by_regex(const struct regex *regex, bool is_inverted, enum split_behavior behavior,
                          struct encoding *encoding, size_t stage, const struct piece *piece, hob_error *error)
{
    struct regex_search search = {.text = piece->text, .n_bytes = piece->n_bytes};
    struct splitter splitter = splitter_start(behavior, encoding, stage, piece);
    for (;;) {
        bool is_found;
        size_t done = search.end;
        TRY(regex_next(regex, &encoding->regex, &search, &is_found, error));
        size_t gap_end = is_found ? search.begin : piece->n_bytes;
        if (gap_end > done) TRY(splitter_feed(&splitter, gap_end, is_inverted, error));
        if (!is_found) return splitter_finish(&splitter, error);
        TRY(splitter_feed(&splitter, search.end, !is_inverted, error));
    }
}
