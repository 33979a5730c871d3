//! The `_operator` module: the operators as functions, and itemgetter, attrgetter, methodcaller.

use crate::instance;
use crate::support::{new, tuple};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, BufferView, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

type Ob<'a> = Borrowed<'a>;

macro_rules! unary {
    ($($f:ident $c:ident;)*) => { $(
        fn $f(_: (), a: Ob<'_>) -> PyResult<Owned> {
            // SAFETY: [ARGS]
            unsafe { Owned::from_owned_or_err($c(a.ob())) }
        }
    )* };
}
macro_rules! binary {
    ($($f:ident $c:ident;)*) => { $(
        fn $f(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<Owned> {
            // SAFETY: [ARGS]
            unsafe { Owned::from_owned_or_err($c(a.ob(), b.ob())) }
        }
    )* };
}
macro_rules! compare {
    ($($f:ident $op:ident;)*) => { $(
        fn $f(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<Owned> {
            // SAFETY: [ARGS]
            unsafe { Owned::from_owned_or_err(PyObject_RichCompare(a.ob(), b.ob(), $op)) }
        }
    )* };
}
unary! { neg PyNumber_Negative; pos PyNumber_Positive; abs PyNumber_Absolute; inv PyNumber_Invert; index PyNumber_Index; }
binary! {
    add PyNumber_Add; sub PyNumber_Subtract; mul PyNumber_Multiply; matmul PyNumber_MatrixMultiply;
    floordiv PyNumber_FloorDivide; truediv PyNumber_TrueDivide; mod_ PyNumber_Remainder; lshift PyNumber_Lshift;
    rshift PyNumber_Rshift; and_ PyNumber_And; or_ PyNumber_Or; xor PyNumber_Xor; getitem PyObject_GetItem;
    iadd PyNumber_InPlaceAdd; isub PyNumber_InPlaceSubtract; imul PyNumber_InPlaceMultiply;
    imatmul PyNumber_InPlaceMatrixMultiply; ifloordiv PyNumber_InPlaceFloorDivide; itruediv PyNumber_InPlaceTrueDivide;
    imod PyNumber_InPlaceRemainder; ilshift PyNumber_InPlaceLshift; irshift PyNumber_InPlaceRshift;
    iand PyNumber_InPlaceAnd; ior PyNumber_InPlaceOr; ixor PyNumber_InPlaceXor; concat PySequence_Concat;
    iconcat PySequence_InPlaceConcat;
}
compare! { lt Py_LT; le Py_LE; eq Py_EQ; ne Py_NE; gt Py_GT; ge Py_GE; }

fn pow(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyNumber_Power(a.ob(), b.ob(), Py_None())) }
}
fn ipow(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyNumber_InPlacePower(a.ob(), b.ob(), Py_None())) }
}
fn truth(_: (), a: Ob<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe { crate::support::truth(a.ob()) }
}
fn not_(_: (), a: Ob<'_>) -> PyResult<bool> {
    truth((), a).map(|t| !t)
}
fn is_(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<bool> {
    Ok(a.is(b.ob()))
}
fn is_not(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<bool> {
    Ok(!a.is(b.ob()))
}
fn contains(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    let r = unsafe { PySequence_Contains(a.ob(), b.ob()) };
    check_status(r)?;
    Ok(r > 0)
}
fn index_of(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    let i = unsafe { PySequence_Index(a.ob(), b.ob()) };
    // SAFETY: [EXC]
    if i < 0 { Err(unsafe { Raised::assume() }) } else { Ok(i) }
}
fn count_of(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<isize> {
    // SAFETY: [ARGS]
    let n = unsafe { PySequence_Count(a.ob(), b.ob()) };
    // SAFETY: [EXC]
    if n < 0 { Err(unsafe { Raised::assume() }) } else { Ok(n) }
}
fn setitem(_: (), a: Ob<'_>, b: Ob<'_>, c: Ob<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { PyObject_SetItem(a.ob(), b.ob(), c.ob()) })
}
fn delitem(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    check_status(unsafe { PyObject_DelItem(a.ob(), b.ob()) })
}
fn length_hint(_: (), obj: Ob<'_>, default: isize) -> PyResult<isize> {
    // SAFETY: [ARGS]
    let n = unsafe { PyObject_LengthHint(obj.ob(), default) };
    // SAFETY: [EXC]
    if n == -1 && err_occurred() { Err(unsafe { Raised::assume() }) } else { Ok(n) }
}

/// Compares in a time that depends on the length of `b` only.
fn compare_digest(_: (), a: Ob<'_>, b: Ob<'_>) -> PyResult<bool> {
    fn same(a: &[u8], b: &[u8]) -> bool {
        let (left, mut different) = if a.len() == b.len() { (a, 0) } else { (b, 1u8) };
        for (x, y) in left.iter().zip(b) {
            different |= core::hint::black_box(x ^ y);
        }
        different == 0
    }
    // SAFETY: [ARGS] cached UTF-8 of ASCII strings is their text.
    unsafe {
        if PyUnicode_Check(a.ob()) != 0 && PyUnicode_Check(b.ob()) != 0 {
            let text = |op: Ob<'_>| -> PyResult<&[u8]> {
                let mut n = 0;
                let p = PyUnicode_AsUTF8AndSize(op.ob(), &mut n);
                if p.is_null() || n != PyUnicode_GetLength(op.ob()) {
                    PyErr_Clear();
                    bail!(PyExc_TypeError, "comparing strings with non-ASCII characters is not supported");
                }
                Ok(core::slice::from_raw_parts(p.cast(), n as usize))
            };
            return Ok(same(text(a)?, text(b)?));
        }
        if PyObject_CheckBuffer(a.ob()) == 0 || PyObject_CheckBuffer(b.ob()) == 0 {
            bail!(
                PyExc_TypeError,
                "unsupported operand types(s) or combination of types: '{}' and '{}'",
                type_name(a.ob()),
                type_name(b.ob())
            );
        }
        let (a, b) = (BufferView::get(a.ob())?, BufferView::get(b.ob())?);
        Ok(same(a.as_bytes(), b.as_bytes()))
    }
}

unsafe extern "C" fn call_entry(_: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if n < 1 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "call expected at least 1 argument, got 0")).into_c();
        }
        PyObject_Vectorcall(*args, args.add(1), (n - 1) as usize | PY_VECTORCALL_ARGUMENTS_OFFSET, kw)
    }
}

methods! {
    static METHODS = [
        "truth($module, a, /)" => truth, "Whether a is true.";
        "contains($module, a, b, /)" => contains, "Same as b in a (the operands are reversed).";
        "indexOf($module, a, b, /)" => index_of, "The first index of b in a.";
        "countOf($module, a, b, /)" => count_of, "How many items of a equal b.";
        "is_($module, a, b, /)" => is_, "Same as a is b.";
        "is_not($module, a, b, /)" => is_not, "Same as a is not b.";
        "add($module, a, b, /)" => add, "Same as a + b.";
        "sub($module, a, b, /)" => sub, "Same as a - b.";
        "mul($module, a, b, /)" => mul, "Same as a * b.";
        "matmul($module, a, b, /)" => matmul, "Same as a @ b.";
        "floordiv($module, a, b, /)" => floordiv, "Same as a // b.";
        "truediv($module, a, b, /)" => truediv, "Same as a / b.";
        "mod($module, a, b, /)" => mod_, "Same as a % b.";
        "neg($module, a, /)" => neg, "Same as -a.";
        "pos($module, a, /)" => pos, "Same as +a.";
        "abs($module, a, /)" => abs, "Same as abs(a).";
        "inv($module, a, /)" => inv, "Same as ~a.";
        "invert($module, a, /)" => inv, "Same as ~a.";
        "lshift($module, a, b, /)" => lshift, "Same as a << b.";
        "rshift($module, a, b, /)" => rshift, "Same as a >> b.";
        "not_($module, a, /)" => not_, "Same as not a.";
        "and_($module, a, b, /)" => and_, "Same as a & b.";
        "xor($module, a, b, /)" => xor, "Same as a ^ b.";
        "or_($module, a, b, /)" => or_, "Same as a | b.";
        "iadd($module, a, b, /)" => iadd, "Same as a += b.";
        "isub($module, a, b, /)" => isub, "Same as a -= b.";
        "imul($module, a, b, /)" => imul, "Same as a *= b.";
        "imatmul($module, a, b, /)" => imatmul, "Same as a @= b.";
        "ifloordiv($module, a, b, /)" => ifloordiv, "Same as a //= b.";
        "itruediv($module, a, b, /)" => itruediv, "Same as a /= b.";
        "imod($module, a, b, /)" => imod, "Same as a %= b.";
        "ilshift($module, a, b, /)" => ilshift, "Same as a <<= b.";
        "irshift($module, a, b, /)" => irshift, "Same as a >>= b.";
        "iand($module, a, b, /)" => iand, "Same as a &= b.";
        "ixor($module, a, b, /)" => ixor, "Same as a ^= b.";
        "ior($module, a, b, /)" => ior, "Same as a |= b.";
        "concat($module, a, b, /)" => concat, "Same as a + b, for sequences.";
        "iconcat($module, a, b, /)" => iconcat, "Same as a += b, for sequences.";
        "getitem($module, a, b, /)" => getitem, "Same as a[b].";
        "setitem($module, a, b, c, /)" => setitem, "Same as a[b] = c.";
        "delitem($module, a, b, /)" => delitem, "Same as del a[b].";
        "pow($module, a, b, /)" => pow, "Same as a ** b.";
        "ipow($module, a, b, /)" => ipow, "Same as a **= b.";
        "lt($module, a, b, /)" => lt, "Same as a < b.";
        "le($module, a, b, /)" => le, "Same as a <= b.";
        "eq($module, a, b, /)" => eq, "Same as a == b.";
        "ne($module, a, b, /)" => ne, "Same as a != b.";
        "gt($module, a, b, /)" => gt, "Same as a > b.";
        "ge($module, a, b, /)" => ge, "Same as a >= b.";
        "index($module, a, /)" => index, "Same as a.__index__().";
        "length_hint($module, obj, default=0, /)" => length_hint, "An estimate of the number of items in obj.";
        "_compare_digest($module, a, b, /)" => compare_digest, "Whether a equals b, found in constant time.";
        raw "call", PyMethodDefPointer { PyCFunctionFastWithKeywords: call_entry }, METH_FASTCALL | METH_KEYWORDS,
            "call($module, obj, /, *args, **kwargs)\n--\n\nSame as obj(*args, **kwargs).";
    ];
}

// ---- itemgetter, attrgetter, methodcaller ---------------------------------------------------------------------------------

instance! {
    /// `item` holds one key (or a tuple of several), `index` the key if it is a small non-negative int.
    struct ItemGetter { item; nitems: isize, index: isize, vectorcall: Option<vectorcallfunc> }
}

unsafe fn no_keywords(name: &core::ffi::CStr, kw: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { kw.is_null() || _PyArg_NoKeywords(name.as_ptr(), kw) != 0 }
}

unsafe extern "C" fn itemgetter_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if !no_keywords(c"itemgetter", kw) {
            return null_mut();
        }
        let n = PyTuple_GET_SIZE(args);
        let make = || -> PyResult<Owned> {
            if n < 1 {
                bail!(PyExc_TypeError, "itemgetter expected 1 argument, got 0");
            }
            let item = if n == 1 { PyTuple_GET_ITEM(args, 0) } else { args };
            let g = new::<ItemGetter>(Borrowed::from_ptr(tp))?;
            let p = g.as_ptr();
            (*p).item = Owned::from_borrowed(item).into_raw();
            (*p).nitems = n;
            (*p).index = -1;
            if n == 1 && PyLong_CheckExact(item) != 0 {
                let i = PyLong_AsSsize_t(item);
                if i == -1 && err_occurred() {
                    PyErr_Clear();
                } else if i >= 0 {
                    (*p).index = i;
                }
            }
            (*p).vectorcall = Some(itemgetter_vectorcall);
            Ok(g.into_object())
        };
        make().into_c()
    }
}

unsafe extern "C" fn itemgetter_vectorcall(slf: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) > 0 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "itemgetter() takes no keyword arguments")).into_c();
        }
        if _PyArg_CheckPositional(c"itemgetter".as_ptr(), PyVectorcall_NARGS(nargsf), 1, 1) == 0 {
            return null_mut();
        }
        let g = &*slf.cast::<ItemGetter>();
        let obj = *args;
        let get = || -> PyResult<Owned> {
            if g.nitems == 1 {
                if g.index >= 0 && PyTuple_CheckExact(obj) != 0 && g.index < PyTuple_GET_SIZE(obj) {
                    return Ok(Owned::from_borrowed(PyTuple_GET_ITEM(obj, g.index)));
                }
                return Owned::from_owned_or_err(PyObject_GetItem(obj, g.item));
            }
            let mut all = Vec::with_capacity(g.nitems as usize);
            for i in 0..g.nitems {
                all.push(Owned::from_owned_or_err(PyObject_GetItem(obj, PyTuple_GET_ITEM(g.item, i)))?);
            }
            tuple(all)
        };
        get().into_c()
    }
}

unsafe extern "C" fn itemgetter_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { getter_repr(slf, (*slf.cast::<ItemGetter>()).item, (*slf.cast::<ItemGetter>()).nitems == 1) }
}

/// `operator.name(items)`, guarded against recursion.
unsafe fn getter_repr(slf: *mut PyObject, item: *mut PyObject, single: bool) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let status = Py_ReprEnter(slf);
        let name = (*type_of(slf)).tp_name;
        let short = libc::strrchr(name, b'.' as i32);
        let short = if short.is_null() { name } else { short.add(1) };
        let prefix = if (*type_of(slf)).tp_flags & Py_TPFLAGS_HEAPTYPE == 0 { c"operator." } else { c"" };
        if status != 0 {
            return if status < 0 { null_mut() } else { PyUnicode_FromFormat(c"%s%s(...)".as_ptr(), prefix.as_ptr(), short) };
        }
        let text = if single {
            PyUnicode_FromFormat(c"%s%s(%R)".as_ptr(), prefix.as_ptr(), short, item)
        } else {
            PyUnicode_FromFormat(c"%s%s%R".as_ptr(), prefix.as_ptr(), short, item)
        };
        Py_ReprLeave(slf);
        text
    }
}

fn itemgetter_reduce(slf: Borrowed<'_, ItemGetter>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let args = if slf.nitems == 1 { tuple(vec![Owned::from_borrowed(slf.item)])? } else { Owned::from_borrowed(slf.item) };
        tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), args])
    }
}

instance! {
    /// `attr` is a tuple with, for each argument, a str or a tuple of the parts of a dotted name.
    struct AttrGetter { attr, names; vectorcall: Option<vectorcallfunc> }
}

unsafe extern "C" fn attrgetter_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if !no_keywords(c"attrgetter", kw) {
            return null_mut();
        }
        let make = || -> PyResult<Owned> {
            let n = PyTuple_GET_SIZE(args);
            if n < 1 {
                bail!(PyExc_TypeError, "attrgetter expected 1 argument, got 0");
            }
            let dot = Owned::from_owned_or_err(PyUnicode_FromString(c".".as_ptr()))?;
            let mut attrs = Vec::new();
            for i in 0..n {
                let name = PyTuple_GET_ITEM(args, i);
                if PyUnicode_Check(name) == 0 {
                    bail!(PyExc_TypeError, "attribute name must be a string");
                }
                let found = PyUnicode_Contains(name, dot.as_ptr());
                check_status(found)?;
                if found == 0 {
                    let mut interned = Owned::from_borrowed(name).into_raw();
                    PyUnicode_InternInPlace(&mut interned);
                    attrs.push(Owned::from_owned(interned));
                } else {
                    let parts = Owned::from_owned_or_err(PyUnicode_Split(name, dot.as_ptr(), -1))?;
                    attrs.push(Owned::from_owned_or_err(PySequence_Tuple(parts.as_ptr()))?);
                }
            }
            let g = new::<AttrGetter>(Borrowed::from_ptr(tp))?;
            (*g.as_ptr()).attr = tuple(attrs)?.into_raw();
            (*g.as_ptr()).names = Owned::from_borrowed(args).into_raw();
            (*g.as_ptr()).vectorcall = Some(attrgetter_vectorcall);
            Ok(g.into_object())
        };
        make().into_c()
    }
}

unsafe fn get_attr(obj: *mut PyObject, attr: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyTuple_Check(attr) == 0 {
            return Owned::from_owned_or_err(PyObject_GetAttr(obj, attr));
        }
        let mut value = Owned::from_borrowed(obj);
        for i in 0..PyTuple_GET_SIZE(attr) {
            value = Owned::from_owned_or_err(PyObject_GetAttr(value.as_ptr(), PyTuple_GET_ITEM(attr, i)))?;
        }
        Ok(value)
    }
}

unsafe extern "C" fn attrgetter_vectorcall(slf: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) > 0 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "attrgetter() takes no keyword arguments")).into_c();
        }
        if _PyArg_CheckPositional(c"attrgetter".as_ptr(), PyVectorcall_NARGS(nargsf), 1, 1) == 0 {
            return null_mut();
        }
        let attr = (*slf.cast::<AttrGetter>()).attr;
        let n = PyTuple_GET_SIZE(attr);
        let get = || -> PyResult<Owned> {
            if n == 1 {
                return get_attr(*args, PyTuple_GET_ITEM(attr, 0));
            }
            let mut all = Vec::with_capacity(n as usize);
            for i in 0..n {
                all.push(get_attr(*args, PyTuple_GET_ITEM(attr, i))?);
            }
            tuple(all)
        };
        get().into_c()
    }
}

unsafe extern "C" fn attrgetter_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let names = (*slf.cast::<AttrGetter>()).names;
        if PyTuple_GET_SIZE(names) == 1 {
            return getter_repr(slf, PyTuple_GET_ITEM(names, 0), true);
        }
        getter_repr(slf, names, false)
    }
}

fn attrgetter_reduce(slf: Borrowed<'_, AttrGetter>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { tuple(vec![Owned::from_borrowed(slf.ob_type().cast()), Owned::from_borrowed(slf.names)]) }
}

instance! { struct MethodCaller { name, args, kwargs; vectorcall: Option<vectorcallfunc> } }

unsafe extern "C" fn methodcaller_new(tp: *mut PyTypeObject, args: *mut PyObject, kw: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let make = || -> PyResult<Owned> {
            let n = PyTuple_GET_SIZE(args);
            if n < 1 {
                bail!(PyExc_TypeError, "methodcaller needs at least one argument, the method name");
            }
            let name = PyTuple_GET_ITEM(args, 0);
            if PyUnicode_Check(name) == 0 {
                bail!(PyExc_TypeError, "method name must be a string");
            }
            let m = new::<MethodCaller>(Borrowed::from_ptr(tp))?;
            let mut interned = Owned::from_borrowed(name).into_raw();
            PyUnicode_InternInPlace(&mut interned);
            (*m.as_ptr()).name = interned;
            (*m.as_ptr()).args = Owned::from_owned_or_err(PyTuple_GetSlice(args, 1, n))?.into_raw();
            if !kw.is_null() && PyDict_Size(kw) > 0 {
                (*m.as_ptr()).kwargs = Owned::from_owned_or_err(PyDict_Copy(kw))?.into_raw();
            }
            (*m.as_ptr()).vectorcall = Some(methodcaller_vectorcall);
            Ok(m.into_object())
        };
        make().into_c()
    }
}

unsafe extern "C" fn methodcaller_vectorcall(slf: *mut PyObject, args: *const *mut PyObject, nargsf: usize, kwnames: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !kwnames.is_null() && PyTuple_GET_SIZE(kwnames) > 0 {
            return Err::<Owned, _>(raise!(PyExc_TypeError, "methodcaller() takes no keyword arguments")).into_c();
        }
        if _PyArg_CheckPositional(c"methodcaller".as_ptr(), PyVectorcall_NARGS(nargsf), 1, 1) == 0 {
            return null_mut();
        }
        let m = &*slf.cast::<MethodCaller>();
        let n = PyTuple_GET_SIZE(m.args);
        if m.kwargs.is_null() {
            let mut stack = vec![*args];
            stack.extend((0..n).map(|i| PyTuple_GET_ITEM(m.args, i)));
            return PyObject_VectorcallMethod(m.name, stack.as_ptr(), stack.len(), null_mut());
        }
        let call = || -> PyResult<Owned> {
            let method = Owned::from_owned_or_err(PyObject_GetAttr(*args, m.name))?;
            Owned::from_owned_or_err(PyObject_Call(method.as_ptr(), m.args, m.kwargs))
        };
        call().into_c()
    }
}

unsafe extern "C" fn methodcaller_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let status = Py_ReprEnter(slf);
        if status != 0 {
            return if status < 0 { null_mut() } else { PyUnicode_FromString(c"operator.methodcaller(...)".as_ptr()) };
        }
        let m = &*slf.cast::<MethodCaller>();
        let make = || -> PyResult<Owned> {
            let list = Owned::from_owned_or_err(PyList_New(0))?;
            let push = |text: *mut PyObject| -> PyResult<()> {
                let text = Owned::from_owned_or_err(text)?;
                check_status(PyList_Append(list.as_ptr(), text.as_ptr()))
            };
            push(PyObject_Repr(m.name))?;
            for i in 0..PyTuple_GET_SIZE(m.args) {
                push(PyObject_Repr(PyTuple_GET_ITEM(m.args, i)))?;
            }
            if !m.kwargs.is_null() {
                let (mut pos, mut k, mut v) = (0, null_mut(), null_mut());
                while PyDict_Next(m.kwargs, &mut pos, &mut k, &mut v) != 0 {
                    push(PyUnicode_FromFormat(c"%U=%R".as_ptr(), k, v))?;
                }
            }
            let comma = Owned::from_owned_or_err(PyUnicode_FromString(c", ".as_ptr()))?;
            let joined = Owned::from_owned_or_err(PyUnicode_Join(comma.as_ptr(), list.as_ptr()))?;
            Owned::from_owned_or_err(PyUnicode_FromFormat(c"operator.methodcaller(%U)".as_ptr(), joined.as_ptr()))
        };
        let r = make().into_c();
        Py_ReprLeave(slf);
        r
    }
}

fn methodcaller_reduce(slf: Borrowed<'_, MethodCaller>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let me = Owned::from_borrowed(slf.ob_type().cast::<PyObject>());
        if slf.kwargs.is_null() {
            let mut all = vec![Owned::from_borrowed(slf.name)];
            all.extend((0..PyTuple_GET_SIZE(slf.args)).map(|i| Owned::from_borrowed(PyTuple_GET_ITEM(slf.args, i))));
            return tuple(vec![me, tuple(all)?]);
        }
        let partial = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"functools".as_ptr(), c"partial".as_ptr()))?;
        let head = tuple(vec![me, Owned::from_borrowed(slf.name)])?;
        let maker = Owned::from_owned_or_err(PyObject_Call(partial.as_ptr(), head.as_ptr(), slf.kwargs))?;
        tuple(vec![maker, Owned::from_borrowed(slf.args)])
    }
}

methods! { static ITEMGETTER_METHODS = [ "__reduce__($self, /)" => itemgetter_reduce, "Help pickle."; ]; }
methods! { static ATTRGETTER_METHODS = [ "__reduce__($self, /)" => attrgetter_reduce, "Help pickle."; ]; }
methods! { static METHODCALLER_METHODS = [ "__reduce__($self, /)" => methodcaller_reduce, "Help pickle."; ]; }

fn call_signature(_: Ob<'_>) -> PyResult<&'static str> {
    Ok("(obj, /)")
}
getset! { static CALLER_GETSET = [ "__text_signature__" => call_signature, ""; ]; }

macro_rules! caller_type {
    ($static:ident, $name:literal, $st:ident, $new:path, $repr:path, $methods:ident, $doc:literal) => {
        static mut $static: PyTypeObject = PyTypeObject {
            tp_name: concat!("operator.", $name, "\0").as_ptr().cast(),
            tp_basicsize: size_of::<$st>() as Py_ssize_t,
            tp_dealloc: Some($st::dealloc),
            tp_vectorcall_offset: core::mem::offset_of!($st, vectorcall) as Py_ssize_t,
            tp_repr: Some($repr),
            tp_call: Some(PyVectorcall_Call),
            tp_getattro: Some(PyObject_GenericGetAttr),
            tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
            tp_doc: concat!($doc, "\0").as_ptr().cast(),
            tp_traverse: Some($st::traverse),
            tp_clear: Some($st::clear),
            tp_methods: (&raw mut $methods).cast(),
            tp_getset: (&raw mut CALLER_GETSET).cast(),
            tp_alloc: Some(PyType_GenericAlloc),
            tp_new: Some($new),
            tp_free: Some(PyObject_GC_Del),
            ..TYPE_INIT
        };
    };
}
caller_type!(ITEMGETTER, "itemgetter", ItemGetter, itemgetter_new, itemgetter_repr, ITEMGETTER_METHODS,
    "itemgetter(item, /, *items)\n--\n\nA callable that fetches the given items from its operand.");
caller_type!(ATTRGETTER, "attrgetter", AttrGetter, attrgetter_new, attrgetter_repr, ATTRGETTER_METHODS,
    "attrgetter(attr, /, *attrs)\n--\n\nA callable that fetches the given attributes from its operand.");
caller_type!(METHODCALLER, "methodcaller", MethodCaller, methodcaller_new, methodcaller_repr, METHODCALLER_METHODS,
    "methodcaller(name, /, *args, **kwargs)\n--\n\nA callable that calls the given method on its operand.");

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        for tp in [&raw mut ITEMGETTER, &raw mut ATTRGETTER, &raw mut METHODCALLER] {
            taipan_clinic::module::add_type(module, tp)?;
        }
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__operator = "_operator", "The operators as functions.", methods: METHODS, exec: exec;
}

