//! `re.Match`.

use crate::pattern::{Pattern, compile_template, pattern_of};
use crate::subject::{Search, Text};
use crate::template::expand;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{getset, members, methods};
use taipan_objects::gc::{gc_new_var, gc_track};
use taipan_objects::typeobject::TYPE_INIT;

/// What a pattern found. `mark` has two positions for each group, the whole match being group 0; -1 if it took no part.
#[repr(C)]
pub struct MatchObject {
    ob_base: PyVarObject,
    string: *mut PyObject,
    regs: *mut PyObject,
    /// The pattern.
    pub pattern: *mut Pattern,
    pos: Py_ssize_t,
    endpos: Py_ssize_t,
    /// The group closed last, -1 if none.
    lastindex: Py_ssize_t,
    /// Groups, the whole match included.
    pub groups: Py_ssize_t,
    mark: [Py_ssize_t; 0],
}

type M<'a> = Borrowed<'a, MatchObject>;

/// The match object of a search's last match.
pub fn new_match(s: &Search) -> PyResult<Owned<MatchObject>> {
    let pattern = s.pattern();
    let groups = pattern.groups + 1;
    // SAFETY: [OWN] every field is set before the object is tracked.
    unsafe {
        let m = gc_new_var::<MatchObject>(&raw mut MATCH, 2 * groups);
        if m.is_null() {
            return Err(Raised::assume());
        }
        (*m).string = Py_NewRef(s.text.object());
        (*m).regs = null_mut();
        (*m).pattern = pattern.to_owned().into_raw();
        (*m).pos = s.pos as Py_ssize_t;
        (*m).endpos = s.endpos as Py_ssize_t;
        (*m).lastindex = if s.lastindex() == 0 { -1 } else { s.lastindex() as Py_ssize_t };
        (*m).groups = groups;
        let m = Owned::from_owned(m);
        let mark = (&raw mut (*m.as_ptr()).mark).cast::<Py_ssize_t>();
        *mark = s.start as Py_ssize_t;
        *mark.add(1) = s.end as Py_ssize_t;
        for g in 1..groups as usize {
            let (a, b) = s.span(g)?.map_or((-1, -1), |(a, b)| (a as Py_ssize_t, b as Py_ssize_t));
            *mark.add(2 * g) = a;
            *mark.add(2 * g + 1) = b;
        }
        gc_track(m.as_ptr().cast());
        Ok(m)
    }
}

/// The match object, or None.
pub fn match_of(s: &Search, found: bool) -> PyResult<Owned> {
    if found {
        return Ok(new_match(s)?.into_object());
    }
    // SAFETY: [IMMORTAL]
    Ok(unsafe { Owned::from_borrowed(Py_None()) })
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m = slf.cast::<MatchObject>();
        py_visit!(visit, arg; (*m).string, (*m).regs, (*m).pattern);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let m = slf.cast::<MatchObject>();
        setref(&raw mut (*m).string, null_mut());
        setref(&raw mut (*m).regs, null_mut());
        setref(&raw mut (*m).pattern, null_mut());
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        PyObject_GC_Del(slf.cast());
    }
}

fn span_of(m: M<'_>, g: Py_ssize_t) -> (Py_ssize_t, Py_ssize_t) {
    // SAFETY: the callers checked g.
    unsafe {
        let mark = (&raw const (*m.as_ptr()).mark).cast::<Py_ssize_t>();
        (*mark.offset(2 * g), *mark.offset(2 * g + 1))
    }
}

/// The text of group number `g`, which exists.
pub fn group_by_index(m: M<'_>, g: Py_ssize_t, default: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let (a, b) = span_of(m, g);
        if a < 0 {
            return Ok(Owned::from_borrowed(default));
        }
        if PyUnicode_Check(m.string) != 0 {
            return Owned::from_owned_or_err(PyUnicode_Substring(m.string, a, b));
        }
        // A buffer may have shrunk since.
        let text = Text::of(m.string)?;
        text.slice((a as usize).min(text.len), (b as usize).min(text.len))
    }
}

/// The number of the group that `index` (a number or a name) means.
fn group_number(m: M<'_>, index: *mut PyObject) -> PyResult<Py_ssize_t> {
    // SAFETY: [ARGS]
    unsafe {
        let mut g = -1;
        if PyIndex_Check(index) != 0 {
            g = PyNumber_AsSsize_t(index, null_mut());
        } else {
            let names = pattern_of(&m).groupindex;
            if !names.is_null() {
                let found = PyDict_GetItemWithError(names, index);
                if !found.is_null() && PyLong_Check(found) != 0 {
                    g = PyLong_AsSsize_t(found);
                }
            }
        }
        if g < 0 || g >= m.groups {
            if !err_occurred() {
                bail!(PyExc_IndexError, "no such group");
            }
            return Err(Raised::assume());
        }
        Ok(g)
    }
}

fn group(m: M<'_>, index: *mut PyObject) -> PyResult<Owned> {
    let g = group_number(m, index)?;
    // SAFETY: [IMMORTAL]
    group_by_index(m, g, unsafe { Py_None() })
}

unsafe extern "C" fn match_group(slf: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
    // SAFETY: [ARGS] METH_FASTCALL.
    unsafe {
        let m = M::from_ptr(slf.cast());
        match n {
            0 => group_by_index(m, 0, Py_None()).into_c(),
            1 => group(m, *args).into_c(),
            _ => {
                let make = || -> PyResult<Owned> {
                    let result = Owned::from_owned_or_err(PyTuple_New(n))?;
                    for i in 0..n {
                        PyTuple_SET_ITEM(result.as_ptr(), i, group(m, *args.offset(i))?.into_raw());
                    }
                    Ok(result)
                };
                make().into_c()
            }
        }
    }
}
unsafe extern "C" fn subscript(slf: *mut PyObject, index: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { group(M::from_ptr(slf.cast()), index).into_c() }
}

fn groups(m: M<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let result = Owned::from_owned_or_err(PyTuple_New(m.groups - 1))?;
        for g in 1..m.groups {
            PyTuple_SET_ITEM(result.as_ptr(), g - 1, group_by_index(m, g, default.ob())?.into_raw());
        }
        Ok(result)
    }
}

fn groupdict(m: M<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] names and numbers are held while code may run.
    unsafe {
        let result = Owned::from_owned_or_err(PyDict_New())?;
        let names = pattern_of(&m).groupindex;
        if names.is_null() {
            return Ok(result);
        }
        let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
        while PyDict_Next(names, &mut pos, &mut key, &mut value) != 0 {
            let key = Owned::from_borrowed(key);
            let g = group_number(m, key.as_ptr())?;
            let text = group_by_index(m, g, default.ob())?;
            check_status(PyDict_SetItem(result.as_ptr(), key.as_ptr(), text.as_ptr()))?;
        }
        Ok(result)
    }
}

fn expand_method(m: M<'_>, template: Borrowed<'_>) -> PyResult<Owned> {
    let t = compile_template(pattern_of(&m), template)?;
    expand(t.borrow(), m)
}

fn number_or_zero(m: M<'_>, group: Option<Borrowed<'_>>) -> PyResult<Py_ssize_t> {
    group.map_or(Ok(0), |g| group_number(m, g.ob()))
}
fn start(m: M<'_>, group: Option<Borrowed<'_>>) -> PyResult<isize> {
    Ok(span_of(m, number_or_zero(m, group)?).0)
}
fn end(m: M<'_>, group: Option<Borrowed<'_>>) -> PyResult<isize> {
    Ok(span_of(m, number_or_zero(m, group)?).1)
}
fn pair((a, b): (Py_ssize_t, Py_ssize_t)) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let a = Owned::from_owned_or_err(PyLong_FromSsize_t(a))?;
        let b = Owned::from_owned_or_err(PyLong_FromSsize_t(b))?;
        let pair = Owned::from_owned_or_err(PyTuple_New(2))?;
        PyTuple_SET_ITEM(pair.as_ptr(), 0, a.into_raw());
        PyTuple_SET_ITEM(pair.as_ptr(), 1, b.into_raw());
        Ok(pair)
    }
}
fn span(m: M<'_>, group: Option<Borrowed<'_>>) -> PyResult<Owned> {
    pair(span_of(m, number_or_zero(m, group)?))
}

fn copy(m: M<'_>) -> PyResult<Owned> {
    Ok(m.to_owned().into_object())
}
fn deepcopy(m: M<'_>, _memo: Borrowed<'_>) -> PyResult<Owned> {
    copy(m)
}

fn lastindex(m: M<'_>) -> PyResult<Option<Owned>> {
    if m.lastindex < 0 {
        return Ok(None);
    }
    // SAFETY: [GIL]
    unsafe { Owned::from_owned_or_err(PyLong_FromSsize_t(m.lastindex)).map(Some) }
}
fn lastgroup(m: M<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let names = pattern_of(&m).indexgroup;
        if names.is_null() || m.lastindex < 0 || m.lastindex >= PyTuple_GET_SIZE(names) {
            return Ok(None);
        }
        Ok(Some(Owned::from_borrowed(PyTuple_GET_ITEM(names, m.lastindex))))
    }
}
fn regs(m: M<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if m.regs.is_null() {
            let all = Owned::from_owned_or_err(PyTuple_New(m.groups))?;
            for g in 0..m.groups {
                PyTuple_SET_ITEM(all.as_ptr(), g, pair(span_of(m, g))?.into_raw());
            }
            setref(&raw mut (*m.as_ptr()).regs, all.into_raw());
        }
        Ok(Owned::from_borrowed(m.regs))
    }
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the format's arguments fit it.
    unsafe {
        let m = M::from_ptr(slf.cast());
        let Ok(text) = group_by_index(m, 0, Py_None()) else { return null_mut() };
        let (a, b) = span_of(m, 0);
        let name = (*type_of(slf)).tp_name;
        PyUnicode_FromFormat(c"<%s object; span=(%zd, %zd), match=%.50R>".as_ptr(), name, a, b, text.as_ptr())
    }
}

methods! {
    static METHODS = [
        raw "group", PyMethodDefPointer { PyCFunctionFast: match_group }, METH_FASTCALL, "group([group1, ...]) -> str or tuple.\nThe text of one group, by number or name, or of several; of the whole match by default.";
        "start($self, group=0, /)" => start, "Where the group begins.";
        "end($self, group=0, /)" => end, "Where the group ends.";
        "span($self, group=0, /)" => span, "Where the group begins and ends.";
        "groups($self, /, default=None)" => groups, "The texts of all groups, from 1; default for those that took no part.";
        "groupdict($self, /, default=None)" => groupdict, "The texts of all named groups, by name; default for those that took no part.";
        "expand($self, /, template)" => expand_method, "Return template with its backslash references replaced, as sub does it.";
        "__copy__($self, /)" => copy, "The match itself.";
        "__deepcopy__($self, memo, /)" => deepcopy, "The match itself.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}
getset! {
    static GETSET = [
        "lastindex" => lastindex, "The number of the group that was closed last.";
        "lastgroup" => lastgroup, "The name of the group that was closed last.";
        "regs" => regs, "";
    ];
}
members! {
    static MEMBERS = [
        "string", _Py_T_OBJECT, core::mem::offset_of!(MatchObject, string), Py_READONLY, "What was matched.";
        "re", _Py_T_OBJECT, core::mem::offset_of!(MatchObject, pattern), Py_READONLY, "The pattern.";
        "pos", Py_T_PYSSIZET, core::mem::offset_of!(MatchObject, pos), Py_READONLY, "Where matching was allowed to begin.";
        "endpos", Py_T_PYSSIZET, core::mem::offset_of!(MatchObject, endpos), Py_READONLY, "Where matching had to end.";
    ];
}

static mut AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: None, mp_subscript: Some(subscript), mp_ass_subscript: None };

/// `re.Match`.
pub static mut MATCH: PyTypeObject = PyTypeObject {
    tp_name: c"re.Match".as_ptr(),
    tp_basicsize: size_of::<MatchObject>() as Py_ssize_t,
    tp_itemsize: size_of::<Py_ssize_t>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: Some(repr),
    tp_as_mapping: &raw mut AS_MAPPING,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_doc: c"What match() and search() found. It is always true.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    ..TYPE_INIT
};
