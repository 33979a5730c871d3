/* Capsules: an API handed from one extension to another, contexts, destructors, and what goes wrong with them. */
#include <Python.h>

typedef struct {
    int version;
    int (*twice)(int);
} API;

static int twice(int n) { return 2 * n; }
static API api = {3, twice};
static int destroyed;

static void destructor_of(PyObject *capsule) { destroyed += PyCapsule_GetContext(capsule) != NULL ? 10 : 1; }

static PyObject *make(PyObject *module, PyObject *args)
{
    const char *name;
    int context = 0;
    if (!PyArg_ParseTuple(args, "z|p", &name, &context))
        return NULL;
    /* The capsule keeps the pointer: names live as long as the module. */
    const char *kept = name == NULL ? NULL : strcmp(name, "ct.other") == 0 ? "ct.other" : "ct_capsules.API";
    PyObject *capsule = PyCapsule_New(&api, kept, destructor_of);
    if (capsule && context && PyCapsule_SetContext(capsule, &destroyed) < 0)
        Py_CLEAR(capsule);
    return capsule;
}

static PyObject *use(PyObject *module, PyObject *args)
{
    PyObject *capsule;
    const char *name;
    int n;
    if (!PyArg_ParseTuple(args, "Ozi", &capsule, &name, &n))
        return NULL;
    API *found = PyCapsule_GetPointer(capsule, name);
    return found ? PyLong_FromLong(found->twice(n) + found->version) : NULL;
}

static PyObject *import_and_use(PyObject *module, PyObject *args)
{
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name))
        return NULL;
    API *found = PyCapsule_Import(name, 0);
    return found ? PyLong_FromLong(found->twice(100)) : NULL;
}

static PyObject *null_capsule(PyObject *module, PyObject *none) { return PyCapsule_New(NULL, "x", NULL); }

static PyObject *is_valid(PyObject *module, PyObject *args)
{
    PyObject *capsule;
    const char *name;
    if (!PyArg_ParseTuple(args, "Oz", &capsule, &name))
        return NULL;
    return PyBool_FromLong(PyCapsule_IsValid(capsule, name));
}

static PyObject *give_name(PyObject *module, PyObject *capsule)
{
    if (PyCapsule_SetName(capsule, "ct.renamed") < 0 || PyCapsule_SetDestructor(capsule, NULL) < 0)
        return NULL;
    return PyUnicode_FromString(PyCapsule_GetName(capsule));
}

static PyObject *how_many_destroyed(PyObject *module, PyObject *none) { return PyLong_FromLong(destroyed); }

/* The capsule of the datetime module, as extensions use it. */
#include <datetime.h>
static PyObject *a_date(PyObject *module, PyObject *none)
{
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == NULL)
        return NULL;
    PyObject *date = PyDate_FromDate(2024, 2, 29);
    if (date == NULL)
        return NULL;
    PyObject *delta = PyDelta_FromDSU(1, 2, 3);
    PyObject *time = PyDateTime_FromDateAndTime(2024, 12, 31, 23, 59, 58, 7);
    if (delta == NULL || time == NULL || !PyDate_Check(date) || !PyDelta_Check(delta) || !PyDateTime_Check(time))
        return NULL;
    return Py_BuildValue("(N(iii)N(ii)Ni)", date, PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date),
        delta, PyDateTime_DELTA_GET_DAYS(delta), PyDateTime_DELTA_GET_MICROSECONDS(delta),
        time, PyDateTime_DATE_GET_MICROSECOND(time));
}

static PyMethodDef functions[] = {
    {"make", make, METH_VARARGS, NULL},
    {"use", use, METH_VARARGS, NULL},
    {"import_and_use", import_and_use, METH_VARARGS, NULL},
    {"null_capsule", null_capsule, METH_NOARGS, NULL},
    {"is_valid", is_valid, METH_VARARGS, NULL},
    {"give_name", give_name, METH_O, NULL},
    {"destroyed", how_many_destroyed, METH_NOARGS, NULL},
    {"a_date", a_date, METH_NOARGS, NULL},
    {NULL},
};

static int execute(PyObject *module)
{
    return PyModule_Add(module, "API", PyCapsule_New(&api, "ct_capsules.API", NULL));
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_capsules", .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit_ct_capsules(void) { return PyModuleDef_Init(&definition); }
