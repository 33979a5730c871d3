//! The table that ties special methods to slots, and its two uses: descriptors for the slots of C types, slots for the
//! methods of classes.
//!
//! The table is ordered by slot (as `PyHeapTypeObject` lays them out). Several methods may share a slot (`__lt__` to
//! `__ge__`), and several slots a method (`__getitem__`); where a C type fills both, the first entry provides the method.

use super::buffer::{slot_bf_getbuffer, slot_bf_releasebuffer};
use super::lookup::find_name_in_mro;
use super::slots::*;
use super::wrappers::*;
use super::{Py_TPFLAGS_STATIC_BUILTIN, is_subtype, subclasses_of};
use crate::object::{dict_has, dict_set, ob, own};
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;

type WrapperFn = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut c_void) -> *mut PyObject;

macro_rules! offset {
    (tp $slot:ident) => { offset_of!(PyTypeObject, $slot) };
    ($table:ident $methods:ident $slot:ident) => { offset_of!(PyHeapTypeObject, $table) + offset_of!($methods, $slot) };
}
macro_rules! function {
    (-) => { null_mut() };
    ($f:ident) => { $f as *const () as *mut c_void };
}
macro_rules! wrapper {
    (-) => { (None::<WrapperFn>, 0) };
    (keywords $f:ident) => {
        // SAFETY: the flag tells callers that the function takes keywords.
        (unsafe { core::mem::transmute::<wrapperfunc_kwds, wrapperfunc>(Some($f)) }, PyWrapperFlag_KEYWORDS)
    };
    ($f:ident) => { (Some($f as WrapperFn), 0) };
}
/// Lines `"method" [place slot] function [wrapper] "signature" "doc";`, `-` for none.
macro_rules! slotdefs {
    ($( $name:literal [$($place:ident)+] $f:tt [$($w:tt)+] $sig:literal $doc:literal; )*) => {
        const COUNT: usize = [$($name),*].len();
        static mut SLOTDEFS: [wrapperbase; COUNT] = [$(wrapperbase {
            name: concat!($name, "\0").as_ptr().cast(),
            offset: (offset!($($place)+)) as c_int,
            function: function!($f),
            wrapper: wrapper!($($w)+).0,
            doc: concat!($name, $sig, "\n--\n\n", $doc, "\0").as_ptr().cast(),
            flags: wrapper!($($w)+).1,
            name_strobj: null_mut(),
        }),*];
    };
}

slotdefs! {
    "__getattribute__" [tp tp_getattr] - [-] "" "";
    "__getattr__" [tp tp_getattr] - [-] "" "";
    "__setattr__" [tp tp_setattr] - [-] "" "";
    "__delattr__" [tp tp_setattr] - [-] "" "";
    "__repr__" [tp tp_repr] slot_tp_repr [wrap_unaryfunc] "($self, /)" "repr(self).";
    "__hash__" [tp tp_hash] slot_tp_hash [wrap_hashfunc] "($self, /)" "hash(self).";
    "__call__" [tp tp_call] slot_tp_call [keywords wrap_call] "($self, /, *args, **kwargs)" "self(*args, **kwargs).";
    "__str__" [tp tp_str] slot_tp_str [wrap_unaryfunc] "($self, /)" "str(self).";
    "__getattribute__" [tp tp_getattro] slot_tp_getattr_hook [wrap_binaryfunc] "($self, name, /)" "getattr(self, name).";
    "__getattr__" [tp tp_getattro] slot_tp_getattr_hook [-] "($self, name, /)" "getattr(self, name), if nothing else finds it.";
    "__setattr__" [tp tp_setattro] slot_tp_setattro [wrap_setattr] "($self, name, value, /)" "setattr(self, name, value).";
    "__delattr__" [tp tp_setattro] slot_tp_setattro [wrap_delattr] "($self, name, /)" "delattr(self, name).";
    "__lt__" [tp tp_richcompare] slot_tp_richcompare [richcmp_lt] "($self, value, /)" "self < value.";
    "__le__" [tp tp_richcompare] slot_tp_richcompare [richcmp_le] "($self, value, /)" "self <= value.";
    "__eq__" [tp tp_richcompare] slot_tp_richcompare [richcmp_eq] "($self, value, /)" "self == value.";
    "__ne__" [tp tp_richcompare] slot_tp_richcompare [richcmp_ne] "($self, value, /)" "self != value.";
    "__gt__" [tp tp_richcompare] slot_tp_richcompare [richcmp_gt] "($self, value, /)" "self > value.";
    "__ge__" [tp tp_richcompare] slot_tp_richcompare [richcmp_ge] "($self, value, /)" "self >= value.";
    "__iter__" [tp tp_iter] slot_tp_iter [wrap_unaryfunc] "($self, /)" "iter(self).";
    "__next__" [tp tp_iternext] slot_tp_iternext [wrap_next] "($self, /)" "Implement next(self).";
    "__get__" [tp tp_descr_get] slot_tp_descr_get [wrap_descr_get] "($self, instance, owner=None, /)" "The attribute's value for an instance of owner.";
    "__set__" [tp tp_descr_set] slot_tp_descr_set [wrap_descr_set] "($self, instance, value, /)" "Set the attribute of instance.";
    "__delete__" [tp tp_descr_set] slot_tp_descr_set [wrap_descr_delete] "($self, instance, /)" "Delete the attribute of instance.";
    "__init__" [tp tp_init] slot_tp_init [keywords wrap_init] "($self, /, *args, **kwargs)" "Initialise self. help(type(self)) shows the arguments.";
    "__new__" [tp tp_new] slot_tp_new [-] "(type, /, *args, **kwargs)" "Make an object. help(type) shows the arguments.";
    "__del__" [tp tp_finalize] slot_tp_finalize [wrap_del] "($self, /)" "Called before the instance goes away.";
    "__buffer__" [as_buffer PyBufferProcs bf_getbuffer] slot_bf_getbuffer [wrap_buffer] "($self, flags, /)" "A memoryview of the object's memory.";
    "__release_buffer__" [as_buffer PyBufferProcs bf_releasebuffer] slot_bf_releasebuffer [wrap_releasebuffer] "($self, buffer, /)" "Give a memoryview back.";
    "__await__" [as_async PyAsyncMethods am_await] slot_am_await [wrap_unaryfunc] "($self, /)" "The iterator that await uses.";
    "__aiter__" [as_async PyAsyncMethods am_aiter] slot_am_aiter [wrap_unaryfunc] "($self, /)" "aiter(self).";
    "__anext__" [as_async PyAsyncMethods am_anext] slot_am_anext [wrap_unaryfunc] "($self, /)" "anext(self).";
    "__add__" [as_number PyNumberMethods nb_add] slot_nb_add [wrap_binaryfunc_l] "($self, value, /)" "self + value.";
    "__radd__" [as_number PyNumberMethods nb_add] slot_nb_add [wrap_binaryfunc_r] "($self, value, /)" "value + self.";
    "__sub__" [as_number PyNumberMethods nb_subtract] slot_nb_subtract [wrap_binaryfunc_l] "($self, value, /)" "self - value.";
    "__rsub__" [as_number PyNumberMethods nb_subtract] slot_nb_subtract [wrap_binaryfunc_r] "($self, value, /)" "value - self.";
    "__mul__" [as_number PyNumberMethods nb_multiply] slot_nb_multiply [wrap_binaryfunc_l] "($self, value, /)" "self * value.";
    "__rmul__" [as_number PyNumberMethods nb_multiply] slot_nb_multiply [wrap_binaryfunc_r] "($self, value, /)" "value * self.";
    "__mod__" [as_number PyNumberMethods nb_remainder] slot_nb_remainder [wrap_binaryfunc_l] "($self, value, /)" "self % value.";
    "__rmod__" [as_number PyNumberMethods nb_remainder] slot_nb_remainder [wrap_binaryfunc_r] "($self, value, /)" "value % self.";
    "__divmod__" [as_number PyNumberMethods nb_divmod] slot_nb_divmod [wrap_binaryfunc_l] "($self, value, /)" "divmod(self, value).";
    "__rdivmod__" [as_number PyNumberMethods nb_divmod] slot_nb_divmod [wrap_binaryfunc_r] "($self, value, /)" "divmod(value, self).";
    "__pow__" [as_number PyNumberMethods nb_power] slot_nb_power [wrap_ternaryfunc] "($self, value, mod=None, /)" "pow(self, value, mod).";
    "__rpow__" [as_number PyNumberMethods nb_power] slot_nb_power [wrap_ternaryfunc_r] "($self, value, mod=None, /)" "pow(value, self, mod).";
    "__neg__" [as_number PyNumberMethods nb_negative] slot_nb_negative [wrap_unaryfunc] "($self, /)" "-self.";
    "__pos__" [as_number PyNumberMethods nb_positive] slot_nb_positive [wrap_unaryfunc] "($self, /)" "+self.";
    "__abs__" [as_number PyNumberMethods nb_absolute] slot_nb_absolute [wrap_unaryfunc] "($self, /)" "abs(self).";
    "__bool__" [as_number PyNumberMethods nb_bool] slot_nb_bool [wrap_inquirypred] "($self, /)" "bool(self).";
    "__invert__" [as_number PyNumberMethods nb_invert] slot_nb_invert [wrap_unaryfunc] "($self, /)" "~self.";
    "__lshift__" [as_number PyNumberMethods nb_lshift] slot_nb_lshift [wrap_binaryfunc_l] "($self, value, /)" "self << value.";
    "__rlshift__" [as_number PyNumberMethods nb_lshift] slot_nb_lshift [wrap_binaryfunc_r] "($self, value, /)" "value << self.";
    "__rshift__" [as_number PyNumberMethods nb_rshift] slot_nb_rshift [wrap_binaryfunc_l] "($self, value, /)" "self >> value.";
    "__rrshift__" [as_number PyNumberMethods nb_rshift] slot_nb_rshift [wrap_binaryfunc_r] "($self, value, /)" "value >> self.";
    "__and__" [as_number PyNumberMethods nb_and] slot_nb_and [wrap_binaryfunc_l] "($self, value, /)" "self & value.";
    "__rand__" [as_number PyNumberMethods nb_and] slot_nb_and [wrap_binaryfunc_r] "($self, value, /)" "value & self.";
    "__xor__" [as_number PyNumberMethods nb_xor] slot_nb_xor [wrap_binaryfunc_l] "($self, value, /)" "self ^ value.";
    "__rxor__" [as_number PyNumberMethods nb_xor] slot_nb_xor [wrap_binaryfunc_r] "($self, value, /)" "value ^ self.";
    "__or__" [as_number PyNumberMethods nb_or] slot_nb_or [wrap_binaryfunc_l] "($self, value, /)" "self | value.";
    "__ror__" [as_number PyNumberMethods nb_or] slot_nb_or [wrap_binaryfunc_r] "($self, value, /)" "value | self.";
    "__int__" [as_number PyNumberMethods nb_int] slot_nb_int [wrap_unaryfunc] "($self, /)" "int(self).";
    "__float__" [as_number PyNumberMethods nb_float] slot_nb_float [wrap_unaryfunc] "($self, /)" "float(self).";
    "__iadd__" [as_number PyNumberMethods nb_inplace_add] slot_nb_inplace_add [wrap_binaryfunc] "($self, value, /)" "self += value.";
    "__isub__" [as_number PyNumberMethods nb_inplace_subtract] slot_nb_inplace_subtract [wrap_binaryfunc] "($self, value, /)" "self -= value.";
    "__imul__" [as_number PyNumberMethods nb_inplace_multiply] slot_nb_inplace_multiply [wrap_binaryfunc] "($self, value, /)" "self *= value.";
    "__imod__" [as_number PyNumberMethods nb_inplace_remainder] slot_nb_inplace_remainder [wrap_binaryfunc] "($self, value, /)" "self %= value.";
    "__ipow__" [as_number PyNumberMethods nb_inplace_power] slot_nb_inplace_power [wrap_ternaryfunc] "($self, value, /)" "self **= value.";
    "__ilshift__" [as_number PyNumberMethods nb_inplace_lshift] slot_nb_inplace_lshift [wrap_binaryfunc] "($self, value, /)" "self <<= value.";
    "__irshift__" [as_number PyNumberMethods nb_inplace_rshift] slot_nb_inplace_rshift [wrap_binaryfunc] "($self, value, /)" "self >>= value.";
    "__iand__" [as_number PyNumberMethods nb_inplace_and] slot_nb_inplace_and [wrap_binaryfunc] "($self, value, /)" "self &= value.";
    "__ixor__" [as_number PyNumberMethods nb_inplace_xor] slot_nb_inplace_xor [wrap_binaryfunc] "($self, value, /)" "self ^= value.";
    "__ior__" [as_number PyNumberMethods nb_inplace_or] slot_nb_inplace_or [wrap_binaryfunc] "($self, value, /)" "self |= value.";
    "__floordiv__" [as_number PyNumberMethods nb_floor_divide] slot_nb_floor_divide [wrap_binaryfunc_l] "($self, value, /)" "self // value.";
    "__rfloordiv__" [as_number PyNumberMethods nb_floor_divide] slot_nb_floor_divide [wrap_binaryfunc_r] "($self, value, /)" "value // self.";
    "__truediv__" [as_number PyNumberMethods nb_true_divide] slot_nb_true_divide [wrap_binaryfunc_l] "($self, value, /)" "self / value.";
    "__rtruediv__" [as_number PyNumberMethods nb_true_divide] slot_nb_true_divide [wrap_binaryfunc_r] "($self, value, /)" "value / self.";
    "__ifloordiv__" [as_number PyNumberMethods nb_inplace_floor_divide] slot_nb_inplace_floor_divide [wrap_binaryfunc] "($self, value, /)" "self //= value.";
    "__itruediv__" [as_number PyNumberMethods nb_inplace_true_divide] slot_nb_inplace_true_divide [wrap_binaryfunc] "($self, value, /)" "self /= value.";
    "__index__" [as_number PyNumberMethods nb_index] slot_nb_index [wrap_unaryfunc] "($self, /)" "self as an index.";
    "__matmul__" [as_number PyNumberMethods nb_matrix_multiply] slot_nb_matrix_multiply [wrap_binaryfunc_l] "($self, value, /)" "self @ value.";
    "__rmatmul__" [as_number PyNumberMethods nb_matrix_multiply] slot_nb_matrix_multiply [wrap_binaryfunc_r] "($self, value, /)" "value @ self.";
    "__imatmul__" [as_number PyNumberMethods nb_inplace_matrix_multiply] slot_nb_inplace_matrix_multiply [wrap_binaryfunc] "($self, value, /)" "self @= value.";
    "__len__" [as_mapping PyMappingMethods mp_length] slot_sq_length [wrap_lenfunc] "($self, /)" "len(self).";
    "__getitem__" [as_mapping PyMappingMethods mp_subscript] slot_mp_subscript [wrap_binaryfunc] "($self, key, /)" "self[key].";
    "__setitem__" [as_mapping PyMappingMethods mp_ass_subscript] slot_mp_ass_subscript [wrap_objobjargproc] "($self, key, value, /)" "self[key] = value.";
    "__delitem__" [as_mapping PyMappingMethods mp_ass_subscript] slot_mp_ass_subscript [wrap_delitem] "($self, key, /)" "del self[key].";
    "__len__" [as_sequence PySequenceMethods sq_length] slot_sq_length [wrap_lenfunc] "($self, /)" "len(self).";
    "__add__" [as_sequence PySequenceMethods sq_concat] - [wrap_binaryfunc] "($self, value, /)" "self + value.";
    "__mul__" [as_sequence PySequenceMethods sq_repeat] - [wrap_indexargfunc] "($self, value, /)" "self * value.";
    "__rmul__" [as_sequence PySequenceMethods sq_repeat] - [wrap_indexargfunc] "($self, value, /)" "value * self.";
    "__getitem__" [as_sequence PySequenceMethods sq_item] slot_sq_item [wrap_sq_item] "($self, key, /)" "self[key].";
    "__setitem__" [as_sequence PySequenceMethods sq_ass_item] slot_sq_ass_item [wrap_sq_setitem] "($self, key, value, /)" "self[key] = value.";
    "__delitem__" [as_sequence PySequenceMethods sq_ass_item] slot_sq_ass_item [wrap_sq_delitem] "($self, key, /)" "del self[key].";
    "__contains__" [as_sequence PySequenceMethods sq_contains] slot_sq_contains [wrap_objobjproc] "($self, key, /)" "key in self.";
    "__iadd__" [as_sequence PySequenceMethods sq_inplace_concat] - [wrap_binaryfunc] "($self, value, /)" "self += value.";
    "__imul__" [as_sequence PySequenceMethods sq_inplace_repeat] - [wrap_indexargfunc] "($self, value, /)" "self *= value.";
}

/// The most entries that a name has.
const MAX_EQUIV: usize = 4;

/// The entry at `i`.
#[inline(always)]
unsafe fn def(i: usize) -> *mut wrapperbase {
    debug_assert!(i < COUNT);
    // SAFETY: within the table.
    unsafe { (&raw mut SLOTDEFS).cast::<wrapperbase>().add(i) }
}

/// Interns the names, once.
pub(super) fn init_names() {
    // SAFETY: [GIL]
    unsafe {
        if !(*def(0)).name_strobj.is_null() {
            return;
        }
        for i in (0..COUNT).rev() {
            let name = PyUnicode_InternFromString((*def(i)).name);
            if name.is_null() {
                fatal("out of memory while interning the names of special methods");
            }
            set_immortal(name);
            (*def(i)).name_strobj = name;
        }
    }
}

/// The address of a slot, through the type's tables; NULL when the type lacks the table.
unsafe fn slotptr(tp: *mut PyTypeObject, offset: usize) -> *mut *mut c_void {
    const BUFFER: usize = offset_of!(PyHeapTypeObject, as_buffer);
    const SEQUENCE: usize = offset_of!(PyHeapTypeObject, as_sequence);
    const MAPPING: usize = offset_of!(PyHeapTypeObject, as_mapping);
    const NUMBER: usize = offset_of!(PyHeapTypeObject, as_number);
    const ASYNC: usize = offset_of!(PyHeapTypeObject, as_async);
    // SAFETY: [LAYOUT]
    unsafe {
        let (table, start): (*mut u8, usize) = match offset {
            o if o >= BUFFER => ((*tp).tp_as_buffer.cast(), BUFFER),
            o if o >= SEQUENCE => ((*tp).tp_as_sequence.cast(), SEQUENCE),
            o if o >= MAPPING => ((*tp).tp_as_mapping.cast(), MAPPING),
            o if o >= NUMBER => ((*tp).tp_as_number.cast(), NUMBER),
            o if o >= ASYNC => ((*tp).tp_as_async.cast(), ASYNC),
            _ => (tp.cast(), 0),
        };
        if table.is_null() { null_mut() } else { table.add(offset - start).cast() }
    }
}

/// The slot of `tp` for a method, if exactly one of those it may stand for is filled.
unsafe fn the_only_slot(tp: *mut PyTypeObject, name: *mut PyObject) -> *mut *mut c_void {
    // SAFETY: [ARGS]
    unsafe {
        let mut only: *mut *mut c_void = null_mut();
        for i in 0..COUNT {
            if (*def(i)).name_strobj != name {
                continue;
            }
            let slot = slotptr(tp, (*def(i)).offset as usize);
            if slot.is_null() || (*slot).is_null() {
                continue;
            }
            if !only.is_null() {
                return null_mut();
            }
            only = slot;
        }
        only
    }
}

/// Chooses the function for the slot of entry `i`, the first one of that slot, and returns the next slot's first entry.
///
/// If all methods that the slot stands for resolve to the same C function through fitting slot wrappers, that function
/// goes in. Otherwise the generic one does, which looks methods up; it is safe always. A wrapper counts as fitting when
/// its name and signature are those of the entry and its class is a base; and the generic function is left out if
/// another slot of the type already serves the method.
unsafe fn update_one_slot(tp: *mut PyTypeObject, first: usize) -> usize {
    // SAFETY: [ARGS]
    unsafe {
        let offset = (*def(first)).offset;
        let slot = slotptr(tp, offset as usize);
        let mut specific: *mut c_void = null_mut();
        let mut generic: *mut c_void = null_mut();
        let mut use_generic = false;
        let mut i = first;
        while i < COUNT && (*def(i)).offset == offset {
            let p = def(i);
            i += 1;
            if slot.is_null() {
                continue;
            }
            let descr = match find_name_in_mro(tp, (*p).name_strobj) {
                Ok(Some(descr)) => Owned::from_borrowed(descr),
                other => {
                    if let Err(Some(e)) = other {
                        e.clear();
                    }
                    if slot == (&raw mut (*tp).tp_iternext).cast() {
                        specific = crate::object::_PyObject_NextNotImplemented as *const () as *mut c_void;
                    }
                    continue;
                }
            };
            let d = descr.as_ptr();
            let dtype = (*d).ob_type;
            let w: *mut PyWrapperDescrObject = d.cast();
            if dtype == &raw mut PyWrapperDescr_Type && (*(*w).d_base).name_strobj == (*p).name_strobj {
                let only = the_only_slot(tp, (*p).name_strobj);
                if only.is_null() || only == slot {
                    generic = (*p).function;
                }
                let fits = (specific.is_null() || specific == (*w).d_wrapped)
                    && crate::object::fn_addr((*(*w).d_base).wrapper) == crate::object::fn_addr((*p).wrapper)
                    && is_subtype(tp, (*w).d_common.d_type);
                if fits {
                    specific = (*w).d_wrapped;
                } else {
                    use_generic = true;
                }
            } else if dtype == &raw mut PyCFunction_Type
                && slot == (&raw mut (*tp).tp_new).cast()
                && (*(*d.cast::<PyCFunctionObject>()).m_ml).ml_meth.as_ptr() as usize == tp_new_wrapper as *const () as usize
            {
                // The inherited constructor would be found through tp_new_wrapper anyway: keep it.
                specific = *slot;
            } else if d == Py_None() && slot == (&raw mut (*tp).tp_hash).cast() {
                specific = crate::object::PyObject_HashNotImplemented as *const () as *mut c_void;
            } else {
                use_generic = true;
                generic = (*p).function;
                if (*p).function as usize == slot_tp_call as *const () as usize {
                    // The vectorcall of the base would bypass the method.
                    (*tp).tp_flags &= !Py_TPFLAGS_HAVE_VECTORCALL;
                }
            }
        }
        if !slot.is_null() {
            *slot = if !specific.is_null() && !use_generic { specific } else { generic };
        }
        i
    }
}

/// Fills all slots of a new class from its methods.
pub(super) unsafe fn fixup_slot_dispatchers(tp: *mut PyTypeObject) {
    let mut i = 0;
    while i < COUNT {
        // SAFETY: [ARGS]
        i = unsafe { update_one_slot(tp, i) };
    }
}

/// Updates the slots whose first entries are `firsts` in `tp` and in the subclasses that don't define `name` themselves.
unsafe fn update_subclasses(tp: *mut PyTypeObject, name: *mut PyObject, firsts: &[usize]) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for &i in firsts {
            update_one_slot(tp, i);
        }
        for sub in subclasses_of(tp) {
            let sub = sub.as_ptr();
            let dict = (*sub).tp_dict;
            if !dict.is_null() && dict_has(dict, name)? {
                continue;
            }
            update_subclasses(sub, name, firsts)?;
        }
        Ok(())
    }
}

/// Updates the slots that depend on `name`, an interned str, after it was set on or deleted from a class.
pub(super) unsafe fn update_slot(tp: *mut PyTypeObject, name: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut firsts = [0; MAX_EQUIV];
        let mut n = 0;
        for i in 0..COUNT {
            if (*def(i)).name_strobj == name && n < MAX_EQUIV {
                let mut first = i;
                while first > 0 && (*def(first - 1)).offset == (*def(i)).offset {
                    first -= 1;
                }
                firsts[n] = first;
                n += 1;
            }
        }
        if n == 0 { Ok(()) } else { update_subclasses(tp, name, &firsts[..n]) }
    }
}

/// Updates every slot after a change of bases.
pub(super) unsafe fn update_all_slots(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        PyType_Modified(tp);
        for i in 0..COUNT {
            update_slot(tp, (*def(i)).name_strobj)?;
        }
        Ok(())
    }
}

/// Slots that a built-in type repeats from its base and for which CPython shows a method of its own nevertheless.
unsafe fn shows_inherited_slot(tp: *mut PyTypeObject, slot: *mut *mut c_void) -> bool {
    // SAFETY: [ARGS] addresses of statics.
    unsafe {
        let op: *mut PyObject = tp.cast();
        if slot == (&raw mut (*tp).tp_init).cast() {
            // These have their own tp_init, or inherit it without showing it.
            let without = [
                PyExc_BaseException,
                PyExc_BaseExceptionGroup,
                PyExc_ImportError,
                PyExc_NameError,
                PyExc_OSError,
                PyExc_StopIteration,
                PyExc_SyntaxError,
                PyExc_UnicodeDecodeError,
                PyExc_UnicodeEncodeError,
                ob!(PyBool_Type),
                ob!(PyBytes_Type),
                ob!(PyMemoryView_Type),
                ob!(PyComplex_Type),
                ob!(PyEnum_Type),
                ob!(PyFilter_Type),
                ob!(PyFloat_Type),
                ob!(PyFrozenSet_Type),
                ob!(PyLong_Type),
                ob!(PyMap_Type),
                ob!(PyRange_Type),
                ob!(PyReversed_Type),
                ob!(PySlice_Type),
                ob!(PyTuple_Type),
                ob!(PyUnicode_Type),
                ob!(PyZip_Type),
            ];
            return !without.contains(&op);
        }
        if slot == (&raw mut (*tp).tp_str).cast() {
            return op == PyExc_AttributeError || op == PyExc_NameError;
        }
        if slot == (&raw mut (*tp).tp_getattr).cast() || slot == (&raw mut (*tp).tp_getattro).cast() {
            let with = [
                PyExc_BaseException,
                ob!(PyByteArray_Type),
                ob!(PyBytes_Type),
                ob!(PyComplex_Type),
                ob!(PyDict_Type),
                ob!(PyEnum_Type),
                ob!(PyFilter_Type),
                ob!(PyLong_Type),
                ob!(PyList_Type),
                ob!(PyMap_Type),
                ob!(PyMemoryView_Type),
                ob!(PyProperty_Type),
                ob!(PyRange_Type),
                ob!(PyReversed_Type),
                ob!(PySet_Type),
                ob!(PySlice_Type),
                ob!(PySuper_Type),
                ob!(PyTuple_Type),
                ob!(PyZip_Type),
            ];
            return with.contains(&op);
        }
        false
    }
}

/// Adds a slot wrapper (`__add__`) to the type's dict for each of its filled slots, unless the name is there already. The
/// wrapper keeps the function, so that it works on after a subclass has changed its own slot.
pub(super) unsafe fn add_operators(tp: *mut PyTypeObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let dict = (*tp).tp_dict;
        for i in 0..COUNT {
            let p = def(i);
            if (*p).wrapper.is_none() {
                continue;
            }
            let slot = slotptr(tp, (*p).offset as usize);
            if slot.is_null() || (*slot).is_null() {
                continue;
            }
            if (*tp).tp_flags & Py_TPFLAGS_STATIC_BUILTIN != 0 && !(*tp).tp_base.is_null() {
                let inherited = slotptr((*tp).tp_base, (*p).offset as usize);
                if !inherited.is_null() && *inherited == *slot && !shows_inherited_slot(tp, slot) {
                    continue;
                }
            }
            let name = (*p).name_strobj;
            if dict_has(dict, name)? {
                continue;
            }
            if *slot as usize == crate::object::PyObject_HashNotImplemented as *const () as usize {
                dict_set(dict, name, Py_None())?;
                continue;
            }
            let descr = own(crate::descrobject::PyDescr_NewWrapper(tp, p, *slot))?;
            dict_set(dict, name, descr.as_ptr())?;
        }
        Ok(())
    }
}
