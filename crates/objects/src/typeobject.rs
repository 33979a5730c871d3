//! Type objects: creation, inheritance, slots, method resolution, the attribute cache.

use taipan_abi::*;

/// A type object with nothing set: the start of every static type (`..TYPE_INIT`). `PyType_Ready` fills `ob_type`.
pub const TYPE_INIT: PyTypeObject = {
    // SAFETY: all-zero is valid: NULL pointers, absent functions, zero flags.
    let mut t: PyTypeObject = unsafe { core::mem::zeroed() };
    t.ob_base = immortal_var_head(core::ptr::null_mut(), 0);
    t
};
