/* What the daemon tells the service manager, by sd_notify(3)'s protocol: a datagram to $NOTIFY_SOCKET. Without it nothing happens.
 *
 *     struct notifier notifier;
 *     notifier_open(&notifier);
 *     notifier_tell(&notifier, "READY=1\nSTATUS=%zu models", n);
 *     notifier_close(&notifier);
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

struct notifier {
    int fd;                /* -1: nobody wants to know */
    uint64_t watchdog_ms;  /* how often at least "WATCHDOG=1" is to be told; 0: not */
};

/* Takes the variables out of the environment. Before threads start. */
void notifier_open(struct notifier *ret_notifier);
void notifier_close(struct notifier *notifier);
void notifier_tell(const struct notifier *notifier, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* RELOADING=1 with the time that goes with it. */
void notifier_tell_reloading(const struct notifier *notifier);

#endif
