/* The forms of an address to listen at, told by their letters alone: whether it is there, the listener finds out. Thread-safe. */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>

enum address_kind {
    ADDRESS_BAD,
    ADDRESS_UNIX, /* unix:///path, /path, a path that ends in .sock, @abstract */
    ADDRESS_TCP,  /* tcp://host:port, host:port, [::1]:port */
    ADDRESS_FD    /* fd:3 */
};

enum address_kind address_kind(const char *address);
/* Of a TCP address: only this machine reaches it. */
bool address_is_loopback(const char *address);

#endif
