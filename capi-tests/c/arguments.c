/* Every format unit of argument parsing and of value building, one function each way. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static int to_pair(PyObject *op, void *address)
{
    int *pair = address;
    if (!PyTuple_Check(op) || PyTuple_GET_SIZE(op) != 2) {
        PyErr_SetString(PyExc_TypeError, "a pair is wanted");
        return 0;
    }
    pair[0] = PyLong_AsInt(PyTuple_GET_ITEM(op, 0));
    pair[1] = PyLong_AsInt(PyTuple_GET_ITEM(op, 1));
    return PyErr_Occurred() == NULL;
}

static int cleanups;
static int with_cleanup(PyObject *op, void *address)
{
    if (op == NULL) {
        cleanups++;
        return 1;
    }
    *(PyObject **)address = op;
    return Py_CLEANUP_SUPPORTED;
}

/* parse(format, args[, kwargs, names]): what the one unit in `format` makes of its argument. */
static PyObject *parse(PyObject *module, PyObject *args)
{
    const char *format;
    PyObject *given;
    if (!PyArg_ParseTuple(args, "sO!", &format, &PyTuple_Type, &given))
        return NULL;
    /* The letter decides about the C type; the whole format is given to the parser. */
    const char *unit = strpbrk(format, "zsyuUOSYwbBhHiIlLkKnfdDcCep");
    switch (*unit) {
#define NUMBER(letter, type, make) \
    case letter: { type v = 0; return PyArg_ParseTuple(given, format, &v) ? make(v) : NULL; }
    NUMBER('b', unsigned char, PyLong_FromUnsignedLong)
    NUMBER('B', unsigned char, PyLong_FromUnsignedLong)
    NUMBER('h', short, PyLong_FromLong)
    NUMBER('H', unsigned short, PyLong_FromUnsignedLong)
    NUMBER('i', int, PyLong_FromLong)
    NUMBER('I', unsigned int, PyLong_FromUnsignedLong)
    NUMBER('l', long, PyLong_FromLong)
    NUMBER('k', unsigned long, PyLong_FromUnsignedLong)
    NUMBER('L', long long, PyLong_FromLongLong)
    NUMBER('K', unsigned long long, PyLong_FromUnsignedLongLong)
    NUMBER('n', Py_ssize_t, PyLong_FromSsize_t)
    NUMBER('f', float, PyFloat_FromDouble)
    NUMBER('d', double, PyFloat_FromDouble)
    NUMBER('c', char, PyLong_FromLong)
    NUMBER('C', int, PyLong_FromLong)
    NUMBER('p', int, PyBool_FromLong)
    case 'D': {
        Py_complex v;
        return PyArg_ParseTuple(given, format, &v) ? PyComplex_FromCComplex(v) : NULL;
    }
    case 's': case 'z': case 'y':
        if (unit[1] == '*') {
            Py_buffer view;
            if (!PyArg_ParseTuple(given, format, &view))
                return NULL;
            PyObject *bytes = view.buf ? PyBytes_FromStringAndSize(view.buf, view.len) : Py_NewRef(Py_None);
            PyBuffer_Release(&view);
            return bytes;
        }
        if (unit[1] == '#') {
            const char *text;
            Py_ssize_t size;
            return PyArg_ParseTuple(given, format, &text, &size) ? Py_BuildValue("y#", text, size) : NULL;
        } else {
            const char *text;
            return PyArg_ParseTuple(given, format, &text) ? Py_BuildValue("y", text) : NULL;
        }
    case 'w': {
        Py_buffer view;
        if (!PyArg_ParseTuple(given, format, &view))
            return NULL;
        PyObject *size = PyLong_FromSsize_t(view.len);
        PyBuffer_Release(&view);
        return size;
    }
    case 'U': case 'S': case 'Y': {
        PyObject *op;
        return PyArg_ParseTuple(given, format, &op) ? Py_NewRef(op) : NULL;
    }
    case 'O':
        if (unit[1] == '!') {
            PyObject *op;
            return PyArg_ParseTuple(given, format, &PyList_Type, &op) ? Py_NewRef(op) : NULL;
        }
        if (unit[1] == '&') {
            int pair[2];
            return PyArg_ParseTuple(given, format, to_pair, pair) ? Py_BuildValue("[ii]", pair[0], pair[1]) : NULL;
        } else {
            PyObject *op;
            return PyArg_ParseTuple(given, format, &op) ? Py_NewRef(op) : NULL;
        }
    case 'e': {
        char *text = NULL;
        Py_ssize_t size = -1;
        int ok = unit[2] == '#' ? PyArg_ParseTuple(given, format, "utf-16-le", &text, &size)
                                : PyArg_ParseTuple(given, format, "latin-1", &text);
        if (!ok)
            return NULL;
        PyObject *bytes = size < 0 ? PyBytes_FromString(text) : PyBytes_FromStringAndSize(text, size);
        PyMem_Free(text);
        return bytes;
    }
    }
    return PyErr_Format(PyExc_ValueError, "no unit in %s", format);
}

static PyObject *nested(PyObject *module, PyObject *args)
{
    int a, b, c = -1;
    PyObject *d = Py_None;
    if (!PyArg_ParseTuple(args, "(i(i))|iO:nested", &a, &b, &c, &d))
        return NULL;
    return Py_BuildValue("(iiiO)", a, b, c, d);
}

static PyObject *own_message(PyObject *module, PyObject *args)
{
    int a;
    return PyArg_ParseTuple(args, "i;one number, please", &a) ? PyLong_FromLong(a) : NULL;
}

static PyObject *keywords(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "two", "three", "four", "five", NULL};
    int one, two = 2, three = 3, four = 4, five = 5;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ii|i$ii:keywords", names, &one, &two, &three, &four, &five))
        return NULL;
    return Py_BuildValue("(iiiii)", one, two, three, four, five);
}

static PyObject *required_keyword(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"a", "b", NULL};
    PyObject *a, *b = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O", names, &a, &b))
        return NULL;
    return PyTuple_Pack(2, a, b);
}

static PyObject *cleaning(PyObject *module, PyObject *args)
{
    PyObject *a;
    int b;
    cleanups = 0;
    if (!PyArg_ParseTuple(args, "O&i", with_cleanup, &a, &b)) {
        PyErr_Clear();
        return PyLong_FromLong(-cleanups);
    }
    return PyLong_FromLong(cleanups);
}

static PyObject *unpack(PyObject *module, PyObject *args)
{
    PyObject *a = NULL, *b = NULL, *c = NULL;
    if (!PyArg_UnpackTuple(args, "unpack", 1, 3, &a, &b, &c))
        return NULL;
    return Py_BuildValue("(OOO)", a, b ? b : Py_None, c ? c : Py_None);
}

static PyObject *from_address(void *number) { return PyLong_FromLong(*(int *)number * 2); }

static PyObject *build(PyObject *module, PyObject *none)
{
    int n = 21;
    Py_complex z = {1, -2};
    PyObject *list = PyList_New(0);
    if (list == NULL)
        return NULL;
#define ADD(...) \
    do { \
        PyObject *v = Py_BuildValue(__VA_ARGS__); \
        if (v == NULL || PyList_Append(list, v) < 0) { Py_XDECREF(v); Py_DECREF(list); return NULL; } \
        Py_DECREF(v); \
    } while (0)
    ADD("");
    ADD("i", -5);
    ADD("(i)", 5);
    ADD("ii", 1, 2);
    ADD("bBhH", -1, 255, -300, 65535);
    ADD("IlkLK", 4000000000u, -7L, 8UL, -9LL, 18446744073709551615ULL);
    ADD("n", (Py_ssize_t)-1);
    ADD("fd", 0.5f, 0.25);
    ADD("D", &z);
    ADD("c", 'x');
    ADD("C", 0x20ac);
    ADD("s", "text");
    ADD("z", NULL);
    ADD("s#", "text", (Py_ssize_t)2);
    ADD("y", "bytes");
    ADD("y#", "by\0tes", (Py_ssize_t)6);
    ADD("U", "unicode");
    ADD("u", L"wide");
    ADD("u#", L"wide", (Py_ssize_t)3);
    ADD("O", Py_None);
    ADD("S", Py_True);
    ADD("N", PyLong_FromLong(11));
    ADD("O&", from_address, &n);
    ADD("[i(s){s:i}]", 1, "a", "k", 2);
    ADD("{s:i, i:[]}", "a", 1, 2);
    return list;
}

static PyObject *build_wrong(PyObject *module, PyObject *args)
{
    const char *format;
    return PyArg_ParseTuple(args, "s", &format) ? Py_BuildValue(format, 1, 2) : NULL;
}

static PyObject *format_text(PyObject *module, PyObject *op)
{
    return PyUnicode_FromFormat(
        "%%|%c|%d|%5d|%-5d|%05d|%u|%ld|%lu|%lld|%zd|%zu|%i|%x|%#x|%X|%o|%s|%.3s|%10s|%-6s|%p|%A|%U|%V|%V|%S|%R|%.2S|%T|%N|%#N|%*d|%.*s",
        0x263a, -1, 42, 42, 42, 3000000000u, -4L, 5UL, -6LL, (Py_ssize_t)-7, (size_t)8, 9, 255, 255, 255, 8,
        "text", "longer", "right", "left", (void *)0x1234, op, op, NULL, "other", op, "unused", op, op, op, op, Py_TYPE(op),
        Py_TYPE(op), 4, 1, 2, "abc");
}

/* Padding at the end of a text that is written in one go. */
static PyObject *padded(PyObject *module, PyObject *none)
{
    return Py_BuildValue("[NNNN]", PyUnicode_FromFormat("%-10s", "x"), PyUnicode_FromFormat("%-10i", 123),
        PyUnicode_FromFormat("  %-8i|", 123), PyUnicode_FromFormat("%-10.7i", -123));
}

static PyMethodDef functions[] = {
    {"parse", parse, METH_VARARGS, NULL},
    {"nested", nested, METH_VARARGS, NULL},
    {"own_message", own_message, METH_VARARGS, NULL},
    {"keywords", _PyCFunction_CAST(keywords), METH_VARARGS | METH_KEYWORDS, NULL},
    {"required_keyword", _PyCFunction_CAST(required_keyword), METH_VARARGS | METH_KEYWORDS, NULL},
    {"cleaning", cleaning, METH_VARARGS, NULL},
    {"unpack", unpack, METH_VARARGS, NULL},
    {"build", build, METH_NOARGS, NULL},
    {"build_wrong", build_wrong, METH_VARARGS, NULL},
    {"padded", padded, METH_NOARGS, NULL},
    {"format_text", format_text, METH_O, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_arguments", .m_size = 0, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_arguments(void) { return PyModule_Create(&definition); }
