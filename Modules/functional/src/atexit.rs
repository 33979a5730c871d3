//! The `atexit` module: functions to call when the interpreter exits, last registered first.

use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, Kwargs, methods, module};

struct Callback {
    func: Owned,
    args: Owned,
    kwargs: Option<Owned>,
}

/// What is registered in an interpreter.
struct Registered {
    interp: *mut PyInterpreterState,
    /// An entry unregistered while others are compared is `None`.
    callbacks: Vec<Option<Callback>>,
    c_callbacks: Vec<CCallback>,
}

/// For each interpreter that has registered something; guarded by the GIL.
static mut ALL: Vec<Registered> = Vec::new();

fn registered(interp: *mut PyInterpreterState) -> &'static mut Registered {
    // SAFETY: [GIL] no reference is kept over a call into Python.
    unsafe {
        let all = &mut *(&raw mut ALL);
        let i = match all.iter().position(|r| r.interp == interp) {
            Some(i) => i,
            None => {
                all.push(Registered { interp, callbacks: Vec::new(), c_callbacks: Vec::new() });
                all.len() - 1
            }
        };
        &mut all[i]
    }
}

fn current_interp() -> *mut PyInterpreterState {
    // SAFETY: [GIL]
    unsafe { (*current_tstate()).interp }
}

fn callbacks() -> &'static mut Vec<Option<Callback>> {
    &mut registered(current_interp()).callbacks
}

fn register<'a>(_: (), func: Borrowed<'a>, args: Args<'a>, kwargs: Kwargs<'a>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    if unsafe { PyCallable_Check(func.ob()) } == 0 {
        bail!(PyExc_TypeError, "the first argument must be callable");
    }
    let kwargs = if kwargs.is_empty() { None } else { Some(kwargs.to_dict()?) };
    callbacks().push(Some(Callback { func: func.to_owned(), args: args.to_tuple()?, kwargs }));
    Ok(func.to_owned())
}

fn run(_: ()) -> PyResult<()> {
    run_all();
    Ok(())
}

/// Calls everything registered, and forgets it. Exceptions are reported as unraisable.
fn run_all() {
    while let Some(entry) = callbacks().pop() {
        let Some(c) = entry else { continue };
        // SAFETY: [OWN] the entry is held here.
        unsafe {
            let r = PyObject_Call(c.func.as_ptr(), c.args.as_ptr(), c.kwargs.as_ref().map_or(null_mut(), |k| k.as_ptr()));
            if r.is_null() {
                PyErr_FormatUnraisable(c"Exception ignored in atexit callback %R".as_ptr(), c.func.as_ptr());
            } else {
                Py_DECREF(r);
            }
        }
    }
}

fn clear(_: ()) -> PyResult<()> {
    drop(core::mem::take(callbacks()));
    Ok(())
}

fn unregister(_: (), func: Borrowed<'_>) -> PyResult<()> {
    let mut i = callbacks().len();
    while i > 0 {
        i -= 1;
        let Some(Some(entry)) = callbacks().get(i) else { continue };
        let candidate = entry.func.clone();
        // SAFETY: [ARGS] the comparison may run code that changes the table.
        let equal = unsafe { PyObject_RichCompareBool(func.ob(), candidate.as_ptr(), Py_EQ) };
        check_status(equal)?;
        if equal == 1
            && let Some(slot) = callbacks().get_mut(i)
            && slot.as_ref().is_some_and(|c| c.func.as_ptr() == candidate.as_ptr())
        {
            let old = slot.take();
            drop(old);
        }
    }
    callbacks().retain(Option::is_some);
    Ok(())
}

fn ncallbacks(_: ()) -> PyResult<isize> {
    Ok(callbacks().iter().filter(|c| c.is_some()).count() as isize)
}

methods! {
    static METHODS = [
        raw "register", PyMethodDefPointer { PyCFunctionFastWithKeywords: register_entry }, METH_FASTCALL | METH_KEYWORDS,
            "register($module, func, /, *args, **kwargs)\n--\n\nRegister a function to be called at exit; returns it.";
        "_clear($module, /)" => clear, "Forget all registered functions.";
        "unregister($module, func, /)" => unregister, "Forget a function, however often it was registered.";
        "_run_exitfuncs($module, /)" => run, "Call all registered functions now.";
        "_ncallbacks($module, /)" => ncallbacks, "How many functions are registered.";
    ];
}

unsafe extern "C" fn register_entry(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    if n == 0 {
        return Err::<Owned, _>(raise!(PyExc_TypeError, "register() takes at least 1 argument (0 given)")).into_c();
    }
    const SIG: taipan_clinic::Signature<3> = taipan_clinic::Signature::parse("register($module, func, /, *args, **kwargs)");
    // SAFETY: [ARGS]
    unsafe { taipan_clinic::invoke::call_fast::<_, 3>(register, &SIG.erase(), slf, args, n, kw) }
}

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit_atexit = "atexit", "Functions to be called when the interpreter exits.", methods: METHODS, exec: exec;
}

/// A C function for the end of the interpreter, with its argument.
type CCallback = (unsafe extern "C" fn(*mut core::ffi::c_void), *mut core::ffi::c_void);

/// Registers a C function for the end of the interpreter, after Python code can no longer run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_AtExit(
    interp: *mut PyInterpreterState,
    func: unsafe extern "C" fn(*mut core::ffi::c_void),
    data: *mut core::ffi::c_void,
) -> core::ffi::c_int {
    registered(interp).c_callbacks.push((func, data));
    0
}

/// Calls the C functions of the running interpreter, first registered first, and forgets all of it; the lifecycle calls it
/// last thing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyAtExit_Fini() {
    let interp = current_interp();
    // SAFETY: [GIL] taken out before the calls.
    unsafe {
        for (func, data) in core::mem::take(&mut registered(interp).c_callbacks) {
            func(data);
        }
    }
    let left = core::mem::take(callbacks());
    drop(left);
    // SAFETY: [GIL]
    unsafe { (*(&raw mut ALL)).retain(|r| r.interp != interp) };
}

/// Calls what is registered; the lifecycle calls it first thing at finalisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyAtExit_Call() {
    run_all();
}
