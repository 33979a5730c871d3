//! C's `va_list` on x86-64 System V, as `*FromFormatV` and the naked variadic entry points share it.

use core::ffi::{c_int, c_long, c_void};

/// One `va_list` element: general registers saved at `reg_save_area[0..48]`, vector registers at `[48..176]`, then the
/// arguments passed on the stack.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VaListTag {
    /// Offset of the next general register in the save area.
    pub gp_offset: u32,
    /// Offset of the next vector register in the save area.
    pub fp_offset: u32,
    /// Next argument on the stack.
    pub overflow_arg_area: *mut c_void,
    /// Where the prologue saved the argument registers.
    pub reg_save_area: *mut c_void,
}

const GP_END: u32 = 48;
const FP_END: u32 = 176;

/// The coming arguments of class INTEGER of a list, which stays as it is.
#[derive(Clone, Copy)]
pub struct Integers {
    next: *const u64,
    /// How many of them are in the save area.
    saved: u32,
    stack: *const u64,
}

impl Integers {
    /// The next one.
    ///
    /// # Safety
    /// As [`VaListTag::next_u64`], and no other argument than one of class INTEGER has gone before on the stack.
    #[inline(always)]
    pub unsafe fn next_u64(&mut self) -> u64 {
        // SAFETY: [ARGS]
        unsafe {
            if self.saved == 0 {
                self.next = self.stack;
                self.saved = u32::MAX;
            }
            let p = self.next;
            self.next = p.add(1);
            self.saved -= 1;
            *p
        }
    }

    /// The next pointer.
    ///
    /// # Safety
    /// As [`Integers::next_u64`].
    #[inline(always)]
    pub unsafe fn next_ptr<T>(&mut self) -> *mut T {
        // SAFETY: [ARGS]
        unsafe { self.next_u64() as usize as *mut T }
    }
}

impl VaListTag {
    /// A copy. Field by field, because what was just stored in pieces can't be loaded as a whole without waiting.
    ///
    /// # Safety
    /// `va` is a list.
    #[inline(always)]
    pub unsafe fn copy_of(va: *const VaListTag) -> VaListTag {
        // SAFETY: [ARGS]
        unsafe {
            VaListTag {
                gp_offset: (&raw const (*va).gp_offset).read_volatile(),
                fp_offset: (&raw const (*va).fp_offset).read_volatile(),
                overflow_arg_area: (&raw const (*va).overflow_arg_area).read_volatile(),
                reg_save_area: (&raw const (*va).reg_save_area).read_volatile(),
            }
        }
    }

    /// See [`Integers`].
    ///
    /// # Safety
    /// `va` is a list.
    #[inline(always)]
    pub unsafe fn integers(va: *const VaListTag) -> Integers {
        // SAFETY: [ARGS]
        unsafe {
            let offset = (&raw const (*va).gp_offset).read_volatile();
            let area = (&raw const (*va).reg_save_area).read_volatile();
            let stack = (&raw const (*va).overflow_arg_area).read_volatile();
            Integers { next: area.byte_add(offset as usize).cast(), saved: (GP_END - offset) / 8, stack: stack.cast() }
        }
    }

    /// The next eight-byte argument of class INTEGER.
    ///
    /// # Safety
    /// The list describes live arguments and the next one is an integer or a pointer.
    #[inline]
    pub unsafe fn next_u64(&mut self) -> u64 {
        // SAFETY: [ARGS] offsets stay inside the save area.
        unsafe {
            if self.gp_offset < GP_END {
                let p = self.reg_save_area.byte_add(self.gp_offset as usize).cast::<u64>();
                self.gp_offset += 8;
                *p
            } else {
                self.next_stack()
            }
        }
    }

    unsafe fn next_stack(&mut self) -> u64 {
        // SAFETY: [ARGS] by contract another argument follows.
        unsafe {
            let p = self.overflow_arg_area.cast::<u64>();
            self.overflow_arg_area = p.add(1).cast();
            *p
        }
    }

    /// The next `int` (or narrower, promoted).
    ///
    /// # Safety
    /// As [`VaListTag::next_u64`].
    #[inline]
    pub unsafe fn next_int(&mut self) -> c_int {
        // SAFETY: [ARGS]
        unsafe { self.next_u64() as c_int }
    }

    /// The next `long`, `long long`, `Py_ssize_t` or the like.
    ///
    /// # Safety
    /// As [`VaListTag::next_u64`].
    #[inline]
    pub unsafe fn next_long(&mut self) -> c_long {
        // SAFETY: [ARGS]
        unsafe { self.next_u64() as c_long }
    }

    /// The next pointer.
    ///
    /// # Safety
    /// As [`VaListTag::next_u64`].
    #[inline]
    pub unsafe fn next_ptr<T>(&mut self) -> *mut T {
        // SAFETY: [ARGS]
        unsafe { self.next_u64() as usize as *mut T }
    }

    /// The next `double`.
    ///
    /// # Safety
    /// The list describes live arguments and the next one is a `double`.
    #[inline]
    pub unsafe fn next_f64(&mut self) -> f64 {
        // SAFETY: [ARGS] offsets stay inside the save area.
        unsafe {
            if self.fp_offset < FP_END {
                let p = self.reg_save_area.byte_add(self.fp_offset as usize).cast::<f64>();
                self.fp_offset += 16;
                *p
            } else {
                f64::from_bits(self.next_stack())
            }
        }
    }
}

const _: () = assert!(size_of::<VaListTag>() == 24);
