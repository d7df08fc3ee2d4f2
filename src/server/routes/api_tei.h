/* What text-embeddings-inference's routes share: its error body and the fields that say how texts are read. */
#ifndef SERVER_ROUTES_API_TEI_H
#define SERVER_ROUTES_API_TEI_H

#include "server/http/exchange.h"
#include "server/jobs/embed.h"
#include "server/routes/route.h"

enum { TEI_MOST_TEXTS = 1024 };

struct tei_reading {
    const char *model, *prompt_name;
    bool truncates;
    int direction; /* index in tei_directions */
};

extern const char *const tei_directions[]; /* "Right", "Left", in both spellings */
#define TEI_READING_FIELDS(settings, member)                                                         \
    {.name = "model",                                                                                \
     .kind = FIELD_TEXT,                                                                             \
     .offset = offsetof(settings, member.model),                                                     \
     .help = "a model's name; the configured one without it (hob's own field)"},                     \
        {.name = "truncate",                                                                         \
         .kind = FIELD_BOOL,                                                                         \
         .offset = offsetof(settings, member.truncates),                                             \
         .help = "cut what is too long, else it is an error (default)"},                             \
        {.name = "truncation_direction",                                                             \
         .kind = FIELD_CHOICE,                                                                       \
         .choices = tei_directions,                                                                  \
         .offset = offsetof(settings, member.direction),                                             \
         .help = "which end is cut off"},                                                            \
    {                                                                                                \
        .name = "prompt_name", .kind = FIELD_TEXT, .offset = offsetof(settings, member.prompt_name), \
        .help = "the model's prompt of that name goes before each text"                              \
    }

/* model may be NULL. */
const char *tei_model(const struct tei_reading *reading);
bool tei_is_left(const struct tei_reading *reading);
/* inputs: a text, token ids, or a list of either. ret_is_single: one text, not a list. */
bool tei_set_inputs(const json_t *inputs, const struct tei_reading *reading, struct embed_job *embed,
                    struct problem *ret_problem);
/* Routes whose path is llama.cpp's as well: its reading of the request (llama_tokenize.c). */
bool llama_tokenize(struct exchange *exchange, struct problem *ret_problem);
/* 413 when there are more texts than TEI_MOST_TEXTS; 400 for none. */
bool tei_check_count(size_t n_texts, const char *field, struct problem *ret_problem);

#endif
