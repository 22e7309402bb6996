/* The folder that a published model lies in: a directory, or a ZIP archive in its place, whose files are read
 * straight from it. Names are relative to the folder and use slashes. */
#ifndef RESCOLDO_FORMATS_MODEL_FOLDER_H
#define RESCOLDO_FORMATS_MODEL_FOLDER_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"
#include "formats/zip_archive.h"

#define MODEL_FOLDER_PATH_SIZE 4096

struct model_folder {
    char path[MODEL_FOLDER_PATH_SIZE]; /* of the directory or the archive */
    bool is_archive;
    char inside[ZIP_NAME_SIZE]; /* the one folder in an archive that everything lies in, with its slash; else
                                   "" */
    struct file_mapping archive_file;
    struct zip_archive archive;
};

/* A directory need not exist yet: its files are found to be missing. Release with model_folder_close, after
 * failure too. */
MUST_CHECK enum status model_folder_open_directory(struct model_folder *folder, const char *path,
                                                   struct error *error);
MUST_CHECK enum status model_folder_open_archive(struct model_folder *folder, const char *path,
                                                 struct error *error);
void model_folder_close(struct model_folder *folder);

bool model_folder_has(const struct model_folder *folder, const char *name);
/* Appends a file; STATUS_NOT_FOUND where there is none, STATUS_LIMIT_EXCEEDED over max_size. */
MUST_CHECK enum status model_folder_read(const struct model_folder *folder, const char *name, size_t max_size,
                                         struct buffer *content, struct error *error);
/* Maps a file, or decompresses it to memory; release with file_unmap. */
MUST_CHECK enum status model_folder_map(const struct model_folder *folder, const char *name,
                                        struct file_mapping *content, struct error *error);
/* The files NAME.onnx in a folder of the folder ("" or "onnx/"), at most capacity, sorted; returns how many
 * there are. */
size_t model_folder_list_onnx(const struct model_folder *folder, const char *inner,
                              char (*names)[ZIP_NAME_SIZE], size_t capacity);

#endif
