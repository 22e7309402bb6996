#include "cli/cli.h"
#include "cli/options.h"
#include "engine/model.h"
#include "server/address.h"
#include "server/server.h"
#include "server/service_manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LIMITS           32u
#define LIMIT_NAME_SIZE      40u
#define OWN_OPTIONS          4u
#define STANDARD_SOCKET_MODE "0660"

/* The options: the model, the addresses, and one for each limit. */
struct serve_arguments {
    const char *model;
    struct option_values listen;
    bool reuse_port;
    const char *socket_mode;
    struct limits limits;
    char names[MAX_LIMITS][LIMIT_NAME_SIZE];
    char helps[MAX_LIMITS][160];
    struct option options[OWN_OPTIONS + MAX_LIMITS];
};

/* What server_run wants, from the arguments. */
struct serve_addresses {
    struct sockaddr_storage addresses[OPTION_MAX_REPEATS];
    size_t address_count, inherited_count;
    struct listening_options listening;
};

/* max_body_bytes is --max-body-bytes, idle_timeout_seconds is --idle-timeout SECONDS. Returns the value's
 * name. */
static const char *name_flag(const char *name, char *flag) {
    static const char timeout[] = "_timeout_seconds";
    snprintf(flag, LIMIT_NAME_SIZE, "%s", name);
    size_t length = strlen(flag);
    bool is_timeout = length > strlen(timeout) && strcmp(flag + length - strlen(timeout), timeout) == 0;
    if (is_timeout)
        flag[length - strlen("_seconds")] = '\0';
    for (char *next = flag; *next != '\0'; next++)
        *next = *next == '_' ? '-' : *next;
    return is_timeout ? "SECONDS" : "N";
}

static void describe_limit(struct serve_arguments *arguments, size_t i) {
    const struct limit_description *limit = &limit_descriptions[i];
    const char *argument = name_flag(limit->name, arguments->names[i]);
    snprintf(arguments->helps[i], sizeof arguments->helps[i], "%s;\ndefault %llu", limit->help,
             (unsigned long long)limit->standard);
    arguments->options[OWN_OPTIONS + i] = (struct option){
        .name = arguments->names[i],
        .argument = argument,
        .help = arguments->helps[i],
        .number = limit_value(&arguments->limits, limit),
        .minimum = limit->minimum,
        .maximum = limit->maximum,
    };
}

static int parse(struct serve_arguments *arguments, int argc, char **argv) {
    limits_set_defaults(&arguments->limits);
    arguments->options[0] = (struct option){.name = "model",
                                            .argument = "FILE.ember",
                                            .help = "the model to serve",
                                            .required = true,
                                            .text = &arguments->model};
    arguments->options[1] = (struct option){.name = "listen",
                                            .argument = "ADDRESS",
                                            .help = "where to listen: HOST:PORT or unix:PATH; may be given\n"
                                                    "several times; default 127.0.0.1:8080",
                                            .repeat = &arguments->listen};
    arguments->options[2] = (struct option){.name = "reuse-port",
                                            .help = "let other servers listen on the same HOST:PORT, for a\n"
                                                    "restart without a gap",
                                            .flag = &arguments->reuse_port};
    arguments->options[3] = (struct option){.name = "socket-mode",
                                            .argument = "MODE",
                                            .help = "permissions of a unix: socket, which decide who may\n"
                                                    "connect; default " STANDARD_SOCKET_MODE,
                                            .text = &arguments->socket_mode};
    for (size_t i = 0; i < limit_description_count; i++)
        describe_limit(arguments, i);
    const struct command command = {
        .name = "serve",
        .synopsis = "--model FILE.ember [--listen ADDRESS]... [OPTION]...",
        .description =
            "Answers rerank and embedding requests over HTTP until SIGTERM or SIGINT, then finishes what\n"
            "is in flight. docs/api.md describes the paths, docs/operations.md the limits. The log goes to\n"
            "standard error, one JSON object per line.",
        .options = arguments->options,
        .option_count = OWN_OPTIONS + limit_description_count,
    };
    return command_parse(&command, argc, argv);
}

static int parse_socket_mode(const char *text, mode_t *mode) {
    if (text == NULL)
        text = STANDARD_SOCKET_MODE;
    size_t digits = strspn(text, "01234567");
    if (digits == 0 || digits > 4 || text[digits] != '\0' || strtoul(text, NULL, 8) > 0777)
        return command_usage_error("serve", "--socket-mode is \"%s\", expected octal digits up to 0777",
                                   text);
    *mode = (mode_t)strtoul(text, NULL, 8);
    return COMMAND_CONTINUE;
}

/* Sockets that the parent process has made take the place of the standard address. */
static int parse_addresses(const struct serve_arguments *arguments, struct serve_addresses *parsed) {
    static const struct option_values standard = {.values = {"127.0.0.1:8080"}, .count = 1};
    struct error error;
    const struct option_values *listen = &arguments->listen;
    if (inherited_descriptors(SERVER_MAX_ADDRESSES - OPTION_MAX_REPEATS, &parsed->inherited_count, &error) !=
        STATUS_OK)
        return cli_fail("serve", &error);
    if (listen->count == 0 && parsed->inherited_count == 0)
        listen = &standard;
    for (size_t i = 0; i < listen->count; i++) {
        if (address_parse(listen->values[i], &parsed->addresses[i], &error) != STATUS_OK)
            return command_usage_error("serve", "--listen: %s", error.message);
    }
    parsed->address_count = listen->count;
    parsed->listening.reuse_port = arguments->reuse_port;
    return parse_socket_mode(arguments->socket_mode, &parsed->listening.socket_mode);
}

int command_serve(int argc, char **argv) {
    struct serve_arguments arguments = {0};
    struct serve_addresses parsed = {0};
    int outcome = parse(&arguments, argc, argv);
    if (outcome == COMMAND_CONTINUE)
        outcome = parse_addresses(&arguments, &parsed);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct model *model = NULL;
    if (model_open(arguments.model, NULL, &model, &error) != STATUS_OK)
        return cli_fail("serve", &error);
    const struct server_options options = {
        .model = model,
        .addresses = parsed.addresses,
        .address_count = parsed.address_count,
        .inherited_count = parsed.inherited_count,
        .listening = parsed.listening,
        .limits = arguments.limits,
        .log_descriptor = STDERR_FILENO,
    };
    enum server_end end = SERVER_FINISHED;
    int last_signal = 0;
    outcome = EXIT_SUCCESS;
    if (server_run(&options, &end, &last_signal, &error) != STATUS_OK)
        outcome = cli_fail("serve", &error);
    if (end == SERVER_INTERRUPTED)
        return 128 + last_signal; /* as a shell reports it; the worker may still be reading the model */
    if (end == SERVER_CUT_SHORT)
        outcome = EXIT_FAILED;
    model_close(model);
    return outcome;
}

_Static_assert(OPTION_MAX_REPEATS < SERVER_MAX_ADDRESSES, "every --listen has a place in the server");
