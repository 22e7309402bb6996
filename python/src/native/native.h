/* Inside of rescoldo._native: the C API of include/rescoldo.h for the Python code of this package, which
 * checks and documents what users call. Models and cancel flags are capsules. Every function here is called
 * with the GIL; the library runs without it. */
#ifndef RESCOLDO_PYTHON_NATIVE_H
#define RESCOLDO_PYTHON_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include "rescoldo.h"

#include <Python.h>

/* An opened ember, and sessions that no call uses at the moment: a call takes one or makes one, so there are
 * as many as calls ever ran at once. Guarded by the GIL. */
struct opened_model {
    struct rescoldo_model *model;
    struct rescoldo_model_info info;
    uint32_t max_batch_tokens;
    struct rescoldo_session **idle; /* [idle_capacity] */
    size_t idle_count, idle_capacity;
};

/* Borrowed texts of a Python iterable; `strings` holds the references. */
struct texts {
    PyObject *strings;           /* a tuple of str */
    struct rescoldo_text *texts; /* [count] */
    size_t count;
};

/* ---- arguments.c: NULL or -1 with a Python exception set, as the C API of Python has it ---- */

/* Sets the exception of rescoldo._errors that belongs to the error's status. Returns NULL. */
PyObject *raise_error(const struct rescoldo_error *error);

int take_text(PyObject *string, const char *what, struct rescoldo_text *text);
int take_texts(PyObject *iterable, const char *what, struct texts *texts);
void release_texts(struct texts *texts);

/* None is NULL. */
int take_cancel_flag(PyObject *capsule, const struct rescoldo_cancel_flag **flag);

/* Seconds from now as rescoldo_clock_nanoseconds counts; None is 0. */
int take_timeout(PyObject *seconds, uint64_t *deadline_nanoseconds);

PyObject *native_cancel_flag_create(PyObject *module, PyObject *arguments);
PyObject *native_cancel_flag_set(PyObject *module, PyObject *capsule);
PyObject *native_cancel_flag_clear(PyObject *module, PyObject *capsule);
PyObject *native_cancel_flag_is_set(PyObject *module, PyObject *capsule);

/* ---- model.c ---- */

PyObject *native_open(PyObject *module, PyObject *arguments);
PyObject *native_describe(PyObject *module, PyObject *capsule);
struct opened_model *model_of(PyObject *capsule);

/* A session for one call, to be given back whatever the call's outcome. */
struct rescoldo_session *take_session(struct opened_model *model);
void give_back_session(struct opened_model *model, struct rescoldo_session *session);

/* ---- calls.c, bake.c ---- */

PyObject *native_rerank(PyObject *module, PyObject *arguments);
PyObject *native_embed(PyObject *module, PyObject *arguments);
PyObject *native_tokenize(PyObject *module, PyObject *arguments);
PyObject *native_bake(PyObject *module, PyObject *arguments);

#endif
