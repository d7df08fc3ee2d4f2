#include "hob/hob.h"

const char *hob_version(void)
{
    return HOB_VERSION_STRING;
}
