/* Requests of the line protocols, told from the bytes that have come so far.
 *
 *     struct line_request request = {0};
 *     switch (line_request_read(bytes, n_bytes, LINE_GOES_ON, &request, &n_used, &problem)) {
 *     case LINE_WHOLE: …  the first n_used bytes were it
 *     case LINE_PARTIAL: … more must come
 *     case LINE_BAD: …    problem says what is wrong; n_used 0: nothing behind it can be understood
 *     }
 *     line_request_release(&request);
 */
#ifndef SERVER_LINE_REQUEST_H
#define SERVER_LINE_REQUEST_H

#include "base/buffer.h"
#include "server/problem.h"

enum line_form { LINE_TEXT, LINE_LUA, LINE_JSON };

/* What is known of the bytes that have not come. */
enum line_state {
    LINE_GOES_ON,
    LINE_IS_SILENT, /* nothing came for a short while */
    LINE_HAS_ENDED  /* the client ended its sending */
};

enum line_result { LINE_WHOLE, LINE_PARTIAL, LINE_BAD };

struct line_request {
    enum line_form form;
    struct buffer text;
    struct buffer model; /* empty: the default one */
    bool has_text;
    double n, max_tokens; /* as they were given; 0: not */
};

enum line_result line_request_read(const char *bytes, size_t n_bytes, enum line_state state, struct line_request *ret_request, size_t *ret_n_used,
                                   struct problem *ret_problem);
void line_request_release(struct line_request *request);

#endif
