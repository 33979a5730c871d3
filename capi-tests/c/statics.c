/* Static types, single-phase initialisation, inheritance from built-in types and from one another. */
#include <Python.h>
#include <structmember.h>

/* ---- Point: members, attributes, numbers, comparison, hash */

typedef struct {
    PyObject_HEAD
    double x, y;
    int tag;
    char flag;
    PyObject *label;
    const char *kind;
    long long big;
    unsigned short small;
} Point;

static PyTypeObject Point_Type;

static PyObject *Point_make(double x, double y)
{
    Point *p = (Point *)Point_Type.tp_alloc(&Point_Type, 0);
    if (p != NULL) {
        p->x = x;
        p->y = y;
        p->kind = "made";
    }
    return (PyObject *)p;
}

static PyObject *Point_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"x", "y", "label", NULL};
    double x = 0, y = 0;
    PyObject *label = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|dd$O:Point", names, &x, &y, &label))
        return NULL;
    Point *p = (Point *)type->tp_alloc(type, 0);
    if (p == NULL)
        return NULL;
    p->x = x;
    p->y = y;
    p->label = Py_XNewRef(label);
    p->kind = "new";
    p->big = 1LL << 40;
    p->small = 7;
    return (PyObject *)p;
}

static void Point_dealloc(Point *p)
{
    Py_CLEAR(p->label);
    Py_TYPE(p)->tp_free(p);
}

static PyObject *Point_repr(Point *p)
{
    char *x = PyOS_double_to_string(p->x, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    char *y = PyOS_double_to_string(p->y, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    PyObject *text = x && y ? PyUnicode_FromFormat("%s(%s, %s)", Py_TYPE(p)->tp_name, x, y) : PyErr_NoMemory();
    PyMem_Free(x);
    PyMem_Free(y);
    return text;
}

static PyObject *Point_compare(PyObject *a, PyObject *b, int op)
{
    if (!PyObject_TypeCheck(a, &Point_Type) || !PyObject_TypeCheck(b, &Point_Type) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    int equal = ((Point *)a)->x == ((Point *)b)->x && ((Point *)a)->y == ((Point *)b)->y;
    return PyBool_FromLong(equal == (op == Py_EQ));
}

static Py_hash_t Point_hash(Point *p)
{
    Py_hash_t hash = (Py_hash_t)(p->x * 1000003.0 + p->y);
    return hash == -1 ? -2 : hash;
}

static PyObject *Point_add(PyObject *a, PyObject *b)
{
    if (!PyObject_TypeCheck(a, &Point_Type) || !PyObject_TypeCheck(b, &Point_Type))
        Py_RETURN_NOTIMPLEMENTED;
    return Point_make(((Point *)a)->x + ((Point *)b)->x, ((Point *)a)->y + ((Point *)b)->y);
}

static PyObject *Point_multiply(PyObject *a, PyObject *b)
{
    if (PyObject_TypeCheck(b, &Point_Type)) {
        PyObject *swap = a;
        a = b;
        b = swap;
    }
    double factor = PyFloat_AsDouble(b);
    if (factor == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        Py_RETURN_NOTIMPLEMENTED;
    }
    return Point_make(((Point *)a)->x * factor, ((Point *)a)->y * factor);
}

static PyObject *Point_power(PyObject *a, PyObject *b, PyObject *mod)
{
    if (!PyObject_TypeCheck(a, &Point_Type))
        Py_RETURN_NOTIMPLEMENTED;
    return Py_BuildValue("(OOO)", a, b, mod);
}

static PyObject *Point_iadd(PyObject *a, PyObject *b)
{
    if (!PyObject_TypeCheck(b, &Point_Type))
        Py_RETURN_NOTIMPLEMENTED;
    ((Point *)a)->x += ((Point *)b)->x;
    ((Point *)a)->y += ((Point *)b)->y;
    return Py_NewRef(a);
}

static PyObject *Point_negative(Point *p) { return Point_make(-p->x, -p->y); }
static int Point_bool(Point *p) { return p->x != 0 || p->y != 0; }
static PyObject *Point_float(Point *p) { return PyFloat_FromDouble(p->x * p->x + p->y * p->y); }
static PyObject *Point_index(Point *p) { return PyLong_FromDouble(p->x); }

static PyNumberMethods Point_number = {
    .nb_add = Point_add,
    .nb_multiply = Point_multiply,
    .nb_power = Point_power,
    .nb_inplace_add = Point_iadd,
    .nb_negative = (unaryfunc)Point_negative,
    .nb_bool = (inquiry)Point_bool,
    .nb_float = (unaryfunc)Point_float,
    .nb_index = (unaryfunc)Point_index,
};

static Py_ssize_t Point_length(PyObject *p) { return 2; }

static PyObject *Point_item(Point *p, Py_ssize_t i)
{
    if (i < 0 || i > 1) {
        PyErr_SetString(PyExc_IndexError, "Point index out of range");
        return NULL;
    }
    return PyFloat_FromDouble(i == 0 ? p->x : p->y);
}

static int Point_set_item(Point *p, Py_ssize_t i, PyObject *value)
{
    if (value == NULL || i < 0 || i > 1) {
        PyErr_SetString(value ? PyExc_IndexError : PyExc_TypeError, "can't do that to a Point");
        return -1;
    }
    double v = PyFloat_AsDouble(value);
    if (v == -1.0 && PyErr_Occurred())
        return -1;
    *(i == 0 ? &p->x : &p->y) = v;
    return 0;
}

static PySequenceMethods Point_sequence = {
    .sq_length = Point_length,
    .sq_item = (ssizeargfunc)Point_item,
    .sq_ass_item = (ssizeobjargproc)Point_set_item,
};

static PyMemberDef Point_members[] = {
    {"x", T_DOUBLE, offsetof(Point, x), 0, "The first coordinate."},
    {"y", T_DOUBLE, offsetof(Point, y), 0, NULL},
    {"tag", T_INT, offsetof(Point, tag), 0, NULL},
    {"flag", T_BOOL, offsetof(Point, flag), 0, NULL},
    {"label", T_OBJECT_EX, offsetof(Point, label), 0, NULL},
    {"label_or_none", T_OBJECT, offsetof(Point, label), READONLY, NULL},
    {"kind", T_STRING, offsetof(Point, kind), 0, NULL},
    {"big", T_LONGLONG, offsetof(Point, big), 0, NULL},
    {"small", T_USHORT, offsetof(Point, small), 0, NULL},
    {NULL},
};

static PyObject *Point_get_norm2(Point *p, void *closure)
{
    return PyFloat_FromDouble((p->x * p->x + p->y * p->y) * *(double *)closure);
}

static int Point_set_norm2(Point *p, PyObject *value, void *closure)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "norm2 can't be deleted");
        return -1;
    }
    p->x = PyFloat_AsDouble(value);
    p->y = 0;
    return PyErr_Occurred() ? -1 : 0;
}

static double one = 1, two = 2;
static PyGetSetDef Point_getset[] = {
    {"norm2", (getter)Point_get_norm2, (setter)Point_set_norm2, "Square of the length.", &one},
    {"twice_norm2", (getter)Point_get_norm2, NULL, NULL, &two},
    {NULL},
};

static PyObject *Point_noargs(Point *p, PyObject *none) { return Py_BuildValue("(OO)", p, none ? none : Py_None); }
static PyObject *Point_o(Point *p, PyObject *arg) { return PyTuple_Pack(2, p, arg); }
static PyObject *Point_varargs(Point *p, PyObject *args) { return Py_NewRef(args); }
static PyObject *Point_keywords(Point *p, PyObject *args, PyObject *kwargs)
{
    return PyTuple_Pack(2, args, kwargs ? kwargs : Py_None);
}
static PyObject *Point_fast(Point *p, PyObject *const *args, Py_ssize_t n)
{
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++)
        PyList_SET_ITEM(list, i, Py_NewRef(args[i]));
    return list;
}
static PyObject *Point_fast_keywords(Point *p, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *list = Point_fast(p, args, n + (names ? PyTuple_GET_SIZE(names) : 0));
    return list ? Py_BuildValue("(NO)", list, names ? names : Py_None) : NULL;
}
static PyObject *Point_class(PyObject *cls, PyObject *none) { return Py_NewRef(cls); }
static PyObject *Point_static(PyObject *self, PyObject *arg) { return PyTuple_Pack(2, self ? self : Py_None, arg); }

static PyMethodDef Point_methods[] = {
    {"noargs", (PyCFunction)Point_noargs, METH_NOARGS, "noargs($self, /)\n--\n\nReturns itself."},
    {"o", (PyCFunction)Point_o, METH_O, NULL},
    {"varargs", (PyCFunction)Point_varargs, METH_VARARGS, NULL},
    {"keywords", _PyCFunction_CAST(Point_keywords), METH_VARARGS | METH_KEYWORDS, NULL},
    {"fast", _PyCFunction_CAST(Point_fast), METH_FASTCALL, NULL},
    {"fast_keywords", _PyCFunction_CAST(Point_fast_keywords), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"cls", Point_class, METH_NOARGS | METH_CLASS, NULL},
    {"static", Point_static, METH_O | METH_STATIC, NULL},
    {"__length_hint__", (PyCFunction)Point_noargs, METH_NOARGS | METH_COEXIST, NULL},
    {NULL},
};

static PyTypeObject Point_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Point",
    .tp_basicsize = sizeof(Point),
    .tp_doc = "Point(x=0.0, y=0.0)\n--\n\nA point in the plane.",
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = Point_new,
    .tp_dealloc = (destructor)Point_dealloc,
    .tp_repr = (reprfunc)Point_repr,
    .tp_richcompare = Point_compare,
    .tp_hash = (hashfunc)Point_hash,
    .tp_as_number = &Point_number,
    .tp_as_sequence = &Point_sequence,
    .tp_members = Point_members,
    .tp_getset = Point_getset,
    .tp_methods = Point_methods,
};

/* ---- Point3: derives from Point in C */

typedef struct {
    Point base;
    double z;
} Point3;

static int Point3_init(Point3 *p, PyObject *args, PyObject *kwargs)
{
    p->z = PyTuple_GET_SIZE(args) == 2 ? 3.0 : 0.0;
    return 0;
}

static PyMemberDef Point3_members[] = {{"z", T_DOUBLE, offsetof(Point3, z), 0, NULL}, {NULL}};

static PyTypeObject Point3_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Point3",
    .tp_basicsize = sizeof(Point3),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_base = &Point_Type,
    .tp_init = (initproc)Point3_init,
    .tp_members = Point3_members,
};

/* ---- Bag: derives from dict and counts look-ups; Log: from list; Failure: an exception with a number */

typedef struct {
    PyDictObject dict;
    Py_ssize_t lookups;
} Bag;

static PyObject *Bag_subscript(Bag *bag, PyObject *key)
{
    bag->lookups++;
    PyObject *value = PyDict_GetItemWithError((PyObject *)bag, key);
    if (value != NULL)
        return Py_NewRef(value);
    return PyErr_Occurred() ? NULL : PyLong_FromLong(0);
}

static PyMappingMethods Bag_mapping = {.mp_subscript = (binaryfunc)Bag_subscript};
static PyMemberDef Bag_members[] = {{"lookups", T_PYSSIZET, offsetof(Bag, lookups), READONLY, NULL}, {NULL}};

static PyTypeObject Bag_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Bag",
    .tp_basicsize = sizeof(Bag),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_as_mapping = &Bag_mapping,
    .tp_members = Bag_members,
};

typedef struct {
    PyListObject list;
    int state;
} Log;

static PyObject *Log_increment(Log *log, PyObject *none) { return PyLong_FromLong(++log->state); }
static PyMethodDef Log_methods[] = {{"increment", (PyCFunction)Log_increment, METH_NOARGS, NULL}, {NULL}};

static int Log_init(Log *log, PyObject *args, PyObject *kwargs)
{
    log->state = 10;
    return PyList_Type.tp_init((PyObject *)log, args, kwargs);
}

static PyTypeObject Log_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Log",
    .tp_basicsize = sizeof(Log),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_methods = Log_methods,
    .tp_init = (initproc)Log_init,
};

typedef struct {
    PyBaseExceptionObject exception;
    int number;
} Failure;

static PyMemberDef Failure_members[] = {{"number", T_INT, offsetof(Failure, number), 0, NULL}, {NULL}};

static int Failure_init(Failure *f, PyObject *args, PyObject *kwargs)
{
    f->number = (int)PyTuple_GET_SIZE(args);
    return ((PyTypeObject *)PyExc_ValueError)->tp_init((PyObject *)f, args, kwargs);
}

static PyTypeObject Failure_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Failure",
    .tp_basicsize = sizeof(Failure),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_members = Failure_members,
    .tp_init = (initproc)Failure_init,
};

/* ---- Count: an iterator; Proxy: attribute access by hand, descriptor, call */

typedef struct {
    PyObject_HEAD
    Py_ssize_t now, end;
} Count;

static PyObject *Count_next(Count *c)
{
    return c->now < c->end ? PyLong_FromSsize_t(c->now++) : NULL;
}

static PyTypeObject Count_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Count",
    .tp_basicsize = sizeof(Count),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)Count_next,
};

static PyObject *count(PyObject *module, PyObject *end)
{
    Count *c = PyObject_New(Count, &Count_Type);
    if (c == NULL)
        return NULL;
    c->now = 0;
    c->end = PyNumber_AsSsize_t(end, PyExc_OverflowError);
    if (c->end == -1 && PyErr_Occurred()) {
        Py_DECREF(c);
        return NULL;
    }
    return (PyObject *)c;
}

typedef struct {
    PyObject_HEAD
    PyObject *dict;
    PyObject *weakrefs;
} Proxy;

static PyObject *Proxy_getattro(Proxy *p, PyObject *name)
{
    if (PyUnicode_CompareWithASCIIString(name, "magic") == 0)
        return PyUnicode_FromString("from getattro");
    return PyObject_GenericGetAttr((PyObject *)p, name);
}

static int Proxy_setattro(Proxy *p, PyObject *name, PyObject *value)
{
    if (PyUnicode_CompareWithASCIIString(name, "frozen") == 0) {
        PyErr_Format(PyExc_AttributeError, "%R is frozen", name);
        return -1;
    }
    return PyObject_GenericSetAttr((PyObject *)p, name, value);
}

static PyObject *Proxy_call(Proxy *p, PyObject *args, PyObject *kwargs)
{
    return PyTuple_Pack(2, args, kwargs ? kwargs : Py_None);
}

static PyObject *Proxy_get(PyObject *self, PyObject *object, PyObject *type)
{
    return PyTuple_Pack(2, object ? object : Py_None, type ? type : Py_None);
}

static int Proxy_set(PyObject *self, PyObject *object, PyObject *value)
{
    return PyObject_SetAttrString(object, "stored", value ? value : Py_None);
}

static int Proxy_traverse(Proxy *p, visitproc visit, void *arg)
{
    Py_VISIT(p->dict);
    return 0;
}

static int Proxy_clear(Proxy *p)
{
    Py_CLEAR(p->dict);
    return 0;
}

static void Proxy_dealloc(Proxy *p)
{
    PyObject_GC_UnTrack(p);
    if (p->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)p);
    Proxy_clear(p);
    Py_TYPE(p)->tp_free(p);
}

static PyGetSetDef Proxy_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict}, {NULL}};

static PyTypeObject Proxy_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_statics.Proxy",
    .tp_basicsize = sizeof(Proxy),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)Proxy_dealloc,
    .tp_traverse = (traverseproc)Proxy_traverse,
    .tp_clear = (inquiry)Proxy_clear,
    .tp_dictoffset = offsetof(Proxy, dict),
    .tp_weaklistoffset = offsetof(Proxy, weakrefs),
    .tp_getattro = (getattrofunc)Proxy_getattro,
    .tp_setattro = (setattrofunc)Proxy_setattro,
    .tp_call = (ternaryfunc)Proxy_call,
    .tp_descr_get = Proxy_get,
    .tp_descr_set = Proxy_set,
    .tp_getset = Proxy_getset,
};

/* What C sees of an object whose class is Python's: slots that the class filled in. */
static PyObject *slots_of(PyObject *module, PyObject *op)
{
    PyTypeObject *t = Py_TYPE(op);
    return Py_BuildValue("{s:N,s:N,s:N,s:N,s:n,s:s}",
        "nb_add", PyBool_FromLong(t->tp_as_number && t->tp_as_number->nb_add),
        "sq_length", PyBool_FromLong(t->tp_as_sequence && t->tp_as_sequence->sq_length),
        "tp_call", PyBool_FromLong(t->tp_call != NULL),
        "tp_iternext", PyBool_FromLong(t->tp_iternext != NULL),
        "basicsize", t->tp_basicsize,
        "base", t->tp_base ? t->tp_base->tp_name : "");
}

/* Calls through the slots directly, as extensions do. */
static PyObject *call_slots(PyObject *module, PyObject *op)
{
    PyTypeObject *t = Py_TYPE(op);
    Py_ssize_t n = t->tp_as_sequence->sq_length(op);
    if (n < 0)
        return NULL;
    PyObject *sum = t->tp_as_number->nb_add(op, op);
    if (sum == NULL)
        return NULL;
    return Py_BuildValue("(nNN)", n, sum, t->tp_str(op));
}

static PyMethodDef functions[] = {
    {"count", count, METH_O, "Counts up to a number."},
    {"slots_of", slots_of, METH_O, NULL},
    {"call_slots", call_slots, METH_O, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_statics", .m_doc = "Static types.", .m_size = -1, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_statics(void)
{
    /* Bases that another module defines can't stand in an initialiser. */
    Bag_Type.tp_base = &PyDict_Type;
    Log_Type.tp_base = &PyList_Type;
    Failure_Type.tp_base = (PyTypeObject *)PyExc_ValueError;
    PyTypeObject *types[] = {&Point_Type, &Point3_Type, &Bag_Type, &Log_Type, &Failure_Type, &Count_Type, &Proxy_Type};
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(types); i++) {
        if (PyModule_AddType(module, types[i]) < 0) {
            Py_DECREF(module);
            return NULL;
        }
    }
    if (PyModule_AddIntConstant(module, "ANSWER", 42) < 0 || PyModule_AddStringConstant(module, "WORD", "w") < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
