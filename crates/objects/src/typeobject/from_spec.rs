//! Heap types from C: `PyType_FromSpec` and its family, slots by number, modules of types.

use super::mro::{_PyType_CalculateMetaclass, best_base};
use super::subtype::{heap_type_members, subtype_dealloc};
use super::{PyType_Ready, c_bytes, same, split_doc, str_from_bytes, tuple_items};
use crate::object::{dict_has, dict_set, err_format, ob, own, raised};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;

const NO_TABLE: usize = usize::MAX;

/// Where slot number `n` lies: the offset in the type of the pointer to its table and the offset in there, or
/// [`NO_TABLE`] and the offset in the type itself. The order is that of `typeslots.h`.
macro_rules! slot_offsets {
    ($($place:ident . $slot:ident)*) => {
        &[(0, 0), $(slot_offsets!(@ $place $slot)),*]
    };
    (@ tp $slot:ident) => { (NO_TABLE, offset_of!(PyTypeObject, $slot)) };
    (@ nb $slot:ident) => { (offset_of!(PyTypeObject, tp_as_number), offset_of!(PyNumberMethods, $slot)) };
    (@ sq $slot:ident) => { (offset_of!(PyTypeObject, tp_as_sequence), offset_of!(PySequenceMethods, $slot)) };
    (@ mp $slot:ident) => { (offset_of!(PyTypeObject, tp_as_mapping), offset_of!(PyMappingMethods, $slot)) };
    (@ bf $slot:ident) => { (offset_of!(PyTypeObject, tp_as_buffer), offset_of!(PyBufferProcs, $slot)) };
    (@ am $slot:ident) => { (offset_of!(PyTypeObject, tp_as_async), offset_of!(PyAsyncMethods, $slot)) };
}

const SLOT_OFFSETS: &[(usize, usize)] = slot_offsets! {
    bf.bf_getbuffer bf.bf_releasebuffer mp.mp_ass_subscript mp.mp_length mp.mp_subscript nb.nb_absolute nb.nb_add nb.nb_and
    nb.nb_bool nb.nb_divmod nb.nb_float nb.nb_floor_divide nb.nb_index nb.nb_inplace_add nb.nb_inplace_and
    nb.nb_inplace_floor_divide nb.nb_inplace_lshift nb.nb_inplace_multiply nb.nb_inplace_or nb.nb_inplace_power
    nb.nb_inplace_remainder nb.nb_inplace_rshift nb.nb_inplace_subtract nb.nb_inplace_true_divide nb.nb_inplace_xor
    nb.nb_int nb.nb_invert nb.nb_lshift nb.nb_multiply nb.nb_negative nb.nb_or nb.nb_positive nb.nb_power nb.nb_remainder
    nb.nb_rshift nb.nb_subtract nb.nb_true_divide nb.nb_xor sq.sq_ass_item sq.sq_concat sq.sq_contains
    sq.sq_inplace_concat sq.sq_inplace_repeat sq.sq_item sq.sq_length sq.sq_repeat tp.tp_alloc tp.tp_base tp.tp_bases
    tp.tp_call tp.tp_clear tp.tp_dealloc tp.tp_del tp.tp_descr_get tp.tp_descr_set tp.tp_doc tp.tp_getattr tp.tp_getattro
    tp.tp_hash tp.tp_init tp.tp_is_gc tp.tp_iter tp.tp_iternext tp.tp_methods tp.tp_new tp.tp_repr tp.tp_richcompare
    tp.tp_setattr tp.tp_setattro tp.tp_str tp.tp_traverse tp.tp_members tp.tp_getset tp.tp_free nb.nb_matrix_multiply
    nb.nb_inplace_matrix_multiply am.am_await am.am_aiter am.am_anext tp.tp_finalize am.am_send
};

const TP_BASE: c_int = 48;
const TP_BASES: c_int = 49;
const TP_DOC: c_int = 56;
const TP_MEMBERS: c_int = 72;
const _: () = {
    // Numbers that extensions are compiled with.
    assert!(SLOT_OFFSETS.len() == 82);
    assert!(SLOT_OFFSETS[TP_BASE as usize].1 == offset_of!(PyTypeObject, tp_base));
    assert!(SLOT_OFFSETS[TP_BASES as usize].1 == offset_of!(PyTypeObject, tp_bases));
    assert!(SLOT_OFFSETS[TP_DOC as usize].1 == offset_of!(PyTypeObject, tp_doc));
    assert!(SLOT_OFFSETS[TP_MEMBERS as usize].1 == offset_of!(PyTypeObject, tp_members));
    assert!(SLOT_OFFSETS[65].1 == offset_of!(PyTypeObject, tp_new));
};

/// The slots of a spec, up to the zero that ends them.
unsafe fn slots_of<'a>(spec: *mut PyType_Spec) -> &'a [PyType_Slot] {
    // SAFETY: [ARGS]
    unsafe {
        let start = (*spec).slots;
        let mut n = 0;
        while (*start.add(n)).slot != 0 {
            n += 1;
        }
        core::slice::from_raw_parts(start, n)
    }
}

unsafe fn pack_one(op: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { own(_PyTuple_FromArray(&raw const op, 1)) }
}

/// The bases: given as a type or a tuple, or in the slots, or `object`.
unsafe fn bases_tuple(bases: *mut PyObject, slots: &[PyType_Slot]) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if !bases.is_null() {
            return if PyTuple_Check(bases) != 0 { Ok(Owned::from_borrowed(bases)) } else { pack_one(bases) };
        }
        let last = |n: c_int| slots.iter().rev().find(|s| s.slot == n).map(|s| s.pfunc.cast::<PyObject>());
        match last(TP_BASES) {
            Some(bases) if bases.is_null() => {}
            Some(bases) if PyTuple_Check(bases) != 0 => return Ok(Owned::from_borrowed(bases)),
            Some(_) => bail!(PyExc_SystemError, "Py_tp_bases is not a tuple"),
            None => {}
        }
        pack_one(last(TP_BASE).filter(|b| !b.is_null()).unwrap_or(ob!(PyBaseObject_Type)))
    }
}

/// What the members of a spec say beside themselves.
#[derive(Default)]
struct MemberInfo {
    count: usize,
    table: Option<*const PyMemberDef>,
    weaklistoffset: Py_ssize_t,
    dictoffset: Py_ssize_t,
    vectorcalloffset: Py_ssize_t,
}

unsafe fn read_members(spec: *mut PyType_Spec, slots: &[PyType_Slot]) -> PyResult<MemberInfo> {
    // SAFETY: [ARGS] the members end with a NULL name.
    unsafe {
        let mut info = MemberInfo::default();
        for slot in slots {
            if slot.slot < 0 || slot.slot as usize >= SLOT_OFFSETS.len() {
                bail!(PyExc_RuntimeError, "invalid slot offset");
            }
            if slot.slot != TP_MEMBERS {
                continue;
            }
            if info.count != 0 {
                bail!(PyExc_SystemError, "Multiple Py_tp_members slots are not supported.");
            }
            let table: *const PyMemberDef = slot.pfunc.cast();
            info.table = Some(table);
            while !(*table.add(info.count)).name.is_null() {
                let member = &*table.add(info.count);
                info.count += 1;
                match CStr::from_ptr(member.name).to_bytes() {
                    b"__weaklistoffset__" => info.weaklistoffset = member.offset,
                    b"__dictoffset__" => info.dictoffset = member.offset,
                    b"__vectorcalloffset__" => info.vectorcalloffset = member.offset,
                    _ => {}
                }
                if member.flags & Py_RELATIVE_OFFSET != 0 {
                    if (*spec).basicsize > 0 {
                        bail!(PyExc_SystemError, "With Py_RELATIVE_OFFSET, basicsize must be negative.");
                    }
                    if member.offset < 0 || member.offset >= -((*spec).basicsize as Py_ssize_t) {
                        bail!(PyExc_SystemError, "Member offset out of range (0..-basicsize)");
                    }
                }
            }
        }
        Ok(info)
    }
}

/// A copy of a C string on Python's heap.
unsafe fn duplicate(text: *const c_char) -> PyResult<*mut c_char> {
    // SAFETY: [ARGS] NUL-terminated.
    unsafe {
        let size = libc::strlen(text) + 1;
        let copy = PyMem_Malloc(size);
        if copy.is_null() {
            PyErr_NoMemory();
            return Err(raised());
        }
        core::ptr::copy_nonoverlapping(text.cast::<u8>(), copy.cast(), size);
        Ok(copy.cast())
    }
}

const fn align_up(size: Py_ssize_t) -> Py_ssize_t {
    (size + 15) & !15
}

unsafe fn check_metaclass(metaclass: *mut PyTypeObject, bases: *mut PyObject, spec: *mut PyType_Spec, lenient: bool) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [ARGS]
    unsafe {
        let metaclass = if metaclass.is_null() { &raw mut PyType_Type } else { metaclass };
        let metaclass = _PyType_CalculateMetaclass(metaclass, bases)?;
        if PyType_Check(metaclass.cast()) == 0 {
            return Err(err_format!(PyExc_TypeError, c"Metaclass '%R' is not a subclass of 'type'.", metaclass));
        }
        if (*metaclass).tp_new.is_some() && !same((*metaclass).tp_new, PyType_Type.tp_new) {
            if !lenient {
                bail!(PyExc_TypeError, "Metaclasses with custom tp_new are not supported.");
            }
            let format = c"Type %s uses PyType_Spec with a metaclass that has custom tp_new. This is deprecated and will no longer be allowed in Python 3.14.";
            check_status(PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), (*spec).name))?;
        }
        Ok(metaclass)
    }
}

unsafe fn check_immutable_bases(spec: *mut PyType_Spec, bases: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*spec).flags as core::ffi::c_ulong & Py_TPFLAGS_IMMUTABLETYPE == 0 {
            return Ok(());
        }
        for &base in tuple_items(bases) {
            let base: *mut PyTypeObject = base.cast();
            if (*base).tp_flags & Py_TPFLAGS_IMMUTABLETYPE == 0 {
                let format = c"Creating immutable type %s from mutable base %s is deprecated, and slated to be disallowed in Python 3.14.";
                check_status(PyErr_WarnFormat(PyExc_DeprecationWarning, 0, format.as_ptr(), (*spec).name, (*base).tp_name))?;
            }
        }
        Ok(())
    }
}

/// Checks that a type's size covers its base and its offsets.
unsafe fn check_sizes(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if crate::object::fn_addr((*tp).tp_alloc) != super::PyType_GenericAlloc as *const () as usize {
            return Ok(());
        }
        let size = (*tp).tp_basicsize;
        let base = (*tp).tp_base;
        if !base.is_null() && (*base).tp_basicsize > size {
            return Err(err_format!(
                PyExc_TypeError,
                c"tp_basicsize for type '%s' (%d) is too small for base '%s' (%d)",
                (*tp).tp_name,
                size as c_int,
                (*base).tp_name,
                (*base).tp_basicsize as c_int
            ));
        }
        for (what, offset) in [
            (c"weaklist", (*tp).tp_weaklistoffset),
            (c"dict", (*tp).tp_dictoffset),
            (c"vectorcall", (*tp).tp_vectorcall_offset),
        ] {
            if offset + size_of::<*mut c_void>() as Py_ssize_t > size {
                return Err(err_format!(
                    PyExc_TypeError,
                    c"%s offset %d is out of bounds for type '%s' (tp_basicsize = %d)",
                    what.as_ptr(),
                    offset as c_int,
                    (*tp).tp_name,
                    size as c_int
                ));
            }
        }
        Ok(())
    }
}

unsafe fn from_spec(
    metaclass: *mut PyTypeObject,
    module: *mut PyObject,
    spec: *mut PyType_Spec,
    bases: *mut PyObject,
    lenient: bool,
) -> PyResult<Owned> {
    // SAFETY: [ARGS] until the type is ready, nothing that may run Python code happens.
    unsafe {
        let slots = slots_of(spec);
        let members = read_members(spec, slots)?;
        if slots.iter().filter(|s| s.slot == TP_DOC).count() > 1 {
            bail!(PyExc_SystemError, "Multiple Py_tp_doc slots are not supported.");
        }
        if (*spec).name.is_null() {
            bail!(PyExc_SystemError, "Type spec does not define the name field.");
        }
        let full_name = c_bytes((*spec).name);
        let dot = full_name.iter().rposition(|&c| c == b'.');
        let name = str_from_bytes(&full_name[dot.map_or(0, |d| d + 1)..])?;
        let bases = bases_tuple(bases, slots)?;
        check_immutable_bases(spec, bases.as_ptr())?;
        let metaclass = check_metaclass(metaclass, bases.as_ptr(), spec, lenient)?;
        let base = best_base(bases.as_ptr())?;

        let mut basicsize = (*spec).basicsize as Py_ssize_t;
        let mut data_offset = basicsize;
        if basicsize == 0 {
            basicsize = (*base).tp_basicsize;
        } else if basicsize < 0 {
            data_offset = align_up((*base).tp_basicsize);
            basicsize = data_offset + align_up(-basicsize);
            let flags = (*base).tp_flags | (*spec).flags as core::ffi::c_ulong;
            if (*base).tp_itemsize != 0 && flags & Py_TPFLAGS_ITEMS_AT_END == 0 {
                bail!(PyExc_SystemError, "Cannot extend variable-size class without Py_TPFLAGS_ITEMS_AT_END.");
            }
        }

        let Some(alloc) = (*metaclass).tp_alloc else { bail!(PyExc_SystemError, "metaclass has no tp_alloc") };
        let result = own(alloc(metaclass, members.count as Py_ssize_t))?;
        let et: *mut PyHeapTypeObject = result.as_ptr().cast();
        let tp: *mut PyTypeObject = et.cast();
        (*tp).tp_flags = (*spec).flags as core::ffi::c_ulong | Py_TPFLAGS_HEAPTYPE;
        Py_XINCREF(module);
        (*et).ht_module = module;
        (*tp).tp_as_async = &raw mut (*et).as_async;
        (*tp).tp_as_number = &raw mut (*et).as_number;
        (*tp).tp_as_sequence = &raw mut (*et).as_sequence;
        (*tp).tp_as_mapping = &raw mut (*et).as_mapping;
        (*tp).tp_as_buffer = &raw mut (*et).as_buffer;
        Py_INCREF(base.cast());
        (*tp).tp_base = base;
        (*tp).tp_bases = bases.into_raw();
        (*et).ht_qualname = name.clone().into_raw();
        (*et).ht_name = name.into_raw();
        let tpname = duplicate((*spec).name)?;
        (*tp).tp_name = tpname;
        (*et)._ht_tpname = tpname;
        (*tp).tp_basicsize = basicsize;
        (*tp).tp_itemsize = (*spec).itemsize as Py_ssize_t;

        for slot in slots {
            match slot.slot {
                TP_BASE | TP_BASES => {}
                TP_DOC => {
                    if !slot.pfunc.is_null() {
                        (*tp).tp_doc = duplicate(slot.pfunc.cast())?;
                    }
                }
                TP_MEMBERS => {
                    let own_members = heap_type_members(tp);
                    core::ptr::copy_nonoverlapping(slot.pfunc.cast::<PyMemberDef>(), own_members, members.count);
                    (*tp).tp_members = own_members;
                    for i in 0..members.count {
                        let member = own_members.add(i);
                        if (*member).flags & Py_RELATIVE_OFFSET != 0 {
                            (*member).flags &= !Py_RELATIVE_OFFSET;
                            (*member).offset += data_offset;
                        }
                    }
                }
                n => *slot_address(tp, n as usize) = slot.pfunc,
            }
        }
        if (*tp).tp_dealloc.is_none() {
            (*tp).tp_dealloc = Some(subtype_dealloc);
        }
        (*tp).tp_vectorcall_offset = members.vectorcalloffset;
        (*tp).tp_weaklistoffset = members.weaklistoffset;
        (*tp).tp_dictoffset = members.dictoffset;

        if PyType_Ready(tp) < 0 {
            return Err(raised());
        }
        check_sizes(tp)?;
        let dict = (*tp).tp_dict;
        if !(*tp).tp_doc.is_null() {
            let (_, text) = split_doc(full_name, c_bytes((*tp).tp_doc));
            let doc = str_from_bytes(text)?;
            dict_set(dict, intern!("__doc__"), doc.as_ptr())?;
        }
        if members.weaklistoffset != 0 {
            check_status(PyDict_DelItem(dict, intern!("__weaklistoffset__")))?;
        }
        if members.dictoffset != 0 {
            check_status(PyDict_DelItem(dict, intern!("__dictoffset__")))?;
        }
        if !dict_has(dict, intern!("__module__"))? {
            match dot {
                Some(dot) => {
                    let module = str_from_bytes(&full_name[..dot])?;
                    dict_set(dict, intern!("__module__"), module.as_ptr())?;
                }
                None => {
                    let format = c"builtin type %.200s has no __module__ attribute";
                    check_status(PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format.as_ptr(), (*spec).name))?;
                }
            }
        }
        Ok(result)
    }
}

/// The address of slot `n`, whose table exists.
unsafe fn slot_address(tp: *mut PyTypeObject, n: usize) -> *mut *mut c_void {
    // SAFETY: [LAYOUT] n was checked.
    unsafe {
        let (table, offset) = SLOT_OFFSETS[n];
        if table == NO_TABLE {
            return tp.byte_add(offset).cast();
        }
        let start: *mut u8 = *tp.byte_add(table).cast();
        start.add(offset).cast()
    }
}

/// A heap type with a metaclass.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_FromMetaclass(
    metaclass: *mut PyTypeObject,
    module: *mut PyObject,
    spec: *mut PyType_Spec,
    bases: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_spec(metaclass, module, spec, bases, false).into_c() }
}

/// A heap type that belongs to a module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_FromModuleAndSpec(module: *mut PyObject, spec: *mut PyType_Spec, bases: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_spec(null_mut(), module, spec, bases, true).into_c() }
}

/// A heap type with bases.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_FromSpecWithBases(spec: *mut PyType_Spec, bases: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_spec(null_mut(), null_mut(), spec, bases, true).into_c() }
}

/// A heap type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_FromSpec(spec: *mut PyType_Spec) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { from_spec(null_mut(), null_mut(), spec, null_mut(), true).into_c() }
}

/// What a type has in slot number `slot`, NULL if nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetSlot(tp: *mut PyTypeObject, slot: c_int) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        if slot <= 0 || slot as usize >= SLOT_OFFSETS.len() {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let (table, _) = SLOT_OFFSETS[slot as usize];
        if table != NO_TABLE && (*tp.byte_add(table).cast::<*mut c_void>()).is_null() {
            return null_mut();
        }
        *slot_address(tp, slot as usize)
    }
}

/// The module that a heap type was made with, lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetModule(tp: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            let _ = err_format!(PyExc_TypeError, c"PyType_GetModule: Type '%s' is not a heap type", (*tp).tp_name);
            return null_mut();
        }
        let module = (*tp.cast::<PyHeapTypeObject>()).ht_module;
        if module.is_null() {
            let _ = err_format!(PyExc_TypeError, c"PyType_GetModule: Type '%s' has no associated module", (*tp).tp_name);
        }
        module
    }
}

/// The state of that module.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetModuleState(tp: *mut PyTypeObject) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let module = PyType_GetModule(tp);
        if module.is_null() { null_mut() } else { (*module.cast::<PyModuleObject>()).md_state }
    }
}

/// The module made from `def` that `tp` or one of its bases belongs to, lent; NULL without an exception.
unsafe fn module_by_def(tp: *mut PyTypeObject, def: *mut PyModuleDef) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 || (*tp).tp_mro.is_null() {
            return null_mut();
        }
        for &base in tuple_items((*tp).tp_mro) {
            let base: *mut PyTypeObject = base.cast();
            if (*base).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
                continue;
            }
            let module = (*base.cast::<PyHeapTypeObject>()).ht_module;
            if !module.is_null() && PyModule_Check(module) != 0 && (*module.cast::<PyModuleObject>()).md_def == def {
                return module;
            }
        }
        null_mut()
    }
}

/// See [`module_by_def`]; TypeError when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetModuleByDef(tp: *mut PyTypeObject, def: *mut PyModuleDef) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let module = module_by_def(tp, def);
        if module.is_null() {
            let _ = err_format!(
                PyExc_TypeError,
                c"PyType_GetModuleByDef: No superclass of '%s' has the given module",
                (*tp).tp_name
            );
        }
        module
    }
}

/// The same for the first of two types that has one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_GetModuleByDef2(left: *mut PyTypeObject, right: *mut PyTypeObject, def: *mut PyModuleDef) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let mut module = module_by_def(left, def);
        if module.is_null() {
            module = module_by_def(right, def);
        }
        if module.is_null() {
            let _ = err_format!(
                PyExc_TypeError,
                c"PyType_GetModuleByDef: No superclass of '%s' nor '%s' has the given module",
                (*left).tp_name,
                (*right).tp_name
            );
        }
        module
    }
}

/// The module with definition `def` that one of three types or their bases belongs to (borrowed); TypeError if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyType_GetModuleByDef3(left: *mut PyTypeObject, right: *mut PyTypeObject, third: *mut PyTypeObject, def: *mut PyModuleDef) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(module) = [left, right, third].into_iter().map(|tp| module_by_def(tp, def)).find(|m| !m.is_null()) {
            return module;
        }
        let _ = err_format!(
            PyExc_TypeError,
            c"PyType_GetModuleByDef: No superclass of '%s' nor '%s' nor '%s' has the given module",
            (*left).tp_name,
            (*right).tp_name,
            (*third).tp_name
        );
        null_mut()
    }
}

/// The data that `cls` adds to its instances.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetTypeData(op: *mut PyObject, cls: *mut PyTypeObject) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe { op.byte_offset(align_up((*(*cls).tp_base).tp_basicsize)).cast() }
}

/// The size of that data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyType_GetTypeDataSize(cls: *mut PyTypeObject) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe { ((*cls).tp_basicsize - align_up((*(*cls).tp_base).tp_basicsize)).max(0) }
}

/// The items of an object whose type keeps them at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetItemData(op: *mut PyObject) -> *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let tp = (*op).ob_type;
        if (*tp).tp_flags & Py_TPFLAGS_ITEMS_AT_END == 0 {
            let _ = err_format!(PyExc_TypeError, c"type '%s' does not have Py_TPFLAGS_ITEMS_AT_END", (*tp).tp_name);
            return null_mut();
        }
        op.byte_offset((*tp).tp_basicsize).cast()
    }
}
