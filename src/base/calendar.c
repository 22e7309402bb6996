#include "base/calendar.h"

#define DAYS_PER_4_YEARS   1461u
#define DAYS_PER_CENTURY   36524u
#define DAYS_PER_400_YEARS 146097u
/* From 0000-03-01, where the years of this calculation begin so that a leap day is the last of its year. */
#define DAYS_BEFORE_1970 719468u

/* H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
struct calendar calendar_of(uint64_t seconds) {
    uint64_t days = seconds / 86400;
    unsigned of_day = (unsigned)(seconds % 86400);
    uint64_t since_march = days + DAYS_BEFORE_1970;
    unsigned of_era = (unsigned)(since_march % DAYS_PER_400_YEARS);
    unsigned year_of_era = (of_era - of_era / (DAYS_PER_4_YEARS - 1) + of_era / DAYS_PER_CENTURY -
                            of_era / (DAYS_PER_400_YEARS - 1)) /
                           365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned months_since_march = (5 * of_year + 2) / 153; /* five months in a row have 153 days */
    unsigned month = months_since_march < 10 ? months_since_march + 3 : months_since_march - 9;
    return (struct calendar){
        .year = since_march / DAYS_PER_400_YEARS * 400 + year_of_era + (month <= 2),
        .month = month,
        .day = of_year - (153 * months_since_march + 2) / 5 + 1,
        .weekday = (unsigned)((days + 4) % 7), /* 1970 began on a Thursday */
        .hour = of_day / 3600,
        .minute = of_day / 60 % 60,
        .second = of_day % 60,
    };
}
