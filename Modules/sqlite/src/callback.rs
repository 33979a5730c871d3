//! Functions, aggregates, collations and hooks in Python, as the library calls them.

use crate::state::*;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::support::{float, int, none as py_none, tuple};

/// What the library hands back to a callback. It keeps the module, and so the state.
pub struct Context {
    callable: Owned,
    module: Owned,
    state: S,
}

/// A new context; who gets the pointer frees it by [`destroy`].
///
/// # Safety
/// Both are live; the type belongs to the module.
pub unsafe fn context(connection_type: *mut PyTypeObject, state: S, callable: Borrowed<'_>) -> *mut Context {
    // SAFETY: [ARGS]
    unsafe {
        let module = PyType_GetModule(connection_type);
        Box::into_raw(Box::new(Context { callable: callable.to_owned(), module: Owned::from_borrowed(module), state }))
    }
}
/// What a context refers to, for `tp_traverse`.
///
/// # Safety
/// NULL or live.
pub unsafe fn references(ctx: *mut Context) -> [*mut PyObject; 2] {
    // SAFETY: [ARGS]
    unsafe { ctx.as_ref() }.map_or([null_mut(); 2], |c| [c.callable.as_ptr(), c.module.as_ptr()])
}
/// Puts another context into a slot and frees the old one.
///
/// # Safety
/// Contexts are NULL or owned, and the library no longer calls with the old one.
pub unsafe fn replace(slot: *mut *mut Context, new: *mut Context) {
    // SAFETY: [OWN]
    unsafe {
        let old = core::mem::replace(&mut *slot, new);
        if !old.is_null() {
            drop(Box::from_raw(old));
        }
    }
}

/// The GIL for as long as the value lives: the library runs without it.
struct Attached(PyGILState_STATE);
impl Attached {
    fn new() -> Self {
        // SAFETY: any thread may attach.
        Attached(unsafe { PyGILState_Ensure() })
    }
}
impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: paired with the call above.
        unsafe { PyGILState_Release(self.0) }
    }
}

/// Frees a context, when the library forgets a function.
///
/// # Safety
/// NULL or owned.
pub unsafe extern "C" fn destroy(ctx: *mut c_void) {
    if !ctx.is_null() {
        let _attached = Attached::new();
        // SAFETY: [OWN]
        drop(unsafe { Box::from_raw(ctx.cast::<Context>()) });
    }
}

/// Reports the exception that is set, or forgets it.
unsafe fn report(ctx: &Context) {
    // SAFETY: [EXC]
    unsafe {
        if (*ctx.state).callback_tracebacks {
            PyErr_WriteUnraisable(ctx.callable.as_ptr());
        } else {
            PyErr_Clear();
        }
    }
}
/// Turns the exception that is set into an error of the SQL function.
unsafe fn fail(context: *mut sq::sqlite3_context, message: &str) {
    // SAFETY: [EXC] [ARGS] the library copies the message.
    unsafe {
        if PyErr_ExceptionMatches(PyExc_MemoryError) != 0 {
            sq::sqlite3_result_error_nomem(context);
        } else if PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
            sq::sqlite3_result_error_toobig(context);
        } else {
            sq::sqlite3_result_error(context, message.as_ptr().cast(), message.len() as c_int);
        }
        report(user_data(context));
    }
}
unsafe fn user_data<'a>(context: *mut sq::sqlite3_context) -> &'a Context {
    // SAFETY: [ARGS] set when the function was made.
    unsafe { &*sq::sqlite3_user_data(context).cast::<Context>() }
}

/// Gives a value to the library as the result of a function.
unsafe fn set_result(context: *mut sq::sqlite3_context, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] the library copies text and bytes.
    unsafe {
        if value == Py_None() {
            sq::sqlite3_result_null(context);
        } else if PyLong_Check(value) != 0 {
            sq::sqlite3_result_int64(context, to_int64(value)?);
        } else if PyFloat_Check(value) != 0 {
            let x = PyFloat_AsDouble(value);
            if x == -1.0 && err_occurred() {
                return Err(Raised::assume());
            }
            sq::sqlite3_result_double(context, x);
        } else if PyUnicode_Check(value) != 0 {
            let mut size = 0;
            let text = PyUnicode_AsUTF8AndSize(value, &mut size);
            if text.is_null() {
                return Err(Raised::assume());
            }
            let Ok(size) = c_int::try_from(size) else {
                bail!(PyExc_OverflowError, "string is longer than INT_MAX bytes");
            };
            sq::sqlite3_result_text(context, text, size, sq::SQLITE_TRANSIENT());
        } else if PyObject_CheckBuffer(value) != 0 {
            let view = taipan_clinic::BufferView::get(value)?;
            let Ok(size) = c_int::try_from(view.as_bytes().len()) else {
                bail!(PyExc_OverflowError, "BLOB longer than INT_MAX bytes");
            };
            sq::sqlite3_result_blob(context, view.as_bytes().as_ptr().cast(), size, sq::SQLITE_TRANSIENT());
        } else {
            let message = format!("User-defined functions cannot return '{}' values to SQLite", type_name(value));
            return Err(error((*user_data(context).state).ProgrammingError, &message));
        }
        Ok(())
    }
}

/// The arguments of an SQL function as a tuple.
unsafe fn arguments(context: *mut sq::sqlite3_context, argc: c_int, argv: *mut *mut sq::sqlite3_value) -> PyResult<Owned> {
    // SAFETY: [ARGS] argc values.
    unsafe {
        let check = |p: *const c_void| -> PyResult<()> {
            if p.is_null() && sq::sqlite3_errcode(sq::sqlite3_context_db_handle(context)) == sq::SQLITE_NOMEM {
                return Err(no_memory());
            }
            Ok(())
        };
        let mut args = Vec::with_capacity(argc as usize);
        for i in 0..argc as usize {
            let v = *argv.add(i);
            args.push(match sq::sqlite3_value_type(v) {
                sq::SQLITE_INTEGER => int(sq::sqlite3_value_int64(v))?,
                sq::SQLITE_FLOAT => float(sq::sqlite3_value_double(v))?,
                sq::SQLITE_TEXT => {
                    let text = sq::sqlite3_value_text(v);
                    check(text.cast())?;
                    let size = sq::sqlite3_value_bytes(v) as Py_ssize_t;
                    Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text.cast(), size))?
                }
                sq::SQLITE_BLOB => {
                    let data = sq::sqlite3_value_blob(v);
                    check(data)?;
                    let size = sq::sqlite3_value_bytes(v) as Py_ssize_t;
                    Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.cast(), size))?
                }
                _ => py_none(),
            });
        }
        tuple(args)
    }
}

// ---- functions and aggregates

/// A scalar function.
///
/// # Safety
/// Called by the library, as all that follow.
pub unsafe extern "C" fn func(context: *mut sq::sqlite3_context, argc: c_int, argv: *mut *mut sq::sqlite3_value) {
    let _attached = Attached::new();
    // SAFETY: [ARGS]
    unsafe {
        let run = || -> PyResult<()> {
            let args = arguments(context, argc, argv)?;
            let r = Owned::from_owned_or_err(PyObject_CallObject(user_data(context).callable.as_ptr(), args.as_ptr()))?;
            set_result(context, r.as_ptr())
        };
        if run().is_err() {
            fail(context, "user-defined function raised exception");
        }
    }
}

/// Where the library keeps an aggregate's instance.
unsafe fn instance(context: *mut sq::sqlite3_context, size: usize) -> *mut *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { sq::sqlite3_aggregate_context(context, size as c_int).cast() }
}

/// A row for an aggregate.
pub unsafe extern "C" fn step(context: *mut sq::sqlite3_context, argc: c_int, argv: *mut *mut sq::sqlite3_value) {
    let _attached = Attached::new();
    // SAFETY: [ARGS] [OWN] the library keeps the instance until `finalize`.
    unsafe {
        let slot = instance(context, size_of::<*mut PyObject>());
        if slot.is_null() {
            PyErr_NoMemory();
            return fail(context, "unable to allocate SQLite aggregate context");
        }
        if (*slot).is_null() {
            *slot = PyObject_CallNoArgs(user_data(context).callable.as_ptr());
            if (*slot).is_null() {
                return fail(context, "user-defined aggregate's '__init__' method raised error");
            }
        }
        let Ok(method) = Owned::from_owned_or_err(PyObject_GetAttr(*slot, intern!("step"))) else {
            return fail(context, "user-defined aggregate's 'step' method not defined");
        };
        let called = arguments(context, argc, argv)
            .and_then(|args| Owned::from_owned_or_err(PyObject_CallObject(method.as_ptr(), args.as_ptr())));
        if called.is_err() {
            fail(context, "user-defined aggregate's 'step' method raised error");
        }
    }
}

/// The end of an aggregate.
pub unsafe extern "C" fn finalize(context: *mut sq::sqlite3_context) {
    let _attached = Attached::new();
    // SAFETY: [ARGS] [OWN] the instance is given up here.
    unsafe {
        let slot = instance(context, 0);
        // No row matched, or the instance could not be made.
        if slot.is_null() || (*slot).is_null() {
            return;
        }
        // What the last call of another method raised is kept.
        let exc = PyErr_GetRaisedException();
        let object = Owned::from_owned(*slot);
        let done = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(object.as_ptr(), intern!("finalize")))
            .and_then(|r| set_result(context, r.as_ptr()));
        *slot = null_mut();
        if done.is_ok() {
            PyErr_SetRaisedException(exc);
            return;
        }
        let missing = PyErr_ExceptionMatches(PyExc_AttributeError) != 0;
        _PyErr_ChainExceptions1(exc);
        fail(
            context,
            if missing {
                "user-defined aggregate's 'finalize' method not defined"
            } else {
                "user-defined aggregate's 'finalize' method raised error"
            },
        );
    }
}

/// A row that leaves the window of an aggregate.
pub unsafe extern "C" fn inverse(context: *mut sq::sqlite3_context, argc: c_int, argv: *mut *mut sq::sqlite3_value) {
    let _attached = Attached::new();
    // SAFETY: [ARGS] the instance was made by `step`.
    unsafe {
        let slot = instance(context, size_of::<*mut PyObject>());
        if slot.is_null() || (*slot).is_null() {
            return;
        }
        let Ok(method) = Owned::from_owned_or_err(PyObject_GetAttr(*slot, intern!("inverse"))) else {
            return fail(context, "user-defined aggregate's 'inverse' method not defined");
        };
        let Ok(args) = arguments(context, argc, argv) else {
            return fail(context, "unable to build arguments for user-defined aggregate's 'inverse' method");
        };
        if Owned::from_owned_or_err(PyObject_CallObject(method.as_ptr(), args.as_ptr())).is_err() {
            fail(context, "user-defined aggregate's 'inverse' method raised error");
        }
    }
}

/// The value of an aggregate as it is now.
pub unsafe extern "C" fn value(context: *mut sq::sqlite3_context) {
    let _attached = Attached::new();
    // SAFETY: [ARGS] the instance was made by `step`.
    unsafe {
        let slot = instance(context, size_of::<*mut PyObject>());
        if slot.is_null() || (*slot).is_null() {
            return;
        }
        let name = intern!("value");
        match Owned::from_owned_or_err(PyObject_CallMethodNoArgs(*slot, name)) {
            Err(_) if PyErr_ExceptionMatches(PyExc_AttributeError) != 0 => {
                fail(context, "user-defined aggregate's 'value' method not defined");
            }
            Err(_) => fail(context, "user-defined aggregate's 'value' method raised error"),
            Ok(r) => {
                if set_result(context, r.as_ptr()).is_err() {
                    fail(context, "unable to set result from user-defined aggregate's 'value' method");
                }
            }
        }
    }
}

/// Compares two texts.
pub unsafe extern "C" fn collation(ctx: *mut c_void, n1: c_int, text1: *const c_void, n2: c_int, text2: *const c_void) -> c_int {
    let _attached = Attached::new();
    // SAFETY: [ARGS]
    unsafe {
        // One call of the library may compare often; after a failure the rest doesn't matter.
        if err_occurred() {
            return 0;
        }
        let ctx = &*ctx.cast::<Context>();
        let compared = || -> PyResult<c_int> {
            let a = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text1.cast(), n1 as Py_ssize_t))?;
            let b = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text2.cast(), n2 as Py_ssize_t))?;
            let r = taipan_clinic::support::call(ctx.callable.as_ptr(), &[a.as_ptr(), b.as_ptr()])?;
            let mut overflow = 0;
            let n = PyLong_AsLongAndOverflow(r.as_ptr(), &mut overflow);
            if n == -1 && err_occurred() {
                PyErr_Clear();
                return Ok(0);
            }
            Ok(if overflow != 0 { overflow } else { n.signum() as c_int })
        };
        compared().unwrap_or(0)
    }
}

// ---- hooks

/// Text of the library or `None`.
unsafe fn optional_text(text: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    if text.is_null() { Ok(py_none()) } else { unsafe { Owned::from_owned_or_err(PyUnicode_FromString(text)) } }
}

/// Asks whether an action is allowed.
pub unsafe extern "C" fn authorizer(
    ctx: *mut c_void,
    action: c_int,
    arg1: *const c_char,
    arg2: *const c_char,
    db: *const c_char,
    source: *const c_char,
) -> c_int {
    let _attached = Attached::new();
    // SAFETY: [ARGS]
    unsafe {
        let ctx = &*ctx.cast::<Context>();
        let asked = || -> PyResult<c_int> {
            let args = tuple(vec![
                int(action as i64)?,
                optional_text(arg1)?,
                optional_text(arg2)?,
                optional_text(db)?,
                optional_text(source)?,
            ])?;
            let r = Owned::from_owned_or_err(PyObject_CallObject(ctx.callable.as_ptr(), args.as_ptr()))?;
            if PyLong_Check(r.as_ptr()) == 0 {
                return Ok(sq::SQLITE_DENY);
            }
            let n = PyLong_AsInt(r.as_ptr());
            if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
        };
        asked().unwrap_or_else(|_| {
            report(ctx);
            sq::SQLITE_DENY
        })
    }
}

/// Asks whether a query is to be aborted.
pub unsafe extern "C" fn progress(ctx: *mut c_void) -> c_int {
    let _attached = Attached::new();
    // SAFETY: [ARGS]
    unsafe {
        let ctx = &*ctx.cast::<Context>();
        let asked = Owned::from_owned_or_err(PyObject_CallNoArgs(ctx.callable.as_ptr())).and_then(|r| {
            let truth = PyObject_IsTrue(r.as_ptr());
            check_status(truth).map(|()| truth)
        });
        asked.unwrap_or_else(|_| {
            report(ctx);
            -1
        })
    }
}

/// Tells which statement runs.
pub unsafe extern "C" fn trace(kind: c_uint, ctx: *mut c_void, stmt: *mut c_void, sql: *mut c_void) -> c_int {
    if kind != sq::SQLITE_TRACE_STMT {
        return 0;
    }
    let _attached = Attached::new();
    // SAFETY: [ARGS] the library's text is freed after it was copied.
    unsafe {
        let ctx = &*ctx.cast::<Context>();
        let told = || -> PyResult<()> {
            let expanded = sq::sqlite3_expanded_sql(stmt.cast());
            let text = if expanded.is_null() {
                if sq::sqlite3_errcode(sq::sqlite3_db_handle(stmt.cast())) == sq::SQLITE_NOMEM {
                    return Err(no_memory());
                }
                let _ = error((*ctx.state).DataError, "Expanded SQL string exceeds the maximum string length");
                report(ctx);
                Owned::from_owned_or_err(PyUnicode_FromString(sql.cast()))
            } else {
                let text = Owned::from_owned_or_err(PyUnicode_FromString(expanded));
                sq::sqlite3_free(expanded.cast());
                text
            }?;
            drop(Owned::from_owned_or_err(PyObject_CallOneArg(ctx.callable.as_ptr(), text.as_ptr()))?);
            Ok(())
        };
        if told().is_err() {
            report(ctx);
        }
    }
    0
}
