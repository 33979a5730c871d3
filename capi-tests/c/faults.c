/* Extensions that do wrong, one a macro: each must end in CPython's exception and never in a crash. */
#include <Python.h>

#if defined(FAULTS_NO_INIT)
/* No PyInit_ function of the module's name. setuptools asks the linker to export that name, and exports nothing. */
int faults_no_init_has_nothing;

#elif defined(FAULTS_WRONG_API)
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_wrong_api"};
PyMODINIT_FUNC PyInit_faults_wrong_api(void) { return PyModule_Create2(&definition, 1007); }

#elif defined(FAULTS_NULL)
PyMODINIT_FUNC PyInit_faults_null(void) { return NULL; }

#elif defined(FAULTS_NULL_SET)
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_null_set"};
PyMODINIT_FUNC PyInit_faults_null_set(void)
{
    PyErr_SetString(PyExc_ValueError, "set although a module is returned");
    return PyModule_Create(&definition);
}

#elif defined(FAULTS_MISSING_SYMBOL)
extern PyObject *PyObject_ThatNoVersionHas(void);
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_missing_symbol"};
PyMODINIT_FUNC PyInit_faults_missing_symbol(void)
{
    PyObject *op = PyObject_ThatNoVersionHas();
    return op ? PyModule_Create(&definition) : NULL;
}

#elif defined(FAULTS_EXEC_NULL)
static int execute(PyObject *module) { return -1; }
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_exec_null", .m_slots = slots};
PyMODINIT_FUNC PyInit_faults_exec_null(void) { return PyModuleDef_Init(&definition); }

#elif defined(FAULTS_DEF_MISMATCH)
/* What is returned is neither a module nor a definition that was initialised. */
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_def_mismatch"};
PyMODINIT_FUNC PyInit_faults_def_mismatch(void) { return (PyObject *)&definition; }

#elif defined(FAULTS_SLOTS)
static PyModuleDef_Slot slots[] = {{4711, NULL}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_slots", .m_slots = slots};
PyMODINIT_FUNC PyInit_faults_slots(void) { return PyModuleDef_Init(&definition); }

#elif defined(FAULTS_FUNCTIONS)
static PyObject *null(PyObject *module, PyObject *none) { return NULL; }
static PyObject *result_and_error(PyObject *module, PyObject *none)
{
    PyErr_SetString(PyExc_ValueError, "left behind");
    return PyLong_FromLong(1);
}
static PyObject *bad_flags(PyObject *module, PyObject *none) { Py_RETURN_NONE; }

static PyObject *Bad_repr(PyObject *self) { return PyLong_FromLong(1); }
static PyObject *Bad_null(PyObject *self) { return NULL; }
static Py_ssize_t Bad_length(PyObject *self) { return -7; }
static int Bad_init(PyObject *self, PyObject *args, PyObject *kwargs) { return PyTuple_GET_SIZE(args) ? -1 : 0; }
static void Bad_finalize(PyObject *self)
{
    PyObject *raised = PyErr_GetRaisedException();
    PyErr_SetString(PyExc_RuntimeError, "in the finaliser");
    PyErr_WriteUnraisable(self);
    PyErr_SetRaisedException(raised);
}
static void Leaves_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    /* As careless extensions do: an exception that nobody asked for. */
    PyErr_SetString(PyExc_RuntimeError, "left by the destructor");
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot Bad_slots[] = {
    {Py_tp_repr, Bad_repr}, {Py_tp_str, Bad_null}, {Py_sq_length, Bad_length}, {Py_tp_init, Bad_init},
    {Py_tp_iter, Bad_repr}, {Py_tp_finalize, Bad_finalize}, {0, NULL},
};
static PyType_Spec Bad_spec = {
    .name = "faults_functions.Bad", .basicsize = sizeof(PyObject), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = Bad_slots,
};
static PyType_Slot Leaves_slots[] = {{Py_tp_dealloc, Leaves_dealloc}, {0, NULL}};
static PyType_Spec Leaves_spec = {
    .name = "faults_functions.Leaves", .basicsize = sizeof(PyObject), .flags = Py_TPFLAGS_DEFAULT, .slots = Leaves_slots,
};

static PyObject *bad_spec(PyObject *module, PyObject *args)
{
    const char *how;
    if (!PyArg_ParseTuple(args, "s", &how))
        return NULL;
    static PyType_Slot unknown[] = {{999, NULL}, {0, NULL}}, empty[] = {{0, NULL}};
    PyType_Spec spec = {.name = "bad.Spec", .flags = Py_TPFLAGS_DEFAULT, .slots = empty};
    PyObject *bases = NULL, *meta = (PyObject *)&PyType_Type;
    if (strcmp(how, "slot") == 0)
        spec.slots = unknown;
    else if (strcmp(how, "size") == 0)
        spec.basicsize = 1;
    else if (strcmp(how, "base") == 0)
        bases = (PyObject *)&PyBool_Type;
    else if (strcmp(how, "meta") == 0)
        meta = (PyObject *)&PyLong_Type;
    else if (strcmp(how, "not a base") == 0)
        bases = Py_None;
    return PyType_FromMetaclass((PyTypeObject *)meta, module, &spec, bases);
}

static PyMethodDef functions[] = {
    {"null", null, METH_NOARGS, NULL},
    {"result_and_error", result_and_error, METH_NOARGS, NULL},
    {"bad_spec", bad_spec, METH_VARARGS, NULL},
    {NULL},
};
static PyMethodDef wrong[] = {{"wrong", bad_flags, METH_NOARGS | METH_O, NULL}, {NULL}};

static PyObject *add_wrong(PyObject *module, PyObject *none)
{
    return PyModule_AddFunctions(module, wrong) < 0 ? NULL : PyLong_FromLong(0);
}
static PyMethodDef more[] = {{"add_wrong", add_wrong, METH_NOARGS, NULL}, {NULL}};

static int execute(PyObject *module)
{
    PyObject *bad = PyType_FromSpec(&Bad_spec), *leaves = PyType_FromSpec(&Leaves_spec);
    if (PyModule_Add(module, "Bad", bad) < 0 || PyModule_Add(module, "Leaves", leaves) < 0)
        return -1;
    return PyModule_AddFunctions(module, more);
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "faults_functions", .m_methods = functions, .m_slots = slots};
PyMODINIT_FUNC PyInit_faults_functions(void) { return PyModuleDef_Init(&definition); }
#endif
