//! The module `_interpchannels`: channels, which interpreters send to and receive from, by number.

use crate::support::*;
use crate::support::{PyInterpreterState_GetID, PyInterpreterState_Head, PyInterpreterState_Next};
use core::cell::Cell;
use core::ffi::{CStr, c_int, c_longlong, c_void};
use core::ptr::null_mut;
use std::collections::VecDeque;
use std::sync::Arc;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::module::{add_object, add_type};
use taipan_clinic::support::{boolean, int, none, string, tuple};
use taipan_clinic::{FromArg, getset, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

unsafe extern "C" {
    // python: thread
    fn PyThread_allocate_lock() -> *mut c_void;
    fn PyThread_free_lock(lock: *mut c_void);
    fn PyThread_acquire_lock(lock: *mut c_void, wait: c_int) -> c_int;
    fn PyThread_release_lock(lock: *mut c_void);
    fn PyThread_acquire_lock_timed_with_retries(lock: *mut c_void, timeout: c_longlong) -> c_int;
    fn PyThread_ParseTimeoutArg(arg: *mut PyObject, blocking: c_int, timeout: *mut c_longlong) -> c_int;
}

// ---- channels

/// A sender that waits until its object is received.
struct Waiting {
    /// Taken as long as it waits.
    lock: *mut c_void,
    released: Cell<bool>,
    received: Cell<bool>,
}
// SAFETY: [GIL] cells are used only with the GIL held.
unsafe impl Send for Waiting {}
// SAFETY: [GIL] as above.
unsafe impl Sync for Waiting {}

impl Waiting {
    fn new() -> PyResult<Arc<Waiting>> {
        // SAFETY: a new lock is free.
        unsafe {
            let lock = PyThread_allocate_lock();
            if lock.is_null() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            PyThread_acquire_lock(lock, 0);
            Ok(Arc::new(Waiting { lock, released: Cell::new(false), received: Cell::new(false) }))
        }
    }
    /// Lets the sender go on.
    fn release(&self, received: bool) {
        if !self.released.replace(true) {
            self.received.set(received);
            // SAFETY: taken by new.
            unsafe { PyThread_release_lock(self.lock) };
        }
    }
}
impl Drop for Waiting {
    fn drop(&mut self) {
        // SAFETY: nobody waits: the sender holds a reference while it does.
        unsafe { PyThread_free_lock(self.lock) };
    }
}

struct Item {
    number: u64,
    /// The interpreter that sent it.
    interpid: i64,
    /// `None` once that one has ended.
    data: Option<Parcel>,
    waiting: Option<Arc<Waiting>>,
    unboundop: i32,
}
impl Drop for Item {
    fn drop(&mut self) {
        if let Some(w) = self.waiting.take() {
            w.release(false);
        }
    }
}

/// An interpreter that has used one end of a channel.
struct End {
    interpid: i64,
    open: bool,
}

/// The interpreters at one end, and how many have it open.
#[derive(Default)]
struct Ends {
    all: Vec<End>,
    open: i64,
}

impl Ends {
    fn find(&mut self, interpid: i64) -> Option<&mut End> {
        self.all.iter_mut().find(|e| e.interpid == interpid)
    }
    /// Notes that an interpreter uses the end; false if it has released it.
    fn associate(&mut self, interpid: i64) -> bool {
        if let Some(end) = self.find(interpid) {
            return end.open;
        }
        self.all.push(End { interpid, open: true });
        self.open += 1;
        true
    }
    /// The interpreter will use the end no more.
    fn release(&mut self, interpid: i64) {
        if self.find(interpid).is_none() {
            self.associate(interpid);
        }
        if let Some(end) = self.find(interpid) {
            end.open = false;
            self.open -= 1;
        }
    }
    fn release_all(&mut self) {
        for end in &mut self.all {
            end.open = false;
            self.open -= 1;
        }
    }
}

struct Channel {
    items: VecDeque<Item>,
    send: Ends,
    recv: Ends,
    unboundop: i32,
    open: bool,
    /// It takes no more objects and is closed with the last one.
    closing: bool,
}

impl Channel {
    /// Whether an interpreter may still use it: one does, or none has so far.
    fn is_open(&self) -> bool {
        self.send.open != 0 || self.recv.open != 0 || (self.send.all.is_empty() && self.recv.all.is_empty())
    }
}

/// A channel by its number; it stays as long as there are objects for it.
struct Entry {
    cid: i64,
    objects: isize,
    /// `None` once it is closed.
    channel: Option<Box<Channel>>,
}

/// The channels, oldest first; the numbers of the next channel and the next item.
static mut CHANNELS: (Vec<Entry>, i64, u64) = (Vec::new(), 0, 0);

fn entries() -> &'static mut Vec<Entry> {
    // SAFETY: [STATIC] no reference is kept over a call that may run Python code.
    unsafe { &mut (*(&raw mut CHANNELS)).0 }
}

static CHANNEL_ERROR: PerInterpreter = PerInterpreter::new();
static NOT_FOUND_ERROR: PerInterpreter = PerInterpreter::new();
static CLOSED_ERROR: PerInterpreter = PerInterpreter::new();
static EMPTY_ERROR: PerInterpreter = PerInterpreter::new();
static NOT_EMPTY_ERROR: PerInterpreter = PerInterpreter::new();
/// The classes of the ends, which the Python module registers.
static SEND_TYPE: PerInterpreter = PerInterpreter::new();
static RECV_TYPE: PerInterpreter = PerInterpreter::new();

#[cold]
fn not_found(cid: i64) -> Raised {
    raise_of(&NOT_FOUND_ERROR, &format!("channel {cid} not found"))
}
#[cold]
fn closed(cid: i64) -> Raised {
    raise_of(&CLOSED_ERROR, &format!("channel {cid} is closed"))
}
#[cold]
fn already_closed(cid: i64) -> Raised {
    raise_of(&CLOSED_ERROR, &format!("channel {cid} is already closed"))
}

fn find_entry(cid: i64) -> PyResult<&'static mut Entry> {
    entries().iter_mut().find(|e| e.cid == cid).ok_or_else(|| not_found(cid))
}

/// An open channel.
fn find(cid: i64) -> PyResult<&'static mut Channel> {
    match &mut find_entry(cid)?.channel {
        Some(c) if c.open => Ok(c),
        _ => Err(closed(cid)),
    }
}

/// Takes an entry out and does away with its channel.
fn remove_entry(cid: i64) -> PyResult<()> {
    let Some(i) = entries().iter().position(|e| e.cid == cid) else { return Err(not_found(cid)) };
    let entry = entries().remove(i);
    drop(entry);
    Ok(())
}

/// Closes a channel for good when it was only waiting for its last object.
fn finish_closing(cid: i64) {
    let Ok(entry) = find_entry(cid) else {
        // SAFETY: [EXC]
        unsafe { PyErr_Clear() };
        return;
    };
    if entry.channel.as_ref().is_some_and(|c| c.closing && c.items.is_empty()) {
        let channel = entry.channel.take();
        drop(channel);
    }
}

fn send(cid: i64, op: *mut PyObject, waiting: Option<&Arc<Waiting>>, unboundop: i32) -> PyResult<u64> {
    if find(cid)?.closing {
        return Err(closed(cid));
    }
    // SAFETY: live.
    let data = unsafe { Parcel::of(op)? };
    // Making the data may have run code that closed the channel.
    let channel = find(cid)?;
    let interpid = current_id();
    if !channel.send.associate(interpid) {
        drop(data);
        return Err(already_closed(cid));
    }
    // SAFETY: [STATIC]
    let next = unsafe { &mut (*(&raw mut CHANNELS)).2 };
    *next += 1;
    channel.items.push_back(Item { number: *next, interpid, data: Some(data), waiting: waiting.cloned(), unboundop });
    Ok(*next)
}

/// Sends, and waits until the object was received.
fn send_wait(cid: i64, op: *mut PyObject, unboundop: i32, timeout: c_longlong) -> PyResult<()> {
    let waiting = Waiting::new()?;
    let number = send(cid, op, Some(&waiting), unboundop)?;
    // SAFETY: [GIL]
    let status = unsafe { PyThread_acquire_lock_timed_with_retries(waiting.lock, timeout) };
    if status == 1 {
        if !waiting.received.get() {
            return Err(raise_of(&CLOSED_ERROR, &format!("channel {cid} has closed")));
        }
        return Ok(());
    }
    let failure = if status == 0 {
        raise!(PyExc_TimeoutError, "timed out")
    } else {
        // SAFETY: [EXC] a signal handler raised.
        unsafe { Raised::assume() }
    };
    if waiting.received.get() {
        // It was received in the last moment.
        failure.clear();
        return Ok(());
    }
    // The object must not be received any more.
    // SAFETY: [EXC] kept aside.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let mut taken = None;
        if let Some(channel) = entries().iter_mut().find(|e| e.cid == cid).and_then(|e| e.channel.as_mut())
            && let Some(i) = channel.items.iter().position(|i| i.number == number)
        {
            taken = channel.items.remove(i);
        }
        drop(taken);
        finish_closing(cid);
        PyErr_SetRaisedException(exc);
    }
    Err(failure)
}

/// What receiving gives.
enum Received {
    Object(Owned),
    /// The interpreter that sent it has ended.
    Unbound(i32),
    Empty,
}

fn recv(cid: i64) -> PyResult<Received> {
    let channel = find(cid)?;
    if !channel.recv.associate(current_id()) {
        return Err(already_closed(cid));
    }
    let Some(mut item) = channel.items.pop_front() else {
        if channel.closing {
            channel.open = false;
        }
        finish_closing(cid);
        return Ok(Received::Empty);
    };
    finish_closing(cid);
    let Some(data) = item.data.take() else { return Ok(Received::Unbound(item.unboundop)) };
    let op = data.open()?;
    if let Some(w) = item.waiting.take() {
        w.release(true);
    }
    Ok(Received::Object(op))
}

fn close(cid: i64, end: i32, force: bool) -> PyResult<()> {
    let entry = find_entry(cid)?;
    let Some(channel) = &mut entry.channel else { return Err(closed(cid)) };
    let sending = end == SEND;
    if !force && sending && channel.closing || !channel.open {
        return Err(closed(cid));
    }
    if !force && !channel.items.is_empty() {
        if !sending {
            return Err(raise_of(&NOT_EMPTY_ERROR, &format!("channel {cid} may not be closed if not empty (try force=True)")));
        }
        channel.closing = true;
        return Ok(());
    }
    channel.open = false;
    channel.send.release_all();
    channel.recv.release_all();
    let channel = entry.channel.take();
    drop(channel);
    Ok(())
}

fn release(cid: i64, which: i32) -> PyResult<()> {
    let channel = find(cid)?;
    let interpid = current_id();
    if which >= BOTH {
        channel.send.release(interpid);
    }
    if which <= BOTH {
        channel.recv.release(interpid);
    }
    channel.open = channel.is_open();
    Ok(())
}

unsafe extern "C" fn clear_interpreter(_: *mut c_void) {
    let id = current_id();
    let (mut data, mut gone) = (Vec::new(), Vec::new());
    for channel in entries().iter_mut().filter_map(|e| e.channel.as_mut()) {
        for mut item in core::mem::take(&mut channel.items) {
            if item.interpid == id
                && let Some(had) = item.data.take()
            {
                data.push(had);
                if item.unboundop == UNBOUND_REMOVE {
                    gone.push(item);
                    continue;
                }
            }
            channel.items.push_back(item);
        }
        for ends in [&mut channel.send, &mut channel.recv] {
            if ends.find(id).is_some() {
                ends.release(id);
            }
        }
        channel.open = channel.is_open();
    }
    drop(data);
    drop(gone);
}

// ---- ChannelID

const SEND: i32 = 1;
const BOTH: i32 = 0;
const RECV: i32 = -1;

/// `_interpchannels.ChannelID`.
#[repr(C)]
struct ChannelId {
    ob_base: PyObject,
    cid: i64,
    end: i32,
    resolve: bool,
    /// Whether it counts for the channel.
    counted: bool,
}
type C<'a> = Borrowed<'a, ChannelId>;

fn new_channel_id(cid: i64, end: i32, force: bool, resolve: bool) -> PyResult<Owned> {
    // SAFETY: [GIL] filled at once.
    unsafe {
        let op = Owned::from_owned_or_err(PyType_GenericAlloc(&raw mut CHANNEL_ID, 0))?;
        let slf = op.as_ptr().cast::<ChannelId>();
        (*slf).cid = cid;
        (*slf).end = end;
        (*slf).resolve = resolve;
        match find_entry(cid) {
            Ok(entry) => {
                entry.objects += 1;
                (*slf).counted = true;
            }
            Err(e) if force => e.clear(),
            Err(e) => return Err(e),
        }
        Ok(op)
    }
}

unsafe extern "C" fn channelid_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let (cid, counted) = ((*op.cast::<ChannelId>()).cid, (*op.cast::<ChannelId>()).counted);
        PyObject_Free(op.cast());
        if !counted {
            return;
        }
        // A channel goes with the last object for it.
        if let Some(entry) = entries().iter_mut().find(|e| e.cid == cid) {
            entry.objects -= 1;
            if entry.objects == 0 {
                let exc = PyErr_GetRaisedException();
                if let Err(e) = remove_entry(cid) {
                    e.clear();
                }
                PyErr_SetRaisedException(exc);
            }
        }
    }
}

unsafe fn slf<'a>(op: *mut PyObject) -> &'a ChannelId {
    // SAFETY: [TYPE]
    unsafe { &*op.cast::<ChannelId>() }
}

unsafe extern "C" fn channelid_repr(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let name = type_name(op);
        let short = name.rsplit('.').next().unwrap_or(&name);
        let end = match slf(op).end {
            SEND => ", send=True",
            RECV => ", recv=True",
            _ => "",
        };
        string(&format!("{short}({}{end})", slf(op).cid)).into_c()
    }
}
unsafe extern "C" fn channelid_str(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { string(&slf(op).cid.to_string()).into_c() }
}
unsafe extern "C" fn channelid_int(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { int(slf(op).cid).into_c() }
}
unsafe extern "C" fn channelid_hash(op: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        match int(slf(op).cid) {
            Ok(n) => PyObject_Hash(n.as_ptr()),
            Err(_) => -1,
        }
    }
}
unsafe extern "C" fn channelid_richcompare(op: *mut PyObject, other: *mut PyObject, how: c_int) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let not_implemented = || Owned::from_borrowed(Py_NotImplemented()).into_raw();
        if how != Py_EQ && how != Py_NE || PyObject_TypeCheck(op, &raw mut CHANNEL_ID) == 0 {
            return not_implemented();
        }
        let cid = slf(op).cid;
        let equal = if PyObject_TypeCheck(other, &raw mut CHANNEL_ID) != 0 {
            slf(op).end == slf(other).end && cid == slf(other).cid
        } else if PyLong_Check(other) != 0 {
            let mut overflow = 0;
            let n = PyLong_AsLongLongAndOverflow(other, &mut overflow);
            if n == -1 && err_occurred() {
                return null_mut();
            }
            overflow == 0 && n >= 0 && n == cid
        } else if PyNumber_Check(other) != 0 {
            return match int(cid) {
                Ok(n) => PyObject_RichCompare(n.as_ptr(), other, how),
                Err(_) => null_mut(),
            };
        } else {
            return not_implemented();
        };
        boolean(equal == (how == Py_EQ)).into_raw()
    }
}

fn channelid_end(slf: C<'_>) -> PyResult<&'static str> {
    Ok(match slf.end {
        SEND => "send",
        RECV => "recv",
        _ => "both",
    })
}
fn channelid_send(slf: C<'_>) -> PyResult<Owned> {
    new_channel_id(slf.cid, SEND, true, slf.resolve)
}
fn channelid_recv(slf: C<'_>) -> PyResult<Owned> {
    new_channel_id(slf.cid, RECV, true, slf.resolve)
}

getset! {
    static CHANNEL_ID_ATTRS = [
        "end" => channelid_end, "'send', 'recv' or 'both'.";
        "send" => channelid_send, "The same channel's sending end.";
        "recv" => channelid_recv, "The same channel's receiving end.";
    ];
}

static mut CHANNEL_ID_AS_NUMBER: PyNumberMethods = {
    // SAFETY: all-zero: no slot filled.
    let empty: PyNumberMethods = unsafe { core::mem::zeroed() };
    PyNumberMethods { nb_int: Some(channelid_int), nb_index: Some(channelid_int), ..empty }
};

static mut CHANNEL_ID: PyTypeObject = PyTypeObject {
    tp_name: c"_interpchannels.ChannelID".as_ptr(),
    tp_doc: c"The number of a channel, which can be used like an int.".as_ptr(),
    tp_basicsize: size_of::<ChannelId>() as Py_ssize_t,
    tp_dealloc: Some(channelid_dealloc),
    tp_repr: Some(channelid_repr),
    tp_str: Some(channelid_str),
    tp_hash: Some(channelid_hash),
    tp_richcompare: Some(channelid_richcompare),
    tp_as_number: &raw mut CHANNEL_ID_AS_NUMBER,
    tp_getset: (&raw mut CHANNEL_ID_ATTRS).cast(),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

/// A channel as an argument: a ChannelID or its number.
struct Cid {
    cid: i64,
    end: i32,
}

impl<'a> FromArg<'a> for Cid {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            if PyObject_TypeCheck(arg, &raw mut CHANNEL_ID) != 0 {
                return Ok(Cid { cid: slf(arg).cid, end: slf(arg).end });
            }
            if PyIndex_Check(arg) == 0 {
                bail!(PyExc_TypeError, "channel ID must be an int, got {}", type_name(arg));
            }
            let cid = PyLong_AsLongLong(arg);
            if cid == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if cid < 0 {
                PyErr_Format(PyExc_ValueError, c"channel ID must be a non-negative int, got %R".as_ptr(), arg);
                return Err(Raised::assume());
            }
            Ok(Cid { cid, end: BOTH })
        }
    }
}

// ---- channels that travel

/// What is told of a ChannelID.
struct Passed {
    cid: i64,
    end: i32,
    resolve: bool,
}

unsafe extern "C" fn free_passed(data: *mut c_void) {
    // SAFETY: [OWN] made by channelid_shared.
    drop(unsafe { Box::from_raw(data.cast::<Passed>()) });
}

unsafe fn end_type(end: i32) -> PyResult<Owned> {
    let cell = if end == SEND { &SEND_TYPE } else { &RECV_TYPE };
    // SAFETY: [GIL]
    unsafe {
        if cell.get().is_null() {
            // The Python module registers its classes.
            let mut m = PyImport_ImportModule(c"interpreters.channels".as_ptr());
            if m.is_null() {
                PyErr_Clear();
                m = PyImport_ImportModule(c"test.support.interpreters.channels".as_ptr());
            }
            drop(Owned::<PyObject>::from_owned_or_err(m)?);
        }
        if cell.get().is_null() {
            bail!(PyExc_RuntimeError, "no type of channel ends is registered");
        }
        Ok(Owned::from_borrowed(cell.get()))
    }
}

unsafe fn id_from_data(data: *mut CrossData) -> PyResult<(Owned, i32, bool)> {
    // SAFETY: [ARGS]
    unsafe {
        // The receiver may not have imported the module yet, with the exceptions that this may raise.
        drop(Owned::<PyObject>::from_owned_or_err(PyImport_ImportModule(c"_interpchannels".as_ptr()))?);
        let p = &*(*data).data.cast::<Passed>();
        Ok((new_channel_id(p.cid, p.end, false, false)?, p.end, p.resolve))
    }
}

unsafe extern "C" fn channelid_from_data(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    let make = || unsafe {
        let (id, end, resolve) = id_from_data(data)?;
        if end == BOTH || !resolve {
            return Ok(id);
        }
        let object = end_type(end).and_then(|t| Owned::from_owned_or_err(PyObject_CallOneArg(t.as_ptr(), id.as_ptr())));
        match object {
            Ok(o) => Ok(o),
            Err(e) => {
                e.clear();
                Ok(id)
            }
        }
    };
    make().into_c()
}

unsafe extern "C" fn channelid_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [TYPE] registered for this type.
    unsafe {
        let c = slf(op);
        let passed = Box::into_raw(Box::new(Passed { cid: c.cid, end: c.end, resolve: c.resolve }));
        _PyCrossInterpreterData_Init(data, (*ts).interp, passed.cast(), op, Some(channelid_from_data));
        (*data).free = Some(free_passed);
        0
    }
}

unsafe extern "C" fn end_from_data(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    let make = || unsafe {
        let (id, end, _) = id_from_data(data)?;
        let class = end_type(end)?;
        Owned::from_owned_or_err(PyObject_CallOneArg(class.as_ptr(), id.as_ptr()))
    };
    make().into_c()
}

unsafe extern "C" fn end_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        let id = Owned::from_owned_or_err(PyObject_GetAttrString(op, c"_id".as_ptr()))?;
        if PyObject_TypeCheck(id.as_ptr(), &raw mut CHANNEL_ID) == 0 {
            bail!(PyExc_TypeError, "channel ID must be a ChannelID, got {}", type_name(id.as_ptr()));
        }
        check_status(channelid_shared(ts, id.as_ptr(), data))?;
        (*data).new_object = Some(end_from_data);
        Ok(())
    })();
    r.into_c()
}

// ---- functions

fn channels_create(_: (), unboundop: i32) -> PyResult<Owned> {
    check_unbound(unboundop)?;
    // SAFETY: [STATIC]
    let next = unsafe { &mut (*(&raw mut CHANNELS)).1 };
    let cid = *next;
    *next += 1;
    let channel = Channel { items: VecDeque::new(), send: Ends::default(), recv: Ends::default(), unboundop, open: true, closing: false };
    entries().push(Entry { cid, objects: 0, channel: Some(Box::new(channel)) });
    new_channel_id(cid, BOTH, false, false)
}
fn channels_destroy(_: (), cid: Cid) -> PyResult<()> {
    remove_entry(cid.cid)
}
fn channels_list_all(_: ()) -> PyResult<Owned> {
    let all: Vec<(i64, i32)> = entries().iter().rev().map(|e| (e.cid, e.channel.as_ref().map_or(UNBOUND_REPLACE, |c| c.unboundop))).collect();
    // SAFETY: [GIL]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for (cid, unboundop) in all {
            let item = tuple(vec![new_channel_id(cid, BOTH, false, false)?, int(unboundop as i64)?])?;
            check_status(PyList_Append(list.as_ptr(), item.as_ptr()))?;
        }
        Ok(list)
    }
}
fn channels_list_interpreters(_: (), cid: Cid, send: bool) -> PyResult<Owned> {
    // SAFETY: [GIL] interpreters come and go with the GIL held.
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let mut interp = PyInterpreterState_Head();
        while !interp.is_null() {
            let id = PyInterpreterState_GetID(interp);
            let channel = find(cid.cid)?;
            if send && channel.closing {
                return Err(closed(cid.cid));
            }
            let ends = if send { &mut channel.send } else { &mut channel.recv };
            if ends.find(id).is_some_and(|e| e.open) {
                check_status(PyList_Insert(list.as_ptr(), 0, int(id)?.as_ptr()))?;
            }
            interp = PyInterpreterState_Next(interp);
        }
        Ok(list)
    }
}

unsafe fn send_object(cid: Cid, op: *mut PyObject, unboundop: i32, blocking: bool, timeout: Option<Borrowed<'_>>) -> PyResult<()> {
    check_unbound(unboundop)?;
    let mut ns = 0;
    // SAFETY: [ARGS]
    check_status(unsafe { PyThread_ParseTimeoutArg(timeout.map_or(null_mut(), |t| t.ob()), blocking as c_int, &mut ns) })?;
    if blocking { send_wait(cid.cid, op, unboundop, ns) } else { send(cid.cid, op, None, unboundop).map(drop) }
}
fn channels_send(_: (), cid: Cid, obj: Borrowed<'_>, unboundop: i32, blocking: bool, timeout: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: live.
    unsafe { send_object(cid, obj.ob(), unboundop, blocking, timeout) }
}
fn channels_send_buffer(_: (), cid: Cid, obj: Borrowed<'_>, unboundop: i32, blocking: bool, timeout: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        let view = Owned::from_owned_or_err(PyMemoryView_FromObject(obj.ob()))?;
        send_object(cid, view.as_ptr(), unboundop, blocking, timeout)
    }
}
fn channels_recv(_: (), cid: Cid, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    match recv(cid.cid)? {
        Received::Object(o) => tuple(vec![o, none()]),
        Received::Unbound(op) => tuple(vec![none(), int(op as i64)?]),
        Received::Empty => match default {
            Some(d) => tuple(vec![d.to_owned(), none()]),
            None => Err(raise_of(&EMPTY_ERROR, &format!("channel {} is empty", cid.cid))),
        },
    }
}
fn channels_close(_: (), cid: Cid, send: bool, recv: bool, force: bool) -> PyResult<()> {
    close(cid.cid, send as i32 - recv as i32, force)
}
fn channels_release(_: (), cid: Cid, send: bool, recv: bool, force: bool) -> PyResult<()> {
    let _ = force;
    release(cid.cid, send as i32 - recv as i32)
}
fn channels_get_count(_: (), cid: Cid) -> PyResult<isize> {
    Ok(find(cid.cid)?.items.len() as isize)
}
fn channels_get_channel_defaults(_: (), cid: Cid) -> PyResult<i32> {
    Ok(find(cid.cid)?.unboundop)
}

/// The type of [`channels_get_info`]'s result, common to all interpreters.
static mut INFO_TYPE: *mut PyTypeObject = null_mut();

fn info_type() -> PyResult<*mut PyTypeObject> {
    const FIELDS: [(&CStr, &CStr); 16] = [
        (c"open", c"both ends are open"),
        (c"closing", c"it takes no more objects, but still holds some"),
        (c"closed", c"both ends are closed"),
        (c"count", c"objects that wait"),
        (c"num_interp_send", c"interpreters at the sending end only"),
        (c"num_interp_send_released", c"interpreters that were at the sending end only"),
        (c"num_interp_recv", c"interpreters at the receiving end only"),
        (c"num_interp_recv_released", c"interpreters that were at the receiving end only"),
        (c"num_interp_both", c"interpreters at both ends"),
        (c"num_interp_both_released", c"interpreters that were at both ends"),
        (c"num_interp_both_send_released", c"interpreters that were at both ends and have left the sending one"),
        (c"num_interp_both_recv_released", c"interpreters that were at both ends and have left the receiving one"),
        (c"send_associated", c"this interpreter is at the sending end"),
        (c"send_released", c"this interpreter was at the sending end"),
        (c"recv_associated", c"this interpreter is at the receiving end"),
        (c"recv_released", c"this interpreter was at the receiving end"),
    ];
    // SAFETY: [STATIC] texts are static.
    unsafe {
        if INFO_TYPE.is_null() {
            let mut fields: Vec<PyStructSequence_Field> = FIELDS.iter().map(|(n, d)| PyStructSequence_Field { name: n.as_ptr(), doc: d.as_ptr() }).collect();
            fields.push(PyStructSequence_Field { name: core::ptr::null(), doc: core::ptr::null() });
            let mut desc = PyStructSequence_Desc {
                name: c"_interpchannels.ChannelInfo".as_ptr(),
                doc: c"ChannelInfo\n\nThe state of a channel.".as_ptr(),
                fields: fields.as_mut_ptr(),
                n_in_sequence: 8,
            };
            INFO_TYPE = Owned::from_owned_or_err(PyStructSequence_NewType(&mut desc))?.into_raw();
        }
        Ok(INFO_TYPE)
    }
}

fn channels_get_info(_: (), cid: Cid) -> PyResult<Owned> {
    let me = current_id();
    let entry = find_entry(cid.cid)?;
    let (mut state, mut count) = (1, 0);
    // Only sending, only receiving, both; open and released, and of the last the mixed ones.
    let [mut s, mut s_gone, mut r, mut r_gone, mut both, mut both_gone, mut both_s_gone, mut both_r_gone] = [0i64; 8];
    let (mut my_send, mut my_recv) = (0, 0);
    if let Some(channel) = entry.channel.as_ref().filter(|c| c.open) {
        state = if channel.closing { -1 } else { 0 };
        count = channel.items.len() as i64;
        let mine = |ends: &Ends| ends.all.iter().find(|e| e.interpid == me).map_or(0, |e| if e.open { 1 } else { -1 });
        my_send = mine(&channel.send);
        my_recv = mine(&channel.recv);
        for end in &channel.send.all {
            let other = channel.recv.all.iter().find(|e| e.interpid == end.interpid);
            match (end.open, other.map(|o| o.open)) {
                (true, None) => s += 1,
                (false, None) => s_gone += 1,
                (true, Some(true)) => both += 1,
                (false, Some(true)) => both_r_gone += 1,
                (true, Some(false)) => both_s_gone += 1,
                (false, Some(false)) => both_gone += 1,
            }
        }
        for end in &channel.recv.all {
            if !channel.send.all.iter().any(|e| e.interpid == end.interpid) {
                if end.open { r += 1 } else { r_gone += 1 }
            }
        }
    }
    // SAFETY: [GIL] sixteen fields.
    unsafe {
        let op = Owned::from_owned_or_err(PyStructSequence_New(info_type()?))?;
        let mut values = vec![boolean(state == 0), boolean(state == -1), boolean(state == 1)];
        for n in [count, s, s_gone, r, r_gone, both, both_gone, both_s_gone, both_r_gone] {
            values.push(int(n)?);
        }
        values.extend([boolean(my_send == 1), boolean(my_send == -1), boolean(my_recv == 1), boolean(my_recv == -1)]);
        for (i, v) in values.into_iter().enumerate() {
            PyStructSequence_SetItem(op.as_ptr(), i as Py_ssize_t, v.into_raw());
        }
        Ok(op)
    }
}

fn channels_channel_id(_: (), id: Cid, send: Option<bool>, recv: Option<bool>, force: bool, resolve: bool) -> PyResult<Owned> {
    let end = match (send, recv) {
        (Some(false), Some(false)) => bail!(PyExc_ValueError, "'send' and 'recv' cannot both be False"),
        (Some(true), Some(true)) => BOTH,
        (Some(true), _) => SEND,
        (_, Some(true)) => RECV,
        _ => id.end,
    };
    new_channel_id(id.cid, end, force, resolve)
}

fn channels_register_end_types(_: (), send: Borrowed<'_>, recv: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live.
    unsafe {
        if PyType_Check(send.ob()) == 0 {
            bail!(PyExc_TypeError, "expected a type for 'send'");
        }
        if PyType_Check(recv.ob()) == 0 {
            bail!(PyExc_TypeError, "expected a type for 'recv'");
        }
        for (cell, class) in [(&SEND_TYPE, send), (&RECV_TYPE, recv)] {
            let old = cell.get();
            if !old.is_null() {
                // The Python module was imported afresh.
                _PyCrossInterpreterData_UnregisterClass(old.cast());
                cell.set(None);
            }
            check_status(_PyCrossInterpreterData_RegisterClass(class.ob().cast(), Some(end_shared)))?;
            cell.set(Some(class.to_owned()));
        }
        Ok(())
    }
}

methods! {
    static METHODS = [
        "create($module, /, unboundop)" => channels_create, "Make a channel; returns its ChannelID.";
        "destroy($module, /, cid)" => channels_destroy, "Do away with a channel and what it holds.";
        "list_all($module, /)" => channels_list_all, "ChannelID and unboundop of each channel.";
        "list_interpreters($module, /, cid, *, send)" => channels_list_interpreters, "Numbers of the interpreters at one end.";
        "send($module, /, cid, obj, unboundop=3, *, blocking=True, timeout=None)" => channels_send, "Send an object, and wait until it is received.";
        "send_buffer($module, /, cid, obj, unboundop=3, *, blocking=True, timeout=None)" => channels_send_buffer, "Send an object's buffer, and wait until it is received.";
        "recv($module, /, cid, default=<unrepresentable>)" => channels_recv, "Take the oldest object: (obj, None), or (None, unboundop) if its interpreter has ended.";
        "close($module, /, cid, *, send=False, recv=False, force=False)" => channels_close, "Close a channel for all interpreters. One that holds objects is closed only if\nforced, or after the last one if only the sending end is closed.";
        "release($module, /, cid, *, send=False, recv=False, force=False)" => channels_release, "Close ends for this interpreter, by default both.";
        "get_count($module, /, cid)" => channels_get_count, "How many objects a channel holds.";
        "get_info($module, /, cid)" => channels_get_info, "The state of a channel.";
        "get_channel_defaults($module, /, cid)" => channels_get_channel_defaults, "The unboundop that a channel was made with.";
        "_channel_id($module, /, id, *, send=<unrepresentable>, recv=<unrepresentable>, force=False, _resolve=False)" => channels_channel_id, "A ChannelID of a number.";
        "_register_end_types($module, /, send, recv)" => channels_register_end_types, "Tell the classes of the Python module.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    let add = |cell, full: &CStr, name: &CStr, base| add_exception(module, cell, full, name, base);
    // SAFETY: [GIL] exception classes and static types.
    unsafe {
        add(&CHANNEL_ERROR, c"_interpchannels.ChannelError", c"ChannelError", PyExc_RuntimeError)?;
        let base = CHANNEL_ERROR.get();
        add(&NOT_FOUND_ERROR, c"_interpchannels.ChannelNotFoundError", c"ChannelNotFoundError", base)?;
        add(&CLOSED_ERROR, c"_interpchannels.ChannelClosedError", c"ChannelClosedError", base)?;
        add(&EMPTY_ERROR, c"_interpchannels.ChannelEmptyError", c"ChannelEmptyError", base)?;
        add(&NOT_EMPTY_ERROR, c"_interpchannels.ChannelNotEmptyError", c"ChannelNotEmptyError", base)?;
        add_object(module, c"ChannelInfo", Ok(Owned::from_borrowed(info_type()?.cast())))?;
        add_type(module, &raw mut CHANNEL_ID)?;
        check_status(_PyCrossInterpreterData_RegisterClass(&raw mut CHANNEL_ID, Some(channelid_shared)))?;
    }
    at_exit(clear_interpreter)
}

module! {
    /// Entry point of `_interpchannels`.
    pub fn PyInit__interpchannels = "_interpchannels", "Channels between interpreters, by number.", methods: METHODS, exec: exec;
}
