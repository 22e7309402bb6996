/* The files of a retrieval experiment, as TREC and trec_eval define them: texts by id, judgments (qrels),
 * runs. Every reader checks each line and names file and line in its message; ids are opaque bytes without
 * white space. Views borrow from the mapped file. */
#ifndef RESCOLDO_EVALUATION_TREC_H
#define RESCOLDO_EVALUATION_TREC_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/file.h"
#include "base/status.h"

#include <stddef.h>

/* Lines of "ID <TAB> TEXT": queries or a corpus. */
struct trec_text {
    struct bytes id, text;
};

struct trec_texts {
    struct file_mapping file;
    struct trec_text *texts; /* [count], in the order of the file */
    size_t count;
    size_t *by_id; /* [count]: indexes into texts, ids ascending */
};

/* An id that occurs twice, is empty or holds white space is refused. */
MUST_CHECK enum status trec_texts_open(const char *path, struct trec_texts *texts, struct error *error);
void trec_texts_close(struct trec_texts *texts);

#define TREC_NOT_FOUND ((size_t)-1)

/* The index of an id in texts, or TREC_NOT_FOUND. */
size_t trec_texts_find(const struct trec_texts *texts, struct bytes id);

/* Lines of "QUERY 0 DOCUMENT RELEVANCE" (judgments) or "QUERY Q0 DOCUMENT RANK SCORE TAG" (a run). */
struct trec_entry {
    struct bytes query, document;
    int relevance; /* of a judgment */
    float score;   /* of a run: trec_eval holds it in single precision too, which decides ties */
};

/* Entries grouped by query, queries in ascending order of their ids; within a query, judgments by document
 * ascending, a run by trec_eval's order: score descending, then document descending. The ranks written in the
 * file are not looked at. */
struct trec_entries {
    struct file_mapping file;
    struct trec_entry *entries;
    size_t count;
};

/* A pair of query and document that occurs twice is refused, as trec_eval does. */
MUST_CHECK enum status trec_judgments_open(const char *path, struct trec_entries *judgments,
                                           struct error *error);
MUST_CHECK enum status trec_run_open(const char *path, struct trec_entries *run, struct error *error);
void trec_entries_close(struct trec_entries *entries);

/* The first entry of a query and their number; 0 when it has none. */
const struct trec_entry *trec_entries_of(const struct trec_entries *entries, struct bytes query,
                                         size_t *count);

/* The relevance of a document among the judgments of one query; 0 when it was not judged. */
int trec_relevance(const struct trec_entry *judgments, size_t count, struct bytes document);

/* Puts the entries of one query into trec_eval's order of a run. */
void trec_rank(struct trec_entry *entries, size_t count);

/* Appends one query's ranked entries as lines of a run; scores read back as the same float32. */
MUST_CHECK enum status trec_append_run(struct buffer *buffer, const struct trec_entry *entries, size_t count,
                                       const char *tag, struct error *error);

/* Byte order, a shorter id before a longer one that begins with it (strcmp's order). */
int trec_compare_ids(struct bytes a, struct bytes b);

#endif
