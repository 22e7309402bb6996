#include "server/system_call_names.h"

#include <string.h>

/* One string per number from 0 on, empty where there is no call, one after the other: no pointers, which the
 * loader of a position-independent program would have to adjust at each start. */
static const char names[] = {
#include "system_call_names.inc"
};
static const char *const end = names + sizeof names;

static const char *next(const char *name) {
    while (*name != '\0')
        name++;
    return name + 1;
}

const char *system_call_name(int number) {
    const char *name = names;
    for (int i = 0; i < number && name < end; i++)
        name = next(name);
    return number < 0 || name >= end || *name == '\0' ? "unknown" : name;
}

int system_call_number(const char *name) {
    if (*name == '\0')
        return -1;
    int number = 0;
    for (const char *other = names; other < end; other = next(other)) {
        if (strcmp(other, name) == 0)
            return number;
        number++;
    }
    return -1;
}
