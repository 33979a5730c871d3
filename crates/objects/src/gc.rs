//! The cycle collector: trial deletion over reference counts, in three generations, with its state in side tables.
//!
//! An object's state byte (see `obmalloc`) says whether it is tracked, its generation, whether it has been finalised, and
//! where a running collection has put it. A collection gathers the tracked objects of its generations, subtracts the
//! references among them, and takes as garbage what nobody outside reaches. It then holds a reference to each piece of
//! garbage until it is done, so that finalisers (PEP 442) and weak-reference callbacks can't pull objects from under it.
//!
//! Invariants: TRACKED objects are complete (their `tp_traverse` may be called at any time); COLLECTING is set only while
//! a collection runs, and then the page's scratch table has the references to the object that are not explained yet.

use crate::obmalloc::{CLEANBYTE, DEADBYTE, HEAP, Page, gc_free, gc_malloc, gc_realloc, in_heap, room};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};
use taipan_abi::*;

const TRACKED: u8 = 0x01;
const FINALIZED: u8 = 0x02;
const COLLECTING: u8 = 0x04;
const REACHABLE: u8 = 0x08;
const GENERATION: u8 = 0x30;
const GENERATION_SHIFT: u8 = 4;
/// The generation of frozen objects, which no collection looks at.
const PERMANENT: u8 = 3;

/// Bit of `eval_breaker` that asks the interpreter to collect at the next safe point.
pub const _PY_GC_SCHEDULED_BIT: usize = 1 << 4;
/// Types whose instances have a managed dictionary or weak-reference list in front of them.
pub const Py_TPFLAGS_PREHEADER: core::ffi::c_ulong = Py_TPFLAGS_MANAGED_WEAKREF | Py_TPFLAGS_MANAGED_DICT;
/// Types whose instances carry their attribute values after their fixed part.
pub const Py_TPFLAGS_INLINE_VALUES: core::ffi::c_ulong = 1 << 2;

/// `gc.DEBUG_*` flags.
pub const DEBUG_STATS: c_int = 1;
/// See [`DEBUG_STATS`].
pub const DEBUG_COLLECTABLE: c_int = 2;
/// See [`DEBUG_STATS`].
pub const DEBUG_UNCOLLECTABLE: c_int = 4;
/// See [`DEBUG_STATS`].
pub const DEBUG_SAVEALL: c_int = 32;

/// Figures that `gc.get_stats` reports for a generation.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// Collections that ran.
    pub collections: isize,
    /// Objects collected.
    pub collected: isize,
    /// Objects that could not be.
    pub uncollectable: isize,
}

/// The collector's state; guarded by the GIL.
pub struct Collector {
    /// Whether automatic collection is on.
    pub enabled: bool,
    /// Whether a collection is running.
    pub collecting: bool,
    /// What a running collection has found to be garbage, while finalisers run: `objects` doesn't show it.
    hidden: Vec<*mut PyObject>,
    /// `gc.set_debug` flags.
    pub debug: c_int,
    /// `gc.get_count`: allocations less deallocations, then collections of the next younger generation.
    pub count: [isize; 3],
    /// `gc.get_threshold`.
    pub threshold: [isize; 3],
    /// Objects that survived the last full collection.
    long_lived_total: isize,
    /// Objects that entered the oldest generation since.
    long_lived_pending: isize,
    /// Per generation.
    pub stats: [Stats; 3],
    /// `gc.garbage`, a list.
    pub garbage: *mut PyObject,
    /// `gc.callbacks`, a list.
    pub callbacks: *mut PyObject,
    /// Pages that hold objects of the youngest generation.
    young_pages: Vec<*mut Page>,
    /// Collect at every allocation: a hostile setting for tests.
    pub zeal: bool,
}

/// The one collector.
pub static mut GC: Collector = Collector {
    enabled: true,
    collecting: false,
    hidden: Vec::new(),
    debug: 0,
    count: [0; 3],
    threshold: [2000, 10, 10],
    long_lived_total: 0,
    long_lived_pending: 0,
    stats: [Stats { collections: 0, collected: 0, uncollectable: 0 }; 3],
    garbage: null_mut(),
    callbacks: null_mut(),
    young_pages: Vec::new(),
    zeal: false,
};

#[inline(always)]
fn gc() -> &'static mut Collector {
    // SAFETY: [GIL] every user holds the GIL; no reference is kept over a call that can run Python code.
    unsafe { &mut *(&raw mut GC) }
}

/// The state byte of `op`, NULL when the collector does not own its memory (static objects, plain memory).
#[inline(always)]
unsafe fn state_of(op: *mut PyObject) -> *mut u8 {
    // SAFETY: [ARGS] op is live.
    unsafe {
        let p = op.cast::<u8>();
        if !in_heap(p) {
            return null_mut();
        }
        let page = Page::of(p);
        if !(*page).gc {
            return null_mut();
        }
        Page::state(page, Page::index_of(page, p))
    }
}

/// Drops a page that is being retired from the list of young ones.
pub(crate) fn forget_page(page: *mut Page) {
    gc().young_pages.retain(|&p| p != page);
}

/// Starts tracking `op`, which joins the youngest generation. Its fields must be valid for `tp_traverse`.
///
/// # Safety
/// [GIL] `op` was allocated by [`gc_new`] or its kin and is not tracked.
#[inline(always)]
pub unsafe fn gc_track(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let p = op.cast::<u8>();
        debug_assert!(in_heap(p));
        let page = Page::of(p);
        let state = Page::state(page, Page::index_of(page, p));
        *state = (*state & FINALIZED) | TRACKED;
        if !(*page).young {
            mark_young(page);
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn mark_young(page: *mut Page) {
    // SAFETY: [GIL]
    unsafe { (*page).young = true }
    gc().young_pages.push(page);
}

/// Stops tracking `op`; harmless when it isn't tracked or not ours.
///
/// # Safety
/// [GIL] `op` is live.
#[inline(always)]
pub unsafe fn gc_untrack(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let state = state_of(op);
        if !state.is_null() {
            *state &= FINALIZED;
        }
    }
}

/// Whether `op` is tracked.
///
/// # Safety
/// [GIL] `op` is live.
#[inline(always)]
pub unsafe fn is_tracked(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let state = state_of(op);
        !state.is_null() && *state & TRACKED != 0
    }
}

/// Whether `op`'s finaliser has run.
///
/// # Safety
/// [GIL] `op` is live.
pub unsafe fn is_finalized(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let state = state_of(op);
        !state.is_null() && *state & FINALIZED != 0
    }
}

/// Records that `op`'s finaliser has run (or, for a reused object, that it has not).
///
/// # Safety
/// [GIL] `op` is live.
pub unsafe fn set_finalized(op: *mut PyObject, yes: bool) {
    // SAFETY: [ARGS]
    unsafe {
        let state = state_of(op);
        if !state.is_null() {
            if yes {
                *state |= FINALIZED;
            } else {
                *state &= !FINALIZED;
            }
        }
    }
}

#[inline(always)]
unsafe fn count_allocation() {
    let g = gc();
    g.count[0] += 1;
    if g.count[0] > g.threshold[0] || g.zeal {
        schedule();
    }
}

#[cold]
#[inline(never)]
fn schedule() {
    let g = gc();
    if g.enabled && !g.collecting && g.threshold[0] != 0 {
        let ts = current_tstate();
        if !ts.is_null() {
            // SAFETY: [GIL] other threads set bits of the same word.
            unsafe { AtomicUsize::from_ptr(&raw mut (*ts).eval_breaker).fetch_or(_PY_GC_SCHEDULED_BIT, Ordering::Relaxed) };
        }
    }
}

/// Bytes in front of instances of `tp`.
///
/// # Safety
/// `tp` is live.
#[inline(always)]
pub unsafe fn preheader_size(tp: *mut PyTypeObject) -> usize {
    // SAFETY: [ARGS]
    unsafe { if (*tp).tp_flags & Py_TPFLAGS_PREHEADER != 0 { PREHEADER_SIZE } else { 0 } }
}

/// Whether a collection is going on.
pub fn is_collecting() -> bool {
    gc().collecting
}

/// What else is done at each allocation and release: a union of [`GC_HOOK_TRACE`] and its kin.
#[unsafe(no_mangle)]
pub static mut _Py_gc_hooks: u8 = 0;
/// Each is reported to `tracemalloc`.
pub const GC_HOOK_TRACE: u8 = 1;
/// Fresh and released memory is filled with bytes that tell (debug hooks of the allocators).
pub const GC_HOOK_FILL: u8 = 2;
/// An allocator that replaces ours is asked first: when it has no memory, there is none.
pub const GC_HOOK_ASK: u8 = 4;
unsafe extern "C" {
    // python: tracemalloc
    fn _PyTraceMalloc_GCAlloc(ptr: *mut c_void, size: usize);
    fn _PyTraceMalloc_GCFree(ptr: *mut c_void);
}

/// [`gc_malloc`] with hooks.
#[cold]
#[inline(never)]
unsafe fn gc_malloc_hooked(size: usize) -> *mut u8 {
    // SAFETY: [GIL]
    unsafe {
        if _Py_gc_hooks & GC_HOOK_ASK != 0 {
            let p = PyObject_Malloc(size);
            if p.is_null() {
                return null_mut();
            }
            PyObject_Free(p);
        }
        let p = gc_malloc(size);
        if !p.is_null() {
            if _Py_gc_hooks & GC_HOOK_FILL != 0 {
                p.write_bytes(CLEANBYTE, size);
            }
            if _Py_gc_hooks & GC_HOOK_TRACE != 0 {
                _PyTraceMalloc_GCAlloc(p.cast(), size);
            }
        }
        p
    }
}

/// What hooks do before the memory of `op` is given back.
#[cold]
#[inline(never)]
unsafe fn free_hooks(op: *mut c_void) {
    // SAFETY: [OWN] the type is still there.
    unsafe {
        let pre = preheader_size((*op.cast::<PyObject>()).ob_type);
        let start = op.byte_sub(pre);
        if _Py_gc_hooks & GC_HOOK_TRACE != 0 {
            _PyTraceMalloc_GCFree(start);
        }
        if _Py_gc_hooks & GC_HOOK_FILL != 0 {
            start.cast::<u8>().write_bytes(DEADBYTE, room(start.cast()));
        }
    }
}

/// Raw memory for an untracked collected object: `size` bytes after `pre` zeroed ones. NULL with MemoryError.
#[inline(always)]
unsafe fn gc_alloc_raw(pre: usize, size: usize) -> *mut u8 {
    // SAFETY: [GIL]
    unsafe {
        count_allocation();
        // Four words at least, so that the mark of a pre-header can always be looked for.
        let bytes = (pre + size).max(32);
        let p = if _Py_gc_hooks == 0 { gc_malloc(bytes) } else { gc_malloc_hooked(bytes) };
        if p.is_null() {
            PyErr_NoMemory();
            return p;
        }
        if pre != 0 {
            core::ptr::write_bytes(p, 0, PREHEADER_SIZE - 16);
            *p.add(16).cast::<usize>() = PREHEADER_MARK;
            *p.add(24).cast::<usize>() = PREHEADER_MARK;
        }
        p.add(pre)
    }
}

/// A new object of fixed size: header set, the rest not, untracked (`_PyObject_GC_New`). NULL with MemoryError.
///
/// # Safety
/// [GIL] `tp` is ready and collected.
#[inline(always)]
pub unsafe fn gc_new<T>(tp: *mut PyTypeObject) -> *mut T {
    // SAFETY: [ARGS]
    unsafe {
        let p = gc_alloc_raw(preheader_size(tp), (*tp).tp_basicsize as usize);
        if !p.is_null() {
            _PyObject_Init(p.cast(), tp);
        }
        p.cast()
    }
}

/// As [`gc_new`] for `n` items, whose count is stored (`_PyObject_GC_NewVar`).
///
/// # Safety
/// [GIL] `tp` is ready and collected; `n` is not negative.
#[inline(always)]
pub unsafe fn gc_new_var<T>(tp: *mut PyTypeObject, n: Py_ssize_t) -> *mut T {
    // SAFETY: [ARGS]
    unsafe {
        let Some(size) = var_size(tp, n) else {
            PyErr_NoMemory();
            return null_mut();
        };
        let p = gc_alloc_raw(preheader_size(tp), size);
        if !p.is_null() {
            _PyObject_Init(p.cast(), tp);
            (*p.cast::<PyVarObject>()).ob_size = n;
        }
        p.cast()
    }
}

/// `tp_basicsize + n * tp_itemsize`, rounded up to a word.
unsafe fn var_size(tp: *mut PyTypeObject, n: Py_ssize_t) -> Option<usize> {
    // SAFETY: [ARGS]
    let (base, item) = unsafe { ((*tp).tp_basicsize as usize, (*tp).tp_itemsize as usize) };
    let size = item.checked_mul(usize::try_from(n).ok()?)?.checked_add(base)?.checked_add(7)? & !7;
    (size <= isize::MAX as usize).then_some(size)
}

/// Bytes that the inline values of an instance take: header, values, insertion order (rounded up).
///
/// # Safety
/// `tp` is a heap type with INLINE_VALUES.
pub unsafe fn inline_values_size(tp: *mut PyTypeObject) -> usize {
    // SAFETY: [TYPE]
    unsafe {
        let keys = (*tp.cast::<PyHeapTypeObject>()).ht_cached_keys.cast::<PyDictKeysObject>();
        let n = ((*keys).dk_nentries + (*keys).dk_usable) as usize;
        8 + n * 8 + n.next_multiple_of(8)
    }
}

/// Zeroed memory for an instance of `tp` with `nitems` items, initialised but untracked: what `PyType_GenericAlloc` does
/// before tracking. Serves collected and plain types. NULL with MemoryError.
///
/// # Safety
/// [GIL] `tp` is ready.
pub unsafe fn alloc(tp: *mut PyTypeObject, nitems: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let flags = (*tp).tp_flags;
        // One more item than asked for: a sentinel, as extensions expect.
        let size = if (*tp).tp_itemsize == 0 { Some((*tp).tp_basicsize as usize) } else { var_size(tp, nitems + 1) };
        let Some(mut size) = size else { return PyErr_NoMemory() };
        let inline = flags & Py_TPFLAGS_INLINE_VALUES != 0;
        if inline {
            size += inline_values_size(tp);
        }
        let pre = preheader_size(tp);
        let p = if flags & Py_TPFLAGS_HAVE_GC != 0 || pre != 0 {
            gc_alloc_raw(pre, size)
        } else {
            let p = PyObject_Malloc(size).cast::<u8>();
            if p.is_null() {
                PyErr_NoMemory();
            }
            p
        };
        if p.is_null() {
            return null_mut();
        }
        core::ptr::write_bytes(p, 0, size);
        let op = p.cast::<PyObject>();
        _PyObject_Init(op, tp);
        if (*tp).tp_itemsize != 0 {
            (*op.cast::<PyVarObject>()).ob_size = nitems;
        }
        if inline {
            _PyObject_InitInlineValues(op, tp);
        }
        op
    }
}

// ---- the C API -----------------------------------------------------------------------------------------------------

/// See [`gc_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GC_New(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let op = gc_new::<PyObject>(tp);
        if !op.is_null() && (*tp).tp_flags & Py_TPFLAGS_INLINE_VALUES != 0 {
            _PyObject_InitInlineValues(op, tp);
        }
        op
    }
}

/// See [`gc_new_var`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GC_NewVar(tp: *mut PyTypeObject, n: Py_ssize_t) -> *mut PyVarObject {
    // SAFETY: [ARGS]
    unsafe {
        if n < 0 {
            PyErr_BadInternalCall();
            return null_mut();
        }
        gc_new_var(tp, n)
    }
}

/// A zeroed, untracked object with `extra` bytes after its fixed part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Object_GC_NewWithExtraData(tp: *mut PyTypeObject, extra: usize) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let size = (*tp).tp_basicsize as usize + extra;
        let p = gc_alloc_raw(preheader_size(tp), size);
        if !p.is_null() {
            core::ptr::write_bytes(p, 0, size);
            _PyObject_Init(p.cast(), tp);
        }
        p.cast()
    }
}

/// Changes the number of items of an untracked object, which may move.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GC_Resize(op: *mut PyVarObject, n: Py_ssize_t) -> *mut PyVarObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_base.ob_type;
        let Some(size) = var_size(tp, n) else { return PyErr_NoMemory().cast() };
        let new = gc_realloc(op.cast(), preheader_size(tp), size).cast::<PyVarObject>();
        if new.is_null() {
            return PyErr_NoMemory().cast();
        }
        (*new).ob_size = n;
        if _Py_gc_hooks & GC_HOOK_TRACE != 0 {
            let pre = preheader_size(tp);
            _PyTraceMalloc_GCFree(op.byte_sub(pre).cast());
            _PyTraceMalloc_GCAlloc(new.byte_sub(pre).cast(), pre + size);
        }
        new
    }
}

/// See [`gc_track`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GC_Track(op: *mut c_void) {
    // SAFETY: [ARGS]
    unsafe { gc_track(op.cast()) }
}

/// See [`gc_untrack`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GC_UnTrack(op: *mut c_void) {
    // SAFETY: [ARGS]
    unsafe { gc_untrack(op.cast()) }
}

/// Frees the memory of a collected object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GC_Del(op: *mut c_void) {
    // SAFETY: [OWN]
    unsafe {
        let g = gc();
        if g.count[0] > 0 {
            g.count[0] -= 1;
        }
        if _Py_gc_hooks != 0 {
            free_hooks(op);
        }
        gc_free(op.cast());
    }
}

/// See [`is_tracked`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GC_IsTracked(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { is_tracked(op) as c_int }
}

/// See [`is_finalized`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GC_IsFinalized(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { is_finalized(op) as c_int }
}

/// Whether the collector may own `op`: its type is collected and does not disown this instance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_IS_GC(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let tp = type_of(op);
        ((*tp).tp_flags & Py_TPFLAGS_HAVE_GC != 0 && (*tp).tp_is_gc.is_none_or(|f| f(op) != 0)) as c_int
    }
}

/// Collects everything now; how many unreachable objects there were. 0 while a collection is running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGC_Collect() -> Py_ssize_t {
    // SAFETY: [GIL]
    unsafe {
        if !gc().enabled {
            return 0;
        }
        let exc = PyErr_GetRaisedException();
        let n = collect(2, true);
        PyErr_SetRaisedException(exc);
        n
    }
}

/// Collects regardless of whether automatic collection is on; for finalisation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyGC_CollectNoFail(_tstate: *mut PyThreadState) -> Py_ssize_t {
    // SAFETY: [GIL]
    unsafe { collect(2, false) }
}

/// Turns automatic collection on; returns whether it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGC_Enable() -> c_int {
    core::mem::replace(&mut gc().enabled, true) as c_int
}

/// Turns automatic collection off; returns whether it was on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGC_Disable() -> c_int {
    core::mem::replace(&mut gc().enabled, false) as c_int
}

/// Whether automatic collection is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyGC_IsEnabled() -> c_int {
    gc().enabled as c_int
}

/// Calls `callback` for each tracked object until it returns 0; automatic collection is off meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_GC_VisitObjects(
    callback: unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int,
    arg: *mut c_void,
) {
    // SAFETY: [ARGS] each object is held while it is shown.
    unsafe {
        let was = core::mem::replace(&mut gc().enabled, false);
        let all = gather(|_| true);
        for &op in &all {
            Py_INCREF(op);
        }
        let mut go_on = true;
        for op in all {
            if go_on {
                go_on = callback(op, arg) != 0;
            }
            Py_DECREF(op);
        }
        gc().enabled = was;
    }
}

/// Runs an automatic collection that an allocation asked for; the interpreter calls it at a safe point.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_RunGC(_tstate: *mut PyThreadState) {
    // SAFETY: [GIL]
    unsafe {
        if gc().collecting || !gc().enabled {
            return;
        }
        let generation = due_generation();
        let exc = PyErr_GetRaisedException();
        collect(generation, true);
        PyErr_SetRaisedException(exc);
    }
}

/// The oldest generation whose threshold is exceeded. A full collection also waits until the objects that wait for it
/// are a quarter of those that survived the last one: its cost stays linear in the heap's growth.
fn due_generation() -> usize {
    let g = gc();
    for i in (0..3).rev() {
        if g.count[i] > g.threshold[i] {
            if i == 2 && g.long_lived_pending < g.long_lived_total / 4 {
                continue;
            }
            return i;
        }
    }
    0
}

// ---- collecting -------------------------------------------------------------------------------------------------------

/// Calls `f` with each slot that holds a tracked object of `page`: the object's position is found through its slot.
unsafe fn for_tracked(page: *mut Page, mut f: impl FnMut(*mut PyObject, *mut u8)) {
    // SAFETY: [GIL] states of used slots are meaningful.
    unsafe {
        for i in 0..Page::used_extent(page) {
            let state = Page::state(page, i);
            if *state & TRACKED != 0 {
                f(object_in_slot(Page::slot(page, i)), state);
            }
        }
    }
}

/// The object in a used slot: behind a pre-header if there is one, which the mark in its two spare words tells.
unsafe fn object_in_slot(start: *mut u8) -> *mut PyObject {
    // SAFETY: every slot for collected objects has at least four words (see gc_alloc_raw), and allocation sets the mark.
    unsafe {
        let op = start.cast::<PyObject>();
        if *start.add(24).cast::<usize>() == PREHEADER_MARK && *start.add(16).cast::<usize>() == PREHEADER_MARK {
            return start.add(PREHEADER_SIZE).cast();
        }
        op
    }
}

/// Fills the two spare words of a pre-header: a value that no object can have at that place.
const PREHEADER_MARK: usize = 0x5441_4950_414e_2121;

/// All tracked objects whose state passes.
unsafe fn gather(mut pass: impl FnMut(u8) -> bool) -> Vec<*mut PyObject> {
    let mut all = Vec::new();
    // SAFETY: [GIL] nothing is allocated from the heap meanwhile.
    unsafe {
        for &page in &(*(&raw const HEAP)).gc_pages {
            for_tracked(page, |op, state| {
                if pass(*state) {
                    all.push(op);
                }
            });
        }
    }
    all
}

/// Objects under examination. How many references to each are not yet explained stands in its page's scratch table.
struct Examined {
    objs: Vec<*mut PyObject>,
}

impl Examined {
    /// Marks `objs` as being collected, and notes each one's count less `held`. A count over `i32::MAX` is noted as that:
    /// so many references cannot all be explained.
    unsafe fn new(objs: Vec<*mut PyObject>, held: isize) -> Option<Self> {
        // SAFETY: [GIL] objs are tracked.
        unsafe {
            for &op in &objs {
                let page = Page::of(op.cast());
                if (*page).scratch.is_null() {
                    let slots = ((*page).end_addr() - (*page).first_addr()) / (*page).slot_size();
                    (*page).scratch = libc::malloc(slots.max(1) * 4).cast();
                    if (*page).scratch.is_null() {
                        return None;
                    }
                }
                let slot = Page::index_of(page, op.cast());
                *(*page).scratch.add(slot) = i32::try_from(Py_REFCNT(op) - held).unwrap_or(i32::MAX);
                let state = Page::state(page, slot);
                *state = (*state | COLLECTING) & !REACHABLE;
            }
            Some(Examined { objs })
        }
    }

    /// The unexplained references and the state of `op` if it is under examination.
    #[inline(always)]
    unsafe fn entry(op: *mut PyObject) -> Option<(*mut i32, *mut u8)> {
        // SAFETY: [ARGS] op is live.
        unsafe {
            let p = op.cast::<u8>();
            if !in_heap(p) {
                return None;
            }
            let page = Page::of(p);
            if !(*page).gc {
                return None;
            }
            let slot = Page::index_of(page, p);
            let state = Page::state(page, slot);
            if *state & COLLECTING == 0 {
                return None;
            }
            Some(((*page).scratch.add(slot), state))
        }
    }

    /// Takes away the references that the examined objects hold to each other.
    unsafe fn subtract(&self) {
        unsafe extern "C" fn decref(op: *mut PyObject, _: *mut c_void) -> c_int {
            // SAFETY: what is traversed refers to live objects.
            unsafe {
                if let Some((refs, _)) = Examined::entry(op) {
                    *refs -= 1;
                }
            }
            0
        }
        for &op in &self.objs {
            // SAFETY: [TYPE-READY] tracked objects can be traversed.
            unsafe {
                if let Some(traverse) = (*type_of(op)).tp_traverse {
                    traverse(op, decref, null_mut());
                }
            }
        }
    }

    /// Marks what is referred to from outside, and what that reaches. Returns (reachable, unreachable), in order.
    unsafe fn split(self) -> (Vec<*mut PyObject>, Vec<*mut PyObject>) {
        unsafe extern "C" fn reach(op: *mut PyObject, arg: *mut c_void) -> c_int {
            // SAFETY: arg is the work list.
            unsafe {
                if let Some((_, state)) = Examined::entry(op)
                    && *state & REACHABLE == 0
                {
                    *state |= REACHABLE;
                    (*arg.cast::<Vec<*mut PyObject>>()).push(op);
                }
            }
            0
        }
        let mut work: Vec<*mut PyObject> = Vec::new();
        // SAFETY: [TYPE-READY]
        unsafe {
            for &op in &self.objs {
                if Examined::entry(op).is_some_and(|(refs, _)| *refs > 0) {
                    reach(op, (&raw mut work).cast());
                    while let Some(op) = work.pop() {
                        if let Some(traverse) = (*type_of(op)).tp_traverse {
                            traverse(op, reach, (&raw mut work).cast());
                        }
                    }
                }
            }
            let (mut reachable, mut unreachable) = (Vec::with_capacity(self.objs.len()), Vec::new());
            for op in self.objs {
                let state = state_of(op);
                if *state & REACHABLE != 0 {
                    *state &= !(REACHABLE | COLLECTING);
                    reachable.push(op);
                } else {
                    unreachable.push(op);
                }
            }
            (reachable, unreachable)
        }
    }
}

impl Page {
    fn end_addr(&self) -> usize {
        self.limits().1
    }
    fn first_addr(&self) -> usize {
        self.limits().0
    }
    fn slot_size(&self) -> usize {
        self.limits().2
    }
}

/// Whether `item` can never be part of a cycle as it is: not collected at all, or an untracked tuple.
unsafe fn is_atomic(item: *mut PyObject) -> bool {
    // SAFETY: [ARGS] item is live.
    unsafe { PyObject_IS_GC(item) == 0 || (PyTuple_CheckExact(item) != 0 && !is_tracked(item)) }
}

/// Stops tracking tuples, and in full collections dicts, that hold atomic objects only.
unsafe fn untrack_atomic(objs: &[*mut PyObject], dicts: bool) {
    // SAFETY: [GIL] reads the content of exact tuples and dicts only.
    unsafe {
        for &op in objs {
            let atomic = if PyTuple_CheckExact(op) != 0 {
                (0..PyTuple_GET_SIZE(op)).all(|i| {
                    let item = PyTuple_GET_ITEM(op, i);
                    !item.is_null() && is_atomic(item)
                })
            } else if dicts && PyDict_CheckExact(op) != 0 && (*op.cast::<PyDictObject>()).ma_values.is_null() {
                let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
                let mut all = true;
                while all && PyDict_Next(op, &mut pos, &mut key, &mut value) != 0 {
                    all = is_atomic(key) && is_atomic(value);
                }
                all
            } else {
                false
            };
            if atomic {
                gc_untrack(op);
            }
        }
    }
}

/// Whose collection runs: interpreter and thread.
static mut COLLECTOR: (*mut PyInterpreterState, libc::pthread_t) = (null_mut(), 0);

/// Lets a collection end that a thread of another interpreter runs, of which this one knows nothing: its own garbage has to
/// be gone before it ends. Not longer than a second, as the finalisers there may wait for this thread.
unsafe fn wait_for_other_interpreter() {
    // SAFETY: [GIL] given up and taken again.
    unsafe {
        for _ in 0..1000 {
            let (interp, thread) = COLLECTOR;
            if !gc().collecting || interp == (*current_tstate()).interp || thread == libc::pthread_self() {
                return;
            }
            let ts = PyEval_SaveThread();
            libc::usleep(1000);
            PyEval_RestoreThread(ts);
        }
    }
}

/// Collects the generations up to `generation`; returns how many objects were unreachable. Exceptions of finalisers and
/// callbacks are reported as unraisable.
///
/// # Safety
/// [GIL] no exception is set.
pub unsafe fn collect(generation: usize, callbacks: bool) -> Py_ssize_t {
    // SAFETY: [GIL]
    unsafe {
        if gc().collecting {
            wait_for_other_interpreter();
            if gc().collecting {
                return 0;
            }
        }
        gc().collecting = true;
        COLLECTOR = (current_tstate().as_ref().map_or(null_mut(), |t| t.interp), libc::pthread_self());
        if callbacks {
            invoke_callbacks(c"start", generation, 0, 0);
        }
        let started = std::time::Instant::now();
        if gc().debug & DEBUG_STATS != 0 {
            PySys_WriteStderr(c"gc: collecting generation %d...\n".as_ptr(), generation as c_int);
        }
        let g = gc();
        for c in &mut g.count[..=generation] {
            *c = 0;
        }
        if generation < 2 {
            g.count[generation + 1] += 1;
        }
        let (collected, uncollectable) = collect_main(generation);
        if generation == 2 {
            crate::freelist::clear_free_lists();
        }
        let g = gc();
        g.stats[generation].collections += 1;
        g.stats[generation].collected += collected;
        g.stats[generation].uncollectable += uncollectable;
        if g.debug & DEBUG_STATS != 0 {
            let text = format!(
                "gc: done, {} unreachable, {} uncollectable, {:.4}s elapsed\n\0",
                collected + uncollectable,
                uncollectable,
                started.elapsed().as_secs_f64()
            );
            PySys_WriteStderr(c"%s".as_ptr(), text.as_ptr());
        }
        if callbacks {
            invoke_callbacks(c"stop", generation, collected, uncollectable);
        }
        gc().collecting = false;
        collected + uncollectable
    }
}

unsafe fn free_scratch() {
    // SAFETY: [GIL] no collection needs the tables any more.
    unsafe {
        for &page in &(*(&raw const HEAP)).gc_pages {
            if !(*page).scratch.is_null() {
                libc::free((*page).scratch.cast());
                (*page).scratch = null_mut();
            }
        }
    }
}

unsafe fn collect_main(generation: usize) -> (Py_ssize_t, Py_ssize_t) {
    // SAFETY: [GIL]
    unsafe {
        let objs = if generation == 0 {
            let mut young = Vec::new();
            for page in core::mem::take(&mut gc().young_pages) {
                (*page).young = false;
                for_tracked(page, |op, state| {
                    if *state & GENERATION == 0 {
                        young.push(op);
                    }
                });
            }
            young
        } else {
            for page in core::mem::take(&mut gc().young_pages) {
                (*page).young = false;
            }
            gather(|state| ((state & GENERATION) >> GENERATION_SHIFT) as usize <= generation)
        };
        let Some(examined) = Examined::new(objs, 0) else {
            free_scratch();
            return (0, 0);
        };
        examined.subtract();
        let (reachable, unreachable) = examined.split();
        untrack_atomic(&reachable, generation == 2);
        promote(&reachable, generation);
        if unreachable.is_empty() {
            free_scratch();
            return (0, 0);
        }
        // From here on foreign code runs: hold what is to be collected.
        for &op in &unreachable {
            Py_INCREF(op);
            *state_of(op) &= !COLLECTING;
        }
        let (garbage, legacy) = split_legacy(unreachable);
        gc().hidden.clone_from(&garbage);
        handle_weakrefs(&garbage);
        finalize(&garbage);
        gc().hidden = Vec::new();
        // What finalisers brought back to life stays.
        let Some(again) = Examined::new(garbage, 1) else {
            free_scratch();
            return (0, 0);
        };
        again.subtract();
        let (resurrected, dead) = again.split();
        for &op in &dead {
            *state_of(op) &= !COLLECTING;
        }
        promote(&resurrected, generation);
        free_scratch();
        for op in resurrected {
            Py_DECREF(op);
        }
        let collected = dead.len() as Py_ssize_t;
        delete(dead);
        let uncollectable = handle_legacy(legacy);
        (collected, uncollectable)
    }
}

/// Moves survivors to the next generation.
unsafe fn promote(objs: &[*mut PyObject], generation: usize) {
    // SAFETY: [GIL] objs are live.
    unsafe {
        let to = (generation + 1).min(2) as u8;
        let mut n = 0;
        for &op in objs {
            let state = state_of(op);
            if *state & TRACKED != 0 {
                *state = (*state & !GENERATION) | (to << GENERATION_SHIFT);
                n += 1;
            }
        }
        let g = gc();
        match generation {
            0 => {}
            1 => g.long_lived_pending += n,
            _ => {
                g.long_lived_pending = 0;
                g.long_lived_total = n;
            }
        }
    }
}

/// Sets apart what has an old-style finaliser (`tp_del`), and what that reaches: such objects can't be cleared.
unsafe fn split_legacy(unreachable: Vec<*mut PyObject>) -> (Vec<*mut PyObject>, Vec<*mut PyObject>) {
    // SAFETY: [GIL] [TYPE-READY]
    unsafe {
        if unreachable.iter().all(|&op| (*type_of(op)).tp_del.is_none()) {
            return (unreachable, Vec::new());
        }
        unsafe extern "C" fn reach(op: *mut PyObject, arg: *mut c_void) -> c_int {
            // SAFETY: arg is the work list.
            unsafe {
                let state = state_of(op);
                if !state.is_null() && *state & COLLECTING != 0 {
                    *state &= !COLLECTING;
                    (*arg.cast::<Vec<*mut PyObject>>()).push(op);
                }
            }
            0
        }
        for &op in &unreachable {
            *state_of(op) |= COLLECTING;
        }
        let mut work: Vec<*mut PyObject> = Vec::new();
        for &op in &unreachable {
            if (*type_of(op)).tp_del.is_some() {
                reach(op, (&raw mut work).cast());
            }
        }
        while let Some(op) = work.pop() {
            if let Some(traverse) = (*type_of(op)).tp_traverse {
                traverse(op, reach, (&raw mut work).cast());
            }
        }
        let (garbage, legacy): (Vec<_>, Vec<_>) = unreachable.into_iter().partition(|&op| *state_of(op) & COLLECTING != 0);
        for &op in &garbage {
            *state_of(op) &= !COLLECTING;
        }
        (garbage, legacy)
    }
}

/// Clears the weak references to garbage, then calls the callbacks of those weak references that are not garbage
/// themselves.
unsafe fn handle_weakrefs(garbage: &[*mut PyObject]) {
    // SAFETY: [GIL] the garbage is held.
    unsafe {
        let mut dying: std::collections::HashSet<*mut PyObject> = std::collections::HashSet::new();
        let mut callbacks: Vec<*mut PyWeakReference> = Vec::new();
        for &op in garbage {
            let tp = type_of(op);
            if PyWeakref_Check(op) != 0 {
                // A weak reference that is garbage must not call back.
                if dying.is_empty() {
                    dying.extend(garbage.iter().copied());
                }
                // Not even if what it refers to dies later, unseen by the collector.
                _PyWeakref_ClearRef(op.cast());
            }
            let offset = (*tp).tp_weaklistoffset;
            if offset == 0 {
                continue;
            }
            let list = op.cast::<u8>().offset(offset).cast::<*mut PyWeakReference>();
            while !(*list).is_null() {
                let wr = *list;
                let had_callback = !(*wr).wr_callback.is_null();
                if had_callback {
                    if dying.is_empty() {
                        dying.extend(garbage.iter().copied());
                    }
                    if !dying.contains(&wr.cast()) {
                        Py_INCREF(wr.cast());
                        callbacks.push(wr);
                    }
                }
                _PyWeakref_ClearRef(wr);
            }
        }
        for wr in callbacks {
            let callback = (*wr).wr_callback;
            if !callback.is_null() {
                let result = PyObject_CallOneArg(callback, wr.cast());
                if result.is_null() {
                    PyErr_WriteUnraisable(callback);
                } else {
                    Py_DECREF(result);
                }
            }
            Py_DECREF(wr.cast());
        }
    }
}

/// Calls `tp_finalize` of each object that hasn't been finalised.
unsafe fn finalize(garbage: &[*mut PyObject]) {
    // SAFETY: [GIL] the garbage is held.
    unsafe {
        for &op in garbage {
            let state = state_of(op);
            if *state & FINALIZED == 0
                && let Some(f) = (*type_of(op)).tp_finalize
            {
                *state |= FINALIZED;
                f(op);
            }
        }
    }
}

/// Breaks the cycles of what is dead and gives up the references to it.
unsafe fn delete(dead: Vec<*mut PyObject>) {
    // SAFETY: [OWN] one reference to each.
    unsafe {
        for &op in &dead {
            if gc().debug & DEBUG_COLLECTABLE != 0 {
                report(c"collectable", op);
            }
            if gc().debug & DEBUG_SAVEALL != 0 {
                save_garbage(op);
            } else if Py_REFCNT(op) > 1
                && let Some(clear) = (*type_of(op)).tp_clear
            {
                clear(op);
                if err_occurred() {
                    PyErr_FormatUnraisable(c"Exception ignored in tp_clear of %s".as_ptr(), (*type_of(op)).tp_name);
                }
            }
            Py_DECREF(op);
        }
    }
}

unsafe fn save_garbage(op: *mut PyObject) {
    // SAFETY: [GIL]
    unsafe {
        let g = gc();
        if g.garbage.is_null() {
            g.garbage = PyList_New(0);
        }
        if g.garbage.is_null() || PyList_Append(g.garbage, op) < 0 {
            PyErr_Clear();
        }
    }
}

unsafe fn handle_legacy(legacy: Vec<*mut PyObject>) -> Py_ssize_t {
    // SAFETY: [OWN] one reference to each.
    unsafe {
        let n = legacy.len() as Py_ssize_t;
        for op in legacy {
            if gc().debug & DEBUG_UNCOLLECTABLE != 0 {
                report(c"uncollectable", op);
            }
            if gc().debug & DEBUG_SAVEALL != 0 || (*type_of(op)).tp_del.is_some() {
                save_garbage(op);
            }
            Py_DECREF(op);
        }
        n
    }
}

unsafe fn report(what: &core::ffi::CStr, op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe { PySys_WriteStderr(c"gc: %s <%s %p>\n".as_ptr(), what.as_ptr(), (*type_of(op)).tp_name, op) }
}

unsafe fn invoke_callbacks(phase: &core::ffi::CStr, generation: usize, collected: Py_ssize_t, uncollectable: Py_ssize_t) {
    // SAFETY: [GIL]
    unsafe {
        let list = gc().callbacks;
        if list.is_null() || PyList_Size(list) == 0 {
            return;
        }
        let run = || -> PyResult<()> {
            let info = Owned::from_owned_or_err(PyDict_New())?;
            for (name, value) in
                [(c"generation", generation as Py_ssize_t), (c"collected", collected), (c"uncollectable", uncollectable)]
            {
                let n = Owned::from_owned_or_err(PyLong_FromSsize_t(value))?;
                check_status(PyDict_SetItemString(info.as_ptr(), name.as_ptr(), n.as_ptr()))?;
            }
            let phase = Owned::from_owned_or_err(PyUnicode_FromString(phase.as_ptr()))?;
            let mut i = 0;
            while i < PyList_Size(list) {
                let callback = Owned::from_borrowed(PyList_GetItem(list, i));
                let args = [phase.as_ptr(), info.as_ptr()];
                let r = PyObject_Vectorcall(callback.as_ptr(), args.as_ptr(), 2, null_mut());
                if r.is_null() {
                    PyErr_WriteUnraisable(callback.as_ptr());
                } else {
                    Py_DECREF(r);
                }
                i += 1;
            }
            Ok(())
        };
        if run().is_err() {
            PyErr_WriteUnraisable(null_mut());
        }
    }
}

// ---- what the gc module asks ---------------------------------------------------------------------------------------------

/// The tracked objects of one generation (0 to 2), or of all; borrowed pointers, valid until Python code runs.
pub fn objects(generation: Option<usize>) -> Vec<*mut PyObject> {
    // SAFETY: [GIL]
    unsafe {
        let mut all = gather(|state| generation.is_none_or(|g| ((state & GENERATION) >> GENERATION_SHIFT) as usize == g));
        if !gc().hidden.is_empty() {
            let hidden: std::collections::HashSet<*mut PyObject> = gc().hidden.iter().copied().collect();
            all.retain(|op| !hidden.contains(op));
        }
        all
    }
}

/// Moves all tracked objects to the permanent generation, or back to the oldest.
pub fn freeze(yes: bool) {
    // SAFETY: [GIL]
    unsafe {
        for &page in &(*(&raw const HEAP)).gc_pages {
            for_tracked(page, |_, state| {
                let g = (*state & GENERATION) >> GENERATION_SHIFT;
                if yes {
                    *state = (*state & !GENERATION) | (PERMANENT << GENERATION_SHIFT);
                } else if g == PERMANENT {
                    *state = (*state & !GENERATION) | (2 << GENERATION_SHIFT);
                }
            });
        }
    }
}

// ---- the trashcan -----------------------------------------------------------------------------------------------------

/// Native recursion that deallocators leave free.
const TRASHCAN_HEADROOM: c_int = 50;

/// Enters a container's deallocator. `false`: recursion is too deep, `op` has been put aside and the deallocator must
/// return at once; it will be called again later. Pair with [`trashcan_end`] when `true`.
///
/// # Safety
/// [GIL] `op` is being deallocated by its type's own `tp_dealloc`, and is untracked.
#[inline(always)]
pub unsafe fn trashcan_begin(op: *mut PyObject, dealloc: destructor) -> bool {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        if ts.is_null() {
            return true;
        }
        if (*ts).c_recursion_remaining <= TRASHCAN_HEADROOM
            && _Py_ReachedRecursionLimit(ts) != 0
            && (*type_of(op)).tp_dealloc.map(|f| f as usize) == Some(dealloc as usize)
        {
            _PyTrash_thread_deposit_object(ts, op);
            return false;
        }
        (*ts).c_recursion_remaining -= 1;
        true
    }
}

/// Leaves a container's deallocator, and takes care of what was put aside once there is room.
///
/// # Safety
/// [GIL] pairs with a [`trashcan_begin`] that returned `true`.
#[inline(always)]
pub unsafe fn trashcan_end() {
    // SAFETY: [GIL]
    unsafe {
        let ts = current_tstate();
        if ts.is_null() {
            return;
        }
        (*ts).c_recursion_remaining += 1;
        if !(*ts).delete_later.is_null() && (*ts).c_recursion_remaining > TRASHCAN_HEADROOM * 2 {
            _PyTrash_thread_destroy_chain(ts);
        }
    }
}

unsafe extern "C" {
    /// Whether native calls nest nearly as deep as they may (python: pystate).
    fn _Py_ReachedRecursionLimit(tstate: *mut PyThreadState) -> c_int;
}

thread_local! {
    /// The objects that others, put aside after them, are chained to; free places hold NULL.
    static PUT_ASIDE: core::cell::RefCell<Vec<*mut PyObject>> = const { core::cell::RefCell::new(Vec::new()) };
}

/// Puts a dead object aside. It is chained to the one before by a place in [`PUT_ASIDE`], whose number plus one is in the
/// upper half of its count: extensions that save and restore `delete_later` count references to such an object, in the
/// lower half, which CPython leaves at zero too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTrash_thread_deposit_object(tstate: *mut PyThreadState, op: *mut PyObject) {
    // SAFETY: [OWN] the object is dead.
    unsafe {
        gc_untrack(op);
        let before = (*tstate).delete_later;
        let mut number = 0;
        if !before.is_null() {
            number = PUT_ASIDE.with_borrow_mut(|places| {
                places.push(before);
                places.len()
            });
        }
        (*op).ob_refcnt.ob_refcnt = (number as Py_ssize_t) << 32;
        (*tstate).delete_later = op;
    }
}

/// What a dead object was chained to.
unsafe fn put_aside_before(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [OWN] as it was put aside.
    let number = unsafe { (*op).ob_refcnt.ob_refcnt >> 32 } as usize;
    if number == 0 {
        return core::ptr::null_mut();
    }
    PUT_ASIDE.with_borrow_mut(|places| {
        let before = core::mem::replace(&mut places[number - 1], core::ptr::null_mut());
        while places.last().is_some_and(|p| p.is_null()) {
            places.pop();
        }
        before
    })
}

/// Deallocates what was put aside.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTrash_thread_destroy_chain(tstate: *mut PyThreadState) {
    // SAFETY: [OWN] the chained objects are dead.
    unsafe {
        // Keeps nested deallocators from starting this again.
        (*tstate).c_recursion_remaining -= 1;
        while !(*tstate).delete_later.is_null() {
            let op = (*tstate).delete_later;
            (*tstate).delete_later = put_aside_before(op);
            (*op).ob_refcnt.ob_refcnt = 0;
            if let Some(dealloc) = (*type_of(op)).tp_dealloc {
                dealloc(op);
            }
        }
        (*tstate).c_recursion_remaining += 1;
    }
}
