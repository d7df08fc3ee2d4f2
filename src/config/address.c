#include "config/address.h"
#include "config/units.h"

#include <string.h>

static const char tcp[] = "tcp://";

static bool begins_with(const char *text, const char *beginning)
{
    return !strncmp(text, beginning, strlen(beginning));
}

static bool ends_with(const char *text, const char *ending)
{
    size_t n_text = strlen(text), n_ending = strlen(ending);
    return n_text > n_ending && !strcmp(text + n_text - n_ending, ending);
}

static bool is_number_up_to(const char *text, uint64_t most)
{
    uint64_t number;
    return units_read_whole(text, &number) && number <= most;
}

/* A host, which may have colons of its own only between brackets, and a port. */
static bool is_host_and_port(const char *text)
{
    const char *colon = strrchr(text, ':'), *close = strrchr(text, ']');
    if (!colon || colon == text || !is_number_up_to(colon + 1, 65535)) return false;
    if (*text == '[') return close == colon - 1;
    return memchr(text, ':', (size_t)(colon - text)) == NULL;
}

enum address_kind address_kind(const char *address)
{
    if (begins_with(address, "fd:")) return is_number_up_to(address + 3, 1 << 20) ? ADDRESS_FD : ADDRESS_BAD;
    if (begins_with(address, "unix://")) return address[7] == '/' && address[8] ? ADDRESS_UNIX : ADDRESS_BAD;
    if (begins_with(address, tcp)) return is_host_and_port(address + strlen(tcp)) ? ADDRESS_TCP : ADDRESS_BAD;
    if (strstr(address, "://")) return ADDRESS_BAD;
    if (address[0] == '/' || address[0] == '@') return address[1] ? ADDRESS_UNIX : ADDRESS_BAD;
    if (ends_with(address, ".sock")) return ADDRESS_UNIX;
    return is_host_and_port(address) ? ADDRESS_TCP : ADDRESS_BAD;
}

bool address_is_loopback(const char *address)
{
    if (begins_with(address, tcp)) address += strlen(tcp);
    return begins_with(address, "127.") || begins_with(address, "localhost:") || begins_with(address, "[::1]:");
}
