/* Functions that have a safe counterpart here are poisoned. Forced into every file of src/ by the Makefile
 * (-include), after the system headers that declare them; base/memory.c alone is built with the ban lifted. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <math.h>

#ifndef BANNED_LIFTED
#pragma GCC poison malloc calloc realloc reallocarray aligned_alloc posix_memalign
#pragma GCC poison strcpy strcat strncpy strncat strtok sprintf vsprintf gets
#pragma GCC poison atoi atol atoll atof localtime gmtime ctime asctime
#endif

#endif
