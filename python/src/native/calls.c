#include "native.h"

#include <stdio.h>

/* Python sees signals only between calls into the library, so a long list is done in groups of about so many
 * bytes, some thousand tokens. A text's result does not depend on its group. */
#define GROUP_BYTES ((size_t)16384)

/* What rerank and embed have in common. */
struct call {
    struct opened_model *model;
    struct rescoldo_session *session;
    struct rescoldo_call_options options;
    Py_ssize_t first;                                 /* number of the first text in the caller's list */
    const struct rescoldo_cancel_flag *caller_cancel; /* looked at between groups; NULL: none */
    struct texts texts;
};

static size_t group_end(const struct texts *texts, size_t start) {
    size_t bytes = 0, end = start;
    while (end < texts->count && (end == start || bytes + texts->texts[end].size <= GROUP_BYTES))
        bytes += texts->texts[end++].size;
    return end;
}

/* Makes the number in "passage 3: ..." that of the caller's list. */
static void number_from(struct rescoldo_error *error, const char *what, size_t start) {
    char format[32], rest[sizeof error->message];
    size_t index;
    int end = 0;
    snprintf(format, sizeof format, "%s %%zu%%n", what);
    if (start == 0 || sscanf(error->message, format, &index, &end) != 1 || end <= 0)
        return;
    memcpy(rest, error->message + end, sizeof error->message - (size_t)end);
    snprintf(error->message, sizeof error->message, "%s %zu%.400s", what, start + index, rest);
}

/* run does texts [start, end) without the GIL. Returns 0, or -1 with an exception set. */
static int run_groups(struct call *call, const char *what,
                      enum rescoldo_status (*run)(struct call *call, void *target, size_t start, size_t end,
                                                  struct rescoldo_error *error),
                      void *target) {
    size_t start = 0;
    while (start < call->texts.count) {
        size_t end = group_end(&call->texts, start);
        struct rescoldo_error error;
        if (rescoldo_cancel_flag_is_set(call->caller_cancel)) {
            error = (struct rescoldo_error){RESCOLDO_STATUS_CANCELLED, "the call was cancelled"};
            (void)raise_error(&error);
            return -1;
        }
        PyThreadState *thread = PyEval_SaveThread();
        enum rescoldo_status status = run(call, target, start, end, &error);
        PyEval_RestoreThread(thread);
        if (status != RESCOLDO_STATUS_OK) {
            number_from(&error, what, (size_t)call->first + start);
            (void)raise_error(&error);
            return -1;
        }
        if (PyErr_CheckSignals() != 0)
            return -1;
        start = end;
    }
    return 0;
}

/* cancel is the caller's, stop that of a call which is one of several on as many threads; both may be None.
 */
static int begin(struct call *call, PyObject *capsule, PyObject *iterable, const char *what,
                 PyObject *timeout, PyObject *cancel, PyObject *stop) {
    call->options.size = sizeof call->options;
    call->model = model_of(capsule);
    if (call->model == NULL || take_timeout(timeout, &call->options.deadline_nanoseconds) != 0 ||
        take_cancel_flag(cancel, &call->caller_cancel) != 0 ||
        take_cancel_flag(stop, &call->options.cancel) != 0 || take_texts(iterable, what, &call->texts) != 0)
        return -1;
    if (call->options.cancel == NULL) {
        call->options.cancel = call->caller_cancel;
        call->caller_cancel = NULL;
    }
    call->session = take_session(call->model);
    if (call->session == NULL)
        release_texts(&call->texts);
    return call->session != NULL ? 0 : -1;
}

static void end(struct call *call) {
    give_back_session(call->model, call->session);
    release_texts(&call->texts);
}

/* ---- rerank ---- */

struct rerank_target {
    struct rescoldo_text query;
    struct rescoldo_result *results; /* [count] */
};

static enum rescoldo_status rerank_group(struct call *call, void *target, size_t start, size_t end,
                                         struct rescoldo_error *error) {
    struct rerank_target *rerank = target;
    return rescoldo_rerank(call->session, rerank->query, call->texts.texts + start, end - start,
                           &call->options, rerank->results + start, error);
}

static PyObject *list_of_results(const struct rescoldo_result *results, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        const struct rescoldo_result *result = &results[i];
        PyObject *tuple =
            Py_BuildValue("(ffINIII)", (double)result->relevance_score, (double)result->raw_score,
                          (unsigned int)result->tokens, PyBool_FromLong((long)result->truncated),
                          (unsigned int)result->windows, (unsigned int)result->character_start,
                          (unsigned int)result->character_end);
        if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) != 0)
            Py_CLEAR(list);
    }
    return list;
}

PyObject *native_rerank(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *capsule, *query, *passages, *timeout, *cancel, *stop;
    struct call call = {0};
    if (!PyArg_ParseTuple(arguments, "OOOIIIIIIOOOn", &capsule, &query, &passages, &call.options.max_length,
                          &call.options.truncation, &call.options.truncation_direction,
                          &call.options.max_passage_tokens, &call.options.window_stride,
                          &call.options.max_windows, &timeout, &cancel, &stop, &call.first))
        return NULL;
    struct rerank_target target = {0};
    if (take_text(query, "query", &target.query) != 0 ||
        begin(&call, capsule, passages, "documents", timeout, cancel, stop) != 0)
        return NULL;
    call.options.order = RESCOLDO_ORDER_GIVEN;
    PyObject *list = NULL;
    target.results = PyMem_Calloc(call.texts.count + 1, sizeof *target.results);
    if (target.results == NULL)
        PyErr_NoMemory();
    else if (run_groups(&call, "passage", rerank_group, &target) == 0)
        list = list_of_results(target.results, call.texts.count);
    PyMem_Free(target.results);
    end(&call);
    return list;
}

/* ---- embed ---- */

struct embed_target {
    float *embeddings;                     /* [count][hidden_size] */
    struct rescoldo_embedding_info *infos; /* [count] */
};

static enum rescoldo_status embed_group(struct call *call, void *target, size_t start, size_t end,
                                        struct rescoldo_error *error) {
    struct embed_target *embed = target;
    size_t hidden_size = call->model->info.hidden_size;
    return rescoldo_embed(call->session, call->texts.texts + start, end - start, &call->options,
                          embed->embeddings + start * hidden_size, (end - start) * hidden_size,
                          embed->infos + start, error);
}

static PyObject *list_of_infos(const struct rescoldo_embedding_info *infos, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        PyObject *tuple =
            Py_BuildValue("(INI)", (unsigned int)infos[i].tokens, PyBool_FromLong((long)infos[i].truncated),
                          (unsigned int)infos[i].character_end);
        if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) != 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *embed_call(struct call *call) {
    size_t count = call->texts.count, row = call->model->info.hidden_size * sizeof(float);
    struct embed_target target = {NULL, PyMem_Calloc(count + 1, sizeof *target.infos)};
    PyObject *list = NULL, *tuple = NULL;
    PyObject *embeddings = target.infos == NULL || count > PTRDIFF_MAX / row
                               ? PyErr_NoMemory()
                               : PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(count * row));
    if (embeddings != NULL) {
        target.embeddings = (float *)(void *)PyByteArray_AsString(embeddings);
        if (run_groups(call, "text", embed_group, &target) == 0)
            list = list_of_infos(target.infos, count);
    }
    if (list != NULL)
        tuple = PyTuple_Pack(2, embeddings, list);
    Py_XDECREF(list);
    Py_XDECREF(embeddings);
    PyMem_Free(target.infos);
    return tuple;
}

PyObject *native_embed(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *capsule, *texts, *timeout, *cancel, *stop;
    struct call call = {0};
    if (!PyArg_ParseTuple(arguments, "OOIIIIOOOn", &capsule, &texts, &call.options.max_length,
                          &call.options.truncation, &call.options.truncation_direction, &call.options.prompt,
                          &timeout, &cancel, &stop, &call.first) ||
        begin(&call, capsule, texts, "sentences", timeout, cancel, stop) != 0)
        return NULL;
    PyObject *result = embed_call(&call);
    end(&call);
    return result;
}

/* ---- tokenize ---- */

static PyObject *list_of_numbers(const int32_t *numbers, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; i < count && list != NULL; i++) {
        PyObject *number = PyLong_FromLong(numbers[i]);
        if (number == NULL || PyList_SetItem(list, (Py_ssize_t)i, number) != 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *tokenize(const struct opened_model *model, struct rescoldo_session *session,
                          struct rescoldo_text text, const struct rescoldo_text *pair,
                          const struct rescoldo_call_options *options) {
    size_t capacity = model->info.max_length;
    int32_t *ids = PyMem_Calloc(2 * capacity, sizeof *ids);
    if (ids == NULL)
        return PyErr_NoMemory();
    struct rescoldo_tokens tokens = {.ids = ids, .type_ids = ids + capacity, .capacity = capacity};
    struct rescoldo_error error;
    PyThreadState *thread = PyEval_SaveThread();
    enum rescoldo_status status = rescoldo_tokenize(session, text, pair, options, &tokens, &error);
    PyEval_RestoreThread(thread);
    PyObject *result = NULL;
    if (status != RESCOLDO_STATUS_OK)
        (void)raise_error(&error);
    else
        result = Py_BuildValue("(NNN)", list_of_numbers(tokens.ids, tokens.count),
                               list_of_numbers(tokens.type_ids, tokens.count),
                               PyBool_FromLong((long)tokens.truncated));
    PyMem_Free(ids);
    return result;
}

PyObject *native_tokenize(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *capsule, *text_string, *pair_string;
    struct rescoldo_call_options options = {.size = sizeof options};
    if (!PyArg_ParseTuple(arguments, "OOOII", &capsule, &text_string, &pair_string, &options.max_length,
                          &options.truncation))
        return NULL;
    struct opened_model *model = model_of(capsule);
    struct rescoldo_text text, pair = {0};
    if (model == NULL || take_text(text_string, "text", &text) != 0 ||
        (pair_string != Py_None && take_text(pair_string, "pair", &pair) != 0))
        return NULL;
    struct rescoldo_session *session = take_session(model);
    if (session == NULL)
        return NULL;
    PyObject *result = tokenize(model, session, text, pair_string != Py_None ? &pair : NULL, &options);
    give_back_session(model, session);
    return result;
}
