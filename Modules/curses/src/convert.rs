//! Arguments of the functions: characters, strings, colours, optional groups; and curses' exception.

use crate::ncurses::{self, ERR, chtype};
use core::ffi::{CStr, c_char, c_int, c_long};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};
use libc::wchar_t;
use std::sync::Mutex;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::{FromArg, IntoReturn};

/// `curses.error`.
pub static ERROR: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());
/// Whether setupterm() was called.
pub static TERMINAL_SET_UP: AtomicBool = AtomicBool::new(false);
/// Whether initscr() was called.
pub static INITIALISED: AtomicBool = AtomicBool::new(false);
/// Whether start_color() was called.
pub static COLOURS_STARTED: AtomicBool = AtomicBool::new(false);
/// The encoding of the window that initscr() made.
pub static SCREEN_ENCODING: Mutex<Option<std::ffi::CString>> = Mutex::new(None);

/// curses.error with a message.
#[cold]
pub fn error(message: &str) -> Raised {
    // SAFETY: [GIL] the class was made with the module.
    unsafe { taipan_abi::error::raise_str(ERROR.load(Relaxed), message) }
}

/// What a function of the library returned; its name is for the message.
pub fn check(code: c_int, name: &str) -> PyResult<()> {
    if code == ERR { Err(error(&format!("{name}() returned ERR"))) } else { Ok(()) }
}

/// Raises unless setupterm() was called.
pub fn terminal_set_up() -> PyResult<()> {
    if TERMINAL_SET_UP.load(Relaxed) { Ok(()) } else { Err(error("must call (at least) setupterm() first")) }
}
/// Raises unless initscr() was called.
pub fn initialised() -> PyResult<()> {
    if INITIALISED.load(Relaxed) { Ok(()) } else { Err(error("must call initscr() first")) }
}
/// Raises unless initscr() and start_color() were called.
pub fn colours_started() -> PyResult<()> {
    initialised()?;
    if COLOURS_STARTED.load(Relaxed) { Ok(()) } else { Err(error("must call start_color() first")) }
}

/// Text as a C string; ValueError when there is a NUL in it.
pub fn c_string(text: &[u8], kind: &str) -> PyResult<std::ffi::CString> {
    std::ffi::CString::new(text).map_err(|_| raise!(PyExc_ValueError, "embedded null {}", kind))
}

/// bytes of a C string, empty for NULL.
///
/// # Safety
/// NULL or NUL-terminated.
pub unsafe fn c_bytes(text: *const c_char) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    let data: &[u8] = if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() };
    taipan_clinic::support::bytes(data)
}

// ---- numbers

/// A C `int` as argument parsing (format unit i) takes it.
pub fn int_arg(op: *mut PyObject) -> PyResult<c_int> {
    let n = long_arg(op)?;
    match c_int::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) if n > 0 => Err(raise!(PyExc_OverflowError, "signed integer is greater than maximum")),
        Err(_) => Err(raise!(PyExc_OverflowError, "signed integer is less than minimum")),
    }
}
/// A C `long` (format unit l).
pub fn long_arg(op: *mut PyObject) -> PyResult<c_long> {
    // SAFETY: [ARGS] a live argument.
    let n = unsafe { PyLong_AsLong(op) };
    if n == -1 && err_occurred() { Err(Raised::assume_set()) } else { Ok(n) }
}

/// [`Raised`] after a call that set the exception.
trait AssumeSet {
    fn assume_set() -> Self;
}
impl AssumeSet for Raised {
    #[cold]
    fn assume_set() -> Self {
        // SAFETY: [EXC] the caller looked.
        unsafe { Raised::assume() }
    }
}

/// An int's value, or the sign of one that no `long` holds.
fn long_or_sign(op: *mut PyObject) -> PyResult<(c_long, c_int)> {
    let mut overflow = 0;
    // SAFETY: [ARGS]
    let n = unsafe { PyLong_AsLongAndOverflow(op, &mut overflow) };
    if n == -1 && err_occurred() { Err(Raised::assume_set()) } else { Ok((n, overflow)) }
}

/// A colour number.
#[derive(Clone, Copy)]
pub struct Color(pub c_int);
/// A colour number, or -1 for the default.
#[derive(Clone, Copy)]
pub struct ColorOrDefault(pub c_int);
/// The number of a colour pair.
#[derive(Clone, Copy)]
pub struct Pair(pub c_int);
/// A part of a colour, 0 to 1000.
#[derive(Clone, Copy)]
pub struct Component(pub c_int);

impl FromArg<'_> for ColorOrDefault {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        let (n, overflow) = long_or_sign(arg)?;
        // SAFETY: [GIL] a variable of the library.
        let colors = unsafe { *ncurses::COLORS() };
        if overflow > 0 || n >= colors as c_long {
            bail!(PyExc_ValueError, "Color number is greater than COLORS-1 ({}).", colors.wrapping_sub(1));
        }
        Ok(ColorOrDefault(if overflow < 0 || n < 0 { -1 } else { n as c_int }))
    }
}
impl FromArg<'_> for Color {
    unsafe fn from_arg(arg: *mut PyObject, at: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        match unsafe { ColorOrDefault::from_arg(arg, at)? }.0 {
            n if n < 0 => bail!(PyExc_ValueError, "Color number is less than 0."),
            n => Ok(Color(n)),
        }
    }
}
impl FromArg<'_> for Pair {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        let (n, overflow) = long_or_sign(arg)?;
        if overflow > 0 || n > c_int::MAX as c_long {
            bail!(PyExc_ValueError, "Color pair is greater than maximum ({}).", c_int::MAX);
        }
        if overflow < 0 || n < 0 {
            bail!(PyExc_ValueError, "Color pair is less than 0.");
        }
        Ok(Pair(n as c_int))
    }
}
impl FromArg<'_> for Component {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        let (n, overflow) = long_or_sign(arg)?;
        if overflow > 0 || n > 1000 {
            bail!(PyExc_ValueError, "Color component is greater than 1000");
        }
        if overflow < 0 || n < 0 {
            bail!(PyExc_ValueError, "Color component is less than 0");
        }
        Ok(Component(n as c_int))
    }
}

// ---- characters and strings

/// TypeError about what should have been a character.
#[cold]
fn no_character(op: *mut PyObject) -> Raised {
    // SAFETY: [ARGS]
    let got = unsafe { type_name(op) };
    raise!(PyExc_TypeError, "expect bytes or str of length 1, or int, got {}", got)
}
#[cold]
fn not_one(op: *mut PyObject, expected: &str) -> Raised {
    // SAFETY: [TYPE] a str.
    let n = unsafe { PyUnicode_GetLength(op) };
    raise!(PyExc_TypeError, "expect {}, got a str of length {}", expected, n)
}
/// The only byte of a bytes object of length 1.
///
/// # Safety
/// `op` is live.
unsafe fn one_byte(op: *mut PyObject) -> Option<c_long> {
    // SAFETY: [TYPE]
    unsafe { (PyBytes_Check(op) != 0 && PyBytes_Size(op) == 1).then(|| *PyBytes_AsString(op).cast::<u8>() as c_long) }
}
/// A value that must fit a [`chtype`].
fn fit(value: Option<c_long>) -> PyResult<chtype> {
    value
        .and_then(|v| chtype::try_from(v).ok())
        .ok_or_else(|| raise!(PyExc_OverflowError, "byte doesn't fit in chtype"))
}

/// A character of one byte: an int, a bytes or str of length 1, which `encoding` must encode as one byte. Without
/// `encoding`, the screen's counts.
///
/// # Safety
/// `op` is live, `encoding` NULL or a C string.
pub unsafe fn to_chtype(op: *mut PyObject, encoding: *const c_char) -> PyResult<chtype> {
    // SAFETY: [TYPE] checked before use.
    unsafe {
        if let Some(byte) = one_byte(op) {
            return fit(Some(byte));
        }
        if PyUnicode_Check(op) != 0 {
            if PyUnicode_GetLength(op) != 1 {
                return Err(not_one(op, "bytes or str of length 1, or int"));
            }
            let c = PyUnicode_ReadChar(op, 0) as c_long;
            if c <= 128 {
                return fit(Some(c));
            }
            let screen = SCREEN_ENCODING.lock().ok().and_then(|e| e.clone());
            let encoding = if encoding.is_null() { screen.as_ref().map_or(core::ptr::null(), |e| e.as_ptr()) } else { encoding };
            let coded = Owned::from_owned_or_err(PyUnicode_AsEncodedString(op, encoding, core::ptr::null()))?;
            return fit(one_byte(coded.as_ptr()));
        }
        if (*op).ob_type == &raw mut PyLong_Type {
            let (n, overflow) = long_or_sign(op)?;
            return fit((overflow == 0).then_some(n));
        }
        Err(no_character(op))
    }
}

/// A character for a cell.
pub enum Cell {
    /// Of one byte.
    Byte(chtype),
    /// Of any code point.
    Wide(wchar_t),
}
/// A character for a cell: an int or a bytes of length 1, or a str of length 1.
///
/// # Safety
/// `op` is live.
pub unsafe fn to_cell(op: *mut PyObject) -> PyResult<Cell> {
    // SAFETY: [TYPE] checked before use.
    unsafe {
        if PyUnicode_Check(op) != 0 {
            if PyUnicode_GetLength(op) != 1 {
                return Err(not_one(op, "bytes or str of length 1, or int"));
            }
            return Ok(Cell::Wide(PyUnicode_ReadChar(op, 0) as wchar_t));
        }
        if let Some(byte) = one_byte(op) {
            return fit(Some(byte)).map(Cell::Byte);
        }
        if (*op).ob_type == &raw mut PyLong_Type {
            let (n, overflow) = long_or_sign(op)?;
            if overflow != 0 {
                bail!(PyExc_OverflowError, "int doesn't fit in long");
            }
            return fit(Some(n)).map(Cell::Byte);
        }
        Err(no_character(op))
    }
}

/// A character for the input queue: an int or a str of length 1.
///
/// # Safety
/// `op` is live.
pub unsafe fn to_wchar(op: *mut PyObject) -> PyResult<wchar_t> {
    // SAFETY: [TYPE] checked before use.
    unsafe {
        if PyUnicode_Check(op) != 0 {
            if PyUnicode_GetLength(op) != 1 {
                return Err(not_one(op, "str of length 1 or int"));
            }
            return Ok(PyUnicode_ReadChar(op, 0) as wchar_t);
        }
        if (*op).ob_type == &raw mut PyLong_Type {
            let (n, overflow) = long_or_sign(op)?;
            if overflow != 0 {
                bail!(PyExc_OverflowError, "int doesn't fit in long");
            }
            return wchar_t::try_from(n).map_err(|_| raise!(PyExc_OverflowError, "character doesn't fit in wchar_t"));
        }
        bail!(PyExc_TypeError, "expect str of length 1 or int, got {}", type_name(op))
    }
}

/// A string to show.
pub enum Text {
    /// From bytes.
    Bytes(Owned),
    /// From a str, with a terminating NUL.
    Wide(Vec<wchar_t>),
}
/// A string to show, from a str or bytes without NUL.
///
/// # Safety
/// `op` is live.
pub unsafe fn to_text(op: *mut PyObject) -> PyResult<Text> {
    // SAFETY: [TYPE] checked before use.
    unsafe {
        if PyUnicode_Check(op) != 0 {
            let n = PyUnicode_GetLength(op);
            let wide: Vec<wchar_t> =
                (0..n).map(|i| PyUnicode_ReadChar(op, i) as wchar_t).chain(core::iter::once(0)).collect();
            if wide[..n as usize].contains(&0) {
                bail!(PyExc_ValueError, "embedded null character");
            }
            return Ok(Text::Wide(wide));
        }
        if PyBytes_Check(op) != 0 {
            let mut p = null_mut();
            check_status(PyBytes_AsStringAndSize(op, &mut p, null_mut()))?;
            return Ok(Text::Bytes(Owned::from_borrowed(op)));
        }
        bail!(PyExc_TypeError, "expect bytes or str, got {}", type_name(op))
    }
}

// ---- optional groups

/// The arguments of a function whose signature has an optional group on the left, on the right, or on both sides.
pub struct Groups<'a> {
    /// The left group.
    pub left: Option<&'a [*mut PyObject]>,
    /// What must be there.
    pub middle: &'a [*mut PyObject],
    /// The right group.
    pub right: Option<&'a [*mut PyObject]>,
}

/// Divides arguments by the sizes of the groups, as Argument Clinic does: by their number alone.
pub fn groups<'a>(args: &'a [*mut PyObject], name: &str, [left, middle, right]: [usize; 3]) -> PyResult<Groups<'a>> {
    let n = args.len();
    let (has_left, has_right) = if n == middle {
        (false, false)
    } else if right > 0 && n == middle + right {
        (false, true)
    } else if left > 0 && n == left + middle {
        (true, false)
    } else if n == left + middle + right {
        (true, true)
    } else {
        bail!(PyExc_TypeError, "_curses.{} requires {} to {} arguments", name, middle, left + middle + right);
    };
    let (l, rest) = args.split_at(if has_left { left } else { 0 });
    let (m, r) = rest.split_at(middle);
    Ok(Groups { left: has_left.then_some(l), middle: m, right: has_right.then_some(r) })
}

/// A group of C ints.
pub fn ints<const N: usize>(group: Option<&[*mut PyObject]>) -> PyResult<Option<[c_int; N]>> {
    let Some(group) = group else { return Ok(None) };
    let mut out = [0; N];
    for (slot, &op) in out.iter_mut().zip(group) {
        *slot = int_arg(op)?;
    }
    Ok(Some(out))
}
/// A group of one C long.
pub fn long(group: Option<&[*mut PyObject]>) -> PyResult<Option<c_long>> {
    group.and_then(|g| g.first()).map(|&op| long_arg(op)).transpose()
}

/// Exactly `N` C ints; TypeError with `message` for another number of arguments.
pub fn exactly<const N: usize>(args: &[*mut PyObject], message: &str) -> PyResult<[c_int; N]> {
    if args.len() != N {
        bail!(PyExc_TypeError, "{}", message);
    }
    Ok(ints::<N>(Some(args))?.unwrap_or([0; N]))
}

/// Calls `f` with the arguments of a C call, as a METH_FASTCALL entry.
///
/// # Safety
/// `slf` is of the type that `T` lays out; `args` holds `n` objects.
pub unsafe fn fast<T, R: IntoReturn>(
    f: impl FnOnce(Borrowed<'_, T>, &[*mut PyObject]) -> R,
    slf: *mut PyObject,
    args: *mut *mut PyObject,
    n: Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let args = if n == 0 { &[][..] } else { core::slice::from_raw_parts(args, n as usize) };
        f(Borrowed::from_ptr(slf.cast()), args).into_return()
    }
}

/// A METH_FASTCALL entry for a function of a receiver and a slice of arguments.
macro_rules! fastcall {
    ($f:expr) => {{
        unsafe extern "C" fn entry(
            slf: *mut taipan_abi::PyObject,
            args: *mut *mut taipan_abi::PyObject,
            n: taipan_abi::Py_ssize_t,
        ) -> *mut taipan_abi::PyObject {
            // SAFETY: [ARGS]
            unsafe { $crate::convert::fast($f, slf, args, n) }
        }
        taipan_abi::PyMethodDefPointer { PyCFunctionFast: entry }
    }};
}
pub(crate) use fastcall;

/// A temporary file of C, closed when dropped and not inherited by child processes.
pub struct TemporaryFile(pub *mut libc::FILE);
impl TemporaryFile {
    /// A new, empty one; OSError.
    pub fn new() -> PyResult<Self> {
        // SAFETY: plain calls.
        unsafe {
            let file = libc::tmpfile();
            if file.is_null() {
                return Err(taipan_clinic::support::os_error());
            }
            let file = TemporaryFile(file);
            if libc::fcntl(libc::fileno(file.0), libc::F_SETFD, libc::FD_CLOEXEC) < 0 {
                return Err(taipan_clinic::support::os_error());
            }
            Ok(file)
        }
    }
    /// Back to the start.
    pub fn rewind(&self) {
        // SAFETY: [OWN]
        unsafe { libc::fseek(self.0, 0, libc::SEEK_SET) };
    }
}
impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // SAFETY: [OWN]
        unsafe { libc::fclose(self.0) };
    }
}
