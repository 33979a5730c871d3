//! The `_locale` module: the C library's locale.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::{Str, methods, module, module::add_int, module::add_object};

/// `locale.Error`; made with the module.
static ERROR: PerInterpreter = PerInterpreter::new();

unsafe fn text(p: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS] a C string of the C library.
    unsafe { Owned::from_owned_or_err(PyUnicode_DecodeLocale(p, core::ptr::null())) }
}

fn setlocale(_: (), category: i32, locale: Option<&str>) -> PyResult<Owned> {
    // SAFETY: [GIL] the result is copied at once.
    unsafe {
        if !(0..=12).contains(&category) {
            return Err(raise_str(ERROR.get(), "invalid locale category"));
        }
        let name = match locale {
            None => None,
            Some(l) => Some(std::ffi::CString::new(l).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))?),
        };
        let r = libc::setlocale(category, name.as_ref().map_or(core::ptr::null(), |n| n.as_ptr()));
        if r.is_null() {
            return Err(raise_str(ERROR.get(), if name.is_some() { "unsupported locale setting" } else { "locale query failed" }));
        }
        text(r)
    }
}

/// The digits' grouping as a list, ended by 0 or CHAR_MAX.
unsafe fn grouping(p: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS] a C string of the C library.
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        if p.is_null() || *p == 0 {
            return Ok(list);
        }
        let mut i = 0;
        loop {
            let n = *p.add(i);
            let value = Owned::from_owned_or_err(PyLong_FromLong(n as i64))?;
            check_status(PyList_Append(list.as_ptr(), value.as_ptr()))?;
            if n == 0 || n == c_char::MAX {
                return Ok(list);
            }
            i += 1;
        }
    }
}

fn localeconv(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL] the record is read at once.
    unsafe {
        let lc = &*libc::localeconv();
        let dict = Owned::from_owned_or_err(PyDict_New())?;
        let put = |name: &CStr, value: Owned| check_status(PyDict_SetItemString(dict.as_ptr(), name.as_ptr(), value.as_ptr()));
        for (name, p) in [
            (c"decimal_point", lc.decimal_point), (c"thousands_sep", lc.thousands_sep), (c"int_curr_symbol", lc.int_curr_symbol),
            (c"currency_symbol", lc.currency_symbol), (c"mon_decimal_point", lc.mon_decimal_point),
            (c"mon_thousands_sep", lc.mon_thousands_sep), (c"positive_sign", lc.positive_sign), (c"negative_sign", lc.negative_sign),
        ] {
            put(name, text(p)?)?;
        }
        put(c"grouping", grouping(lc.grouping)?)?;
        put(c"mon_grouping", grouping(lc.mon_grouping)?)?;
        for (name, n) in [
            (c"int_frac_digits", lc.int_frac_digits), (c"frac_digits", lc.frac_digits), (c"p_cs_precedes", lc.p_cs_precedes),
            (c"p_sep_by_space", lc.p_sep_by_space), (c"n_cs_precedes", lc.n_cs_precedes), (c"n_sep_by_space", lc.n_sep_by_space),
            (c"p_sign_posn", lc.p_sign_posn), (c"n_sign_posn", lc.n_sign_posn),
        ] {
            put(name, Owned::from_owned_or_err(PyLong_FromLong(n as i64))?)?;
        }
        Ok(dict)
    }
}

unsafe extern "C" {
    fn strcoll(a: *const c_char, b: *const c_char) -> c_int;
    fn strxfrm(dest: *mut c_char, src: *const c_char, n: usize) -> usize;
}

fn locale_bytes(s: Str<'_>) -> PyResult<std::ffi::CString> {
    // SAFETY: [ARGS]
    unsafe {
        let b = Owned::from_owned_or_err(PyUnicode_EncodeLocale(s.ob(), c"surrogateescape".as_ptr()))?;
        Ok(CStr::from_ptr(PyBytes_AsString(b.as_ptr())).to_owned())
    }
}
fn strcoll_(_: (), os1: Str<'_>, os2: Str<'_>) -> PyResult<i32> {
    let (a, b) = (locale_bytes(os1)?, locale_bytes(os2)?);
    // SAFETY: both NUL-terminated.
    Ok(unsafe { strcoll(a.as_ptr(), b.as_ptr()) })
}
fn strxfrm_(_: (), string: Str<'_>) -> PyResult<Owned> {
    let s = locale_bytes(string)?;
    // SAFETY: the buffer has the size that the C library asks for.
    unsafe {
        let n = strxfrm(null_mut(), s.as_ptr(), 0);
        let mut out = vec![0 as c_char; n + 1];
        strxfrm(out.as_mut_ptr(), s.as_ptr(), n + 1);
        Owned::from_owned_or_err(PyUnicode_DecodeLatin1(out.as_ptr(), n as Py_ssize_t, core::ptr::null()))
    }
}
fn nl_langinfo(_: (), key: i32) -> PyResult<Owned> {
    // SAFETY: [GIL] only known items are asked for; the result is copied at once.
    unsafe {
        if !LANGINFO.iter().any(|&(_, k)| k == key) {
            bail!(PyExc_ValueError, "unsupported langinfo constant");
        }
        let p = libc::nl_langinfo(key);
        text(if p.is_null() { c"".as_ptr() } else { p })
    }
}
fn getencoding(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let p = libc::nl_langinfo(libc::CODESET);
        text(if p.is_null() || *p == 0 { c"utf-8".as_ptr() } else { p })
    }
}

// ---- message catalogues

unsafe extern "C" {
    // The C library's.
    fn dcgettext(domain: *const c_char, msg: *const c_char, category: c_int) -> *mut c_char;
    fn textdomain(domain: *const c_char) -> *mut c_char;
    fn bindtextdomain(domain: *const c_char, dir: *const c_char) -> *mut c_char;
    fn bind_textdomain_codeset(domain: *const c_char, codeset: *const c_char) -> *mut c_char;
}

fn c_string(s: &str) -> PyResult<CString> {
    CString::new(s).map_err(|_| raise!(PyExc_ValueError, "embedded null character"))
}
fn optional(s: Option<&CString>) -> *const c_char {
    s.map_or(core::ptr::null(), |s| s.as_ptr())
}

/// A result of the C library that is NULL on failure.
unsafe fn text_or_errno(p: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS] NULL or a C string of the C library.
    unsafe {
        if p.is_null() {
            PyErr_SetFromErrno(PyExc_OSError);
            return Err(Raised::assume());
        }
        text(p)
    }
}

fn gettext(_: (), msg: &str) -> PyResult<Owned> {
    dgettext_in(None, msg, libc::LC_MESSAGES)
}
fn dgettext(_: (), domain: Option<&str>, msg: &str) -> PyResult<Owned> {
    dgettext_in(domain, msg, libc::LC_MESSAGES)
}
fn dcgettext_(_: (), domain: Option<&str>, msg: &str, category: i32) -> PyResult<Owned> {
    dgettext_in(domain, msg, category)
}
fn dgettext_in(domain: Option<&str>, msg: &str, category: c_int) -> PyResult<Owned> {
    let (domain, msg) = (domain.map(c_string).transpose()?, c_string(msg)?);
    // SAFETY: the texts outlive the call; the result, which may be the message itself, is copied at once.
    unsafe { text(dcgettext(optional(domain.as_ref()), msg.as_ptr(), category)) }
}
fn textdomain_(_: (), domain: Option<&str>) -> PyResult<Owned> {
    let domain = domain.map(c_string).transpose()?;
    // SAFETY: as above.
    unsafe { text_or_errno(textdomain(optional(domain.as_ref()))) }
}
fn bindtextdomain_(_: (), domain: &str, dir: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [GIL] as above.
    unsafe {
        if domain.is_empty() {
            return Err(raise_str(ERROR.get(), "domain must be a non-empty string"));
        }
        let domain = c_string(domain)?;
        let mut path: *mut PyObject = null_mut();
        if dir.ob() != Py_None() && PyUnicode_FSConverter(dir.ob(), (&raw mut path).cast()) == 0 {
            return Err(Raised::assume());
        }
        let path = Owned::from_owned_or_opt(path);
        let at = path.as_ref().map_or(core::ptr::null(), |p| PyBytes_AsString(p.as_ptr()).cast_const());
        text_or_errno(bindtextdomain(domain.as_ptr(), at))
    }
}
fn bind_textdomain_codeset_(_: (), domain: &str, codeset: Option<&str>) -> PyResult<Option<Owned>> {
    let (domain, codeset) = (c_string(domain)?, codeset.map(c_string).transpose()?);
    // SAFETY: as above.
    unsafe {
        let p = bind_textdomain_codeset(domain.as_ptr(), optional(codeset.as_ref()));
        if p.is_null() { Ok(None) } else { text(p).map(Some) }
    }
}

/// Items of `nl_langinfo`.
const LANGINFO: &[(&CStr, libc::nl_item)] = &[
    (c"DAY_1", libc::DAY_1), (c"DAY_2", libc::DAY_2), (c"DAY_3", libc::DAY_3), (c"DAY_4", libc::DAY_4), (c"DAY_5", libc::DAY_5),
    (c"DAY_6", libc::DAY_6), (c"DAY_7", libc::DAY_7), (c"ABDAY_1", libc::ABDAY_1), (c"ABDAY_2", libc::ABDAY_2),
    (c"ABDAY_3", libc::ABDAY_3), (c"ABDAY_4", libc::ABDAY_4), (c"ABDAY_5", libc::ABDAY_5), (c"ABDAY_6", libc::ABDAY_6),
    (c"ABDAY_7", libc::ABDAY_7), (c"MON_1", libc::MON_1), (c"MON_2", libc::MON_2), (c"MON_3", libc::MON_3), (c"MON_4", libc::MON_4),
    (c"MON_5", libc::MON_5), (c"MON_6", libc::MON_6), (c"MON_7", libc::MON_7), (c"MON_8", libc::MON_8), (c"MON_9", libc::MON_9),
    (c"MON_10", libc::MON_10), (c"MON_11", libc::MON_11), (c"MON_12", libc::MON_12), (c"ABMON_1", libc::ABMON_1),
    (c"ABMON_2", libc::ABMON_2), (c"ABMON_3", libc::ABMON_3), (c"ABMON_4", libc::ABMON_4), (c"ABMON_5", libc::ABMON_5),
    (c"ABMON_6", libc::ABMON_6), (c"ABMON_7", libc::ABMON_7), (c"ABMON_8", libc::ABMON_8), (c"ABMON_9", libc::ABMON_9),
    (c"ABMON_10", libc::ABMON_10), (c"ABMON_11", libc::ABMON_11), (c"ABMON_12", libc::ABMON_12), (c"RADIXCHAR", libc::RADIXCHAR),
    (c"THOUSEP", libc::THOUSEP), (c"CRNCYSTR", libc::CRNCYSTR), (c"D_FMT", libc::D_FMT), (c"D_T_FMT", libc::D_T_FMT),
    (c"T_FMT", libc::T_FMT), (c"AM_STR", libc::AM_STR), (c"PM_STR", libc::PM_STR), (c"CODESET", libc::CODESET),
    (c"T_FMT_AMPM", libc::T_FMT_AMPM), (c"ERA", libc::ERA), (c"ERA_D_FMT", libc::ERA_D_FMT), (c"ERA_D_T_FMT", libc::ERA_D_T_FMT),
    (c"ERA_T_FMT", libc::ERA_T_FMT), (c"ALT_DIGITS", libc::ALT_DIGITS), (c"YESEXPR", libc::YESEXPR), (c"NOEXPR", libc::NOEXPR),
];

methods! {
    static METHODS = [
        "setlocale($module, category, locale=None, /)" => setlocale, "Set or query a locale category.";
        "localeconv($module, /)" => localeconv, "How the locale writes numbers and money.";
        "strcoll($module, os1, os2, /)" => strcoll_, "Compare two strings by the locale.";
        "strxfrm($module, string, /)" => strxfrm_, "A string that compares bytewise as the given one does by the locale.";
        "nl_langinfo($module, key, /)" => nl_langinfo, "An item of the locale.";
        "gettext($module, msg, /)" => gettext, "The translation of a message in the current domain.";
        "dgettext($module, domain, msg, /)" => dgettext, "The translation of a message in a domain.";
        "dcgettext($module, domain, msg, category, /)" => dcgettext_, "The translation of a message in a domain and a category of the locale.";
        "textdomain($module, domain, /)" => textdomain_, "Set the current domain; None asks for it.";
        "bindtextdomain($module, domain, dir, /)" => bindtextdomain_, "Set the folder of a domain's catalogues; None asks for it.";
        "bind_textdomain_codeset($module, domain, codeset, /)" => bind_textdomain_codeset_, "Set the encoding of a domain's messages; None asks for it.";
        "getencoding($module, /)" => getencoding, "The locale's encoding.";
    ];
}
fn exec(module: Borrowed<'_>) -> PyResult<()> {
    for (name, value) in [
        (c"LC_CTYPE", libc::LC_CTYPE), (c"LC_TIME", libc::LC_TIME), (c"LC_COLLATE", libc::LC_COLLATE),
        (c"LC_MONETARY", libc::LC_MONETARY), (c"LC_MESSAGES", libc::LC_MESSAGES), (c"LC_NUMERIC", libc::LC_NUMERIC),
        (c"LC_ALL", libc::LC_ALL), (c"CHAR_MAX", c_char::MAX as i32),
    ] {
        add_int(module, name, value as i64)?;
    }
    for &(name, value) in LANGINFO {
        add_int(module, name, value as i64)?;
    }
    // SAFETY: [STATIC]
    unsafe {
        if ERROR.get().is_null() {
            ERROR.set(Some(Owned::from_owned_or_err(PyErr_NewException(c"locale.Error".as_ptr(), null_mut(), null_mut()))?));
        }
        add_object(module, c"Error", Ok(Owned::from_borrowed(ERROR.get())))
    }
}
module! {
    /// Entry point.
    pub fn PyInit__locale = "_locale", "The C library's locale.", methods: METHODS, exec: exec;
}
