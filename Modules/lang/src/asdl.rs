//! The node classes of `ast`, as one table, and what follows from it: the classes' descriptions, the conversion of trees
//! to objects and the conversion of objects to trees.
//!
//! The table at the end of the file says it as `Python.asdl` does: `one`, `opt` and `seq` stand for a field without mark,
//! with `?` and with `*`.

use crate::ast::{self, Node};
use crate::{new_int, own, short_name};
use bumpalo::Bump;
use core::cell::{Cell, RefCell};
use core::ffi::CStr;
use core::hash::{BuildHasherDefault, Hasher};
use core::marker::PhantomData;
use std::collections::HashMap;
use taipan_abi::*;
use taipan_compiler::names::hash_bytes;
use taipan_parser::ast::*;

/// How often a field's type occurs in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// Exactly once.
    One,
    /// Once or not at all.
    Opt,
    /// A list.
    Seq,
}

/// A field or attribute of a class.
#[derive(Debug)]
pub struct FieldDef {
    /// Its name in Python.
    pub name: &'static str,
    /// How often.
    pub quantity: Quantity,
    /// What: a class's name, or `identifier`, `string`, `int`, `constant`.
    pub ty: &'static str,
}

/// A node class.
#[derive(Debug)]
pub struct ClassDef {
    /// Its name in Python.
    pub name: &'static str,
    /// The class it derives from; `AST` if there is none.
    pub base: Option<Class>,
    /// `_fields`, with types.
    pub fields: &'static [FieldDef],
    /// `_attributes`, where the class has its own.
    pub attributes: Option<&'static [FieldDef]>,
    /// One instance stands for the class (`Load`, `Add`).
    pub singleton: bool,
}

/// A field that occurs exactly once.
pub struct one<K>(PhantomData<K>);
/// A field that may be `None`.
pub struct opt<K>(PhantomData<K>);
/// A list.
pub struct seq<K>(PhantomData<K>);

/// What a conversion needs to know: the arena (of the tree that is made), and how deep it may go.
pub struct Context<'a> {
    arena: Option<&'a Bump>,
    /// A list that gets the values of constants, or NULL.
    constants: *mut PyObject,
    lowest: usize,
    depth: Cell<u32>,
    /// The identifiers that were made objects.
    names: RefCell<HashMap<&'a str, Owned, BuildHasherDefault<NameHasher>>>,
    /// The last line number that was made an object.
    last_line: RefCell<Option<(u32, Owned)>>,
}

/// Hashes identifiers, eight bytes at a time.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        // The upper bits of the product are the mixed ones.
        self.0.rotate_left(26)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_bytes(bytes);
    }
    fn write_u8(&mut self, _: u8) {
        // What ends a str tells nothing: the length is hashed.
    }
}

/// How much native stack a conversion may use, in bytes.
const STACK_BUDGET: usize = 3 << 20;
/// How deep a tree may be.
const RECURSION_LIMIT: u32 = 10_000;

#[inline(always)]
fn stack_position() -> usize {
    let here = 0u8;
    core::hint::black_box(&raw const here) as usize
}

impl<'a> Context<'a> {
    /// A context that starts here.
    pub fn new(arena: Option<&'a Bump>) -> Self {
        Context { arena, constants: core::ptr::null_mut(), lowest: stack_position().saturating_sub(STACK_BUDGET), depth: Cell::new(0), names: RefCell::default(), last_line: RefCell::default() }
    }

    /// Runs `f` one level deeper.
    fn deeper<R>(&self, doing: impl core::fmt::Display, f: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > RECURSION_LIMIT || stack_position() < self.lowest {
            bail!(PyExc_RecursionError, "maximum recursion depth exceeded {doing}");
        }
        let r = f();
        self.depth.set(self.depth.get() - 1);
        r
    }

    /// An interned identifier.
    fn name(&self, text: &'a str) -> PyResult<Owned> {
        if let Some(name) = self.names.borrow().get(text) {
            return Ok(name.clone());
        }
        let mut name = crate::new_str(text)?.into_raw();
        // SAFETY: [OWN] the reference is replaced.
        let name = unsafe {
            PyUnicode_InternInPlace(&mut name);
            Owned::from_owned(name)
        };
        self.names.borrow_mut().insert(text, name.clone());
        Ok(name)
    }

    /// A line number; neighbours in a tree have the same ones.
    fn line(&self, number: u32) -> PyResult<Owned> {
        let mut last = self.last_line.borrow_mut();
        if let Some((known, object)) = &*last
            && *known == number
        {
            return Ok(object.clone());
        }
        let object = new_int(number as i32 as i64)?;
        *last = Some((number, object.clone()));
        Ok(object)
    }

    fn making<R>(&self, f: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
        self.deeper("during ast construction", f)
    }

    fn arena(&self) -> PyResult<&'a Bump> {
        match self.arena {
            Some(a) => Ok(a),
            None => Err(raise!(PyExc_SystemError, "no arena for a tree")),
        }
    }

    /// Which of `classes` an object is an instance of.
    fn classify(&self, obj: *mut PyObject, classes: &[Class]) -> PyResult<Option<usize>> {
        // SAFETY: [ARGS] obj is live; the classes exist as long as the process.
        unsafe {
            let exact = type_of(obj);
            if let Some(i) = classes.iter().position(|&c| ast::class(c) == exact.cast()) {
                return Ok(Some(i));
            }
            for (i, &c) in classes.iter().enumerate() {
                let r = PyObject_IsInstance(obj, ast::class(c));
                check_status(r)?;
                if r != 0 {
                    return Ok(Some(i));
                }
            }
            Ok(None)
        }
    }
}

/// Where a field is, for messages.
#[derive(Clone, Copy)]
pub struct At {
    /// The interned name.
    pub key: *mut PyObject,
    /// The name.
    pub field: &'static str,
    /// The class.
    pub owner: &'static str,
}

impl At {
    /// The field's value.
    fn get(&self, obj: *mut PyObject) -> PyResult<Option<Owned>> {
        let mut value = core::ptr::null_mut();
        // SAFETY: [ARGS]
        unsafe {
            check_status(PyObject_GetOptionalAttr(obj, self.key, &mut value))?;
            Ok(Owned::from_owned_or_opt(value))
        }
    }

    /// The value that a node can't be without.
    fn required<T>(&self, value: Option<T>) -> PyResult<T> {
        match value {
            Some(v) => Ok(v),
            None => Err(raise!(PyExc_ValueError, "field '{}' is required for {}", self.field, self.owner)),
        }
    }

    fn convert<'a, K, T: Value<'a, K>>(&self, cx: &Context<'a>, value: *mut PyObject) -> PyResult<Option<T>> {
        cx.deeper(format_args!("while traversing '{}' node", self.owner), || T::from_object(cx, value))
    }
}

/// A Rust type that holds a value of the ASDL type `K`.
pub trait Value<'a, K>: Sized + Copy {
    /// As an object.
    fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned>;
    /// From a live object; `None` where there is no value (Python's `None`).
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>>;
    /// What an optional field has without a value.
    fn absent() -> Option<Self> {
        None
    }
    /// The error of a `None` in a list.
    fn missing_item() -> &'static str {
        "None disallowed in list"
    }
}

/// A Rust type that holds a field `one<K>`, `opt<K>` or `seq<K>`.
pub trait Field<'a, Q>: Sized {
    /// As an object.
    fn write(&self, cx: &Context<'a>) -> PyResult<Owned>;
    /// From the attribute of an object; `None` where a value is needed and Python's `None` is there, which is an error
    /// only once all fields of the node are read: see [`At::required`].
    fn read(cx: &Context<'a>, obj: *mut PyObject, at: At) -> PyResult<Option<Self>>;
}

fn none() -> Owned {
    // SAFETY: None is immortal.
    unsafe { Owned::from_borrowed(Py_None()) }
}

fn is_none(obj: *mut PyObject) -> bool {
    // SAFETY: address of a static.
    obj == unsafe { Py_None() }
}

impl<'a, K, T: Value<'a, K>> Field<'a, one<K>> for T {
    fn write(&self, cx: &Context<'a>) -> PyResult<Owned> {
        Value::<K>::to_object(self, cx)
    }
    fn read(cx: &Context<'a>, obj: *mut PyObject, at: At) -> PyResult<Option<Self>> {
        let Some(value) = at.get(obj)? else {
            bail!(PyExc_TypeError, "required field \"{}\" missing from {}", at.field, at.owner);
        };
        at.convert::<K, T>(cx, value.as_ptr())
    }
}

impl<'a, K, T: Value<'a, K>> Field<'a, opt<K>> for Option<T> {
    fn write(&self, cx: &Context<'a>) -> PyResult<Owned> {
        self.as_ref().map_or_else(|| Ok(none()), |v| Value::<K>::to_object(v, cx))
    }
    fn read(cx: &Context<'a>, obj: *mut PyObject, at: At) -> PyResult<Option<Self>> {
        Ok(Some(match at.get(obj)? {
            Some(v) if !is_none(v.as_ptr()) => at.convert::<K, T>(cx, v.as_ptr())?,
            _ => T::absent(),
        }))
    }
}

impl<'a, K, T: Value<'a, K>> Field<'a, seq<K>> for &'a [T] {
    fn write(&self, cx: &Context<'a>) -> PyResult<Owned> {
        // SAFETY: [OWN] each slot is filled once; a list may have empty ones meanwhile.
        unsafe {
            let list = own(PyList_New(self.len() as Py_ssize_t))?;
            for (i, v) in self.iter().enumerate() {
                PyList_SET_ITEM(list.as_ptr(), i as Py_ssize_t, Value::<K>::to_object(v, cx)?.into_raw());
            }
            Ok(list)
        }
    }
    fn read(cx: &Context<'a>, obj: *mut PyObject, at: At) -> PyResult<Option<Self>> {
        let Some(list) = at.get(obj)? else { return Ok(Some(&[])) };
        // SAFETY: [TYPE] checked; items are held while they are converted.
        unsafe {
            if PyList_Check(list.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "{} field \"{}\" must be a list, not a {}", at.owner, at.field, short_name(type_of(list.as_ptr())));
            }
            let n = PyList_GET_SIZE(list.as_ptr());
            let mut items = Vec::with_capacity(n as usize);
            for i in 0..n {
                let item = Owned::from_borrowed(PyList_GET_ITEM(list.as_ptr(), i));
                let Some(value) = at.convert::<K, T>(cx, item.as_ptr())? else {
                    bail!(PyExc_ValueError, "{}", T::missing_item());
                };
                items.push(value);
                if n != PyList_GET_SIZE(list.as_ptr()) {
                    bail!(PyExc_RuntimeError, "{} field \"{}\" changed size during iteration", at.owner, at.field);
                }
            }
            Ok(Some(cx.arena()?.alloc_slice_copy(&items)))
        }
    }
}

// ---- how trees hold values ---------------------------------------------------------------------------------------------

impl<'a, K, T: Value<'a, K>> Value<'a, K> for &'a T {
    fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
        Value::<K>::to_object(*self, cx)
    }
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        match T::from_object(cx, obj)? {
            Some(v) => Ok(Some(cx.arena()?.alloc(v))),
            None => Ok(None),
        }
    }
    fn missing_item() -> &'static str {
        T::missing_item()
    }
}

/// In lists where `None` is an item.
impl<'a, K, T: Value<'a, K>> Value<'a, K> for Option<T> {
    fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
        self.as_ref().map_or_else(|| Ok(none()), |v| Value::<K>::to_object(v, cx))
    }
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        Ok(Some(T::from_object(cx, obj)?))
    }
}

impl<'a> Value<'a, kind::identifier> for &'a str {
    fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
        cx.name(self)
    }
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        if is_none(obj) {
            return Ok(None);
        }
        // SAFETY: [ARGS]
        unsafe {
            if PyUnicode_CheckExact(obj) == 0 {
                bail!(PyExc_TypeError, "AST identifier must be of type str");
            }
            Ok(Some(cx.arena()?.alloc_str(utf8(obj)?)))
        }
    }
}

impl<'a> Value<'a, kind::string> for &'a str {
    fn to_object(&self, _: &Context<'a>) -> PyResult<Owned> {
        crate::new_str(self)
    }
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        // SAFETY: [ARGS]
        unsafe {
            if PyUnicode_CheckExact(obj) != 0 {
                return Ok(Some(cx.arena()?.alloc_str(utf8(obj)?)));
            }
            if PyBytes_CheckExact(obj) != 0 {
                return Ok(Some(cx.arena()?.alloc_str(&String::from_utf8_lossy(bytes_of(obj)))));
            }
        }
        bail!(PyExc_TypeError, "AST string must be of type str")
    }
}

impl<'a> Value<'a, kind::int> for i32 {
    fn absent() -> Option<i32> {
        Some(0)
    }
    fn to_object(&self, _: &Context<'a>) -> PyResult<Owned> {
        new_int(*self as i64)
    }
    fn from_object(_: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        // SAFETY: [ARGS]
        unsafe {
            if PyLong_Check(obj) == 0 {
                PyErr_Format(PyExc_ValueError, c"invalid integer value: %R".as_ptr(), obj);
                return Err(Raised::assume());
            }
            let value = PyLong_AsInt(obj);
            if value == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(Some(value)) }
        }
    }
}

/// Positions; what is negative in Python wraps and is found by the validation.
impl<'a> Value<'a, kind::int> for u32 {
    fn to_object(&self, _: &Context<'a>) -> PyResult<Owned> {
        new_int(*self as i32 as i64)
    }
    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        Ok(<i32 as Value<kind::int>>::from_object(cx, obj)?.map(|v| v as u32))
    }
}

impl<'a> Value<'a, kind::constant> for Constant<'a> {
    fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
        // SAFETY: [GIL]
        unsafe {
            Ok(match *self {
                Constant::None => none(),
                Constant::True => Owned::from_borrowed(Py_True()),
                Constant::False => Owned::from_borrowed(Py_False()),
                Constant::Ellipsis => Owned::from_borrowed(Py_Ellipsis()),
                Constant::Int(Int::Small(i)) => new_int(i)?,
                Constant::Int(Int::Big { negative, digits }) => {
                    let bytes = bytes_of_digits(digits);
                    let v = own(_PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 0))?;
                    if negative { own(PyNumber_Negative(v.as_ptr()))? } else { v }
                }
                Constant::Float(f) => own(PyFloat_FromDouble(f))?,
                Constant::Complex { real, imag } => own(PyComplex_FromDoubles(real, imag))?,
                Constant::Str(s) => own(PyUnicode_DecodeUTF8(s.as_ptr().cast(), s.len() as Py_ssize_t, c"surrogatepass".as_ptr()))?,
                Constant::Bytes(b) => own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t))?,
                Constant::Tuple(items) => crate::tuple(cx.making(|| items.iter().map(|c| c.to_object(cx)).collect())?)?,
                Constant::FrozenSet(items) => {
                    let items = crate::tuple(cx.making(|| items.iter().map(|c| c.to_object(cx)).collect())?)?;
                    own(PyFrozenSet_New(items.as_ptr()))?
                }
            })
        }
    }

    fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
        let arena = cx.arena()?;
        // SAFETY: [TYPE] checked case by case.
        unsafe {
            let constant = if is_none(obj) {
                Constant::None
            } else if obj == Py_True() {
                Constant::True
            } else if obj == Py_False() {
                Constant::False
            } else if obj == Py_Ellipsis() {
                Constant::Ellipsis
            } else if PyLong_CheckExact(obj) != 0 {
                let mut overflow = 0;
                let small = PyLong_AsLongLongAndOverflow(obj, &mut overflow);
                Constant::Int(if overflow == 0 {
                    Int::Small(small)
                } else {
                    let n = (*obj.cast::<PyLongObject>()).lv_tag >> 3;
                    let digits = core::slice::from_raw_parts((&raw const (*obj.cast::<PyLongObject>()).ob_digit).cast::<u32>(), n);
                    Int::Big { negative: overflow < 0, digits: arena.alloc_slice_copy(digits) }
                })
            } else if PyFloat_CheckExact(obj) != 0 {
                Constant::Float(PyFloat_AsDouble(obj))
            } else if PyComplex_CheckExact(obj) != 0 {
                Constant::Complex { real: PyComplex_RealAsDouble(obj), imag: PyComplex_ImagAsDouble(obj) }
            } else if PyUnicode_CheckExact(obj) != 0 {
                let b = own(PyUnicode_AsEncodedString(obj, c"utf-8".as_ptr(), c"surrogatepass".as_ptr()))?;
                Constant::Str(arena.alloc_slice_copy(bytes_of(b.as_ptr())))
            } else if PyBytes_CheckExact(obj) != 0 {
                Constant::Bytes(arena.alloc_slice_copy(bytes_of(obj)))
            } else if PyTuple_CheckExact(obj) != 0 || PyFrozenSet_CheckExact(obj) != 0 {
                let items = own(PySequence_Tuple(obj))?;
                let values: PyResult<Vec<Constant<'a>>> = cx.deeper("during compilation", || {
                    (0..PyTuple_GET_SIZE(items.as_ptr()))
                        .map(|i| Ok(Self::from_object(cx, PyTuple_GET_ITEM(items.as_ptr(), i))?.unwrap_or(Constant::None)))
                        .collect()
                });
                let values = arena.alloc_slice_copy(&values?);
                if PyTuple_CheckExact(obj) != 0 { Constant::Tuple(values) } else { Constant::FrozenSet(values) }
            } else {
                bail!(PyExc_TypeError, "got an invalid type in Constant: {}", short_name(type_of(obj)));
            };
            if !cx.constants.is_null() && !matches!(constant, Constant::None | Constant::True | Constant::False | Constant::Ellipsis) {
                check_status(PyList_Append(cx.constants, obj))?;
            }
            Ok(Some(constant))
        }
    }
}

/// Little-endian bytes of a magnitude in base 2**30.
fn bytes_of_digits(digits: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(digits.len() * 4 + 1);
    let (mut acc, mut bits) = (0u64, 0);
    for &d in digits {
        acc |= (d as u64) << bits;
        bits += 30;
        while bits >= 8 {
            bytes.push(acc as u8);
            acc >>= 8;
            bits -= 8;
        }
    }
    bytes.push(acc as u8);
    bytes
}

unsafe extern "C" {
    fn PyLong_AsInt(op: *mut PyObject) -> core::ffi::c_int;
}

unsafe fn utf8<'s>(op: *mut PyObject) -> PyResult<&'s str> {
    // SAFETY: [TYPE] op is a str and keeps the UTF-8 alive.
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            return Err(Raised::assume());
        }
        Ok(core::str::from_utf8_unchecked(core::slice::from_raw_parts(p.cast(), size as usize)))
    }
}

unsafe fn bytes_of<'s>(op: *mut PyObject) -> &'s [u8] {
    // SAFETY: [TYPE] op is a bytes object.
    unsafe { core::slice::from_raw_parts(PyBytes_AsString(op).cast(), PyBytes_Size(op) as usize) }
}

#[cold]
fn no_such_kind(what: &str, obj: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    unsafe {
        match std::ffi::CString::new(format!("expected some sort of {what}, but got %R")) {
            Ok(format) => {
                PyErr_Format(PyExc_TypeError, format.as_ptr(), obj);
                Raised::assume()
            }
            Err(_) => raise!(PyExc_TypeError, "expected some sort of node"),
        }
    }
}

// ---- the macro -----------------------------------------------------------------------------------------------------------

/// The NUL-terminated Python name of a field, or its interned string.
macro_rules! field_name {
    (type_) => { "type\0" };
    ($name:ident) => { concat!(stringify!($name), "\0") };
}
macro_rules! field_key {
    ($name:ident) => {{
        static CELL: core::sync::atomic::AtomicPtr<PyObject> = core::sync::atomic::AtomicPtr::new(core::ptr::null_mut());
        taipan_abi::externs::interned(&CELL, field_name!($name))
    }};
}
macro_rules! class_name {
    (mod) => { "mod" };
    (r#mod) => { "mod" };
    ($name:ident) => { stringify!($name) };
}
macro_rules! quantity {
    (one) => { Quantity::One };
    (opt) => { Quantity::Opt };
    (seq) => { Quantity::Seq };
}
macro_rules! field_defs {
    ($($f:ident $q:ident $t:ident),*) => {
        &[$(FieldDef { name: strip_nul(field_name!($f)), quantity: quantity!($q), ty: stringify!($t) }),*]
    };
}
const fn strip_nul(text: &'static str) -> &'static str {
    text.split_at(text.len() - 1).0
}

/// The position attributes, by what the ASDL says of their ends.
macro_rules! attributes {
    () => { &[] };
    (range) => { field_defs!(lineno one int, col_offset one int, end_lineno opt int, end_col_offset opt int) };
    (full_range) => { field_defs!(lineno one int, col_offset one int, end_lineno one int, end_col_offset one int) };
}
macro_rules! at {
    ($owner:expr, $f:ident) => {
        At { key: field_key!($f), field: strip_nul(field_name!($f)), owner: $owner }
    };
}
macro_rules! from_field {
    ($cx:expr, $obj:expr, $owner:expr, $f:ident $q:ident $t:ident) => {
        at!($owner, $f).required(Field::<$q<kind::$t>>::read($cx, $obj, at!($owner, $f))?)?
    };
}
/// Reads all fields first and then asks for those that need values.
macro_rules! from_fields {
    ($cx:expr, $obj:expr, $owner:expr; $($path:ident)::+ { $($f:ident $q:ident $t:ident),* } $($range:ident)?) => {{
        $( let $f = Field::<$q<kind::$t>>::read($cx, $obj, at!($owner, $f))?; )*
        $($path)::+ { $( $f: at!($owner, $f).required($f)?, )* $($range)? }
    }};
}
macro_rules! read_range {
    ($cx:expr, $obj:expr, $owner:expr, range) => {{
        let lineno: u32 = from_field!($cx, $obj, $owner, lineno one int);
        let col_offset: u32 = from_field!($cx, $obj, $owner, col_offset one int);
        let end_lineno: Option<u32> = from_field!($cx, $obj, $owner, end_lineno opt int);
        let end_col_offset: Option<u32> = from_field!($cx, $obj, $owner, end_col_offset opt int);
        Range { lineno, col_offset, end_lineno: end_lineno.unwrap_or(lineno), end_col_offset: end_col_offset.unwrap_or(col_offset) }
    }};
    ($cx:expr, $obj:expr, $owner:expr, full_range) => {
        Range {
            lineno: from_field!($cx, $obj, $owner, lineno one int),
            col_offset: from_field!($cx, $obj, $owner, col_offset one int),
            end_lineno: from_field!($cx, $obj, $owner, end_lineno one int),
            end_col_offset: from_field!($cx, $obj, $owner, end_col_offset one int),
        }
    };
}

fn write_range<'a>(cx: &Context<'a>, node: &mut Node, range: &Range) -> PyResult<()> {
    node.push(cx.line(range.lineno)?);
    node.push(Value::<kind::int>::to_object(&range.col_offset, cx)?);
    node.push(cx.line(range.end_lineno)?);
    node.push(Value::<kind::int>::to_object(&range.end_col_offset, cx)?);
    Ok(())
}

/// The conversions of one ASDL type.
macro_rules! conversions {
    // Operators and contexts: each constructor is a value without fields.
    (simple $ty:ident ($rust:ident) [] { $($cons:ident ())* }) => {
        impl<'a> Value<'a, kind::$ty> for $rust {
            fn to_object(&self, _: &Context<'a>) -> PyResult<Owned> {
                Ok(ast::singleton(match self { $($rust::$cons => Class::$cons),* }))
            }
            fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
                const CLASSES: &[Class] = &[$(Class::$cons),*];
                const VALUES: &[$rust] = &[$($rust::$cons),*];
                match cx.classify(obj, CLASSES)? {
                    Some(i) => Ok(Some(VALUES[i])),
                    None => Err(no_such_kind(class_name!($ty), obj)),
                }
            }
        }
    };
    // A sum whose nodes have no position: the enum itself.
    (plain $ty:ident ($rust:ident) [] { $($cons:ident ( $($f:ident $q:ident $t:ident),* ))* }) => {
        impl<'a> Value<'a, kind::$ty> for $rust<'a> {
            fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
                match self { $(
                    $rust::$cons { $($f),* } => cx.making(|| {
                        let mut node = Node::new(Class::$cons);
                        $( node.push(Field::<$q<kind::$t>>::write($f, cx)?); )*
                        node.finish()
                    }),
                )* }
            }
            fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
                const CLASSES: &[Class] = &[$(Class::$cons),*];
                if is_none(obj) {
                    return Ok(None);
                }
                let found = cx.classify(obj, CLASSES)?.map(|i| CLASSES[i]);
                match found {
                    $( Some(Class::$cons) => Ok(Some(from_fields!(cx, obj, stringify!($cons); $rust::$cons { $($f $q $t),* }))), )*
                    _ => Err(no_such_kind(class_name!($ty), obj)),
                }
            }
        }
    };
    // A sum of nodes with a position: a struct of kind and range.
    (node $ty:ident ($rust:ident $kind:ident) [$range:ident] { $($cons:ident ( $($f:ident $q:ident $t:ident),* ))* }) => {
        impl<'a> Value<'a, kind::$ty> for $rust<'a> {
            fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
                cx.making(|| {
                    let mut node = match &self.kind { $(
                        $kind::$cons { $($f),* } => {
                            // A function of its own keeps the stack frames of the recursion small.
                            #[inline(never)]
                            #[allow(unused_mut, unused_variables, clippy::too_many_arguments, reason = "as many as the node has fields")]
                            fn make<'a>(cx: &Context<'a>, kind: &$kind<'a>) -> PyResult<Node> {
                                let mut node = Node::new(Class::$cons);
                                if let $kind::$cons { $($f),* } = kind {
                                    $( node.push(Field::<$q<kind::$t>>::write($f, cx)?); )*
                                }
                                Ok(node)
                            }
                            $( let _ = $f; )*
                            make(cx, &self.kind)?
                        }
                    )* };
                    write_range(cx, &mut node, &self.range)?;
                    node.finish()
                })
            }
            fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
                const CLASSES: &[Class] = &[$(Class::$cons),*];
                if is_none(obj) {
                    return Ok(None);
                }
                let range = read_range!(cx, obj, class_name!($ty), $range);
                let found = cx.classify(obj, CLASSES)?.map(|i| CLASSES[i]);
                let kind = match found {
                    $( Some(Class::$cons) => {
                        #[inline(never)]
                        #[allow(unused_variables, reason = "nodes without fields")]
                        fn make<'a>(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<$kind<'a>> {
                            Ok(from_fields!(cx, obj, stringify!($cons); $kind::$cons { $($f $q $t),* }))
                        }
                        make(cx, obj)?
                    } )*
                    _ => return Err(no_such_kind(class_name!($ty), obj)),
                };
                Ok(Some($rust { kind, range }))
            }
            fn missing_item() -> &'static str {
                match class_name!($ty).as_bytes() {
                    b"expr" => "None disallowed in expression list",
                    b"stmt" => "None disallowed in statement list",
                    b"pattern" => "None disallowed in pattern list",
                    _ => "None disallowed in list",
                }
            }
        }
    };
    // A sum with one constructor.
    (single $ty:ident ($rust:ident) [$($range:ident)?] { $cons:ident ( $($f:ident $q:ident $t:ident),* ) }) => {
        impl<'a> Value<'a, kind::$ty> for $rust<'a> {
            fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
                cx.making(|| {
                    let mut node = Node::new(Class::$cons);
                    $( node.push(Field::<$q<kind::$t>>::write(&self.$f, cx)?); )*
                    $( write_range(cx, &mut node, &self.$range)?; )?
                    node.finish()
                })
            }
            fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
                if is_none(obj) {
                    return Ok(None);
                }
                $( let $range = read_range!(cx, obj, class_name!($ty), $range); )?
                if cx.classify(obj, &[Class::$cons])?.is_none() {
                    return Err(no_such_kind(class_name!($ty), obj));
                }
                Ok(Some(from_fields!(cx, obj, stringify!($cons); $rust { $($f $q $t),* } $($range)?)))
            }
        }
    };
    // A product.
    (product $ty:ident ($rust:ident) [$($range:ident)?] ( $($f:ident $q:ident $t:ident),* )) => {
        impl<'a> Value<'a, kind::$ty> for $rust<'a> {
            fn to_object(&self, cx: &Context<'a>) -> PyResult<Owned> {
                cx.making(|| {
                    let mut node = Node::new(Class::$ty);
                    $( node.push(Field::<$q<kind::$t>>::write(&self.$f, cx)?); )*
                    $( write_range(cx, &mut node, &self.$range)?; )?
                    node.finish()
                })
            }
            fn from_object(cx: &Context<'a>, obj: *mut PyObject) -> PyResult<Option<Self>> {
                $( let $f = Field::<$q<kind::$t>>::read(cx, obj, at!(stringify!($ty), $f))?; )*
                $( let $range = read_range!(cx, obj, stringify!($ty), $range); )?
                Ok(Some($rust { $($f: at!(stringify!($ty), $f).required($f)?,)* $($range)? }))
            }
        }
    };
}

macro_rules! is_simple {
    (simple) => { true };
    ($other:ident) => { false };
}

macro_rules! asdl {
    (
        sums: { $( $form:ident $ty:ident ($($rust:ident)*) [$($range:ident)?] { $( $cons:ident ( $($f:ident $q:ident $t:ident),* ) )* } )* }
        products: { $( $pty:ident ($($prust:ident)*) [$($prange:ident)?] ( $($pf:ident $pq:ident $pt:ident),* ) )* }
    ) => {
        /// The node classes, in the order of [`CLASSES`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "the ASDL's names")]
        pub enum Class { $( $ty, $($cons,)* )* $($pty,)* }

        /// What is known of each class; bases come first.
        pub static CLASSES: &[ClassDef] = &[
            $(
                ClassDef { name: class_name!($ty), base: None, fields: &[], attributes: Some(attributes!($($range)?)), singleton: false },
                $(
                    ClassDef {
                        name: stringify!($cons),
                        base: Some(Class::$ty),
                        fields: field_defs!($($f $q $t),*),
                        attributes: None,
                        singleton: is_simple!($form),
                    },
                )*
            )*
            $(
                ClassDef {
                    name: stringify!($pty),
                    base: None,
                    fields: field_defs!($($pf $pq $pt),*),
                    attributes: Some(attributes!($($prange)?)),
                    singleton: false,
                },
            )*
        ];

        const ALL: &[Class] = &[ $( Class::$ty, $(Class::$cons,)* )* $(Class::$pty,)* ];

        /// The classes of the sums, with those of their constructors.
        pub static SUMS: &[(Class, &[Class])] = &[ $( (Class::$ty, &[$(Class::$cons),*]), )* ];

        /// Types that stand for the ASDL's, to tell conversions apart.
        #[allow(missing_docs, reason = "the ASDL's names")]
        pub mod kind {
            pub struct identifier;
            pub struct string;
            pub struct int;
            pub struct constant;
            $( pub struct $ty; )*
            $( pub struct $pty; )*
        }

        $( conversions!($form $ty ($($rust)*) [$($range)?] { $( $cons ( $($f $q $t),* ) )* }); )*
        $( conversions!(product $pty ($($prust)*) [$($prange)?] ( $($pf $pq $pt),* )); )*
    };
}

asdl! {
    sums: {
        plain r#mod (Mod) [] {
            Module(body seq stmt, type_ignores seq type_ignore)
            Interactive(body seq stmt)
            Expression(body one expr)
            FunctionType(argtypes seq expr, returns one expr)
        }
        node stmt (Stmt StmtKind) [range] {
            FunctionDef(name one identifier, args one arguments, body seq stmt, decorator_list seq expr, returns opt expr, type_comment opt string, type_params seq type_param)
            AsyncFunctionDef(name one identifier, args one arguments, body seq stmt, decorator_list seq expr, returns opt expr, type_comment opt string, type_params seq type_param)
            ClassDef(name one identifier, bases seq expr, keywords seq keyword, body seq stmt, decorator_list seq expr, type_params seq type_param)
            Return(value opt expr)
            Delete(targets seq expr)
            Assign(targets seq expr, value one expr, type_comment opt string)
            TypeAlias(name one expr, type_params seq type_param, value one expr)
            AugAssign(target one expr, op one operator, value one expr)
            AnnAssign(target one expr, annotation one expr, value opt expr, simple one int)
            For(target one expr, iter one expr, body seq stmt, orelse seq stmt, type_comment opt string)
            AsyncFor(target one expr, iter one expr, body seq stmt, orelse seq stmt, type_comment opt string)
            While(test one expr, body seq stmt, orelse seq stmt)
            If(test one expr, body seq stmt, orelse seq stmt)
            With(items seq withitem, body seq stmt, type_comment opt string)
            AsyncWith(items seq withitem, body seq stmt, type_comment opt string)
            Match(subject one expr, cases seq match_case)
            Raise(exc opt expr, cause opt expr)
            Try(body seq stmt, handlers seq excepthandler, orelse seq stmt, finalbody seq stmt)
            TryStar(body seq stmt, handlers seq excepthandler, orelse seq stmt, finalbody seq stmt)
            Assert(test one expr, msg opt expr)
            Import(names seq alias)
            ImportFrom(module opt identifier, names seq alias, level opt int)
            Global(names seq identifier)
            Nonlocal(names seq identifier)
            Expr(value one expr)
            Pass()
            Break()
            Continue()
        }
        node expr (Expr ExprKind) [range] {
            BoolOp(op one boolop, values seq expr)
            NamedExpr(target one expr, value one expr)
            BinOp(left one expr, op one operator, right one expr)
            UnaryOp(op one unaryop, operand one expr)
            Lambda(args one arguments, body one expr)
            IfExp(test one expr, body one expr, orelse one expr)
            Dict(keys seq expr, values seq expr)
            Set(elts seq expr)
            ListComp(elt one expr, generators seq comprehension)
            SetComp(elt one expr, generators seq comprehension)
            DictComp(key one expr, value one expr, generators seq comprehension)
            GeneratorExp(elt one expr, generators seq comprehension)
            Await(value one expr)
            Yield(value opt expr)
            YieldFrom(value one expr)
            Compare(left one expr, ops seq cmpop, comparators seq expr)
            Call(func one expr, args seq expr, keywords seq keyword)
            FormattedValue(value one expr, conversion one int, format_spec opt expr)
            JoinedStr(values seq expr)
            Constant(value one constant, kind opt string)
            Attribute(value one expr, attr one identifier, ctx one expr_context)
            Subscript(value one expr, slice one expr, ctx one expr_context)
            Starred(value one expr, ctx one expr_context)
            Name(id one identifier, ctx one expr_context)
            List(elts seq expr, ctx one expr_context)
            Tuple(elts seq expr, ctx one expr_context)
            Slice(lower opt expr, upper opt expr, step opt expr)
        }
        simple expr_context (ExprContext) [] { Load() Store() Del() }
        simple boolop (BoolOp) [] { And() Or() }
        simple operator (Operator) [] {
            Add() Sub() Mult() MatMult() Div() Mod() Pow() LShift() RShift() BitOr() BitXor() BitAnd() FloorDiv()
        }
        simple unaryop (UnaryOp) [] { Invert() Not() UAdd() USub() }
        simple cmpop (CmpOp) [] { Eq() NotEq() Lt() LtE() Gt() GtE() Is() IsNot() In() NotIn() }
        single excepthandler (ExceptHandler) [range] {
            ExceptHandler(type_ opt expr, name opt identifier, body seq stmt)
        }
        node pattern (Pattern PatternKind) [full_range] {
            MatchValue(value one expr)
            MatchSingleton(value one constant)
            MatchSequence(patterns seq pattern)
            MatchMapping(keys seq expr, patterns seq pattern, rest opt identifier)
            MatchClass(cls one expr, patterns seq pattern, kwd_attrs seq identifier, kwd_patterns seq pattern)
            MatchStar(name opt identifier)
            MatchAs(pattern opt pattern, name opt identifier)
            MatchOr(patterns seq pattern)
        }
        single type_ignore (TypeIgnore) [] { TypeIgnore(lineno one int, tag one string) }
        node type_param (TypeParam TypeParamKind) [full_range] {
            TypeVar(name one identifier, bound opt expr, default_value opt expr)
            ParamSpec(name one identifier, default_value opt expr)
            TypeVarTuple(name one identifier, default_value opt expr)
        }
    }
    products: {
        comprehension (Comprehension) [] (target one expr, iter one expr, ifs seq expr, is_async one int)
        arguments (Arguments) [] (posonlyargs seq arg, args seq arg, vararg opt arg, kwonlyargs seq arg, kw_defaults seq expr, kwarg opt arg, defaults seq expr)
        arg (Arg) [range] (arg one identifier, annotation opt expr, type_comment opt string)
        keyword (Keyword) [range] (arg opt identifier, value one expr)
        alias (Alias) [range] (name one identifier, asname opt identifier)
        withitem (WithItem) [] (context_expr one expr, optional_vars opt expr)
        match_case (MatchCase) [] (pattern one pattern, guard opt expr, body seq stmt)
    }
}

/// The class at an index of [`CLASSES`].
pub fn class_at(index: usize) -> Class {
    ALL[index]
}

/// A tree as objects.
pub fn mod_to_object(module: &Mod<'_>) -> PyResult<Owned> {
    Value::<kind::r#mod>::to_object(module, &Context::new(None))
}

/// Objects as a tree, not validated yet.
///
/// # Safety
/// `obj` is live.
pub unsafe fn mod_from_object<'a>(obj: *mut PyObject, arena: &'a Bump, constants: *mut PyObject) -> PyResult<Mod<'a>> {
    let cx = Context { constants, ..Context::new(Some(arena)) };
    match <Mod<'a> as Value<'a, kind::r#mod>>::from_object(&cx, obj)? {
        Some(m) => Ok(m),
        None => Err(raise!(PyExc_ValueError, "no tree")),
    }
}

/// What the documentation strings of the classes say: the class as the ASDL has it.
pub fn describe(class: Class) -> String {
    let def = &CLASSES[class as usize];
    let signature = |def: &ClassDef| {
        if def.fields.is_empty() {
            return def.name.to_string();
        }
        let fields: Vec<String> = def
            .fields
            .iter()
            .map(|f| {
                let mark = match f.quantity {
                    Quantity::One => "",
                    Quantity::Opt => "?",
                    Quantity::Seq => "*",
                };
                format!("{}{} {}", f.ty, mark, f.name)
            })
            .collect();
        format!("{}({})", def.name, fields.join(", "))
    };
    match SUMS.iter().find(|(c, _)| *c == class) {
        None => signature(def),
        Some((_, constructors)) => {
            let simple = constructors.iter().all(|&c| CLASSES[c as usize].singleton);
            let separator = if simple { " | ".to_string() } else { format!("\n{}| ", " ".repeat(def.name.len() + 1)) };
            let all: Vec<String> = constructors.iter().map(|&c| signature(&CLASSES[c as usize])).collect();
            format!("{} = {}", def.name, all.join(&separator))
        }
    }
}

/// The name of the module's attribute.
pub fn c_name(class: Class) -> std::ffi::CString {
    std::ffi::CString::new(CLASSES[class as usize].name).unwrap_or_default()
}

const _: Option<&CStr> = None;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions() {
        assert_eq!(describe(Class::Return), "Return(expr? value)");
        assert_eq!(describe(Class::Pass), "Pass");
        assert_eq!(describe(Class::boolop), "boolop = And | Or");
        assert_eq!(describe(Class::excepthandler), "excepthandler = ExceptHandler(expr? type, identifier? name, stmt* body)");
        assert_eq!(CLASSES[Class::r#mod as usize].name, "mod");
        assert_eq!(CLASSES[Class::match_case as usize].name, "match_case");
    }
}
