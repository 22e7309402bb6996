/* The file that this process was started from, which may carry a model (formats/packed_program.h). */
#ifndef RESCOLDO_CLI_OWN_PROGRAM_H
#define RESCOLDO_CLI_OWN_PROGRAM_H

/* Its path: /proc/self/exe, or as it was executed where there is no /proc; NULL when neither can be opened.
 * Static memory. */
const char *own_program_path(void);

/* The path when the program carries a model, else NULL. */
const char *own_program_packed(void);

#endif
