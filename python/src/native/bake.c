#include "native.h"

struct bake {
    PyObject *progress;    /* borrowed; None: none */
    PyThreadState *thread; /* of the caller, while the library runs without the GIL */
};

/* Takes the GIL back for the caller's function and for signals; an exception ends the bake. */
static int on_progress(void *user_data, const char *step, uint64_t done, uint64_t total) {
    struct bake *bake = user_data;
    PyEval_RestoreThread(bake->thread);
    int failed = PyErr_CheckSignals();
    if (failed == 0 && bake->progress != Py_None) {
        PyObject *result = PyObject_CallFunction(bake->progress, "sKK", step, (unsigned long long)done,
                                                 (unsigned long long)total);
        failed = result == NULL;
        Py_XDECREF(result);
    }
    bake->thread = PyEval_SaveThread();
    return failed != 0;
}

static PyObject *run(const char *source, const char *output, struct rescoldo_bake_options *options,
                     struct bake *bake) {
    options->progress = on_progress;
    options->user_data = bake;
    struct rescoldo_error error;
    bake->thread = PyEval_SaveThread();
    enum rescoldo_status status = rescoldo_bake(source, output, options, &error);
    PyEval_RestoreThread(bake->thread);
    if (PyErr_Occurred() != NULL)
        return NULL;
    if (status != RESCOLDO_STATUS_OK)
        return raise_error(&error);
    Py_RETURN_NONE;
}

/* models: a tuple of (path as bytes, name or None), which lends its strings. The first goes into *source and
 * the name of the options, the others into more, which has room for them. */
static int take_models(PyObject *models, const char **source, struct rescoldo_bake_options *options,
                       struct rescoldo_bake_model *more) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(models); i++) {
        const char *path, *name;
        if (!PyArg_ParseTuple(PyTuple_GetItem(models, i), "yz", &path, &name))
            return -1;
        if (i == 0) {
            *source = path;
            options->name = name;
        } else {
            more[options->more_model_count++] = (struct rescoldo_bake_model){.source = path, .name = name};
        }
    }
    return 0;
}

PyObject *native_bake(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *models, *output = NULL, *timeout, *cancel, *result = NULL;
    struct rescoldo_bake_options options = {.size = sizeof options};
    struct bake bake = {0};
    const char *source = NULL;
    if (!PyArg_ParseTuple(arguments, "O!O&IzzOOO", &PyTuple_Type, &models, PyUnicode_FSConverter, &output,
                          &options.precision, &options.query_prompt, &options.passage_prompt, &bake.progress,
                          &timeout, &cancel))
        return NULL;
    struct rescoldo_bake_model *more = PyMem_Calloc((size_t)PyTuple_Size(models) + 1, sizeof *more);
    options.more_models = more;
    if (more == NULL)
        PyErr_NoMemory();
    else if (take_models(models, &source, &options, more) == 0 &&
             take_timeout(timeout, &options.deadline_nanoseconds) == 0 &&
             take_cancel_flag(cancel, &options.cancel) == 0)
        result = run(source, PyBytes_AsString(output), &options, &bake);
    PyMem_Free(more);
    Py_DECREF(output);
    return result;
}
