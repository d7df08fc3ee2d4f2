/* A generating job as the body of a request in another API's words. */
#ifndef SERVER_REMOTE_REMOTE_REQUEST_H
#define SERVER_REMOTE_REMOTE_REQUEST_H

#include "config/config.h"
#include "server/jobs/generate.h"

#include <jansson.h>

/* Whether it can be said there: text or a conversation, one answer, no log-probabilities, beams or grammars. */
bool remote_can_ask(const struct generate_job *generate);
/* "/chat/completions", …: behind the backend's URL. Static. */
const char *remote_path(const struct generate_job *generate, enum config_api api);
/* NULL: memory is out. */
json_t *remote_body(const struct generate_job *generate, enum config_api api, const char *model);

#endif
