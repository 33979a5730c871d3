#include <Python.h>

static PyObject *shout(PyObject *module, PyObject *arg)
{
    PyObject *upper = PyObject_CallMethod(arg, "upper", NULL);
    PyObject *text = upper ? PyUnicode_FromFormat("%U!", upper) : NULL;
    Py_XDECREF(upper);
    return text;
}

static PyMethodDef functions[] = {{"shout", shout, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_limited", NULL, 0, functions, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__limited(void) { return PyModule_Create(&definition); }
