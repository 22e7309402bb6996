/* rescoldo._native; its Python side is described in rescoldo/_native.pyi. */
#include "native.h"

static PyObject *native_version(PyObject *module, PyObject *arguments) {
    (void)module;
    (void)arguments;
    return PyUnicode_FromString(rescoldo_version());
}

static PyMethodDef methods[] = {
    {"version", native_version, METH_NOARGS, NULL},
    {"open", native_open, METH_VARARGS, NULL},
    {"describe", native_describe, METH_O, NULL},
    {"rerank", native_rerank, METH_VARARGS, NULL},
    {"embed", native_embed, METH_VARARGS, NULL},
    {"tokenize", native_tokenize, METH_VARARGS, NULL},
    {"bake", native_bake, METH_VARARGS, NULL},
    {"cancel_flag_create", native_cancel_flag_create, METH_NOARGS, NULL},
    {"cancel_flag_set", native_cancel_flag_set, METH_O, NULL},
    {"cancel_flag_clear", native_cancel_flag_clear, METH_O, NULL},
    {"cancel_flag_is_set", native_cancel_flag_is_set, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "rescoldo._native",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void);
PyMODINIT_FUNC PyInit__native(void) {
    return PyModuleDef_Init(&definition);
}
