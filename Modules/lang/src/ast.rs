//! The `_ast` module: the node classes, made from the table in `asdl`, and the bridge that `compile()` uses.

use crate::asdl::{CLASSES, Class, ClassDef, Quantity, c_name, describe, mod_from_object, mod_to_object};
use crate::{new_str, own, short_name, tuple};
use bumpalo::Bump;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_object};
use taipan_clinic::{methods, module};
use taipan_objects::dictobject::{dict_of_values, shared_keys_of_names};
use taipan_objects::unionobject::_PyUnion_Type;
use taipan_parser::ast::Mod;

// ---- state -------------------------------------------------------------------------------------------------------------

/// The classes and singletons; made once, when the first tree or the module is asked for.
struct State {
    ast_type: *mut PyObject,
    classes: Vec<*mut PyObject>,
    singletons: Vec<*mut PyObject>,
    /// Of each class: the names of its fields and attributes, as the dicts of nodes share them.
    keys: Vec<*mut PyDictKeysObject>,
}

static mut STATE: *mut State = null_mut();

/// The class object, lent for ever. Only after [`init`].
pub(crate) fn class(c: Class) -> *mut PyObject {
    // SAFETY: [GIL] set by init and never changed.
    unsafe { (&(*STATE).classes)[c as usize] }
}

/// The instance that stands for a class of operators or contexts. Only after [`init`].
pub(crate) fn singleton(c: Class) -> Owned {
    // SAFETY: [GIL] as above; every class that stands for a value has one.
    unsafe { Owned::from_borrowed((&(*STATE).singletons)[c as usize]) }
}

/// Makes the classes unless they are there.
fn init() -> PyResult<&'static State> {
    // SAFETY: [GIL] the state is published when it is complete.
    unsafe {
        if STATE.is_null() {
            let state = make_state()?;
            STATE = Box::into_raw(Box::new(state));
        }
        Ok(&*STATE)
    }
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> PyResult<Owned> {
    let all: PyResult<Vec<Owned>> = names
        .map(|n| {
            let mut p = new_str(n)?.into_raw();
            // SAFETY: [OWN]
            unsafe {
                PyUnicode_InternInPlace(&mut p);
                Ok(Owned::from_owned(p))
            }
        })
        .collect();
    tuple(all?)
}

fn make_state() -> PyResult<State> {
    // SAFETY: [GIL] the references to the classes are kept for ever.
    unsafe {
        let ast_type = own(PyType_FromSpec(&raw mut AST_TYPE_SPEC))?;
        let empty = names(core::iter::empty())?;
        for attr in [intern!("_fields"), intern!("__match_args__"), intern!("_attributes")] {
            check_status(PyObject_SetAttr(ast_type.as_ptr(), attr, empty.as_ptr()))?;
        }
        let mut classes: Vec<Owned> = Vec::with_capacity(CLASSES.len());
        let mut singletons = vec![null_mut(); CLASSES.len()];
        for (i, def) in CLASSES.iter().enumerate() {
            let base = def.base.map_or(ast_type.as_ptr(), |b| classes[b as usize].as_ptr());
            let class = make_class(i, def, base)?;
            if def.singleton {
                singletons[i] = own(PyType_GenericNew(class.as_ptr().cast(), null_mut(), null_mut()))?.into_raw();
            }
            classes.push(class);
        }
        for (i, def) in CLASSES.iter().enumerate() {
            annotate(def, classes[i].borrow(), &classes)?;
        }
        let mut keys = Vec::with_capacity(CLASSES.len());
        for def in CLASSES {
            let attributes = def.base.and_then(|b| CLASSES[b as usize].attributes).or(def.attributes).unwrap_or(&[]);
            let all = names(def.fields.iter().chain(attributes).map(|f| f.name))?;
            let n = PyTuple_GET_SIZE(all.as_ptr());
            debug_assert!(n as usize <= MAX_VALUES);
            let items: Vec<*mut PyObject> = (0..n).map(|i| PyTuple_GET_ITEM(all.as_ptr(), i)).collect();
            let table = shared_keys_of_names(&items);
            if table.is_null() {
                return Err(Raised::assume());
            }
            keys.push(table);
        }
        Ok(State { ast_type: ast_type.into_raw(), keys, classes: classes.into_iter().map(Owned::into_raw).collect(), singletons })
    }
}

/// Whether a class is a sum's: those have no field types of their own.
fn is_sum(index: usize) -> bool {
    crate::asdl::SUMS.iter().any(|(c, _)| *c as usize == index)
}

fn make_class(index: usize, def: &ClassDef, base: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let namespace = own(PyDict_New())?;
        let fields = names(def.fields.iter().map(|f| f.name))?;
        let doc = new_str(&describe(crate::asdl::class_at(index)))?;
        for (key, value) in [
            (intern!("_fields"), fields.as_ptr()),
            (intern!("__match_args__"), fields.as_ptr()),
            (intern!("__module__"), intern!("ast")),
            (intern!("__doc__"), doc.as_ptr()),
        ] {
            check_status(PyDict_SetItem(namespace.as_ptr(), key, value))?;
        }
        let name = new_str(def.name)?;
        let bases = tuple(vec![Owned::from_borrowed(base)])?;
        let args = [name.as_ptr(), bases.as_ptr(), namespace.as_ptr()];
        let class = own(PyObject_Vectorcall((&raw mut PyType_Type).cast(), args.as_ptr(), args.len(), null_mut()))?;
        if let Some(attributes) = def.attributes {
            let all = names(attributes.iter().map(|f| f.name))?;
            check_status(PyObject_SetAttr(class.as_ptr(), intern!("_attributes"), all.as_ptr()))?;
        }
        for f in def.fields.iter().chain(def.attributes.unwrap_or(&[])) {
            if f.quantity == Quantity::Opt {
                let name = new_str(f.name)?;
                check_status(PyObject_SetAttr(class.as_ptr(), name.as_ptr(), Py_None()))?;
            }
        }
        Ok(class)
    }
}

/// `_field_types` and `__annotations__`.
fn annotate(def: &ClassDef, class: Borrowed<'_>, classes: &[Owned]) -> PyResult<()> {
    let index = CLASSES.iter().position(|d| core::ptr::eq(d, def)).unwrap_or(0);
    if is_sum(index) {
        return Ok(());
    }
    // SAFETY: [ARGS]
    unsafe {
        let annotations = own(PyDict_New())?;
        for f in def.fields {
            let named: *mut PyObject = match f.ty {
                "identifier" | "string" => (&raw mut PyUnicode_Type).cast(),
                "int" => (&raw mut PyLong_Type).cast(),
                "constant" => (&raw mut PyBaseObject_Type).cast(),
                ty => match CLASSES.iter().position(|c| c.name == ty && c.base.is_none()) {
                    Some(i) => classes[i].as_ptr(),
                    None => bail!(PyExc_SystemError, "ast: no class '{ty}'"),
                },
            };
            let ty = match f.quantity {
                Quantity::One => Owned::from_borrowed(named),
                Quantity::Opt => own(_Py_union_type_or(named, Py_None()))?,
                Quantity::Seq => own(Py_GenericAlias((&raw mut PyList_Type).cast(), named))?,
            };
            let name = new_str(f.name)?;
            check_status(PyDict_SetItem(annotations.as_ptr(), name.as_ptr(), ty.as_ptr()))?;
        }
        check_status(PyObject_SetAttr(class.ob(), intern!("_field_types"), annotations.as_ptr()))?;
        check_status(PyObject_SetAttr(class.ob(), intern!("__annotations__"), annotations.as_ptr()))
    }
}

// ---- nodes -------------------------------------------------------------------------------------------------------------

/// An instance of `AST`.
#[repr(C)]
struct AstObject {
    ob_base: PyObject,
    dict: *mut PyObject,
}

/// How many fields and attributes a node has at most.
const MAX_VALUES: usize = 12;

/// A node under construction: the values of its fields and then of its attributes, in the order of their names.
pub(crate) struct Node {
    class: Class,
    len: usize,
    values: [*mut PyObject; MAX_VALUES],
}

impl Node {
    /// A node without values.
    #[inline]
    pub(crate) fn new(class: Class) -> Node {
        Node { class, len: 0, values: [null_mut(); MAX_VALUES] }
    }

    /// The value of the next field or attribute.
    #[inline]
    pub(crate) fn push(&mut self, value: Owned) {
        self.values[self.len] = value.into_raw();
        self.len += 1;
    }

    /// The finished node. Only after [`init`], and with all values.
    pub(crate) fn finish(mut self) -> PyResult<Owned> {
        // SAFETY: [OWN] a fresh object of a class that derives from AST; the values are given to its dict.
        unsafe {
            let state = &*STATE;
            let node = own(PyType_GenericAlloc(state.classes[self.class as usize].cast(), 0))?;
            let n = core::mem::take(&mut self.len);
            let dict = own(dict_of_values(state.keys[self.class as usize], &self.values[..n]))?;
            (*node.as_ptr().cast::<AstObject>()).dict = dict.into_raw();
            Ok(node)
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for value in &self.values[..self.len] {
            // SAFETY: [OWN] values that no dict has taken.
            unsafe { Py_DECREF(*value) };
        }
    }
}

unsafe extern "C" fn ast_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc; instances of heap types count their type.
    unsafe {
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        ast_clear(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}
unsafe extern "C" fn ast_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { py_visit!(visitor, arg; type_of(slf), (*slf.cast::<AstObject>()).dict); }
    0
}
unsafe extern "C" fn ast_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<AstObject>()).dict, null_mut()) };
    0
}

/// A DeprecationWarning of the caller's line.
fn deprecated(message: &str) -> PyResult<()> {
    let text = std::ffi::CString::new(message).unwrap_or_default();
    // SAFETY: [GIL]
    unsafe { check_status(PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1)) }
}

/// A str for a message.
unsafe fn text(op: *mut PyObject) -> PyResult<String> {
    // SAFETY: [ARGS]
    unsafe {
        let s = own(PyObject_Str(op))?;
        let b = own(PyUnicode_AsEncodedString(s.as_ptr(), c"utf-8".as_ptr(), c"backslashreplace".as_ptr()))?;
        let bytes = core::slice::from_raw_parts(PyBytes_AsString(b.as_ptr()).cast::<u8>(), PyBytes_Size(b.as_ptr()) as usize);
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

unsafe fn ast_init(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        let state = init()?;
        let tp: *mut PyObject = type_of(slf).cast();
        let name = || tp_name(type_of(slf));
        let fields = own(PyObject_GetAttr(tp, intern!("_fields")))?;
        let n = PySequence_Size(fields.as_ptr());
        check_status(if n < 0 { -1 } else { 0 })?;
        let remaining = own(PySet_New(fields.as_ptr()))?;
        if n < PyTuple_GET_SIZE(args) {
            let plural = if n == 1 { "" } else { "s" };
            bail!(PyExc_TypeError, "{} constructor takes at most {n} positional argument{plural}", short_name(type_of(slf)));
        }
        for i in 0..PyTuple_GET_SIZE(args) {
            let field = own(PySequence_GetItem(fields.as_ptr(), i))?;
            check_status(PyObject_SetAttr(slf, field.as_ptr(), PyTuple_GET_ITEM(args, i)))?;
            check_status(PySet_Discard(remaining.as_ptr(), field.as_ptr()))?;
        }
        if !kwargs.is_null() {
            let mut attributes: Option<Owned> = None;
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(kwargs, &mut pos, &mut key, &mut value) != 0 {
                let known = PySequence_Contains(fields.as_ptr(), key);
                check_status(known)?;
                if known != 0 {
                    let was_there = PySet_Discard(remaining.as_ptr(), key);
                    check_status(was_there)?;
                    if was_there == 0 {
                        bail!(PyExc_TypeError, "{} got multiple values for argument '{}'", name(), text(key)?);
                    }
                } else {
                    let attributes = match &attributes {
                        Some(a) => a,
                        None => attributes.insert(own(PyObject_GetAttr(tp, intern!("_attributes")))?),
                    };
                    let known = PySequence_Contains(attributes.as_ptr(), key);
                    check_status(known)?;
                    if known == 0 {
                        deprecated(&format!(
                            "{}.__init__ got an unexpected keyword argument '{}'. Support for arbitrary keyword arguments is \
                             deprecated and will be removed in Python 3.15.",
                            name(),
                            text(key)?
                        ))?;
                    }
                }
                check_status(PyObject_SetAttr(slf, key, value))?;
            }
        }
        if PySet_Size(remaining.as_ptr()) > 0 {
            fill_in(slf, remaining.as_ptr(), state)?;
        }
        Ok(())
    }
}

/// Gives the fields that the constructor was not told their defaults.
unsafe fn fill_in(slf: *mut PyObject, remaining: *mut PyObject, state: &State) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let tp: *mut PyObject = type_of(slf).cast();
        let name = || tp_name(type_of(slf));
        let mut types = null_mut();
        check_status(PyObject_GetOptionalAttr(tp, intern!("_field_types"), &mut types))?;
        // A class of somebody else's, written before there were field types.
        let Some(types) = Owned::from_owned_or_opt(types) else { return Ok(()) };
        let remaining = own(PySequence_List(remaining))?;
        for i in 0..PyList_GET_SIZE(remaining.as_ptr()) {
            let field = PyList_GET_ITEM(remaining.as_ptr(), i);
            let ty = PyDict_GetItemWithError(types.as_ptr(), field);
            if ty.is_null() {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                deprecated(&format!(
                    "Field '{}' is missing from {}._field_types. This will become an error in Python 3.15.",
                    text(field)?,
                    name()
                ))?;
            } else if type_of(ty) == &raw mut _PyUnion_Type {
                // The class has None as its default.
            } else if type_of(ty) == &raw mut Py_GenericAliasType {
                let empty = own(PyList_New(0))?;
                check_status(PyObject_SetAttr(slf, field, empty.as_ptr()))?;
            } else if ty == state.classes[Class::expr_context as usize] {
                check_status(PyObject_SetAttr(slf, field, state.singletons[Class::Load as usize]))?;
            } else {
                deprecated(&format!(
                    "{}.__init__ missing 1 required positional argument: '{}'. This will become an error in Python 3.15.",
                    name(),
                    text(field)?
                ))?;
            }
        }
        Ok(())
    }
}

unsafe extern "C" fn ast_init_slot(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { ast_init(slf, args, kwargs) }.into_c()
}

/// What copies and pickles are made from: positional `None`s, so that no field is missing, and the attributes. Children
/// are not among the arguments, because copying them there would recurse without bound.
fn ast_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let tp = Owned::from_borrowed(slf.ob_type().cast::<PyObject>());
        let mut dict = null_mut();
        check_status(PyObject_GetOptionalAttr(slf.ob(), intern!("__dict__"), &mut dict))?;
        let Some(dict) = Owned::from_owned_or_opt(dict) else { return tuple(vec![tp, tuple(Vec::new())?]) };
        let mut fields = null_mut();
        check_status(PyObject_GetOptionalAttr(tp.as_ptr(), intern!("_fields"), &mut fields))?;
        let mut args = Vec::new();
        if let Some(fields) = Owned::from_owned_or_opt(fields) {
            let n = PySequence_Size(fields.as_ptr());
            check_status(if n < 0 { -1 } else { 0 })?;
            for i in 0..n {
                let name = own(PySequence_GetItem(fields.as_ptr(), i))?;
                let present = PyDict_Contains(dict.as_ptr(), name.as_ptr());
                check_status(present)?;
                if present == 0 {
                    break;
                }
                args.push(Owned::from_borrowed(Py_None()));
            }
        }
        tuple(vec![tp, tuple(args)?, dict])
    }
}

methods! {
    static AST_METHODS = [
        "__reduce__($self, /)" => ast_reduce, "Tell pickle and copy how to make the node again.";
    ];
}

static mut AST_MEMBERS: [PyMemberDef; 2] = [
    PyMemberDef {
        name: c"__dictoffset__".as_ptr(),
        type_code: Py_T_PYSSIZET,
        offset: core::mem::offset_of!(AstObject, dict) as Py_ssize_t,
        flags: Py_READONLY,
        doc: core::ptr::null(),
    },
    PyMemberDef { name: core::ptr::null(), type_code: 0, offset: 0, flags: 0, doc: core::ptr::null() },
];

static mut AST_GETSETS: [PyGetSetDef; 2] = [
    PyGetSetDef {
        name: c"__dict__".as_ptr(),
        get: Some(PyObject_GenericGetDict),
        set: Some(PyObject_GenericSetDict),
        doc: core::ptr::null(),
        closure: null_mut(),
    },
    PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() },
];

static mut AST_TYPE_SLOTS: [PyType_Slot; 14] = [
    PyType_Slot { slot: Py_tp_dealloc, pfunc: ast_dealloc as *mut c_void },
    PyType_Slot { slot: Py_tp_getattro, pfunc: PyObject_GenericGetAttr as *mut c_void },
    PyType_Slot { slot: Py_tp_setattro, pfunc: PyObject_GenericSetAttr as *mut c_void },
    PyType_Slot { slot: Py_tp_traverse, pfunc: ast_traverse as *mut c_void },
    PyType_Slot { slot: Py_tp_clear, pfunc: ast_clear as *mut c_void },
    PyType_Slot { slot: Py_tp_members, pfunc: (&raw mut AST_MEMBERS).cast() },
    PyType_Slot { slot: Py_tp_methods, pfunc: (&raw mut AST_METHODS).cast() },
    PyType_Slot { slot: Py_tp_getset, pfunc: (&raw mut AST_GETSETS).cast() },
    PyType_Slot { slot: Py_tp_init, pfunc: ast_init_slot as *mut c_void },
    PyType_Slot { slot: Py_tp_alloc, pfunc: PyType_GenericAlloc as *mut c_void },
    PyType_Slot { slot: Py_tp_new, pfunc: PyType_GenericNew as *mut c_void },
    PyType_Slot { slot: Py_tp_free, pfunc: PyObject_GC_Del as *mut c_void },
    PyType_Slot { slot: 0, pfunc: null_mut() },
    PyType_Slot { slot: 0, pfunc: null_mut() },
];

static mut AST_TYPE_SPEC: PyType_Spec = PyType_Spec {
    name: c"ast.AST".as_ptr(),
    basicsize: size_of::<AstObject>() as c_int,
    itemsize: 0,
    flags: (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC) as core::ffi::c_uint,
    slots: (&raw mut AST_TYPE_SLOTS).cast(),
};

unsafe extern "C" {
    fn PySys_AuditTuple(event: *const core::ffi::c_char, args: *mut PyObject) -> c_int;
}

// ---- the bridge --------------------------------------------------------------------------------------------------------

/// The tree that `module` (a `&taipan_parser::ast::Mod`) is, as `ast` objects.
///
/// # Safety
/// `module` points to a tree; [GIL].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taipan_ast_mod2obj(module: *const c_void) -> *mut PyObject {
    // SAFETY: [ARGS]
    init().and_then(|_| mod_to_object(unsafe { &*module.cast::<Mod<'_>>() })).into_c()
}

/// Makes a tree of `ast` objects: writes the root to `out`, a `taipan_parser::ast::Mod`, whose nodes live in `arena`, a
/// `bumpalo::Bump`. The values of `Constant` nodes, but for singletons, are appended to the list `constants` unless that is
/// NULL. `mode` is 0 for "exec", 1 for "eval", 2 for "single", 3 for "func_type". The tree is not validated.
/// -1 with an exception if that fails.
///
/// # Safety
/// As said; [GIL].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taipan_ast_obj2mod(ast: *mut PyObject, arena: *const c_void, constants: *mut PyObject, mode: c_int, out: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        let args = tuple(vec![Owned::from_borrowed(ast), Owned::from_borrowed(Py_None())])?;
        check_status(PySys_AuditTuple(c"compile".as_ptr(), args.as_ptr()))?;
        let state = init()?;
        let (class, name) = match mode {
            0 => (Class::Module, "Module"),
            1 => (Class::Expression, "Expression"),
            2 => (Class::Interactive, "Interactive"),
            _ => (Class::FunctionType, "FunctionType"),
        };
        let is = PyObject_IsInstance(ast, state.classes[class as usize]);
        check_status(is)?;
        if is == 0 {
            bail!(PyExc_TypeError, "expected {name} node, got {}", short_name(type_of(ast)));
        }
        out.cast::<Mod<'_>>().write(mod_from_object(ast, &*arena.cast::<Bump>(), constants)?);
        Ok(())
    })();
    r.into_c()
}

/// Whether an object is a node: 1, 0, or -1 with an exception.
///
/// # Safety
/// [ARGS]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taipan_ast_check(obj: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_CheckExact(obj) != 0 || PyBytes_CheckExact(obj) != 0 {
            return 0;
        }
        match init() {
            Ok(state) => PyObject_IsInstance(obj, state.ast_type),
            Err(_) => -1,
        }
    }
}

// ---- the module --------------------------------------------------------------------------------------------------------

methods! { static METHODS = []; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let state = init()?;
        add_object(module, c"AST", Ok(Owned::from_borrowed(state.ast_type)))?;
        add_int(module, c"PyCF_ALLOW_TOP_LEVEL_AWAIT", 0x2000)?;
        add_int(module, c"PyCF_ONLY_AST", 0x400)?;
        add_int(module, c"PyCF_TYPE_COMMENTS", 0x1000)?;
        add_int(module, c"PyCF_OPTIMIZED_AST", 0x8400)?;
        for (i, &class) in state.classes.iter().enumerate() {
            add_object(module, &c_name(crate::asdl::class_at(i)), Ok(Owned::from_borrowed(class)))?;
        }
        Ok(())
    }
}

module! {
    /// Entry point.
    pub fn PyInit__ast = "_ast", "The classes of syntax trees.", methods: METHODS, exec: exec;
}

