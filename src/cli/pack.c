/* rescoldo pack: this program and an ember as one file. */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/own_program.h"
#include "engine/model.h"
#include "formats/packed_program.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char name[] = "pack";

struct pack {
    const char *model, *output;
};

static int parse(struct pack *pack, int argc, char **argv) {
    const struct option options[] = {
        {.name = "model",
         .argument = "FILE.ember",
         .help = "the ember to append",
         .required = true,
         .text = &pack->model},
        {.name = "output",
         .argument = "FILE",
         .help = "the program to write",
         .required = true,
         .text = &pack->output},
    };
    const struct command command = {
        .name = name,
        .synopsis = "--model FILE.ember --output FILE",
        .description = "Writes a copy of this program that carries the ember: its commands then need no "
                       "--model, and one that "
                       "is given counts instead.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    return command_parse(&command, argc, argv);
}

static enum status write_program(const struct pack *pack, struct bytes program, struct bytes ember,
                                 struct error *error) {
    struct file_writer file;
    enum status status = file_writer_open(&file, pack->output, error);
    if (status != STATUS_OK)
        return status;
    status = packed_program_write(program, ember, &file, error);
    if (status == STATUS_OK && fchmod(file.descriptor, 0755) != 0)
        status = error_set_errno(error, errno, "cannot make %s executable", pack->output);
    if (status == STATUS_OK)
        return file_writer_commit(&file, error);
    file_writer_abort(&file);
    return status;
}

static enum status pack_model(const struct pack *pack, struct bytes ember, struct error *error) {
    const char *path = own_program_path();
    struct file_mapping own;
    struct bytes program;
    if (path == NULL)
        return error_set(error, STATUS_NOT_FOUND, "cannot open the file of this program");
    enum status status = file_map(path, &own, error);
    if (status != STATUS_OK)
        return status;
    status = packed_program_strip(own.bytes, &program, error);
    if (status == STATUS_OK)
        status = write_program(pack, program, ember, error);
    file_unmap(&own);
    return status;
}

int command_pack(int argc, char **argv) {
    struct pack pack = {0};
    int outcome = parse(&pack, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct model_list list;
    const struct model_options options = {.verify_checksums = true};
    if (model_list_open(pack.model, &options, &list, &error) != STATUS_OK)
        return cli_fail(name, &error);
    enum status status = pack_model(&pack, list.models[0]->ember.file, &error);
    model_list_close(&list);
    return cli_finish(name, status == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error));
}
