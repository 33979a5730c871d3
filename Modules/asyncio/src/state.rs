//! The state of the module, which tasks run, and calls to event loops.

use crate::module::DEF;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::support::none;

/// How many objects a [`State`] has.
const OBJECTS: usize = size_of::<State>() / size_of::<usize>() - 1;

/// The state of a module object, zeroed at first: objects, then a number.
#[repr(C)]
pub struct State {
    /// `FutureIter`
    pub iter: *mut PyTypeObject,
    /// `TaskStepMethWrapper`
    pub step: *mut PyTypeObject,
    /// `Future`
    pub future: *mut PyTypeObject,
    /// `Task`
    pub task: *mut PyTypeObject,
    /// `("context",)`
    pub context_name: *mut PyObject,
    /// Event loop -> the task that it runs.
    pub current: *mut PyObject,
    /// All tasks, a WeakSet.
    pub scheduled: *mut PyObject,
    /// Tasks that run for the first time, a set.
    pub eager: *mut PyObject,
    /// Types of objects that can be awaited like coroutines, a set.
    coroutines: *mut PyObject,
    get_policy: *mut PyObject,
    /// `asyncio.base_futures._future_repr`
    pub future_repr: *mut PyObject,
    /// `asyncio.CancelledError`
    pub cancelled_error: *mut PyObject,
    /// `asyncio.InvalidStateError`
    pub invalid_state: *mut PyObject,
    /// `asyncio.base_tasks._task_repr`
    pub task_repr: *mut PyObject,
    /// `asyncio.base_tasks._task_get_stack`
    pub get_stack: *mut PyObject,
    /// `asyncio.base_tasks._task_print_stack`
    pub print_stack: *mut PyObject,
    is_coroutine: *mut PyObject,
    /// `traceback.extract_stack`
    pub extract_stack: *mut PyObject,
    /// How many tasks have got a number for a name.
    pub names: u64,
}

fn import(module: &CStr, name: &CStr) -> PyResult<*mut PyObject> {
    // SAFETY: [GIL]
    unsafe {
        let module = Owned::from_owned_or_err(PyImport_ImportModule(module.as_ptr()))?;
        Ok(Owned::from_owned_or_err(PyObject_GetAttrString(module.as_ptr(), name.as_ptr()))?.into_raw())
    }
}

impl State {
    /// Fills the state, but for the types.
    pub fn init(&mut self) -> PyResult<()> {
        // SAFETY: [GIL]
        unsafe {
            Owned::from_owned_or_err(PyImport_ImportModule(c"asyncio".as_ptr()))?;
            self.current = Owned::from_owned_or_err(PyDict_New())?.into_raw();
            self.coroutines = Owned::from_owned_or_err(PySet_New(null_mut()))?.into_raw();
            self.eager = Owned::from_owned_or_err(PySet_New(null_mut()))?.into_raw();
            self.context_name = taipan_clinic::support::tuple_of(&[intern!("context")])?.into_raw();
            self.get_policy = import(c"asyncio.events", c"get_event_loop_policy")?;
            self.future_repr = import(c"asyncio.base_futures", c"_future_repr")?;
            self.invalid_state = import(c"asyncio.exceptions", c"InvalidStateError")?;
            self.cancelled_error = import(c"asyncio.exceptions", c"CancelledError")?;
            self.task_repr = import(c"asyncio.base_tasks", c"_task_repr")?;
            self.get_stack = import(c"asyncio.base_tasks", c"_task_get_stack")?;
            self.print_stack = import(c"asyncio.base_tasks", c"_task_print_stack")?;
            self.is_coroutine = import(c"asyncio.coroutines", c"iscoroutine")?;
            self.extract_stack = import(c"traceback", c"extract_stack")?;
            let weak_set = Owned::from_owned(import(c"weakref", c"WeakSet")?);
            self.scheduled = Owned::from_owned_or_err(PyObject_CallNoArgs(weak_set.as_ptr()))?.into_raw();
        }
        Ok(())
    }

    fn objects(&mut self) -> &mut [*mut PyObject] {
        // SAFETY: the struct begins with that many pointers to objects.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), OBJECTS) }
    }

    /// Whether something is exactly a `Future` or `Task`, not of a subclass.
    pub fn is_ours(&self, op: *mut PyObject) -> bool {
        // SAFETY: [ARGS]
        let tp = unsafe { type_of(op) };
        tp == self.future || tp == self.task
    }

    /// Whether something can be awaited as a coroutine.
    pub fn is_coroutine(&self, op: *mut PyObject) -> PyResult<bool> {
        // SAFETY: [ARGS]
        unsafe {
            let tp = type_of(op);
            if tp == &raw mut PyCoro_Type {
                return Ok(true);
            }
            let known = PySet_Contains(self.coroutines, tp.cast());
            check_status(known)?;
            if known != 0 {
                return Ok(true);
            }
            let is = Owned::from_owned_or_err(PyObject_CallOneArg(self.is_coroutine, op))?;
            let is = taipan_clinic::support::truth(is.as_ptr())?;
            // More than a few kinds are not to be expected.
            if is && PySet_Size(self.coroutines) < 100 {
                check_status(PySet_Add(self.coroutines, tp.cast()))?;
            }
            Ok(is)
        }
    }

    /// The running event loop, or that of the policy.
    pub fn event_loop(&self) -> PyResult<Owned> {
        if let Some(running) = running_loop() {
            return Ok(running);
        }
        // SAFETY: held.
        unsafe {
            let policy = Owned::from_owned_or_err(PyObject_CallNoArgs(self.get_policy))?;
            Owned::from_owned_or_err(PyObject_CallMethodNoArgs(policy.as_ptr(), intern!("get_event_loop")))
        }
    }

    /// `loop.call_soon(func, arg, context=context)`, without `arg` if it is NULL.
    pub fn call_soon(&self, loop_: *mut PyObject, func: *mut PyObject, arg: *mut PyObject, context: *mut PyObject) -> PyResult<()> {
        let (args, n) = if arg.is_null() { ([loop_, func, context, null_mut()], 2) } else { ([loop_, func, arg, context], 3) };
        // SAFETY: [ARGS]
        unsafe {
            let handle = PyObject_VectorcallMethod(intern!("call_soon"), args.as_ptr(), n, self.context_name);
            Owned::from_owned_or_err(handle).map(drop)
        }
    }

    /// A task joins all others.
    pub fn register(&self, task: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe { Owned::from_owned_or_err(PyObject_CallMethodOneArg(self.scheduled, intern!("add"), task)).map(drop) }
    }
    /// A task leaves the others.
    pub fn unregister(&self, task: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe { Owned::from_owned_or_err(PyObject_CallMethodOneArg(self.scheduled, intern!("discard"), task)).map(drop) }
    }
    /// A task runs for the first time.
    pub fn register_eager(&self, task: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe { check_status(PySet_Add(self.eager, task)) }
    }
    /// It has run.
    pub fn unregister_eager(&self, task: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe { check_status(PySet_Discard(self.eager, task)) }
    }

    /// The task that a loop runs.
    pub fn current(&self, loop_: *mut PyObject) -> PyResult<Option<Owned>> {
        let mut found = null_mut();
        // SAFETY: [ARGS]
        unsafe {
            check_status(PyDict_GetItemRef(self.current, loop_, &mut found))?;
            Ok(Owned::from_owned_or_opt(found))
        }
    }
    /// A loop runs a task from now on.
    pub fn enter(&self, loop_: *mut PyObject, task: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe {
            let mut found = null_mut();
            let there = PyDict_SetDefaultRef(self.current, loop_, task, &mut found);
            check_status(there)?;
            let found = Owned::from_owned(found);
            if there == 1 {
                let text = c"Cannot enter into task %R while another task %R is being executed.";
                PyErr_Format(PyExc_RuntimeError, text.as_ptr(), task, found.as_ptr());
                return Err(Raised::assume());
            }
            Ok(())
        }
    }
    /// A loop no longer runs a task.
    pub fn leave(&self, loop_: *mut PyObject, task: *mut PyObject) -> PyResult<()> {
        let found = self.current(loop_)?.unwrap_or_else(none);
        // SAFETY: [ARGS]
        unsafe {
            if found.as_ptr() != task {
                PyErr_Format(PyExc_RuntimeError, c"Leaving task %R does not match the current task %R.".as_ptr(), task, found.as_ptr());
                return Err(Raised::assume());
            }
            check_status(PyDict_DelItem(self.current, loop_))
        }
    }
    /// A loop runs another task, or none (None), from now on; the old one, or None.
    pub fn swap(&self, loop_: *mut PyObject, task: *mut PyObject) -> PyResult<Owned> {
        let old = self.current(loop_)?;
        // SAFETY: [ARGS]
        unsafe {
            if task != Py_None() {
                check_status(PyDict_SetItem(self.current, loop_, task))?;
            } else if old.is_some() {
                check_status(PyDict_DelItem(self.current, loop_))?;
            }
        }
        Ok(old.unwrap_or_else(none))
    }
}

/// The state of a module object.
pub fn of_module<'a>(module: *mut PyObject) -> PyResult<&'a mut State> {
    // SAFETY: [TYPE] the module was made from the definition.
    unsafe {
        match PyModule_GetState(module).cast::<State>().as_mut() {
            Some(state) if !state.task.is_null() => Ok(state),
            _ => bail!(PyExc_RuntimeError, "_asyncio is not initialised"),
        }
    }
}
/// The state of the module that the type of an instance is from.
///
/// # Safety
/// `slf` is live, of one of the module's types or of a subclass.
pub unsafe fn of<'a>(slf: *mut PyObject) -> PyResult<&'a mut State> {
    // SAFETY: [ARGS]
    unsafe {
        let module = PyType_GetModuleByDef(type_of(slf), &raw mut DEF);
        if module.is_null() {
            return Err(Raised::assume());
        }
        of_module(module)
    }
}

/// Where a thread has its running event loop: behind the published part of the thread's state, as in CPython.
fn running_slot() -> *mut *mut PyObject {
    // SAFETY: [GIL] every thread state is allocated with more behind it.
    unsafe { PyThreadState_Get().cast::<PyThreadState>().add(1).cast() }
}
const _: () = assert!(size_of::<PyThreadState>() > 256, "the whole of the published part");
/// The event loop that runs in this thread.
pub fn running_loop() -> Option<Owned> {
    // SAFETY: NULL or an object that the slot keeps.
    unsafe {
        let running = *running_slot();
        (!running.is_null()).then(|| Owned::from_borrowed(running))
    }
}
/// Sets it; None: there is none.
pub fn set_running_loop(loop_: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe { setref(running_slot(), if loop_ == Py_None() { null_mut() } else { Py_NewRef(loop_) }) }
}

/// `m_traverse`
pub unsafe extern "C" fn traverse(module: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] the state is NULL until the module is complete.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        for &mut op in state.objects() {
            if !op.is_null() {
                let r = visit(op, arg);
                if r != 0 {
                    return r;
                }
            }
        }
    }
    0
}
/// `m_clear`
pub unsafe extern "C" fn clear(module: *mut PyObject) -> c_int {
    // SAFETY: [OWN] each reference is released once, after it has left the state.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        for slot in state.objects() {
            setref(slot, null_mut());
        }
    }
    0
}
/// `m_free`
pub unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: [TYPE]
    unsafe { clear(module.cast()) };
}
