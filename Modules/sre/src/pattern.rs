//! `re.Pattern`.

use crate::engine::lower::lower;
use crate::engine::opcode::*;
use crate::engine::program::Program;
use crate::matchobject::{MatchObject, match_of, new_match};
use crate::scanner::new_scanner;
use crate::subject::{Search, Text, join};
use crate::template::{TEMPLATE, Template, expand};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Dict, getset, members, methods};
use taipan_objects::gc::{gc_new, gc_track};
use taipan_objects::typeobject::TYPE_INIT;

/// A compiled regular expression.
#[repr(C)]
pub struct Pattern {
    ob_base: PyObject,
    /// How many groups it has.
    pub groups: Py_ssize_t,
    /// Numbers of named groups (a dict), or NULL.
    pub groupindex: *mut PyObject,
    /// Names of groups by number (a tuple), or NULL.
    pub indexgroup: *mut PyObject,
    pattern: *mut PyObject,
    flags: c_int,
    /// 1: bytes, 0: str, -1: both.
    isbytes: c_int,
    weakreflist: *mut PyObject,
    inner: *mut Inner,
}

/// What isn't an object.
struct Inner {
    code: Vec<u32>,
    program: Program,
}

impl Pattern {
    /// Whether it is for bytes; `None` if it doesn't matter.
    pub fn kind(&self) -> Option<bool> {
        match self.isbytes {
            -1 => None,
            b => Some(b > 0),
        }
    }
    /// What the engine runs.
    pub fn program(&self) -> &Program {
        // SAFETY: [OWN] set when the object was made.
        unsafe { &(*self.inner).program }
    }
}

type P<'a> = Borrowed<'a, Pattern>;

/// `_sre.compile`.
pub fn compile(
    _: (),
    pattern: Borrowed<'_>,
    flags: i32,
    code: Borrowed<'_>,
    groups: isize,
    groupindex: Dict<'_>,
    indexgroup: Borrowed<'_>,
) -> PyResult<Owned> {
    // SAFETY: [ARGS] the list's length is read again each time, because __index__ may run code.
    unsafe {
        for (op, ok, at, kind) in [
            (code.ob(), PyList_Check(code.ob()) != 0, "code", "list"),
            (indexgroup.ob(), PyTuple_Check(indexgroup.ob()) != 0, "indexgroup", "tuple"),
        ] {
            if !ok {
                bail!(PyExc_TypeError, "compile() argument '{}' must be {}, not {}", at, kind, type_name(op));
            }
        }
        let mut words = Vec::with_capacity(PyList_GET_SIZE(code.ob()) as usize);
        let mut i = 0;
        while i < PyList_GET_SIZE(code.ob()) {
            let item = Owned::from_borrowed(PyList_GET_ITEM(code.ob(), i));
            let value = PyLong_AsUnsignedLong(item.as_ptr());
            if value == u64::MAX && err_occurred() {
                return Err(Raised::assume());
            }
            let Ok(word) = u32::try_from(value) else {
                bail!(PyExc_OverflowError, "regular expression code size limit exceeded");
            };
            words.push(word);
            i += 1;
        }
        let isbytes = if pattern.is_none() { -1 } else { Text::of(pattern.ob())?.is_bytes() as c_int };
        let checked = usize::try_from(groups).ok().and_then(|n| lower(&words, n).ok());
        let Some(program) = checked else { bail!(PyExc_RuntimeError, "invalid SRE code") };
        let slf = gc_new::<Pattern>(&raw mut PATTERN);
        if slf.is_null() {
            return Err(Raised::assume());
        }
        let named = PyDict_Size(groupindex.ob()) > 0;
        (*slf).groups = groups;
        (*slf).groupindex = if named { Py_NewRef(groupindex.ob()) } else { null_mut() };
        (*slf).indexgroup = if named && PyTuple_GET_SIZE(indexgroup.ob()) > 0 { Py_NewRef(indexgroup.ob()) } else { null_mut() };
        (*slf).pattern = Py_NewRef(pattern.ob());
        (*slf).flags = flags;
        (*slf).isbytes = isbytes;
        (*slf).weakreflist = null_mut();
        (*slf).inner = Box::into_raw(Box::new(Inner { code: words, program }));
        gc_track(slf.cast());
        Ok(Owned::from_owned(slf.cast()))
    }
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Pattern>();
        py_visit!(visit, arg; (*p).groupindex, (*p).indexgroup, (*p).pattern);
    }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Pattern>();
        setref(&raw mut (*p).groupindex, null_mut());
        setref(&raw mut (*p).indexgroup, null_mut());
        setref(&raw mut (*p).pattern, null_mut());
    }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let p = slf.cast::<Pattern>();
        if !(*p).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        clear(slf);
        drop(Box::from_raw((*p).inner));
        PyObject_GC_Del(slf.cast());
    }
}

const END: isize = isize::MAX;

fn match_(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    let mut s = Search::new(slf, string, pos, endpos.unwrap_or(END))?;
    let found = s.match_here(false)?;
    match_of(&s, found)
}
fn fullmatch(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    let mut s = Search::new(slf, string, pos, endpos.unwrap_or(END))?;
    let found = s.match_here(true)?;
    match_of(&s, found)
}
fn search(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    let mut s = Search::new(slf, string, pos, endpos.unwrap_or(END))?;
    let found = s.search()?;
    match_of(&s, found)
}

unsafe fn append(list: &Owned, item: &Owned) -> PyResult<()> {
    // SAFETY: [TYPE] a list.
    unsafe { check_status(PyList_Append(list.as_ptr(), item.as_ptr())) }
}

fn findall(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let mut s = Search::new(slf, string, pos, endpos.unwrap_or(END))?;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        while s.start <= s.endpos && s.search()? {
            let item = match slf.groups {
                0 => s.text.slice(s.start, s.end)?,
                1 => s.group_or_empty(1)?,
                n => {
                    let tuple = Owned::from_owned_or_err(PyTuple_New(n))?;
                    for g in 0..n {
                        PyTuple_SET_ITEM(tuple.as_ptr(), g, s.group_or_empty(g as usize + 1)?.into_raw());
                    }
                    tuple
                }
            };
            append(&list, &item)?;
            s.go_on();
        }
        Ok(list)
    }
}

fn scanner(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    new_scanner(Search::new(slf, string, pos, endpos.unwrap_or(END))?)
}
fn finditer(slf: P<'_>, string: Borrowed<'_>, pos: isize, endpos: Option<isize>) -> PyResult<Owned> {
    let scanner = scanner(slf, string, pos, endpos)?;
    // SAFETY: [GIL]
    unsafe {
        let search = Owned::from_owned_or_err(PyObject_GetAttr(scanner.as_ptr(), intern!("search")))?;
        Owned::from_owned_or_err(PyCallIter_New(search.as_ptr(), Py_None()))
    }
}

fn split(slf: P<'_>, string: Borrowed<'_>, maxsplit: isize) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let mut s = Search::new(slf, string, 0, END)?;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let (mut n, mut last) = (0, 0);
        while (maxsplit == 0 || n < maxsplit) && s.search()? {
            append(&list, &s.text.slice(last, s.start)?)?;
            for g in 1..=slf.groups as usize {
                append(&list, &s.group_or_none(g)?)?;
            }
            n += 1;
            last = s.end;
            s.go_on();
        }
        append(&list, &s.text.slice(last, s.endpos)?)?;
        Ok(list)
    }
}

/// What `sub` puts in a match's place.
enum Filter {
    Literal(Owned),
    Template(Owned<Template>),
    Callable(Owned),
}

/// `re._compile_template`, fetched once.
static COMPILE_TEMPLATE: PerInterpreter = PerInterpreter::new();

/// Compiles a replacement by `re`'s Python code.
pub fn compile_template(pattern: P<'_>, template: Borrowed<'_>) -> PyResult<Owned<Template>> {
    // SAFETY: [GIL] [ARGS]
    unsafe {
        if COMPILE_TEMPLATE.get().is_null() {
            let f = _PyImport_GetModuleAttrString(c"re".as_ptr(), c"_compile_template".as_ptr());
            COMPILE_TEMPLATE.set(Some(Owned::from_owned_or_err(f)?));
        }
        let compile = Owned::from_borrowed(COMPILE_TEMPLATE.get());
        let call = |t: *mut PyObject| {
            let args = [pattern.ob(), t];
            Owned::from_owned_or_err(PyObject_Vectorcall(compile.as_ptr(), args.as_ptr(), 2, null_mut()))
        };
        let result = match call(template.ob()) {
            Ok(r) => r,
            // An unhashable replacement is converted to the basic type.
            Err(e) if e.matches(PyExc_TypeError) => {
                let t = template.ob();
                let plain = if PyUnicode_Check(t) != 0 && PyUnicode_CheckExact(t) == 0 {
                    e.clear();
                    PyUnicode_Substring(t, 0, isize::MAX)
                } else if PyObject_CheckBuffer(t) != 0 && PyBytes_CheckExact(t) == 0 {
                    e.clear();
                    PyBytes_FromObject(t)
                } else {
                    return Err(e);
                };
                call(Owned::from_owned_or_err(plain)?.as_ptr())?
            }
            Err(e) => return Err(e),
        };
        if type_of(result.as_ptr()) != &raw mut TEMPLATE {
            bail!(PyExc_RuntimeError, "the result of compiling a replacement string is {}", type_name(result.as_ptr()));
        }
        Ok(result.cast())
    }
}

fn filter(slf: P<'_>, repl: Borrowed<'_>) -> PyResult<Filter> {
    // SAFETY: [ARGS]
    unsafe {
        if PyCallable_Check(repl.ob()) != 0 {
            return Ok(Filter::Callable(repl.to_owned()));
        }
        match Text::of(repl.ob()) {
            Ok(t) if !t.has_backslash() => return Ok(Filter::Literal(repl.to_owned())),
            Ok(_) => {}
            Err(e) => e.clear(),
        }
        let template = compile_template(slf, repl)?;
        Ok(match template.plain() {
            Some(literal) => Filter::Literal(literal),
            None => Filter::Template(template),
        })
    }
}

fn substitute(slf: P<'_>, repl: Borrowed<'_>, string: Borrowed<'_>, count: isize) -> PyResult<(Owned, isize)> {
    // SAFETY: [GIL]
    unsafe {
        let filter = filter(slf, repl)?;
        let mut s = Search::new(slf, string, 0, END)?;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        let (mut n, mut last) = (0, 0);
        while (count == 0 || n < count) && s.search()? {
            if last < s.start {
                append(&list, &s.text.slice(last, s.start)?)?;
            }
            let item = match &filter {
                Filter::Literal(text) => text.clone(),
                Filter::Template(t) => expand(t.borrow(), new_match(&s)?.borrow())?,
                Filter::Callable(f) => {
                    let m = new_match(&s)?.into_object();
                    Owned::from_owned_or_err(PyObject_CallOneArg(f.as_ptr(), m.as_ptr()))?
                }
            };
            if !item.borrow().is_none() {
                append(&list, &item)?;
            }
            last = s.end;
            n += 1;
            s.go_on();
        }
        if last < s.endpos {
            append(&list, &s.text.slice(last, s.endpos)?)?;
        }
        let joined =
            if PyList_GET_SIZE(list.as_ptr()) == 0 { s.text.slice(0, 0)? } else { join(s.text.is_bytes(), list)? };
        Ok((joined, n))
    }
}

fn sub(slf: P<'_>, repl: Borrowed<'_>, string: Borrowed<'_>, count: isize) -> PyResult<Owned> {
    Ok(substitute(slf, repl, string, count)?.0)
}
fn subn(slf: P<'_>, repl: Borrowed<'_>, string: Borrowed<'_>, count: isize) -> PyResult<Owned> {
    let (text, n) = substitute(slf, repl, string, count)?;
    // SAFETY: [GIL]
    unsafe {
        let n = Owned::from_owned_or_err(PyLong_FromSsize_t(n))?;
        Owned::from_owned_or_err(PyTuple_Pack(2, text.as_ptr(), n.as_ptr()))
    }
}

fn copy(slf: P<'_>) -> PyResult<Owned> {
    Ok(slf.to_owned().into_object())
}
fn deepcopy(slf: P<'_>, _memo: Borrowed<'_>) -> PyResult<Owned> {
    copy(slf)
}

fn groupindex(slf: P<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        Owned::from_owned_or_err(if slf.groupindex.is_null() { PyDict_New() } else { PyDictProxy_New(slf.groupindex) })
    }
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] the format's arguments fit it.
    unsafe {
        let p = slf.cast::<Pattern>();
        let mut flags = (*p).flags;
        // A str pattern is Unicode by default.
        if (*p).isbytes == 0 && flags & (FLAG_LOCALE | FLAG_UNICODE | FLAG_ASCII) == FLAG_UNICODE {
            flags &= !FLAG_UNICODE;
        }
        let mut names: Vec<String> = Vec::new();
        for (name, flag) in [
            ("re.IGNORECASE", FLAG_IGNORECASE),
            ("re.LOCALE", FLAG_LOCALE),
            ("re.MULTILINE", FLAG_MULTILINE),
            ("re.DOTALL", FLAG_DOTALL),
            ("re.UNICODE", FLAG_UNICODE),
            ("re.VERBOSE", FLAG_VERBOSE),
            ("re.DEBUG", FLAG_DEBUG),
            ("re.ASCII", FLAG_ASCII),
        ] {
            if flags & flag != 0 {
                names.push(name.into());
                flags &= !flag;
            }
        }
        if flags != 0 {
            names.push(format!("0x{flags:x}"));
        }
        if names.is_empty() {
            return PyUnicode_FromFormat(c"re.compile(%.200R)".as_ptr(), (*p).pattern);
        }
        let text = std::ffi::CString::new(names.join("|")).unwrap_or_default();
        PyUnicode_FromFormat(c"re.compile(%.200R, %s)".as_ptr(), (*p).pattern, text.as_ptr())
    }
}

unsafe extern "C" fn hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Pattern>();
        let mut h = PyObject_Hash((*p).pattern);
        if h == -1 {
            return -1;
        }
        let code = &(*(*p).inner).code;
        h ^= _Py_HashBytes(code.as_ptr().cast(), (code.len() * 4) as Py_ssize_t);
        h ^= (*p).flags as Py_hash_t ^ (*p).isbytes as Py_hash_t ^ code.len() as Py_hash_t;
        if h == -1 { -2 } else { h }
    }
}

unsafe extern "C" fn richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [TYPE] both are patterns once the types are equal.
    unsafe {
        if op != Py_EQ && op != Py_NE || type_of(b) != type_of(a) {
            return Py_NewRef(Py_NotImplemented());
        }
        let (x, y) = (a.cast::<Pattern>(), b.cast::<Pattern>());
        let mut equal = a == b;
        if !equal && (*x).flags == (*y).flags && (*x).isbytes == (*y).isbytes && (*(*x).inner).code == (*(*y).inner).code {
            let r = PyObject_RichCompareBool((*x).pattern, (*y).pattern, Py_EQ);
            if r < 0 {
                return null_mut();
            }
            equal = r != 0;
        }
        PyBool_FromLong((equal == (op == Py_EQ)) as _)
    }
}

methods! {
    static METHODS = [
        "match($self, /, string, pos=0, endpos=sys.maxsize)" => match_, "Match at the start of the string.";
        "fullmatch($self, /, string, pos=0, endpos=sys.maxsize)" => fullmatch, "Match the whole string.";
        "search($self, /, string, pos=0, endpos=sys.maxsize)" => search, "Find the first place that matches; None if there is no such place.";
        "sub($self, /, repl, string, count=0)" => sub, "Return string with the leftmost matches replaced by repl.";
        "subn($self, /, repl, string, count=0)" => subn, "As sub, but return the new string and how many were replaced.";
        "findall($self, /, string, pos=0, endpos=sys.maxsize)" => findall, "List what matched, place after place.";
        "split($self, /, string, maxsplit=0)" => split, "Split string where the pattern matches.";
        "finditer($self, /, string, pos=0, endpos=sys.maxsize)" => finditer, "Iterate over the match objects, place after place.";
        "scanner($self, /, string, pos=0, endpos=sys.maxsize)" => scanner, "An object that matches or searches on from where it stands.";
        "__copy__($self, /)" => copy, "The pattern itself.";
        "__deepcopy__($self, memo, /)" => deepcopy, "The pattern itself.";
        raw "__class_getitem__", PyMethodDefPointer { PyCFunction: Py_GenericAlias }, METH_O | METH_CLASS, "See PEP 585";
    ];
}
getset! {
    static GETSET = [
        "groupindex" => groupindex, "Numbers of the named groups.";
    ];
}
members! {
    static MEMBERS = [
        "pattern", _Py_T_OBJECT, core::mem::offset_of!(Pattern, pattern), Py_READONLY, "What the expression was compiled from.";
        "flags", Py_T_INT, core::mem::offset_of!(Pattern, flags), Py_READONLY, "The flags it was compiled with.";
        "groups", Py_T_PYSSIZET, core::mem::offset_of!(Pattern, groups), Py_READONLY, "How many groups it has.";
    ];
}

/// `re.Pattern`.
pub static mut PATTERN: PyTypeObject = PyTypeObject {
    tp_name: c"re.Pattern".as_ptr(),
    tp_basicsize: size_of::<Pattern>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_repr: Some(repr),
    tp_hash: Some(hash),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_doc: c"Compiled regular expression object.".as_ptr(),
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_richcompare: Some(richcompare),
    tp_weaklistoffset: core::mem::offset_of!(Pattern, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    ..TYPE_INIT
};

/// The pattern of a match.
pub fn pattern_of(m: &MatchObject) -> P<'_> {
    // SAFETY: [TYPE] set when the match was made.
    unsafe { Borrowed::from_ptr(m.pattern) }
}
