/* A configuration as one JSON object: keys with dots, and for each its value and where that came from.
 *
 *     {"files": ["…"], "values": {"server.listen": {"value": [], "from": "default"}, "models.chat.path": {…}}} */
#ifndef CLI_CONFIG_JSON_H
#define CLI_CONFIG_JSON_H

#include "config/config.h"

#include <jansson.h>

/* NULL when memory is out. */
json_t *config_json(const struct config *config);

#endif
