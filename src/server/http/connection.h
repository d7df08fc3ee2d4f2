/* One HTTP client's socket: what libmicrohttpd does not watch. How long a request may take to arrive, a reply to be taken and an idle
 * connection to stay; whether the client is still there while its request waits for the engine.
 *
 * libmicrohttpd owns the socket. The loop's thread only. */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include "server/http/linger.h"
#include "server/server.h"

#include <microhttpd.h>
#include <stdbool.h>

enum connection_phase {
    CONNECTION_IDLE,    /* nothing of a request has come */
    CONNECTION_READING, /* some of it has */
    CONNECTION_WORKING, /* all of it has; the scheduler minds the time */
    CONNECTION_SENDING  /* a reply is under way */
};

struct exchange;

struct http_connection {
    struct server *server;
    struct lingering *lingering;
    struct loop_call *run; /* lets libmicrohttpd go on */
    struct MHD_Connection *mhd;
    struct http_connection *next, *previous;
    struct exchange *exchange; /* NULL: none */
    void (*on_gone)(struct exchange *exchange);
    enum connection_phase phase;
    int fd;
    bool is_local;
    struct timer *timer;
    struct watch *watch;
    uint64_t n_given;       /* bytes handed to libmicrohttpd */
    uint64_t n_given_seen;  /* when the timer ran last */
    int n_queued_seen;      /* in the system's queue then */
    uint64_t progress_ns;   /* when one of the two was seen to change */
};

/* NULL: memory is out. */
struct http_connection *connection_new(struct server *server, struct lingering *lingering, struct loop_call *run, struct MHD_Connection *mhd,
                                       int fd, bool is_local);
void connection_free(struct http_connection *connection); /* takes NULL */
void connection_enter(struct http_connection *connection, enum connection_phase phase);
/* From here on on_gone is called when the client goes away. */
void connection_watch(struct http_connection *connection);
void connection_unwatch(struct http_connection *connection);
/* Ends it, whatever it does. */
void connection_cut(struct http_connection *connection);
/* A whole reply past libmicrohttpd, which cannot reply in the middle of a request; the connection must be cut behind it. body: JSON. */
void connection_send(struct http_connection *connection, int status, const char *reason, const char *body);
/* What the client still sends after its reply is read and thrown away for a while: closing the socket would take the reply from it. */
void connection_linger(struct http_connection *connection);

#endif
