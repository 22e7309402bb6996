/* rescoldo version: which version this is, and what it is linked from. */
#include "cli/cli.h"
#include "cli/options.h"
#include "server/embedded.h"

#include <stdio.h>
#include <stdlib.h>

static int print_sbom(void) {
    struct buffer text = {0};
    struct error error;
    if (embedded_document_append(sbom_document, sbom_document_size, &text, &error) != STATUS_OK)
        return cli_fail("version", &error);
    (void)fwrite(text.data, 1, text.size, stdout); /* cli_finish sees a failure */
    buffer_free(&text);
    return cli_finish("version", EXIT_SUCCESS);
}

int command_version(int argc, char **argv) {
    bool sbom = false;
    const struct option options[] = {
        {.name = "sbom",
         .help = "print what is linked in, with versions and licences: CycloneDX 1.6, JSON",
         .flag = &sbom},
    };
    const struct command command = {
        .name = "version",
        .synopsis = "[--sbom]",
        .description = "Prints the version, as 'rescoldo --version' does.",
        .options = options,
        .option_count = OPTION_COUNT(options),
    };
    int outcome = command_parse(&command, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    if (sbom)
        return print_sbom();
    printf("rescoldo " RESCOLDO_VERSION "\n");
    return cli_finish("version", EXIT_SUCCESS);
}
