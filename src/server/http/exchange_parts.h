/* What an exchange is made of, for the files of this folder. */
#ifndef SERVER_HTTP_EXCHANGE_PARTS_H
#define SERVER_HTTP_EXCHANGE_PARTS_H

#include "server/http/connection.h"
#include "server/http/exchange.h"
#include "server/routes/route.h"

struct exchange_header {
    const char *name, *value;
    struct exchange_header *next;
};

/* One of the exchange's jobs: it and how far its transcript was read. */
struct exchange_job {
    struct job *job;
    const struct event *seen; /* NULL: none */
};

struct exchange {
    struct http_connection *connection;
    const struct route_def *route; /* NULL: none of that path */
    const struct api_def *api;
    const char *method, *path, *parameter; /* as long as the request */
    char id[64];
    struct arena arena;
    uint64_t started_ns;
    int64_t started_s;

    /* the request */
    struct buffer body;
    json_t *json;
    size_t n_body_bytes; /* that came, kept or not */
    bool has_body;       /* one was announced */
    bool is_handled;
    bool is_refused;     /* problem is the reply */
    struct problem problem;

    /* the reply */
    struct MHD_Response *response; /* NULL: none yet */
    struct exchange_header *headers;
    int status;
    size_t n_reply_bytes;
    bool is_waiting; /* suspended in libmicrohttpd */
    bool is_gone;    /* the client is */

    /* its jobs */
    struct exchange_job *jobs;
    size_t n_jobs, n_jobs_reserved;
    const struct answer_def *answer;
    void *state;
    bool is_stream, has_begun, has_ended;
    struct buffer out; /* of a stream: what the client gets next */
    size_t n_taken;    /* of it */
    struct timer *ping;
};

/* ---- exchange.c ---- */
/* NULL: memory is out. */
struct exchange *exchange_new(struct http_connection *connection, const char *method, const char *path);
void exchange_free(struct exchange *exchange); /* behind exchange_drop_jobs; takes NULL */
/* Suspended until it is woken. */
void exchange_wait(struct exchange *exchange);
void exchange_wake(struct exchange *exchange);
/* Takes response; NULL is memory that is out. Only the first reply counts. */
void exchange_set_response(struct exchange *exchange, int status, const char *content_type, struct MHD_Response *response);
/* The body as JSON text; free with free. NULL: memory is out. */
char *exchange_dump(const json_t *body);

/* ---- exchange_jobs.c ---- */
/* The client went away. */
void exchange_leave(struct exchange *exchange);
/* Cancels the jobs, frees the answer's state, lets the jobs go. */
void exchange_drop_jobs(struct exchange *exchange);

/* ---- request_body.c ---- */
/* Looks at the headers; false: no body of that kind or size is taken. */
bool request_body_expect(struct exchange *exchange, struct problem *ret_problem);
/* The next bytes; false: there are more than may be. */
bool request_body_take(struct exchange *exchange, const char *bytes, size_t n_bytes, struct problem *ret_problem);
/* All has come. */
bool request_body_read(struct exchange *exchange, struct problem *ret_problem);

#endif
