/* What the events of a generation depend on beside the model, as bytes for a digest. */
#ifndef SERVER_JOBS_GENERATE_KEY_H
#define SERVER_JOBS_GENERATE_KEY_H

#include "server/jobs/generate.h"

/* options: as they are given to the library. false: another time the result may be another one, or memory is out. */
bool generate_key(const struct generate_job *generate, const hob_generate_options *options, struct buffer *ret_key);

#endif
