/* rescoldo: one program, one table of subcommands. */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/own_program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a command is told the model that this program carries. */
enum own_model {
    AS_NOTHING,
    AS_OPTION,  /* --model */
    AS_OPERAND, /* a file name */
};

struct entry {
    const char *name;
    int (*run)(int argc, char **argv);
    enum own_model own_model;
    const char *summary;
};

static const struct entry entries[] = {
    {"bake", command_bake, AS_NOTHING, "Turn a published model into an ember."},
    {"serve", command_serve, AS_OPTION, "Answer rerank and embedding requests over HTTP."},
    {"rerank", command_rerank, AS_OPTION, "Score passages against a query, best first."},
    {"embed", command_embed, AS_OPTION, "Turn texts into vectors."},
    {"tokenize", command_tokenize, AS_OPTION, "Show the tokens a text becomes."},
    {"inspect", command_inspect, AS_OPERAND, "Show what an ember holds."},
    {"selftest", command_selftest, AS_OPTION, "Check that an ember computes right on this machine."},
    {"bench", command_bench, AS_OPTION, "Measure how fast this machine runs a model."},
    {"eval", command_eval, AS_OPTION, "Measure how well a model ranks, as trec_eval does."},
    {"health", command_health, AS_NOTHING, "Ask a running server whether it is ready."},
    {"pack", command_pack, AS_NOTHING, "Make one file of this program and an ember."},
    {"version", command_version, AS_NOTHING, "Print the version, and what is linked in."},
    {NULL, NULL, AS_NOTHING, NULL},
};

static int print_help(void) {
    printf("Usage: rescoldo COMMAND [OPTION]...\n\n"
           "A reranking and embedding server in one file.\n\nCommands:\n");
    for (const struct entry *entry = entries; entry->name != NULL; entry++)
        printf("  %-10s %s\n", entry->name, entry->summary);
    printf("\n'rescoldo help COMMAND' describes a command; 'rescoldo --version' prints the version.\n"
           "Exit status: 0 success, 1 failure, 2 a command line that is not understood.\n");
    return cli_finish(NULL, EXIT_SUCCESS);
}

static int unknown_command(const char *typed) {
    const char *names[sizeof entries / sizeof *entries + 1] = {NULL};
    for (size_t i = 0; entries[i].name != NULL; i++)
        names[i] = entries[i].name;
    const char *nearest = nearest_name(typed, names);
    if (nearest != NULL)
        return command_usage_error(NULL, "unknown command \"%s\"; did you mean \"%s\"?", typed, nearest);
    return command_usage_error(NULL, "unknown command \"%s\"", typed);
}

static bool has_operand(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            return true;
    }
    return false;
}

/* A packed program's own model goes before what was typed, so that a --model there counts instead. */
static int run(const struct entry *entry, int argc, char **argv) {
    static char option[] = "--model";
    const char *packed = entry->own_model == AS_NOTHING ? NULL : own_program_packed();
    if (packed == NULL || (entry->own_model == AS_OPERAND && has_operand(argc, argv)))
        return entry->run(argc, argv);
    char **arguments = calloc((size_t)argc + 3, sizeof *arguments);
    if (arguments == NULL) {
        cli_message(entry->name, "no memory for the command line");
        return EXIT_FAILED;
    }
    int count = 0;
    arguments[count++] = argv[0];
    if (entry->own_model == AS_OPTION)
        arguments[count++] = option;
    arguments[count++] = (char *)(uintptr_t)packed; /* never written to */
    for (int i = 1; i < argc; i++)
        arguments[count++] = argv[i];
    int outcome = entry->run(count, arguments);
    free(arguments);
    return outcome;
}

static int run_named(int argc, char **argv) {
    for (const struct entry *entry = entries; entry->name != NULL; entry++) {
        if (strcmp(argv[0], entry->name) == 0)
            return run(entry, argc, argv);
    }
    return unknown_command(argv[0]);
}

/* `rescoldo help COMMAND`, as other programs have it too, is `rescoldo COMMAND --help`. */
static int help_of(int argc, char **argv) {
    static char option[] = "--help";
    if (argc == 1)
        return print_help();
    if (argc > 2)
        return command_usage_error(NULL, "unexpected argument \"%s\"", argv[2]);
    char *arguments[] = {argv[1], option, NULL};
    return run_named(2, arguments);
}

static int dispatch(int argc, char **argv) {
    if (argc < 2)
        return command_usage_error(NULL, "a command is required");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "help") == 0)
        return help_of(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) {
        printf("rescoldo " RESCOLDO_VERSION "\n");
        return cli_finish(NULL, EXIT_SUCCESS);
    }
    return run_named(argc - 1, argv + 1);
}

/* A standard descriptor that the caller closed would be given to the next file opened, and results or
 * messages would be written into it. Each gets a file on which the forbidden use fails: reading for 0,
 * writing for 1. */
static void occupy_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", descriptor == 1 ? O_RDONLY : O_WRONLY) < 0)
            _Exit(EXIT_FAILED);
    }
}

int main(int argc, char **argv) {
    occupy_standard_descriptors();
    /* A reader that went away is told by the write's error, with a message, instead of a death by signal. */
    signal(SIGPIPE, SIG_IGN);
    return dispatch(argc, argv);
}
