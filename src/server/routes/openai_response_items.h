/* The reply of /v1/responses: a list of items (reasoning, a message, calls of functions), made by one walk over a job's events, which also
 * streams what happens where somebody listens.
 *
 *     struct response_items items = {.content = …};
 *     response_items_take(&items, exchange, event, out);       each event; out NULL: nobody listens
 *     items.output                                             what is closed so far
 *     response_items_release(&items);
 */
#ifndef SERVER_ROUTES_OPENAI_RESPONSE_ITEMS_H
#define SERVER_ROUTES_OPENAI_RESPONSE_ITEMS_H

#include "server/routes/generation.h"

enum response_item { ITEM_NONE, ITEM_REASONING, ITEM_MESSAGE };

struct response_items {
    json_t *output; /* items that are closed */
    enum response_item open;
    char id[GENERATION_ID_BYTES]; /* of the open one */
    struct buffer text;           /* of it so far */
    json_t *logprobs;             /* of it so far; NULL: not asked for */
    bool has_logprobs;
    hob_pieces *pieces;
    const struct event *end; /* of the text; NULL: not yet */
    size_t n_reasoning_tokens;
    json_int_t sequence; /* of the next event */
};

bool response_items_init(struct response_items *items, bool has_logprobs); /* false: memory is out */
void response_items_release(struct response_items *items);
void response_items_take(struct response_items *items, const struct job *job, const struct event *event,
                         struct buffer *out);
/* An event of that type with its number; fields is taken, and may be NULL. */
void response_items_put(struct response_items *items, const char *type, json_t *fields, struct buffer *out);

#endif
