//! State that each interpreter has its own of, but that lies in static variables while its interpreter runs: what hot paths look
//! at is reached without a pointer. When a thread of another interpreter takes the lock, the contents are exchanged.

use crate::codeobject::CodeWatchers;
use crate::instrumentation::MonitoringState;
use crate::legacy_tracing::Setup;
use crate::pystate::InterpreterState;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::*};
use taipan_abi::*;
use taipan_objects::dictobject::watchers::DictWatchers;
use taipan_objects::funcobject::FuncWatchers;
use taipan_objects::longobject::_PY_LONG_DEFAULT_MAX_STR_DIGITS;
use taipan_objects::typeobject::lookup::TypeWatchers;

/// The state of an interpreter that doesn't run.
pub struct Parked {
    max_str_digits: c_int,
    dict_watchers: DictWatchers,
    type_watchers: TypeWatchers,
    func_watchers: FuncWatchers,
    code_watchers: CodeWatchers,
    monitoring: MonitoringState,
    /// The version of instrumentation.
    pub version: usize,
    profile: Setup,
    trace: Setup,
    gc: GcSettings,
}

/// What a program sets of the collector. The collection itself is common to all interpreters.
struct GcSettings {
    enabled: bool,
    debug: c_int,
    garbage: *mut PyObject,
    callbacks: *mut PyObject,
}

impl Parked {
    /// Of a new interpreter.
    pub fn new(max_str_digits: c_int) -> Box<Parked> {
        Box::new(Parked {
            max_str_digits,
            dict_watchers: [None; _],
            type_watchers: [None; _],
            func_watchers: [None; _],
            code_watchers: [None; _],
            monitoring: MonitoringState::new(),
            version: 0,
            profile: Setup::default(),
            trace: Setup::default(),
            gc: GcSettings { enabled: true, debug: 0, garbage: null_mut(), callbacks: null_mut() },
        })
    }

    /// Exchanges it with the contents of the static variables.
    fn swap(&mut self) {
        // SAFETY: [STATIC]
        unsafe {
            core::mem::swap(&mut *(&raw mut taipan_objects::longobject::MAX_STR_DIGITS), &mut self.max_str_digits);
            let gc = &mut *(&raw mut taipan_objects::gc::GC);
            core::mem::swap(&mut gc.enabled, &mut self.gc.enabled);
            core::mem::swap(&mut gc.debug, &mut self.gc.debug);
            core::mem::swap(&mut gc.garbage, &mut self.gc.garbage);
            core::mem::swap(&mut gc.callbacks, &mut self.gc.callbacks);
        }
        taipan_objects::dictobject::watchers::swap_dict_watchers(&mut self.dict_watchers);
        taipan_objects::typeobject::lookup::swap_type_watchers(&mut self.type_watchers);
        taipan_objects::funcobject::swap_func_watchers(&mut self.func_watchers);
        crate::codeobject::swap_code_watchers(&mut self.code_watchers);
        crate::instrumentation::swap_monitoring(&mut self.monitoring, &mut self.version);
        crate::legacy_tracing::swap_setups(&mut self.profile, &mut self.trace);
    }
}

/// The interpreter whose state is in the static variables.
static RUNNING: AtomicPtr<InterpreterState> = AtomicPtr::new(null_mut());

/// Whether an interpreter's state is in the static variables.
#[inline(always)]
pub fn is_running(ip: *mut InterpreterState) -> bool {
    RUNNING.load(Relaxed) == ip
}

/// Brings an interpreter's state into the static variables.
///
/// # Safety
/// [GIL]; the interpreter is live.
#[cold]
pub unsafe fn switch_to(ip: *mut InterpreterState) {
    let before = RUNNING.swap(ip, Relaxed);
    if before.is_null() {
        // The main interpreter starts with what is there.
        return;
    }
    // SAFETY: [ARGS] an interpreter that ends is switched away from first.
    unsafe {
        // The box of a running interpreter takes its state; that of the new one then holds what is of no interest.
        (*before).parked.swap();
        (*ip).parked.swap();
    }
}

/// Releases what the running interpreter, which ends, has there.
///
/// # Safety
/// [GIL]
pub unsafe fn clear_running() {
    let mut parked = Parked::new(_PY_LONG_DEFAULT_MAX_STR_DIGITS);
    parked.swap();
    parked.monitoring.clear();
    // SAFETY: [OWN]
    unsafe {
        Py_XDECREF(core::mem::replace(&mut parked.gc.garbage, null_mut()));
        Py_XDECREF(core::mem::replace(&mut parked.gc.callbacks, null_mut()));
    }
}
