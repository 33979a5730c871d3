#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *triple(PyObject *module, PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    return n == -1 && PyErr_Occurred() ? NULL : PyLong_FromLong(3 * n);
}

static PyMethodDef functions[] = {{"triple", triple, METH_O, "Three times a number."}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_speedups", .m_methods = functions};
PyMODINIT_FUNC PyInit__speedups(void) { return PyModule_Create(&definition); }
