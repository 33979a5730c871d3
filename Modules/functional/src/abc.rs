//! The `_abc` module: abstract base classes' registries and caches (PEP 3119).

use core::ffi::c_void;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{methods, module};
use taipan_objects::typeobject::TYPE_INIT;

/// What an abstract base class keeps, as its attribute `_abc_impl`. The sets hold weak references to classes.
#[repr(C)]
struct AbcData {
    ob_base: PyObject,
    registry: *mut PyObject,
    cache: *mut PyObject,
    negative_cache: *mut PyObject,
    /// Value of [`INVALIDATION`] at which the negative cache was filled.
    negative_version: u64,
}

/// Grows with each registration: every negative cache is then out of date.
static mut INVALIDATION: u64 = 0;

unsafe extern "C" fn abc_data_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> i32 {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<AbcData>();
        py_visit!(visit, arg; (*d).registry, (*d).cache, (*d).negative_cache);
    }
    0
}
unsafe extern "C" fn abc_data_clear(slf: *mut PyObject) -> i32 {
    // SAFETY: [TYPE]
    unsafe {
        let d = slf.cast::<AbcData>();
        setref(&raw mut (*d).registry, null_mut());
        setref(&raw mut (*d).cache, null_mut());
        setref(&raw mut (*d).negative_cache, null_mut());
    }
    0
}
unsafe extern "C" fn abc_data_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        abc_data_clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn abc_data_new(tp: *mut PyTypeObject, _: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let op = PyType_GenericAlloc(tp, 0);
        if !op.is_null() {
            (*op.cast::<AbcData>()).negative_version = INVALIDATION;
        }
        op
    }
}

static mut AbcData_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_abc._abc_data".as_ptr(),
    tp_basicsize: size_of::<AbcData>() as Py_ssize_t,
    tp_dealloc: Some(abc_data_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(abc_data_traverse),
    tp_clear: Some(abc_data_clear),
    tp_new: Some(abc_data_new),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    tp_doc: c"What an abstract base class keeps.".as_ptr(),
    ..TYPE_INIT
};

unsafe fn data_of(cls: Borrowed<'_>) -> PyResult<Owned<AbcData>> {
    // SAFETY: [ARGS]
    unsafe {
        let d = Owned::from_owned_or_err(PyObject_GetAttr(cls.ob(), intern!("_abc_impl")))?;
        if type_of(d.as_ptr()) != &raw mut AbcData_Type {
            bail!(PyExc_TypeError, "_abc_impl is set to a wrong type");
        }
        Ok(d.cast())
    }
}

/// Removes a dead weak reference from the set that it is bound to, which the callback's `self` refers to weakly.
unsafe extern "C" fn destroy(set_ref: *mut PyObject, wr: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut set = null_mut();
        if PyWeakref_GetRef(set_ref, &mut set) < 0 {
            return null_mut();
        }
        if !set.is_null() {
            let set = Owned::from_owned(set);
            if PySet_Discard(set.as_ptr(), wr) < 0 {
                return null_mut();
            }
        }
        Py_None()
    }
}

static mut DESTROY_DEF: PyMethodDef = PyMethodDef {
    ml_name: c"_destroy".as_ptr(),
    ml_meth: PyMethodDefPointer { PyCFunction: destroy },
    ml_flags: METH_O,
    ml_doc: core::ptr::null(),
};

/// Adds a weak reference to `class` to the set in `slot`, making the set if there is none.
unsafe fn add_weak(slot: *mut *mut PyObject, class: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*slot).is_null() {
            *slot = Owned::from_owned_or_err(PySet_New(null_mut()))?.into_raw();
        }
        let set = Owned::from_borrowed(*slot);
        let set_ref = Owned::from_owned_or_err(PyWeakref_NewRef(set.as_ptr(), null_mut()))?;
        let callback = Owned::from_owned_or_err(PyCFunction_NewEx(&raw mut DESTROY_DEF, set_ref.as_ptr(), null_mut()))?;
        let wr = Owned::from_owned_or_err(PyWeakref_NewRef(class, callback.as_ptr()))?;
        check_status(PySet_Add(set.as_ptr(), wr.as_ptr()))
    }
}

/// Whether the set holds a weak reference to `class`; what can't be referred to weakly is in no set.
unsafe fn in_weak_set(set: *mut PyObject, class: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if set.is_null() || PySet_Size(set) == 0 {
            return Ok(false);
        }
        let wr = match Owned::from_owned_or_err(PyWeakref_NewRef(class, null_mut())) {
            Ok(wr) => wr,
            Err(e) if e.matches(PyExc_TypeError) => {
                e.clear();
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        let r = PySet_Contains(set, wr.as_ptr());
        check_status(r)?;
        Ok(r == 1)
    }
}

unsafe fn is_abstract(value: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let mut attr = null_mut();
        check_status(PyObject_GetOptionalAttr(value, intern!("__isabstractmethod__"), &mut attr))?;
        let Some(attr) = Owned::from_owned_or_opt(attr) else { return Ok(false) };
        let r = PyObject_IsTrue(attr.as_ptr());
        check_status(r)?;
        Ok(r == 1)
    }
}

/// Works out `__abstractmethods__`: the class's own abstract attributes, and inherited ones still abstract.
unsafe fn compute_abstract_methods(cls: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let names = Owned::from_owned_or_err(PyFrozenSet_New(null_mut()))?;
        let ns = Owned::from_owned_or_err(PyObject_GetAttr(cls.ob(), intern!("__dict__")))?;
        let items = Owned::from_owned_or_err(PyMapping_Items(ns.as_ptr()))?;
        for i in 0..PyList_Size(items.as_ptr()) {
            let pair = Owned::from_owned_or_err(PySequence_Fast(PyList_GetItem(items.as_ptr(), i), c"items() returned item which size is not 2".as_ptr()))?;
            if PySequence_Size(pair.as_ptr()) != 2 {
                bail!(PyExc_TypeError, "items() returned item which size is not 2");
            }
            let key = Owned::from_owned_or_err(PySequence_GetItem(pair.as_ptr(), 0))?;
            let value = Owned::from_owned_or_err(PySequence_GetItem(pair.as_ptr(), 1))?;
            if is_abstract(value.as_ptr())? {
                check_status(PySet_Add(names.as_ptr(), key.as_ptr()))?;
            }
        }
        let bases = Owned::from_owned_or_err(PyObject_GetAttr(cls.ob(), intern!("__bases__")))?;
        if PyTuple_Check(bases.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__bases__ is not tuple");
        }
        for i in 0..PyTuple_GET_SIZE(bases.as_ptr()) {
            let base = PyTuple_GET_ITEM(bases.as_ptr(), i);
            let mut inherited = null_mut();
            check_status(PyObject_GetOptionalAttr(base, intern!("__abstractmethods__"), &mut inherited))?;
            let Some(inherited) = Owned::from_owned_or_opt(inherited) else { continue };
            let it = Owned::from_owned_or_err(PyObject_GetIter(inherited.as_ptr()))?;
            while let Some(key) = next(&it)? {
                let mut value = null_mut();
                check_status(PyObject_GetOptionalAttr(cls.ob(), key.as_ptr(), &mut value))?;
                if let Some(value) = Owned::from_owned_or_opt(value)
                    && is_abstract(value.as_ptr())?
                {
                    check_status(PySet_Add(names.as_ptr(), key.as_ptr()))?;
                }
            }
        }
        check_status(PyObject_SetAttr(cls.ob(), intern!("__abstractmethods__"), names.as_ptr()))
    }
}

unsafe fn next(it: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] an iterator.
    unsafe {
        let item = PyIter_Next(it.as_ptr());
        if item.is_null() && err_occurred() {
            return Err(Raised::assume());
        }
        Ok(Owned::from_owned_or_opt(item))
    }
}

/// Sequence and mapping: the flags that pattern matching reads (PEP 634).
const COLLECTION_FLAGS: core::ffi::c_ulong = (1 << 5) | (1 << 6);

fn abc_init(_: (), cls: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        compute_abstract_methods(cls)?;
        let data = Owned::from_owned_or_err(abc_data_new(&raw mut AbcData_Type, null_mut(), null_mut()))?;
        check_status(PyObject_SetAttr(cls.ob(), intern!("_abc_impl"), data.as_ptr()))?;
        if PyType_Check(cls.ob()) != 0 {
            let tp = cls.ob().cast::<PyTypeObject>();
            let flags = Owned::from_borrowed_or_opt(PyDict_GetItemWithError((*tp).tp_dict, intern!("__abc_tpflags__")));
            if let Some(flags) = flags
                && PyLong_CheckExact(flags.as_ptr()) != 0
            {
                let value = PyLong_AsLong(flags.as_ptr());
                if value == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                let wanted = value as core::ffi::c_ulong & COLLECTION_FLAGS;
                if wanted == COLLECTION_FLAGS {
                    bail!(PyExc_TypeError, "__abc_tpflags__ cannot be both Py_TPFLAGS_SEQUENCE and Py_TPFLAGS_MAPPING");
                }
                if wanted != 0 {
                    (*tp).tp_flags = ((*tp).tp_flags & !COLLECTION_FLAGS) | wanted;
                    PyType_Modified(tp);
                }
                check_status(PyObject_DelAttr(cls.ob(), intern!("__abc_tpflags__")))?;
            } else if err_occurred() {
                return Err(Raised::assume());
            }
        }
        Ok(())
    }
}

/// Gives collection flags to a class and to its subclasses that lack them.
unsafe fn set_collection_flag(tp: *mut PyTypeObject, flag: core::ffi::c_ulong) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 || (*tp).tp_flags & COLLECTION_FLAGS == flag {
            return Ok(());
        }
        (*tp).tp_flags = ((*tp).tp_flags & !COLLECTION_FLAGS) | flag;
        PyType_Modified(tp);
        let subclasses = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(tp.cast(), intern!("__subclasses__")))?;
        for i in 0..PyList_Size(subclasses.as_ptr()) {
            set_collection_flag(PyList_GetItem(subclasses.as_ptr(), i).cast(), flag)?;
        }
        Ok(())
    }
}

fn abc_register(_: (), cls: Borrowed<'_>, subclass: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(subclass.ob()) == 0 {
            bail!(PyExc_TypeError, "Can only register classes");
        }
        let r = PyObject_IsSubclass(subclass.ob(), cls.ob());
        check_status(r)?;
        if r > 0 {
            return Ok(subclass.to_owned());
        }
        // The other way round would make a cycle.
        let r = PyObject_IsSubclass(cls.ob(), subclass.ob());
        check_status(r)?;
        if r > 0 {
            bail!(PyExc_RuntimeError, "Refusing to create an inheritance cycle");
        }
        let data = data_of(cls)?;
        add_weak(&raw mut (*data.as_ptr()).registry, subclass.ob())?;
        INVALIDATION += 1;
        if PyType_Check(cls.ob()) != 0 {
            let flag = (*cls.ob().cast::<PyTypeObject>()).tp_flags & COLLECTION_FLAGS;
            if flag != 0 {
                set_collection_flag(subclass.ob().cast(), flag)?;
            }
        }
        Ok(subclass.to_owned())
    }
}

fn abc_instancecheck(_: (), cls: Borrowed<'_>, instance: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let data = data_of(cls)?;
        let subclass = Owned::from_owned_or_err(PyObject_GetAttr(instance.ob(), intern!("__class__")))?;
        if in_weak_set((*data.as_ptr()).cache, subclass.as_ptr())? {
            return Ok(Owned::from_borrowed(Py_True()));
        }
        let subtype: *mut PyObject = instance.ob_type().cast();
        if subtype == subclass.as_ptr() {
            if (*data.as_ptr()).negative_version == INVALIDATION && in_weak_set((*data.as_ptr()).negative_cache, subclass.as_ptr())? {
                return Ok(Owned::from_borrowed(Py_False()));
            }
            return subclasscheck(cls.ob(), subclass.as_ptr());
        }
        let first = subclasscheck(cls.ob(), subclass.as_ptr())?;
        let r = PyObject_IsTrue(first.as_ptr());
        check_status(r)?;
        if r > 0 { Ok(first) } else { subclasscheck(cls.ob(), subtype) }
    }
}

unsafe fn subclasscheck(cls: *mut PyObject, subclass: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = [cls, subclass];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("__subclasscheck__"), args.as_ptr(), 2, null_mut()))
    }
}

fn abc_subclasscheck(_: (), cls: Borrowed<'_>, subclass: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(subclass.ob()) == 0 {
            bail!(PyExc_TypeError, "issubclass() arg 1 must be a class");
        }
        let data = data_of(cls)?;
        let d = data.as_ptr();
        if in_weak_set((*d).cache, subclass.ob())? {
            return Ok(true);
        }
        if (*d).negative_version < INVALIDATION {
            setref(&raw mut (*d).negative_cache, null_mut());
            (*d).negative_version = INVALIDATION;
        } else if in_weak_set((*d).negative_cache, subclass.ob())? {
            return Ok(false);
        }
        let args = [cls.ob(), subclass.ob()];
        let hook = Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("__subclasshook__"), args.as_ptr(), 2, null_mut()))?;
        if hook.as_ptr() == Py_True() {
            add_weak(&raw mut (*d).cache, subclass.ob())?;
            return Ok(true);
        }
        if hook.as_ptr() == Py_False() {
            add_weak(&raw mut (*d).negative_cache, subclass.ob())?;
            return Ok(false);
        }
        if hook.as_ptr() != Py_NotImplemented() {
            bail!(PyExc_AssertionError, "__subclasshook__ must return either False, True, or NotImplemented");
        }
        if PyType_IsSubtype(subclass.ob().cast(), cls.ob().cast()) != 0 {
            add_weak(&raw mut (*d).cache, subclass.ob())?;
            return Ok(true);
        }
        if check_registry(d, subclass.ob())? {
            return Ok(true);
        }
        let subclasses = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(cls.ob(), intern!("__subclasses__")))?;
        if PyList_Check(subclasses.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "__subclasses__() must return a list");
        }
        let mut i = 0;
        while i < PyList_Size(subclasses.as_ptr()) {
            let scls = Owned::from_borrowed(PyList_GetItem(subclasses.as_ptr(), i));
            let r = PyObject_IsSubclass(subclass.ob(), scls.as_ptr());
            check_status(r)?;
            if r > 0 {
                add_weak(&raw mut (*d).cache, subclass.ob())?;
                return Ok(true);
            }
            i += 1;
        }
        add_weak(&raw mut (*d).negative_cache, subclass.ob())?;
        Ok(false)
    }
}

/// Whether `subclass` is, or derives from, a registered class; then it is cached.
unsafe fn check_registry(d: *mut AbcData, subclass: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS] the registry is copied, as the checks may run any code.
    unsafe {
        if in_weak_set((*d).registry, subclass)? {
            add_weak(&raw mut (*d).cache, subclass)?;
            return Ok(true);
        }
        if (*d).registry.is_null() {
            return Ok(false);
        }
        let copy = Owned::from_owned_or_err(PySequence_List((*d).registry))?;
        for i in 0..PyList_Size(copy.as_ptr()) {
            let mut class = null_mut();
            if PyWeakref_GetRef(PyList_GetItem(copy.as_ptr(), i), &mut class) < 0 {
                return Err(Raised::assume());
            }
            let Some(class) = Owned::from_owned_or_opt(class) else { continue };
            let r = PyObject_IsSubclass(subclass, class.as_ptr());
            check_status(r)?;
            if r > 0 {
                add_weak(&raw mut (*d).cache, subclass)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn reset_registry(_: (), cls: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let d = data_of(cls)?;
        setref(&raw mut (*d.as_ptr()).registry, null_mut());
    }
    Ok(())
}

fn reset_caches(_: (), cls: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let d = data_of(cls)?;
        setref(&raw mut (*d.as_ptr()).cache, null_mut());
        setref(&raw mut (*d.as_ptr()).negative_cache, null_mut());
    }
    Ok(())
}

fn get_dump(_: (), cls: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] NULL makes an empty set.
    unsafe {
        let d = data_of(cls)?;
        let d = d.as_ptr();
        let version = Owned::from_owned_or_err(PyLong_FromUnsignedLongLong((*d).negative_version))?;
        let sets = [
            Owned::from_owned_or_err(PySet_New((*d).registry))?,
            Owned::from_owned_or_err(PySet_New((*d).cache))?,
            Owned::from_owned_or_err(PySet_New((*d).negative_cache))?,
        ];
        let all = [sets[0].as_ptr(), sets[1].as_ptr(), sets[2].as_ptr(), version.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(all.as_ptr(), 4))
    }
}

fn get_cache_token(_: ()) -> PyResult<u64> {
    // SAFETY: [GIL]
    Ok(unsafe { INVALIDATION })
}

methods! {
    static METHODS = [
        "get_cache_token($module, /)" => get_cache_token, "A number that changes with every registration of a virtual subclass.";
        "_abc_init($module, self, /)" => abc_init, "Prepare a class to be an abstract base class.";
        "_reset_registry($module, self, /)" => reset_registry, "Forget the registered classes.";
        "_reset_caches($module, self, /)" => reset_caches, "Forget the cached results.";
        "_get_dump($module, self, /)" => get_dump, "Registry, cache, negative cache and its version.";
        "_abc_register($module, self, subclass, /)" => abc_register, "Register a virtual subclass.";
        "_abc_instancecheck($module, self, instance, /)" => abc_instancecheck, "isinstance() for abstract base classes.";
        "_abc_subclasscheck($module, self, subclass, /)" => abc_subclasscheck, "issubclass() for abstract base classes.";
    ];
}

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe { check_status(PyType_Ready(&raw mut AbcData_Type)) }
}

module! {
    /// Entry point.
    pub fn PyInit__abc = "_abc", "Native parts of abc.", methods: METHODS, exec: exec;
}
