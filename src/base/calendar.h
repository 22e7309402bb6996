/* Dates of the Gregorian calendar in UTC, computed. libc's gmtime reads the time zone first, from a file that
 * a sealed process may not open, and would draw 100 KB of number formats into a static program with it.
 * Thread-safe. */
#ifndef RESCOLDO_BASE_CALENDAR_H
#define RESCOLDO_BASE_CALENDAR_H

#include <stdint.h>

struct calendar {
    uint64_t year;
    unsigned month;   /* from 1 */
    unsigned day;     /* from 1 */
    unsigned weekday; /* from 0, Sunday */
    unsigned hour, minute, second;
};

/* seconds: since 1970-01-01T00:00:00Z, without leap seconds, as the system counts them. */
struct calendar calendar_of(uint64_t seconds);

#endif
