//! The `_functools` module: partial, reduce, cmp_to_key and the LRU cache.

use crate::instance;
use crate::support::{iter, new, next, tuple};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

// ---- partial -----------------------------------------------------------------------------------------------------------

instance! { struct Partial { func, args, kw, dict, weakreflist; vectorcall: Option<vectorcallfunc> } }

unsafe extern "C" fn partial_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] weak references go first; the list word is not an owned object.
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let p = slf.cast::<Partial>();
        if !(*p).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
            (*p).weakreflist = null_mut();
        }
        let tp = type_of(slf);
        partial_clear(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}
unsafe extern "C" fn partial_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Partial>();
        setref(&raw mut (*p).func, null_mut());
        setref(&raw mut (*p).args, null_mut());
        setref(&raw mut (*p).kw, null_mut());
        setref(&raw mut (*p).dict, null_mut());
    }
    0
}
unsafe extern "C" fn partial_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Partial>();
        py_visit!(visit, arg; (*p).func, (*p).args, (*p).kw, (*p).dict);
    }
    0
}

unsafe extern "C" fn partial_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let make = || -> PyResult<Owned> {
            let n = PyTuple_GET_SIZE(args);
            if n < 1 {
                bail!(PyExc_TypeError, "type 'partial' takes at least one argument");
            }
            let mut func = PyTuple_GET_ITEM(args, 0);
            if PyCallable_Check(func) == 0 {
                bail!(PyExc_TypeError, "the first argument must be callable");
            }
            // A partial of a plain partial is flattened.
            let mut inner = None;
            if type_of(func) == &raw mut PARTIAL && tp == &raw mut PARTIAL && (*func.cast::<Partial>()).dict.is_null() {
                let p = func.cast::<Partial>();
                inner = Some((Owned::from_borrowed((*p).args), Owned::from_borrowed((*p).kw)));
                func = (*p).func;
            }
            let func = Owned::from_borrowed(func);
            let rest = Owned::from_owned_or_err(PyTuple_GetSlice(args, 1, n))?;
            let (all, keywords) = match inner {
                None => (rest, if kw.is_null() { Owned::from_owned_or_err(PyDict_New())? } else { Owned::from_owned_or_err(PyDict_Copy(kw))? }),
                Some((a, k)) => {
                    let all = Owned::from_owned_or_err(PySequence_Concat(a.as_ptr(), rest.as_ptr()))?;
                    let d = Owned::from_owned_or_err(PyDict_Copy(k.as_ptr()))?;
                    if !kw.is_null() {
                        check_status(PyDict_Update(d.as_ptr(), kw))?;
                    }
                    (all, d)
                }
            };
            let p = new::<Partial>(Borrowed::from_ptr(tp))?;
            (*p.as_ptr()).func = func.into_raw();
            (*p.as_ptr()).args = all.into_raw();
            (*p.as_ptr()).kw = keywords.into_raw();
            (*p.as_ptr()).vectorcall = Some(partial_vectorcall);
            Ok(p.into_object())
        };
        make().into_c()
    }
}

unsafe extern "C" fn partial_vectorcall(slf: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let p = &*slf.cast::<Partial>();
        let nargs = PyVectorcall_NARGS(nargsf) as usize;
        let npre = PyTuple_GET_SIZE(p.args) as usize;
        let nkw = if kwnames.is_null() { 0 } else { PyTuple_GET_SIZE(kwnames) as usize };
        if PyDict_Size(p.kw) == 0 {
            if npre == 0 {
                return PyObject_Vectorcall(p.func, args, nargsf, kwnames);
            }
            let mut small = [null_mut(); 8];
            let total = npre + nargs + nkw;
            let mut large;
            let stack: &mut [*mut PyObject] = if total <= small.len() {
                &mut small[..total]
            } else {
                large = vec![null_mut(); total];
                &mut large
            };
            for (i, slot) in stack.iter_mut().enumerate().take(npre) {
                *slot = PyTuple_GET_ITEM(p.args, i as Py_ssize_t);
            }
            if nargs + nkw > 0 {
                core::ptr::copy_nonoverlapping(args, stack[npre..].as_mut_ptr(), nargs + nkw);
            }
            return PyObject_Vectorcall(p.func, stack.as_ptr(), npre + nargs, kwnames);
        }
        let call = || -> PyResult<Owned> {
            let kw = Owned::from_owned_or_err(PyDict_Copy(p.kw))?;
            for i in 0..nkw {
                check_status(PyDict_SetItem(kw.as_ptr(), PyTuple_GET_ITEM(kwnames, i as Py_ssize_t), *args.add(nargs + i)))?;
            }
            let mut all: Vec<Owned> = (0..npre).map(|i| Owned::from_borrowed(PyTuple_GET_ITEM(p.args, i as Py_ssize_t))).collect();
            all.extend((0..nargs).map(|i| Owned::from_borrowed(*args.add(i))));
            let all = tuple(all)?;
            Owned::from_owned_or_err(PyObject_Call(p.func, all.as_ptr(), kw.as_ptr()))
        };
        call().into_c()
    }
}

unsafe extern "C" fn partial_call(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let call = || -> PyResult<Owned> {
            let p = &*slf.cast::<Partial>();
            let func = Owned::from_borrowed(p.func);
            let all = Owned::from_owned_or_err(PySequence_Concat(p.args, args))?;
            let keywords = Owned::from_owned_or_err(PyDict_Copy(p.kw))?;
            if !kw.is_null() {
                check_status(PyDict_Update(keywords.as_ptr(), kw))?;
            }
            Owned::from_owned_or_err(PyObject_Call(func.as_ptr(), all.as_ptr(), keywords.as_ptr()))
        };
        call().into_c()
    }
}

unsafe extern "C" fn partial_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let status = Py_ReprEnter(slf);
        if status != 0 {
            return if status < 0 { null_mut() } else { PyUnicode_FromString(c"...".as_ptr()) };
        }
        let make = || -> PyResult<Owned> {
            let p = &*slf.cast::<Partial>();
            let (func, args, kw) = (Owned::from_borrowed(p.func), Owned::from_borrowed(p.args), Owned::from_borrowed(p.kw));
            let tp: *mut PyObject = type_of(slf).cast();
            let module = Owned::from_owned_or_err(PyObject_GetAttrString(tp, c"__module__".as_ptr()))?;
            let name = Owned::from_owned_or_err(PyObject_GetAttrString(tp, c"__qualname__".as_ptr()))?;
            let mut text = Owned::from_owned_or_err(PyUnicode_FromFormat(c"%S.%S(%R".as_ptr(), module.as_ptr(), name.as_ptr(), func.as_ptr()))?;
            for i in 0..PyTuple_GET_SIZE(args.as_ptr()) {
                text = Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U, %R".as_ptr(), text.as_ptr(), PyTuple_GET_ITEM(args.as_ptr(), i)))?;
            }
            let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
            while PyDict_Next(kw.as_ptr(), &mut pos, &mut k, &mut v) != 0 {
                // repr of the value may change the dict.
                let (k, v) = (Owned::from_borrowed(k), Owned::from_borrowed(v));
                text = Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U, %S=%R".as_ptr(), text.as_ptr(), k.as_ptr(), v.as_ptr()))?;
            }
            Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U)".as_ptr(), text.as_ptr()))
        };
        let r = make().into_c();
        Py_ReprLeave(slf);
        r
    }
}

unsafe extern "C" fn partial_descr_get(slf: *mut PyObject, obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] as 3.13 does: a partial is not bound, but warns that it will be.
    unsafe {
        if obj == Py_None() || obj.is_null() {
            return Owned::from_borrowed(slf).into_raw();
        }
        if PyErr_WarnEx(
            PyExc_FutureWarning,
            c"functools.partial will be a method descriptor in future Python versions; wrap it in staticmethod() if you want to preserve the old behavior".as_ptr(),
            1,
        ) < 0
        {
            return null_mut();
        }
        Owned::from_borrowed(slf).into_raw()
    }
}

fn partial_reduce(slf: Borrowed<'_, Partial>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let func = Owned::from_borrowed(slf.func);
        let dict = if slf.dict.is_null() { Py_None() } else { slf.dict };
        let state = tuple(vec![func.clone(), Owned::from_borrowed(slf.args), Owned::from_borrowed(slf.kw), Owned::from_borrowed(dict)])?;
        tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), tuple(vec![func])?, state])
    }
}

fn partial_setstate(slf: Borrowed<'_, Partial>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let bad = PyTuple_Check(state.ob()) == 0 || PyTuple_GET_SIZE(state.ob()) != 4;
        let item = |i| PyTuple_GET_ITEM(state.ob(), i);
        if bad || PyCallable_Check(item(0)) == 0 || PyTuple_Check(item(1)) == 0 || (item(2) != Py_None() && PyDict_Check(item(2)) == 0) {
            bail!(PyExc_TypeError, "invalid partial state");
        }
        let args = if PyTuple_CheckExact(item(1)) != 0 { Owned::from_borrowed(item(1)) } else { Owned::from_owned_or_err(PySequence_Tuple(item(1)))? };
        let kw = if item(2) == Py_None() {
            Owned::from_owned_or_err(PyDict_New())?
        } else if PyDict_CheckExact(item(2)) != 0 {
            Owned::from_borrowed(item(2))
        } else {
            Owned::from_owned_or_err(PyDict_Copy(item(2)))?
        };
        let dict = if item(3) == Py_None() { null_mut() } else { Owned::from_borrowed(item(3)).into_raw() };
        let p = slf.as_ptr();
        setref(&raw mut (*p).func, Owned::from_borrowed(item(0)).into_raw());
        setref(&raw mut (*p).args, args.into_raw());
        setref(&raw mut (*p).kw, kw.into_raw());
        setref(&raw mut (*p).dict, dict);
        Ok(())
    }
}

fn generic_alias(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(tp.ob(), item.ob())) }
}

methods! {
    static PARTIAL_METHODS = [
        "__reduce__($self, /)" => partial_reduce, "Help pickle.";
        "__setstate__($self, state, /)" => partial_setstate, "Help pickle.";
        class "__class_getitem__($type, object, /)" => generic_alias, "See PEP 585.";
    ];
}
members! {
    static PARTIAL_MEMBERS = [
        "func", Py_T_OBJECT_EX, core::mem::offset_of!(Partial, func), Py_READONLY, "The function to call.";
        "args", Py_T_OBJECT_EX, core::mem::offset_of!(Partial, args), Py_READONLY, "Arguments that come first.";
        "keywords", Py_T_OBJECT_EX, core::mem::offset_of!(Partial, kw), Py_READONLY, "Keyword arguments given already.";
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Partial, weakreflist), Py_READONLY, "";
        "__dictoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Partial, dict), Py_READONLY, "";
    ];
}
static mut PARTIAL_GETSET: [PyGetSetDef; 2] = [
    PyGetSetDef { name: c"__dict__".as_ptr(), get: Some(PyObject_GenericGetDict), set: Some(PyObject_GenericSetDict), doc: core::ptr::null(), closure: null_mut() },
    PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() },
];

static mut PARTIAL: PyTypeObject = PyTypeObject {
    tp_name: c"functools.partial".as_ptr(),
    tp_basicsize: size_of::<Partial>() as Py_ssize_t,
    tp_dealloc: Some(partial_dealloc),
    tp_vectorcall_offset: core::mem::offset_of!(Partial, vectorcall) as Py_ssize_t,
    tp_repr: Some(partial_repr),
    tp_call: Some(partial_call),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_setattro: Some(PyObject_GenericSetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    tp_doc: c"partial(func, /, *args, **keywords)\n--\n\nCreate a new function with some arguments given already.".as_ptr(),
    tp_traverse: Some(partial_traverse),
    tp_clear: Some(partial_clear),
    tp_weaklistoffset: core::mem::offset_of!(Partial, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut PARTIAL_METHODS).cast(),
    tp_members: (&raw mut PARTIAL_MEMBERS).cast(),
    tp_getset: (&raw mut PARTIAL_GETSET).cast(),
    tp_descr_get: Some(partial_descr_get),
    tp_dictoffset: core::mem::offset_of!(Partial, dict) as Py_ssize_t,
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(partial_new),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- cmp_to_key --------------------------------------------------------------------------------------------------------------

instance! { struct KeyObject { cmp, object; } }

unsafe extern "C" fn key_call(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    const SIG: taipan_clinic::Signature<1> = taipan_clinic::Signature::parse("K(obj)");
    // SAFETY: [ARGS]
    unsafe {
        let make = taipan_clinic::invoke::with_tuple_dict(&SIG.erase(), args, kw, |call| {
            let k = new::<KeyObject>(Borrowed::from_ptr(&raw mut KEY))?;
            (*k.as_ptr()).cmp = Owned::from_borrowed((*slf.cast::<KeyObject>()).cmp).into_raw();
            (*k.as_ptr()).object = Owned::from_borrowed(call.slots[0]).into_raw();
            Ok(k)
        });
        make.into_c()
    }
}

unsafe extern "C" fn key_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let compare = || -> PyResult<Owned> {
            if type_of(b) != type_of(a) {
                bail!(PyExc_TypeError, "other argument must be K instance");
            }
            let (x, y) = ((*a.cast::<KeyObject>()).object, (*b.cast::<KeyObject>()).object);
            if x.is_null() || y.is_null() {
                bail!(PyExc_AttributeError, "object");
            }
            let args = [x, y];
            let r = Owned::from_owned_or_err(PyObject_Vectorcall((*a.cast::<KeyObject>()).cmp, args.as_ptr(), 2, null_mut()))?;
            let zero = crate::support::int(0)?;
            Owned::from_owned_or_err(PyObject_RichCompare(r.as_ptr(), zero.as_ptr(), op))
        };
        compare().into_c()
    }
}

members! {
    static KEY_MEMBERS = [
        "obj", _Py_T_OBJECT, core::mem::offset_of!(KeyObject, object), 0, "The object that this key wraps.";
    ];
}
fn key_signature(_: Borrowed<'_>) -> PyResult<&'static str> {
    Ok("(obj)")
}
getset! { static KEY_GETSET = [ "__text_signature__" => key_signature, ""; ]; }
static mut KEY: PyTypeObject = PyTypeObject {
    tp_name: c"functools.KeyWrapper".as_ptr(),
    tp_basicsize: size_of::<KeyObject>() as Py_ssize_t,
    tp_dealloc: Some(KeyObject::dealloc),
    tp_call: Some(key_call),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(KeyObject::traverse),
    tp_clear: Some(KeyObject::clear),
    tp_richcompare: Some(key_richcompare),
    tp_members: (&raw mut KEY_MEMBERS).cast(),
    tp_getset: (&raw mut KEY_GETSET).cast(),
    tp_hash: Some(PyObject_HashNotImplemented),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

fn cmp_to_key(_: (), mycmp: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let k = new::<KeyObject>(Borrowed::from_ptr(&raw mut KEY))?;
        (*k.as_ptr()).cmp = mycmp.to_owned().into_raw();
        Ok(k.into_object())
    }
}

fn reduce(_: (), function: Borrowed<'_>, iterable: Borrowed<'_>, initial: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let it = match iter(iterable) {
            Ok(it) => it,
            Err(e) if e.matches(PyExc_TypeError) => {
                e.clear();
                bail!(PyExc_TypeError, "reduce() arg 2 must support iteration");
            }
            Err(e) => return Err(e),
        };
        let mut result = initial.map(|i| i.to_owned());
        while let Some(item) = next(it.as_ptr())? {
            result = Some(match result {
                None => item,
                Some(r) => {
                    let args = [r.as_ptr(), item.as_ptr()];
                    Owned::from_owned_or_err(PyObject_Vectorcall(function.ob(), args.as_ptr(), 2, null_mut()))?
                }
            });
        }
        match result {
            Some(r) => Ok(r),
            None => bail!(PyExc_TypeError, "reduce() of empty iterable with no initial value"),
        }
    }
}

// ---- lru_cache ------------------------------------------------------------------------------------------------------------------

/// A cached result, in a ring ordered by use. The cache's dict owns it; `prev` and `next` are not counted.
#[repr(C)]
struct Link {
    ob_base: PyObject,
    prev: *mut Link,
    next: *mut Link,
    hash: Py_hash_t,
    key: *mut PyObject,
    result: *mut PyObject,
}

#[repr(C)]
struct LruCache {
    /// The ring's anchor: `prev` is the most recently used link, `next` the least. Its own object part is the cache's.
    root: Link,
    func: *mut PyObject,
    cache: *mut PyObject,
    cache_info_type: *mut PyObject,
    dict: *mut PyObject,
    weakreflist: *mut PyObject,
    /// -1: unbounded.
    maxsize: isize,
    hits: isize,
    misses: isize,
    typed: bool,
}

unsafe extern "C" fn link_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let l = slf.cast::<Link>();
        Py_XDECREF((*l).key);
        Py_XDECREF((*l).result);
        PyObject_GC_Del(slf.cast());
    }
}
unsafe extern "C" fn link_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let l = slf.cast::<Link>();
        py_visit!(visit, arg; (*l).key, (*l).result);
    }
    0
}
static mut LINK: PyTypeObject = PyTypeObject {
    tp_name: c"functools._lru_list_elem".as_ptr(),
    tp_basicsize: size_of::<Link>() as Py_ssize_t,
    tp_dealloc: Some(link_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(link_traverse),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

unsafe fn unlink(l: *mut Link) {
    // SAFETY: the link is in a ring.
    unsafe {
        (*(*l).prev).next = (*l).next;
        (*(*l).next).prev = (*l).prev;
    }
}
unsafe fn link_last(root: *mut Link, l: *mut Link) {
    // SAFETY: the anchor is in a ring.
    unsafe {
        let last = (*root).prev;
        (*last).next = l;
        (*root).prev = l;
        (*l).prev = last;
        (*l).next = root;
    }
}

/// What marks the keyword arguments in a key.
static mut KWD_MARK: *mut PyObject = null_mut();

/// A key for the arguments; a single int or str is its own.
unsafe fn make_key(args: *mut PyObject, kw: *mut PyObject, typed: bool) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        let nkw = if kw.is_null() { 0 } else { PyDict_Size(kw) };
        if nkw == 0 && !typed {
            if n == 1 {
                let only = PyTuple_GET_ITEM(args, 0);
                if PyUnicode_CheckExact(only) != 0 || PyLong_CheckExact(only) != 0 {
                    return Ok(Owned::from_borrowed(only));
                }
            }
            return Ok(Owned::from_borrowed(args));
        }
        let mut key: Vec<Owned> = (0..n).map(|i| Owned::from_borrowed(PyTuple_GET_ITEM(args, i))).collect();
        let mut values = Vec::new();
        if nkw > 0 {
            key.push(Owned::from_borrowed(KWD_MARK));
            let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
            while PyDict_Next(kw, &mut pos, &mut k, &mut v) != 0 {
                key.push(Owned::from_borrowed(k));
                key.push(Owned::from_borrowed(v));
                values.push(v);
            }
        }
        if typed {
            for i in 0..n {
                key.push(Owned::from_borrowed(type_of(PyTuple_GET_ITEM(args, i)).cast()));
            }
            for v in values {
                key.push(Owned::from_borrowed(type_of(v).cast()));
            }
        }
        tuple(key)
    }
}

unsafe fn cached_call(slf: *mut LruCache, args: *mut PyObject, kw: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] the cache is held by its caller.
    unsafe {
        let c = &mut *slf;
        if c.maxsize == 0 {
            c.misses += 1;
            return Owned::from_owned_or_err(PyObject_Call(c.func, args, kw));
        }
        let key = make_key(args, kw, c.typed)?;
        let hash = PyObject_Hash(key.as_ptr());
        if hash == -1 {
            return Err(Raised::assume());
        }
        let found = _PyDict_GetItem_KnownHash(c.cache, key.as_ptr(), hash);
        if c.maxsize < 0 {
            if !found.is_null() {
                c.hits += 1;
                return Ok(Owned::from_borrowed(found));
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
            c.misses += 1;
            let result = Owned::from_owned_or_err(PyObject_Call(c.func, args, kw))?;
            check_status(_PyDict_SetItem_KnownHash((*slf).cache, key.as_ptr(), result.as_ptr(), hash))?;
            return Ok(result);
        }
        let root = &raw mut (*slf).root;
        if !found.is_null() {
            let l = found.cast::<Link>();
            unlink(l);
            link_last(root, l);
            c.hits += 1;
            return Ok(Owned::from_borrowed((*l).result));
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        c.misses += 1;
        let result = Owned::from_owned_or_err(PyObject_Call(c.func, args, kw))?;
        // The call may have stored this very key.
        let again = _PyDict_GetItem_KnownHash((*slf).cache, key.as_ptr(), hash);
        if !again.is_null() {
            return Ok(result);
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        // The least recently used link leaves. It dies last: destructors may come back here.
        let mut evicted = None;
        if PyDict_Size((*slf).cache) >= (*slf).maxsize && (*root).next != root {
            let oldest = (*root).next;
            unlink(oldest);
            let mut popped = null_mut();
            if _PyDict_Pop_KnownHash((*slf).cache.cast(), (*oldest).key, (*oldest).hash, &mut popped) < 0 {
                // Comparing keys raised: the link stays cached.
                link_last(root, oldest);
                return Err(Raised::assume());
            }
            // NULL if somebody removed it meanwhile.
            evicted = Owned::from_owned_or_opt(popped);
        }
        let l = new::<Link>(Borrowed::from_ptr(&raw mut LINK))?;
        (*l.as_ptr()).hash = hash;
        (*l.as_ptr()).key = key.clone().into_raw();
        (*l.as_ptr()).result = result.clone().into_raw();
        check_status(_PyDict_SetItem_KnownHash((*slf).cache, key.as_ptr(), l.as_ptr().cast(), hash))?;
        link_last(root, l.as_ptr());
        drop(evicted);
        Ok(result)
    }
}

unsafe extern "C" {
    fn _PyDict_Pop_KnownHash(dict: *mut PyDictObject, key: *mut PyObject, hash: Py_hash_t, result: *mut *mut PyObject) -> c_int;
}

unsafe extern "C" fn lru_call(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { cached_call(slf.cast(), args, kw).into_c() }
}

/// Empties the ring; the dict still owns the links.
unsafe fn drop_ring(c: *mut LruCache) {
    // SAFETY: [TYPE]
    unsafe {
        let root = &raw mut (*c).root;
        (*root).prev = root;
        (*root).next = root;
    }
}

fn lru_new(tp: Borrowed<'_, PyTypeObject>, user_function: Borrowed<'_>, maxsize: Borrowed<'_>, typed: Borrowed<'_>, cache_info_type: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] [OWN]
    unsafe {
        if PyCallable_Check(user_function.ob()) == 0 {
            bail!(PyExc_TypeError, "the first argument must be callable");
        }
        let max = if maxsize.is_none() {
            -1
        } else if PyIndex_Check(maxsize.ob()) != 0 {
            let n = PyNumber_AsSsize_t(maxsize.ob(), PyExc_OverflowError);
            if n == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            n.max(0)
        } else {
            bail!(PyExc_TypeError, "maxsize should be integer or None");
        };
        let typed = crate::support::truth(typed.ob())?;
        let cache = Owned::from_owned_or_err(PyDict_New())?;
        let c = new::<LruCache>(tp)?;
        let p = c.as_ptr();
        drop_ring(p);
        (*p).func = user_function.to_owned().into_raw();
        (*p).cache = cache.into_raw();
        (*p).cache_info_type = cache_info_type.to_owned().into_raw();
        (*p).maxsize = max;
        (*p).typed = typed;
        Ok(c.into_object())
    }
}

unsafe extern "C" fn lru_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let c = slf.cast::<LruCache>();
        drop_ring(c);
        setref(&raw mut (*c).func, null_mut());
        setref(&raw mut (*c).cache, null_mut());
        setref(&raw mut (*c).cache_info_type, null_mut());
        setref(&raw mut (*c).dict, null_mut());
    }
    0
}
unsafe extern "C" fn lru_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let c = slf.cast::<LruCache>();
        if !(*c).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        let tp = type_of(slf);
        lru_clear(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}
unsafe extern "C" fn lru_traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let c = slf.cast::<LruCache>();
        py_visit!(visit, arg; (*c).func, (*c).cache, (*c).cache_info_type, (*c).dict);
    }
    0
}
unsafe extern "C" fn lru_descr_get(slf: *mut PyObject, obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if obj.is_null() || obj == Py_None() {
            return Owned::from_borrowed(slf).into_raw();
        }
        PyMethod_New(slf, obj)
    }
}

fn cache_info(slf: Borrowed<'_, LruCache>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let maxsize = if slf.maxsize < 0 { Owned::from_borrowed(Py_None()) } else { crate::support::int(slf.maxsize)? };
        let all = [
            crate::support::int(slf.hits)?,
            crate::support::int(slf.misses)?,
            maxsize,
            crate::support::int(PyDict_Size(slf.cache))?,
        ];
        let raw: Vec<*mut PyObject> = all.iter().map(|o| o.as_ptr()).collect();
        Owned::from_owned_or_err(PyObject_Vectorcall(slf.cache_info_type, raw.as_ptr(), 4, null_mut()))
    }
}
fn cache_clear(slf: Borrowed<'_, LruCache>) -> PyResult<()> {
    // SAFETY: [TYPE] the ring is emptied before destructors run.
    unsafe {
        let c = slf.as_ptr();
        (*c).hits = 0;
        (*c).misses = 0;
        drop_ring(c);
        PyDict_Clear((*c).cache);
    }
    Ok(())
}
fn lru_reduce(slf: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyObject_GetAttrString(slf.ob(), c"__qualname__".as_ptr())) }
}
fn lru_copy(slf: Borrowed<'_>) -> PyResult<Owned> {
    Ok(slf.to_owned())
}
fn lru_deepcopy(slf: Borrowed<'_>, _memo: Borrowed<'_>) -> PyResult<Owned> {
    Ok(slf.to_owned())
}

methods! {
    static LRU_METHODS = [
        "cache_info($self, /)" => cache_info, "Figures of the cache.";
        "cache_clear($self, /)" => cache_clear, "Empty the cache and its figures.";
        "__reduce__($self, /)" => lru_reduce, "Help pickle.";
        "__copy__($self, /)" => lru_copy, "The cache itself.";
        "__deepcopy__($self, memo, /)" => lru_deepcopy, "The cache itself.";
    ];
}
members! {
    static LRU_MEMBERS = [
        "__dictoffset__", Py_T_PYSSIZET, core::mem::offset_of!(LruCache, dict), Py_READONLY, "";
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(LruCache, weakreflist), Py_READONLY, "";
    ];
}
static mut LRU: PyTypeObject = PyTypeObject {
    tp_name: c"functools._lru_cache_wrapper".as_ptr(),
    tp_basicsize: size_of::<LruCache>() as Py_ssize_t,
    tp_dealloc: Some(lru_dealloc),
    tp_call: Some(lru_call),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_METHOD_DESCRIPTOR,
    tp_doc: c"A callable that remembers the results of a function.".as_ptr(),
    tp_traverse: Some(lru_traverse),
    tp_clear: Some(lru_clear),
    tp_weaklistoffset: core::mem::offset_of!(LruCache, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut LRU_METHODS).cast(),
    tp_members: (&raw mut LRU_MEMBERS).cast(),
    tp_getset: (&raw mut PARTIAL_GETSET).cast(),
    tp_descr_get: Some(lru_descr_get),
    tp_dictoffset: core::mem::offset_of!(LruCache, dict) as Py_ssize_t,
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(taipan_clinic::constructor!("lru_cache(user_function, maxsize, typed, cache_info_type)" => lru_new)),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

methods! {
    static METHODS = [
        nosig "reduce($module, function, iterable, initial=<unrepresentable>, /)" => reduce, "Combine the items with a function of two arguments, from left to right.";
        "cmp_to_key($module, /, mycmp)" => cmp_to_key, "Make a key function of a comparison function.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        check_status(PyType_Ready(&raw mut KEY))?;
        check_status(PyType_Ready(&raw mut LINK))?;
        if KWD_MARK.is_null() {
            KWD_MARK = Owned::from_owned_or_err(PyObject_CallNoArgs((&raw mut PyBaseObject_Type).cast()))?.into_raw();
        }
        taipan_clinic::module::add_type(module, &raw mut PARTIAL)?;
        taipan_clinic::module::add_type(module, &raw mut LRU)
    }
}

module! {
    /// Entry point.
    pub fn PyInit__functools = "_functools", "Native parts of functools.", methods: METHODS, exec: exec;
}
