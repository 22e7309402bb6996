#include "server/system_call_names.h"

/* One string per number from 0 on, empty where there is no call, one after the other: no pointers, which the
 * loader of a position-independent program would have to adjust at each start. */
static const char names[] = {
#include "system_call_names.inc"
};

const char *system_call_name(int number) {
    const char *name = names;
    for (int i = 0; i < number && name < names + sizeof names; i++) {
        while (*name != '\0')
            name++;
        name++;
    }
    return number < 0 || name >= names + sizeof names || *name == '\0' ? "unknown" : name;
}
