/* The buffer protocol: an exporter that does what the consumer asks for, and a consumer that asks for anything. */
#include <Python.h>

typedef struct {
    PyObject_HEAD
    int *cells;
    Py_ssize_t shape[2], strides[2];
    int exports, readonly;
} Grid;

static PyObject *Grid_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"rows", "columns", "readonly", NULL};
    Py_ssize_t rows, columns;
    int readonly = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "nn|p", names, &rows, &columns, &readonly))
        return NULL;
    Grid *g = (Grid *)type->tp_alloc(type, 0);
    if (g == NULL)
        return NULL;
    g->cells = PyMem_Calloc(rows * columns, sizeof(int));
    if (g->cells == NULL) {
        Py_DECREF(g);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < rows * columns; i++)
        g->cells[i] = (int)i;
    g->shape[0] = rows;
    g->shape[1] = columns;
    g->strides[0] = columns * (Py_ssize_t)sizeof(int);
    g->strides[1] = sizeof(int);
    g->readonly = readonly;
    return (PyObject *)g;
}

static void Grid_dealloc(Grid *g)
{
    PyMem_Free(g->cells);
    Py_TYPE(g)->tp_free(g);
}

static int Grid_getbuffer(Grid *g, Py_buffer *view, int flags)
{
    if ((flags & PyBUF_WRITABLE) && g->readonly) {
        PyErr_SetString(PyExc_BufferError, "Grid is read-only");
        view->obj = NULL;
        return -1;
    }
    view->obj = Py_NewRef(g);
    view->buf = g->cells;
    view->itemsize = sizeof(int);
    view->len = g->shape[0] * g->shape[1] * view->itemsize;
    view->readonly = g->readonly;
    view->ndim = flags & PyBUF_ND ? 2 : 1;
    view->format = flags & PyBUF_FORMAT ? "i" : NULL;
    view->shape = flags & PyBUF_ND ? g->shape : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? g->strides : NULL;
    view->suboffsets = NULL;
    view->internal = NULL;
    g->exports++;
    return 0;
}

static void Grid_releasebuffer(Grid *g, Py_buffer *view) { g->exports--; }
static PyBufferProcs Grid_buffer = {(getbufferproc)Grid_getbuffer, (releasebufferproc)Grid_releasebuffer};

static PyObject *Grid_exports(Grid *g, void *closure) { return PyLong_FromLong(g->exports); }
static PyGetSetDef Grid_getset[] = {{"exports", (getter)Grid_exports}, {NULL}};

static PyTypeObject Grid_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "ct_buffers.Grid",
    .tp_basicsize = sizeof(Grid),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = Grid_new,
    .tp_dealloc = (destructor)Grid_dealloc,
    .tp_as_buffer = &Grid_buffer,
    .tp_getset = Grid_getset,
};

static PyObject *sizes(Py_ssize_t *values, int n)
{
    if (values == NULL)
        Py_RETURN_NONE;
    PyObject *t = PyTuple_New(n);
    for (int i = 0; t && i < n; i++)
        PyTuple_SET_ITEM(t, i, PyLong_FromSsize_t(values[i]));
    return t;
}

/* describe(object, flags): what a consumer sees. */
static PyObject *describe(PyObject *module, PyObject *args)
{
    PyObject *op;
    int flags;
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "Oi", &op, &flags) || PyObject_GetBuffer(op, &view, flags) < 0)
        return NULL;
    PyObject *result = Py_BuildValue("{s:n,s:n,s:i,s:i,s:z,s:N,s:N,s:(iii),s:O}",
        "len", view.len, "itemsize", view.itemsize, "readonly", view.readonly, "ndim", view.ndim, "format", view.format,
        "shape", sizes(view.shape, view.ndim), "strides", sizes(view.strides, view.ndim),
        "contiguous", PyBuffer_IsContiguous(&view, 'C'), PyBuffer_IsContiguous(&view, 'F'), PyBuffer_IsContiguous(&view, 'A'),
        "obj", view.obj ? view.obj : Py_None);
    PyBuffer_Release(&view);
    return result;
}

/* The bytes, in an order, by PyBuffer_ToContiguous. */
static PyObject *flatten(PyObject *module, PyObject *args)
{
    PyObject *op;
    int order;
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "OC", &op, &order) || PyObject_GetBuffer(op, &view, PyBUF_FULL_RO) < 0)
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, view.len);
    if (bytes && PyBuffer_ToContiguous(PyBytes_AS_STRING(bytes), &view, view.len, (char)order) < 0)
        Py_CLEAR(bytes);
    PyBuffer_Release(&view);
    return bytes;
}

static PyObject *item(PyObject *module, PyObject *args)
{
    PyObject *op;
    Py_ssize_t index[2];
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "Onn", &op, &index[0], &index[1]) || PyObject_GetBuffer(op, &view, PyBUF_FULL_RO) < 0)
        return NULL;
    int value = *(int *)PyBuffer_GetPointer(&view, index);
    PyBuffer_Release(&view);
    return PyLong_FromLong(value);
}

/* Adds one to each byte of a writable object. */
static PyObject *increment(PyObject *module, PyObject *args)
{
    Py_buffer view;
    if (!PyArg_ParseTuple(args, "w*", &view))
        return NULL;
    for (Py_ssize_t i = 0; i < view.len; i++)
        ((unsigned char *)view.buf)[i]++;
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static char memory[] = "memory of the extension";

static PyObject *view_of_memory(PyObject *module, PyObject *args)
{
    int writable;
    if (!PyArg_ParseTuple(args, "p", &writable))
        return NULL;
    return PyMemoryView_FromMemory(memory, sizeof(memory) - 1, writable ? PyBUF_WRITE : PyBUF_READ);
}

static PyObject *view_from_buffer(PyObject *module, PyObject *none)
{
    static Py_ssize_t shape[] = {2, 3}, strides[] = {8, 1};
    Py_buffer view = {
        .buf = memory, .len = 6, .itemsize = 1, .readonly = 1, .ndim = 2, .format = "B", .shape = shape, .strides = strides,
    };
    return PyMemoryView_FromBuffer(&view);
}

static PyObject *contiguous(PyObject *module, PyObject *op) { return PyMemoryView_GetContiguous(op, PyBUF_READ, 'C'); }

static PyMethodDef functions[] = {
    {"describe", describe, METH_VARARGS, NULL},
    {"flatten", flatten, METH_VARARGS, NULL},
    {"item", item, METH_VARARGS, NULL},
    {"increment", increment, METH_VARARGS, NULL},
    {"view_of_memory", view_of_memory, METH_VARARGS, NULL},
    {"view_from_buffer", view_from_buffer, METH_NOARGS, NULL},
    {"contiguous", contiguous, METH_O, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_buffers", .m_size = 0, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_buffers(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (PyModule_AddType(module, &Grid_Type) < 0
        || PyModule_AddIntMacro(module, PyBUF_SIMPLE) < 0 || PyModule_AddIntMacro(module, PyBUF_ND) < 0
        || PyModule_AddIntMacro(module, PyBUF_STRIDES) < 0 || PyModule_AddIntMacro(module, PyBUF_FULL_RO) < 0
        || PyModule_AddIntMacro(module, PyBUF_WRITABLE) < 0 || PyModule_AddIntMacro(module, PyBUF_F_CONTIGUOUS) < 0)
        Py_CLEAR(module);
    return module;
}
