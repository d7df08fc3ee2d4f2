#include "cli/interrupt.h"

#include <signal.h>

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t is_asked;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_asked = 1;
}

void interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

void interrupt_watch_reading(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

void interrupt_forget(void)
{
    is_asked = 0;
}

bool interrupt_is_asked(void)
{
    return is_asked != 0;
}
