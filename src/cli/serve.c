#include "base/memory_limit.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "engine/model.h"
#include "server/address.h"
#include "server/memory_plan.h"
#include "server/router.h"
#include "server/server.h"
#include "server/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LIMITS           64u
#define LIMIT_NAME_SIZE      40u
#define MAX_OWN_OPTIONS      16u
#define STANDARD_SOCKET_MODE "0660"

/* The options: the model, the addresses, and one for each limit. */
struct serve_arguments {
    const char *model;
    struct option_values listen;
    bool reuse_port;
    const char *socket_mode;
    const char *api_key_file;
    struct option_values open_paths;
    const char *access_log;
    int sandbox;
    const char *memory_limit;
    const char *user;
    struct limits limits;
    char names[MAX_LIMITS][LIMIT_NAME_SIZE];
    char helps[MAX_LIMITS][160];
    struct option options[MAX_OWN_OPTIONS + MAX_LIMITS];
    size_t option_count;
};

/* What server_run wants, from the arguments. */
struct serve_addresses {
    struct sockaddr_storage addresses[OPTION_MAX_REPEATS];
    size_t address_count, inherited_count;
    struct listening_options listening;
    struct sandbox_options sandbox;
    uint64_t memory_limit;
    const char *memory_limit_source;
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

static void add_option(struct serve_arguments *arguments, struct option option) {
    arguments->options[arguments->option_count++] = option;
}

static void describe_limit(struct serve_arguments *arguments, size_t i) {
    const struct limit_description *limit = &limit_descriptions[i];
    const char *argument = name_flag(limit->name, arguments->names[i]);
    snprintf(arguments->helps[i], sizeof arguments->helps[i], "%s;\ndefault %llu", limit->help,
             (unsigned long long)limit->standard);
    add_option(arguments, (struct option){
                              .name = arguments->names[i],
                              .argument = argument,
                              .help = arguments->helps[i],
                              .number = limit_value(&arguments->limits, limit),
                              .minimum = limit->minimum,
                              .maximum = limit->maximum,
                          });
}

static void describe_options(struct serve_arguments *arguments) {
    add_option(arguments, (struct option){.name = "model",
                                          .argument = "FILE.ember",
                                          .help = "the model to serve",
                                          .required = true,
                                          .text = &arguments->model});
    add_option(arguments, (struct option){.name = "listen",
                                          .argument = "ADDRESS",
                                          .help = "where to listen: HOST:PORT or unix:PATH; may be given\n"
                                                  "several times; default 127.0.0.1:8080",
                                          .repeat = &arguments->listen});
    add_option(arguments, (struct option){.name = "reuse-port",
                                          .help = "let other servers listen on the same HOST:PORT, for a\n"
                                                  "restart without a gap",
                                          .flag = &arguments->reuse_port});
    add_option(arguments, (struct option){.name = "socket-mode",
                                          .argument = "MODE",
                                          .help = "permissions of a unix: socket, which decide who may\n"
                                                  "connect; default " STANDARD_SOCKET_MODE,
                                          .text = &arguments->socket_mode});
    add_option(arguments, (struct option){.name = "api-key-file",
                                          .argument = "FILE",
                                          .help = "answer only requests with one of these keys: one a\n"
                                                  "line, then a space and a name for the log, if wanted",
                                          .text = &arguments->api_key_file});
    add_option(arguments, (struct option){.name = "open-path",
                                          .argument = "PATH",
                                          .help = "what is answered without a key; may be given several\n"
                                                  "times; \"none\" for nothing; default the health paths\n"
                                                  "and /metrics",
                                          .repeat = &arguments->open_paths});
    add_option(arguments, (struct option){.name = "access-log",
                                          .argument = "WHERE",
                                          .help = "where a line per request goes: stderr (default),\n"
                                                  "stdout, none, or a file, to which it is appended",
                                          .text = &arguments->access_log});
    add_option(arguments, (struct option){.name = "sandbox",
                                          .argument = "MODE",
                                          .help = "on (default): only with seccomp, and Landlock where the\n"
                                                  "kernel has it; strict: only with both; off: neither",
                                          .choice = &arguments->sandbox,
                                          .choices = sandbox_mode_names});
    add_option(arguments, (struct option){.name = "memory-limit",
                                          .argument = "BYTES",
                                          .help = "do not start, or lower limits that are not given,\n"
                                                  "unless all fits: 64MiB, or none; default the memory\n"
                                                  "limit of the control group",
                                          .text = &arguments->memory_limit});
    add_option(arguments, (struct option){.name = "user",
                                          .argument = "USER:GROUP",
                                          .help = "numbers: whom root's server becomes once everything is\n"
                                                  "open; default: it stays who it is",
                                          .text = &arguments->user});
}

static int parse(struct serve_arguments *arguments, int argc, char **argv) {
    limits_set_defaults(&arguments->limits);
    arguments->sandbox = (int)sandbox_default_mode();
    describe_options(arguments);
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
        .option_count = arguments->option_count,
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

/* Numbers, since an image may have no user database, and libc's would load libraries. */
static int parse_user(const char *text, struct sandbox_options *sandbox) {
    sandbox->user = sandbox->group = SANDBOX_KEEP_USER;
    if (text == NULL)
        return COMMAND_CONTINUE;
    char *end = NULL;
    bool digits = text[0] != ':' && strspn(text, "0123456789:") == strlen(text) && strlen(text) <= 21;
    unsigned long long user = digits ? strtoull(text, &end, 10) : 0;
    bool complete = digits && end[0] == ':' && end[1] != '\0' && end[1] != ':';
    unsigned long long group = complete ? strtoull(end + 1, &end, 10) : 0;
    if (!complete || *end != '\0' || user >= SANDBOX_KEEP_USER || group >= SANDBOX_KEEP_USER)
        return command_usage_error(
            "serve", "--user is \"%.40s\", expected USER:GROUP in numbers, such as 65532:65532", text);
    sandbox->user = (uint32_t)user;
    sandbox->group = (uint32_t)group;
    return COMMAND_CONTINUE;
}

static int parse_memory_limit(const char *text, struct serve_addresses *parsed) {
    parsed->memory_limit_source = "--memory-limit";
    if (text == NULL) {
        parsed->memory_limit = memory_limit("");
        parsed->memory_limit_source = "the control group";
    } else if (!memory_size_parse(text, &parsed->memory_limit)) {
        return command_usage_error(
            "serve", "--memory-limit is \"%.40s\", expected bytes, such as 67108864 or 64MiB, or none", text);
    }
    if (parsed->memory_limit == 0)
        parsed->memory_limit_source = "none";
    return COMMAND_CONTINUE;
}

/* "none" stands for a path that does not exist. */
static int check_open_paths(const struct option_values *paths) {
    for (size_t i = 0; i < paths->count; i++) {
        const char *path = paths->values[i];
        if (strcmp(path, "none") != 0 && route_find(bytes_of_string(path)) == route_count)
            return command_usage_error("serve",
                                       "--open-path: there is no path \"%s\"; docs/api.md lists them", path);
    }
    return COMMAND_CONTINUE;
}

/* The descriptor, or -1 for none. */
static enum status open_access_log(const char *where, int *descriptor, struct error *error) {
    *descriptor = -1;
    if (where == NULL || strcmp(where, "stderr") == 0)
        *descriptor = STDERR_FILENO;
    else if (strcmp(where, "stdout") == 0)
        *descriptor = STDOUT_FILENO;
    if (*descriptor >= 0 || strcmp(where, "none") == 0)
        return STATUS_OK;
    *descriptor = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return *descriptor >= 0 ? STATUS_OK
                            : error_set_errno(error, errno, "cannot open the access log %s", where);
}

/* Opens what the server needs, and runs it. */
static int run(const struct serve_arguments *arguments, const struct serve_addresses *parsed) {
    struct error error;
    struct model_list models = {0};
    struct api_keys *keys = NULL;
    enum server_end end = SERVER_FINISHED;
    int last_signal = 0, outcome = EXIT_SUCCESS, access_log = -1;
    enum status status = STATUS_OK;
    if (arguments->api_key_file != NULL)
        status = api_keys_read(arguments->api_key_file, &keys, &error);
    if (status == STATUS_OK)
        status = open_access_log(arguments->access_log, &access_log, &error);
    if (status == STATUS_OK)
        status = model_list_open(arguments->model, NULL, &models, &error);
    const struct server_options options = {
        .models = &models,
        .addresses = parsed->addresses,
        .address_count = parsed->address_count,
        .inherited_count = parsed->inherited_count,
        .listening = parsed->listening,
        .sandbox = parsed->sandbox,
        .limits = arguments->limits,
        .memory_limit = parsed->memory_limit,
        .memory_limit_source = parsed->memory_limit_source,
        .log_descriptor = STDERR_FILENO,
        .access_log_descriptor = access_log,
        .api_keys = keys,
        .open_paths = arguments->open_paths.values,
        .open_path_count = arguments->open_paths.count,
    };
    if (status == STATUS_OK)
        status = server_run(&options, &end, &last_signal, &error);
    if (status != STATUS_OK)
        outcome = cli_fail("serve", &error);
    if (end == SERVER_INTERRUPTED)
        return 128 + last_signal; /* as a shell reports it; the worker may still be reading the model */
    if (end == SERVER_CUT_SHORT)
        outcome = EXIT_FAILED;
    model_list_close(&models);
    api_keys_free(keys);
    if (access_log > STDERR_FILENO)
        close(access_log);
    return outcome;
}

int command_serve(int argc, char **argv) {
    struct serve_arguments arguments = {0};
    struct serve_addresses parsed = {0};
    int outcome = parse(&arguments, argc, argv);
    if (outcome == COMMAND_CONTINUE)
        outcome = parse_addresses(&arguments, &parsed);
    if (outcome == COMMAND_CONTINUE)
        outcome = check_open_paths(&arguments.open_paths);
    parsed.sandbox.mode = (enum sandbox_mode)arguments.sandbox;
    if (outcome == COMMAND_CONTINUE)
        outcome = parse_user(arguments.user, &parsed.sandbox);
    if (outcome == COMMAND_CONTINUE)
        outcome = parse_memory_limit(arguments.memory_limit, &parsed);
    return outcome == COMMAND_CONTINUE ? run(&arguments, &parsed) : outcome;
}

_Static_assert(OPTION_MAX_REPEATS < SERVER_MAX_ADDRESSES, "every --listen has a place in the server");
