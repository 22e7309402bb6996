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

PyObject *native_bake(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *source, *output = NULL, *timeout, *cancel;
    struct rescoldo_bake_options options = {.size = sizeof options};
    struct bake bake = {0};
    if (!PyArg_ParseTuple(arguments, "O&O&zIOOO", PyUnicode_FSConverter, &source, PyUnicode_FSConverter,
                          &output, &options.name, &options.precision, &bake.progress, &timeout, &cancel))
        return NULL;
    PyObject *result = NULL;
    if (take_timeout(timeout, &options.deadline_nanoseconds) == 0 &&
        take_cancel_flag(cancel, &options.cancel) == 0)
        result = run(PyBytes_AsString(source), PyBytes_AsString(output), &options, &bake);
    Py_DECREF(source);
    Py_DECREF(output);
    return result;
}
