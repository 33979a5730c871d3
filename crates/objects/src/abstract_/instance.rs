//! `isinstance` and `issubclass`.

use super::*;

unsafe extern "C" {
    static mut _PyUnion_Type: PyTypeObject;
    fn _Py_union_args(op: *mut PyObject) -> *mut PyObject;
}

unsafe fn is_union(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut _PyUnion_Type }
}

/// `cls.__bases__` if it is a tuple: what makes any object a class in the abstract sense.
unsafe fn abstract_get_bases(cls: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut bases = null_mut();
        check_status(PyObject_GetOptionalAttr(cls, intern!("__bases__"), &mut bases))?;
        Ok(Owned::from_owned_or_opt(bases).filter(|b| PyTuple_Check(b.as_ptr()) != 0))
    }
}

unsafe fn abstract_issubclass(derived: *mut PyObject, cls: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let mut held: Option<Owned> = None;
        let mut derived = derived;
        loop {
            if derived == cls {
                return Ok(true);
            }
            let Some(bases) = abstract_get_bases(derived)? else { return Ok(false) };
            let n = PyTuple_GET_SIZE(bases.as_ptr());
            match n {
                0 => return Ok(false),
                // No recursion along single inheritance.
                1 => {
                    derived = PyTuple_GET_ITEM(bases.as_ptr(), 0);
                    drop(held.replace(bases));
                }
                _ => {
                    let _guard = RecursionGuard::enter(c" in __issubclass__")?;
                    for i in 0..n {
                        if abstract_issubclass(PyTuple_GET_ITEM(bases.as_ptr(), i), cls)? {
                            return Ok(true);
                        }
                    }
                    return Ok(false);
                }
            }
        }
    }
}

unsafe fn check_class(cls: *mut PyObject, error: &str) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if abstract_get_bases(cls)?.is_none() {
            bail!(PyExc_TypeError, "{}", error);
        }
        Ok(())
    }
}

unsafe fn object_isinstance(inst: *mut PyObject, cls: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let mut icls = null_mut();
        if PyType_Check(cls) != 0 {
            if is_instance_of(inst, cls.cast()) {
                return Ok(true);
            }
            // A proxy may claim another class.
            check_status(PyObject_GetOptionalAttr(inst, intern!("__class__"), &mut icls))?;
            let Some(icls) = Owned::from_owned_or_opt(icls) else { return Ok(false) };
            return Ok(icls.as_ptr() != (*inst).ob_type.cast()
                && PyType_Check(icls.as_ptr()) != 0
                && PyType_IsSubtype(icls.as_ptr().cast(), cls.cast()) != 0);
        }
        check_class(cls, "isinstance() arg 2 must be a type, a tuple of types, or a union")?;
        check_status(PyObject_GetOptionalAttr(inst, intern!("__class__"), &mut icls))?;
        match Owned::from_owned_or_opt(icls) {
            Some(icls) => abstract_issubclass(icls.as_ptr(), cls),
            None => Ok(false),
        }
    }
}

/// Asks the class's own hook, as `__instancecheck__` and `__subclasscheck__` share it; `None` if it has none.
unsafe fn ask(
    cls: *mut PyObject,
    hook: *mut PyObject,
    arg: *mut PyObject,
    context: &'static core::ffi::CStr,
) -> PyResult<Option<bool>> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(checker) = Owned::from_owned_or_opt(_PyObject_LookupSpecial(cls, hook)) else {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(None) };
        };
        let guard = RecursionGuard::enter(context)?;
        let res = PyObject_CallOneArg(checker.as_ptr(), arg);
        drop(guard);
        let res = Owned::from_owned_or_err(res)?;
        let ok = PyObject_IsTrue(res.as_ptr());
        check_status(ok)?;
        Ok(Some(ok != 0))
    }
}

unsafe fn recursive_isinstance(inst: *mut PyObject, cls: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let mut cls = cls;
        if (*inst).ob_type == cls.cast() {
            return Ok(true);
        }
        if PyType_CheckExact(cls) != 0 {
            return object_isinstance(inst, cls);
        }
        if is_union(cls) {
            cls = _Py_union_args(cls);
        }
        if PyTuple_Check(cls) != 0 {
            let _guard = RecursionGuard::enter(c" in __instancecheck__")?;
            for i in 0..PyTuple_GET_SIZE(cls) {
                if recursive_isinstance(inst, PyTuple_GET_ITEM(cls, i))? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        match ask(cls, intern!("__instancecheck__"), inst, c" in __instancecheck__")? {
            Some(answer) => Ok(answer),
            None => object_isinstance(inst, cls),
        }
    }
}

unsafe fn recursive_issubclass(derived: *mut PyObject, cls: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if PyType_Check(cls) != 0 && PyType_Check(derived) != 0 {
            return Ok(PyType_IsSubtype(derived.cast(), cls.cast()) != 0);
        }
        check_class(derived, "issubclass() arg 1 must be a class")?;
        if !is_union(cls) {
            check_class(cls, "issubclass() arg 2 must be a class, a tuple of classes, or a union")?;
        }
        abstract_issubclass(derived, cls)
    }
}

unsafe fn object_issubclass(derived: *mut PyObject, cls: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let mut cls = cls;
        if PyType_CheckExact(cls) != 0 {
            return if derived == cls { Ok(true) } else { recursive_issubclass(derived, cls) };
        }
        if is_union(cls) {
            cls = _Py_union_args(cls);
        }
        if PyTuple_Check(cls) != 0 {
            let _guard = RecursionGuard::enter(c" in __subclasscheck__")?;
            for i in 0..PyTuple_GET_SIZE(cls) {
                if object_issubclass(derived, PyTuple_GET_ITEM(cls, i))? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        match ask(cls, intern!("__subclasscheck__"), derived, c" in __subclasscheck__")? {
            Some(answer) => Ok(answer),
            None => recursive_issubclass(derived, cls),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_IsInstance(inst: *mut PyObject, cls: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { recursive_isinstance(inst, cls).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_IsSubclass(derived: *mut PyObject, cls: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { object_issubclass(derived, cls).into_c() }
}

/// `type.__instancecheck__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_RealIsInstance(inst: *mut PyObject, cls: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { object_isinstance(inst, cls).into_c() }
}

/// `type.__subclasscheck__`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_RealIsSubclass(derived: *mut PyObject, cls: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { recursive_issubclass(derived, cls).into_c() }
}
