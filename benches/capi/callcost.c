/* What calls between Python and C cost: the same shared object is loaded by every interpreter that is measured. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>

typedef struct {
    PyObject_HEAD
    double x;
    PyObject *object;
    long counter;
} Thing;

static PyObject *noargs(PyObject *self, PyObject *none) { Py_RETURN_NONE; }
static PyObject *one(PyObject *self, PyObject *arg) { return Py_NewRef(arg); }
static PyObject *varargs(PyObject *self, PyObject *args)
{
    int a, b;
    return PyArg_ParseTuple(args, "ii", &a, &b) ? PyLong_FromLong(a + b) : NULL;
}
static PyObject *objects(PyObject *self, PyObject *args)
{
    PyObject *a, *b = NULL;
    return PyArg_ParseTuple(args, "O|O:objects", &a, &b) ? Py_NewRef(a) : NULL;
}
static PyObject *text(PyObject *self, PyObject *args)
{
    const char *s;
    Py_ssize_t n;
    return PyArg_ParseTuple(args, "s#", &s, &n) ? PyLong_FromSsize_t(n) : NULL;
}
static PyObject *keyword(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"first", "second", "third", NULL};
    PyObject *first, *second = NULL;
    int third = 0;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "O|Oi:keyword", names, &first, &second, &third) ? PyLong_FromLong(third) : NULL;
}
static PyObject *fast(PyObject *self, PyObject *const *args, Py_ssize_t n) { return Py_NewRef(args[n - 1]); }
static PyObject *fast_keyword(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return Py_NewRef(args[n + (names ? PyTuple_GET_SIZE(names) : 0) - 1]);
}

/* C calls Python `n` times. */
#define REPEAT(name, call) \
    static PyObject *name(PyObject *self, PyObject *args) \
    { \
        PyObject *f, *arg = Py_None; \
        Py_ssize_t n; \
        if (!PyArg_ParseTuple(args, "On|O", &f, &n, &arg)) \
            return NULL; \
        for (Py_ssize_t i = 0; i < n; i++) { \
            PyObject *r = call; \
            if (r == NULL) \
                return NULL; \
            Py_DECREF(r); \
        } \
        Py_RETURN_NONE; \
    }
static PyObject *kwnames, *attribute, *method;
static PyObject *vector2(PyObject *f, PyObject *arg)
{
    PyObject *stack[] = {NULL, arg, arg};
    return PyObject_Vectorcall(f, stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}
static PyObject *vector_keyword(PyObject *f, PyObject *arg)
{
    PyObject *stack[] = {NULL, arg, arg};
    return PyObject_Vectorcall(f, stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
}
REPEAT(call_noargs, PyObject_CallNoArgs(f))
REPEAT(call_one, PyObject_CallOneArg(f, arg))
REPEAT(call_two, vector2(f, arg))
REPEAT(call_keyword, vector_keyword(f, arg))
REPEAT(call_tuple, PyObject_CallObject(f, arg))
REPEAT(call_format, PyObject_CallFunction(f, "iO", 1, arg))
REPEAT(call_method, PyObject_CallMethodNoArgs(f, method))
REPEAT(call_method_name, PyObject_CallMethod(f, "method", NULL))
REPEAT(get_attribute, PyObject_GetAttr(f, attribute))
REPEAT(get_attribute_name, PyObject_GetAttrString(f, "attribute"))
REPEAT(get_item, PyObject_GetItem(f, arg))
REPEAT(add, PyNumber_Add(f, arg))
REPEAT(compare, PyObject_RichCompare(f, arg, Py_LT))
REPEAT(build_value, Py_BuildValue("(iOs)", 7, f, "text"))
REPEAT(new_float, PyFloat_FromDouble(1.5))
REPEAT(new_int, PyLong_FromLong(123456))
REPEAT(new_text, PyUnicode_FromString("a short text"))
REPEAT(new_thing, PyObject_CallNoArgs(f))

static PyObject *list_append(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        if (PyList_Append(list, Py_None) < 0)
            Py_CLEAR(list);
    }
    return list;
}
static PyObject *list_fill(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n / 10; i++) {
        PyObject *list = PyList_New(10);
        for (int j = 0; j < 10; j++)
            PyList_SET_ITEM(list, j, Py_NewRef(Py_None));
        Py_DECREF(list);
    }
    Py_RETURN_NONE;
}
static PyObject *tuple_fill(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n / 10; i++) {
        PyObject *tuple = PyTuple_New(10);
        for (int j = 0; j < 10; j++)
            PyTuple_SET_ITEM(tuple, j, Py_NewRef(Py_None));
        Py_DECREF(tuple);
    }
    Py_RETURN_NONE;
}
static PyObject *tuple_pack(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *tuple = PyTuple_Pack(3, self, Py_None, Py_True);
        if (tuple == NULL)
            return NULL;
        Py_DECREF(tuple);
    }
    Py_RETURN_NONE;
}
static PyObject *dict_fill(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    PyObject *keys;
    if (!PyArg_ParseTuple(args, "nO!", &n, &PyTuple_Type, &keys))
        return NULL;
    Py_ssize_t many = PyTuple_GET_SIZE(keys);
    for (Py_ssize_t i = 0; i < n / many; i++) {
        PyObject *dict = PyDict_New();
        for (Py_ssize_t j = 0; dict && j < many; j++) {
            if (PyDict_SetItem(dict, PyTuple_GET_ITEM(keys, j), Py_None) < 0)
                return NULL;
        }
        Py_XDECREF(dict);
    }
    Py_RETURN_NONE;
}
static PyObject *dict_get(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    PyObject *dict, *key;
    if (!PyArg_ParseTuple(args, "nO!O", &n, &PyDict_Type, &dict, &key))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (PyDict_GetItemWithError(dict, key) == NULL)
            return NULL;
    }
    Py_RETURN_NONE;
}
static PyObject *iterate(PyObject *self, PyObject *iterable)
{
    PyObject *it = PyObject_GetIter(iterable), *item;
    if (it == NULL)
        return NULL;
    while ((item = PyIter_Next(it)) != NULL)
        Py_DECREF(item);
    Py_DECREF(it);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}
static PyObject *buffer(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    PyObject *op;
    if (!PyArg_ParseTuple(args, "nO", &n, &op))
        return NULL;
    long sum = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_buffer view;
        if (PyObject_GetBuffer(op, &view, PyBUF_SIMPLE) < 0)
            return NULL;
        sum += *(unsigned char *)view.buf;
        PyBuffer_Release(&view);
    }
    return PyLong_FromLong(sum);
}
static PyObject *gil(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyGILState_Release(state);
    }
    Py_RETURN_NONE;
}
static PyObject *raise_and_clear(PyObject *self, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyErr_SetString(PyExc_ValueError, "text");
        if (PyErr_ExceptionMatches(PyExc_KeyError))
            return NULL;
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

static PyObject *Thing_get(Thing *t, void *closure) { return PyLong_FromLong(t->counter); }
static int Thing_set(Thing *t, PyObject *value, void *closure)
{
    t->counter = PyLong_AsLong(value);
    return PyErr_Occurred() ? -1 : 0;
}
static PyGetSetDef Thing_getset[] = {{"counter", (getter)Thing_get, (setter)Thing_set}, {NULL}};
static PyMemberDef Thing_members[] = {
    {"x", Py_T_DOUBLE, offsetof(Thing, x), 0, NULL},
    {"object", _Py_T_OBJECT, offsetof(Thing, object), 0, NULL},
    {NULL},
};
static Py_ssize_t Thing_length(PyObject *self) { return 3; }
static PyObject *Thing_subscript(PyObject *self, PyObject *key) { return Py_NewRef(key); }
static PyObject *Thing_add(PyObject *a, PyObject *b) { return Py_NewRef(a); }
static PyObject *Thing_method(Thing *t, PyObject *none) { Py_RETURN_NONE; }
static PyObject *Thing_method_fast(Thing *t, PyObject *const *args, Py_ssize_t n) { return Py_NewRef(args[0]); }
static PyMethodDef Thing_methods[] = {
    {"method", (PyCFunction)Thing_method, METH_NOARGS, NULL},
    {"method_fast", _PyCFunction_CAST(Thing_method_fast), METH_FASTCALL, NULL},
    {NULL},
};
static PyObject *Thing_next(Thing *t)
{
    return t->counter++ < 1000 ? Py_NewRef(Py_None) : (t->counter = 0, NULL);
}
static void Thing_dealloc(Thing *t)
{
    PyTypeObject *type = Py_TYPE(t);
    Py_XDECREF(t->object);
    type->tp_free(t);
    Py_DECREF(type);
}
static PyType_Slot Thing_slots[] = {
    {Py_tp_dealloc, Thing_dealloc}, {Py_tp_methods, Thing_methods}, {Py_tp_members, Thing_members}, {Py_tp_getset, Thing_getset},
    {Py_mp_length, Thing_length}, {Py_mp_subscript, Thing_subscript}, {Py_nb_add, Thing_add}, {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, Thing_next}, {0, NULL},
};
static PyType_Spec Thing_spec = {
    .name = "callcost.Thing", .basicsize = sizeof(Thing), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = Thing_slots,
};

#define F(name, flags) {#name, _PyCFunction_CAST(name), flags, NULL}
static PyMethodDef functions[] = {
    F(noargs, METH_NOARGS), F(one, METH_O), F(varargs, METH_VARARGS), F(objects, METH_VARARGS), F(text, METH_VARARGS),
    F(keyword, METH_VARARGS | METH_KEYWORDS), F(fast, METH_FASTCALL), F(fast_keyword, METH_FASTCALL | METH_KEYWORDS),
    F(call_noargs, METH_VARARGS), F(call_one, METH_VARARGS), F(call_two, METH_VARARGS), F(call_keyword, METH_VARARGS),
    F(call_tuple, METH_VARARGS), F(call_format, METH_VARARGS), F(call_method, METH_VARARGS), F(call_method_name, METH_VARARGS),
    F(get_attribute, METH_VARARGS), F(get_attribute_name, METH_VARARGS), F(get_item, METH_VARARGS), F(add, METH_VARARGS),
    F(compare, METH_VARARGS), F(build_value, METH_VARARGS), F(new_float, METH_VARARGS), F(new_int, METH_VARARGS),
    F(new_text, METH_VARARGS), F(new_thing, METH_VARARGS), F(list_append, METH_VARARGS), F(list_fill, METH_VARARGS),
    F(tuple_fill, METH_VARARGS), F(tuple_pack, METH_VARARGS), F(dict_fill, METH_VARARGS), F(dict_get, METH_VARARGS),
    F(iterate, METH_O), F(buffer, METH_VARARGS), F(gil, METH_VARARGS), F(raise_and_clear, METH_VARARGS),
    {NULL},
};

static int execute(PyObject *module)
{
    kwnames = Py_BuildValue("(s)", "k");
    attribute = PyUnicode_InternFromString("attribute");
    method = PyUnicode_InternFromString("method");
    return PyModule_Add(module, "Thing", PyType_FromSpec(&Thing_spec));
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "callcost", .m_methods = functions, .m_slots = slots,
};
PyMODINIT_FUNC PyInit_callcost(void) { return PyModuleDef_Init(&definition); }
