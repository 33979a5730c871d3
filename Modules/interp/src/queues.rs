//! The module `_interpqueues`: queues that all interpreters can reach by number.

use crate::support::*;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::null_mut;
use std::collections::VecDeque;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::support::{int, none, tuple};
use taipan_clinic::{FromArg, methods, module};

struct Item {
    /// The interpreter that put it.
    interpid: i64,
    /// `None` once that one has ended.
    data: Option<Parcel>,
    fmt: i32,
    unboundop: i32,
}

struct Queue {
    qid: i64,
    /// How many objects refer to it.
    refcount: isize,
    maxsize: isize,
    items: VecDeque<Item>,
    fmt: i32,
    unboundop: i32,
}

/// The queues, oldest first, and the number of the next one.
static mut QUEUES: (Vec<Queue>, i64) = (Vec::new(), 1);

fn queues() -> &'static mut Vec<Queue> {
    // SAFETY: [STATIC] no reference is kept over a call that may run Python code.
    unsafe { &mut (*(&raw mut QUEUES)).0 }
}

static QUEUE_ERROR: PerInterpreter = PerInterpreter::new();
static NOT_FOUND_ERROR: PerInterpreter = PerInterpreter::new();
static EMPTY_ERROR: PerInterpreter = PerInterpreter::new();
static FULL_ERROR: PerInterpreter = PerInterpreter::new();
/// The class of queue objects, which the Python module registers.
static QUEUE_TYPE: PerInterpreter = PerInterpreter::new();

/// Imports the Python module, which registers its types.
fn load_python_module() -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let mut m = PyImport_ImportModule(c"interpreters.queues".as_ptr());
        if m.is_null() {
            PyErr_Clear();
            m = PyImport_ImportModule(c"test.support.interpreters.queues".as_ptr());
        }
        Owned::from_owned_or_err(m).map(drop)
    }
}

#[cold]
fn not_found(qid: i64) -> Raised {
    raise_of(&NOT_FOUND_ERROR, &format!("queue {qid} not found"))
}

#[cold]
fn external_error(class: &PerInterpreter, text: &str) -> Raised {
    if class.get().is_null()
        && let Err(e) = load_python_module()
    {
        return e;
    }
    raise_of(class, text)
}

fn find(qid: i64) -> PyResult<&'static mut Queue> {
    queues().iter_mut().find(|q| q.qid == qid).ok_or_else(|| not_found(qid))
}

fn remove(qid: i64) -> PyResult<()> {
    let Some(i) = queues().iter().position(|q| q.qid == qid) else { return Err(not_found(qid)) };
    let queue = queues().remove(i);
    drop(queue);
    Ok(())
}

fn decref(qid: i64) -> PyResult<()> {
    let q = find(qid)?;
    if q.refcount == 0 {
        return Err(raise_of(&QUEUE_ERROR, &format!("queue {qid} never bound")));
    }
    q.refcount -= 1;
    if q.refcount == 0 { remove(qid) } else { Ok(()) }
}

unsafe extern "C" fn clear_interpreter(_: *mut c_void) {
    let id = current_id();
    let mut gone: Vec<Parcel> = Vec::new();
    for q in queues() {
        q.items.retain_mut(|item| {
            if item.interpid != id {
                return true;
            }
            let had = item.data.take();
            let keep = had.is_none() || item.unboundop != UNBOUND_REMOVE;
            gone.extend(had);
            keep
        });
    }
    drop(gone);
}

/// The number of a queue as an argument.
struct Qid(i64);

unsafe fn queue_id(arg: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS]
    unsafe {
        if PyIndex_Check(arg) == 0 {
            bail!(PyExc_TypeError, "queue ID must be an int, got {}", type_name(arg));
        }
        let mut overflow = 0;
        let id = PyLong_AsLongLongAndOverflow(arg, &mut overflow);
        if id == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if id == -1 && overflow == 1 {
            PyErr_Format(PyExc_OverflowError, c"max queue ID is %lld, got %R".as_ptr(), i64::MAX, arg);
            return Err(Raised::assume());
        }
        if id < 0 {
            PyErr_Format(PyExc_ValueError, c"queue ID must be a non-negative int, got %R".as_ptr(), arg);
            return Err(Raised::assume());
        }
        Ok(id)
    }
}

impl<'a> FromArg<'a> for Qid {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe { queue_id(arg).map(Qid) }
    }
}

// ---- functions

fn queues_create(_: (), maxsize: isize, fmt: i32, unboundop: i32) -> PyResult<i64> {
    check_unbound(unboundop)?;
    // SAFETY: [STATIC]
    let next = unsafe { &mut (*(&raw mut QUEUES)).1 };
    let qid = *next;
    *next += 1;
    queues().push(Queue { qid, refcount: 0, maxsize, items: VecDeque::new(), fmt, unboundop });
    Ok(qid)
}
fn queues_destroy(_: (), qid: Qid) -> PyResult<()> {
    remove(qid.0)
}
fn queues_list_all(_: ()) -> PyResult<Owned> {
    let all: Vec<(i64, i32, i32)> = queues().iter().rev().map(|q| (q.qid, q.fmt, q.unboundop)).collect();
    // SAFETY: [GIL]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for (qid, fmt, unboundop) in all {
            let item = tuple(vec![int(qid)?, int(fmt as i64)?, int(unboundop as i64)?])?;
            check_status(PyList_Append(list.as_ptr(), item.as_ptr()))?;
        }
        Ok(list)
    }
}
fn queues_put(_: (), qid: Qid, obj: Borrowed<'_>, fmt: i32, unboundop: i32) -> PyResult<()> {
    check_unbound(unboundop)?;
    find(qid.0)?;
    // SAFETY: live.
    let data = unsafe { Parcel::of(obj.ob())? };
    // Making the data may have run code that destroyed the queue.
    let q = find(qid.0)?;
    if q.maxsize > 0 && q.items.len() as isize >= q.maxsize {
        drop(data);
        return Err(external_error(&FULL_ERROR, &format!("queue {} is full", qid.0)));
    }
    q.items.push_back(Item { interpid: current_id(), data: Some(data), fmt, unboundop });
    Ok(())
}
fn queues_get(_: (), qid: Qid) -> PyResult<Owned> {
    let Some(item) = find(qid.0)?.items.pop_front() else {
        return Err(external_error(&EMPTY_ERROR, &format!("queue {} is empty", qid.0)));
    };
    let fmt = int(item.fmt as i64)?;
    match item.data {
        None => tuple(vec![none(), fmt, int(item.unboundop as i64)?]),
        Some(data) => tuple(vec![data.open()?, fmt, none()]),
    }
}
fn queues_bind(_: (), qid: Qid) -> PyResult<()> {
    find(qid.0)?.refcount += 1;
    Ok(())
}
fn queues_release(_: (), qid: Qid) -> PyResult<()> {
    decref(qid.0)
}
fn queues_get_maxsize(_: (), qid: Qid) -> PyResult<isize> {
    Ok(find(qid.0)?.maxsize)
}
fn queues_get_queue_defaults(_: (), qid: Qid) -> PyResult<Owned> {
    let q = find(qid.0)?;
    let (fmt, unboundop) = (q.fmt, q.unboundop);
    tuple(vec![int(fmt as i64)?, int(unboundop as i64)?])
}
fn queues_is_full(_: (), qid: Qid) -> PyResult<bool> {
    let q = find(qid.0)?;
    Ok(q.items.len() as isize == q.maxsize)
}
fn queues_get_count(_: (), qid: Qid) -> PyResult<isize> {
    Ok(find(qid.0)?.items.len() as isize)
}

// ---- queue objects that travel

unsafe extern "C" fn free_queue_id(data: *mut c_void) {
    // SAFETY: [OWN] made by queue_shared. The queue may have been destroyed meanwhile.
    unsafe {
        let qid = *Box::from_raw(data.cast::<i64>());
        if let Err(e) = decref(qid) {
            e.clear();
        }
    }
}

unsafe extern "C" fn queue_from_data(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    let make = || unsafe {
        let qid = int(*(*data).data.cast::<i64>())?;
        if QUEUE_TYPE.get().is_null() {
            let name = taipan_clinic::support::string("_interpqueues")?;
            let module = Owned::from_owned_or_opt(PyImport_GetModule(name.as_ptr()));
            if module.is_none() {
                if !err_occurred() {
                    bail!(PyExc_RuntimeError, "_interpqueues module not imported yet");
                }
                return Err(Raised::assume());
            }
            load_python_module()?;
        }
        if QUEUE_TYPE.get().is_null() {
            bail!(PyExc_RuntimeError, "no type of queues is registered");
        }
        Owned::from_owned_or_err(PyObject_CallOneArg(QUEUE_TYPE.get(), qid.as_ptr()))
    };
    make().into_c()
}

unsafe extern "C" fn queue_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let id = Owned::from_owned_or_err(PyObject_GetAttrString(op, c"_id".as_ptr()))?;
        let qid = queue_id(id.as_ptr())?;
        find(qid)?.refcount += 1;
        _PyCrossInterpreterData_Init(data, (*ts).interp, Box::into_raw(Box::new(qid)).cast(), null_mut(), Some(queue_from_data));
        (*data).free = Some(free_queue_id);
        Ok(())
    })();
    r.into_c()
}

fn queues_register_heap_types(_: (), queuetype: Borrowed<'_>, emptyerror: Borrowed<'_>, fullerror: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        if PyType_Check(queuetype.ob()) == 0 {
            bail!(PyExc_TypeError, "expected a type for 'queuetype'");
        }
        if PyExceptionClass_Check(emptyerror.ob()) == 0 {
            bail!(PyExc_TypeError, "expected an exception type for 'emptyerror'");
        }
        if PyExceptionClass_Check(fullerror.ob()) == 0 {
            bail!(PyExc_TypeError, "expected an exception type for 'fullerror'");
        }
        let old = QUEUE_TYPE.get();
        if !old.is_null() {
            // The Python module was imported afresh.
            _PyCrossInterpreterData_UnregisterClass(old.cast());
            QUEUE_TYPE.set(None);
        }
        check_status(_PyCrossInterpreterData_RegisterClass(queuetype.ob().cast(), Some(queue_shared)))?;
        QUEUE_TYPE.set(Some(queuetype.to_owned()));
        EMPTY_ERROR.set(Some(emptyerror.to_owned()));
        FULL_ERROR.set(Some(fullerror.to_owned()));
        Ok(())
    }
}

methods! {
    static METHODS = [
        "create($module, /, maxsize, fmt, unboundop)" => queues_create, "Make a queue; returns its number.";
        "destroy($module, /, qid)" => queues_destroy, "Do away with a queue and what it holds.";
        "list_all($module, /)" => queues_list_all, "Number, format and unboundop of each queue.";
        "put($module, /, qid, obj, fmt, unboundop)" => queues_put, "Add an object.";
        "get($module, /, qid)" => queues_get, "Take the oldest object: (obj, fmt, None), or (None, fmt, unboundop) if its interpreter has ended.";
        "bind($module, /, qid)" => queues_bind, "Count a reference to a queue.";
        "release($module, /, qid)" => queues_release, "Give a reference up; the queue goes with the last one.";
        "get_maxsize($module, /, qid)" => queues_get_maxsize, "How many objects a queue takes, not positive for any number.";
        "get_queue_defaults($module, /, qid)" => queues_get_queue_defaults, "Format and unboundop that a queue was made with.";
        "is_full($module, /, qid)" => queues_is_full, "Whether a queue holds as many objects as it takes.";
        "get_count($module, /, qid)" => queues_get_count, "How many objects a queue holds.";
        "_register_heap_types($module, /, queuetype, emptyerror, fullerror)" => queues_register_heap_types, "Tell the classes of the Python module.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    let add = |cell, full: &CStr, name: &CStr, base| add_exception(module, cell, full, name, base);
    // SAFETY: [IMMORTAL]
    add(&QUEUE_ERROR, c"test.support.interpreters.QueueError", c"QueueError", unsafe { PyExc_RuntimeError })?;
    add(&NOT_FOUND_ERROR, c"test.support.interpreters.QueueNotFoundError", c"QueueNotFoundError", QUEUE_ERROR.get())?;
    EMPTY_ERROR.set(None);
    FULL_ERROR.set(None);
    at_exit(clear_interpreter)
}

module! {
    /// Entry point of `_interpqueues`.
    pub fn PyInit__interpqueues = "_interpqueues", "Queues between interpreters, by number.", methods: METHODS, exec: exec;
}
