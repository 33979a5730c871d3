//! What instruction handlers see: types, object accessors that must be inlined, and the helpers of the other ceval files.

pub use crate::ceval::{has_eval_frame_hook, leave_loop, unknown_opcode};
pub use crate::ceval_calls::*;
pub use crate::ceval_ops::*;
pub use crate::externs::*;
pub use crate::frame::*;
pub use crate::genobject::{get_aiter, get_anext, get_awaitable, gen_adopt_frame, gen_resume, gen_suspend, make_coro, send_generic};
pub use crate::generated::opcode_ids::*;
pub use crate::instrumentation::*;
pub use crate::intrinsics::{intrinsic_1, intrinsic_2};
pub use crate::specialize::*;
pub use crate::stackref::*;
pub use core::ptr::null_mut;
pub use taipan_abi::*;

/// A unit of bytecode: opcode in the low byte, operand in the high one, or a cache entry.
pub type CodeUnit = u16;

/// What a handler returns to the interpreter loop: where to go on, and the stack pointer.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Next {
    /// The next instruction; bit 0 ([`Next::FRAME_CHANGED`]) says that it is in another frame.
    pub ip: *mut CodeUnit,
    /// The stack pointer there; the result of the loop if `ip` is [`Next::EXIT`].
    pub sp: *mut StackRef,
}

impl Next {
    /// Bit of `ip`: the current frame is another one.
    pub const FRAME_CHANGED: usize = 1;
    /// `ip` that ends the loop.
    pub const EXIT: usize = 1;
}

/// An instruction handler; see `ceval_macros`.
#[cfg(not(feature = "tailcall"))]
pub type Handler = unsafe fn(Frame, *mut PyThreadState, *mut CodeUnit, *mut StackRef, *mut StackRef, u32) -> Next;
/// An instruction handler; see `ceval_macros`.
#[cfg(feature = "tailcall")]
pub type Handler =
    unsafe extern "rust-preserve-none" fn(Frame, *mut PyThreadState, *mut CodeUnit, *mut StackRef, *mut StackRef, u32) -> Next;

/// `RESUME`'s operand: which kind of resumption, in the low two bits.
pub const RESUME_OPARG_LOCATION_MASK: u32 = 3;
/// From here on, kinds of `RESUME` at which no pending work is looked for.
pub const RESUME_AFTER_YIELD_FROM: u32 = 2;
/// Low bits of `eval_breaker`; the rest is the instrumentation version.
pub const EVAL_EVENTS_MASK: usize = 0xff;
/// Outcome bit of `!=` in `COMPARE_OP`'s operand, one less than that of `==`.
pub const COMPARISON_NOT_EQUALS: u32 = 7;

/// Generator states (`gi_frame_state`).
pub const FRAME_CREATED: i8 = -3;
/// See [`FRAME_CREATED`].
pub const FRAME_SUSPENDED: i8 = -2;
/// Suspended in `yield from` or `await`.
pub const FRAME_SUSPENDED_YIELD_FROM: i8 = -1;
/// See [`FRAME_CREATED`].
pub const FRAME_EXECUTING: i8 = 0;
/// See [`FRAME_CREATED`].
pub const FRAME_COMPLETED: i8 = 1;
/// See [`FRAME_CREATED`].
pub const FRAME_CLEARED: i8 = 4;

/// The thread's eval breaker: events to handle and the instrumentation version.
///
/// # Safety
/// `tstate` is live.
#[inline(always)]
pub unsafe fn eval_breaker(tstate: *mut PyThreadState) -> usize {
    // SAFETY: [GIL] other threads set bits atomically.
    unsafe { core::sync::atomic::AtomicUsize::from_ptr(&raw mut (*tstate).eval_breaker) }
        .load(core::sync::atomic::Ordering::Relaxed)
}

/// The opcode at `ip`.
///
/// # Safety
/// `ip` points into code.
#[inline(always)]
pub unsafe fn opcode_of(ip: *mut CodeUnit) -> u8 {
    // SAFETY: [FRAME]
    unsafe { *ip as u8 }
}

/// The operand at `ip`.
///
/// # Safety
/// `ip` points into code.
#[inline(always)]
pub unsafe fn oparg_of(ip: *mut CodeUnit) -> u32 {
    // SAFETY: [FRAME]
    unsafe { (*ip >> 8) as u32 }
}

/// Replaces the opcode at `ip`.
///
/// # Safety
/// `ip` points into code.
#[inline(always)]
pub unsafe fn set_opcode(ip: *mut CodeUnit, opcode: u8) {
    // SAFETY: [FRAME]
    unsafe { *ip = *ip & 0xff00 | opcode as u16 }
}

/// A cache entry of one unit.
///
/// # Safety
/// `p` points to it.
#[inline(always)]
pub unsafe fn read_u16(p: *mut CodeUnit) -> u16 {
    // SAFETY: [FRAME]
    unsafe { *p }
}

/// A cache entry of two units.
///
/// # Safety
/// `p` points to it.
#[inline(always)]
pub unsafe fn read_u32(p: *mut CodeUnit) -> u32 {
    // SAFETY: [FRAME]
    unsafe { p.cast::<u32>().read_unaligned() }
}

/// A cache entry of four units: an object that the cache does not own.
///
/// # Safety
/// `p` points to it.
#[inline(always)]
pub unsafe fn read_object(p: *mut CodeUnit) -> *mut PyObject {
    // SAFETY: [FRAME]
    unsafe { p.cast::<*mut PyObject>().read_unaligned() }
}

/// Whether the adaptive counter (12 bits of value above 4 of backoff) has run down.
#[inline(always)]
pub fn backoff_triggers(counter: u16) -> bool {
    counter >> 4 == 0
}

/// One step down, unless the counter is the one that never triggers.
#[inline(always)]
pub fn backoff_advance(counter: u16) -> u16 {
    if counter == 0xffff { counter } else { counter.wrapping_sub(1 << 4) }
}

/// The counter after a failed attempt: twice as long.
#[inline]
pub fn backoff_restart(counter: u16) -> u16 {
    let backoff = (counter & 15).min(11) + 1;
    ((1 << backoff) - 1) << 4 | backoff
}

/// Keeps the counter at `p` from running down in this execution.
///
/// # Safety
/// `p` points to a counter.
#[inline]
pub unsafe fn pause_counter(p: *mut CodeUnit) {
    // SAFETY: [FRAME]
    unsafe { *p |= 1 << 4 }
}

/// Whether instructions of this (generic) opcode have an adaptive counter.
pub fn opcode_has_counter(opcode: u8) -> bool {
    crate::generated::opcode_metadata::CACHES[crate::generated::opcode_metadata::DEOPT[opcode as usize] as usize] != 0
}

/// `ob_size`.
///
/// # Safety
/// `op` is a live variable-sized object.
#[inline(always)]
pub unsafe fn ob_size(op: *mut PyObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyVarObject>()).ob_size }
}

/// The items of a tuple.
///
/// # Safety
/// `t` is a tuple.
#[inline(always)]
pub unsafe fn tuple_items(t: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { (&raw mut (*t.cast::<PyTupleObject>()).ob_item).cast() }
}

/// An item of a tuple, lent.
///
/// # Safety
/// `t` is a tuple that has it.
#[inline(always)]
pub unsafe fn tuple_item(t: *mut PyObject, i: usize) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { *tuple_items(t).add(i) }
}

/// Length of a bytes object.
///
/// # Safety
/// `b` is a bytes object.
#[inline(always)]
pub unsafe fn bytes_size(b: *mut PyObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { ob_size(b) }
}

/// The character at index `i` of a str.
///
/// # Safety
/// `op` is a str that has it.
#[inline(always)]
pub unsafe fn unicode_read_char(op: *mut PyObject, i: isize) -> u32 {
    // SAFETY: [TYPE]
    unsafe {
        let data = PyUnicode_DATA(op);
        match PyUnicode_KIND(op) {
            PyUnicode_1BYTE_KIND => *data.cast::<u8>().offset(i) as u32,
            PyUnicode_2BYTE_KIND => *data.cast::<u16>().offset(i) as u32,
            _ => *data.cast::<u32>().offset(i),
        }
    }
}

/// The items of a list.
///
/// # Safety
/// `l` is a list.
#[inline(always)]
pub unsafe fn list_items(l: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { (*l.cast::<PyListObject>()).ob_item }
}

/// Whether `op` is a class.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn is_type(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*(*op).ob_type).tp_flags & Py_TPFLAGS_TYPE_SUBCLASS != 0 }
}

/// Whether `op` is exactly an int.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn long_check_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyLong_Type }
}

/// Whether `op` is exactly a float.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn float_check_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyFloat_Type }
}

/// Whether `op` is exactly a str.
///
/// # Safety
/// `op` is live.
#[inline(always)]
pub unsafe fn unicode_check_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyUnicode_Type }
}

/// Length of a str.
///
/// # Safety
/// `op` is a str.
#[inline(always)]
pub unsafe fn unicode_length(op: *mut PyObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyASCIIObject>()).length }
}

/// Value of a float.
///
/// # Safety
/// `op` is a float.
#[inline(always)]
pub unsafe fn float_value(op: *mut PyObject) -> f64 {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyFloatObject>()).ob_fval }
}

#[inline(always)]
unsafe fn lv_tag(op: *mut PyObject) -> usize {
    // SAFETY: [TYPE]
    unsafe { (*op.cast::<PyLongObject>()).lv_tag }
}

/// Whether an int is zero.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn long_is_zero(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { lv_tag(op) & 3 == 1 }
}

/// Whether an int has at most one digit.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn long_is_compact(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { lv_tag(op) < 2 << 3 }
}

/// Whether an int has at most one digit and no minus sign.
///
/// # Safety
/// `op` is an int.
#[inline(always)]
pub unsafe fn long_is_nonnegative_compact(op: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe { lv_tag(op) <= 1 << 3 }
}

/// Value of an int of at most one digit.
///
/// # Safety
/// `op` is such an int.
#[inline(always)]
pub unsafe fn long_compact_value(op: *mut PyObject) -> isize {
    // SAFETY: [TYPE]
    unsafe { (1 - (lv_tag(op) & 3) as isize) * (*op.cast::<PyLongObject>()).ob_digit[0] as isize }
}

/// Which of unordered (1), less (2), greater (4), equal (8) holds.
#[inline(always)]
pub fn comparison_bit<T: PartialOrd>(a: T, b: T) -> u32 {
    1 << (2 * (a >= b) as u32 + (a <= b) as u32)
}

/// A key, its hash left out, and its value, in a dict whose keys are all str.
#[repr(C)]
pub struct PyDictUnicodeEntry {
    /// NULL if unused.
    pub me_key: *mut PyObject,
    /// NULL if deleted, or in a split table.
    pub me_value: *mut PyObject,
}

/// An entry of a dict with any keys.
#[repr(C)]
pub struct PyDictKeyEntry {
    /// Cached hash of the key.
    pub me_hash: Py_hash_t,
    /// NULL if unused.
    pub me_key: *mut PyObject,
    /// NULL if deleted.
    pub me_value: *mut PyObject,
}

/// `dk_kind` of tables with entries that hold hashes.
pub const DICT_KEYS_GENERAL: u8 = 0;
/// `dk_kind` of combined tables with str keys.
pub const DICT_KEYS_UNICODE: u8 = 1;
/// `dk_kind` of tables that instances of a class share.
pub const DICT_KEYS_SPLIT: u8 = 2;

/// Where the entries of a table are.
///
/// # Safety
/// `keys` is a live table.
#[inline(always)]
pub unsafe fn dk_entries(keys: *mut PyDictKeysObject) -> *mut u8 {
    // SAFETY: [LAYOUT] indices follow the header, entries follow them.
    unsafe { keys.add(1).cast::<u8>().add(1 << (*keys).dk_log2_index_bytes) }
}

/// Entries of a table with str keys.
///
/// # Safety
/// `keys` is such a table.
#[inline(always)]
pub unsafe fn dk_unicode_entries(keys: *mut PyDictKeysObject) -> *mut PyDictUnicodeEntry {
    // SAFETY: [LAYOUT]
    unsafe { dk_entries(keys).cast() }
}

/// The slot of the value in entry `hint` if that entry's key is `name` itself, else NULL.
///
/// # Safety
/// `dict` is a live dict.
#[inline(always)]
pub unsafe fn dict_entry_at(dict: *mut PyDictObject, hint: isize, name: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: [LAYOUT] hint is below dk_nentries.
    unsafe {
        let keys = (*dict).ma_keys;
        if hint >= (*keys).dk_nentries {
            return null_mut();
        }
        if (*keys).dk_kind != DICT_KEYS_GENERAL {
            let entry = dk_unicode_entries(keys).offset(hint);
            if (*entry).me_key == name { &raw mut (*entry).me_value } else { null_mut() }
        } else {
            let entry = dk_entries(keys).cast::<PyDictKeyEntry>().offset(hint);
            if (*entry).me_key == name { &raw mut (*entry).me_value } else { null_mut() }
        }
    }
}

/// The slot of an instance's managed dict.
///
/// # Safety
/// The instance's type has `Py_TPFLAGS_MANAGED_DICT`.
#[inline(always)]
pub unsafe fn managed_dict(op: *mut PyObject) -> *mut *mut PyDictObject {
    // SAFETY: [LAYOUT]
    unsafe { op.byte_offset(MANAGED_DICT_OFFSET).cast() }
}

/// The values that follow an instance's fixed part.
///
/// # Safety
/// The instance's type has inline values.
#[inline(always)]
pub unsafe fn inline_values(op: *mut PyObject) -> *mut PyDictValues {
    // SAFETY: [LAYOUT]
    unsafe { op.byte_offset((*(*op).ob_type).tp_basicsize).cast() }
}

/// The keys that a class's instances share.
///
/// # Safety
/// `tp` is a heap type.
#[inline(always)]
pub unsafe fn ht_cached_keys(tp: *mut PyTypeObject) -> *mut PyDictKeysObject {
    // SAFETY: [LAYOUT]
    unsafe { (*tp.cast::<PyHeapTypeObject>()).ht_cached_keys.cast() }
}

/// What a class caches for specialised instructions.
#[repr(C)]
pub struct SpecializationCache {
    /// Its Python `__getitem__`.
    pub getitem: *mut PyObject,
    /// The version of that function.
    pub getitem_version: u32,
    /// Its Python `__init__`.
    pub init: *mut PyObject,
}

/// Offset of [`SpecializationCache`] in a heap type.
const SPEC_CACHE_OFFSET: usize = 904;

/// The class's specialisation cache.
///
/// # Safety
/// `tp` is a heap type.
#[inline(always)]
pub unsafe fn spec_cache(tp: *mut PyTypeObject) -> *mut SpecializationCache {
    // SAFETY: [LAYOUT]
    unsafe { tp.cast::<u8>().add(SPEC_CACHE_OFFSET).cast() }
}

/// Notes that value `index` was set, for the order of the instance's attributes.
///
/// # Safety
/// `values` are live; `index` was unset.
#[inline(always)]
pub unsafe fn dict_values_add_to_insertion_order(values: *mut PyDictValues, index: isize) {
    // SAFETY: [LAYOUT] the order, one byte each, follows the values.
    unsafe {
        let size = (*values).size;
        let order = (&raw mut (*values).values).cast::<*mut PyObject>().add((*values).capacity as usize).cast::<u8>();
        *order.add(size as usize) = index as u8;
        (*values).size = size + 1;
    }
}

/// List iterator and tuple iterator.
#[repr(C)]
pub struct PyListIterObject {
    ob_base: PyObject,
    /// Index of the next item; -1 when exhausted.
    pub it_index: isize,
    /// The list or tuple; NULL when exhausted.
    pub it_seq: *mut PyObject,
}

/// Iterator of a range of machine integers.
#[repr(C)]
pub struct PyRangeIterObject {
    ob_base: PyObject,
    /// The next value.
    pub start: core::ffi::c_long,
    /// Its increment.
    pub step: core::ffi::c_long,
    /// How many are left.
    pub len: core::ffi::c_long,
}

/// Aborts with CPython's report for a broken interpreter.
///
/// # Safety
/// None beyond the GIL.
#[cold]
pub unsafe fn fatal_error(text: &core::ffi::CStr) -> ! {
    // SAFETY: NUL-terminated.
    unsafe { Py_FatalError(text.as_ptr()) }
}
