//! Inheritance of flags, sizes and slots from base types.

use super::mro::{is_subtype, overrides_hash};
use super::{Py_TPFLAGS_MATCH_SELF, fn_addr, same, tuple_items};
use crate::object::err_format;
use core::ffi::c_ulong;
use taipan_abi::*;

/// Copies slots that the target lacks and that the base defines itself (the type beyond it has another or none).
macro_rules! copy_slots {
    ($to:expr, $from:expr, $beyond:expr; $($slot:ident)*) => { $(
        if $to.$slot.is_none() && $from.$slot.is_some() && $beyond.as_ref().is_none_or(|b| !same(b.$slot, $from.$slot)) {
            $to.$slot = $from.$slot;
        }
    )* };
}

/// The same for a table of slots that both types have.
macro_rules! copy_table {
    ($tp:expr, $base:expr, $table:ident; $($slot:ident)*) => {
        // A static type may share its base's table.
        if (*$tp).$table != (*$base).$table
            && let (Some(to), Some(from)) = ((*$tp).$table.as_mut(), (*$base).$table.as_ref())
        {
            let beyond = (*$base).tp_base.as_ref().and_then(|b| b.$table.as_ref());
            copy_slots!(to, from, beyond; $($slot)*);
        }
    };
}

/// Flags, sizes and offsets, from the first base only.
unsafe fn inherit_special(tp: *mut PyTypeObject, base: *mut PyTypeObject) {
    // SAFETY: [ARGS]
    unsafe {
        let t = &mut *tp;
        let b = &*base;
        if t.tp_flags & Py_TPFLAGS_HAVE_GC == 0
            && b.tp_flags & Py_TPFLAGS_HAVE_GC != 0
            && t.tp_traverse.is_none()
            && t.tp_clear.is_none()
        {
            t.tp_flags |= Py_TPFLAGS_HAVE_GC;
            t.tp_traverse = b.tp_traverse;
            t.tp_clear = b.tp_clear;
        }
        t.tp_flags |= b.tp_flags & (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF);
        if t.tp_basicsize == 0 {
            t.tp_basicsize = b.tp_basicsize;
        }
        if t.tp_itemsize == 0 {
            t.tp_itemsize = b.tp_itemsize;
        }
        if t.tp_weaklistoffset == 0 {
            t.tp_weaklistoffset = b.tp_weaklistoffset;
        }
        if t.tp_dictoffset == 0 {
            t.tp_dictoffset = b.tp_dictoffset;
        }
        let kinds: [(*mut PyTypeObject, c_ulong); 8] = [
            (PyExc_BaseException.cast(), Py_TPFLAGS_BASE_EXC_SUBCLASS),
            (&raw mut PyType_Type, Py_TPFLAGS_TYPE_SUBCLASS),
            (&raw mut PyLong_Type, Py_TPFLAGS_LONG_SUBCLASS),
            (&raw mut PyBytes_Type, Py_TPFLAGS_BYTES_SUBCLASS),
            (&raw mut PyUnicode_Type, Py_TPFLAGS_UNICODE_SUBCLASS),
            (&raw mut PyTuple_Type, Py_TPFLAGS_TUPLE_SUBCLASS),
            (&raw mut PyList_Type, Py_TPFLAGS_LIST_SUBCLASS),
            (&raw mut PyDict_Type, Py_TPFLAGS_DICT_SUBCLASS),
        ];
        for (kind, flag) in kinds {
            if !kind.is_null() && is_subtype(base, kind) {
                t.tp_flags |= flag;
                break;
            }
        }
        t.tp_flags |= b.tp_flags & (Py_TPFLAGS_MATCH_SELF | Py_TPFLAGS_ITEMS_AT_END);
    }
}

/// Slots, from one base of the MRO.
unsafe fn inherit_slots(tp: *mut PyTypeObject, base: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        copy_table!(tp, base, tp_as_number;
            nb_add nb_subtract nb_multiply nb_remainder nb_divmod nb_power nb_negative nb_positive nb_absolute nb_bool
            nb_invert nb_lshift nb_rshift nb_and nb_xor nb_or nb_int nb_float nb_inplace_add nb_inplace_subtract
            nb_inplace_multiply nb_inplace_remainder nb_inplace_power nb_inplace_lshift nb_inplace_rshift nb_inplace_and
            nb_inplace_xor nb_inplace_or nb_true_divide nb_floor_divide nb_inplace_true_divide nb_inplace_floor_divide
            nb_index nb_matrix_multiply nb_inplace_matrix_multiply);
        copy_table!(tp, base, tp_as_async; am_await am_aiter am_anext);
        copy_table!(tp, base, tp_as_sequence;
            sq_length sq_concat sq_repeat sq_item sq_ass_item sq_contains sq_inplace_concat sq_inplace_repeat);
        copy_table!(tp, base, tp_as_mapping; mp_length mp_subscript mp_ass_subscript);
        copy_table!(tp, base, tp_as_buffer; bf_getbuffer bf_releasebuffer);

        let beyond = (*base).tp_base.as_ref();
        let b = &*base;
        // Before the slots below: it looks the type's dict up, which may run code.
        let hash_overridden = (*tp).tp_richcompare.is_some() || (*tp).tp_hash.is_some() || overrides_hash(tp)?;
        let t = &mut *tp;
        copy_slots!(t, b, beyond; tp_dealloc);
        if t.tp_getattr.is_none() && t.tp_getattro.is_none() {
            t.tp_getattr = b.tp_getattr;
            t.tp_getattro = b.tp_getattro;
        }
        if t.tp_setattr.is_none() && t.tp_setattro.is_none() {
            t.tp_setattr = b.tp_setattr;
            t.tp_setattro = b.tp_setattro;
        }
        copy_slots!(t, b, beyond; tp_repr);
        let defines_offset = |own: Py_ssize_t, further: Option<Py_ssize_t>| own != 0 && further != Some(own);
        if t.tp_vectorcall_offset == 0 && defines_offset(b.tp_vectorcall_offset, beyond.map(|x| x.tp_vectorcall_offset)) {
            t.tp_vectorcall_offset = b.tp_vectorcall_offset;
        }
        if t.tp_call.is_none() {
            t.tp_flags |= b.tp_flags & Py_TPFLAGS_HAVE_VECTORCALL;
        }
        copy_slots!(t, b, beyond; tp_call tp_str);
        if !hash_overridden {
            t.tp_richcompare = b.tp_richcompare;
            t.tp_hash = b.tp_hash;
        }
        copy_slots!(t, b, beyond; tp_iter tp_iternext tp_descr_get);
        if b.tp_descr_get.is_some() && same(t.tp_descr_get, b.tp_descr_get) && t.tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            t.tp_flags |= b.tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR;
        }
        copy_slots!(t, b, beyond; tp_descr_set);
        if t.tp_dictoffset == 0 && defines_offset(b.tp_dictoffset, beyond.map(|x| x.tp_dictoffset)) {
            t.tp_dictoffset = b.tp_dictoffset;
        }
        copy_slots!(t, b, beyond; tp_init tp_alloc tp_is_gc tp_finalize);
        if (t.tp_flags ^ b.tp_flags) & Py_TPFLAGS_HAVE_GC == 0 {
            copy_slots!(t, b, beyond; tp_free);
        } else if t.tp_flags & Py_TPFLAGS_HAVE_GC != 0
            && t.tp_free.is_none()
            && fn_addr(b.tp_free) == PyObject_Free as *const () as usize
        {
            t.tp_free = Some(PyObject_GC_Del);
        }
        Ok(())
    }
}

/// Everything that a type takes from its bases; its MRO is known and its dict has its own descriptors.
pub(super) unsafe fn inherit(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let base = (*tp).tp_base;
        if !base.is_null() {
            inherit_special(tp, base);
        }
        const COLLECTION: c_ulong = Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING;
        for &item in tuple_items((*tp).tp_mro).get(1..).unwrap_or(&[]) {
            if PyType_Check(item) != 0 {
                let b: *mut PyTypeObject = item.cast();
                inherit_slots(tp, b)?;
                if (*tp).tp_flags & COLLECTION == 0 {
                    (*tp).tp_flags |= (*b).tp_flags & COLLECTION;
                }
            }
        }
        if !base.is_null() {
            // Static types share the base's tables when they have none.
            let (t, b) = (&mut *tp, &*base);
            if t.tp_as_async.is_null() {
                t.tp_as_async = b.tp_as_async;
            }
            if t.tp_as_number.is_null() {
                t.tp_as_number = b.tp_as_number;
            }
            if t.tp_as_sequence.is_null() {
                t.tp_as_sequence = b.tp_as_sequence;
            }
            if t.tp_as_mapping.is_null() {
                t.tp_as_mapping = b.tp_as_mapping;
            }
            if t.tp_as_buffer.is_null() {
                t.tp_as_buffer = b.tp_as_buffer;
            }
        }
        let free = fn_addr((*tp).tp_free);
        if (*tp).tp_flags & Py_TPFLAGS_HAVE_GC != 0
            && (*tp).tp_flags & Py_TPFLAGS_BASETYPE != 0
            && (free == 0 || free == PyObject_Free as *const () as usize)
        {
            return Err(err_format!(
                PyExc_TypeError,
                c"type '%.100s' participates in gc and is a base type but has inappropriate tp_free slot",
                (*tp).tp_name
            ));
        }
        Ok(())
    }
}
