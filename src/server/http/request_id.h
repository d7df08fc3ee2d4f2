/* The name of a request in replies and logs: the client's own, where it is sound, else one drawn. Thread-safe. */
#ifndef SERVER_HTTP_REQUEST_ID_H
#define SERVER_HTTP_REQUEST_ID_H

enum { REQUEST_ID_BYTES = 64 };

/* given: NULL: none. */
void request_id_choose(const char *given, char ret_id[static REQUEST_ID_BYTES]);

#endif
