//! Tracing of memory allocations: where each block that is in use was allocated (`tracemalloc.h`).
//!
//! While tracing is on, the allocators of the three domains are wrapped, and the collector's allocator reports to this
//! file. What is recorded lives in the C library's memory, which is not traced.

use crate::frame::{Frame, first_complete};
use crate::util::*;
use core::ffi::{c_int, c_uint, c_void};
use core::hash::{BuildHasherDefault, Hash, Hasher};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::*};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use taipan_abi::*;
use taipan_objects::gc::{_Py_gc_hooks, GC_HOOK_TRACE};
use taipan_objects::object::{PyRefTracer_GetTracer, PyRefTracer_SetTracer};

/// Most frames that a trace may keep.
const MAX_NFRAME: c_int = 65535;

/// Multiplies words: keys are addresses and the like.
#[derive(Default)]
struct WordHasher(u64);
impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u64(b as u64);
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n as u64);
    }
}
type Hash64 = BuildHasherDefault<WordHasher>;

/// A line of a file; the tables keep a reference to the file's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TraceFrame {
    filename: usize,
    lineno: u32,
}

/// Where a block was allocated: the innermost frames, and how many there were.
#[derive(PartialEq, Eq, Hash)]
struct Traceback {
    frames: Vec<TraceFrame>,
    total: u16,
}

#[derive(Clone)]
struct Trace {
    size: usize,
    traceback: Arc<Traceback>,
}

#[derive(Default)]
struct Tables {
    max_nframe: usize,
    /// By domain and address.
    traces: HashMap<(u32, usize), Trace, Hash64>,
    tracebacks: HashSet<Arc<Traceback>, Hash64>,
    /// Names that are kept alive, by their address.
    filenames: HashSet<usize, Hash64>,
    traced: usize,
    peak: usize,
}

static TRACING: AtomicBool = AtomicBool::new(false);
static TABLES: Mutex<Option<Tables>> = Mutex::new(None);
static mut ORIGINAL: [PyMemAllocatorEx; 3] =
    [const { PyMemAllocatorEx { ctx: null_mut(), malloc: None, calloc: None, realloc: None, free: None } }; 3];

thread_local! {
    /// Set while an allocation is being recorded, or traces are being turned into objects.
    static BUSY: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

fn tables() -> MutexGuard<'static, Option<Tables>> {
    TABLES.lock().unwrap_or_else(|e| e.into_inner())
}

struct Busy(bool);
impl Busy {
    fn enter() -> Busy {
        Busy(BUSY.replace(true))
    }
}
impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(self.0);
    }
}

/// The name that stands for files without one.
fn unknown() -> *mut PyObject {
    intern!("<unknown>")
}

impl Tables {
    /// Where the running thread is.
    unsafe fn traceback(&mut self) -> Arc<Traceback> {
        let mut tb = Traceback { frames: Vec::new(), total: 0 };
        // SAFETY: [GIL] frames are walked, no object is made.
        unsafe {
            let ts = current_tstate();
            let mut f: Frame = if ts.is_null() { null_mut() } else { first_complete((*ts).current_frame) };
            while !f.is_null() {
                if tb.frames.len() < self.max_nframe {
                    let line = crate::frameobject::PyUnstable_InterpreterFrame_GetLine(f).max(0) as u32;
                    let mut name = (*(*f).f_executable.cast::<PyCodeObject>()).co_filename;
                    if name.is_null() || PyUnicode_Check(name) == 0 {
                        name = unknown();
                    }
                    if self.filenames.insert(name as usize) {
                        Py_INCREF(name);
                    }
                    tb.frames.push(TraceFrame { filename: name as usize, lineno: line });
                }
                tb.total = tb.total.saturating_add(1);
                f = first_complete((*f).previous);
            }
            if tb.frames.is_empty() {
                let name = unknown();
                if self.filenames.insert(name as usize) {
                    Py_INCREF(name);
                }
                tb.frames.push(TraceFrame { filename: name as usize, lineno: 0 });
                tb.total = 1;
            }
        }
        if let Some(known) = self.tracebacks.get(&tb) {
            return known.clone();
        }
        let new = Arc::new(tb);
        self.tracebacks.insert(new.clone());
        new
    }

    unsafe fn add(&mut self, domain: u32, ptr: usize, size: usize) {
        // SAFETY: [GIL]
        let traceback = unsafe { self.traceback() };
        if let Some(old) = self.traces.insert((domain, ptr), Trace { size, traceback }) {
            self.traced -= old.size;
        }
        self.traced += size;
        self.peak = self.peak.max(self.traced);
    }

    fn remove(&mut self, domain: u32, ptr: usize) {
        if let Some(old) = self.traces.remove(&(domain, ptr)) {
            self.traced -= old.size;
        }
    }

    /// Forgets all traces; the names that were kept.
    fn clear(&mut self) -> Vec<usize> {
        self.traces.clear();
        self.tracebacks.clear();
        self.traced = 0;
        self.peak = 0;
        self.filenames.drain().collect()
    }
}

fn release_names(names: Vec<usize>) {
    for n in names {
        // SAFETY: [OWN] the tables had counted them; [GIL].
        unsafe { Py_DECREF(n as *mut PyObject) };
    }
}

/// Records a block; the GIL is held.
unsafe fn record(domain: u32, ptr: usize, size: usize) {
    if BUSY.get() {
        return;
    }
    let _busy = Busy::enter();
    if let Some(t) = tables().as_mut() {
        // SAFETY: [GIL]
        unsafe { t.add(domain, ptr, size) };
    }
}

fn forget(domain: u32, ptr: usize) {
    if let Some(t) = tables().as_mut() {
        t.remove(domain, ptr);
    }
}

// ---- wrapped allocators; `ctx` is the original

unsafe fn original<'a>(ctx: *mut c_void) -> &'a PyMemAllocatorEx {
    // SAFETY: [ARGS] an entry of ORIGINAL.
    unsafe { &*ctx.cast::<PyMemAllocatorEx>() }
}

unsafe fn is_raw(ctx: *mut c_void) -> bool {
    ctx.cast::<PyMemAllocatorEx>().cast_const() == (&raw const ORIGINAL).cast()
}

/// Records a block of a wrapped allocator; one of the raw domain may come without the GIL.
unsafe fn record_block(ctx: *mut c_void, p: *mut c_void, size: usize) {
    if p.is_null() || BUSY.get() {
        return;
    }
    // SAFETY: [ARGS]
    unsafe {
        if is_raw(ctx) && current_tstate().is_null() {
            let _busy = Busy::enter();
            let state = PyGILState_Ensure();
            if let Some(t) = tables().as_mut() {
                t.add(0, p as usize, size);
            }
            PyGILState_Release(state);
            return;
        }
        record(0, p as usize, size);
    }
}

unsafe extern "C" fn traced_malloc(ctx: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let p = original(ctx).malloc.map_or(null_mut(), |f| f(original(ctx).ctx, n));
        record_block(ctx, p, n);
        p
    }
}
unsafe extern "C" fn traced_calloc(ctx: *mut c_void, n: usize, size: usize) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let p = original(ctx).calloc.map_or(null_mut(), |f| f(original(ctx).ctx, n, size));
        record_block(ctx, p, n.saturating_mul(size));
        p
    }
}
unsafe extern "C" fn traced_realloc(ctx: *mut c_void, old: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let p = original(ctx).realloc.map_or(null_mut(), |f| f(original(ctx).ctx, old, n));
        if !p.is_null() {
            if !old.is_null() && old != p {
                forget(0, old as usize);
            }
            record_block(ctx, p, n);
        }
        p
    }
}
unsafe extern "C" fn traced_free(ctx: *mut c_void, p: *mut c_void) {
    // SAFETY: [ARGS]
    unsafe {
        if p.is_null() {
            return;
        }
        forget(0, p as usize);
        if let Some(f) = original(ctx).free {
            f(original(ctx).ctx, p);
        }
    }
}

/// The collector's allocator has given memory away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceMalloc_GCAlloc(ptr: *mut c_void, size: usize) {
    // SAFETY: [GIL]
    unsafe { record(0, ptr as usize, size) }
}

/// The collector's allocator has got memory back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceMalloc_GCFree(ptr: *mut c_void) {
    forget(0, ptr as usize);
}

/// A tracer of references: an object that is made in memory which was only put aside (a free list) belongs to where it is
/// made now.
unsafe extern "C" fn trace_reference(op: *mut PyObject, event: c_int, _: *mut c_void) -> c_int {
    if event != 0 || BUSY.get() {
        return 0;
    }
    let _busy = Busy::enter();
    if let Some(t) = tables().as_mut() {
        // SAFETY: [GIL] the object has its type.
        unsafe {
            let block = (0, op as usize - taipan_objects::gc::preheader_size((*op).ob_type));
            if t.traces.contains_key(&block) {
                let traceback = t.traceback();
                if let Some(trace) = t.traces.get_mut(&block) {
                    trace.traceback = traceback;
                }
            }
        }
    }
    0
}

// ---- on and off

const DOMAINS: [PyMemAllocatorDomain; 3] =
    [PyMemAllocatorDomain::PYMEM_DOMAIN_RAW, PyMemAllocatorDomain::PYMEM_DOMAIN_MEM, PyMemAllocatorDomain::PYMEM_DOMAIN_OBJ];

/// Starts tracing, keeping `nframe` frames of each block.
pub fn start(nframe: c_int) -> PyResult<()> {
    if !(1..=MAX_NFRAME).contains(&nframe) {
        bail!(PyExc_ValueError, "the number of frames must be in range [1; {}]", MAX_NFRAME);
    }
    if TRACING.load(Relaxed) {
        return Ok(());
    }
    *tables() = Some(Tables { max_nframe: nframe as usize, ..Tables::default() });
    unknown();
    // SAFETY: [GIL] the wrappers call the originals, which stay where they are.
    unsafe {
        let hooks = _Py_gc_hooks;
        for (i, &domain) in DOMAINS.iter().enumerate() {
            let slot = (&raw mut ORIGINAL).cast::<PyMemAllocatorEx>().add(i);
            PyMem_GetAllocator(domain, slot);
            let mut wrapped = PyMemAllocatorEx {
                ctx: slot.cast(),
                malloc: Some(core::mem::transmute::<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void, _>(traced_malloc)),
                calloc: Some(core::mem::transmute::<unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void, _>(traced_calloc)),
                realloc: Some(core::mem::transmute::<unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void, _>(traced_realloc)),
                free: Some(core::mem::transmute::<unsafe extern "C" fn(*mut c_void, *mut c_void), _>(traced_free)),
            };
            PyMem_SetAllocator(domain, &mut wrapped);
        }
        // The wrappers refuse nothing that what they wrap gives.
        _Py_gc_hooks = hooks | GC_HOOK_TRACE;
        if PyRefTracer_GetTracer(null_mut()).is_none() {
            PyRefTracer_SetTracer(Some(trace_reference), null_mut());
        }
    }
    TRACING.store(true, Release);
    Ok(())
}

/// Stops tracing and forgets all traces.
pub fn stop() {
    if !TRACING.swap(false, AcqRel) {
        return;
    }
    // SAFETY: [GIL] what was replaced is put back.
    unsafe {
        _Py_gc_hooks &= !GC_HOOK_TRACE;
        if PyRefTracer_GetTracer(null_mut()).is_some_and(|f| core::ptr::fn_addr_eq(f, trace_reference as PyRefTracer)) {
            PyRefTracer_SetTracer(None, null_mut());
        }
        for (i, &domain) in DOMAINS.iter().enumerate() {
            PyMem_SetAllocator(domain, (&raw mut ORIGINAL).cast::<PyMemAllocatorEx>().add(i));
        }
    }
    let old = tables().take();
    if let Some(mut t) = old {
        release_names(t.clear());
    }
}

/// Whether allocations are traced.
pub fn is_tracing() -> bool {
    TRACING.load(Relaxed)
}

/// Forgets all traces.
pub fn clear_traces() {
    let names = tables().as_mut().map(Tables::clear);
    release_names(names.unwrap_or_default());
}

/// How many frames of each block are kept.
pub fn traceback_limit() -> usize {
    tables().as_ref().map_or(1, |t| t.max_nframe)
}

/// Bytes that are in use now, and the most there were.
pub fn traced_memory() -> (usize, usize) {
    tables().as_ref().map_or((0, 0), |t| (t.traced, t.peak))
}

/// Takes what is in use now as the most there was.
pub fn reset_peak() {
    if let Some(t) = tables().as_mut() {
        t.peak = t.traced;
    }
}

/// Bytes that the records take, about.
pub fn tracemalloc_memory() -> usize {
    tables().as_ref().map_or(0, |t| {
        let entry = size_of::<((u32, usize), Trace)>() + 1;
        let frames: usize = t.tracebacks.iter().map(|b| size_of::<Traceback>() + 16 + b.frames.capacity() * size_of::<TraceFrame>()).sum();
        t.traces.capacity() * entry + t.tracebacks.capacity() * 9 + t.filenames.capacity() * 9 + frames
    })
}

// ---- traces as objects

unsafe fn traceback_object(tb: &Traceback) -> PyResult<Owned> {
    let mut frames = Vec::with_capacity(tb.frames.len());
    for f in &tb.frames {
        // SAFETY: the tables keep the name.
        let name = unsafe { Owned::from_borrowed(f.filename as *mut PyObject) };
        frames.push(pack(vec![name, new_int(f.lineno as i64)?])?);
    }
    pack(frames)
}

fn pack(items: Vec<Owned>) -> PyResult<Owned> {
    let raw: Vec<*mut PyObject> = items.into_iter().map(Owned::into_raw).collect();
    // SAFETY: [OWN] the references are given away.
    unsafe { own(_PyTuple_FromArraySteal(raw.as_ptr(), raw.len() as Py_ssize_t)) }
}

/// All traces: tuples (domain, size, traceback, number of frames).
pub fn get_traces() -> PyResult<Owned> {
    let _busy = Busy::enter();
    let all: Vec<(u32, Trace)> =
        tables().as_ref().map_or(Vec::new(), |t| t.traces.iter().map(|(&(domain, _), trace)| (domain, trace.clone())).collect());
    let mut made: HashMap<*const Traceback, Owned, Hash64> = HashMap::default();
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        for (domain, trace) in all {
            let key = Arc::as_ptr(&trace.traceback);
            let tb = match made.get(&key) {
                Some(tb) => tb.clone(),
                None => {
                    let tb = traceback_object(&trace.traceback)?;
                    made.insert(key, tb.clone());
                    tb
                }
            };
            let item = pack(vec![new_int(domain as i64)?, new_int(trace.size as i64)?, tb, new_int(trace.traceback.total as i64)?])?;
            check_status(PyList_Append(list.as_ptr(), item.as_ptr()))?;
        }
        Ok(list)
    }
}

fn get_traceback(domain: u32, ptr: usize) -> PyResult<Option<Owned>> {
    let found = tables().as_ref().and_then(|t| t.traces.get(&(domain, ptr)).map(|t| t.traceback.clone()));
    match found {
        // SAFETY: the tables keep the names.
        Some(tb) => unsafe { traceback_object(&tb).map(Some) },
        None => Ok(None),
    }
}

/// Where an object was allocated.
///
/// # Safety
/// `obj` is live.
pub unsafe fn object_traceback(obj: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS] collected objects start with their pre-header.
    let pre = unsafe { taipan_objects::gc::preheader_size((*obj).ob_type) };
    get_traceback(0, obj as usize - pre)
}

// ---- for extensions

/// Reports a block that an extension has allocated; -2 when nobody traces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceMalloc_Track(domain: c_uint, ptr: usize, size: usize) -> c_int {
    if !is_tracing() {
        return -2;
    }
    // SAFETY: the GIL is taken.
    unsafe {
        let state = PyGILState_Ensure();
        record(domain, ptr, size);
        PyGILState_Release(state);
    }
    0
}

/// Takes a report back; -2 when nobody traces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceMalloc_Untrack(domain: c_uint, ptr: usize) -> c_int {
    if !is_tracing() {
        return -2;
    }
    forget(domain, ptr);
    0
}

/// Writes where a block was allocated to a descriptor, or how to find out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMem_DumpTraceback(fd: c_int, ptr: *const c_void) {
    let write = |text: &str| {
        // SAFETY: writing to a descriptor; a failure changes nothing.
        unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
    };
    if !is_tracing() {
        write("Enable tracemalloc to get the memory block allocation traceback\n\n");
        return;
    }
    let found = tables().as_ref().and_then(|t| t.traces.get(&(0, ptr as usize)).map(|t| t.traceback.clone()));
    let Some(traceback) = found else { return };
    write("Memory block allocated at (most recent call first):\n");
    for f in &traceback.frames {
        // SAFETY: the tables keep the name.
        let name = unsafe { lossy(f.filename as *mut PyObject) };
        write(&format!("  File \"{name}\", line {}\n", f.lineno));
    }
    write("\n");
}

/// Where a block was allocated: a tuple, or None.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceMalloc_GetTraceback(domain: c_uint, ptr: usize) -> *mut PyObject {
    match get_traceback(domain, ptr) {
        Ok(Some(tb)) => tb.into_raw(),
        // SAFETY: None is immortal.
        Ok(None) => unsafe { Py_None() },
        Err(_) => null_mut(),
    }
}
