#include "native.h"

static const char model_name[] = "rescoldo._native.model";

struct opened_model *model_of(PyObject *capsule) {
    return PyCapsule_GetPointer(capsule, model_name);
}

static void close_model(struct opened_model *model) {
    for (size_t i = 0; i < model->idle_count; i++)
        rescoldo_session_destroy(model->idle[i]);
    PyMem_Free(model->idle);
    rescoldo_model_close(model->model);
    PyMem_Free(model);
}

/* No call runs: it would hold a reference to the capsule. */
static void destroy_model(PyObject *capsule) {
    struct opened_model *model = model_of(capsule);
    if (model != NULL)
        close_model(model);
}

static enum rescoldo_status open_path(struct opened_model *model, const char *path,
                                      const struct rescoldo_model_options *options,
                                      struct rescoldo_error *error) {
    PyThreadState *thread = PyEval_SaveThread();
    enum rescoldo_status status = rescoldo_model_open(path, options, &model->model, error);
    PyEval_RestoreThread(thread);
    model->info.size = sizeof model->info;
    return status == RESCOLDO_STATUS_OK ? rescoldo_model_describe(model->model, &model->info, error) : status;
}

PyObject *native_open(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *path;
    int verify;
    unsigned int max_batch_tokens;
    struct rescoldo_model_options options = {.size = sizeof options};
    if (!PyArg_ParseTuple(arguments, "O&IzpI", PyUnicode_FSConverter, &path, &options.task, &options.name,
                          &verify, &max_batch_tokens))
        return NULL;
    struct opened_model *model = PyMem_Calloc(1, sizeof *model);
    if (model == NULL) {
        Py_DECREF(path);
        return PyErr_NoMemory();
    }
    options.verify_checksums = verify != 0;
    model->max_batch_tokens = max_batch_tokens;
    struct rescoldo_error error;
    enum rescoldo_status status = open_path(model, PyBytes_AsString(path), &options, &error);
    Py_DECREF(path);
    PyObject *capsule =
        status == RESCOLDO_STATUS_OK ? PyCapsule_New(model, model_name, destroy_model) : raise_error(&error);
    if (capsule == NULL)
        close_model(model);
    return capsule;
}

PyObject *native_describe(PyObject *module, PyObject *capsule) {
    (void)module;
    const struct opened_model *model = model_of(capsule);
    if (model == NULL)
        return NULL;
    const struct rescoldo_model_info *info = &model->info;
    return Py_BuildValue(
        "(sssIII)", info->name, info->kind == RESCOLDO_MODEL_EMBEDDER ? "embedder" : "cross-encoder",
        info->precision == RESCOLDO_PRECISION_F32 ? "f32" : "int8", (unsigned int)info->hidden_size,
        (unsigned int)info->max_length, (unsigned int)info->vocabulary_size);
}

struct rescoldo_session *take_session(struct opened_model *model) {
    if (model->idle_count > 0)
        return model->idle[--model->idle_count];
    const struct rescoldo_session_options options = {.size = sizeof options,
                                                     .max_batch_tokens = model->max_batch_tokens};
    struct rescoldo_session *session;
    struct rescoldo_error error;
    if (rescoldo_session_create(model->model, &options, &session, &error) != RESCOLDO_STATUS_OK) {
        (void)raise_error(&error);
        return NULL;
    }
    return session;
}

void give_back_session(struct opened_model *model, struct rescoldo_session *session) {
    if (model->idle_count == model->idle_capacity) {
        size_t capacity = model->idle_capacity + 4;
        struct rescoldo_session **idle =
            PyMem_Realloc(model->idle, capacity * sizeof(struct rescoldo_session *));
        if (idle == NULL) {
            rescoldo_session_destroy(session);
            return;
        }
        model->idle = idle;
        model->idle_capacity = capacity;
    }
    model->idle[model->idle_count++] = session;
}
