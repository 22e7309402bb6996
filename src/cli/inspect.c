/* rescoldo inspect: what an ember holds. */
#include "base/json_writer.h"
#include "cli/cli.h"
#include "cli/json_lines.h"
#include "cli/options.h"
#include "cli/table.h"
#include "engine/model.h"

#include <stdio.h>
#include <stdlib.h>

static const char name[] = "inspect";

struct inspect {
    const char *path;
    bool json, verify, tensors;
};

static int parse(struct inspect *inspect, int argc, char **argv) {
    const struct option options[] = {
        {.name = "json", .help = "print one line of JSON on a terminal too", .flag = &inspect->json},
        {.name = "verify",
         .help = "read the whole file and compare the checksum of every section",
         .flag = &inspect->verify},
        {.name = "tensors",
         .help = "list every tensor and its quantization error in the table too (the JSON always does)",
         .flag = &inspect->tensors},
    };
    const struct command command = {
        .name = name,
        .synopsis = "FILE [OPTION]...",
        .description =
            "Prints what an ember holds: its sections and their checksums, the model's kind and numbers, "
            "where it came from. The file is checked as it is when a model is opened to be used.",
        .options = options,
        .option_count = OPTION_COUNT(options),
        .operands = &inspect->path,
        .operand_minimum = 1,
        .operand_maximum = 1,
        .operand_name = "FILE",
    };
    return command_parse(&command, argc, argv);
}

static enum status print_json(const struct inspect *inspect, const struct model *model, struct error *error) {
    struct buffer line = {0};
    struct json_writer writer = json_writer_to(&line);
    json_begin_object(&writer);
    json_key(&writer, "file");
    json_message(&writer, inspect->path);
    json_key(&writer, "size");
    json_unsigned(&writer, model->ember.file.size);
    json_key(&writer, "version");
    json_unsigned(&writer, EMBER_VERSION);
    json_key(&writer, "verified");
    json_bool(&writer, inspect->verify);
    json_key(&writer, "sections");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < model->ember.section_count; i++) {
        const struct ember_section *section = &model->ember.sections[i];
        char checksum[17];
        snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)section->checksum);
        json_begin_object(&writer);
        json_key(&writer, "name");
        json_text_of_string(&writer, section->name);
        json_key(&writer, "offset");
        json_unsigned(&writer, section->offset);
        json_key(&writer, "size");
        json_unsigned(&writer, section->bytes.size);
        json_key(&writer, "xxh3_64");
        json_text_of_string(&writer, checksum);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_key(&writer, "metadata");
    json_tree(&writer, model->metadata);
    json_end_object(&writer);
    enum status status = json_writer_finish(&writer, error);
    if (status == STATUS_OK)
        status = cli_write_line(&line, error);
    buffer_free(&line);
    return status;
}

static enum status print_sections(const struct inspect *inspect, const struct model *model,
                                  struct error *error) {
    static const struct table_column columns[] = {
        {"section", false}, {"offset", true}, {"bytes", true}, {"XXH3-64", false}};
    struct table table = {.columns = columns, .column_count = OPTION_COUNT(columns)};
    printf("%s: ember of format %u, %zu bytes%s\n\n", inspect->path, EMBER_VERSION, model->ember.file.size,
           inspect->verify ? ", every checksum compared" : "");
    for (uint32_t i = 0; i < model->ember.section_count; i++) {
        const struct ember_section *section = &model->ember.sections[i];
        table_add(&table, bytes_of_string(section->name));
        table_add_format(&table, "%llu", (unsigned long long)section->offset);
        table_add_format(&table, "%zu", section->bytes.size);
        table_add_format(&table, "%016llx", (unsigned long long)section->checksum);
    }
    enum status status = table_print(&table, error);
    table_free(&table);
    putchar('\n');
    return status;
}

/* One row per scalar of the metadata: its path, such as models[0].shape.layers, and its value. */
struct metadata_rows {
    const struct inspect *inspect;
    struct table table;
    struct buffer value;
};

static void add_value(struct metadata_rows *rows, const char *path, const json_t *value) {
    if (json_is_string(value)) {
        table_add(&rows->table, bytes_of_string(path));
        table_add(&rows->table, bytes_of(json_string_value(value), json_string_length(value)));
        return;
    }
    rows->value.size = 0;
    struct json_writer writer = json_writer_to(&rows->value);
    json_tree(&writer, value);
    if (json_writer_finish(&writer, NULL) != STATUS_OK) {
        rows->table.status = STATUS_OUT_OF_MEMORY;
        return;
    }
    table_add(&rows->table, bytes_of_string(path));
    table_add(&rows->table, buffer_bytes(&rows->value));
}

#define MAX_PATH 256

/* The lists with an entry for each tensor. */
static bool is_long_list(const char *path) {
    const char *last = strrchr(path, '.');
    return last != NULL && (strcmp(last, ".tensors") == 0 || strcmp(last, ".quantization") == 0);
}

static void add_rows(struct metadata_rows *rows, const char *path, json_t *value) {
    char inner[MAX_PATH];
    const char *key;
    json_t *member;
    size_t index;
    bool listed = rows->inspect->tensors || !is_long_list(path);
    if (json_is_object(value)) {
        json_object_foreach(value, key, member) {
            snprintf(inner, sizeof inner, "%s%s%s", path, *path == '\0' ? "" : ".", key);
            add_rows(rows, inner, member);
        }
    } else if (json_is_array(value) && !listed) {
        table_add(&rows->table, bytes_of_string(path));
        table_add_format(&rows->table, "%zu (list them with --tensors)", json_array_size(value));
    } else if (json_is_array(value) && json_array_size(value) > 0 &&
               !json_is_number(json_array_get(value, 0))) {
        json_array_foreach(value, index, member) {
            snprintf(inner, sizeof inner, "%s[%zu]", path, index);
            add_rows(rows, inner, member);
        }
    } else {
        add_value(rows, path, value);
    }
}

static enum status print_metadata(const struct inspect *inspect, const struct model *model,
                                  struct error *error) {
    static const struct table_column columns[] = {{"metadata", false}, {"value", false}};
    struct metadata_rows rows = {
        .inspect = inspect,
        .table = {.columns = columns, .column_count = OPTION_COUNT(columns), .whole = true},
    };
    add_rows(&rows, "", model->metadata);
    enum status status = table_print(&rows.table, error);
    table_free(&rows.table);
    buffer_free(&rows.value);
    return status;
}

int command_inspect(int argc, char **argv) {
    struct inspect inspect = {0};
    int outcome = parse(&inspect, argc, argv);
    if (outcome != COMMAND_CONTINUE)
        return outcome;
    struct error error;
    struct model_list list;
    const struct model_options options = {.verify_checksums = inspect.verify};
    if (model_list_open(inspect.path, &options, &list, &error) != STATUS_OK)
        return cli_fail(name, &error);
    const struct model *model = list.models[0]; /* each holds the whole ember's description */
    enum status status;
    if (cli_wants_table(inspect.json)) {
        status = print_sections(&inspect, model, &error);
        if (status == STATUS_OK)
            status = print_metadata(&inspect, model, &error);
    } else {
        status = print_json(&inspect, model, &error);
    }
    model_list_close(&list);
    return cli_finish(name, status == STATUS_OK ? EXIT_SUCCESS : cli_fail(name, &error));
}
