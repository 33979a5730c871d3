//! The x86-64 System V calling convention: how values travel, calls of any function, and functions made at run time.
//!
//! Must not know: Python objects.

use core::arch::global_asm;
use core::ffi::c_void;
use std::sync::Mutex;

/// What a C type is to the calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No value.
    Void,
    /// A signed integer of 1, 2, 4 or 8 bytes.
    Signed,
    /// An unsigned integer of 1, 2, 4 or 8 bytes.
    Unsigned,
    /// An address.
    Pointer,
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// `long double`.
    LongDouble,
    /// A structure or union.
    Struct,
}

/// The register class of eight bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing lies there.
    None,
    /// A general register.
    Integer,
    /// A vector register.
    Sse,
}

/// How a type is passed.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment.
    pub align: usize,
    /// The classes of its two halves, where it travels in registers; else `None`.
    pub classes: Option<[Class; 2]>,
}

impl Passing {
    /// A scalar type; its alignment is its size.
    pub const fn scalar(kind: Kind, size: usize) -> Self {
        let classes = match kind {
            Kind::Void => Some([Class::None, Class::None]),
            Kind::Float | Kind::Double => Some([Class::Sse, Class::None]),
            Kind::LongDouble | Kind::Struct => None,
            _ => Some([Class::Integer, Class::None]),
        };
        Passing { kind, size, align: size, classes }
    }
    /// `void`.
    pub const VOID: Self = Passing { align: 1, ..Self::scalar(Kind::Void, 0) };
    /// `int`.
    pub const INT: Self = Self::scalar(Kind::Signed, 4);
    /// `void *`.
    pub const POINTER: Self = Self::scalar(Kind::Pointer, 8);
}

/// A scalar member of an aggregate, at its offset.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    /// Where it lies.
    pub offset: usize,
    /// Its size.
    pub size: usize,
    /// What it is.
    pub kind: Kind,
}

/// The classes of an aggregate of `size` bytes with these members: `None` if it travels in memory, as one does that is larger
/// than 16 bytes, holds a `long double`, or has a member off its alignment.
pub fn classify(size: usize, members: &[Scalar]) -> Option<[Class; 2]> {
    if size > 16 {
        return None;
    }
    let mut classes = [Class::None; 2];
    for member in members {
        if member.kind == Kind::LongDouble || member.size == 0 || member.offset % member.size != 0 || member.offset >= 16 {
            return None;
        }
        let class = if matches!(member.kind, Kind::Float | Kind::Double) { Class::Sse } else { Class::Integer };
        let half = &mut classes[member.offset / 8];
        if *half != Class::Integer {
            *half = class;
        }
    }
    // Padding alone travels as SSE does.
    for (i, class) in classes.iter_mut().enumerate() {
        if *class == Class::None && size > i * 8 {
            *class = Class::Sse;
        }
    }
    Some(classes)
}

/// The registers that matter to a call, as the assembly below reads and writes them.
#[repr(C, align(16))]
struct Registers {
    general: [u64; 6],
    vector: [u64; 8],
    /// Calling: how many vector registers are used. Being called: the address of the arguments on the stack.
    extra: u64,
    /// Whether the result is a `long double`.
    x87: u32,
    _pad: u32,
    long_double: [u8; 16],
}

const _: () = assert!(core::mem::offset_of!(Registers, extra) == 112 && core::mem::offset_of!(Registers, x87) == 120);
const _: () = assert!(core::mem::offset_of!(Registers, long_double) == 128 && size_of::<Registers>() == 144);

impl Registers {
    const EMPTY: Self = Registers { general: [0; 6], vector: [0; 8], extra: 0, x87: 0, _pad: 0, long_double: [0; 16] };
}

unsafe extern "C" {
    fn taipan_ctypes_call(registers: *mut Registers, stack: *const u64, words: usize, function: *const c_void);
    fn taipan_ctypes_entry();
}

global_asm!(
    // taipan_ctypes_call: copies the stack's words, fills the registers, calls, and stores what may be a result.
    ".pushsection .text.taipan_ctypes, \"ax\", @progbits",
    ".p2align 4",
    ".hidden taipan_ctypes_call",
    ".globl taipan_ctypes_call",
    ".type taipan_ctypes_call, @function",
    "taipan_ctypes_call:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    ".cfi_offset rbx, -24",
    "push r12",
    ".cfi_offset r12, -32",
    "mov rbx, rdi",
    "mov r12, rcx",
    "lea rax, [rdx + 1]",
    "and rax, -2",
    "shl rax, 3",
    "sub rsp, rax",
    "mov rdi, rsp",
    "mov rcx, rdx",
    "rep movsq",
    "movsd xmm0, [rbx + 48]",
    "movsd xmm1, [rbx + 56]",
    "movsd xmm2, [rbx + 64]",
    "movsd xmm3, [rbx + 72]",
    "movsd xmm4, [rbx + 80]",
    "movsd xmm5, [rbx + 88]",
    "movsd xmm6, [rbx + 96]",
    "movsd xmm7, [rbx + 104]",
    "mov rdi, [rbx]",
    "mov rsi, [rbx + 8]",
    "mov rdx, [rbx + 16]",
    "mov rcx, [rbx + 24]",
    "mov r8, [rbx + 32]",
    "mov r9, [rbx + 40]",
    "mov rax, [rbx + 112]",
    "call r12",
    "mov [rbx], rax",
    "mov [rbx + 8], rdx",
    "movsd [rbx + 48], xmm0",
    "movsd [rbx + 56], xmm1",
    "cmp dword ptr [rbx + 120], 0",
    "je 2f",
    "fstp tbyte ptr [rbx + 128]",
    "2:",
    "lea rsp, [rbp - 16]",
    "pop r12",
    "pop rbx",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size taipan_ctypes_call, . - taipan_ctypes_call",
    // taipan_ctypes_entry: where every function made at run time leads, with its own data in r10.
    ".p2align 4",
    ".hidden taipan_ctypes_entry",
    ".globl taipan_ctypes_entry",
    ".type taipan_ctypes_entry, @function",
    "taipan_ctypes_entry:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "sub rsp, 144",
    "mov [rsp], rdi",
    "mov [rsp + 8], rsi",
    "mov [rsp + 16], rdx",
    "mov [rsp + 24], rcx",
    "mov [rsp + 32], r8",
    "mov [rsp + 40], r9",
    "movsd [rsp + 48], xmm0",
    "movsd [rsp + 56], xmm1",
    "movsd [rsp + 64], xmm2",
    "movsd [rsp + 72], xmm3",
    "movsd [rsp + 80], xmm4",
    "movsd [rsp + 88], xmm5",
    "movsd [rsp + 96], xmm6",
    "movsd [rsp + 104], xmm7",
    "lea rax, [rbp + 16]",
    "mov [rsp + 112], rax",
    "mov dword ptr [rsp + 120], 0",
    "mov rdi, rsp",
    "mov rsi, r10",
    "call {called}",
    "mov rax, [rsp]",
    "mov rdx, [rsp + 8]",
    "movsd xmm0, [rsp + 48]",
    "movsd xmm1, [rsp + 56]",
    "cmp dword ptr [rsp + 120], 0",
    "je 2f",
    "fld tbyte ptr [rsp + 128]",
    "2:",
    "leave",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size taipan_ctypes_entry, . - taipan_ctypes_entry",
    ".popsection",
    called = sym called,
);

/// The eight bytes at `p + at`, zero-filled beyond `size`.
unsafe fn word(p: *const u8, at: usize, size: usize) -> u64 {
    let mut bytes = [0u8; 8];
    let n = size.saturating_sub(at).min(8);
    // SAFETY: [ARGS] `size` bytes are readable.
    unsafe { core::ptr::copy_nonoverlapping(p.add(at), bytes.as_mut_ptr(), n) };
    u64::from_le_bytes(bytes)
}

/// An integer widened to a register, by its sign.
unsafe fn widened(kind: Kind, p: *const u8, size: usize) -> u64 {
    // SAFETY: [ARGS]
    let value = unsafe { word(p, 0, size) };
    if kind == Kind::Signed && size < 8 {
        let shift = 64 - 8 * size as u32;
        return ((value << shift) as i64 >> shift) as u64;
    }
    value
}

/// Hands out registers, then the stack, to arguments in order.
struct Placement<'s> {
    registers: Registers,
    general: usize,
    vector: usize,
    stack: &'s mut Vec<u64>,
}

impl Placement<'_> {
    fn general(&mut self, value: u64) {
        if self.general < 6 {
            self.registers.general[self.general] = value;
            self.general += 1;
        } else {
            self.stack.push(value);
        }
    }

    unsafe fn argument(&mut self, how: &Passing, p: *const u8) {
        // SAFETY: [ARGS] `how.size` bytes are readable.
        unsafe {
            match how.kind {
                Kind::Void => {}
                Kind::Signed | Kind::Unsigned | Kind::Pointer => self.general(widened(how.kind, p, how.size)),
                Kind::Float | Kind::Double => {
                    let value = word(p, 0, how.size);
                    if self.vector < 8 {
                        self.registers.vector[self.vector] = value;
                        self.vector += 1;
                    } else {
                        self.stack.push(value);
                    }
                }
                Kind::LongDouble | Kind::Struct => {
                    if let Some(classes) = how.classes {
                        let general = classes.iter().filter(|c| **c == Class::Integer).count();
                        let vector = classes.iter().filter(|c| **c == Class::Sse).count();
                        // A structure is never torn between registers and the stack.
                        if self.general + general <= 6 && self.vector + vector <= 8 {
                            for (i, class) in classes.iter().enumerate() {
                                let value = word(p, i * 8, how.size);
                                match class {
                                    Class::Integer => self.general(value),
                                    Class::Sse => {
                                        self.registers.vector[self.vector] = value;
                                        self.vector += 1;
                                    }
                                    Class::None => {}
                                }
                            }
                            return;
                        }
                    }
                    if how.align > 8 && self.stack.len() % 2 != 0 {
                        self.stack.push(0);
                    }
                    for at in (0..how.size).step_by(8) {
                        let value = word(p, at, how.size);
                        self.stack.push(value);
                    }
                }
            }
        }
    }
}

/// Calls `function` with arguments of these types at these addresses; stores the result at `out`, at least 16 bytes and as
/// large as the result. An integer result is widened to eight bytes.
///
/// # Safety
/// `function` takes such arguments and gives such a result; the addresses are readable, `out` is writable.
pub unsafe fn call(
    function: *const c_void,
    arguments: impl Iterator<Item = (Passing, *const u8)>,
    result: &Passing,
    out: *mut u8,
    fence: &mut impl Fence,
) {
    // Nothing is allocated as long as the registers suffice.
    let mut stack = Vec::new();
    let mut place = Placement { registers: Registers::EMPTY, general: 0, vector: 0, stack: &mut stack };
    let in_memory = result.kind == Kind::Struct && result.classes.is_none();
    if in_memory {
        place.general(out as u64);
    }
    for (how, p) in arguments {
        // SAFETY: [ARGS] by contract.
        unsafe { place.argument(&how, p) };
    }
    place.registers.extra = place.vector as u64;
    place.registers.x87 = (result.kind == Kind::LongDouble) as u32;
    let mut registers = place.registers;
    fence.before();
    // SAFETY: [ARGS] by contract.
    unsafe { taipan_ctypes_call(&mut registers, stack.as_ptr(), stack.len(), function) };
    fence.after();
    // SAFETY: [ARGS] `out` is large enough.
    unsafe {
        match result.kind {
            Kind::Void => {}
            Kind::Signed | Kind::Unsigned | Kind::Pointer => {
                let value = widened(result.kind, registers.general.as_ptr().cast(), result.size);
                out.cast::<u64>().write_unaligned(value);
            }
            Kind::Float | Kind::Double => out.cast::<u64>().write_unaligned(registers.vector[0]),
            Kind::LongDouble => core::ptr::copy_nonoverlapping(registers.long_double.as_ptr(), out, 16),
            Kind::Struct => {
                let Some(classes) = result.classes else { return };
                let words = take(classes, &registers);
                core::ptr::copy_nonoverlapping(words.as_ptr().cast(), out, result.size);
            }
        }
    }
}

/// The two halves of a result.
fn take(classes: [Class; 2], registers: &Registers) -> [u64; 2] {
    let (mut general, mut vector) = (registers.general.iter(), registers.vector.iter());
    classes.map(|class| match class {
        Class::Integer => general.next().copied().unwrap_or(0),
        Class::Sse => vector.next().copied().unwrap_or(0),
        Class::None => 0,
    })
}

/// What happens right around the call: the interpreter's lock, `errno`.
pub trait Fence {
    /// Before it.
    fn before(&mut self);
    /// After it.
    fn after(&mut self);
}

/// What a function made at run time does: the arguments' addresses in, the result's bytes out.
pub trait Callee {
    /// The types of the arguments.
    fn arguments(&self) -> &[Passing];
    /// The type of the result; a scalar.
    fn result(&self) -> Passing;
    /// Does it. `out` has 16 zeroed bytes.
    ///
    /// # Safety
    /// As many addresses as arguments, each readable for its type.
    unsafe fn call(&self, arguments: &[*mut u8], out: *mut u8);
}

/// What [`taipan_ctypes_entry`] calls: `data` is the function's [`Callee`].
unsafe extern "C" fn called(registers: *mut Registers, data: *const *const dyn Callee) {
    // SAFETY: [ARGS] the stub's data was stored with it, and its owner keeps it as long as the stub may be called.
    unsafe {
        let callee: &dyn Callee = &**data;
        let how = callee.arguments();
        let (mut general, mut vector) = (0, 0);
        let mut stack = (*registers).extra as *mut u8;
        // Structures in registers are put together here.
        let mut together: Vec<[u64; 2]> = Vec::with_capacity(how.len());
        let mut addresses = Vec::with_capacity(how.len());
        for passing in how {
            let count = |class| passing.classes.map_or(0, |c| c.iter().filter(|x| **x == class).count());
            let (g, v) = (count(Class::Integer), count(Class::Sse));
            if passing.classes.is_some() && general + g <= 6 && vector + v <= 8 {
                let mut words = [0; 2];
                for (word, class) in words.iter_mut().zip(passing.classes.unwrap_or([Class::None; 2])) {
                    match class {
                        Class::Integer => {
                            *word = (*registers).general[general];
                            general += 1;
                        }
                        Class::Sse => {
                            *word = (*registers).vector[vector];
                            vector += 1;
                        }
                        Class::None => {}
                    }
                }
                // Capacity was reserved: the addresses stay.
                together.push(words);
                addresses.push(together.as_mut_ptr().add(together.len() - 1).cast());
            } else {
                if passing.align > 8 {
                    stack = stack.wrapping_add(stack.align_offset(16));
                }
                addresses.push(stack);
                stack = stack.add(passing.size.next_multiple_of(8));
            }
        }
        let mut out = [0u64; 2];
        let result = callee.result();
        callee.call(&addresses, out.as_mut_ptr().cast());
        match result.kind {
            Kind::Float | Kind::Double => (*registers).vector[0] = out[0],
            Kind::LongDouble => {
                (*registers).x87 = 1;
                core::ptr::copy_nonoverlapping(out.as_ptr().cast(), (&raw mut (*registers).long_double).cast::<u8>(), 16);
            }
            Kind::Signed | Kind::Unsigned => (*registers).general[0] = widened(result.kind, out.as_ptr().cast(), result.size),
            _ => (*registers).general[0] = out[0],
        }
    }
}

const PAGE: usize = 4096;
const SLOT: usize = 16;

/// Free stubs, by the addresses of their code.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// A function made at run time. Its code is a stub in an executable page that loads the two words beside it (in a writable
/// page) and jumps: its data, and [`taipan_ctypes_entry`].
pub struct Stub(usize);

impl Stub {
    /// Makes one for `callee`, which the caller keeps at its place as long as the stub lives; `None` without memory.
    ///
    /// # Safety
    /// `callee` points to a pointer to a live callee for as long as the stub may be called.
    pub unsafe fn new(callee: *const *const dyn Callee) -> Option<Self> {
        let mut free = FREE.lock().ok()?;
        if free.is_empty() {
            add_pages(&mut free)?;
        }
        let code = free.pop()?;
        let data = (code + PAGE) as *mut usize;
        // SAFETY: the slot belongs to this stub.
        unsafe {
            data.write(callee as usize);
            data.add(1).write(taipan_ctypes_entry as *const () as usize);
        }
        Some(Stub(code))
    }

    /// The function's address.
    pub fn code(&self) -> *mut c_void {
        self.0 as *mut c_void
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if let Ok(mut free) = FREE.lock() {
            free.push(self.0);
        }
    }
}

fn add_pages(free: &mut Vec<usize>) -> Option<()> {
    // SAFETY: new anonymous pages; nobody else writes there, and they stop being writable before they become executable.
    unsafe {
        let pages = libc::mmap(core::ptr::null_mut(), 2 * PAGE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        if pages == libc::MAP_FAILED {
            return None;
        }
        let base = pages as usize;
        for slot in (0..PAGE).step_by(SLOT) {
            // mov r10, [rip + PAGE - 7]; jmp [rip + PAGE + 8 - 13]
            let mut code = [0x4c, 0x8b, 0x15, 0, 0, 0, 0, 0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc, 0xcc];
            code[3..7].copy_from_slice(&(PAGE as u32 - 7).to_le_bytes());
            code[9..13].copy_from_slice(&(PAGE as u32 + 8 - 13).to_le_bytes());
            core::ptr::copy_nonoverlapping(code.as_ptr(), (base + slot) as *mut u8, SLOT);
        }
        if libc::mprotect(pages, PAGE, libc::PROT_READ | libc::PROT_EXEC) != 0 {
            libc::munmap(pages, 2 * PAGE);
            return None;
        }
        free.extend((0..PAGE).step_by(SLOT).rev().map(|slot| base + slot));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoFence;
    impl Fence for NoFence {
        fn before(&mut self) {}
        fn after(&mut self) {}
    }

    #[repr(C)]
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Mixed {
        x: f64,
        n: i32,
        m: i16,
    }
    #[repr(C)]
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Large {
        a: [i64; 5],
    }

    fn mixed() -> Passing {
        let member = |offset, size, kind| Scalar { offset, size, kind };
        let classes = classify(16, &[member(0, 8, Kind::Double), member(8, 4, Kind::Signed), member(12, 2, Kind::Signed)]);
        assert_eq!(classes, Some([Class::Sse, Class::Integer]));
        Passing { kind: Kind::Struct, size: 16, align: 8, classes }
    }
    const LARGE: Passing = Passing { kind: Kind::Struct, size: 40, align: 8, classes: None };

    extern "C" fn all(a: i8, b: f32, m: Mixed, c: u16, large: Large, d: f64, e: i64, f: i32, g: i64, h: *const u8, last: i16) -> f64 {
        a as f64 + b as f64 + m.x + m.n as f64 + m.m as f64 + c as f64 + large.a.iter().sum::<i64>() as f64 + d + e as f64 + f as f64
            + g as f64 + h as usize as f64 + last as f64
    }

    #[test]
    fn arguments_in_registers_and_on_the_stack() {
        let m = Mixed { x: 0.5, n: -7, m: 3 };
        let large = Large { a: [1, 2, 3, 4, 5] };
        let s = |kind, size| Passing::scalar(kind, size);
        let (a, b, c, d, e, f, g, h, last) = (-3i8, 1.25f32, 60000u16, 2.5f64, -1i64, 9i32, 1i64 << 40, 16usize, -5i16);
        let p = |x: *const _| x;
        let mut out = [0u64; 2];
        let arguments: [(Passing, *const u8); 11] = [
            (s(Kind::Signed, 1), p((&raw const a).cast())),
            (s(Kind::Float, 4), p((&raw const b).cast())),
            (mixed(), p((&raw const m).cast())),
            (s(Kind::Unsigned, 2), p((&raw const c).cast())),
            (LARGE, p((&raw const large).cast())),
            (s(Kind::Double, 8), p((&raw const d).cast())),
            (s(Kind::Signed, 8), p((&raw const e).cast())),
            (s(Kind::Signed, 4), p((&raw const f).cast())),
            (s(Kind::Signed, 8), p((&raw const g).cast())),
            (Passing::POINTER, p((&raw const h).cast())),
            (s(Kind::Signed, 2), p((&raw const last).cast())),
        ];
        // SAFETY: these are the function's types.
        unsafe { call(all as *const c_void, arguments.into_iter(), &s(Kind::Double, 8), out.as_mut_ptr().cast(), &mut NoFence) };
        assert_eq!(f64::from_bits(out[0]), all(a, b, m, c, large, d, e, f, g, h as *const u8, last));
    }

    extern "C" fn give_mixed() -> Mixed {
        Mixed { x: 4.0, n: 5, m: 6 }
    }
    extern "C" fn give_large(n: i64) -> Large {
        Large { a: [n; 5] }
    }
    extern "C" fn give_byte() -> i8 {
        -2
    }

    #[test]
    fn results() {
        let mut m = Mixed { x: 0.0, n: 0, m: 0 };
        let mut large = Large { a: [0; 5] };
        let (n, mut byte) = (8i64, [0u64; 2]);
        // SAFETY: these are the functions' types.
        unsafe {
            call(give_mixed as *const c_void, core::iter::empty(), &mixed(), (&raw mut m).cast(), &mut NoFence);
            let argument = (Passing::scalar(Kind::Signed, 8), (&raw const n).cast());
            call(give_large as *const c_void, core::iter::once(argument), &LARGE, (&raw mut large).cast(), &mut NoFence);
            call(give_byte as *const c_void, core::iter::empty(), &Passing::scalar(Kind::Signed, 1), byte.as_mut_ptr().cast(), &mut NoFence);
        }
        assert_eq!((m, large, byte[0] as i64), (give_mixed(), give_large(8), -2));
    }

    struct Sum(Vec<Passing>);
    impl Callee for Sum {
        fn arguments(&self) -> &[Passing] {
            &self.0
        }
        fn result(&self) -> Passing {
            Passing::scalar(Kind::Double, 8)
        }
        unsafe fn call(&self, arguments: &[*mut u8], out: *mut u8) {
            // SAFETY: the types of the test below.
            unsafe {
                let m = *arguments[1].cast::<Mixed>();
                let large = *arguments[2].cast::<Large>();
                let sum = *arguments[0].cast::<i32>() as f64 + m.x + m.n as f64 + large.a[4] as f64 + *arguments[3].cast::<f32>() as f64;
                out.cast::<f64>().write(sum);
            }
        }
    }

    #[test]
    fn being_called() {
        let sum = Sum(vec![Passing::INT, mixed(), LARGE, Passing::scalar(Kind::Float, 4)]);
        let callee: Box<*const dyn Callee> = Box::new(&raw const sum);
        // SAFETY: the callee outlives the stub, and the function has these types.
        unsafe {
            let stub = Stub::new(&raw const *callee).unwrap();
            let f: extern "C" fn(i32, Mixed, Large, f32) -> f64 = core::mem::transmute(stub.code());
            assert_eq!(f(-1, Mixed { x: 0.5, n: 2, m: 0 }, Large { a: [7; 5] }, 0.25), 8.75);
        }
    }
}
