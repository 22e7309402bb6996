#include "cli/retrieval.h"

#include "engine/heads.h"

#include <stdlib.h>

enum { PIECE = 256 }; /* documents embedded in one call */

static enum status allocate(struct retrieval *retrieval, struct error *error) {
    size_t count = retrieval->corpus->count;
    retrieval->embeddings = calloc(count, retrieval->hidden_size * sizeof *retrieval->embeddings);
    retrieval->query = calloc(retrieval->hidden_size, sizeof *retrieval->query);
    retrieval->scores = calloc(count, sizeof *retrieval->scores);
    retrieval->order = calloc(count, sizeof *retrieval->order);
    if (retrieval->embeddings == NULL || retrieval->query == NULL || retrieval->scores == NULL ||
        retrieval->order == NULL)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for the vectors of %zu documents", count);
    return STATUS_OK;
}

/* Embeds documents [first, first + count), count at most PIECE. */
static enum status embed_piece(struct retrieval *retrieval, struct session *session,
                               const struct call_options *options, size_t first, size_t count,
                               struct error *error) {
    struct bytes texts[PIECE];
    struct embedding_info infos[PIECE];
    for (size_t i = 0; i < count; i++)
        texts[i] = retrieval->corpus->texts[first + i].text;
    enum status status =
        session_embed(session, texts, count, options, retrieval->embeddings + first * retrieval->hidden_size,
                      infos, NULL, error);
    if (status == STATUS_OK)
        return status;
    return error_add_context(error, status, "documents from line %zu of the corpus on", first + 1);
}

enum status retrieval_embed(struct retrieval *retrieval, const struct model *model, struct session *session,
                            const struct trec_texts *corpus, const struct call_options *options,
                            void (*progress)(const char *what, size_t done, size_t total),
                            struct error *error) {
    retrieval->corpus = corpus;
    retrieval->hidden_size = model->shape.hidden_size;
    enum status status = allocate(retrieval, error);
    for (size_t first = 0; status == STATUS_OK && first < corpus->count; first += PIECE) {
        size_t left = corpus->count - first;
        status = embed_piece(retrieval, session, options, first, left < PIECE ? left : PIECE, error);
        progress("documents", left < PIECE ? corpus->count : first + PIECE, corpus->count);
    }
    return status;
}

enum status retrieval_nearest(struct retrieval *retrieval, struct session *session,
                              const struct trec_text *query, const struct call_options *options,
                              struct trec_entry *entries, size_t count, struct error *error) {
    struct embedding_info info;
    enum status status =
        session_embed(session, &query->text, 1, options, retrieval->query, &info, NULL, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < retrieval->corpus->count; i++)
        retrieval->scores[i].raw = cosine(
            retrieval->query, retrieval->embeddings + i * retrieval->hidden_size, retrieval->hidden_size);
    passage_order(retrieval->scores, retrieval->corpus->count, retrieval->order);
    for (size_t i = 0; i < count; i++) {
        size_t index = retrieval->order[i];
        entries[i] = (struct trec_entry){
            .query = query->id,
            .document = retrieval->corpus->texts[index].id,
            .score = retrieval->scores[index].raw,
        };
    }
    return STATUS_OK;
}

void retrieval_free(struct retrieval *retrieval) {
    free(retrieval->embeddings);
    free(retrieval->query);
    free(retrieval->scores);
    free(retrieval->order);
    *retrieval = (struct retrieval){0};
}
