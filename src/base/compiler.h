/* The few attributes that GCC and Clang share and C17 lacks. Everything else in the project is plain C17. */
#ifndef RESCOLDO_BASE_COMPILER_H
#define RESCOLDO_BASE_COMPILER_H

#if defined(__GNUC__)
#define PRINTF_LIKE(format_index, first_argument)                                                            \
    __attribute__((format(printf, format_index, first_argument)))
#define MUST_CHECK __attribute__((warn_unused_result))
#else
#define PRINTF_LIKE(format_index, first_argument)
#define MUST_CHECK
#endif

#endif
