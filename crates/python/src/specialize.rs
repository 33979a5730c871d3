//! Specialisation: what an instruction becomes for the operands it has seen, and what its inline cache then holds.
//!
//! Each function looks at the operands of the generic instruction at `instr`, rewrites its opcode and fills the cache,
//! or leaves it generic. After a success the counter allows 52 misses before the next attempt; after a failure it waits
//! twice as long as the last time.
//!
//! Contract of all functions here: [GIL] [FRAME] `instr` points at the instruction; objects are live; no exception is
//! set or gets set.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::ceval_prelude::*;
use taipan_objects::typeobject::slots::{slot_tp_getattr_hook, slot_tp_getattro};

/// Counter after a success.
const ADAPTIVE_COOLDOWN: u16 = 52 << 4;
/// Cache offsets, in code units from the opcode.
mod cache {
    pub const COUNTER: usize = 1;
    /// `type_version` of attribute instructions, `func_version` of CALL, `version` of TO_BOOL.
    pub const VERSION: usize = 2;
    pub const ATTR_INDEX: usize = 4;
    pub const KEYS_VERSION: usize = 4;
    pub const DESCR: usize = 6;
    pub const GLOBALS_VERSION: usize = 2;
    pub const BUILTINS_VERSION: usize = 3;
    pub const GLOBAL_INDEX: usize = 4;
}

/// Why an instruction stays generic. For statistics; the list is CPython's classification, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// Operands that no specialised form exists for.
    Kind,
    /// A number does not fit into the cache.
    Range,
    /// The counters of versions have run out.
    Versions,
    /// The attribute is found in a way that cannot be cached.
    Attribute,
    /// A function with parameters beyond positional ones, or the wrong number of them.
    Signature,
    /// A PEP 523 hook is set.
    Hook,
}

use Fail::*;

unsafe fn write_u32(p: *mut CodeUnit, value: u32) {
    // SAFETY: [FRAME]
    unsafe { p.cast::<u32>().write_unaligned(value) }
}

unsafe fn write_object(p: *mut CodeUnit, object: *mut PyObject) {
    // SAFETY: [FRAME] lent by the class, whose version guards it.
    unsafe { p.cast::<*mut PyObject>().write_unaligned(object) }
}

/// Rewrites the instruction after the outcome.
#[inline]
unsafe fn finish(instr: *mut CodeUnit, generic: u8, outcome: Result<u8, Fail>) {
    // SAFETY: [FRAME]
    unsafe {
        let counter = instr.add(cache::COUNTER);
        match outcome {
            Ok(opcode) => {
                set_opcode(instr, opcode);
                *counter = ADAPTIVE_COOLDOWN;
            }
            Err(_) => {
                set_opcode(instr, generic);
                *counter = backoff_restart(*counter);
            }
        }
        debug_assert!(!err_occurred());
    }
}

fn index16(index: Py_ssize_t) -> Result<u16, Fail> {
    u16::try_from(index).map_err(|_| Range)
}

/// Version of a dict's keys; changes when a key is added or removed.
unsafe fn keys_version(keys: *mut PyDictKeysObject) -> Result<u32, Fail> {
    // SAFETY: [ARGS]
    unsafe {
        match _PyDictKeys_GetVersionForCurrentState((*current_tstate()).interp, keys) {
            0 => Err(Versions),
            version => Ok(version),
        }
    }
}

/// Version of a function: of its code, defaults and keyword defaults.
pub unsafe fn function_version(func: *mut PyFunctionObject) -> Result<u32, Fail> {
    // SAFETY: [TYPE]
    unsafe {
        if (*func).func_version == 0 {
            if !is_inlinable_function(current_tstate(), func.cast()) {
                return Err(Versions);
            }
            _PyFunction_SetVersion(func, crate::codeobject::next_version());
        }
        if (*func).func_version == 0 { Err(Versions) } else { Ok((*func).func_version) }
    }
}

unsafe fn type_version(tp: *mut PyTypeObject) -> Result<u32, Fail> {
    // SAFETY: [TYPE]
    unsafe { if (*tp).tp_version_tag == 0 { Err(Versions) } else { Ok((*tp).tp_version_tag) } }
}

/// A Python function that takes exactly `n` positional arguments.
unsafe fn simple_function(op: *mut PyObject, n: i32) -> Result<*mut PyFunctionObject, Fail> {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(op) != &raw mut PyFunction_Type {
            return Err(Kind);
        }
        let func: *mut PyFunctionObject = op.cast();
        let code: *mut PyCodeObject = (*func).func_code.cast();
        if !is_simple(code) || (*code).co_argcount != n { Err(Signature) } else { Ok(func) }
    }
}

/// Whether code has positional parameters only and runs with fast locals.
unsafe fn is_simple(code: *mut PyCodeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*code).co_flags & (CO_VARKEYWORDS | CO_VARARGS | CO_OPTIMIZED) == CO_OPTIMIZED && (*code).co_kwonlyargcount == 0 }
}

unsafe fn no_hook() -> Result<(), Fail> {
    // SAFETY: [GIL]
    unsafe { if has_eval_frame_hook(current_tstate()) { Err(Hook) } else { Ok(()) } }
}

// ---- truth, operators, comparison

/// TO_BOOL.
pub unsafe fn specialize_to_bool(value: *mut PyObject, instr: *mut CodeUnit) {
    // SAFETY: file contract.
    unsafe { finish(instr, TO_BOOL, to_bool(value, instr)) }
}

unsafe fn to_bool(value: *mut PyObject, instr: *mut CodeUnit) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(value);
        if tp == &raw mut PyBool_Type {
            return Ok(TO_BOOL_BOOL);
        } else if tp == &raw mut PyLong_Type {
            return Ok(TO_BOOL_INT);
        } else if tp == &raw mut PyList_Type {
            return Ok(TO_BOOL_LIST);
        } else if value == Py_None() {
            return Ok(TO_BOOL_NONE);
        } else if tp == &raw mut PyUnicode_Type {
            return Ok(TO_BOOL_STR);
        } else if (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Kind);
        }
        let (nb, mp, sq) = ((*tp).tp_as_number, (*tp).tp_as_mapping, (*tp).tp_as_sequence);
        if !nb.is_null() && (*nb).nb_bool.is_some()
            || !mp.is_null() && (*mp).mp_length.is_some()
            || !sq.is_null() && (*sq).sq_length.is_some()
        {
            return Err(Kind);
        }
        if PyUnstable_Type_AssignVersionTag(tp) == 0 {
            return Err(Versions);
        }
        write_u32(instr.add(cache::VERSION), type_version(tp)?);
        Ok(TO_BOOL_ALWAYS_TRUE)
    }
}

/// BINARY_OP.
pub unsafe fn specialize_binary_op(left: *mut PyObject, right: *mut PyObject, instr: *mut CodeUnit, oparg: u32, locals: *mut StackRef) {
    // SAFETY: file contract.
    unsafe { finish(instr, BINARY_OP, binary_op_form(left, right, instr, oparg, locals)) }
}

unsafe fn binary_op_form(left: *mut PyObject, right: *mut PyObject, instr: *mut CodeUnit, oparg: u32, locals: *mut StackRef) -> Result<u8, Fail> {
    const NB_ADD: u32 = 0;
    const NB_MULTIPLY: u32 = 5;
    const NB_SUBTRACT: u32 = 10;
    const NB_INPLACE: u32 = 13;
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(left);
        if tp != Py_TYPE(right) {
            return Err(Kind);
        }
        let int = tp == &raw mut PyLong_Type;
        let float = tp == &raw mut PyFloat_Type;
        let operator = if oparg >= NB_INPLACE { oparg - NB_INPLACE } else { oparg };
        match operator {
            NB_ADD if int => Ok(BINARY_OP_ADD_INT),
            NB_ADD if float => Ok(BINARY_OP_ADD_FLOAT),
            NB_ADD if tp == &raw mut PyUnicode_Type => {
                let next = instr.add(2);
                let stores_back = opcode_of(next) == STORE_FAST && (*locals.add(oparg_of(next) as usize)).as_ptr() == left;
                Ok(if stores_back { BINARY_OP_INPLACE_ADD_UNICODE } else { BINARY_OP_ADD_UNICODE })
            }
            NB_MULTIPLY if int => Ok(BINARY_OP_MULTIPLY_INT),
            NB_MULTIPLY if float => Ok(BINARY_OP_MULTIPLY_FLOAT),
            NB_SUBTRACT if int => Ok(BINARY_OP_SUBTRACT_INT),
            NB_SUBTRACT if float => Ok(BINARY_OP_SUBTRACT_FLOAT),
            _ => Err(Kind),
        }
    }
}

/// COMPARE_OP.
pub unsafe fn specialize_compare_op(left: *mut PyObject, right: *mut PyObject, instr: *mut CodeUnit, oparg: u32) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(left);
        let operator = (oparg >> 5) as i32;
        let outcome = if tp != Py_TYPE(right) {
            Err(Kind)
        } else if tp == &raw mut PyFloat_Type {
            Ok(COMPARE_OP_FLOAT)
        } else if tp == &raw mut PyLong_Type {
            if long_is_compact(left) && long_is_compact(right) { Ok(COMPARE_OP_INT) } else { Err(Range) }
        } else if tp == &raw mut PyUnicode_Type && (operator == Py_EQ || operator == Py_NE) {
            Ok(COMPARE_OP_STR)
        } else {
            Err(Kind)
        };
        finish(instr, COMPARE_OP, outcome);
    }
}

/// CONTAINS_OP.
pub unsafe fn specialize_contains_op(container: *mut PyObject, instr: *mut CodeUnit) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(container);
        let outcome = if tp == &raw mut PyDict_Type {
            Ok(CONTAINS_OP_DICT)
        } else if tp == &raw mut PySet_Type || tp == &raw mut PyFrozenSet_Type {
            Ok(CONTAINS_OP_SET)
        } else {
            Err(Kind)
        };
        finish(instr, CONTAINS_OP, outcome);
    }
}

// ---- subscripts, unpacking, iteration

/// BINARY_SUBSCR.
pub unsafe fn specialize_binary_subscr(container: *mut PyObject, sub: *mut PyObject, instr: *mut CodeUnit) {
    // SAFETY: file contract.
    unsafe { finish(instr, BINARY_SUBSCR, binary_subscr(container, sub)) }
}

unsafe fn binary_subscr(container: *mut PyObject, sub: *mut PyObject) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(container);
        let by_index = |opcode: u8| {
            if !long_check_exact(sub) {
                Err(Kind)
            } else if !long_is_nonnegative_compact(sub) {
                Err(Range)
            } else {
                Ok(opcode)
            }
        };
        if tp == &raw mut PyList_Type {
            return by_index(BINARY_SUBSCR_LIST_INT);
        } else if tp == &raw mut PyTuple_Type {
            return by_index(BINARY_SUBSCR_TUPLE_INT);
        } else if tp == &raw mut PyUnicode_Type {
            return by_index(BINARY_SUBSCR_STR_INT);
        } else if tp == &raw mut PyDict_Type {
            return Ok(BINARY_SUBSCR_DICT);
        }
        let getitem = _PyType_Lookup(tp, intern!("__getitem__"));
        if getitem.is_null() || (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Kind);
        }
        let func = simple_function(getitem, 2)?;
        let version = function_version(func)?;
        no_hook()?;
        // PyType_Modified forgets it.
        (*spec_cache(tp)).getitem = getitem;
        (*spec_cache(tp)).getitem_version = version;
        Ok(BINARY_SUBSCR_GETITEM)
    }
}

/// STORE_SUBSCR.
pub unsafe fn specialize_store_subscr(container: *mut PyObject, sub: *mut PyObject, instr: *mut CodeUnit) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(container);
        let outcome = if tp == &raw mut PyDict_Type {
            Ok(STORE_SUBSCR_DICT)
        } else if tp != &raw mut PyList_Type || !long_check_exact(sub) {
            Err(Kind)
        } else if long_is_nonnegative_compact(sub) && long_compact_value(sub) < ob_size(container) {
            Ok(STORE_SUBSCR_LIST_INT)
        } else {
            Err(Range)
        };
        finish(instr, STORE_SUBSCR, outcome);
    }
}

/// UNPACK_SEQUENCE.
pub unsafe fn specialize_unpack_sequence(seq: *mut PyObject, instr: *mut CodeUnit, oparg: u32) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(seq);
        let tuple = tp == &raw mut PyTuple_Type;
        let outcome = if !tuple && tp != &raw mut PyList_Type {
            Err(Kind)
        } else if ob_size(seq) != oparg as isize {
            Err(Range)
        } else if !tuple {
            Ok(UNPACK_SEQUENCE_LIST)
        } else if oparg == 2 {
            Ok(UNPACK_SEQUENCE_TWO_TUPLE)
        } else {
            Ok(UNPACK_SEQUENCE_TUPLE)
        };
        finish(instr, UNPACK_SEQUENCE, outcome);
    }
}

/// FOR_ITER.
pub unsafe fn specialize_for_iter(iter: *mut PyObject, instr: *mut CodeUnit, oparg: u32) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(iter);
        let outcome = if tp == &raw mut PyListIter_Type {
            Ok(FOR_ITER_LIST)
        } else if tp == &raw mut PyTupleIter_Type {
            Ok(FOR_ITER_TUPLE)
        } else if tp == &raw mut PyRangeIter_Type {
            Ok(FOR_ITER_RANGE)
        } else if tp == &raw mut PyGen_Type && oparg <= i16::MAX as u32 {
            no_hook().map(|()| FOR_ITER_GEN)
        } else {
            Err(Kind)
        };
        finish(instr, FOR_ITER, outcome);
    }
}

/// SEND.
pub unsafe fn specialize_send(receiver: *mut PyObject, instr: *mut CodeUnit) {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(receiver);
        let outcome =
            if tp == &raw mut PyGen_Type || tp == &raw mut PyCoro_Type { no_hook().map(|()| SEND_GEN) } else { Err(Kind) };
        finish(instr, SEND, outcome);
    }
}

// ---- globals

/// LOAD_GLOBAL.
pub unsafe fn specialize_load_global(globals: *mut PyObject, builtins: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) {
    // SAFETY: file contract.
    unsafe { finish(instr, LOAD_GLOBAL, load_global_form(globals, builtins, instr, name)) }
}

/// Keys of an exact dict with str keys.
unsafe fn unicode_keys(dict: *mut PyObject) -> Result<*mut PyDictKeysObject, Fail> {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(dict) != &raw mut PyDict_Type {
            return Err(Kind);
        }
        let keys = (*dict.cast::<PyDictObject>()).ma_keys;
        if (*keys).dk_kind == DICT_KEYS_UNICODE { Ok(keys) } else { Err(Kind) }
    }
}

unsafe fn load_global_form(globals: *mut PyObject, builtins: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let keys = unicode_keys(globals)?;
        let version = |keys| keys_version(keys).and_then(|v| u16::try_from(v).map_err(|_| Range));
        let index = _PyDictKeys_StringLookup(keys, name);
        if index >= 0 {
            let index = index16(index)?;
            *instr.add(cache::GLOBALS_VERSION) = version(keys)?;
            *instr.add(cache::GLOBAL_INDEX) = index;
            return Ok(LOAD_GLOBAL_MODULE);
        }
        let builtin_keys = unicode_keys(builtins)?;
        let index = index16(_PyDictKeys_StringLookup(builtin_keys, name))?;
        *instr.add(cache::GLOBALS_VERSION) = version(keys)?;
        *instr.add(cache::BUILTINS_VERSION) = version(builtin_keys)?;
        *instr.add(cache::GLOBAL_INDEX) = index;
        Ok(LOAD_GLOBAL_BUILTIN)
    }
}

// ---- attributes

/// LOAD_SUPER_ATTR.
pub unsafe fn specialize_load_super_attr(global_super: *mut PyObject, class: *mut PyObject, instr: *mut CodeUnit, method: bool) {
    // SAFETY: file contract.
    unsafe {
        let outcome = if global_super != (&raw mut PySuper_Type).cast() || !is_type(class) {
            Err(Kind)
        } else if method {
            Ok(LOAD_SUPER_ATTR_METHOD)
        } else {
            Ok(LOAD_SUPER_ATTR_ATTR)
        };
        finish(instr, LOAD_SUPER_ATTR, outcome);
    }
}

/// How a class gives an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Descriptor {
    /// A data descriptor that must be called.
    Overriding,
    /// Something that becomes a bound method.
    Method,
    /// `property`.
    Property,
    /// A slot that holds an object.
    ObjectSlot,
    /// A slot of a C type.
    OtherSlot,
    /// A descriptor that instance attributes override.
    NonOverriding,
    /// A plain value.
    NonDescriptor,
    /// Something whose class may still become a descriptor.
    Mutable,
    /// Not there.
    Absent,
    /// `__class__`.
    DunderClass,
    /// Look-up is overridden in a way that cannot be cached.
    Overridden,
    /// A Python `__getattribute__`.
    PythonGetattribute,
}

fn same_function<A: Copy, B: Copy>(a: Option<A>, b: B) -> bool {
    // SAFETY: both are function pointers, one word each.
    a.is_some_and(|a| unsafe { core::mem::transmute_copy::<A, usize>(&a) == core::mem::transmute_copy::<B, usize>(&b) })
}

type Getattro = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
type Setattro = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> i32;

unsafe fn analyze_descriptor(tp: *mut PyTypeObject, name: *mut PyObject, store: bool) -> (Descriptor, *mut PyObject) {
    use Descriptor::*;
    // SAFETY: file contract.
    unsafe {
        let mut has_getattr = false;
        if store {
            if !same_function((*tp).tp_setattro, PyObject_GenericSetAttr as Setattro) {
                return (Overridden, null_mut());
            }
        } else if !same_function((*tp).tp_getattro, PyObject_GenericGetAttr as Getattro) {
            let plain_slot = same_function((*tp).tp_getattro, slot_tp_getattro as Getattro);
            if !plain_slot && !same_function((*tp).tp_getattro, slot_tp_getattr_hook as Getattro) {
                return (Overridden, null_mut());
            }
            let tstate = current_tstate();
            fill_callable_cache(tstate);
            let getattribute = _PyType_Lookup(tp, intern!("__getattribute__"));
            has_getattr = !_PyType_Lookup(tp, intern!("__getattr__")).is_null();
            if !getattribute.is_null() && getattribute != (*callable_cache(tstate)).object_getattribute {
                if plain_slot && !has_getattr && Py_TYPE(getattribute) == &raw mut PyFunction_Type {
                    return (PythonGetattribute, getattribute);
                }
                return (Overridden, null_mut());
            }
        }
        let descr = _PyType_Lookup(tp, name);
        if descr.is_null() {
            return (Absent, descr);
        }
        let class = Py_TYPE(descr);
        if (*class).tp_flags & Py_TPFLAGS_IMMUTABLETYPE == 0 {
            return (Mutable, descr);
        }
        if (*class).tp_descr_set.is_some() {
            if class == &raw mut PyMemberDescr_Type {
                let kind = (*(*descr.cast::<PyMemberDescrObject>()).d_member).type_code;
                return (if kind == 6 || kind == 16 { ObjectSlot } else { OtherSlot }, descr);
            }
            if class == &raw mut PyProperty_Type {
                // With __getattr__, a failing getter must be followed by a call of it.
                return (if has_getattr { Overridden } else { Property }, descr);
            }
            if PyUnicode_CompareWithASCIIString(name, c"__class__".as_ptr()) == 0
                && descr == _PyType_Lookup(&raw mut PyBaseObject_Type, name)
            {
                return (DunderClass, descr);
            }
            if store {
                return (Overriding, descr);
            }
        }
        if (*class).tp_descr_get.is_some() {
            let method = (*class).tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR != 0;
            return (if method { Method } else { NonOverriding }, descr);
        }
        (NonDescriptor, descr)
    }
}

/// LOAD_ATTR.
pub unsafe fn specialize_load_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) {
    // SAFETY: file contract.
    unsafe { finish(instr, LOAD_ATTR, load_attr(owner, instr, name)) }
}

unsafe fn load_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) -> Result<u8, Fail> {
    use Descriptor::*;
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(owner);
        if (*tp).tp_flags & Py_TPFLAGS_READY == 0 {
            return Err(Kind);
        }
        if tp == &raw mut PyModule_Type {
            return load_module_attr(owner, instr, name);
        }
        if is_type(owner) {
            return load_class_attr(owner, instr, name);
        }
        let wants_method = oparg_of(instr) & 1 != 0;
        let (kind, descr) = analyze_descriptor(tp, name, false);
        let version = type_version(tp)?;
        match kind {
            Method if wants_method => from_class(owner, instr, name, descr, true),
            NonDescriptor if !wants_method => from_class(owner, instr, name, descr, false),
            Property if !wants_method => {
                let getter = (*descr.cast::<PyPropertyObject>()).prop_get;
                if getter.is_null() {
                    return Err(Attribute);
                }
                call_from_cache(instr, version, getter, 1)?;
                Ok(LOAD_ATTR_PROPERTY)
            }
            PythonGetattribute if !wants_method => {
                call_from_cache(instr, version, descr, 2)?;
                Ok(LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN)
            }
            ObjectSlot => {
                *instr.add(cache::ATTR_INDEX) = slot_offset(owner, descr, Py_AUDIT_READ)?;
                write_u32(instr.add(cache::VERSION), version);
                Ok(LOAD_ATTR_SLOT)
            }
            DunderClass => {
                *instr.add(cache::ATTR_INDEX) = core::mem::offset_of!(PyObject, ob_type) as u16;
                write_u32(instr.add(cache::VERSION), version);
                Ok(LOAD_ATTR_SLOT)
            }
            Absent => dict_access(owner, instr, name, false),
            _ => Err(Attribute),
        }
    }
}

/// `Py_AUDIT_READ` of member definitions.
const Py_AUDIT_READ: i32 = 2;

/// Caches a call of a Python function in place of the attribute.
unsafe fn call_from_cache(instr: *mut CodeUnit, version: u32, func: *mut PyObject, nargs: i32) -> Result<(), Fail> {
    // SAFETY: file contract.
    unsafe {
        let func_version = function_version(simple_function(func, nargs)?)?;
        no_hook()?;
        write_u32(instr.add(cache::VERSION), version);
        write_u32(instr.add(cache::KEYS_VERSION), func_version);
        write_object(instr.add(cache::DESCR), func);
        Ok(())
    }
}

/// Offset of an object slot in `owner`, unless the member has one of `refused`'s flags.
unsafe fn slot_offset(owner: *mut PyObject, descr: *mut PyObject, refused: i32) -> Result<u16, Fail> {
    // SAFETY: file contract.
    unsafe {
        let member: *mut PyMemberDescrObject = descr.cast();
        let def = (*member).d_member;
        if !is_instance_of(owner, (*member).d_common.d_type) || (*def).flags & refused != 0 {
            return Err(Attribute);
        }
        index16((*def).offset)
    }
}

unsafe fn load_module_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let dict = (*owner.cast::<PyModuleObject>()).md_dict;
        if dict.is_null() {
            return Err(Kind);
        }
        let keys = unicode_keys(dict)?;
        if _PyDictKeys_StringLookup(keys, intern!("__getattr__")) >= 0 {
            return Err(Attribute);
        }
        let index = index16(_PyDictKeys_StringLookup(keys, name))?;
        write_u32(instr.add(cache::VERSION), keys_version(keys)?);
        *instr.add(cache::ATTR_INDEX) = index;
        Ok(LOAD_ATTR_MODULE)
    }
}

unsafe fn load_class_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        if Py_TYPE(owner) != &raw mut PyType_Type || !_PyType_Lookup(&raw mut PyType_Type, name).is_null() {
            return Err(Attribute);
        }
        let (kind, descr) = analyze_descriptor(owner.cast(), name, false);
        let version = type_version(owner.cast())?;
        if kind != Descriptor::Method && kind != Descriptor::NonDescriptor {
            return Err(Attribute);
        }
        write_u32(instr.add(cache::VERSION), version);
        write_object(instr.add(cache::DESCR), descr);
        Ok(LOAD_ATTR_CLASS)
    }
}

/// A method or plain value of the class, where the instance cannot hide it.
unsafe fn from_class(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject, descr: *mut PyObject, method: bool) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(owner);
        let opcode = if (*tp).tp_flags & Py_TPFLAGS_INLINE_VALUES != 0 {
            let keys = ht_cached_keys(tp);
            if _PyDictKeys_StringLookup(keys, name) >= 0 {
                return Err(Attribute);
            }
            write_u32(instr.add(cache::KEYS_VERSION), keys_version(keys)?);
            if method { LOAD_ATTR_METHOD_WITH_VALUES } else { LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES }
        } else {
            let managed = (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT != 0;
            let offset = if managed { MANAGED_DICT_OFFSET } else { (*tp).tp_dictoffset };
            if offset == 0 {
                if method { LOAD_ATTR_METHOD_NO_DICT } else { LOAD_ATTR_NONDESCRIPTOR_NO_DICT }
            } else if !managed && !(0..=i16::MAX as isize + MANAGED_DICT_OFFSET).contains(&offset) {
                return Err(Range);
            } else if method && (*owner.byte_offset(offset).cast::<*mut PyObject>()).is_null() {
                *instr.add(cache::KEYS_VERSION) = (offset - MANAGED_DICT_OFFSET) as u16;
                LOAD_ATTR_METHOD_LAZY_DICT
            } else {
                return Err(Attribute);
            }
        };
        write_u32(instr.add(cache::VERSION), type_version(tp)?);
        write_object(instr.add(cache::DESCR), descr);
        Ok(opcode)
    }
}

/// An attribute of the instance itself.
unsafe fn dict_access(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject, store: bool) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(owner);
        if (*tp).tp_flags & Py_TPFLAGS_MANAGED_DICT == 0 {
            return Err(Attribute);
        }
        let version = type_version(tp)?;
        let dict = *managed_dict(owner);
        let inline = (*tp).tp_flags & Py_TPFLAGS_INLINE_VALUES != 0 && (*inline_values(owner)).valid != 0;
        if inline && !(store && !dict.is_null()) {
            let index = index16(_PyDictKeys_StringLookup(ht_cached_keys(tp), name))?;
            write_u32(instr.add(cache::VERSION), version);
            *instr.add(cache::ATTR_INDEX) = index;
            return Ok(if store { STORE_ATTR_INSTANCE_VALUE } else { LOAD_ATTR_INSTANCE_VALUE });
        }
        if dict.is_null() || Py_TYPE(dict.cast()) != &raw mut PyDict_Type || !(*dict).ma_values.is_null() {
            return Err(Attribute);
        }
        let index = index16(_PyDictKeys_StringLookup(unicode_keys(dict.cast())?, name))?;
        write_u32(instr.add(cache::VERSION), version);
        *instr.add(cache::ATTR_INDEX) = index;
        Ok(if store { STORE_ATTR_WITH_HINT } else { LOAD_ATTR_WITH_HINT })
    }
}

/// STORE_ATTR.
pub unsafe fn specialize_store_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) {
    // SAFETY: file contract.
    unsafe { finish(instr, STORE_ATTR, store_attr(owner, instr, name)) }
}

unsafe fn store_attr(owner: *mut PyObject, instr: *mut CodeUnit, name: *mut PyObject) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(owner);
        if (*tp).tp_flags & Py_TPFLAGS_READY == 0 || tp == &raw mut PyModule_Type {
            return Err(Kind);
        }
        let (kind, descr) = analyze_descriptor(tp, name, true);
        let version = type_version(tp)?;
        match kind {
            Descriptor::ObjectSlot => {
                *instr.add(cache::ATTR_INDEX) = slot_offset(owner, descr, Py_READONLY)?;
                write_u32(instr.add(cache::VERSION), version);
                Ok(STORE_ATTR_SLOT)
            }
            Descriptor::Absent => dict_access(owner, instr, name, true),
            _ => Err(Attribute),
        }
    }
}

// ---- calls

/// CALL, with `nargs` arguments, `self` included.
pub unsafe fn specialize_call(callable: *mut PyObject, instr: *mut CodeUnit, nargs: u32) {
    // SAFETY: file contract.
    unsafe {
        fill_callable_cache(current_tstate());
        finish(instr, CALL, call_form(callable, instr, nargs as i32));
    }
}

unsafe fn call_form(callable: *mut PyObject, instr: *mut CodeUnit, nargs: i32) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(callable);
        if tp == &raw mut PyCFunction_Type {
            call_native((*(*callable.cast::<PyCFunctionObject>()).m_ml).ml_flags, callable, nargs)
        } else if tp == &raw mut PyFunction_Type {
            call_python(callable.cast(), instr, nargs, false)
        } else if is_type(callable) {
            call_class(callable.cast(), instr, nargs)
        } else if tp == &raw mut PyMethodDescr_Type {
            call_method_descriptor(callable, instr, nargs)
        } else if tp == &raw mut PyMethod_Type {
            let func = (*callable.cast::<PyMethodObject>()).im_func;
            if Py_TYPE(func) != &raw mut PyFunction_Type {
                return Err(Kind);
            }
            call_python(func.cast(), instr, nargs, true)
        } else {
            Ok(CALL_NON_PY_GENERAL)
        }
    }
}

/// Flags that say how a native function wants its arguments.
const CONVENTION: i32 = METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;
const FAST_KEYWORDS: i32 = METH_FASTCALL | METH_KEYWORDS;

unsafe fn call_native(flags: i32, callable: *mut PyObject, nargs: i32) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let known = callable_cache(current_tstate());
        match flags & CONVENTION {
            METH_O if nargs != 1 => Err(Signature),
            METH_O if callable == (*known).len => Ok(CALL_LEN),
            METH_O => Ok(CALL_BUILTIN_O),
            _ if nargs == 2 && callable == (*known).isinstance => Ok(CALL_ISINSTANCE),
            METH_FASTCALL => Ok(CALL_BUILTIN_FAST),
            FAST_KEYWORDS => Ok(CALL_BUILTIN_FAST_WITH_KEYWORDS),
            _ => Ok(CALL_NON_PY_GENERAL),
        }
    }
}

unsafe fn call_method_descriptor(callable: *mut PyObject, instr: *mut CodeUnit, nargs: i32) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        let flags = (*(*callable.cast::<PyMethodDescrObject>()).d_method).ml_flags;
        match flags & CONVENTION {
            METH_NOARGS if nargs != 1 => Err(Signature),
            METH_NOARGS => Ok(CALL_METHOD_DESCRIPTOR_NOARGS),
            METH_O if nargs != 2 => Err(Signature),
            METH_O => {
                let dropped = opcode_of(instr.add(4)) == POP_TOP;
                let append = callable == (*callable_cache(current_tstate())).list_append;
                Ok(if append && dropped && oparg_of(instr) == 1 { CALL_LIST_APPEND } else { CALL_METHOD_DESCRIPTOR_O })
            }
            METH_FASTCALL => Ok(CALL_METHOD_DESCRIPTOR_FAST),
            FAST_KEYWORDS => Ok(CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS),
            _ => Ok(CALL_NON_PY_GENERAL),
        }
    }
}

unsafe fn call_python(func: *mut PyFunctionObject, instr: *mut CodeUnit, nargs: i32, bound: bool) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        no_hook()?;
        if !is_inlinable_function(current_tstate(), func.cast()) {
            return Err(Kind);
        }
        let code: *mut PyCodeObject = (*func).func_code.cast();
        if (*code).co_flags & CO_OPTIMIZED == 0 {
            return Err(Signature);
        }
        write_u32(instr.add(cache::VERSION), function_version(func)?);
        let exact = is_simple(code) && (*code).co_argcount == nargs + bound as i32;
        Ok(match (bound, exact) {
            (false, true) => CALL_PY_EXACT_ARGS,
            (false, false) => CALL_PY_GENERAL,
            (true, true) => CALL_BOUND_METHOD_EXACT_ARGS,
            (true, false) => CALL_BOUND_METHOD_GENERAL,
        })
    }
}

unsafe fn call_class(tp: *mut PyTypeObject, instr: *mut CodeUnit, nargs: i32) -> Result<u8, Fail> {
    // SAFETY: file contract.
    unsafe {
        if (*tp).tp_flags & Py_TPFLAGS_IMMUTABLETYPE != 0 {
            let single = nargs == 1 && oparg_of(instr) == 1;
            if single && tp == &raw mut PyUnicode_Type {
                return Ok(CALL_STR_1);
            } else if single && tp == &raw mut PyType_Type {
                return Ok(CALL_TYPE_1);
            } else if single && tp == &raw mut PyTuple_Type {
                return Ok(CALL_TUPLE_1);
            }
            return if (*tp).tp_vectorcall.is_some() { Ok(CALL_BUILTIN_CLASS) } else { Err(Kind) };
        }
        let plain_new = match (*(&raw mut PyBaseObject_Type)).tp_new {
            Some(object_new) => same_function((*tp).tp_new, object_new),
            None => false,
        };
        if Py_TYPE(tp.cast()) == &raw mut PyType_Type && plain_new && nargs == oparg_of(instr) as i32 {
            let init = simple_init(tp);
            let version = type_version(tp)?;
            if let Some(init) = init {
                if (*(*init).func_code.cast::<PyCodeObject>()).co_argcount != nargs + 1 {
                    return Err(Signature);
                }
                write_u32(instr.add(cache::VERSION), version);
                return Ok(CALL_ALLOC_AND_ENTER_INIT);
            }
        }
        Ok(CALL_NON_PY_GENERAL)
    }
}

/// The Python `__init__` of a class whose instances are made in the plain way; remembered by the class.
unsafe fn simple_init(tp: *mut PyTypeObject) -> Option<*mut PyFunctionObject> {
    // SAFETY: file contract.
    unsafe {
        type Alloc = unsafe extern "C" fn(*mut PyTypeObject, Py_ssize_t) -> *mut PyObject;
        if !same_function((*tp).tp_alloc, PyType_GenericAlloc as Alloc)
            || (*tp).tp_flags & Py_TPFLAGS_INLINE_VALUES == 0
            || (*tp).tp_flags & Py_TPFLAGS_HEAPTYPE == 0
        {
            return None;
        }
        let init = _PyType_Lookup(tp, intern!("__init__"));
        if init.is_null()
            || Py_TYPE(init) != &raw mut PyFunction_Type
            || !is_simple((*init.cast::<PyFunctionObject>()).func_code.cast())
            || !is_inlinable_function(current_tstate(), init)
        {
            return None;
        }
        (*spec_cache(tp)).init = init;
        Some(init.cast())
    }
}

/// `Py_TPFLAGS_INLINE_VALUES`: instances carry their attribute values behind their fixed part.
const Py_TPFLAGS_INLINE_VALUES: core::ffi::c_ulong = 1 << 2;
