/* rerank MODEL.ember QUERY PASSAGE...: prints "relevance_score TAB index TAB passage", best first. */
#include <rescoldo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rescoldo_text text_of(const char *string) {
    struct rescoldo_text text;
    text.data = string;
    text.size = strlen(string);
    return text;
}

/* Passages and results are arrays of count. */
static int rerank(const char *path, const char *query, const struct rescoldo_text *passages, size_t count,
                  struct rescoldo_result *results) {
    struct rescoldo_error error;
    struct rescoldo_model *model = NULL;
    struct rescoldo_session *session = NULL;
    struct rescoldo_call_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.deadline_nanoseconds = rescoldo_clock_nanoseconds() + 60000000000u; /* a minute from now */

    enum rescoldo_status status = rescoldo_model_open(path, NULL, &model, &error);
    if (status == RESCOLDO_STATUS_OK)
        status = rescoldo_session_create(model, NULL, &session, &error);
    if (status == RESCOLDO_STATUS_OK)
        status = rescoldo_rerank(session, text_of(query), passages, count, &options, results, &error);
    if (status != RESCOLDO_STATUS_OK)
        fprintf(stderr, "rerank: %s\n", error.message);
    rescoldo_session_destroy(session);
    rescoldo_model_close(model);
    return status == RESCOLDO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: rerank MODEL.ember QUERY PASSAGE...\n");
        return 2;
    }
    size_t count = (size_t)argc - 3;
    struct rescoldo_text *passages = calloc(count, sizeof *passages);
    struct rescoldo_result *results = calloc(count, sizeof *results);
    int result = EXIT_FAILURE;
    if (passages == NULL || results == NULL) {
        fprintf(stderr, "rerank: out of memory\n");
    } else {
        for (size_t i = 0; i < count; i++)
            passages[i] = text_of(argv[3 + i]);
        result = rerank(argv[1], argv[2], passages, count, results);
        for (size_t i = 0; i < count && result == EXIT_SUCCESS; i++)
            printf("%.9g\t%zu\t%s\n", (double)results[i].relevance_score, results[i].index,
                   passages[results[i].index].data);
    }
    free(passages);
    free(results);
    return result;
}
