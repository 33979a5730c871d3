//! The module `_asyncio`.

use crate::future::FUTURE;
use crate::iter::FUTURE_ITER;
use crate::state::{State, clear, free, of_module, running_loop, set_running_loop, traverse};
use crate::step::STEP;
use crate::task::TASK;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;
use taipan_clinic::module::heap_subtype;
use taipan_clinic::support::none;

type M<'a> = Borrowed<'a>;

fn current_task(m: M<'_>, event_loop: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: None's address.
    let event_loop = match event_loop.filter(|l| l.ob() != unsafe { Py_None() }) {
        Some(event_loop) => event_loop.to_owned(),
        None => get_running_loop(())?,
    };
    Ok(of_module(m.ob())?.current(event_loop.as_ptr())?.unwrap_or_else(none))
}
fn get_event_loop(m: M<'_>) -> PyResult<Owned> {
    of_module(m.ob())?.event_loop()
}
fn get_running_loop(_: ()) -> PyResult<Owned> {
    match running_loop() {
        Some(running) => Ok(running),
        None => bail!(PyExc_RuntimeError, "no running event loop"),
    }
}
fn running_loop_or_none(_: ()) -> PyResult<Owned> {
    Ok(running_loop().unwrap_or_else(none))
}
fn set_running(_: (), event_loop: Borrowed<'_>) -> PyResult<()> {
    set_running_loop(event_loop.ob());
    Ok(())
}
fn register_task(m: M<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.register(task.ob())
}
fn register_eager_task(m: M<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.register_eager(task.ob())
}
fn unregister_task(m: M<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.unregister(task.ob())
}
fn unregister_eager_task(m: M<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.unregister_eager(task.ob())
}
fn enter_task(m: M<'_>, event_loop: Borrowed<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.enter(event_loop.ob(), task.ob())
}
fn leave_task(m: M<'_>, event_loop: Borrowed<'_>, task: Borrowed<'_>) -> PyResult<()> {
    of_module(m.ob())?.leave(event_loop.ob(), task.ob())
}
fn swap_current_task(m: M<'_>, event_loop: Borrowed<'_>, task: Borrowed<'_>) -> PyResult<Owned> {
    of_module(m.ob())?.swap(event_loop.ob(), task.ob())
}

methods! {
    static METHODS = [
        "current_task($module, /, loop=None)" => current_task, "The task that runs, of an event loop or the running one.";
        "get_event_loop($module, /)" => get_event_loop, "The running event loop, or else that of the policy.";
        "get_running_loop($module, /)" => get_running_loop, "The event loop that runs in this thread; RuntimeError if there is none.";
        "_get_running_loop($module, /)" => running_loop_or_none, "The event loop that runs in this thread, or None.";
        "_set_running_loop($module, loop, /)" => set_running, "Set the event loop that runs in this thread, or None.";
        "_register_task($module, /, task)" => register_task, "A task joins all tasks.";
        "_register_eager_task($module, /, task)" => register_eager_task, "A task runs eagerly.";
        "_unregister_task($module, /, task)" => unregister_task, "A task leaves all tasks.";
        "_unregister_eager_task($module, /, task)" => unregister_eager_task, "A task has run eagerly.";
        "_enter_task($module, /, loop, task)" => enter_task, "An event loop runs a task.";
        "_leave_task($module, /, loop, task)" => leave_task, "An event loop runs a task no more.";
        "_swap_current_task($module, /, loop, task)" => swap_current_task, "An event loop runs another task, or None; the task that it ran, or None.";
    ];
}

unsafe extern "C" fn exec(module: *mut PyObject) -> c_int {
    let run = || -> PyResult<()> {
        // SAFETY: [ARGS] the module was made from the definition below; its state is zeroed.
        unsafe {
            let m = Borrowed::from_ptr(module);
            let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else {
                bail!(PyExc_SystemError, "_asyncio has no state");
            };
            state.step = heap_subtype(m, &raw mut STEP, null_mut())?;
            state.iter = heap_subtype(m, &raw mut FUTURE_ITER, null_mut())?;
            state.future = heap_subtype(m, &raw mut FUTURE, null_mut())?;
            state.task = heap_subtype(m, &raw mut TASK, state.future)?;
            check_status(PyModule_AddType(module, state.future))?;
            check_status(PyModule_AddType(module, state.task))?;
            state.init()?;
            check_status(PyModule_AddObjectRef(module, c"_scheduled_tasks".as_ptr(), state.scheduled))?;
            check_status(PyModule_AddObjectRef(module, c"_eager_tasks".as_ptr(), state.eager))?;
            check_status(PyModule_AddObjectRef(module, c"_current_tasks".as_ptr(), state.current))
        }
    };
    run().into_c()
}

static mut SLOTS: [PyModuleDef_Slot; 4] = [
    PyModuleDef_Slot { slot: Py_mod_exec, value: exec as *mut c_void },
    PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
];
/// The definition.
pub static mut DEF: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"_asyncio".as_ptr(),
    m_doc: c"Accelerator module for asyncio".as_ptr(),
    m_size: size_of::<State>() as Py_ssize_t,
    m_methods: (&raw mut METHODS).cast(),
    m_slots: (&raw mut SLOTS).cast(),
    m_traverse: Some(traverse),
    m_clear: Some(clear),
    m_free: Some(free),
};

/// Entry point.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__asyncio() -> *mut PyObject {
    // SAFETY: [GIL] the definition is static.
    unsafe { PyModuleDef_Init(&raw mut DEF) }
}
