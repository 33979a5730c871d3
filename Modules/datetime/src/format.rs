//! Dates and times as text: ISO 8601, ctime, strftime.

use crate::calendar::{Hms, Ymd};
use crate::support::*;
use crate::tzinfo::{call_tzname, offset_text};
use core::ptr::null_mut;
use taipan_abi::*;

/// "YYYY-MM-DD".
pub fn iso_date(d: Ymd) -> String {
    format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)
}

/// A time as precise as `timespec` says; ValueError if that is unknown.
pub fn iso_time(t: Hms, timespec: Option<&str>) -> PyResult<String> {
    let Hms { hour, minute, second, us } = t;
    let spec = match timespec {
        None | Some("auto") if us == 0 => "seconds",
        None | Some("auto") => "microseconds",
        Some(s) => s,
    };
    Ok(match spec {
        "hours" => format!("{hour:02}"),
        "minutes" => format!("{hour:02}:{minute:02}"),
        "seconds" => format!("{hour:02}:{minute:02}:{second:02}"),
        "milliseconds" => format!("{hour:02}:{minute:02}:{second:02}.{:03}", us / 1000),
        "microseconds" => format!("{hour:02}:{minute:02}:{second:02}.{us:06}"),
        _ => bail!(PyExc_ValueError, "Unknown timespec value"),
    })
}

/// A `const char *` of an argument parser as text; unknown bytes make an unknown value.
///
/// # Safety
/// NULL or NUL-terminated and living for `'a`.
pub unsafe fn c_text<'a>(p: *const core::ffi::c_char) -> Option<&'a str> {
    if p.is_null() {
        return None;
    }
    // SAFETY: by contract.
    Some(unsafe { core::ffi::CStr::from_ptr(p) }.to_str().unwrap_or("?"))
}

/// As C's `ctime`, without the newline.
pub fn ctime(d: Ymd, t: Hms) -> PyResult<Owned> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let weekday = DAYS.get(d.weekday() as usize).copied().unwrap_or("?");
    let month = MONTHS.get(d.month as usize - 1).copied().unwrap_or("?");
    string(&format!("{weekday} {month} {:2} {:02}:{:02}:{:02} {:04}", d.day, t.hour, t.minute, t.second, d.year))
}

/// The nine fields of a `time.struct_time`.
pub fn struct_time(d: Ymd, t: Hms, dst: i32) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let class = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"time".as_ptr(), c"struct_time".as_ptr()))?;
        let fields = ints([d.year, d.month, d.day, t.hour, t.minute, t.second, d.weekday(), d.yearday(), dst])?;
        let fields = tuple(fields)?;
        Owned::from_owned_or_err(PyObject_CallOneArg(class.as_ptr(), fields.as_ptr()))
    }
}

/// The tzinfo of a datetime or time, None for others.
fn tzinfo_of(op: *mut PyObject) -> *mut PyObject {
    if is_datetime(op) {
        crate::datetime::tzinfo_of(op)
    } else if is_time(op) {
        crate::time::tzinfo_of(op)
    } else {
        none()
    }
}

/// What `%Z` stands for: the zone's name with its percent signs doubled.
fn zone_name(op: *mut PyObject, arg: *mut PyObject) -> PyResult<Owned> {
    let name = call_tzname(tzinfo_of(op), arg)?;
    if name.as_ptr() == none() {
        return string("");
    }
    // SAFETY: all held. A str subclass may have its own replace().
    unsafe {
        let (percent, doubled) = (string("%")?, string("%%")?);
        let args = [name.as_ptr(), percent.as_ptr(), doubled.as_ptr()];
        let text = Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("replace"), args.as_ptr(), 3, null_mut()))?;
        if PyUnicode_Check(text.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "tzname.replace() did not return a string");
        }
        Ok(text)
    }
}

/// `time.strftime` of `fields`, after `%z`, `%:z`, `%Z` and `%f` were replaced by what `op` has to say.
pub fn strftime(op: *mut PyObject, format: *mut PyObject, fields: &Owned, arg: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] format is a str.
    unsafe {
        let strftime = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"time".as_ptr(), c"strftime".as_ptr()))?;
        let n = PyUnicode_GET_LENGTH(format);
        let at = |i: Py_ssize_t| if i < n { PyUnicode_ReadChar(format, i) } else { 0 };
        let mut pieces: Vec<Owned> = Vec::new();
        // Each replacement is asked for once.
        let mut known: [Option<Owned>; 4] = [const { None }; 4];
        let (mut i, mut start) = (0, 0);
        loop {
            i = PyUnicode_FindChar(format, '%' as u32, i, n, 1);
            if i < 0 || i + 1 >= n {
                break;
            }
            let end = i;
            i += 1;
            let kind = match at(i) {
                0x7a => 0,
                0x3a if at(i + 1) == 'z' as u32 => {
                    i += 1;
                    1
                }
                0x5a => 2,
                0x66 => 3,
                _ => {
                    i += 1;
                    continue;
                }
            };
            i += 1;
            let text = match &known[kind] {
                Some(t) => t.clone(),
                None => {
                    let t = match kind {
                        0 => string(&offset_text(tzinfo_of(op), arg, "")?)?,
                        1 => string(&offset_text(tzinfo_of(op), arg, ":")?)?,
                        2 => zone_name(op, arg)?,
                        _ => {
                            let us = if is_datetime(op) {
                                crate::datetime::fields(op).1.us
                            } else if is_time(op) {
                                crate::time::fields(op).us
                            } else {
                                0
                            };
                            string(&format!("{us:06}"))?
                        }
                    };
                    known[kind] = Some(t.clone());
                    t
                }
            };
            pieces.push(Owned::from_owned_or_err(PyUnicode_Substring(format, start, end))?);
            pieces.push(text);
            start = i;
        }
        let replaced = if start == 0 {
            own(format)
        } else {
            pieces.push(Owned::from_owned_or_err(PyUnicode_Substring(format, start, n))?);
            let empty = string("")?;
            Owned::from_owned_or_err(_PyUnicode_JoinArray(empty.as_ptr(), pieces.as_ptr().cast(), pieces.len() as Py_ssize_t))?
        };
        let args = [replaced.as_ptr(), fields.as_ptr()];
        Owned::from_owned_or_err(PyObject_Vectorcall(strftime.as_ptr(), args.as_ptr(), 2, null_mut()))
    }
}

/// The format argument of a `strftime` method.
///
/// # Safety
/// `args` is a tuple, `kw` a dict or NULL.
pub unsafe fn format_argument(args: *mut PyObject, kw: *mut PyObject) -> PyResult<*mut PyObject> {
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let names = crate::keywords!["format"];
        let mut format = null_mut::<PyObject>();
        if PyArg_ParseTupleAndKeywords(args, kw, c"U:strftime".as_ptr(), names.as_ptr(), &raw mut format) == 0 {
            return Err(Raised::assume());
        }
        Ok(format)
    }
}

/// `__format__` of all of them: `str()` if there is no format, else `strftime()`.
pub fn dunder_format(slf: *mut PyObject, args: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] the format fits the variable.
    unsafe {
        let mut format = null_mut::<PyObject>();
        if PyArg_ParseTuple(args, c"U:__format__".as_ptr(), &raw mut format) == 0 {
            return Err(Raised::assume());
        }
        if PyUnicode_GET_LENGTH(format) == 0 {
            return Owned::from_owned_or_err(PyObject_Str(slf));
        }
        call_method1(slf, intern!("strftime"), format)
    }
}

/// A repr with `fold` and `tzinfo` inserted before its closing parenthesis.
pub fn with_keywords(repr: String, tzinfo: Option<*mut PyObject>, fold: i32, fold_first: bool) -> PyResult<Owned> {
    let mut text = repr;
    let add_fold = |text: &mut String| {
        if fold != 0 {
            text.pop();
            *text += &format!(", fold={fold})");
        }
    };
    if fold_first {
        add_fold(&mut text);
    }
    let Some(tzinfo) = tzinfo.filter(|&t| t != none()) else {
        if !fold_first {
            add_fold(&mut text);
        }
        return string(&text);
    };
    text.pop();
    let tail = if !fold_first && fold != 0 { format!(", fold={fold})") } else { ")".into() };
    let head = string(&text)?;
    let tail = std::ffi::CString::new(tail).unwrap_or_default();
    // SAFETY: the format's arguments fit it.
    unsafe {
        Owned::from_owned_or_err(PyUnicode_FromFormat(c"%U, tzinfo=%R%s".as_ptr(), head.as_ptr(), tzinfo, tail.as_ptr()))
    }
}
