//! The `_weakref` module.

use taipan_abi::*;
use taipan_clinic::{Dict, methods, module, module::add_object};

unsafe fn list_of(op: *mut PyObject) -> *mut PyWeakReference {
    // SAFETY: [ARGS]
    unsafe {
        let offset = (*type_of(op)).tp_weaklistoffset;
        if offset == 0 {
            return core::ptr::null_mut();
        }
        *op.cast::<u8>().offset(offset).cast::<*mut PyWeakReference>()
    }
}

fn getweakrefcount(_: (), object: Borrowed<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS] the list is not changed meanwhile.
    unsafe {
        let (mut n, mut wr) = (0, list_of(object.ob()));
        while !wr.is_null() {
            n += (Py_REFCNT(wr.cast()) > 0) as isize;
            wr = (*wr).wr_next;
        }
        Ok(n)
    }
}

fn getweakrefs(_: (), object: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] making the list runs no Python code.
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let mut wr = list_of(object.ob());
        while !wr.is_null() {
            if Py_REFCNT(wr.cast()) > 0 {
                check_status(PyList_Append(list.as_ptr(), wr.cast()))?;
            }
            wr = (*wr).wr_next;
        }
        Ok(list)
    }
}

fn proxy(_: (), object: Borrowed<'_>, callback: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyWeakref_NewProxy(object.ob(), callback.map_or(core::ptr::null_mut(), |c| c.ob()))) }
}

fn remove_dead_weakref(_: (), dct: Dict<'_>, key: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let value = PyDict_GetItemWithError(dct.ob(), key.ob());
        if value.is_null() {
            return if err_occurred() { Err(Raised::assume()) } else { Ok(()) };
        }
        if PyWeakref_Check(value) == 0 {
            bail!(PyExc_TypeError, "not a weakref");
        }
        let target = (*value.cast::<PyWeakReference>()).wr_object;
        let dead = target == Py_None() || Py_REFCNT(target) <= 0;
        if dead && PyDict_DelItem(dct.ob(), key.ob()) < 0 {
            let e = Raised::assume();
            if !e.matches(PyExc_KeyError) {
                return Err(e);
            }
            e.clear();
        }
        Ok(())
    }
}

methods! {
    static METHODS = [
        "getweakrefcount($module, object, /)" => getweakrefcount, "How many weak references to the object there are.";
        "_remove_dead_weakref($module, dct, key, /)" => remove_dead_weakref, "Delete a key whose value is a dead weak reference.";
        "getweakrefs($module, object, /)" => getweakrefs, "The weak references to the object, as a list.";
        "proxy($module, object, callback=None, /)" => proxy, "A proxy that refers to the object weakly.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC] the types are ready.
    unsafe {
        let ty = |tp: *mut PyTypeObject| Ok(Owned::from_borrowed(tp.cast::<PyObject>()));
        add_object(module, c"ref", ty(&raw mut _PyWeakref_RefType))?;
        add_object(module, c"ReferenceType", ty(&raw mut _PyWeakref_RefType))?;
        add_object(module, c"ProxyType", ty(&raw mut _PyWeakref_ProxyType))?;
        add_object(module, c"CallableProxyType", ty(&raw mut _PyWeakref_CallableProxyType))
    }
}

module! {
    /// Entry point.
    pub fn PyInit__weakref = "_weakref", "Native parts of weakref.", methods: METHODS, exec: exec;
}
