/* What every subcommand shares. A subcommand is one file, src/cli/NAME.c, with one entry point here and one
 * line in main.c's table.
 *
 * The contract with scripts: results go to standard output, messages to standard error; exit status 0 is
 * success, 1 a failure that the message explains, 2 a command line that is not understood. Results are a
 * readable table on a terminal, and JSON lines when standard output is anything else or --json is given. */
#ifndef RESCOLDO_CLI_CLI_H
#define RESCOLDO_CLI_CLI_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2

/* Entry points: argv[0] is the subcommand's name; the result is the exit status. */
int command_bake(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_embed(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_health(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_rerank(int argc, char **argv);
int command_selftest(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_tokenize(int argc, char **argv);
int command_version(int argc, char **argv);

/* Prints "rescoldo COMMAND: message" and a newline to standard error. command may be NULL. */
void cli_message(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* cli_message of an error, then EXIT_FAILED: `return cli_fail("inspect", &error);` */
int cli_fail(const char *command, const struct error *error);

/* True when results are for a person: standard output is a terminal and --json was not given. */
bool cli_wants_table(bool json);

/* Flushes standard output. A command whose output did not arrive whole has failed: call this last, and in a
 * loop after each result that a reader may wait for. */
MUST_CHECK enum status cli_flush(struct error *error);

/* Prints a line and a newline to standard output, without flushing. */
MUST_CHECK enum status cli_write_line(struct buffer *line, struct error *error);

/* The end of a command that has printed its results: flushes, says what failed, and gives the exit status. */
int cli_finish(const char *command, int exit_status);

#endif
