/* Who may ask: Host and Origin against web pages that reach for the daemon through the person's browser, API keys against everybody else.
 *
 * Owns what it read of the configuration and of the key file. Asking is thread-safe.
 *
 *     const struct guard_question question = {.host = "localhost:8080", .authorization = "Bearer …"};
 *     if (!guard_admit(guard, &question, &problem)) …                 PROBLEM_FORBIDDEN, PROBLEM_UNAUTHORIZED, PROBLEM_BAD_REQUEST
 */
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include "config/config.h"
#include "server/problem.h"

struct guard;

/* What of a request matters. Headers that are not there are NULL. */
struct guard_question {
    const char *host, *origin, *authorization, *x_api_key;
    bool is_local; /* by a UNIX socket, from this user: any Host, no key */
    bool is_open;  /* the route asks for no key */
    bool is_http_1_0;
};

/* Fails: HOB_NOT_FOUND, HOB_IO, HOB_BAD_FILE (a key file without keys, or with more than 256), HOB_NO_MEMORY. */
HOB_MUST_CHECK hob_status guard_new(const struct config *config, struct guard **ret_guard, hob_error *error);
void guard_free(struct guard *guard); /* takes NULL */
bool guard_admit(const struct guard *guard, const struct guard_question *question, struct problem *ret_problem);
/* Whether pages of that origin may read replies: it is configured. NULL: no. */
bool guard_shares_with(const struct guard *guard, const char *origin);

#endif
