//! The `_queue` module: a queue without bound whose `put` can be called from a destructor or a signal handler.

use taipan_clinic::support::*;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering::*};
use std::collections::VecDeque;
use taipan_abi::*;
use taipan_clinic::module::{add_object, add_type};
use taipan_clinic::{methods, module};
use taipan_mod_posix::thread::lock::{Wake, futex_wait, futex_wake};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_python::pytime::{Round, monotonic, object_to_ns};

/// `_queue.SimpleQueue`.
#[repr(C)]
struct SimpleQueue {
    ob_base: PyObject,
    items: *mut VecDeque<Owned>,
    /// Changes with each item that a waiting thread should look for; waiters sleep on it.
    word: AtomicU32,
    /// How many threads wait.
    waiters: u32,
    weakreflist: *mut PyObject,
}
type Q<'a> = Borrowed<'a, SimpleQueue>;

static EMPTY: PerInterpreter = PerInterpreter::new();

#[allow(clippy::mut_from_ref, reason = "[GIL] no reference is kept over a call that can run Python code")]
fn items<'a>(slf: Q<'a>) -> &'a mut VecDeque<Owned> {
    // SAFETY: [TYPE] made with the object.
    unsafe { &mut *slf.items }
}

unsafe extern "C" fn queue_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new; a subclass may take what it likes.
    unsafe {
        let exact = tp == &raw mut SimpleQueue_Type;
        if exact
            && (_PyArg_NoPositional(c"SimpleQueue".as_ptr(), args) == 0 || _PyArg_NoKeywords(c"SimpleQueue".as_ptr(), kwargs) == 0)
        {
            return null_mut();
        }
        let Ok(q) = new::<SimpleQueue>(tp) else { return null_mut() };
        (*q.as_ptr()).items = Box::into_raw(Box::new(VecDeque::new()));
        q.into_raw_object()
    }
}

unsafe extern "C" fn queue_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] called as tp_traverse.
    unsafe {
        if let Some(items) = (*slf.cast::<SimpleQueue>()).items.as_ref() {
            for item in items {
                let r = visit(item.as_ptr(), visitor, arg);
                if r != 0 {
                    return r;
                }
            }
        }
    }
    0
}

unsafe extern "C" fn queue_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_clear; the items are out of the queue before they are released.
    unsafe {
        if let Some(items) = (*slf.cast::<SimpleQueue>()).items.as_mut() {
            drop(core::mem::take(items));
        }
    }
    0
}

unsafe extern "C" fn queue_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe {
        let tp = type_of(slf);
        PyObject_GC_UnTrack(slf.cast());
        queue_clear(slf);
        let q = slf.cast::<SimpleQueue>();
        let items = core::mem::replace(&mut (*q).items, null_mut());
        if !items.is_null() {
            drop(Box::from_raw(items));
        }
        if !(*q).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
    }
}

fn put(slf: Q<'_>, item: Borrowed<'_>, _block: bool, _timeout: Option<Borrowed<'_>>) -> PyResult<()> {
    items(slf).push_back(item.to_owned());
    if slf.waiters != 0 {
        slf.word.fetch_add(1, Release);
        futex_wake(&slf.word, 1);
    }
    Ok(())
}

fn put_nowait(slf: Q<'_>, item: Borrowed<'_>) -> PyResult<()> {
    put(slf, item, false, None)
}

fn empty_error() -> Raised {
    // SAFETY: [GIL] made with the module.
    unsafe {
        PyErr_SetNone(EMPTY.get());
        Raised::assume()
    }
}

fn get(slf: Q<'_>, block: bool, timeout: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let deadline = match timeout {
        Some(t) if block => {
            // SAFETY: [ARGS]
            let ns = unsafe { object_to_ns(t.ob(), Round::Ceiling)? };
            if ns < 0 {
                bail!(PyExc_ValueError, "'timeout' must be a non-negative number");
            }
            Some(monotonic().saturating_add(ns))
        }
        _ => None,
    };
    let keep = slf.to_owned();
    let q = keep.as_ptr();
    loop {
        if let Some(item) = items(slf).pop_front() {
            return Ok(item);
        }
        if !block {
            return Err(empty_error());
        }
        let seen = slf.word.load(Acquire);
        // SAFETY: [GIL] the queue is kept; waiters are counted under the GIL, the word is atomic.
        let wake = unsafe {
            (*q).waiters += 1;
            let word = &raw const (*q).word;
            let wake = without_gil(|| futex_wait(&*word, seen, deadline));
            (*q).waiters -= 1;
            wake
        };
        match wake {
            Wake::Woken => {}
            Wake::TimedOut if items(slf).is_empty() => return Err(empty_error()),
            Wake::TimedOut => {}
            // SAFETY: [GIL]
            Wake::Interrupted => check_status(unsafe { Py_MakePendingCalls() })?,
        }
    }
}

fn get_nowait(slf: Q<'_>) -> PyResult<Owned> {
    get(slf, false, None)
}

fn empty(slf: Q<'_>) -> PyResult<bool> {
    Ok(items(slf).is_empty())
}

fn qsize(slf: Q<'_>) -> PyResult<usize> {
    Ok(items(slf).len())
}

methods! {
    static QUEUE_METHODS = [
        "empty($self, /)" => empty, "Whether the queue is empty now.";
        "get($self, /, block=True, timeout=None)" => get, "Take the first item out; wait for one if block, at most timeout seconds. Raises Empty when there is none.";
        "get_nowait($self, /)" => get_nowait, "Take the first item out; raises Empty when there is none.";
        "put($self, /, item, block=True, timeout=None)" => put, "Add an item at the end. It never waits: block and timeout are there for compatibility.";
        "put_nowait($self, /, item)" => put_nowait, "Add an item at the end.";
        "qsize($self, /)" => qsize, "How many items there are now.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "__class_getitem__($type, object, /)\n--\n\nA generic alias (PEP 585).";
    ];
}

/// `_queue.SimpleQueue`.
static mut SimpleQueue_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_queue.SimpleQueue".as_ptr(),
    tp_basicsize: size_of::<SimpleQueue>() as Py_ssize_t,
    tp_dealloc: Some(queue_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"SimpleQueue()\n--\n\nA queue without bound, first in, first out. It can be used from destructors and signal handlers.".as_ptr(),
    tp_traverse: Some(queue_traverse),
    tp_clear: Some(queue_clear),
    tp_weaklistoffset: core::mem::offset_of!(SimpleQueue, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut QUEUE_METHODS).cast(),
    tp_new: Some(queue_new),
    ..TYPE_INIT
};

methods! {
    static METHODS = [];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        let doc = c"Raised by get() and get_nowait() of an empty queue.";
        let exc = Owned::from_owned_or_err(PyErr_NewExceptionWithDoc(c"_queue.Empty".as_ptr(), doc.as_ptr(), null_mut(), null_mut()))?;
        EMPTY.set(Some(exc.clone()));
        add_object(module, c"Empty", Ok(exc))?;
        add_type(module, &raw mut SimpleQueue_Type)
    }
}

module! {
    /// Entry point.
    pub fn PyInit__queue = "_queue", "The native part of the module queue.", methods: METHODS, exec: exec;
}
