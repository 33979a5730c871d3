/* Types made from specs, module state, multi-phase initialisation, metaclasses, vectorcall of instances. */
#include <Python.h>
#include <structmember.h>

typedef struct {
    PyTypeObject *account, *savings, *meta, *classy, *callee, *opaque;
    PyObject *error;
    long created;
} State;

static struct PyModuleDef definition;

/* ---- Account: module state through the defining class, managed dict and weak references */

typedef struct {
    PyObject_HEAD
    long long balance;
    PyObject *owner;
} Account;

static State *state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &definition);
    return module ? PyModule_GetState(module) : NULL;
}

static int Account_init(Account *a, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"owner", "balance", NULL};
    PyObject *owner;
    long long balance = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|L", names, &owner, &balance))
        return -1;
    State *state = state_of_type(Py_TYPE(a));
    if (state == NULL)
        return -1;
    state->created++;
    Py_XSETREF(a->owner, Py_NewRef(owner));
    a->balance = balance;
    return 0;
}

static int Account_traverse(Account *a, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(a));
    Py_VISIT(a->owner);
    return PyObject_VisitManagedDict((PyObject *)a, visit, arg);
}

static int Account_clear(Account *a)
{
    Py_CLEAR(a->owner);
    PyObject_ClearManagedDict((PyObject *)a);
    return 0;
}

static void Account_dealloc(Account *a)
{
    PyTypeObject *type = Py_TYPE(a);
    PyObject_GC_UnTrack(a);
    PyObject_ClearWeakRefs((PyObject *)a);
    Account_clear(a);
    type->tp_free(a);
    Py_DECREF(type);
}

static PyObject *Account_withdraw(Account *a, PyTypeObject *defining, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    if (nargs != 1 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "withdraw() takes one argument");
        return NULL;
    }
    long long amount = PyLong_AsLongLong(args[0]);
    if (amount == -1 && PyErr_Occurred())
        return NULL;
    State *state = PyType_GetModuleState(defining);
    if (state == NULL)
        return NULL;
    if (amount > a->balance)
        return PyErr_Format(state->error, "%lld is more than %lld", amount, a->balance);
    a->balance -= amount;
    return PyLong_FromLongLong(a->balance);
}

static PyObject *Account_defining(PyObject *self, PyTypeObject *defining, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    return PyTuple_Pack(2, defining, PyType_GetModule(defining));
}

static PyMethodDef Account_methods[] = {
    {"withdraw", _PyCFunction_CAST(Account_withdraw), METH_METHOD | METH_FASTCALL | METH_KEYWORDS, "Takes money out."},
    {"defining", _PyCFunction_CAST(Account_defining), METH_METHOD | METH_FASTCALL | METH_KEYWORDS, NULL},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {NULL},
};

static PyMemberDef Account_members[] = {
    {"balance", Py_T_LONGLONG, offsetof(Account, balance), 0, NULL},
    {"owner", Py_T_OBJECT_EX, offsetof(Account, owner), Py_READONLY, NULL},
    {NULL},
};

static PyGetSetDef Account_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict}, {NULL}};

static PyType_Slot Account_slots[] = {
    {Py_tp_doc, "Account(owner, balance=0)\n--\n\nMoney of somebody."},
    {Py_tp_init, Account_init},
    {Py_tp_dealloc, Account_dealloc},
    {Py_tp_traverse, Account_traverse},
    {Py_tp_clear, Account_clear},
    {Py_tp_methods, Account_methods},
    {Py_tp_members, Account_members},
    {Py_tp_getset, Account_getset},
    {0, NULL},
};

static PyType_Spec Account_spec = {
    .name = "ct_heaps.Account",
    .basicsize = sizeof(Account),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF,
    .slots = Account_slots,
};

/* ---- Savings: derives from Account, with data of its own behind (relative offsets) */

typedef struct {
    double rate;
    int months;
} SavingsData;

static PyObject *Savings_interest(PyObject *self, PyTypeObject *defining, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    SavingsData *data = PyObject_GetTypeData(self, defining);
    return PyFloat_FromDouble((double)((Account *)self)->balance * data->rate * data->months);
}

static PyMethodDef Savings_methods[] = {
    {"interest", _PyCFunction_CAST(Savings_interest), METH_METHOD | METH_FASTCALL | METH_KEYWORDS, NULL},
    {NULL},
};

static PyMemberDef Savings_members[] = {
    {"rate", Py_T_DOUBLE, offsetof(SavingsData, rate), Py_RELATIVE_OFFSET, NULL},
    {"months", Py_T_INT, offsetof(SavingsData, months), Py_RELATIVE_OFFSET, NULL},
    {NULL},
};

static PyType_Slot Savings_slots[] = {
    {Py_tp_methods, Savings_methods},
    {Py_tp_members, Savings_members},
    {0, NULL},
};

static PyType_Spec Savings_spec = {
    .name = "ct_heaps.Savings",
    .basicsize = -(int)sizeof(SavingsData),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = Savings_slots,
};

/* ---- a metaclass in C, and a class made with it */

static PyObject *Meta_repr(PyTypeObject *cls)
{
    PyObject *name = PyType_GetQualName(cls);
    PyObject *text = name ? PyUnicode_FromFormat("<classy %U>", name) : NULL;
    Py_XDECREF(name);
    return text;
}

static PyObject *Meta_call(PyObject *cls, PyObject *args, PyObject *kwargs)
{
    PyObject *made = PyType_Type.tp_call(cls, args, kwargs);
    return made ? Py_BuildValue("(sN)", "made by Meta", made) : NULL;
}

static int Meta_traverse(PyObject *cls, visitproc visit, void *arg)
{
    /* `type` doesn't visit the metaclass of a class: its own never goes away. */
    Py_VISIT(Py_TYPE(cls));
    return PyType_Type.tp_traverse(cls, visit, arg);
}

static int Meta_clear(PyObject *cls) { return PyType_Type.tp_clear(cls); }

static PyType_Slot Meta_slots[] = {
    {Py_tp_repr, Meta_repr},
    {Py_tp_call, Meta_call},
    {Py_tp_traverse, Meta_traverse},
    {Py_tp_clear, Meta_clear},
    {0, NULL},
};

static PyType_Spec Meta_spec = {
    .name = "ct_heaps.Meta",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = Meta_slots,
};

static PyType_Slot Classy_slots[] = {{0, NULL}};
static PyType_Spec Classy_spec = {
    .name = "ct_heaps.Classy",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = Classy_slots,
};

/* ---- Callee: instances with a vectorcall of their own */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    int calls;
} Callee;

static PyObject *Callee_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    ((Callee *)self)->calls++;
    PyObject *positional = PyTuple_New(nargs);
    for (Py_ssize_t i = 0; positional && i < nargs; i++)
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    PyObject *keywords = PyDict_New();
    for (Py_ssize_t i = 0; keywords && names && i < PyTuple_GET_SIZE(names); i++) {
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), args[nargs + i]) < 0)
            Py_CLEAR(keywords);
    }
    if (positional == NULL || keywords == NULL) {
        Py_XDECREF(positional);
        Py_XDECREF(keywords);
        return NULL;
    }
    return Py_BuildValue("(NN)", positional, keywords);
}

static PyObject *Callee_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Callee *c = (Callee *)type->tp_alloc(type, 0);
    if (c != NULL)
        c->vectorcall = Callee_vectorcall;
    return (PyObject *)c;
}

static void Callee_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef Callee_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Callee, vectorcall), Py_READONLY, NULL},
    {"calls", Py_T_INT, offsetof(Callee, calls), Py_READONLY, NULL},
    {NULL},
};

static PyType_Slot Callee_slots[] = {
    {Py_tp_new, Callee_new},
    {Py_tp_dealloc, Callee_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, Callee_members},
    {0, NULL},
};

static PyType_Spec Callee_spec = {
    .name = "ct_heaps.Callee",
    .basicsize = sizeof(Callee),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = Callee_slots,
};

/* ---- Opaque: immutable, can't be made from Python */

static PyType_Slot Opaque_slots[] = {{0, NULL}};
static PyType_Spec Opaque_spec = {
    .name = "ct_heaps.Opaque",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = Opaque_slots,
};

/* ---- the module */

static PyObject *created(PyObject *module, PyObject *none)
{
    return PyLong_FromLong(((State *)PyModule_GetState(module))->created);
}

static PyObject *slot_is_inherited(PyObject *module, PyObject *args)
{
    PyTypeObject *derived, *base;
    int slot;
    if (!PyArg_ParseTuple(args, "O!O!i", &PyType_Type, &derived, &PyType_Type, &base, &slot))
        return NULL;
    void *a = PyType_GetSlot(derived, slot), *b = PyType_GetSlot(base, slot);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(a != NULL && a == b);
}

static PyObject *make_type(PyObject *module, PyObject *args)
{
    const char *name;
    PyObject *bases;
    if (!PyArg_ParseTuple(args, "sO", &name, &bases))
        return NULL;
    PyType_Slot slots[] = {{Py_tp_doc, "Made on the fly."}, {0, NULL}};
    PyType_Spec spec = {.name = name, .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = slots};
    return PyType_FromModuleAndSpec(module, &spec, bases);
}

static PyMethodDef functions[] = {
    {"created", created, METH_NOARGS, "How many accounts were made."},
    {"slot_is_inherited", slot_is_inherited, METH_VARARGS, NULL},
    {"make_type", make_type, METH_VARARGS, NULL},
    {NULL},
};

static PyObject *create(PyObject *spec, PyModuleDef *def)
{
    PyObject *name = PyObject_GetAttrString(spec, "name");
    PyObject *module = name ? PyModule_NewObject(name) : NULL;
    Py_XDECREF(name);
    if (module && PyModule_AddStringConstant(module, "created_by", "Py_mod_create") < 0)
        Py_CLEAR(module);
    return module;
}

static int add(PyObject *module, PyTypeObject **slot, PyType_Spec *spec, PyObject *bases, PyTypeObject *meta)
{
    *slot = (PyTypeObject *)PyType_FromMetaclass(meta, module, spec, bases);
    return *slot ? PyModule_AddType(module, *slot) : -1;
}

static int execute(PyObject *module)
{
    State *s = PyModule_GetState(module);
    s->error = PyErr_NewExceptionWithDoc("ct_heaps.Overdrawn", "Not enough money.", PyExc_ArithmeticError, NULL);
    if (s->error == NULL || PyModule_AddObjectRef(module, "Overdrawn", s->error) < 0)
        return -1;
    if (add(module, &s->account, &Account_spec, NULL, NULL) < 0
        || add(module, &s->savings, &Savings_spec, (PyObject *)s->account, NULL) < 0
        || add(module, &s->meta, &Meta_spec, (PyObject *)&PyType_Type, NULL) < 0
        || add(module, &s->classy, &Classy_spec, NULL, s->meta) < 0
        || add(module, &s->callee, &Callee_spec, NULL, NULL) < 0
        || add(module, &s->opaque, &Opaque_spec, NULL, NULL) < 0)
        return -1;
    return 0;
}

static int execute_again(PyObject *module) { return PyModule_AddIntConstant(module, "second_exec", 2); }

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    State *s = PyModule_GetState(module);
    Py_VISIT(s->account);
    Py_VISIT(s->savings);
    Py_VISIT(s->meta);
    Py_VISIT(s->classy);
    Py_VISIT(s->callee);
    Py_VISIT(s->opaque);
    Py_VISIT(s->error);
    return 0;
}

static int clear(PyObject *module)
{
    State *s = PyModule_GetState(module);
    Py_CLEAR(s->account);
    Py_CLEAR(s->savings);
    Py_CLEAR(s->meta);
    Py_CLEAR(s->classy);
    Py_CLEAR(s->callee);
    Py_CLEAR(s->opaque);
    Py_CLEAR(s->error);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_create, create},
    {Py_mod_exec, execute},
    {Py_mod_exec, execute_again},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ct_heaps",
    .m_doc = "Types made from specs.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

PyMODINIT_FUNC PyInit_ct_heaps(void) { return PyModuleDef_Init(&definition); }
