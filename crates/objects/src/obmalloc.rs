//! Allocators: PyObject_*, PyMem_*, PyMem_Raw*; size-classed pages with side tables.
//!
//! One large stretch of address space is reserved at start; 64 KiB *pages* are cut from it, each serving slots of one
//! size, for collected objects or for plain memory. Whether an address belongs to a page, and to which, is a range check
//! and a mask, so that no object needs a header of ours: what the collector must know of an object stands in its page's
//! side table (architecture.md, D9). Plain blocks over [`SMALL_MAX`] come from the C library.
//!
//! Invariants: a page that has a free slot is in its class's list `with_room`; one that has none may be there until an
//! allocation comes across it, so that a lone slot coming and going moves no page ([`Page::full`]: it is not there); a
//! slot's state byte is zero while the slot is free. All of it is guarded by the GIL, but for the raw domain.

mod debug;

pub use debug::{CLEANBYTE, DEADBYTE, set_up};

use crate::gc::{_Py_gc_hooks, GC_HOOK_ASK};
use core::ffi::c_void;
use core::ptr::null_mut;
use taipan_abi::*;

/// Size and alignment of a page.
pub const PAGE_SIZE: usize = 64 * 1024;
/// Largest plain block that pages serve.
const SMALL_MAX: usize = 2048;
/// Largest collected object that shares a page; larger ones get a span of pages of their own.
const GC_SMALL_MAX: usize = 8192;
/// Address space to reserve; halved until the system grants it.
const RESERVE: usize = 1 << 38;
/// The same under valgrind, which takes half a minute to note the state of the other.
const RESERVE_IN_VALGRIND: usize = 1 << 32;
/// Empty pages kept mapped for reuse.
const KEEP_EMPTY: usize = 32;

const CLASSES: usize = 48;

/// The largest size that the allocator serves itself, and the number of its size classes.
pub const SIZE_CLASSES: (usize, usize) = (SMALL_MAX, CLASSES);

#[repr(C)]
struct Slot {
    next: *mut Slot,
}

/// Header of a page. The state bytes of a page for collected objects follow it, then the slots.
#[repr(C)]
pub struct Page {
    free: *mut Slot,
    /// Slots never used yet start here.
    bump: *mut u8,
    /// One past the last slot.
    end: *mut u8,
    /// First slot.
    first: *mut u8,
    /// A slot's size in bytes.
    size: u32,
    /// `ceil(2**32 / size)`, to divide an offset by the size.
    recip: u32,
    used: u32,
    class: u8,
    /// Whether the slots are collected objects.
    pub gc: bool,
    full: bool,
    /// Whether the collector has it on its list of pages with young objects.
    pub young: bool,
    prev: *mut Page,
    next: *mut Page,
    /// How many pages it spans.
    span: usize,
    /// Position in [`Heap::gc_pages`].
    index: usize,
    /// References to each slot's object that the running collection has not explained; allocated while collecting.
    pub scratch: *mut i32,
}

const HEADER: usize = size_of::<Page>().next_multiple_of(16);

impl Page {
    /// The page that holds the address; it must lie in the reserved stretch.
    #[inline(always)]
    pub fn of(p: *mut u8) -> *mut Page {
        p.map_addr(|a| a & !(PAGE_SIZE - 1)).cast()
    }
    /// Which slot the address lies in.
    ///
    /// # Safety
    /// `page` is a page and `p` points into its first 64 KiB.
    #[inline(always)]
    pub unsafe fn index_of(page: *mut Page, p: *mut u8) -> usize {
        // SAFETY: [ARGS]
        unsafe {
            let offset = (p.addr() - (*page).first.addr()) as u64;
            ((offset * (*page).recip as u64) >> 32) as usize
        }
    }
    /// The state byte of slot `i`.
    ///
    /// # Safety
    /// `page` serves collected objects and has that slot.
    #[inline(always)]
    pub unsafe fn state(page: *mut Page, i: usize) -> *mut u8 {
        // SAFETY: [ARGS] the state bytes follow the header.
        unsafe { page.cast::<u8>().add(HEADER + i) }
    }
    /// How many slots have ever been used (their states are meaningful).
    ///
    /// # Safety
    /// `page` is a page.
    #[inline]
    pub unsafe fn used_extent(page: *mut Page) -> usize {
        // SAFETY: [ARGS]
        unsafe {
            if (*page).span > 1 {
                return 1;
            }
            ((*page).bump.addr() - (*page).first.addr()) / (*page).size as usize
        }
    }
    /// Address of the first slot, of the end, and a slot's size.
    pub fn limits(&self) -> (usize, usize, usize) {
        (self.first.addr(), self.end.addr(), self.size as usize)
    }
    /// Start of slot `i`.
    ///
    /// # Safety
    /// `page` has that slot.
    #[inline(always)]
    pub unsafe fn slot(page: *mut Page, i: usize) -> *mut u8 {
        // SAFETY: [ARGS]
        unsafe { (*page).first.add(i * (*page).size as usize) }
    }
}

/// The pages of one size: those with room are linked.
struct Class {
    with_room: *mut Page,
}

/// All pages.
pub struct Heap {
    base: usize,
    /// Size of the reserved stretch.
    size: usize,
    /// First page never used yet.
    fresh: usize,
    plain: [Class; CLASSES],
    collected: [Class; CLASSES],
    empty: *mut Page,
    empties: usize,
    spans: Vec<(usize, usize)>,
    /// Every page that serves collected objects.
    pub gc_pages: Vec<*mut Page>,
}

const NO_PAGES: Class = Class { with_room: null_mut() };

/// The heap; guarded by the GIL.
pub static mut HEAP: Heap = Heap {
    base: 0,
    size: 0,
    fresh: 0,
    plain: [NO_PAGES; CLASSES],
    collected: [NO_PAGES; CLASSES],
    empty: null_mut(),
    empties: 0,
    spans: Vec::new(),
    gc_pages: Vec::new(),
};

/// Whether the address lies in a page of ours.
#[inline(always)]
pub fn in_heap(p: *mut u8) -> bool {
    // SAFETY: [GIL] plain reads of two words.
    unsafe { p.addr().wrapping_sub((*(&raw const HEAP)).base) < (*(&raw const HEAP)).size }
}

#[inline(always)]
const fn class_of(n: usize) -> usize {
    if n <= 512 {
        return if n == 0 { 0 } else { (n - 1) >> 4 };
    }
    // Four classes a power of two: (512, 640], (640, 768], ...
    let shift = (usize::BITS - (n - 1).leading_zeros()) as usize - 3;
    let top = (n - 1) >> shift; // 4..=7
    32 + (shift - 7) * 4 + (top - 4)
}

const fn class_size(class: usize) -> usize {
    if class < 32 {
        return (class + 1) << 4;
    }
    let shift = 7 + (class - 32) / 4;
    (5 + (class - 32) % 4) << shift
}

const _: () = {
    assert!(class_of(16) == 0 && class_of(17) == 1 && class_of(512) == 31 && class_of(513) == 32);
    assert!(class_size(32) == 640 && class_of(640) == 32 && class_of(641) == 33 && class_size(35) == 1024);
    assert!(class_of(1024) == 35 && class_of(1025) == 36 && class_size(class_of(8192)) == 8192);
    assert!(class_of(8192) < CLASSES);
};

/// Whether valgrind executes this program: it looks for a sequence of instructions that otherwise does nothing.
#[cfg(target_arch = "x86_64")]
fn running_on_valgrind() -> bool {
    /// The request's number in `valgrind.h`, and its arguments.
    static REQUEST: [u64; 6] = [0x1001, 0, 0, 0, 0, 0];
    let answer: u64;
    // SAFETY: the rotations add up to nothing, the exchange is of a register with itself.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &raw const REQUEST,
            inout("rdx") 0u64 => answer,
            out("rdi") _,
        );
    }
    answer != 0
}
#[cfg(not(target_arch = "x86_64"))]
fn running_on_valgrind() -> bool {
    false
}

impl Heap {
    #[cold]
    unsafe fn reserve(&mut self) -> bool {
        let mut size = if running_on_valgrind() { RESERVE_IN_VALGRIND } else { RESERVE };
        while size >= 1 << 26 {
            // SAFETY: a new private mapping.
            let p = unsafe {
                libc::mmap(
                    null_mut(),
                    size,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                    -1,
                    0,
                )
            };
            if p != libc::MAP_FAILED {
                self.base = p.addr().next_multiple_of(PAGE_SIZE);
                self.size = size - (self.base - p.addr());
                self.size &= !(PAGE_SIZE - 1);
                self.fresh = self.base;
                return true;
            }
            size >>= 1;
        }
        false
    }

    /// `n` adjacent pages, zeroed or not; NULL when the stretch is used up.
    unsafe fn take_pages(&mut self, n: usize) -> *mut Page {
        // SAFETY: [GIL]
        unsafe {
            if n == 1 && !self.empty.is_null() {
                let page = self.empty;
                self.empty = (*page).next;
                self.empties -= 1;
                return page;
            }
            if let Some(i) = self.spans.iter().position(|&(_, len)| len >= n) {
                let (start, len) = self.spans[i];
                if len == n {
                    self.spans.swap_remove(i);
                } else {
                    self.spans[i] = (start + n * PAGE_SIZE, len - n);
                }
                return core::ptr::with_exposed_provenance_mut(start);
            }
            if self.base == 0 && !self.reserve() {
                return null_mut();
            }
            if self.fresh + n * PAGE_SIZE > self.base + self.size {
                return null_mut();
            }
            let start = self.fresh;
            self.fresh += n * PAGE_SIZE;
            core::ptr::with_exposed_provenance_mut(start)
        }
    }

    unsafe fn give_pages(&mut self, page: *mut Page, n: usize) {
        // SAFETY: [GIL] the pages hold nothing any more.
        unsafe {
            if n == 1 && self.empties < KEEP_EMPTY {
                (*page).next = self.empty;
                self.empty = page;
                self.empties += 1;
                return;
            }
            libc::madvise(page.cast(), n * PAGE_SIZE, libc::MADV_DONTNEED);
            self.spans.push((page.expose_provenance(), n));
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn new_page(&mut self, class: usize, gc: bool, slot: usize, span: usize) -> *mut Page {
        // SAFETY: [GIL] the page is ours to lay out.
        unsafe {
            let never_used = self.fresh;
            let page = self.take_pages(span);
            if page.is_null() {
                return page;
            }
            let bytes = span * PAGE_SIZE;
            let base = page.cast::<u8>();
            let mut n = if span > 1 { 1 } else { (bytes - HEADER) / (slot + gc as usize) };
            let mut first = HEADER + if gc { n } else { 0 };
            first = first.next_multiple_of(16);
            if first + n * slot > bytes {
                n -= 1;
            }
            page.write(Page {
                free: null_mut(),
                bump: base.add(first),
                end: base.add(first + n * slot),
                first: base.add(first),
                size: slot as u32,
                recip: if span > 1 { 0 } else { ((1u64 << 32).div_ceil(slot as u64)) as u32 },
                used: 0,
                class: class as u8,
                gc,
                full: true,
                young: false,
                prev: null_mut(),
                next: null_mut(),
                span,
                index: self.gc_pages.len(),
                scratch: null_mut(),
            });
            if gc {
                // What the system hands out first is zero, and stays untouched until it is needed.
                if never_used == 0 || page.addr() < never_used {
                    core::ptr::write_bytes(base.add(HEADER), 0, n);
                }
                self.gc_pages.push(page);
            }
            page
        }
    }

    #[inline(always)]
    unsafe fn class(&mut self, class: usize, gc: bool) -> &mut Class {
        // SAFETY: class_of yields an index below CLASSES for every size that it is asked.
        unsafe {
            if gc { self.collected.get_unchecked_mut(class) } else { self.plain.get_unchecked_mut(class) }
        }
    }

    unsafe fn link(&mut self, page: *mut Page) {
        // SAFETY: [GIL] list of pages with room.
        unsafe {
            let class = self.class((*page).class as usize, (*page).gc);
            (*page).prev = null_mut();
            (*page).next = class.with_room;
            if !class.with_room.is_null() {
                (*class.with_room).prev = page;
            }
            class.with_room = page;
            (*page).full = false;
        }
    }

    unsafe fn unlink(&mut self, page: *mut Page) {
        // SAFETY: [GIL] the page is in the list.
        unsafe {
            let class = self.class((*page).class as usize, (*page).gc);
            if (*page).prev.is_null() {
                class.with_room = (*page).next;
            } else {
                (*(*page).prev).next = (*page).next;
            }
            if !(*page).next.is_null() {
                (*(*page).next).prev = (*page).prev;
            }
            (*page).full = true;
        }
    }

    #[inline(always)]
    unsafe fn alloc(&mut self, class: usize, gc: bool) -> *mut u8 {
        // SAFETY: [GIL]
        unsafe {
            let page = self.class(class, gc).with_room;
            if !page.is_null() {
                let slot = (*page).free;
                if !slot.is_null() {
                    (*page).free = (*slot).next;
                    (*page).used += 1;
                    return slot.cast();
                }
            }
            self.alloc_slow(class, gc)
        }
    }

    #[inline(never)]
    unsafe fn alloc_slow(&mut self, class: usize, gc: bool) -> *mut u8 {
        // SAFETY: [GIL]
        unsafe {
            loop {
                let mut page = self.class(class, gc).with_room;
                if page.is_null() {
                    page = self.new_page(class, gc, class_size(class), 1);
                    if page.is_null() {
                        return null_mut();
                    }
                    self.link(page);
                }
                let slot = (*page).free;
                if !slot.is_null() {
                    (*page).free = (*slot).next;
                    (*page).used += 1;
                    return slot.cast();
                }
                let slot = (*page).bump;
                if slot != (*page).end {
                    (*page).bump = slot.add((*page).size as usize);
                    (*page).used += 1;
                    return slot;
                }
                self.unlink(page);
            }
        }
    }

    /// Frees the slot that starts at `p`.
    #[inline(always)]
    unsafe fn free(&mut self, page: *mut Page, p: *mut u8) {
        // SAFETY: [GIL] [OWN] the slot is no longer used.
        unsafe {
            let slot = p.cast::<Slot>();
            (*slot).next = (*page).free;
            (*page).free = slot;
            (*page).used -= 1;
            if (*page).full || (*page).used == 0 {
                self.free_slow(page);
            }
        }
    }

    #[inline(never)]
    unsafe fn free_slow(&mut self, page: *mut Page) {
        // SAFETY: [GIL]
        unsafe {
            if (*page).span > 1 {
                self.retire(page);
                return;
            }
            if (*page).full {
                self.link(page);
            }
            // Keep one page of a class, so that a lone object coming and going costs nothing.
            let alone = (*page).prev.is_null() && (*page).next.is_null();
            if (*page).used == 0 && !alone && (*page).scratch.is_null() {
                self.unlink(page);
                self.retire(page);
            }
        }
    }

    unsafe fn retire(&mut self, page: *mut Page) {
        // SAFETY: [GIL] nothing lives in the page.
        unsafe {
            if (*page).gc {
                let i = (*page).index;
                self.gc_pages.swap_remove(i);
                if let Some(&moved) = self.gc_pages.get(i) {
                    (*moved).index = i;
                }
                if (*page).young {
                    crate::gc::forget_page(page);
                }
                if !(*page).scratch.is_null() {
                    libc::free((*page).scratch.cast());
                }
            }
            let span = (*page).span;
            self.give_pages(page, span);
        }
    }
}

/// Memory for a collected object of `size` bytes (pre-header included), not zeroed, or NULL. Its state byte is zero.
///
/// # Safety
/// [GIL]
#[inline(always)]
pub unsafe fn gc_malloc(size: usize) -> *mut u8 {
    // SAFETY: [GIL]
    unsafe {
        let heap = &mut *(&raw mut HEAP);
        if size <= GC_SMALL_MAX {
            return heap.alloc(class_of(size), true);
        }
        gc_malloc_large(size)
    }
}

#[cold]
unsafe fn gc_malloc_large(size: usize) -> *mut u8 {
    // SAFETY: [GIL]
    unsafe {
        let heap = &mut *(&raw mut HEAP);
        let Some(bytes) = size.checked_add(HEADER + 16) else { return null_mut() };
        let span = bytes.div_ceil(PAGE_SIZE).max(2);
        let page = heap.new_page(CLASSES - 1, true, size.next_multiple_of(16).min(u32::MAX as usize & !15), span);
        if page.is_null() {
            return null_mut();
        }
        // A span has one slot; its bounds need not fit the 32-bit size.
        (*page).end = (*page).first.add(size);
        (*page).bump = (*page).end;
        (*page).used = 1;
        (*page).first
    }
}

/// Frees the collected object at or after whose slot's start `op` lies.
///
/// # Safety
/// [GIL] `op` came from [`gc_malloc`], possibly moved past a pre-header, and nobody uses it any more.
#[inline(always)]
pub unsafe fn gc_free(op: *mut u8) {
    // SAFETY: [OWN]
    unsafe {
        let page = Page::of(op);
        let i = Page::index_of(page, op);
        *Page::state(page, i) = 0;
        let start = if (*page).span > 1 { (*page).first } else { Page::slot(page, i) };
        (*(&raw mut HEAP)).free(page, start);
    }
}

/// Usable bytes from `op` on in its slot.
///
/// # Safety
/// [GIL] `op` lies in a slot of the heap.
pub(crate) unsafe fn room(op: *mut u8) -> usize {
    // SAFETY: [ARGS]
    unsafe {
        let page = Page::of(op);
        if (*page).span > 1 {
            return (*page).end.addr() - op.addr();
        }
        let start = Page::slot(page, Page::index_of(page, op));
        (*page).size as usize - (op.addr() - start.addr())
    }
}

/// Resizes a collected object in place or by moving it; `pre` bytes lie in front of it in its slot.
///
/// # Safety
/// [GIL] `op` came from [`gc_malloc`], moved by `pre`; no pointer to it is kept if it moves.
pub unsafe fn gc_realloc(op: *mut u8, pre: usize, size: usize) -> *mut u8 {
    // SAFETY: [ARGS]
    unsafe {
        let have = room(op);
        if size <= have && size >= have / 2 {
            return op;
        }
        let new = gc_malloc(size + pre);
        if new.is_null() {
            return new;
        }
        core::ptr::copy_nonoverlapping(op.sub(pre), new, pre + have.min(size));
        gc_free(op);
        new.add(pre)
    }
}

#[inline(always)]
unsafe fn small_malloc(n: usize) -> *mut c_void {
    // SAFETY: [GIL]
    unsafe {
        if n <= SMALL_MAX {
            let p = (*(&raw mut HEAP)).alloc(class_of(n), false);
            if !p.is_null() {
                return p.cast();
            }
        }
        if n > isize::MAX as usize {
            return null_mut();
        }
        libc::malloc(n)
    }
}

#[inline(always)]
unsafe fn small_free(p: *mut c_void) {
    // SAFETY: [OWN]
    unsafe {
        let p = p.cast::<u8>();
        if in_heap(p) {
            let page = Page::of(p);
            if (*page).gc {
                gc_free(p);
            } else {
                (*(&raw mut HEAP)).free(page, p);
            }
        } else {
            libc::free(p.cast());
        }
    }
}

unsafe fn small_calloc(n: usize, size: usize) -> *mut c_void {
    // SAFETY: [GIL]
    unsafe {
        let Some(bytes) = n.checked_mul(size) else { return null_mut() };
        if bytes > SMALL_MAX {
            return if bytes > isize::MAX as usize { null_mut() } else { libc::calloc(n, size) };
        }
        let p = small_malloc(bytes);
        if !p.is_null() {
            core::ptr::write_bytes(p.cast::<u8>(), 0, bytes);
        }
        p
    }
}

unsafe fn small_realloc(p: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: [OWN]
    unsafe {
        if p.is_null() {
            return small_malloc(n);
        }
        if n > isize::MAX as usize {
            return null_mut();
        }
        if !in_heap(p.cast()) {
            return libc::realloc(p, n.max(1));
        }
        let have = room(p.cast());
        if n <= have && n >= have / 4 * 3 {
            return p;
        }
        let new = small_malloc(n);
        if new.is_null() {
            return if n <= have { p } else { new };
        }
        core::ptr::copy_nonoverlapping(p.cast::<u8>(), new.cast::<u8>(), have.min(n));
        small_free(p);
        new
    }
}

// The replaceable allocators (PEP 445). While nobody has replaced one, calls go straight to the functions above.

extern "C" fn raw_malloc(_: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: thread-safe C library.
    unsafe { if n > isize::MAX as usize { null_mut() } else { libc::malloc(n.max(1)) } }
}
extern "C" fn raw_calloc(_: *mut c_void, n: usize, size: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe { if n == 0 || size == 0 { libc::calloc(1, 1) } else { libc::calloc(n, size) } }
}
extern "C" fn raw_realloc(_: *mut c_void, p: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe { if n > isize::MAX as usize { null_mut() } else { libc::realloc(p, n.max(1)) } }
}
extern "C" fn raw_free(_: *mut c_void, p: *mut c_void) {
    // SAFETY: as above.
    unsafe { libc::free(p) }
}
extern "C" fn ob_malloc(_: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: [GIL]
    unsafe { small_malloc(n) }
}
extern "C" fn ob_calloc(_: *mut c_void, n: usize, size: usize) -> *mut c_void {
    // SAFETY: [GIL]
    unsafe { small_calloc(n, size) }
}
extern "C" fn ob_realloc(_: *mut c_void, p: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: [GIL]
    unsafe { small_realloc(p, n) }
}
extern "C" fn ob_free(_: *mut c_void, p: *mut c_void) {
    // SAFETY: [GIL]
    unsafe {
        if !p.is_null() {
            small_free(p)
        }
    }
}

const RAW: PyMemAllocatorEx = PyMemAllocatorEx {
    ctx: null_mut(),
    malloc: Some(raw_malloc),
    calloc: Some(raw_calloc),
    realloc: Some(raw_realloc),
    free: Some(raw_free),
};
const OBJ: PyMemAllocatorEx = PyMemAllocatorEx {
    ctx: null_mut(),
    malloc: Some(ob_malloc),
    calloc: Some(ob_calloc),
    realloc: Some(ob_realloc),
    free: Some(ob_free),
};

/// Raw, memory and object domain, in the order of `PyMemAllocatorDomain`.
static mut ALLOCATORS: [PyMemAllocatorEx; 3] = [RAW, OBJ, OBJ];
/// Bit `d` is set while domain `d` has an allocator that is not ours.
static mut REPLACED: u8 = 0;

#[inline(always)]
fn replaced(domain: usize) -> bool {
    // SAFETY: [GIL] a plain read; replacing happens before threads use the domain.
    unsafe { *(&raw const REPLACED) & (1 << domain) != 0 }
}

macro_rules! hooked {
    ($domain:expr, $field:ident ( $($arg:expr),* )) => {{
        let a = &*(&raw const ALLOCATORS[$domain]);
        match a.$field { Some(f) => f(a.ctx, $($arg),*), None => null_mut() }
    }};
}
macro_rules! domain {
    ($domain:literal $malloc:ident $calloc:ident $realloc:ident $free:ident => $m:expr, $c:expr, $r:expr, $f:expr) => {
        /// Allocates `n` bytes, NULL (without exception) when there is no memory.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $malloc(n: usize) -> *mut c_void {
            // SAFETY: [GIL] but for the raw domain.
            unsafe { if replaced($domain) { return hooked!($domain, malloc(n)); } $m(n) }
        }
        /// Allocates `n * size` zeroed bytes.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $calloc(n: usize, size: usize) -> *mut c_void {
            // SAFETY: as above.
            unsafe { if replaced($domain) { return hooked!($domain, calloc(n, size)); } $c(n, size) }
        }
        /// Resizes a block, moving it where needed; NULL leaves the old block as it was.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $realloc(p: *mut c_void, n: usize) -> *mut c_void {
            // SAFETY: as above.
            unsafe { if replaced($domain) { return hooked!($domain, realloc(p, n)); } $r(p, n) }
        }
        /// Frees a block of this domain; NULL is allowed.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $free(p: *mut c_void) {
            // SAFETY: [OWN]
            unsafe {
                if replaced($domain) {
                    let a = &*(&raw const ALLOCATORS[$domain]);
                    if let Some(f) = a.free { f(a.ctx, p) }
                    return;
                }
                if !p.is_null() { $f(p) }
            }
        }
    };
}
domain!(0 PyMem_RawMalloc PyMem_RawCalloc PyMem_RawRealloc PyMem_RawFree =>
    |n| raw_malloc(null_mut(), n), |n, s| raw_calloc(null_mut(), n, s), |p, n| raw_realloc(null_mut(), p, n), |p| raw_free(null_mut(), p));
domain!(1 PyMem_Malloc PyMem_Calloc PyMem_Realloc PyMem_Free => small_malloc, small_calloc, small_realloc, small_free);
domain!(2 PyObject_Malloc PyObject_Calloc PyObject_Realloc PyObject_Free => small_malloc, small_calloc, small_realloc, small_free);

/// Reads the allocator of a domain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMem_GetAllocator(domain: PyMemAllocatorDomain, allocator: *mut PyMemAllocatorEx) {
    // SAFETY: [ARGS]
    unsafe { *allocator = core::ptr::read(&raw const ALLOCATORS[domain as usize]) }
}

/// Replaces the allocator of a domain; blocks of the old one must have been freed or be accepted by the new one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMem_SetAllocator(domain: PyMemAllocatorDomain, allocator: *mut PyMemAllocatorEx) {
    // SAFETY: [ARGS]
    unsafe {
        let d = domain as usize;
        let new = core::ptr::read(allocator);
        let own = if d == 0 { RAW } else { OBJ };
        let ours = new.malloc.map(|f| f as usize) == own.malloc.map(|f| f as usize);
        let known = ours || new.malloc.map(|f| f as usize) == RAW.malloc.map(|f| f as usize) || debug::is_hook(&new);
        ALLOCATORS[d] = new;
        if ours {
            REPLACED &= !(1 << d);
        } else {
            REPLACED |= 1 << d;
        }
        // Collected objects always come from our pages; an allocator that may refuse is at least asked.
        if d == 2 {
            _Py_gc_hooks = if known { _Py_gc_hooks & !GC_HOOK_ASK } else { _Py_gc_hooks | GC_HOOK_ASK };
        }
    }
}

/// Puts our own allocator back for a domain; the one that was there goes to `old` (may be NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMem_SetDefaultAllocator(domain: PyMemAllocatorDomain, old: *mut PyMemAllocatorEx) -> core::ffi::c_int {
    // SAFETY: [ARGS]
    unsafe {
        if !old.is_null() {
            PyMem_GetAllocator(domain, old);
        }
        let mut own = if domain as usize == 0 { RAW } else { OBJ };
        PyMem_SetAllocator(domain, &mut own);
    }
    0
}

/// Copies a C string into PyMem memory; NULL when there is no memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMem_Strdup(text: *const core::ffi::c_char) -> *mut core::ffi::c_char {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let n = libc::strlen(text) + 1;
        let p = PyMem_Malloc(n).cast::<core::ffi::c_char>();
        if !p.is_null() {
            core::ptr::copy_nonoverlapping(text, p, n);
        }
        p
    }
}

extern "C" fn arena_alloc(_: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: new memory.
    unsafe { libc::malloc(size) }
}
extern "C" fn arena_free(_: *mut c_void, p: *mut c_void, _size: usize) {
    // SAFETY: [OWN] memory of arena_alloc.
    unsafe { libc::free(p) };
}

static mut ARENAS: PyObjectArenaAllocator = PyObjectArenaAllocator { ctx: null_mut(), alloc: Some(arena_alloc), free: Some(arena_free) };

/// Reads the allocator of arenas.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetArenaAllocator(allocator: *mut PyObjectArenaAllocator) {
    // SAFETY: [ARGS]
    unsafe { *allocator = core::ptr::read(&raw const ARENAS) }
}

/// Replaces the allocator of arenas. The heap asks it for none: it reserves its address space once, at the start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_SetArenaAllocator(allocator: *mut PyObjectArenaAllocator) {
    // SAFETY: [ARGS]
    unsafe { ARENAS = core::ptr::read(allocator) }
}

/// Memory of the arenas' allocator, which the data stacks' chunks are made of; NULL without memory. Greenlets free the chunks
/// of those that ended, by that allocator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_VirtualAlloc(size: usize) -> *mut c_void {
    // SAFETY: [STATIC]
    unsafe { (*(&raw const ARENAS)).alloc.map_or(null_mut(), |alloc| alloc((*(&raw const ARENAS)).ctx, size)) }
}

/// Frees memory of [`_PyObject_VirtualAlloc`], given its size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_VirtualFree(p: *mut c_void, size: usize) {
    // SAFETY: [OWN]
    unsafe {
        if let Some(free) = (*(&raw const ARENAS)).free {
            free((*(&raw const ARENAS)).ctx, p, size);
        }
    }
}

/// How many slots are in use (`sys.getallocatedblocks`).
pub fn allocated_blocks() -> usize {
    // SAFETY: [GIL] pages are only counted.
    unsafe {
        let heap = &*(&raw const HEAP);
        let mut n = 0;
        let mut at = heap.base;
        while at < heap.fresh {
            let page: *mut Page = core::ptr::with_exposed_provenance_mut(at);
            let free = heap.spans.iter().any(|&(s, len)| at >= s && at < s + len * PAGE_SIZE);
            if free {
                at += PAGE_SIZE;
                continue;
            }
            n += (*page).used as usize;
            at += (*page).span.max(1) * PAGE_SIZE;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_finds_a_class_that_holds_it() {
        for n in 1..=GC_SMALL_MAX {
            let c = class_of(n);
            assert!(class_size(c) >= n, "{n}");
            assert!(c == 0 || class_size(c - 1) < n, "{n}");
        }
    }
}
