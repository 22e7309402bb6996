/* Any bytes as a ZIP archive: its directory, and every entry of a size that a fuzzer can bear. */
#include "formats/zip_archive.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST_ENTRY ((uint64_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool leads_out(const char *name) {
    size_t length = strlen(name);
    return name[0] == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../") != NULL ||
           strcmp(name, "..") == 0 || (length > 2 && strcmp(name + length - 3, "/..") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct zip_archive archive;
    struct error error;
    if (zip_open(&archive, bytes_of(data, size), "fuzz.zip", &error) == STATUS_OK) {
        for (size_t i = 0; i < archive.count; i++) {
            const struct zip_entry *entry = &archive.entries[i];
            struct file_mapping content;
            if (leads_out(entry->name))
                abort();
            if (entry->size <= LARGEST_ENTRY && zip_read(&archive, entry, &content, &error) == STATUS_OK)
                file_unmap(&content);
        }
    }
    zip_close(&archive);
    return 0;
}
