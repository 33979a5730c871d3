//! Debug hooks of the allocators (`PYTHONMALLOC=debug`, `PyMem_SetupDebugHooks`): they wrap what a domain uses.
//!
//! A block is laid out as CPython lays it out, since `_PyObject_IsFreed` and people with a debugger look for its bytes:
//! the size asked for (a big-endian word), the domain's letter, seven forbidden bytes, the data, eight forbidden bytes.
//! Fresh data is filled with one byte and released data with another. Collected objects come from pages that no hook
//! wraps; the collector fills them itself ([`GC_HOOK_FILL`]).

use super::{ALLOCATORS, PyMem_SetAllocator};
use crate::gc::{_Py_gc_hooks, GC_HOOK_FILL};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

/// Fills memory that was never written.
pub const CLEANBYTE: u8 = 0xCD;
/// Fills memory that was released.
pub const DEADBYTE: u8 = 0xDD;
/// Surrounds blocks.
pub const FORBIDDENBYTE: u8 = 0xFD;

const WORD: usize = size_of::<usize>();
/// Bytes in front of the data, and in all.
const FRONT: usize = 2 * WORD;
const EXTRA: usize = 3 * WORD;

/// What a domain's hooks wrap.
struct Wrapped {
    id: u8,
    inner: PyMemAllocatorEx,
}

const fn unset(id: u8) -> Wrapped {
    Wrapped { id, inner: super::RAW }
}
static mut WRAPPED: [Wrapped; 3] = [unset(b'r'), unset(b'm'), unset(b'o')];

unsafe extern "C" {
    // python
    fn PyGILState_Check() -> c_int;
    fn _Py_FatalErrorFunc(func: *const c_char, msg: *const c_char) -> !;
    fn _PyMem_DumpTraceback(fd: c_int, ptr: *const c_void);
}

fn print(text: &str) {
    // SAFETY: writing to a descriptor; a failure changes nothing.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

/// Says on standard error what stands in and around a block.
unsafe fn dump(p: *const u8) {
    use std::fmt::Write;
    // SAFETY: the block may be damaged, as its reader is told; its front is readable.
    unsafe {
        let mut out = String::new();
        let id = char::from(*p.sub(WORD));
        let size = read_size(p);
        let _ = writeln!(out, "Debug memory block at address p={p:p}: API '{id}'");
        let _ = writeln!(out, "    {size} bytes originally requested");
        let front: Vec<u8> = (1..WORD).rev().map(|i| *p.sub(i)).collect();
        let _ = write!(out, "    The {} pad bytes at p-{} are ", WORD - 1, WORD - 1);
        let pads = |out: &mut String, bytes: &[u8], place: &dyn Fn(usize) -> String| {
            if bytes.iter().all(|&b| b == FORBIDDENBYTE) {
                out.push_str("FORBIDDENBYTE, as expected.\n");
                return true;
            }
            let _ = writeln!(out, "not all FORBIDDENBYTE (0x{FORBIDDENBYTE:02x}):");
            for (i, &b) in bytes.iter().enumerate() {
                let ouch = if b == FORBIDDENBYTE { "" } else { " *** OUCH" };
                let _ = writeln!(out, "        at {}: 0x{b:02x}{ouch}", place(i));
            }
            false
        };
        if !pads(&mut out, &front, &|i| format!("p-{}", WORD - 1 - i)) {
            out.push_str("    Because memory is corrupted at the start, the count of bytes requested\n");
            out.push_str("       may be bogus, and checking the trailing pad bytes may segfault.\n");
        }
        // What is known is written before what may not be readable.
        print(&out);
        out.clear();
        let tail = p.wrapping_add(size);
        let _ = write!(out, "    The {WORD} pad bytes at tail={tail:p} are ");
        let back: Vec<u8> = (0..WORD).map(|i| *tail.add(i)).collect();
        pads(&mut out, &back, &|i| format!("tail+{i}"));
        if size > 0 {
            out.push_str("    Data at p:");
            let start = size.min(8);
            for i in 0..start {
                let _ = write!(out, " {:02x}", *p.add(i));
            }
            if size - start > 8 {
                out.push_str(" ...");
            }
            for i in start.max(size.saturating_sub(8))..size {
                let _ = write!(out, " {:02x}", *p.add(i));
            }
            out.push('\n');
        }
        out.push('\n');
        print(&out);
        _PyMem_DumpTraceback(2, p.cast());
    }
}

unsafe fn fatal(func: &core::ffi::CStr, msg: &str) -> ! {
    let msg = format!("{msg}\0");
    // SAFETY: both end in NUL; it does not return.
    unsafe { _Py_FatalErrorFunc(func.as_ptr(), msg.as_ptr().cast()) }
}

unsafe fn read_size(data: *const u8) -> usize {
    // SAFETY: [ARGS] the front of a block.
    unsafe { usize::from_be(data.sub(FRONT).cast::<usize>().read_unaligned()) }
}

/// Ends the process, with a report, when the block wasn't allocated in domain `id` or something wrote around it.
unsafe fn check(func: &core::ffi::CStr, id: u8, data: *const u8) {
    // SAFETY: [ARGS] the front of the block can be read; what follows is read only once the front is found intact.
    unsafe {
        let found = *data.sub(WORD);
        if found != id {
            dump(data);
            let msg = format!("bad ID: Allocated using API '{}', verified using API '{}'", char::from(found), char::from(id));
            fatal(func, &msg);
        }
        if (1..WORD).any(|i| *data.sub(i) != FORBIDDENBYTE) {
            dump(data);
            fatal(func, "bad leading pad byte");
        }
        let tail = data.add(read_size(data));
        if (0..WORD).any(|i| *tail.add(i) != FORBIDDENBYTE) {
            dump(data);
            fatal(func, "bad trailing pad byte");
        }
    }
}

/// Writes what surrounds `n` bytes of data in the block `head`; the data.
unsafe fn frame(head: *mut u8, id: u8, n: usize) -> *mut u8 {
    // SAFETY: [OWN] the block has n + EXTRA bytes.
    unsafe {
        head.cast::<usize>().write_unaligned(n.to_be());
        *head.add(WORD) = id;
        head.add(WORD + 1).write_bytes(FORBIDDENBYTE, WORD - 1);
        let data = head.add(FRONT);
        data.add(n).write_bytes(FORBIDDENBYTE, WORD);
        data
    }
}

fn total(n: usize) -> Option<usize> {
    n.checked_add(EXTRA).filter(|&t| t <= isize::MAX as usize)
}

unsafe fn alloc(w: &Wrapped, n: usize, zeroed: bool) -> *mut c_void {
    // SAFETY: the wrapped allocator's own contract.
    unsafe {
        let Some(total) = total(n) else { return null_mut() };
        let head = match (zeroed, w.inner.malloc, w.inner.calloc) {
            (true, _, Some(calloc)) => calloc(w.inner.ctx, 1, total),
            (false, Some(malloc), _) => malloc(w.inner.ctx, total),
            _ => null_mut(),
        };
        if head.is_null() {
            return head;
        }
        let data = frame(head.cast(), w.id, n);
        if !zeroed {
            data.write_bytes(CLEANBYTE, n);
        }
        data.cast()
    }
}

unsafe extern "C" fn raw_malloc(ctx: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: the context is an element of WRAPPED.
    unsafe { alloc(&*ctx.cast::<Wrapped>(), n, false) }
}
unsafe extern "C" fn raw_calloc(ctx: *mut c_void, n: usize, size: usize) -> *mut c_void {
    let Some(bytes) = n.checked_mul(size) else { return null_mut() };
    // SAFETY: as above.
    unsafe { alloc(&*ctx.cast::<Wrapped>(), bytes, true) }
}
unsafe extern "C" fn raw_realloc(ctx: *mut c_void, p: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: as above; [OWN] the block.
    unsafe {
        let w = &*ctx.cast::<Wrapped>();
        if p.is_null() {
            return alloc(w, n, false);
        }
        let data = p.cast::<u8>();
        check(c"_PyMem_DebugRawRealloc", w.id, data);
        let (Some(bytes), Some(realloc)) = (total(n), w.inner.realloc) else { return null_mut() };
        let old = read_size(data);
        // Who still uses the old address shall meet dead bytes: the ends of the data are kept aside meanwhile.
        const KEPT: usize = 64;
        let mut start = [0u8; KEPT];
        let mut end = [0u8; KEPT];
        let at_start = old.min(KEPT);
        let at_end = (old - at_start).min(KEPT);
        start.as_mut_ptr().copy_from(data, at_start);
        end.as_mut_ptr().copy_from(data.add(old - at_end), at_end);
        data.sub(FRONT).write_bytes(DEADBYTE, FRONT + at_start);
        data.add(old - at_end).write_bytes(DEADBYTE, at_end + EXTRA - FRONT);
        let moved = realloc(w.inner.ctx, data.sub(FRONT).cast(), bytes).cast::<u8>();
        let (head, now) = if moved.is_null() { (data.sub(FRONT), old) } else { (moved, n) };
        let data = frame(head, w.id, now);
        data.copy_from(start.as_ptr(), at_start.min(now));
        let from = old - at_end;
        if now > from {
            data.add(from).copy_from(end.as_ptr(), at_end.min(now - from));
        }
        if moved.is_null() {
            return null_mut();
        }
        if now > old {
            data.add(old).write_bytes(CLEANBYTE, now - old);
        }
        data.cast()
    }
}
unsafe extern "C" fn raw_free(ctx: *mut c_void, p: *mut c_void) {
    // SAFETY: as above.
    unsafe {
        if p.is_null() {
            return;
        }
        let w = &*ctx.cast::<Wrapped>();
        let data = p.cast::<u8>();
        check(c"_PyMem_DebugRawFree", w.id, data);
        let head = data.sub(FRONT);
        head.write_bytes(DEADBYTE, read_size(data) + EXTRA);
        if let Some(free) = w.inner.free {
            free(w.inner.ctx, head.cast());
        }
    }
}

/// Ends the process when the running thread doesn't hold the GIL.
unsafe fn check_gil(func: &core::ffi::CStr) {
    // SAFETY: a query that needs nothing.
    unsafe {
        if PyGILState_Check() == 0 {
            fatal(func, "Python memory allocator called without holding the GIL");
        }
    }
}

unsafe extern "C" fn gil_malloc(ctx: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: as for the raw domain.
    unsafe {
        check_gil(c"_PyMem_DebugMalloc");
        raw_malloc(ctx, n)
    }
}
unsafe extern "C" fn gil_calloc(ctx: *mut c_void, n: usize, size: usize) -> *mut c_void {
    // SAFETY: as for the raw domain.
    unsafe {
        check_gil(c"_PyMem_DebugCalloc");
        raw_calloc(ctx, n, size)
    }
}
unsafe extern "C" fn gil_realloc(ctx: *mut c_void, p: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: as for the raw domain.
    unsafe {
        check_gil(c"_PyMem_DebugRealloc");
        raw_realloc(ctx, p, n)
    }
}
unsafe extern "C" fn gil_free(ctx: *mut c_void, p: *mut c_void) {
    // SAFETY: as for the raw domain.
    unsafe {
        check_gil(c"_PyMem_DebugFree");
        raw_free(ctx, p)
    }
}

/// Whether the allocator is one of these hooks.
pub fn is_hook(a: &PyMemAllocatorEx) -> bool {
    let start = (&raw const WRAPPED).cast::<Wrapped>();
    (0..3).any(|d| a.ctx.cast_const() == start.wrapping_add(d).cast())
}

/// Whether the domain's allocator is wrapped at its outside, and in what.
unsafe fn hooked(domain: usize) -> bool {
    // SAFETY: [STATIC]
    unsafe { ALLOCATORS[domain].ctx == (&raw mut WRAPPED[domain]).cast() }
}

const DOMAINS: [PyMemAllocatorDomain; 3] =
    [PyMemAllocatorDomain::PYMEM_DOMAIN_RAW, PyMemAllocatorDomain::PYMEM_DOMAIN_MEM, PyMemAllocatorDomain::PYMEM_DOMAIN_OBJ];

/// Wraps the allocators of all domains in debug hooks, but for those that are wrapped already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMem_SetupDebugHooks() {
    // SAFETY: [STATIC]
    unsafe {
        for (d, &domain) in DOMAINS.iter().enumerate() {
            if hooked(d) {
                continue;
            }
            WRAPPED[d].inner = core::ptr::read(&raw const ALLOCATORS[d]);
            let ctx = (&raw mut WRAPPED[d]).cast();
            // The domains' functions differ in what they check, not in their types.
            let mut hooks = if d == 0 { table(ctx, raw_malloc, raw_calloc, raw_realloc, raw_free) } else { table(ctx, gil_malloc, gil_calloc, gil_realloc, gil_free) };
            PyMem_SetAllocator(domain, &mut hooks);
        }
        _Py_gc_hooks |= GC_HOOK_FILL;
    }
}

type Malloc = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type Calloc = unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void, *mut c_void);

fn table(ctx: *mut c_void, malloc: Malloc, calloc: Calloc, realloc: Realloc, free: Free) -> PyMemAllocatorEx {
    // SAFETY: the same signatures; `pyo3-ffi` declares them as safe to call.
    unsafe {
        PyMemAllocatorEx {
            ctx,
            malloc: Some(core::mem::transmute::<Malloc, extern "C" fn(*mut c_void, usize) -> *mut c_void>(malloc)),
            calloc: Some(core::mem::transmute::<Calloc, extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>(calloc)),
            realloc: Some(core::mem::transmute::<Realloc, extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void>(realloc)),
            free: Some(core::mem::transmute::<Free, extern "C" fn(*mut c_void, *mut c_void)>(free)),
        }
    }
}

/// Chooses the allocators by a name of `PYTHONMALLOC`; `false` if there is none of that name. Called before the first
/// block of any domain is allocated.
pub fn set_up(name: &[u8]) -> bool {
    // SAFETY: [STATIC] at start.
    unsafe {
        let (malloc, debug) = match name {
            b"default" | b"pymalloc" => (false, false),
            b"debug" | b"pymalloc_debug" => (false, true),
            b"malloc" => (true, false),
            b"malloc_debug" => (true, true),
            _ => return false,
        };
        for (d, &domain) in DOMAINS.iter().enumerate() {
            let mut plain = if malloc || d == 0 { super::RAW } else { super::OBJ };
            PyMem_SetAllocator(domain, &mut plain);
        }
        _Py_gc_hooks &= !GC_HOOK_FILL;
        if debug {
            PyMem_SetupDebugHooks();
        }
        true
    }
}

/// Name of the allocators in use, as `PYTHONMALLOC` spells it; NULL when some domain has another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMem_GetCurrentAllocatorName() -> *const c_char {
    // SAFETY: [STATIC]
    unsafe {
        let debug = (0..3).all(|d| hooked(d));
        let functions = |d: usize| {
            let a = if debug { &raw const WRAPPED[d].inner } else { &raw const ALLOCATORS[d] };
            (*a).malloc.map(|f| f as usize)
        };
        let raw = super::RAW.malloc.map(|f| f as usize);
        let own = super::OBJ.malloc.map(|f| f as usize);
        let name = match (functions(0) == raw, functions(1), functions(2)) {
            (true, m, o) if m == own && o == own => [c"pymalloc", c"pymalloc_debug"],
            (true, m, o) if m == raw && o == raw => [c"malloc", c"malloc_debug"],
            _ => return core::ptr::null(),
        };
        name[debug as usize].as_ptr()
    }
}
