/* Ctrl-C while there is something worth keeping: the first one only asks to stop, a second one ends the program. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From here on SIGINT is caught. */
void interrupt_watch(void);
/* The same for a read under way, which ends with EINTR; a second one does no more than the first. */
void interrupt_watch_reading(void);
bool interrupt_is_asked(void);
void interrupt_forget(void); /* as if none had come */

#endif
