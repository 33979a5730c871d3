/* C calling Python: every way to call, attributes, items, iteration, exceptions, imports, numbers and containers by the
 * abstract protocols, and the builders of lists, tuples, dicts, sets and strings. */
#include <Python.h>

/* all_ways(f): f is called with (1, 2, k=3), or what comes nearest. */
static PyObject *all_ways(PyObject *module, PyObject *f)
{
    PyObject *list = PyList_New(0);
    PyObject *one = PyLong_FromLong(1), *two = PyLong_FromLong(2), *three = PyLong_FromLong(3);
    PyObject *args = PyTuple_Pack(2, one, two), *kwargs = Py_BuildValue("{s:O}", "k", three), *names = Py_BuildValue("(s)", "k");
    PyObject *stack[] = {NULL, one, two, three};
    PyObject *name = PyUnicode_InternFromString("method");
    PyObject *with_self[] = {NULL, f, one, two, three};
#define ADD(call) \
    do { \
        PyObject *v = call; \
        if (v == NULL || PyList_Append(list, v) < 0) { Py_XDECREF(v); goto failed; } \
        Py_DECREF(v); \
    } while (0)
    ADD(PyObject_Call(f, args, kwargs));
    ADD(PyObject_Call(f, args, NULL));
    ADD(PyObject_CallObject(f, args));
    ADD(PyObject_CallObject(f, NULL));
    ADD(PyObject_CallNoArgs(f));
    ADD(PyObject_CallOneArg(f, one));
    ADD(PyObject_CallFunction(f, "ii", 1, 2));
    ADD(PyObject_CallFunction(f, "(ii)", 1, 2));
    ADD(PyObject_CallFunction(f, "O", args));
    ADD(PyObject_CallFunction(f, NULL));
    ADD(PyObject_CallFunctionObjArgs(f, one, two, three, NULL));
    ADD(PyObject_Vectorcall(f, stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, names));
    ADD(PyObject_Vectorcall(f, stack + 1, 3, NULL));
    ADD(PyObject_VectorcallDict(f, stack + 1, 2, kwargs));
    ADD(PyObject_CallMethod(f, "method", "ii", 1, 2));
    ADD(PyObject_CallMethod(f, "method", NULL));
    ADD(PyObject_CallMethodObjArgs(f, name, one, two, NULL));
    ADD(PyObject_CallMethodNoArgs(f, name));
    ADD(PyObject_CallMethodOneArg(f, name, one));
    ADD(PyObject_VectorcallMethod(name, with_self + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, names));
    goto done;
failed:
    Py_CLEAR(list);
done:
    Py_DECREF(one);
    Py_DECREF(two);
    Py_DECREF(three);
    Py_DECREF(args);
    Py_DECREF(kwargs);
    Py_DECREF(names);
    Py_DECREF(name);
    return list;
}

static PyObject *attributes(PyObject *module, PyObject *op)
{
    PyObject *value = NULL, *missing = NULL;
    if (PyObject_SetAttrString(op, "set_by_c", Py_True) < 0)
        return NULL;
    int has = PyObject_HasAttrStringWithError(op, "set_by_c");
    int found = PyObject_GetOptionalAttrString(op, "set_by_c", &value);
    int absent = PyObject_GetOptionalAttrString(op, "nowhere", &missing);
    if (PyObject_DelAttrString(op, "set_by_c") < 0)
        return NULL;
    int gone = PyObject_HasAttrString(op, "set_by_c");
    return Py_BuildValue("(iiNiOi)", has, found, value, absent, missing ? missing : Py_None, gone);
}

/* Runs f and tells what it raised, leaving no exception. */
static PyObject *caught(PyObject *module, PyObject *f)
{
    PyObject *result = PyObject_CallNoArgs(f);
    if (result != NULL)
        return result;
    int is_key = PyErr_ExceptionMatches(PyExc_KeyError), is_lookup = PyErr_ExceptionMatches(PyExc_LookupError);
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *traceback = PyException_GetTraceback(exc), *cause = PyException_GetCause(exc), *context = PyException_GetContext(exc);
    return Py_BuildValue("(NiiNNN)", exc, is_key, is_lookup, traceback ? traceback : Py_NewRef(Py_None),
        cause ? cause : Py_NewRef(Py_None), context ? context : Py_NewRef(Py_None));
}

/* Raises as asked. */
static PyObject *raising(PyObject *module, PyObject *args)
{
    const char *how;
    PyObject *op = Py_None;
    if (!PyArg_ParseTuple(args, "s|O", &how, &op))
        return NULL;
    if (strcmp(how, "string") == 0)
        PyErr_SetString(PyExc_ValueError, "a string");
    else if (strcmp(how, "object") == 0)
        PyErr_SetObject(PyExc_KeyError, op);
    else if (strcmp(how, "none") == 0)
        PyErr_SetNone(PyExc_StopIteration);
    else if (strcmp(how, "format") == 0)
        PyErr_Format(PyExc_RuntimeError, "%s %d %R", "formatted", 7, op);
    else if (strcmp(how, "errno") == 0) {
        errno = ENOENT;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, "some/file");
    }
    else if (strcmp(how, "memory") == 0)
        PyErr_NoMemory();
    else if (strcmp(how, "badarg") == 0)
        PyErr_BadArgument();
    else if (strcmp(how, "internal") == 0)
        PyErr_BadInternalCall();
    else if (strcmp(how, "import") == 0)
        PyErr_SetImportError(op, op, NULL);
    else if (strcmp(how, "restored") == 0) {
        PyErr_SetString(PyExc_ValueError, "first");
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        PyErr_Restore(type, value, traceback);
    }
    else if (strcmp(how, "chained") == 0) {
        PyErr_SetString(PyExc_ValueError, "cause");
        PyObject *cause = PyErr_GetRaisedException();
        PyErr_SetString(PyExc_TypeError, "effect");
        PyObject *effect = PyErr_GetRaisedException();
        PyException_SetCause(effect, Py_NewRef(cause));
        PyException_SetContext(effect, cause);
        PyErr_SetRaisedException(effect);
    }
    else if (strcmp(how, "warning") == 0) {
        if (PyErr_WarnFormat(PyExc_UserWarning, 1, "a warning about %R", op) < 0)
            return NULL;
        Py_RETURN_NONE;
    }
    return NULL;
}

static PyObject *iterate(PyObject *module, PyObject *iterable)
{
    PyObject *iterator = PyObject_GetIter(iterable), *item, *list = PyList_New(0);
    if (iterator == NULL || list == NULL)
        goto failed;
    while ((item = PyIter_Next(iterator)) != NULL) {
        if (PyList_Append(list, item) < 0) {
            Py_DECREF(item);
            goto failed;
        }
        Py_DECREF(item);
    }
    if (PyErr_Occurred())
        goto failed;
    Py_DECREF(iterator);
    return list;
failed:
    Py_XDECREF(iterator);
    Py_XDECREF(list);
    return NULL;
}

/* Drives a generator with PyIter_Send: (what came, how it ended). */
static PyObject *send_all(PyObject *module, PyObject *generator)
{
    PyObject *list = PyList_New(0), *value = NULL, *sent = Py_NewRef(Py_None);
    PySendResult state;
    while ((state = PyIter_Send(generator, sent, &value)) == PYGEN_NEXT) {
        PyList_Append(list, value);
        Py_SETREF(sent, value);
    }
    Py_DECREF(sent);
    if (state == PYGEN_ERROR) {
        Py_DECREF(list);
        return NULL;
    }
    return Py_BuildValue("(NN)", list, value);
}

static PyObject *numbers(PyObject *module, PyObject *args)
{
    PyObject *a, *b;
    if (!PyArg_ParseTuple(args, "OO", &a, &b))
        return NULL;
    return Py_BuildValue("[NNNNNNNNNNNNNNNNN]",
        PyNumber_Add(a, b), PyNumber_Subtract(a, b), PyNumber_Multiply(a, b), PyNumber_TrueDivide(a, b),
        PyNumber_FloorDivide(a, b), PyNumber_Remainder(a, b), PyNumber_Divmod(a, b), PyNumber_Power(a, b, Py_None),
        PyNumber_Negative(a), PyNumber_Absolute(a), PyNumber_Invert(a), PyNumber_Lshift(a, b), PyNumber_And(a, b),
        PyNumber_Or(a, b), PyNumber_Xor(a, b), PyNumber_Float(a), PyNumber_ToBase(a, 16));
}

static PyObject *sequences(PyObject *module, PyObject *s)
{
    Py_ssize_t n = PySequence_Size(s);
    if (n < 2) {
        if (n >= 0)
            PyErr_SetString(PyExc_ValueError, "too short");
        return NULL;
    }
    PyObject *first = PySequence_GetItem(s, 0);
    return Py_BuildValue("[nNNNNNinNN]", n, PySequence_GetItem(s, -1), PySequence_GetSlice(s, 0, 2), PySequence_Concat(s, s),
        PySequence_Repeat(s, 2), PySequence_List(s), PySequence_Contains(s, first), PySequence_Index(s, first),
        PySequence_Tuple(s), first);
}

static PyObject *mappings(PyObject *module, PyObject *m)
{
    PyObject *value = NULL;
    if (PyMapping_SetItemString(m, "k", Py_True) < 0)
        return NULL;
    int found = PyMapping_GetOptionalItemString(m, "missing", &value);
    return Py_BuildValue("[niNNNNi]", PyMapping_Size(m), PyMapping_HasKeyString(m, "k"), PyMapping_Keys(m), PyMapping_Values(m),
        PyMapping_Items(m), PyObject_GetItem(m, PyUnicode_InternFromString("k")), found);
}

static PyObject *builders(PyObject *module, PyObject *count)
{
    Py_ssize_t n = PyLong_AsSsize_t(count);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    PyObject *list = PyList_New(n), *appended = PyList_New(0), *tuple = PyTuple_New(n), *dict = PyDict_New(), *set = PySet_New(NULL);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *v = PyLong_FromSsize_t(i * 1000);
        PyList_SET_ITEM(list, i, Py_NewRef(v));
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(v));
        if (PyList_Append(appended, v) < 0 || PyDict_SetItem(dict, v, Py_None) < 0 || PySet_Add(set, v) < 0)
            return NULL;
        Py_DECREF(v);
    }
    Py_ssize_t position = 0, sum = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &position, &key, &value))
        sum += PyLong_AsSsize_t(key);
    if (PyList_Sort(appended) < 0 || PyList_Reverse(appended) < 0 || PyList_SetSlice(list, 0, 1, NULL) < 0)
        return NULL;
    return Py_BuildValue("[NNNnN]", list, appended, tuple, sum, set);
}

static PyObject *strings(PyObject *module, PyObject *none)
{
    PyObject *wide = PyUnicode_New(3, 0x1F600);
    PyUnicode_WRITE(PyUnicode_KIND(wide), PyUnicode_DATA(wide), 0, 'a');
    PyUnicode_WriteChar(wide, 1, 0xe9);
    PyUnicode_WriteChar(wide, 2, 0x1F600);
    Py_UCS1 latin[] = {0x61, 0xff};
    PyObject *kind1 = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, latin, 2);
    PyObject *joined = PyUnicode_Join(kind1, PyTuple_Pack(2, wide, wide));
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(wide, &size);
    PyObject *bytes = PyBytes_FromStringAndSize(utf8, size);
    PyBytes_ConcatAndDel(&bytes, PyBytes_FromString("!"));
    PyObject *decoded = PyUnicode_DecodeUTF8("\xe2\x82\xac\xff", 4, "replace");
    return Py_BuildValue("[NNNNNii]", wide, kind1, joined, bytes, decoded, PyUnicode_KIND(wide), PyUnicode_IS_ASCII(kind1));
}

static PyObject *run(PyObject *module, PyObject *args)
{
    const char *code;
    PyObject *globals;
    if (!PyArg_ParseTuple(args, "sO!", &code, &PyDict_Type, &globals))
        return NULL;
    PyObject *compiled = Py_CompileString(code, "<from C>", Py_file_input);
    PyObject *result = compiled ? PyEval_EvalCode(compiled, globals, globals) : NULL;
    Py_XDECREF(compiled);
    return result;
}

static PyObject *imports(PyObject *module, PyObject *name)
{
    PyObject *imported = PyImport_Import(name);
    if (imported == NULL)
        return NULL;
    PyObject *dict = PyModule_GetDict(imported);
    return Py_BuildValue("(NNO)", imported, PyModule_GetNameObject(imported), PyDict_Check(dict) ? Py_True : Py_False);
}

static PyObject *frames(PyObject *module, PyObject *none)
{
    PyFrameObject *frame = PyEval_GetFrame();
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyObject *result = Py_BuildValue("(OiN)", code->co_name, PyFrame_GetLineNumber(frame), PyFrame_GetLocals(frame));
    Py_DECREF(code);
    return result;
}

static PyObject *recurse(PyObject *module, PyObject *f)
{
    if (Py_EnterRecursiveCall(" in recurse"))
        return NULL;
    PyObject *result = PyObject_CallOneArg(f, f);
    Py_LeaveRecursiveCall();
    return result;
}

static PyMethodDef functions[] = {
    {"all_ways", all_ways, METH_O, NULL},
    {"attributes", attributes, METH_O, NULL},
    {"caught", caught, METH_O, NULL},
    {"raising", raising, METH_VARARGS, NULL},
    {"iterate", iterate, METH_O, NULL},
    {"send_all", send_all, METH_O, NULL},
    {"numbers", numbers, METH_VARARGS, NULL},
    {"sequences", sequences, METH_O, NULL},
    {"mappings", mappings, METH_O, NULL},
    {"builders", builders, METH_O, NULL},
    {"strings", strings, METH_NOARGS, NULL},
    {"run", run, METH_VARARGS, NULL},
    {"imports", imports, METH_O, NULL},
    {"frames", frames, METH_NOARGS, NULL},
    {"recurse", recurse, METH_O, NULL},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "ct_calls", .m_size = 0, .m_methods = functions,
};

PyMODINIT_FUNC PyInit_ct_calls(void) { return PyModule_Create(&definition); }
