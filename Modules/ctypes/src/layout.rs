//! How `_fields_` become a layout: offsets, bit fields, padding, the buffer format, and how the whole is passed.

use crate::cfield::CFieldObject;
use crate::simple::known;
use crate::state::{class_name, is_a, optional_attr, state};
use crate::stginfo::*;
use crate::sysv::{Kind, Scalar};
use core::ffi::c_int;
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::support::new;

/// Where the next member goes.
struct Cursor {
    size: isize,
    offset: isize,
    align: isize,
    /// Bits of the open bit field's storage; 0 if none is open.
    storage_bits: isize,
    /// Its next free bit.
    next_bit: isize,
}

/// One entry of `_fields_`.
struct Entry {
    name: Owned,
    tp: Owned,
    /// Width of a bit field, else 0.
    width: c_int,
    /// Whether a width was given.
    has_width: bool,
}

fn not_pairs() -> Raised {
    raise!(PyExc_TypeError, "'_fields_' must be a sequence of (name, C type) pairs")
}

unsafe fn entry(fields: *mut PyObject, i: isize) -> PyResult<Entry> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(pair) = Owned::from_owned_or_opt(PySequence_GetItem(fields, i)) else {
            return Err(not_pairs());
        };
        let (mut name, mut tp, mut width) = (null_mut::<PyObject>(), null_mut::<PyObject>(), 0 as c_int);
        if PyTuple_Check(pair.as_ptr()) == 0 || PyArg_ParseTuple(pair.as_ptr(), c"UO|i".as_ptr(), &raw mut name, &raw mut tp, &raw mut width) == 0 {
            return Err(not_pairs());
        }
        let has_width = PyTuple_Size(pair.as_ptr()) == 3;
        Ok(Entry { name: Owned::from_borrowed(name), tp: Owned::from_borrowed(tp), width: if has_width { width } else { 0 }, has_width })
    }
}

/// A non-negative int attribute, `default` where it is missing.
unsafe fn int_attr(tp: *mut PyObject, name: *mut PyObject, shown: &str, default: c_int) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(value) = optional_attr(tp, name)? else { return Ok(default) };
        let n = PyLong_AsInt(value.as_ptr());
        if n < 0 {
            if !err_occurred() || PyErr_ExceptionMatches(PyExc_TypeError) != 0 || PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
                bail!(PyExc_ValueError, "{shown} must be a non-negative integer");
            }
            return Err(Raised::assume());
        }
        Ok(n)
    }
}

/// Whether bit fields of this type exist.
fn allows_bits(info: &StgInfo) -> bool {
    matches!(info.passing.kind, Kind::Signed | Kind::Unsigned) && !matches!(info.code(), b'c' | b'u')
}

/// The sum of two sizes.
fn checked(a: isize, b: isize) -> PyResult<isize> {
    match a.checked_add(b) {
        Some(sum) => Ok(sum),
        None => bail!(PyExc_OverflowError, "structure or union is too large"),
    }
}

/// The descriptor of one member; moves the cursor behind it. Bit fields share storage as GCC lays them out.
unsafe fn make_field(tp: *mut PyObject, index: isize, width: isize, at: &mut Cursor, pack: c_int, big_endian: bool) -> PyResult<Owned<CFieldObject>> {
    let field = new::<CFieldObject>(state().cfield)?;
    let Some(info) = info_of(tp) else { bail!(PyExc_TypeError, "has no _stginfo_") };
    let (size, bits) = (info.size, info.size.saturating_mul(8));
    // Arrays of characters are seen as strings.
    let mut access = None;
    if is_a(tp, state().array_meta) && !info.proto.is_null() {
        let Some(item) = info_of(info.proto) else { bail!(PyExc_TypeError, "has no _stginfo_") };
        access = match item.code() {
            b'c' => Some(known(b's').access()),
            b'u' => Some(known(b'U').access()),
            _ => None,
        };
    }
    let encoded = |at: &Cursor| (width << 16) + if big_endian { at.storage_bits - at.next_bit - width } else { at.next_bit };
    // SAFETY: [TYPE] new.
    unsafe {
        let f = field.as_ptr();
        (*f).access = access;
        (*f).index = index;
        Py_INCREF(tp);
        (*f).proto = tp;
        let open = width != 0 && at.storage_bits != 0;
        if open && bits <= at.storage_bits && at.next_bit + width <= at.storage_bits {
            (*f).size = encoded(at);
            (*f).offset = at.offset - size;
            at.next_bit += width;
        } else if open && bits >= at.storage_bits && at.next_bit + width <= bits {
            at.offset += size - at.storage_bits / 8;
            at.size += size - at.storage_bits / 8;
            at.storage_bits = bits;
            (*f).size = encoded(at);
            (*f).offset = at.offset - size;
            at.next_bit += width;
        } else {
            at.next_bit = 0;
            at.storage_bits = if width != 0 { bits } else { 0 };
            (*f).size = if width != 0 { encoded(at) } else { size };
            at.next_bit = width;
            let align = if pack != 0 { info.align.min(pack as isize) } else { info.align };
            if align != 0 && at.offset % align != 0 {
                let gap = align - at.offset % align;
                at.size = checked(at.size, gap)?;
                at.offset = checked(at.offset, gap)?;
            }
            (*f).offset = at.offset;
            at.size = checked(at.size, size)?;
            at.offset = checked(at.offset, size)?;
            at.align = align;
        }
    }
    Ok(field)
}

fn padding(n: isize) -> String {
    match n {
        1 => "x".to_string(),
        n => format!("{n}x"),
    }
}

/// Lays out class `tp` by `fields`, the value of its `_fields_`.
///
/// # Safety
/// `tp` is a structure or union class.
pub unsafe fn set_fields(tp: *mut PyObject, fields: *mut PyObject, is_struct: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let big_endian = optional_attr(tp, intern!("_swappedbytes_"))?.is_some();
        let pack = int_attr(tp, intern!("_pack_"), "_pack_", 0)?;
        let forced = int_attr(tp, intern!("_align_"), "_align_", 1)?.max(1) as isize;
        let length = PySequence_Size(fields);
        if length < 0 {
            if PyErr_ExceptionMatches(PyExc_TypeError) != 0 {
                bail!(PyExc_TypeError, "'_fields_' must be a sequence of pairs");
            }
            return Err(Raised::assume());
        }
        let Some(info) = info_of(tp) else { bail!(PyExc_TypeError, "ctypes state is not initialized") };
        if info.flags & DICTFLAG_FINAL != 0 {
            bail!(PyExc_AttributeError, "_fields_ is final");
        }
        let mut at = Cursor { size: 0, offset: 0, align: 0, storage_bits: 0, next_bit: 0 };
        let (mut total_align, mut first, mut members, mut union_size) = (forced, 0, Vec::new(), 0);
        info.format = None;
        if let Some(base) = info_of((*tp.cast::<PyTypeObject>()).tp_base.cast()) {
            info.flags |= base.flags & (TYPEFLAG_HASUNION | TYPEFLAG_HASBITFIELD);
            (at.size, at.offset, at.align, first) = (base.size, base.size, base.align, base.length);
            total_align = base.align.max(1).max(forced);
            members = base.members.clone();
        }
        if !is_struct {
            info.flags |= TYPEFLAG_HASUNION;
        }
        let mut format = String::from(if is_struct { "T{" } else { "B" });
        for i in 0..length {
            let entry = entry(fields, i)?;
            let field_type = entry.tp.as_ptr();
            let Some(item) = info_of(field_type) else {
                bail!(PyExc_TypeError, "second item in _fields_ tuple (index {}) must be a C type", i);
            };
            let Some(info) = info_of(tp) else { bail!(PyExc_TypeError, "ctypes state is not initialized") };
            if item.flags & (TYPEFLAG_ISPOINTER | TYPEFLAG_HASPOINTER) != 0 {
                info.flags |= TYPEFLAG_HASPOINTER;
            }
            info.flags |= item.flags & (TYPEFLAG_HASUNION | TYPEFLAG_HASBITFIELD);
            item.flags |= DICTFLAG_FINAL;
            if entry.has_width {
                info.flags |= TYPEFLAG_HASBITFIELD;
                if !allows_bits(item) {
                    bail!(PyExc_TypeError, "bit fields not allowed for type {}", class_name(field_type));
                }
                if entry.width <= 0 || entry.width as isize > item.size.saturating_mul(8) {
                    bail!(PyExc_ValueError, "number of bits invalid for bit field");
                }
            }
            let field;
            if is_struct {
                let mut size = 0;
                let name = PyUnicode_AsUTF8AndSize(entry.name.as_ptr(), &mut size);
                if name.is_null() {
                    return Err(Raised::assume());
                }
                let name = core::str::from_utf8_unchecked(core::slice::from_raw_parts(name.cast(), size as usize));
                let before = at.size;
                field = make_field(field_type, i, entry.width as isize, &mut at, pack, big_endian)?;
                // What lies between the member before and this one.
                if field.offset > before {
                    format.push_str(&padding(field.offset - before));
                }
                let shaped = shaped_format("", &item.shape, &format!("{}:{}:", format_text(&item.format), name.split('\0').next().unwrap_or("")));
                format.push_str(shaped.as_ref().and_then(|f| f.to_str().ok()).unwrap_or(""));
            } else {
                at.size = 0;
                at.offset = 0;
                at.align = 0;
                field = make_field(field_type, i, entry.width as isize, &mut at, pack, big_endian)?;
                union_size = at.size.max(union_size);
            }
            total_align = at.align.max(total_align);
            let scalars = &item.members;
            let here = field.offset as usize;
            if scalars.is_empty() && item.size > 0 {
                // Too large for registers, and so is the whole.
                members.push(Scalar { offset: 16, size: 1, kind: Kind::Unsigned });
            }
            if here < 16 {
                members.extend(scalars.iter().map(|s| Scalar { offset: s.offset + here, ..*s }));
            }
            check_status(PyObject_SetAttr(tp, entry.name.as_ptr(), field.as_object()))?;
        }
        let size = if is_struct { at.size } else { union_size };
        let aligned = checked(size, total_align - 1)? / total_align * total_align;
        if is_struct {
            if aligned > size {
                format.push_str(&padding(aligned - size));
            }
            format.push('}');
        }
        let Some(info) = info_of(tp) else { bail!(PyExc_TypeError, "ctypes state is not initialized") };
        info.format = CString::new(format).ok();
        info.size = aligned;
        info.align = total_align;
        info.length = first + length;
        info.set_aggregate(members);
        if info.flags & DICTFLAG_FINAL != 0 {
            bail!(PyExc_AttributeError, "Structure or union cannot contain itself");
        }
        info.flags |= DICTFLAG_FINAL;
        anonymous_fields(tp)
    }
}

unsafe fn sequence(op: &Owned, message: &core::ffi::CStr) -> PyResult {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PySequence_Fast(op.as_ptr(), message.as_ptr())) }
}

/// Makes the members of each member named in `_anonymous_` members of `tp`.
unsafe fn anonymous_fields(tp: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let Some(names) = optional_attr(tp, intern!("_anonymous_"))? else { return Ok(()) };
        let names = sequence(&names, c"_anonymous_ must be a sequence")?;
        for i in 0..PySequence_Size(names.as_ptr()) {
            let name = Owned::from_owned_or_err(PySequence_GetItem(names.as_ptr(), i))?;
            let field = Owned::from_owned_or_err(PyObject_GetAttr(tp, name.as_ptr()))?;
            if type_of(field.as_ptr()) != state().cfield {
                let text = Owned::from_owned_or_err(PyObject_Str(name.as_ptr()))?;
                PyErr_Format(PyExc_AttributeError, c"'%U' is specified in _anonymous_ but not in _fields_".as_ptr(), text.as_ptr());
                return Err(Raised::assume());
            }
            let f = field.as_ptr().cast::<CFieldObject>();
            (*f).anonymous = true;
            inner_fields(tp, f, (*f).index, (*f).offset)?;
        }
    }
    Ok(())
}

/// Copies the descriptors of the members of `outer` into `tp`, moved by an index and an offset.
unsafe fn inner_fields(tp: *mut PyObject, outer: *mut CFieldObject, index: isize, offset: isize) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let inner = (*outer).proto;
        let fields = Owned::from_owned_or_err(PyObject_GetAttr(inner, intern!("_fields_")))?;
        let fields = sequence(&fields, c"_fields_ must be a sequence")?;
        for i in 0..PySequence_Size(fields.as_ptr()) {
            let entry = entry(fields.as_ptr(), i)?;
            let found = Owned::from_owned_or_err(PyObject_GetAttr(inner, entry.name.as_ptr()))?;
            if type_of(found.as_ptr()) != state().cfield {
                bail!(PyExc_TypeError, "unexpected type");
            }
            let f = found.as_ptr().cast::<CFieldObject>();
            if (*f).anonymous {
                inner_fields(tp, f, index + (*f).index, offset + (*f).offset)?;
                continue;
            }
            let made = new::<CFieldObject>(state().cfield)?;
            let m = made.as_ptr();
            (*m).size = (*f).size;
            (*m).offset = (*f).offset + offset;
            (*m).index = (*f).index + index;
            Py_XINCREF((*f).proto);
            (*m).proto = (*f).proto;
            (*m).access = (*f).access;
            check_status(PyObject_SetAttr(tp, entry.name.as_ptr(), made.as_object()))?;
        }
    }
    Ok(())
}
