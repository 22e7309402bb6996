#include "native.h"

#include <math.h>

static const char cancel_flag_name[] = "rescoldo._native.cancel_flag";

PyObject *raise_error(const struct rescoldo_error *error) {
    PyObject *errors = PyImport_ImportModule("rescoldo._errors");
    if (errors == NULL)
        return NULL;
    PyObject *message = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    PyObject *exception = message == NULL ? NULL
                                          : PyObject_CallMethod(errors, "from_status", "sO",
                                                                rescoldo_status_name(error->status), message);
    if (exception != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    Py_XDECREF(message);
    Py_DECREF(errors);
    return NULL;
}

int take_text(PyObject *string, const char *what, struct rescoldo_text *text) {
    if (!PyUnicode_Check(string)) {
        PyErr_Format(PyExc_TypeError, "%s is %R, expected a str", what, (PyObject *)Py_TYPE(string));
        return -1;
    }
    Py_ssize_t size;
    text->data = PyUnicode_AsUTF8AndSize(string, &size);
    text->size = (size_t)size;
    return text->data != NULL ? 0 : -1;
}

void release_texts(struct texts *texts) {
    Py_CLEAR(texts->strings);
    PyMem_Free(texts->texts);
    texts->texts = NULL;
}

int take_texts(PyObject *iterable, const char *what, struct texts *texts) {
    *texts = (struct texts){NULL, NULL, 0};
    if (PyUnicode_Check(iterable)) {
        PyErr_Format(PyExc_TypeError, "%s is one str, expected a sequence of them", what);
        return -1;
    }
    texts->strings = PySequence_Tuple(iterable);
    if (texts->strings == NULL)
        return -1;
    texts->count = (size_t)PyTuple_Size(texts->strings);
    texts->texts = PyMem_Calloc(texts->count + 1, sizeof *texts->texts);
    if (texts->texts == NULL) {
        PyErr_NoMemory();
        release_texts(texts);
        return -1;
    }
    for (size_t i = 0; i < texts->count; i++) {
        char name[64];
        PyOS_snprintf(name, sizeof name, "%s[%zu]", what, i);
        if (take_text(PyTuple_GetItem(texts->strings, (Py_ssize_t)i), name, &texts->texts[i]) != 0) {
            release_texts(texts);
            return -1;
        }
    }
    return 0;
}

int take_timeout(PyObject *seconds, uint64_t *deadline_nanoseconds) {
    *deadline_nanoseconds = 0;
    if (seconds == Py_None)
        return 0;
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != NULL)
        return -1;
    if (!(value >= 0.0)) {
        PyErr_Format(PyExc_ValueError, "timeout is %R, expected seconds from 0", seconds);
        return -1;
    }
    /* Beyond a hundred years there is no deadline. */
    if (value < 3.2e9)
        *deadline_nanoseconds = rescoldo_clock_nanoseconds() + (uint64_t)(value * 1e9);
    return 0;
}

/* ---- cancel flags ---- */

static void destroy_flag(PyObject *capsule) {
    rescoldo_cancel_flag_destroy(PyCapsule_GetPointer(capsule, cancel_flag_name));
}

int take_cancel_flag(PyObject *capsule, const struct rescoldo_cancel_flag **flag) {
    *flag = NULL;
    if (capsule == Py_None)
        return 0;
    *flag = PyCapsule_GetPointer(capsule, cancel_flag_name);
    return *flag != NULL ? 0 : -1;
}

PyObject *native_cancel_flag_create(PyObject *module, PyObject *arguments) {
    (void)module;
    (void)arguments;
    struct rescoldo_cancel_flag *flag = rescoldo_cancel_flag_create();
    if (flag == NULL)
        return PyErr_NoMemory();
    PyObject *capsule = PyCapsule_New(flag, cancel_flag_name, destroy_flag);
    if (capsule == NULL)
        rescoldo_cancel_flag_destroy(flag);
    return capsule;
}

PyObject *native_cancel_flag_set(PyObject *module, PyObject *capsule) {
    (void)module;
    struct rescoldo_cancel_flag *flag = PyCapsule_GetPointer(capsule, cancel_flag_name);
    if (flag == NULL)
        return NULL;
    rescoldo_cancel_flag_set(flag);
    Py_RETURN_NONE;
}

PyObject *native_cancel_flag_is_set(PyObject *module, PyObject *capsule) {
    (void)module;
    const struct rescoldo_cancel_flag *flag = PyCapsule_GetPointer(capsule, cancel_flag_name);
    return flag != NULL ? PyBool_FromLong(rescoldo_cancel_flag_is_set(flag)) : NULL;
}

PyObject *native_cancel_flag_clear(PyObject *module, PyObject *capsule) {
    (void)module;
    struct rescoldo_cancel_flag *flag = PyCapsule_GetPointer(capsule, cancel_flag_name);
    if (flag == NULL)
        return NULL;
    rescoldo_cancel_flag_clear(flag);
    Py_RETURN_NONE;
}
