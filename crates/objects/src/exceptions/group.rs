//! `BaseExceptionGroup` and `ExceptionGroup`, and what `except*` needs of them.

use super::*;
use core::ptr::null_mut;
use crate::tupleobject::{class_getitem, tuple_of, tuple_slice_of};
use taipan_clinic::{members, methods};

type Ob = *mut PyObject;

/// An exception group: `excs` is a tuple.
#[repr(C)]
pub struct PyBaseExceptionGroupObject {
    pub base: PyBaseExceptionObject,
    pub msg: Ob,
    pub excs: Ob,
}

type Group<'a> = Borrowed<'a, PyBaseExceptionGroupObject>;

static mut EXCEPTION_GROUP: *mut PyTypeObject = null_mut();

/// The class `ExceptionGroup`, NULL before the builtins are set up.
pub fn exception_group_type() -> *mut PyTypeObject {
    // SAFETY: [GIL]
    unsafe { EXCEPTION_GROUP }
}

/// Makes `ExceptionGroup`, which derives from BaseExceptionGroup and Exception.
pub(super) unsafe fn create_exception_group_class() -> PyResult<Ob> {
    // SAFETY: [GIL] the class lives for ever.
    unsafe {
        if EXCEPTION_GROUP.is_null() {
            let bases = tuple_of([Ok(Owned::from_borrowed(PyExc_BaseExceptionGroup)), Ok(Owned::from_borrowed(PyExc_Exception))])?;
            let name = c"builtins.ExceptionGroup".as_ptr();
            EXCEPTION_GROUP = Owned::from_owned_or_err(PyErr_NewException(name, bases.as_ptr(), null_mut()))?.into_raw().cast();
        }
        Ok(EXCEPTION_GROUP.cast())
    }
}

/// Whether `op` is an exception group.
///
/// # Safety
/// `op` is live.
#[inline]
pub unsafe fn is_exception_group(op: Ob) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut _PyExc_BaseExceptionGroup) }
}

pub(super) unsafe extern "C" fn BaseExceptionGroup_new(tp: *mut PyTypeObject, args: Ob, kwds: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { group_new(tp, args, kwds).into_c() }
}

unsafe fn group_new(tp: *mut PyTypeObject, args: Ob, kwds: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let (mut message, mut exceptions): (Ob, Ob) = (null_mut(), null_mut());
        let format = c"UO:BaseExceptionGroup.__new__".as_ptr();
        if PyArg_ParseTuple(args, format, &raw mut message, &raw mut exceptions) == 0 {
            return Err(Raised::assume());
        }
        if PySequence_Check(exceptions) == 0 {
            bail!(PyExc_TypeError, "second argument (exceptions) must be a sequence");
        }
        let exceptions = Owned::from_owned_or_err(PySequence_Tuple(exceptions))?;
        let all = tuple_slice_of(exceptions.as_ptr());
        if all.is_empty() {
            bail!(PyExc_ValueError, "second argument (exceptions) must be a non-empty sequence");
        }
        let mut nested_base_exceptions = false;
        for (i, &exc) in all.iter().enumerate() {
            if PyExceptionInstance_Check(exc) == 0 {
                bail!(PyExc_ValueError, "Item {} of second argument (exceptions) is not an exception", i);
            }
            let ordinary = PyObject_IsInstance(exc, PyExc_Exception);
            check_status(ordinary)?;
            nested_base_exceptions |= ordinary == 0;
        }
        let mut cls = tp;
        if cls == EXCEPTION_GROUP {
            if nested_base_exceptions {
                bail!(PyExc_TypeError, "Cannot nest BaseExceptions in an ExceptionGroup");
            }
        } else if cls == &raw mut _PyExc_BaseExceptionGroup {
            if !nested_base_exceptions && !EXCEPTION_GROUP.is_null() {
                cls = EXCEPTION_GROUP;
            }
        } else if nested_base_exceptions {
            let ordinary = PyObject_IsSubclass(cls.cast(), PyExc_Exception);
            check_status(ordinary)?;
            if ordinary == 1 {
                bail!(PyExc_TypeError, "Cannot nest BaseExceptions in '{}'", tp_name(cls));
            }
        }
        let group = Owned::from_owned_or_err(BaseException_new(cls, args, kwds))?;
        let g: *mut PyBaseExceptionGroupObject = group.as_ptr().cast();
        (*g).msg = Py_NewRef(message);
        (*g).excs = exceptions.into_raw();
        Ok(group)
    }
}

pub(super) unsafe extern "C" fn BaseExceptionGroup_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let g: *mut PyBaseExceptionGroupObject = op.cast();
        let n = Py_SIZE((*g).excs);
        let s = if n > 1 { c"s" } else { c"" };
        PyUnicode_FromFormat(c"%S (%zd sub-exception%s)".as_ptr(), (*g).msg, n, s.as_ptr())
    }
}

unsafe fn new_group(msg: Ob, excs: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let args = tuple_of([Ok(Owned::from_borrowed(msg)), Ok(Owned::from_borrowed(excs))])?;
        Owned::from_owned_or_err(PyObject_CallObject(PyExc_BaseExceptionGroup, args.as_ptr()))
    }
}

fn BaseExceptionGroup_derive(g: Group<'_>, excs: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { new_group(g.msg, excs.ob()) }
}

/// A group of `excs` with the metadata of `orig`; `None` if it would be empty.
unsafe fn exceptiongroup_subset(orig: Ob, excs: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        if Py_SIZE(excs.as_ptr()) == 0 {
            return Ok(None);
        }
        let eg = Owned::from_owned_or_err(PyObject_CallMethodOneArg(orig, intern!("derive"), excs.as_ptr()))?;
        if !is_exception_group(eg.as_ptr()) {
            bail!(PyExc_TypeError, "derive must return an instance of BaseExceptionGroup");
        }
        let o: *mut PyBaseExceptionObject = orig.cast();
        if !(*o).traceback.is_null() {
            check_status(PyException_SetTraceback(eg.as_ptr(), (*o).traceback))?;
        }
        PyException_SetContext(eg.as_ptr(), PyException_GetContext(orig));
        PyException_SetCause(eg.as_ptr(), PyException_GetCause(orig));
        let mut notes = null_mut();
        check_status(PyObject_GetOptionalAttr(orig, intern!("__notes__"), &mut notes))?;
        if let Some(notes) = Owned::from_owned_or_opt(notes)
            && PySequence_Check(notes.as_ptr()) != 0
        {
            // Each part gets its own list; what is no sequence is a mistake to be reported elsewhere.
            let copy = Owned::from_owned_or_err(PySequence_List(notes.as_ptr()))?;
            check_status(PyObject_SetAttr(eg.as_ptr(), intern!("__notes__"), copy.as_ptr()))?;
        }
        Ok(Some(eg))
    }
}

/// What a split selects by.
enum Matcher<'a> {
    /// An exception class or a tuple of them.
    Type(Ob),
    /// A function that says yes or no.
    Predicate(Ob),
    /// Addresses of the leaves wanted.
    Leaves(&'a std::collections::HashSet<usize>),
}

unsafe fn get_matcher<'a>(value: Ob) -> PyResult<Matcher<'a>> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCallable_Check(value) != 0 && PyType_Check(value) == 0 {
            return Ok(Matcher::Predicate(value));
        }
        let classes = |v: Ob| tuple_slice_of(v).iter().all(|&c| PyExceptionClass_Check(c) != 0);
        if PyExceptionClass_Check(value) != 0 || (PyTuple_CheckExact(value) != 0 && classes(value)) {
            return Ok(Matcher::Type(value));
        }
        bail!(
            PyExc_TypeError,
            "expected an exception type, a tuple of exception types, or a callable (other than a class)"
        )
    }
}

unsafe fn check_match(exc: Ob, matcher: &Matcher<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        match matcher {
            Matcher::Type(t) => {
                let r = PyErr_GivenExceptionMatches(exc, *t);
                check_status(r).map(|()| r != 0)
            }
            Matcher::Predicate(f) => {
                let answer = Owned::from_owned_or_err(PyObject_CallOneArg(*f, exc))?;
                let r = PyObject_IsTrue(answer.as_ptr());
                check_status(r).map(|()| r != 0)
            }
            Matcher::Leaves(ids) => Ok(!is_exception_group(exc) && ids.contains(&(exc as usize))),
        }
    }
}

/// The part of `exc` that matches and, if asked for, the rest; both keep the nesting.
unsafe fn split_recursive(exc: Ob, matcher: &Matcher<'_>, construct_rest: bool) -> PyResult<(Option<Owned>, Option<Owned>)> {
    // SAFETY: [TYPE] exc is held by its caller.
    unsafe {
        if check_match(exc, matcher)? {
            return Ok((Some(Owned::from_borrowed(exc)), None));
        }
        if !is_exception_group(exc) {
            return Ok((None, construct_rest.then(|| Owned::from_borrowed(exc))));
        }
        let matches = Owned::from_owned_or_err(PyList_New(0))?;
        let rests = Owned::from_owned_or_err(PyList_New(0))?;
        let excs = Owned::from_borrowed((*exc.cast::<PyBaseExceptionGroupObject>()).excs);
        for &e in tuple_slice_of(excs.as_ptr()) {
            let guard = RecursionGuard::enter(c" in exceptiongroup_split_recursive")?;
            let (m, r) = split_recursive(e, matcher, construct_rest)?;
            drop(guard);
            if let Some(m) = m {
                check_status(PyList_Append(matches.as_ptr(), m.as_ptr()))?;
            }
            if let Some(r) = r {
                check_status(PyList_Append(rests.as_ptr(), r.as_ptr()))?;
            }
        }
        let matched = exceptiongroup_subset(exc, &matches)?;
        let rest = if construct_rest { exceptiongroup_subset(exc, &rests)? } else { None };
        Ok((matched, rest))
    }
}

fn or_none(o: Option<Owned>) -> PyResult<Owned> {
    // SAFETY: None is immortal.
    Ok(o.unwrap_or_else(|| unsafe { Owned::from_owned(Py_None()) }))
}

fn BaseExceptionGroup_split(g: Group<'_>, matcher: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let (matched, rest) = split_recursive(g.ob(), &get_matcher(matcher.ob())?, true)?;
        tuple_of([or_none(matched), or_none(rest)])
    }
}

fn BaseExceptionGroup_subgroup(g: Group<'_>, matcher: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { or_none(split_recursive(g.ob(), &get_matcher(matcher.ob())?, false)?.0) }
}

methods! { pub(super) static GROUP_METHODS = [
    class "__class_getitem__($type, object, /)" => class_getitem, "Parametrise the type for annotations (PEP 585).";
    "derive($self, object, /)" => BaseExceptionGroup_derive, "";
    "split($self, object, /)" => BaseExceptionGroup_split, "";
    "subgroup($self, object, /)" => BaseExceptionGroup_subgroup, "";
]; }
members! { pub(super) static GROUP_MEMBERS = [
    "message", Py_T_OBJECT, offset_of!(PyBaseExceptionGroupObject, msg), Py_READONLY, "message";
    "exceptions", Py_T_OBJECT, offset_of!(PyBaseExceptionGroupObject, excs), Py_READONLY, "the exceptions";
]; }

// --- For the interpreter --------------------------------------------------------------------------------------------

/// A group with a message, of a list of exceptions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyExc_CreateExceptionGroup(msg: *const c_char, excs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        match Owned::from_owned_or_err(PyUnicode_FromString(msg)) {
            Ok(msg) => new_group(msg.as_ptr(), excs).into_c(),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn collect_leaf_ids(exc: Ob, ids: &mut std::collections::HashSet<usize>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if !is_exception_group(exc) {
            ids.insert(exc as usize);
            return Ok(());
        }
        for &e in tuple_slice_of((*exc.cast::<PyBaseExceptionGroupObject>()).excs) {
            let _guard = RecursionGuard::enter(c" in collect_exception_group_leaf_ids")?;
            collect_leaf_ids(e, ids)?;
        }
        Ok(())
    }
}

/// Whether `e` is part of what was caught, raised again, and not a new exception.
unsafe fn same_metadata(a: Ob, b: Ob) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        let (a, b): (*mut PyBaseExceptionObject, *mut PyBaseExceptionObject) = (a.cast(), b.cast());
        (*a).notes == (*b).notes && (*a).traceback == (*b).traceback && (*a).cause == (*b).cause && (*a).context == (*b).context
    }
}

unsafe fn prep_reraise_star(orig: Ob, excs: Ob) -> PyResult<Owned> {
    // SAFETY: [TYPE] orig is an exception, excs a list of exceptions and Nones.
    unsafe {
        let n = Py_SIZE(excs);
        if n == 0 {
            return or_none(None);
        }
        if !is_exception_group(orig) {
            // A single exception was wrapped: at most one clause ran.
            return Ok(Owned::from_borrowed(PyList_GET_ITEM(excs, 0)));
        }
        let raised = Owned::from_owned_or_err(PyList_New(0))?;
        let mut ids = std::collections::HashSet::new();
        for i in 0..n {
            let e = PyList_GET_ITEM(excs, i);
            if e == Py_None() {
                continue;
            }
            if same_metadata(e, orig) {
                collect_leaf_ids(e, &mut ids)?;
            } else {
                check_status(PyList_Append(raised.as_ptr(), e))?;
            }
        }
        let reraised = split_recursive(orig, &Matcher::Leaves(&ids), false)?.0;
        if Py_SIZE(raised.as_ptr()) == 0 {
            return or_none(reraised);
        }
        if let Some(eg) = reraised {
            check_status(PyList_Append(raised.as_ptr(), eg.as_ptr()))?;
        }
        if Py_SIZE(raised.as_ptr()) > 1 {
            return Owned::from_owned_or_err(_PyExc_CreateExceptionGroup(c"".as_ptr(), raised.as_ptr()));
        }
        Ok(Owned::from_borrowed(PyList_GET_ITEM(raised.as_ptr(), 0)))
    }
}

/// What an `except*` statement raises at its end: `excs` were raised by its clauses, those caught from `orig` keep their
/// nesting.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyExc_PrepReraiseStar(orig: Ob, excs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { prep_reraise_star(orig, excs).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Exc_PrepReraiseStar(orig: Ob, excs: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        let checked = || -> PyResult<Owned> {
            if orig.is_null() || PyExceptionInstance_Check(orig) == 0 {
                bail!(PyExc_TypeError, "orig must be an exception instance");
            }
            if excs.is_null() || PyList_Check(excs) == 0 {
                bail!(PyExc_TypeError, "excs must be a list of exception instances");
            }
            for i in 0..Py_SIZE(excs) {
                let e = PyList_GET_ITEM(excs, i);
                if e.is_null() || !(PyExceptionInstance_Check(e) != 0 || e == Py_None()) {
                    bail!(PyExc_TypeError, "item {} of excs is not an exception", i);
                }
            }
            if (*orig.cast::<PyBaseExceptionObject>()).traceback.is_null() {
                bail!(PyExc_ValueError, "orig must be a raised exception");
            }
            prep_reraise_star(orig, excs)
        };
        checked().into_c()
    }
}
