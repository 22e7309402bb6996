/* embed MODEL.ember TEXT...: prints one line of hidden_size numbers for each text. */
#include <rescoldo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *message) {
    fprintf(stderr, "embed: %s\n", message);
    return EXIT_FAILURE;
}

static void print_vector(const float *vector, size_t size) {
    for (size_t i = 0; i < size; i++)
        printf("%s%.9g", i == 0 ? "" : " ", (double)vector[i]);
    printf("\n");
}

static int embed(struct rescoldo_session *session, size_t hidden_size, char **arguments, size_t count) {
    struct rescoldo_error error;
    struct rescoldo_text *texts = calloc(count, sizeof *texts);
    float *embeddings = calloc(count, hidden_size * sizeof *embeddings);
    int result = EXIT_SUCCESS;
    if (texts == NULL || embeddings == NULL) {
        result = fail("out of memory");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i].data = arguments[i];
        texts[i].size = strlen(arguments[i]);
    }
    if (rescoldo_embed(session, texts, count, NULL, embeddings, count * hidden_size, NULL, &error) !=
        RESCOLDO_STATUS_OK) {
        result = fail(error.message);
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        print_vector(embeddings + i * hidden_size, hidden_size);
done:
    free(texts);
    free(embeddings);
    return result;
}

int main(int argc, char **argv) {
    struct rescoldo_error error;
    struct rescoldo_model *model = NULL;
    struct rescoldo_session *session = NULL;
    struct rescoldo_model_info info = {.size = sizeof info};
    int result = EXIT_FAILURE;
    if (argc < 3) {
        fprintf(stderr, "usage: embed MODEL.ember TEXT...\n");
        return 2;
    }
    if (rescoldo_model_open(argv[1], NULL, &model, &error) != RESCOLDO_STATUS_OK ||
        rescoldo_model_describe(model, &info, &error) != RESCOLDO_STATUS_OK ||
        rescoldo_session_create(model, NULL, &session, &error) != RESCOLDO_STATUS_OK)
        (void)fail(error.message);
    else
        result = embed(session, info.hidden_size, argv + 2, (size_t)argc - 2);
    rescoldo_session_destroy(session);
    rescoldo_model_close(model);
    return result;
}
