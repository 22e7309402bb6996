#include "server/rerank_form.h"

#include "server/option_fields.h"
#include "server/reply_fields.h"
#include "server/request_fields.h"

static int read_texts(const struct service *service, const struct rerank_form *form, struct work *work,
                      struct api_error *error) {
    const struct text_rules rules = {
        .name = form->texts, .max_count = service->limits->max_passages, .objects = form->objects};
    const json_t *texts = json_field(work->document, form->texts);
    const json_t *fields = form->objects ? json_field(work->document, "rank_fields") : NULL;
    if (fields != NULL)
        return request_joined_texts(work, texts, fields, &rules, error);
    return request_texts(work, texts, &rules, error);
}

int rerank_read(const struct service *service, const struct rerank_form *form, struct work *work,
                struct api_error *error) {
    if (request_query(work, json_field(work->document, "query"), "query", error) != 0 ||
        read_texts(service, form, work, error) != 0 || request_top(work, form->top, error) != 0 ||
        read_rerank_options(service, work, error) != 0)
        return -1;
    return json_field_boolean(work->document, form->echo, &work->return_documents, error);
}

float rerank_score(const struct work *work, size_t index) {
    const struct passage_score *score = &work->scores[index];
    return work->raw_scores ? score->raw : score->relevance_score;
}

static void write_text(const struct rerank_form *form, const struct work *work, size_t index,
                       struct json_writer *writer) {
    json_key(writer, form->echoed);
    if (form->echo_form == ECHO_STRING || work->documents_as_strings) {
        json_text(writer, work->texts[index]);
        return;
    }
    const json_t *document = json_array_get(json_object_get(work->document, form->texts), index);
    bool whole = form->echo_form == ECHO_WHOLE && json_is_object(document);
    json_begin_object(writer);
    if (whole) {
        reply_members(document, NULL, writer);
    } else {
        json_key(writer, "text");
        json_text(writer, work->texts[index]);
    }
    json_end_object(writer);
}

void rerank_write_results(const struct service *service, const struct rerank_form *form,
                          const struct work *work, struct json_writer *writer) {
    json_begin_array(writer);
    for (size_t i = 0; i < work->top_n; i++) {
        size_t index = work->order[i];
        json_begin_object(writer);
        json_unsigned_member(writer, "index", index);
        json_key(writer, form->score);
        json_float(writer, rerank_score(work, index));
        reply_score_details(service, &work->scores[index], writer);
        if (work->return_documents)
            write_text(form, work, index, writer);
        json_end_object(writer);
    }
    json_end_array(writer);
}
