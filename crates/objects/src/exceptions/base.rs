//! `BaseException`, `MemoryError`, and the `PyException_*` functions.

use super::*;
use crate::freelist::{FreeList, gc_track, gc_untrack, type_free};
use crate::tupleobject::{empty_tuple, tuple_of};
use core::ffi::c_void;
use core::ptr::null_mut;
use taipan_clinic::{getset, members, methods};

type Ob = *mut PyObject;
type Exc<'a> = Borrowed<'a, PyBaseExceptionObject>;

pub(crate) unsafe extern "C" fn BaseException_new(tp: *mut PyTypeObject, args: Ob, _: Ob) -> Ob {
    // SAFETY: [ARGS] tp_alloc zeroes the object.
    unsafe {
        let Some(alloc) = (*tp).tp_alloc else { return null_mut() };
        let op = alloc(tp, 0);
        if !op.is_null() {
            (*op.cast::<PyBaseExceptionObject>()).args = if args.is_null() { empty_tuple() } else { Py_NewRef(args) };
        }
        op
    }
}

pub(crate) unsafe extern "C" fn BaseException_init(op: Ob, args: Ob, kwds: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !kwds.is_null() && _PyArg_NoKeywords((*(*op).ob_type).tp_name, kwds) == 0 {
            return -1;
        }
        setref(&raw mut (*op.cast::<PyBaseExceptionObject>()).args, Py_NewRef(args));
        0
    }
}

/// Makes an instance of a type that has this `__new__` and `__init__`, without a tuple or dict of arguments in between.
pub(crate) unsafe extern "C" fn BaseException_vectorcall(tp: Ob, args: *const Ob, nargsf: usize, kwnames: Ob) -> Ob {
    // SAFETY: [ARGS] only the exact static type is called this way.
    unsafe {
        let tp: *mut PyTypeObject = tp.cast();
        if !kwnames.is_null() && Py_SIZE(kwnames) > 0 {
            return crate::freelist::null(raise!(PyExc_TypeError, "{}() takes no keyword arguments", tp_name(tp)));
        }
        let Some(alloc) = (*tp).tp_alloc else { return null_mut() };
        let op = alloc(tp, 0);
        if op.is_null() {
            return null_mut();
        }
        let args = crate::tupleobject::tuple_from_array(args, PyVectorcall_NARGS(nargsf as _));
        if args.is_null() {
            Py_DECREF(op);
            return null_mut();
        }
        (*op.cast::<PyBaseExceptionObject>()).args = args;
        op
    }
}

pub(crate) unsafe extern "C" fn BaseException_clear(op: Ob) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let e: *mut PyBaseExceptionObject = op.cast();
        setref(&raw mut (*e).dict, null_mut());
        setref(&raw mut (*e).args, null_mut());
        setref(&raw mut (*e).notes, null_mut());
        setref(&raw mut (*e).traceback, null_mut());
        setref(&raw mut (*e).cause, null_mut());
        setref(&raw mut (*e).context, null_mut());
        0
    }
}

pub(crate) unsafe extern "C" fn BaseException_dealloc(op: Ob) {
    // SAFETY: [TYPE] chains of exceptions may be long.
    unsafe {
        gc_untrack(op);
        if crate::gc::trashcan_begin(op, BaseException_dealloc) {
            BaseException_clear(op);
            type_free(op);
            crate::gc::trashcan_end();
        }
    }
}

pub(crate) unsafe extern "C" fn BaseException_traverse(op: Ob, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let e: *mut PyBaseExceptionObject = op.cast();
        py_visit!(visitor, arg; (*e).dict, (*e).args, (*e).notes, (*e).traceback, (*e).cause, (*e).context);
        0
    }
}

pub(crate) unsafe extern "C" fn BaseException_str(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let args = (*op.cast::<PyBaseExceptionObject>()).args;
        match Py_SIZE(args) {
            0 => PyUnicode_FromStringAndSize(core::ptr::null(), 0),
            1 => PyObject_Str(PyTuple_GET_ITEM(args, 0)),
            _ => PyObject_Str(args),
        }
    }
}

pub(crate) unsafe extern "C" fn BaseException_repr(op: Ob) -> Ob {
    // SAFETY: [TYPE]
    unsafe {
        let args = (*op.cast::<PyBaseExceptionObject>()).args;
        let full = (*(*op).ob_type).tp_name;
        let dot = libc::strrchr(full, b'.' as c_int);
        let name: *const c_char = if dot.is_null() { full } else { dot.add(1) };
        if Py_SIZE(args) == 1 {
            PyUnicode_FromFormat(c"%s(%R)".as_ptr(), name, PyTuple_GET_ITEM(args, 0))
        } else {
            PyUnicode_FromFormat(c"%s%R".as_ptr(), name, args)
        }
    }
}

/// The pair of type and arguments, with the state as a third item if there is one.
pub(super) unsafe fn reduce_as(op: Ob, args: Ob, state: Ob) -> PyResult<Owned> {
    // SAFETY: [ARGS] state may be NULL.
    unsafe {
        let tp = Owned::from_borrowed((*op).ob_type.cast::<PyObject>());
        let args = Owned::from_borrowed(args);
        if state.is_null() {
            return tuple_of([Ok(tp), Ok(args)]);
        }
        tuple_of([Ok(tp), Ok(args), Ok(Owned::from_borrowed(state))])
    }
}

fn BaseException_reduce(e: Exc<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { reduce_as(e.ob(), e.args, e.dict) }
}

fn BaseException_setstate(e: Exc<'_>, state: Borrowed<'_>) -> PyResult<()> {
    if state.is_none() {
        return Ok(());
    }
    // SAFETY: [TYPE] keys and values are held while setters run.
    unsafe {
        if PyDict_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state is not a dictionary");
        }
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(state.ob(), &mut pos, &mut key, &mut value) != 0 {
            let (key, value) = (Owned::from_borrowed(key), Owned::from_borrowed(value));
            check_status(PyObject_SetAttr(e.ob(), key.as_ptr(), value.as_ptr()))?;
        }
        Ok(())
    }
}

fn BaseException_with_traceback(e: Exc<'_>, tb: Borrowed<'_>) -> PyResult<Owned> {
    set_traceback(e, Some(tb))?;
    Ok(e.to_owned().into_object())
}

fn BaseException_add_note(e: Exc<'_>, note: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        if PyUnicode_Check(note.ob()) == 0 {
            bail!(PyExc_TypeError, "note must be a str, not '{}'", type_name(note.ob()));
        }
        let name = intern!("__notes__");
        let mut notes = null_mut();
        check_status(PyObject_GetOptionalAttr(e.ob(), name, &mut notes))?;
        let notes = if notes.is_null() {
            let list = Owned::from_owned_or_err(PyList_New(0))?;
            check_status(PyObject_SetAttr(e.ob(), name, list.as_ptr()))?;
            list
        } else {
            Owned::from_owned(notes)
        };
        if PyList_Check(notes.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "Cannot add note: __notes__ is not a list");
        }
        check_status(PyList_Append(notes.as_ptr(), note.ob()))
    }
}

methods! {
    pub(super) static BASE_METHODS = [
        "__reduce__($self, /)" => BaseException_reduce, "";
        "__setstate__($self, object, /)" => BaseException_setstate, "";
        "with_traceback($self, object, /)" => BaseException_with_traceback, "Set __traceback__ and return the exception.";
        "add_note($self, object, /)" => BaseException_add_note, "Add a line that is shown with the exception.";
    ];
}

fn get(p: Ob) -> PyResult<Option<Owned>> {
    // SAFETY: NULL or live, kept by the exception.
    Ok(unsafe { Owned::from_borrowed_or_opt(p) })
}

fn get_args(e: Exc<'_>) -> PyResult<Option<Owned>> {
    get(e.args)
}

fn set_args(e: Exc<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "args may not be deleted") };
    // SAFETY: [TYPE]
    unsafe {
        let seq = Owned::from_owned_or_err(PySequence_Tuple(value.ob()))?;
        setref(&raw mut (*e.as_ptr()).args, seq.into_raw());
        Ok(())
    }
}

fn get_traceback(e: Exc<'_>) -> PyResult<Option<Owned>> {
    get(e.traceback)
}

fn set_traceback(e: Exc<'_>, tb: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(tb) = tb else { bail!(PyExc_TypeError, "__traceback__ may not be deleted") };
    // SAFETY: [TYPE]
    unsafe {
        let slot = &raw mut (*e.as_ptr()).traceback;
        if PyTraceBack_Check(tb.ob()) != 0 {
            setref(slot, Py_NewRef(tb.ob()));
        } else if tb.is_none() {
            setref(slot, null_mut());
        } else {
            bail!(PyExc_TypeError, "__traceback__ must be a traceback or None");
        }
        Ok(())
    }
}

fn get_context(e: Exc<'_>) -> PyResult<Option<Owned>> {
    get(e.context)
}

/// The exception to set as `what`, NULL for None.
fn exception_or_none(value: Option<Borrowed<'_>>, what: &str) -> PyResult<Ob> {
    let Some(value) = value else { bail!(PyExc_TypeError, "__{}__ may not be deleted", what) };
    if value.is_none() {
        return Ok(null_mut());
    }
    // SAFETY: [TYPE]
    unsafe {
        if PyExceptionInstance_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "exception {} must be None or derive from BaseException", what);
        }
        Ok(Py_NewRef(value.ob()))
    }
}

fn set_context(e: Exc<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let value = exception_or_none(value, "context")?;
    // SAFETY: [TYPE] value is owned.
    unsafe { PyException_SetContext(e.ob(), value) }
    Ok(())
}

fn get_cause(e: Exc<'_>) -> PyResult<Option<Owned>> {
    get(e.cause)
}

fn set_cause(e: Exc<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let value = exception_or_none(value, "cause")?;
    // SAFETY: [TYPE] value is owned.
    unsafe { PyException_SetCause(e.ob(), value) }
    Ok(())
}

fn get_dict(e: Exc<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { Owned::from_owned_or_err(PyObject_GenericGetDict(e.ob(), null_mut())) }
}

fn set_dict(e: Exc<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { check_status(PyObject_GenericSetDict(e.ob(), value.map_or(null_mut(), |v| v.ob()), null_mut())) }
}

getset! {
    pub(super) static BASE_GETSET = [
        "__dict__" => get_dict, set_dict, "";
        "args" => get_args, set_args, "";
        "__traceback__" => get_traceback, set_traceback, "";
        "__context__" => get_context, set_context, "the exception that was handled when this one was raised";
        "__cause__" => get_cause, set_cause, "the exception that this one was raised from";
    ];
}
members! {
    pub(super) static BASE_MEMBERS = [
        "__suppress_context__", Py_T_BOOL, offset_of!(PyBaseExceptionObject, suppress_context), 0, "";
    ];
}

// --- MemoryError ----------------------------------------------------------------------------------------------------

static mut MEMERRORS: FreeList = FreeList::new();
/// How many memory errors are kept for when there is no memory to make one.
const MEMERRORS_SAVE: usize = 16;

static mut LAST_RESORT_MEMORY_ERROR: PyBaseExceptionObject = PyBaseExceptionObject {
    ob_base: immortal_head(&raw mut _PyExc_MemoryError),
    dict: null_mut(),
    args: null_mut(),
    notes: null_mut(),
    traceback: null_mut(),
    context: null_mut(),
    cause: null_mut(),
    suppress_context: 0,
};

unsafe fn kept_memory_error(args: Ob) -> Ob {
    // SAFETY: [GIL] what is kept has all its fields cleared.
    unsafe {
        let op = FreeList::pop(&raw mut MEMERRORS);
        if !op.is_null() {
            let e: *mut PyBaseExceptionObject = op.cast();
            (*e).args = if args.is_null() { empty_tuple() } else { Py_NewRef(args) };
            (*e).suppress_context = 0;
            gc_track(op);
        }
        op
    }
}

pub(super) unsafe extern "C" fn MemoryError_new(tp: *mut PyTypeObject, args: Ob, kwds: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe {
        if tp == &raw mut _PyExc_MemoryError {
            let op = kept_memory_error(args);
            if !op.is_null() {
                return op;
            }
        }
        BaseException_new(tp, args, kwds)
    }
}

pub(super) unsafe extern "C" fn MemoryError_dealloc(op: Ob) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(op);
        BaseException_clear(op);
        if (*op).ob_type == &raw mut _PyExc_MemoryError && FreeList::push(&raw mut MEMERRORS, op, MEMERRORS_SAVE) {
            return;
        }
        type_free(op);
    }
}

/// Makes the memory errors that are kept for an emergency; at start-up.
pub fn preallocate_memerrors() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let made: Vec<PyResult<Owned>> = (0..MEMERRORS_SAVE)
            .map(|_| Owned::from_owned_or_err(BaseException_new(&raw mut _PyExc_MemoryError, null_mut(), null_mut())))
            .collect();
        made.into_iter().try_for_each(|e| e.map(drop))
    }
}

/// The kept memory errors are for emergencies and stay.
pub fn clear_free_list() {}

/// Raises MemoryError without allocating; returns NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_NoMemory(_tstate: *mut PyThreadState) -> Ob {
    // SAFETY: [GIL]
    unsafe {
        let mut err = kept_memory_error(null_mut());
        if err.is_null() {
            let e = &raw mut LAST_RESORT_MEMORY_ERROR;
            if (*e).args.is_null() {
                (*e).args = empty_tuple();
            }
            err = e.cast();
        }
        PyErr_SetRaisedException(err);
        null_mut()
    }
}

// --- Exported functions ---------------------------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_GetTraceback(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { Py_XNewRef((*e.cast::<PyBaseExceptionObject>()).traceback) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_SetTraceback(e: Ob, tb: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe { set_traceback(Borrowed::from_ptr(e.cast()), Borrowed::from_ptr_or_opt(tb)).into_c() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_GetCause(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { Py_XNewRef((*e.cast::<PyBaseExceptionObject>()).cause) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_SetCause(e: Ob, cause: Ob) {
    // SAFETY: [ARGS] cause is stolen.
    unsafe {
        let e: *mut PyBaseExceptionObject = e.cast();
        (*e).suppress_context = 1;
        setref(&raw mut (*e).cause, cause);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_GetContext(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { Py_XNewRef((*e.cast::<PyBaseExceptionObject>()).context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_SetContext(e: Ob, context: Ob) {
    // SAFETY: [ARGS] context is stolen.
    unsafe { setref(&raw mut (*e.cast::<PyBaseExceptionObject>()).context, context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_GetArgs(e: Ob) -> Ob {
    // SAFETY: [ARGS]
    unsafe { Py_NewRef((*e.cast::<PyBaseExceptionObject>()).args) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyException_SetArgs(e: Ob, args: Ob) {
    // SAFETY: [ARGS]
    unsafe { setref(&raw mut (*e.cast::<PyBaseExceptionObject>()).args, Py_NewRef(args)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyExceptionClass_Name(op: Ob) -> *const c_char {
    // SAFETY: [ARGS]
    unsafe { (*op.cast::<PyTypeObject>()).tp_name }
}

/// `exc.add_note(note)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyException_AddNote(e: Ob, note: Ob) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if PyExceptionInstance_Check(e) == 0 {
            let _ = raise!(PyExc_TypeError, "exc must be an exception, not '{}'", type_name(e));
            return -1;
        }
        BaseException_add_note(Borrowed::from_ptr(e.cast()), Borrowed::from_ptr(note)).into_c()
    }
}
