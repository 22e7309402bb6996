#include "evaluation/trec.h"

#include "base/json_number.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int trec_compare_ids(struct bytes a, struct bytes b) {
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* A place in a mapped file, for reading line by line. */
struct cursor {
    const char *path;
    struct bytes rest;
    size_t line_number;
};

static bool next_line(struct cursor *cursor, struct bytes *line) {
    if (cursor->rest.size == 0)
        return false;
    const unsigned char *end = memchr(cursor->rest.data, '\n', cursor->rest.size);
    size_t size = end == NULL ? cursor->rest.size : (size_t)(end - cursor->rest.data);
    *line = bytes_of(cursor->rest.data, size);
    if (size > 0 && line->data[size - 1] == '\r')
        line->size--;
    size_t used = size + (end != NULL);
    cursor->rest = bytes_of(cursor->rest.data + used, cursor->rest.size - used);
    cursor->line_number++;
    return true;
}

static size_t count_lines(struct bytes file) {
    struct cursor cursor = {.rest = file};
    struct bytes line;
    while (next_line(&cursor, &line))
        continue;
    return cursor.line_number;
}

static bool is_blank(unsigned char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next field between white space; empty at the end of the line. */
static struct bytes next_field(struct bytes *rest) {
    size_t start = 0;
    while (start < rest->size && is_blank(rest->data[start]))
        start++;
    size_t end = start;
    while (end < rest->size && !is_blank(rest->data[end]))
        end++;
    struct bytes field = bytes_of(rest->data + start, end - start);
    *rest = bytes_of(rest->data + end, rest->size - end);
    return field;
}

/* "PATH: line N", for messages. */
struct place {
    char text[256];
};

static struct place place_of(const struct cursor *cursor) {
    struct place place;
    snprintf(place.text, sizeof place.text, "%s: line %zu", cursor->path, cursor->line_number);
    return place;
}

static int printable_size(struct bytes field) {
    return field.size > 60 ? 60 : (int)field.size;
}

/* ---- texts ---- */

static enum status parse_text(const struct cursor *cursor, struct bytes line, struct trec_text *text,
                              struct error *error) {
    const unsigned char *tab = line.size == 0 ? NULL : memchr(line.data, '\t', line.size);
    if (tab == NULL)
        return error_set(error, STATUS_INVALID_DATA, "%s: no tab, expected ID <TAB> TEXT",
                         place_of(cursor).text);
    text->id = bytes_of(line.data, (size_t)(tab - line.data));
    text->text = bytes_of(tab + 1, line.size - text->id.size - 1);
    for (size_t i = 0; i < text->id.size; i++) {
        if (is_blank(text->id.data[i]))
            return error_set(error, STATUS_INVALID_DATA, "%s: the id before the tab holds white space",
                             place_of(cursor).text);
    }
    if (text->id.size == 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: the id before the tab is empty",
                         place_of(cursor).text);
    return STATUS_OK;
}

static enum status parse_texts(const char *path, struct trec_texts *texts, struct error *error) {
    struct cursor cursor = {.path = path, .rest = texts->file.bytes};
    struct bytes line;
    while (next_line(&cursor, &line)) {
        enum status status = parse_text(&cursor, line, &texts->texts[texts->count], error);
        if (status != STATUS_OK)
            return status;
        texts->by_id[texts->count] = texts->count;
        texts->count++;
    }
    return STATUS_OK;
}

static int compare_text_ids(const void *a, const void *b, void *texts) {
    const struct trec_text *all = texts;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    int order = trec_compare_ids(all[left].id, all[right].id);
    return order != 0 ? order : (left > right) - (left < right);
}

static enum status sort_texts(const char *path, struct trec_texts *texts, struct error *error) {
    qsort_r(texts->by_id, texts->count, sizeof *texts->by_id, compare_text_ids, texts->texts);
    for (size_t i = 1; i < texts->count; i++) {
        size_t first = texts->by_id[i - 1], second = texts->by_id[i];
        struct bytes id = texts->texts[second].id;
        if (bytes_equal(texts->texts[first].id, id))
            return error_set(error, STATUS_INVALID_DATA, "%s: lines %zu and %zu have the same id \"%.*s\"",
                             path, first + 1, second + 1, printable_size(id), (const char *)id.data);
    }
    return STATUS_OK;
}

enum status trec_texts_open(const char *path, struct trec_texts *texts, struct error *error) {
    *texts = (struct trec_texts){0};
    enum status status = file_map(path, &texts->file, error);
    if (status != STATUS_OK)
        return status;
    size_t lines = count_lines(texts->file.bytes);
    texts->texts = calloc(lines, sizeof *texts->texts);
    texts->by_id = calloc(lines, sizeof *texts->by_id);
    if (texts->texts == NULL || texts->by_id == NULL)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the %zu lines of %s", lines, path);
    if (status == STATUS_OK)
        status = parse_texts(path, texts, error);
    if (status == STATUS_OK)
        status = sort_texts(path, texts, error);
    if (status != STATUS_OK)
        trec_texts_close(texts);
    return status;
}

void trec_texts_close(struct trec_texts *texts) {
    free(texts->texts);
    free(texts->by_id);
    file_unmap(&texts->file);
    *texts = (struct trec_texts){0};
}

size_t trec_texts_find(const struct trec_texts *texts, struct bytes id) {
    size_t low = 0, high = texts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = trec_compare_ids(texts->texts[texts->by_id[middle]].id, id);
        if (order == 0)
            return texts->by_id[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return TREC_NOT_FOUND;
}

/* ---- judgments and runs ---- */

/* A field as a NUL-terminated string, for the number parsers of the C library. */
static bool copy_field(struct bytes field, char *text, size_t size) {
    if (field.size == 0 || field.size >= size)
        return false;
    memcpy(text, field.data, field.size);
    text[field.size] = '\0';
    return true;
}

static bool parse_relevance(struct bytes field, int *relevance) {
    char text[32], *end;
    if (!copy_field(field, text, sizeof text))
        return false;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < INT_MIN || value > INT_MAX)
        return false;
    *relevance = (int)value;
    return true;
}

static bool parse_score(struct bytes field, float *score) {
    char text[128], *end;
    if (!copy_field(field, text, sizeof text))
        return false;
    *score = (float)strtod(text, &end);
    return *end == '\0' && isfinite(*score);
}

/* Reads one line into an entry. */
typedef enum status (*entry_parser)(const struct cursor *cursor, struct bytes line, struct trec_entry *entry,
                                    struct error *error);

static enum status parse_judgment(const struct cursor *cursor, struct bytes line, struct trec_entry *entry,
                                  struct error *error) {
    entry->query = next_field(&line);
    next_field(&line); /* the iteration, which nobody uses */
    entry->document = next_field(&line);
    struct bytes relevance = next_field(&line);
    if (relevance.size == 0 || next_field(&line).size != 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: expected QUERY 0 DOCUMENT RELEVANCE",
                         place_of(cursor).text);
    if (!parse_relevance(relevance, &entry->relevance))
        return error_set(error, STATUS_INVALID_DATA, "%s: the relevance \"%.*s\" is not a whole number",
                         place_of(cursor).text, printable_size(relevance), (const char *)relevance.data);
    return STATUS_OK;
}

static enum status parse_run_line(const struct cursor *cursor, struct bytes line, struct trec_entry *entry,
                                  struct error *error) {
    entry->query = next_field(&line);
    next_field(&line); /* Q0 */
    entry->document = next_field(&line);
    next_field(&line); /* the rank, which trec_eval does not use either */
    struct bytes score = next_field(&line);
    if (next_field(&line).size == 0 || next_field(&line).size != 0)
        return error_set(error, STATUS_INVALID_DATA, "%s: expected QUERY Q0 DOCUMENT RANK SCORE TAG",
                         place_of(cursor).text);
    if (!parse_score(score, &entry->score))
        return error_set(error, STATUS_INVALID_DATA, "%s: the score \"%.*s\" is not a finite number",
                         place_of(cursor).text, printable_size(score), (const char *)score.data);
    return STATUS_OK;
}

static int compare_pairs(const void *a, const void *b) {
    const struct trec_entry *left = a, *right = b;
    int order = trec_compare_ids(left->query, right->query);
    return order != 0 ? order : trec_compare_ids(left->document, right->document);
}

static int compare_ranks(const void *a, const void *b) {
    const struct trec_entry *left = a, *right = b;
    if (left->score < right->score)
        return 1;
    if (left->score > right->score)
        return -1;
    return trec_compare_ids(right->document, left->document);
}

void trec_rank(struct trec_entry *entries, size_t count) {
    qsort(entries, count, sizeof *entries, compare_ranks);
}

static enum status refuse_repeats(const char *path, const struct trec_entries *entries, struct error *error) {
    for (size_t i = 1; i < entries->count; i++) {
        const struct trec_entry *entry = &entries->entries[i];
        if (compare_pairs(entry - 1, entry) == 0)
            return error_set(error, STATUS_INVALID_DATA, "%s: query \"%.*s\" has document \"%.*s\" twice",
                             path, printable_size(entry->query), (const char *)entry->query.data,
                             printable_size(entry->document), (const char *)entry->document.data);
    }
    return STATUS_OK;
}

static enum status parse_entries(const char *path, entry_parser parse, struct trec_entries *entries,
                                 struct error *error) {
    struct cursor cursor = {.path = path, .rest = entries->file.bytes};
    struct bytes line;
    while (next_line(&cursor, &line)) {
        struct bytes rest = line;
        if (next_field(&rest).size == 0)
            continue;
        enum status status = parse(&cursor, line, &entries->entries[entries->count], error);
        if (status != STATUS_OK)
            return status;
        entries->count++;
    }
    if (entries->count == 0)
        return error_set(error, STATUS_INVALID_DATA, "%s holds no entries", path);
    return STATUS_OK;
}

static enum status open_entries(const char *path, entry_parser parse, struct trec_entries *entries,
                                struct error *error) {
    *entries = (struct trec_entries){0};
    enum status status = file_map(path, &entries->file, error);
    if (status != STATUS_OK)
        return status;
    size_t lines = count_lines(entries->file.bytes);
    entries->entries = calloc(lines, sizeof *entries->entries);
    if (entries->entries == NULL)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the %zu lines of %s", lines, path);
    if (status == STATUS_OK)
        status = parse_entries(path, parse, entries, error);
    if (status == STATUS_OK) {
        qsort(entries->entries, entries->count, sizeof *entries->entries, compare_pairs);
        status = refuse_repeats(path, entries, error);
    }
    if (status != STATUS_OK)
        trec_entries_close(entries);
    return status;
}

enum status trec_judgments_open(const char *path, struct trec_entries *judgments, struct error *error) {
    return open_entries(path, parse_judgment, judgments, error);
}

enum status trec_run_open(const char *path, struct trec_entries *run, struct error *error) {
    enum status status = open_entries(path, parse_run_line, run, error);
    if (status != STATUS_OK)
        return status;
    for (size_t start = 0; start < run->count;) {
        size_t end = start + 1;
        while (end < run->count && bytes_equal(run->entries[end].query, run->entries[start].query))
            end++;
        trec_rank(run->entries + start, end - start);
        start = end;
    }
    return STATUS_OK;
}

void trec_entries_close(struct trec_entries *entries) {
    free(entries->entries);
    file_unmap(&entries->file);
    *entries = (struct trec_entries){0};
}

/* The first entry whose query is not before this one. */
static size_t lower_bound_query(const struct trec_entries *entries, struct bytes query) {
    size_t low = 0, high = entries->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trec_compare_ids(entries->entries[middle].query, query) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct trec_entry *trec_entries_of(const struct trec_entries *entries, struct bytes query,
                                         size_t *count) {
    size_t start = lower_bound_query(entries, query);
    size_t end = start;
    while (end < entries->count && bytes_equal(entries->entries[end].query, query))
        end++;
    *count = end - start;
    return entries->entries + start;
}

int trec_relevance(const struct trec_entry *judgments, size_t count, struct bytes document) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = trec_compare_ids(judgments[middle].document, document);
        if (order == 0)
            return judgments[middle].relevance;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

enum status trec_append_run(struct buffer *buffer, const struct trec_entry *entries, size_t count,
                            const char *tag, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        const struct trec_entry *entry = &entries[i];
        char score[JSON_NUMBER_SIZE];
        json_number_print(entry->score, score);
        enum status status = buffer_append(buffer, entry->query.data, entry->query.size, error);
        if (status == STATUS_OK)
            status = buffer_append(buffer, " Q0 ", 4, error);
        if (status == STATUS_OK)
            status = buffer_append(buffer, entry->document.data, entry->document.size, error);
        if (status == STATUS_OK)
            status = buffer_append_format(buffer, error, " %zu %s %s\n", i + 1, score, tag);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
