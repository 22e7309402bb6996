/* cmocka and the standard headers it needs before it, in the order it needs them. */
#ifndef RESCOLDO_TESTS_UNIT_TEST_H
#define RESCOLDO_TESTS_UNIT_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
