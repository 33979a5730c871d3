/* Collected types: cycles, finalisers, resurrection, deep nesting (trashcan), variable size, untracked instances. */
#include <Python.h>
#include <stddef.h>

typedef struct {
    PyObject_HEAD
    PyObject *link;
    PyObject *callback;
    PyObject *weakrefs;
} Node;

static long alive, finalized;

static PyObject *Node_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *link = NULL, *callback = NULL;
    if (!PyArg_ParseTuple(args, "|OO", &link, &callback))
        return NULL;
    Node *n = (Node *)type->tp_alloc(type, 0);
    if (n != NULL) {
        n->link = Py_XNewRef(link);
        n->callback = Py_XNewRef(callback);
        alive++;
    }
    return (PyObject *)n;
}

static int Node_traverse(Node *n, visitproc visit, void *arg)
{
    Py_VISIT(n->link);
    Py_VISIT(n->callback);
    return 0;
}

static int Node_clear(Node *n)
{
    Py_CLEAR(n->link);
    Py_CLEAR(n->callback);
    return 0;
}

static void Node_finalize(PyObject *self)
{
    Node *n = (Node *)self;
    finalized++;
    if (n->callback == NULL)
        return;
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *result = PyObject_CallOneArg(n->callback, self);
    if (result == NULL)
        PyErr_WriteUnraisable(n->callback);
    Py_XDECREF(result);
    PyErr_SetRaisedException(raised);
}

static void Node_dealloc(Node *n)
{
    if (PyObject_CallFinalizerFromDealloc((PyObject *)n) < 0)
        return;
    PyObject_GC_UnTrack(n);
    Py_TRASHCAN_BEGIN(n, Node_dealloc)
    if (n->weakrefs)
        PyObject_ClearWeakRefs((PyObject *)n);
    Node_clear(n);
    alive--;
    Py_TYPE(n)->tp_free(n);
    Py_TRASHCAN_END
}

static PyObject *Node_get(Node *n, void *closure) { return Py_NewRef(n->link ? n->link : Py_None); }
static int Node_set(Node *n, PyObject *value, void *closure)
{
    Py_XSETREF(n->link, Py_XNewRef(value));
    return 0;
}
static PyGetSetDef Node_getset[] = {{"link", (getter)Node_get, (setter)Node_set}, {NULL}};

static PyTypeObject Node_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_gctypes.Node",
    .tp_basicsize = sizeof(Node),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = Node_new,
    .tp_dealloc = (destructor)Node_dealloc,
    .tp_finalize = Node_finalize,
    .tp_traverse = (traverseproc)Node_traverse,
    .tp_clear = (inquiry)Node_clear,
    .tp_getset = Node_getset,
    .tp_weaklistoffset = offsetof(Node, weakrefs),
};

/* ---- Row: items of the object itself, made and resized without tp_alloc */

typedef struct {
    PyObject_VAR_HEAD
    PyObject *items[1];
} Row;

static PyTypeObject Row_Type;

static PyObject *row(PyObject *module, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    Row *r = PyObject_GC_NewVar(Row, &Row_Type, n);
    if (r == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++)
        r->items[i] = Py_NewRef(PyTuple_GET_ITEM(args, i));
    PyObject_GC_Track(r);
    return (PyObject *)r;
}

/* Takes a row whose only reference is the caller's tuple apart: makes a longer copy by way of a resize. */
static PyObject *grown(PyObject *module, PyObject *args)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args), more = n + 1000;
    Row *r = PyObject_GC_NewVar(Row, &Row_Type, n);
    if (r == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++)
        r->items[i] = Py_NewRef(PyTuple_GET_ITEM(args, i));
    Row *moved = PyObject_GC_Resize(Row, r, more);
    if (moved == NULL) {
        Py_DECREF(r);
        return NULL;
    }
    for (Py_ssize_t i = n; i < more; i++)
        moved->items[i] = Py_NewRef(Py_None);
    PyObject_GC_Track(moved);
    return (PyObject *)moved;
}

static int Row_traverse(Row *r, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < Py_SIZE(r); i++)
        Py_VISIT(r->items[i]);
    return 0;
}

static int Row_clear(Row *r)
{
    for (Py_ssize_t i = 0; i < Py_SIZE(r); i++)
        Py_CLEAR(r->items[i]);
    return 0;
}

static void Row_dealloc(Row *r)
{
    PyObject_GC_UnTrack(r);
    Row_clear(r);
    PyObject_GC_Del(r);
}

static PyObject *Row_item(Row *r, Py_ssize_t i)
{
    if (i < 0 || i >= Py_SIZE(r)) {
        PyErr_SetNone(PyExc_IndexError);
        return NULL;
    }
    return Py_NewRef(r->items[i]);
}

static Py_ssize_t Row_length(Row *r) { return Py_SIZE(r); }
static PySequenceMethods Row_sequence = {.sq_length = (lenfunc)Row_length, .sq_item = (ssizeargfunc)Row_item};

static PyTypeObject Row_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_gctypes.Row",
    .tp_basicsize = offsetof(Row, items),
    .tp_itemsize = sizeof(PyObject *),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)Row_dealloc,
    .tp_traverse = (traverseproc)Row_traverse,
    .tp_clear = (inquiry)Row_clear,
    .tp_as_sequence = &Row_sequence,
};

static PyObject *counts(PyObject *module, PyObject *none) { return Py_BuildValue("(ll)", alive, finalized); }

static PyObject *tracked(PyObject *module, PyObject *op)
{
    return Py_BuildValue("(iii)", PyObject_IS_GC(op), PyObject_GC_IsTracked(op), PyObject_GC_IsFinalized(op));
}

static PyObject *untrack_and_track(PyObject *module, PyObject *op)
{
    PyObject_GC_UnTrack(op);
    int off = PyObject_GC_IsTracked(op);
    PyObject_GC_UnTrack(op);
    PyObject_GC_Track(op);
    return Py_BuildValue("(ii)", off, PyObject_GC_IsTracked(op));
}

static PyObject *collect(PyObject *module, PyObject *none) { return PyLong_FromSsize_t(PyGC_Collect()); }

static int visit_nodes(PyObject *op, void *arg)
{
    *(long *)arg += Py_IS_TYPE(op, &Node_Type);
    return 1;
}

static PyObject *count_nodes(PyObject *module, PyObject *none)
{
    long n = 0;
    PyUnstable_GC_VisitObjects(visit_nodes, &n);
    return PyLong_FromLong(n);
}

static PyMethodDef functions[] = {
    {"row", row, METH_VARARGS, NULL},
    {"grown", grown, METH_VARARGS, NULL},
    {"counts", counts, METH_NOARGS, NULL},
    {"tracked", tracked, METH_O, NULL},
    {"untrack_and_track", untrack_and_track, METH_O, NULL},
    {"collect", collect, METH_NOARGS, NULL},
    {"count_nodes", count_nodes, METH_NOARGS, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_gctypes", .m_size = -1, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_gctypes(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && (PyModule_AddType(module, &Node_Type) < 0 || PyModule_AddType(module, &Row_Type) < 0))
        Py_CLEAR(module);
    return module;
}
