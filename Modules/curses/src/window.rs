//! Windows.

use crate::convert::*;
use crate::ncurses::{self as nc, ERR, WINDOW, chtype};
use core::ffi::{CStr, c_char, c_int, c_long, c_short};
use core::ptr::null;
use taipan_abi::*;
use taipan_clinic::support::{int, string, tuple, without_gil};
use taipan_clinic::{getset, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// A window; CPython's `PyCursesWindowObject`.
#[repr(C)]
pub struct Window {
    ob_base: PyObject,
    /// The library's window.
    pub win: *mut WINDOW,
    /// Name of the encoding of its characters; owned memory.
    encoding: *mut c_char,
    /// The window that it is part of, or NULL.
    orig: *mut PyObject,
}
type W<'a> = Borrowed<'a, Window>;
type Args<'a> = &'a [*mut PyObject];

/// A copy in Python's memory.
fn duplicate(text: &CStr) -> PyResult<*mut c_char> {
    let data = text.to_bytes_with_nul();
    // SAFETY: [OWN] room for all of it.
    unsafe {
        let copy = PyMem_Malloc(data.len()).cast::<c_char>();
        if copy.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        core::ptr::copy_nonoverlapping(data.as_ptr().cast(), copy, data.len());
        Ok(copy)
    }
}

/// An object for a window of the library, which it takes over. Without `encoding` it has the locale's. curses.error when
/// the library made none.
///
/// # Safety
/// `win` is NULL or a window; `encoding` is NULL or a C string; `orig` is NULL or live.
pub unsafe fn window_new(win: *mut WINDOW, encoding: *const c_char, orig: *mut PyObject) -> PyResult<Owned> {
    if win.is_null() {
        return Err(error("curses function returned NULL"));
    }
    // SAFETY: [OWN] a zeroed instance, filled at once.
    unsafe {
        let mut encoding = encoding;
        if encoding.is_null() {
            encoding = libc::nl_langinfo(libc::CODESET);
            if encoding.is_null() || *encoding == 0 {
                encoding = c"utf-8".as_ptr();
            }
        }
        let encoding = duplicate(CStr::from_ptr(encoding))?;
        let new = taipan_clinic::support::new::<Window>(&raw mut PyCursesWindow_Type);
        let Ok(new) = new else {
            PyMem_Free(encoding.cast());
            return Err(Raised::assume());
        };
        let w = new.as_ptr();
        (*w).win = win;
        (*w).encoding = encoding;
        Py_XINCREF(orig);
        (*w).orig = orig;
        Ok(new.into_object())
    }
}

/// The name of a window's encoding.
pub fn encoding(w: W<'_>) -> *const c_char {
    w.encoding
}

unsafe extern "C" fn window_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let w = slf.cast::<Window>();
        if (*w).win != *nc::stdscr() {
            nc::delwin((*w).win);
        }
        PyMem_Free((*w).encoding.cast());
        Py_XDECREF((*w).orig);
        PyObject_Free(slf.cast());
    }
}

/// The other window of overlay() and overwrite().
fn window_arg(op: *mut PyObject, name: &str) -> PyResult<*mut WINDOW> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyObject_TypeCheck(op, &raw mut PyCursesWindow_Type) == 0 {
            bail!(PyExc_TypeError, "{}() argument 1 must be _curses.window, not {}", name, type_name(op));
        }
        Ok((*op.cast::<Window>()).win)
    }
}

/// A character of one byte in the window's encoding.
fn ch_arg(w: W<'_>, op: *mut PyObject) -> PyResult<chtype> {
    // SAFETY: [ARGS]
    unsafe { to_chtype(op, w.encoding) }
}

/// Moves the cursor first if there are coordinates; then calls `f`, unless that failed.
unsafe fn at(w: W<'_>, yx: Option<[c_int; 2]>, f: impl FnOnce(*mut WINDOW) -> c_int) -> c_int {
    // SAFETY: [TYPE] a window's.
    match yx {
        Some([y, x]) if unsafe { nc::wmove(w.win, y, x) } == ERR => ERR,
        _ => f(w.win),
    }
}

// ---- functions of one pattern

/// Calls without arguments, ints or flags, told apart by what they return.
macro_rules! simple {
    ($($name:ident $kind:ident $f:ident;)*) => { $( simple!(@$kind $name $f); )* };
    (@status $name:ident $f:ident) => {
        fn $name(w: W<'_>) -> PyResult<()> {
            // SAFETY: [TYPE] a window's.
            check(unsafe { nc::$f(w.win) }, stringify!($f))
        }
    };
    (@quiet $name:ident $f:ident) => {
        fn $name(w: W<'_>) -> PyResult<()> {
            // SAFETY: [TYPE] a window's.
            let _ = unsafe { nc::$f(w.win) };
            Ok(())
        }
    };
    (@flag $name:ident $f:ident) => {
        fn $name(w: W<'_>, args: Args<'_>) -> PyResult<()> {
            let [flag] = exactly(args, "True(1) or False(0)")?;
            // SAFETY: [TYPE] a window's.
            check(unsafe { nc::$f(w.win, (flag != 0) as u8) }, stringify!($f))
        }
    };
    (@quietflag $name:ident $f:ident) => {
        fn $name(w: W<'_>, args: Args<'_>) -> PyResult<()> {
            let [flag] = exactly(args, "True(1) or False(0)")?;
            // SAFETY: [TYPE] a window's.
            unsafe { nc::$f(w.win, (flag != 0) as u8) };
            Ok(())
        }
    };
    (@yx $name:ident $f:ident) => {
        fn $name(w: W<'_>, args: Args<'_>) -> PyResult<()> {
            let [y, x] = exactly(args, "y,x")?;
            // SAFETY: [TYPE] a window's.
            check(unsafe { nc::$f(w.win, y, x) }, stringify!($f))
        }
    };
    (@attr $name:ident $f:ident) => {
        fn $name(w: W<'_>, attr: i64) -> PyResult<()> {
            // SAFETY: [TYPE] a window's.
            check(unsafe { nc::$f(w.win, attr as c_int) }, stringify!($name).trim_start_matches("window_"))
        }
    };
}
simple! {
    untouchwin status untouchwin;
    touchwin status touchwin;
    erase status werase;
    wsyncup quiet wsyncup;
    wsyncdown quiet wsyncdown;
    wcursyncup quiet wcursyncup;
    wclrtoeol quiet wclrtoeol;
    wclrtobot quiet wclrtobot;
    wclear quiet wclear;
    idcok quietflag idcok;
    immedok quietflag immedok;
    clearok flag clearok;
    idlok flag idlok;
    keypad flag keypad;
    leaveok flag leaveok;
    nodelay flag nodelay;
    notimeout flag notimeout;
    scrollok flag scrollok;
    syncok flag syncok;
    mvwin yx mvwin;
    mvderwin yx mvderwin;
    wmove yx wmove;
    window_attroff attr wattroff;
    window_attron attr wattron;
    window_attrset attr wattrset;
}

/// Methods that return two numbers.
macro_rules! pairs {
    ($($name:ident $y:ident $x:ident;)*) => { $(
        fn $name(w: W<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE] a window's.
            let (y, x) = unsafe { (nc::$y(w.win), nc::$x(w.win)) };
            tuple(vec![int(y as i64)?, int(x as i64)?])
        }
    )* };
}
pairs! {
    getyx getcury getcurx;
    getbegyx getbegy getbegx;
    getmaxyx getmaxy getmaxx;
    getparyx getpary getparx;
}

// SAFETY of the calls below: [TYPE] a window object's window, valid until it is deallocated.

fn redrawwin(w: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { nc::wredrawln(w.win, 0, nc::getmaxy(w.win)) }, "redrawwin")
}
fn insertln(w: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { nc::winsdelln(w.win, 1) }, "winsertln")
}
fn deleteln(w: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { nc::winsdelln(w.win, -1) }, "wdeleteln")
}
fn is_wintouched(w: W<'_>) -> PyResult<bool> {
    // SAFETY: [TYPE]
    Ok(unsafe { nc::is_wintouched(w.win) } != 0)
}
fn standend(w: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { nc::wattrset(w.win, 0) };
    Ok(())
}
fn standout(w: W<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe { nc::wattrset(w.win, 1 << 16) };
    Ok(())
}
fn timeout(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let [delay] = exactly(args, "delay")?;
    // SAFETY: [TYPE]
    unsafe { nc::wtimeout(w.win, delay) };
    Ok(())
}
fn insdelln(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let [n] = exactly(args, "nlines")?;
    // SAFETY: [TYPE]
    check(unsafe { nc::winsdelln(w.win, n) }, "winsdelln")
}
fn resize(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let [lines, columns] = exactly(args, "lines,columns")?;
    // SAFETY: [TYPE]
    check(unsafe { nc::wresize(w.win, lines, columns) }, "wresize")
}

// ---- showing characters and strings

fn addch(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.addch", [2, 1, 1])?;
    let yx = ints(g.left)?;
    let attr = long(g.right)?.unwrap_or(0);
    // SAFETY: [TYPE]
    unsafe {
        match to_cell(g.middle[0])? {
            Cell::Byte(ch) => check(at(w, yx, |win| nc::waddch(win, ch | attr as chtype)), "addch"),
            Cell::Wide(c) => {
                let mut cell = nc::cchar_t::default();
                nc::setcchar(&mut cell, [c, 0].as_ptr(), attr as nc::attr_t, nc::pair_number(attr), null());
                check(at(w, yx, |win| nc::wadd_wch(win, &cell)), "add_wch")
            }
        }
    }
}

/// The functions of the library that take at most n characters of a string.
#[derive(Clone, Copy)]
struct Writers {
    bytes: unsafe fn(*mut WINDOW, *const c_char, c_int) -> c_int,
    wide: unsafe fn(*mut WINDOW, *const libc::wchar_t, c_int) -> c_int,
    /// Names for errors: for bytes, for a str.
    names: [&'static str; 2],
}

/// Shows or inserts a string, with other attributes meanwhile if any are given.
fn put(w: W<'_>, yx: Option<[c_int; 2]>, text: *mut PyObject, n: c_int, attr: Option<c_long>, writers: Writers) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let text = to_text(text)?;
        let old = attr.map(|attr| {
            let old = nc::getattrs(w.win);
            nc::wattrset(w.win, attr as c_int);
            old
        });
        let (code, name) = match &text {
            Text::Wide(wide) => (at(w, yx, |win| (writers.wide)(win, wide.as_ptr(), n)), writers.names[1]),
            Text::Bytes(b) => (at(w, yx, |win| (writers.bytes)(win, PyBytes_AsString(b.as_ptr()), n)), writers.names[0]),
        };
        if let Some(old) = old {
            nc::wattrset(w.win, old);
        }
        check(code, name)
    }
}
fn addstr(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.addstr", [2, 1, 1])?;
    let writers = Writers { bytes: nc::waddnstr, wide: nc::waddnwstr, names: ["addstr", "addwstr"] };
    put(w, ints(g.left)?, g.middle[0], -1, long(g.right)?, writers)
}
fn addnstr(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.addnstr", [2, 2, 1])?;
    let writers = Writers { bytes: nc::waddnstr, wide: nc::waddnwstr, names: ["addnstr", "addnwstr"] };
    put(w, ints(g.left)?, g.middle[0], int_arg(g.middle[1])?, long(g.right)?, writers)
}
fn insstr(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.insstr", [2, 1, 1])?;
    let writers = Writers { bytes: nc::winsnstr, wide: nc::wins_nwstr, names: ["insstr", "inswstr"] };
    put(w, ints(g.left)?, g.middle[0], -1, long(g.right)?, writers)
}
fn insnstr(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.insnstr", [2, 2, 1])?;
    let writers = Writers { bytes: nc::winsnstr, wide: nc::wins_nwstr, names: ["insnstr", "insn_wstr"] };
    put(w, ints(g.left)?, g.middle[0], int_arg(g.middle[1])?, long(g.right)?, writers)
}
fn insch(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.insch", [2, 1, 1])?;
    let (yx, attr) = (ints(g.left)?, long(g.right)?.unwrap_or(0));
    let ch = ch_arg(w, g.middle[0])?;
    // SAFETY: [TYPE]
    check(unsafe { at(w, yx, |win| nc::winsch(win, ch | attr as chtype)) }, "insch")
}
/// hline and vline.
fn line(w: W<'_>, args: Args<'_>, name: &str, f: unsafe fn(*mut WINDOW, chtype, c_int) -> c_int) -> PyResult<()> {
    let g = groups(args, &format!("window.{name}"), [2, 2, 1])?;
    let yx = ints::<2>(g.left)?;
    let (n, attr) = (int_arg(g.middle[1])?, long(g.right)?.unwrap_or(0));
    let ch = ch_arg(w, g.middle[0])?;
    // SAFETY: [TYPE]
    unsafe {
        if let Some([y, x]) = yx {
            check(nc::wmove(w.win, y, x), "wmove")?;
        }
        check(f(w.win, ch | attr as chtype, n), name)
    }
}
fn hline(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    line(w, args, "hline", nc::whline)
}
fn vline(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    line(w, args, "vline", nc::wvline)
}
fn echochar(w: W<'_>, ch: Borrowed<'_>, attr: Option<i64>) -> PyResult<()> {
    let ch = ch_arg(w, ch.as_ptr())? | attr.unwrap_or(0) as chtype;
    // SAFETY: [TYPE]
    check(unsafe { if nc::is_pad(w.win) != 0 { nc::pechochar(w.win, ch) } else { nc::wechochar(w.win, ch) } }, "echochar")
}
fn bkgd(w: W<'_>, ch: Borrowed<'_>, attr: Option<i64>) -> PyResult<()> {
    let ch = ch_arg(w, ch.as_ptr())?;
    // SAFETY: [TYPE]
    check(unsafe { nc::wbkgd(w.win, ch | attr.unwrap_or(0) as chtype) }, "bkgd")
}
fn bkgdset(w: W<'_>, ch: Borrowed<'_>, attr: Option<i64>) -> PyResult<()> {
    let ch = ch_arg(w, ch.as_ptr())?;
    // SAFETY: [TYPE]
    unsafe { nc::wbkgdset(w.win, ch | attr.unwrap_or(0) as chtype) };
    Ok(())
}
fn getbkgd(w: W<'_>) -> PyResult<i64> {
    // SAFETY: [TYPE]
    Ok(unsafe { nc::getbkgd(w.win) } as i64)
}
#[allow(clippy::too_many_arguments, reason = "the signature's")]
fn border(
    w: W<'_>,
    ls: Option<Borrowed<'_>>,
    rs: Option<Borrowed<'_>>,
    ts: Option<Borrowed<'_>>,
    bs: Option<Borrowed<'_>>,
    tl: Option<Borrowed<'_>>,
    tr: Option<Borrowed<'_>>,
    bl: Option<Borrowed<'_>>,
    br: Option<Borrowed<'_>>,
) -> PyResult<()> {
    let mut c = [0; 8];
    for (slot, given) in c.iter_mut().zip([ls, rs, ts, bs, tl, tr, bl, br]) {
        if let Some(ch) = given {
            *slot = ch_arg(w, ch.as_ptr())?;
        }
    }
    // SAFETY: [TYPE]
    unsafe { nc::wborder(w.win, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]) };
    Ok(())
}
fn window_box(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.box", [0, 0, 2])?;
    let (v, h) = match g.right {
        Some(chars) => (ch_arg(w, chars[0])?, ch_arg(w, chars[1])?),
        None => (0, 0),
    };
    // SAFETY: [TYPE]
    unsafe { nc::wborder(w.win, v, v, h, h, 0, 0, 0, 0) };
    Ok(())
}
fn chgat(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let (yx, n, attr) = match *args {
        [attr] => (None, -1, attr),
        [n, attr] => (None, int_arg(n)?, attr),
        [y, x, attr] => (Some([int_arg(y)?, int_arg(x)?]), -1, attr),
        [y, x, n, attr] => (Some([int_arg(y)?, int_arg(x)?]), int_arg(n)?, attr),
        _ => bail!(PyExc_TypeError, "chgat requires 1 to 4 arguments"),
    };
    let attr = long_arg(attr)?;
    let pair: c_short = nc::pair_number(attr);
    // SAFETY: [TYPE]
    unsafe {
        let y = yx.map_or_else(|| nc::getcury(w.win), |[y, _]| y);
        let code = at(w, yx, |win| nc::wchgat(win, n, attr as u32 & nc::A_ATTRIBUTES, pair, null()));
        nc::touchline(w.win, y, 1);
        check(code, "chgat")
    }
}
fn delch(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.delch", [0, 0, 2])?;
    let yx = ints(g.right)?;
    // SAFETY: [TYPE]
    check(unsafe { at(w, yx, |win| nc::wdelch(win)) }, if yx.is_some() { "mvwdelch" } else { "wdelch" })
}

// ---- reading

/// Reads a key while other threads run.
fn read_key(w: W<'_>, yx: Option<[c_int; 2]>, f: impl FnOnce(*mut WINDOW) -> c_int) -> c_int {
    // SAFETY: [TYPE] the caller keeps the window.
    without_gil(|| unsafe { at(w, yx, f) })
}
fn check_signals() -> PyResult<()> {
    // SAFETY: [GIL]
    check_status(unsafe { PyErr_CheckSignals() })
}
fn getch(w: W<'_>, args: Args<'_>) -> PyResult<i32> {
    let yx = ints(groups(args, "window.getch", [0, 0, 2])?.right)?;
    // SAFETY: [TYPE]
    let key = read_key(w, yx, |win| unsafe { nc::wgetch(win) });
    if key == ERR {
        check_signals()?;
    }
    Ok(key)
}
fn getkey(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let yx = ints(groups(args, "window.getkey", [0, 0, 2])?.right)?;
    // SAFETY: [TYPE]
    unsafe {
        let key = read_key(w, yx, |win| nc::wgetch(win));
        if key == ERR {
            check_signals()?;
            return Err(error("no input"));
        }
        if key <= 255 {
            return Owned::from_owned_or_err(PyUnicode_FromOrdinal(key));
        }
        let name = nc::keyname(key);
        Owned::from_owned_or_err(PyUnicode_FromString(if name.is_null() { c"".as_ptr() } else { name }))
    }
}
fn get_wch(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let yx = ints(groups(args, "window.get_wch", [0, 0, 2])?.right)?;
    let mut c: nc::wint_t = 0;
    // SAFETY: [TYPE]
    unsafe {
        let code = read_key(w, yx, |win| nc::wget_wch(win, &raw mut c));
        if code == ERR {
            check_signals()?;
            return Err(error("no input"));
        }
        if code == nc::KEY_CODE_YES { int(c as i64) } else { Owned::from_owned_or_err(PyUnicode_FromOrdinal(c as c_int)) }
    }
}
/// The longest string that getstr() and instr() return.
const LONGEST: usize = 1023;
/// Coordinates and length of getstr() and instr().
fn extent(args: Args<'_>, usage: &str) -> PyResult<(Option<[c_int; 2]>, c_int)> {
    let (yx, n) = match *args {
        [] => (None, None),
        [n] => (None, Some(int_arg(n)?)),
        [y, x] => (Some([int_arg(y)?, int_arg(x)?]), None),
        [y, x, n] => (Some([int_arg(y)?, int_arg(x)?]), Some(int_arg(n)?)),
        _ => bail!(PyExc_TypeError, "{}", usage),
    };
    match n {
        Some(n) if n < 0 => bail!(PyExc_ValueError, "'n' must be nonnegative"),
        n => Ok((yx, n.unwrap_or(LONGEST as c_int).min(LONGEST as c_int))),
    }
}
fn getstr(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let (yx, n) = extent(args, "getstr requires 0 to 3 arguments")?;
    let mut text = [0 as c_char; LONGEST + 1];
    let to = text.as_mut_ptr();
    // SAFETY: [TYPE] the library writes at most n characters and a NUL.
    unsafe {
        if read_key(w, yx, |win| nc::wgetnstr(win, to, n)) == ERR {
            *to = 0;
        }
        c_bytes(to)
    }
}
fn instr(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let (yx, n) = extent(args, "instr requires 0 or 3 arguments")?;
    let mut text = [0 as c_char; LONGEST + 1];
    let to = text.as_mut_ptr();
    // SAFETY: [TYPE] the library writes at most n characters and a NUL.
    unsafe {
        if at(w, yx, |win| nc::winnstr(win, to, n)) == ERR {
            *to = 0;
        }
        c_bytes(to)
    }
}
fn inch(w: W<'_>, args: Args<'_>) -> PyResult<u64> {
    let yx = ints(groups(args, "window.inch", [0, 0, 2])?.right)?;
    // SAFETY: [TYPE]
    Ok(unsafe {
        match yx {
            Some([y, x]) if nc::wmove(w.win, y, x) == ERR => ERR as chtype as u64,
            _ => nc::winch(w.win) as u64,
        }
    })
}

// ---- parts, copies, screens

fn derwin(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let g = groups(args, "window.derwin", [2, 2, 0])?;
    let [lines, columns] = ints(g.left)?.unwrap_or([0, 0]);
    let [y, x] = ints(Some(g.middle))?.unwrap_or([0, 0]);
    // SAFETY: [TYPE]
    unsafe { window_new(nc::derwin(w.win, lines, columns, y, x), null(), w.ob()) }
}
fn subwin(w: W<'_>, args: Args<'_>) -> PyResult<Owned> {
    let g = groups(args, "window.subwin", [2, 2, 0])?;
    let [lines, columns] = ints(g.left)?.unwrap_or([0, 0]);
    let [y, x] = ints(Some(g.middle))?.unwrap_or([0, 0]);
    // SAFETY: [TYPE]
    unsafe {
        let new = if nc::is_pad(w.win) != 0 {
            nc::subpad(w.win, lines, columns, y, x)
        } else {
            nc::subwin(w.win, lines, columns, y, x)
        };
        window_new(new, w.encoding, w.ob())
    }
}
fn enclose(w: W<'_>, y: i32, x: i32) -> PyResult<bool> {
    // SAFETY: [TYPE]
    Ok(unsafe { nc::wenclose(w.win, y, x) } != 0)
}
fn is_linetouched(w: W<'_>, line: i32) -> PyResult<bool> {
    // SAFETY: [TYPE]
    unsafe {
        if line < 0 || line > nc::getmaxy(w.win) {
            bail!(PyExc_TypeError, "is_linetouched: line number outside of boundaries");
        }
        Ok(nc::is_linetouched(w.win, line) != 0)
    }
}
fn noutrefresh(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let area = ints::<6>(groups(args, "window.noutrefresh", [0, 0, 6])?.right)?;
    let win = w.win;
    // SAFETY: [TYPE]
    unsafe {
        match (nc::is_pad(win) != 0, area) {
            (true, Some([a, b, c, d, e, f])) => check(without_gil(|| nc::pnoutrefresh(win, a, b, c, d, e, f)), "pnoutrefresh"),
            (true, None) => Err(error("noutrefresh() called for a pad requires 6 arguments")),
            (false, Some(_)) => bail!(PyExc_TypeError, "noutrefresh() takes no arguments (6 given)"),
            (false, None) => check(without_gil(|| nc::wnoutrefresh(win)), "wnoutrefresh"),
        }
    }
}
fn refresh(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let area = ints::<6>(groups(args, "window.refresh", [0, 0, 6])?.right)?;
    let win = w.win;
    // SAFETY: [TYPE]
    unsafe {
        match (nc::is_pad(win) != 0, area) {
            (true, Some([a, b, c, d, e, f])) => check(without_gil(|| nc::prefresh(win, a, b, c, d, e, f)), "prefresh"),
            (true, None) => Err(error("refresh() for a pad requires 6 arguments")),
            (false, Some(_)) => bail!(PyExc_TypeError, "refresh() takes no arguments (6 given)"),
            (false, None) => check(without_gil(|| nc::wrefresh(win)), "prefresh"),
        }
    }
}
/// overlay and overwrite: the first leaves what blanks would cover.
fn copy_onto(w: W<'_>, args: Args<'_>, name: &str, whole: unsafe fn(*const WINDOW, *mut WINDOW) -> c_int, over: bool) -> PyResult<()> {
    let g = groups(args, &format!("window.{name}"), [0, 1, 6])?;
    let to = window_arg(g.middle[0], name)?;
    // SAFETY: [TYPE]
    unsafe {
        match ints(g.right)? {
            Some([a, b, c, d, e, f]) => check(nc::copywin(w.win, to, a, b, c, d, e, f, over as c_int), "copywin"),
            None => check(whole(w.win, to), name),
        }
    }
}
fn overlay(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    copy_onto(w, args, "overlay", nc::overlay, true)
}
fn overwrite(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    copy_onto(w, args, "overwrite", nc::overwrite, false)
}
fn putwin(w: W<'_>, file: Borrowed<'_>) -> PyResult<Owned> {
    // The library writes to a stream of C alone.
    let through = TemporaryFile::new()?;
    // SAFETY: [TYPE] the buffer has the size that is told.
    unsafe {
        check(nc::putwin(w.win, through.0), "putwin")?;
        through.rewind();
        let mut result = taipan_clinic::support::none();
        let mut buffer = [0u8; 8192];
        loop {
            let n = libc::fread(buffer.as_mut_ptr().cast(), 1, buffer.len(), through.0);
            if n == 0 {
                return Ok(result);
            }
            let data = taipan_clinic::support::bytes(&buffer[..n])?;
            let write = string("write")?;
            result = Owned::from_owned_or_err(PyObject_CallMethodOneArg(file.ob(), write.as_ptr(), data.as_ptr()))?;
        }
    }
}
fn redrawln(w: W<'_>, beg: i32, num: i32) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { nc::wredrawln(w.win, beg, num) }, "redrawln")
}
fn setscrreg(w: W<'_>, top: i32, bottom: i32) -> PyResult<()> {
    // SAFETY: [TYPE]
    check(unsafe { nc::wsetscrreg(w.win, top, bottom) }, "wsetscrreg")
}
fn scroll(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let lines = ints::<1>(groups(args, "window.scroll", [0, 0, 1])?.right)?;
    // SAFETY: [TYPE]
    check(
        unsafe {
            match lines {
                Some([n]) => nc::wscrl(w.win, n),
                None => nc::scroll(w.win),
            }
        },
        "scroll",
    )
}
fn touchline(w: W<'_>, args: Args<'_>) -> PyResult<()> {
    let g = groups(args, "window.touchline", [0, 2, 1])?;
    let [start, count] = ints(Some(g.middle))?.unwrap_or([0, 0]);
    // SAFETY: [TYPE]
    unsafe {
        let code = match g.right {
            Some(&[changed, ..]) => {
                let changed = PyObject_IsTrue(changed);
                check_status(changed)?;
                nc::wtouchln(w.win, start, count, changed)
            }
            _ => nc::touchline(w.win, start, count),
        };
        check(code, "touchline")
    }
}

// ---- the type

fn get_encoding(w: W<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a C string.
    unsafe { Owned::from_owned_or_err(PyUnicode_FromString(w.encoding)) }
}
fn set_encoding(w: W<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_TypeError, "encoding may not be deleted") };
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyUnicode_Check(value.ob()) == 0 {
            bail!(PyExc_TypeError, "setting encoding to a non-string");
        }
        let ascii = Owned::from_owned_or_err(PyUnicode_AsASCIIString(value.ob()))?;
        let new = duplicate(CStr::from_ptr(PyBytes_AsString(ascii.as_ptr())))?;
        PyMem_Free(core::mem::replace(&mut (*w.as_ptr()).encoding, new).cast());
    }
    Ok(())
}
getset! { static GETSET = [ "encoding" => get_encoding, set_encoding, "Name of the encoding of the window's characters."; ]; }

methods! {
    static METHODS = [
        raw "addch", fastcall!(addch), METH_FASTCALL, "addch([y, x,] ch, [attr=_curses.A_NORMAL])\nShow a character, at (y, x) or at the cursor, over what is there.";
        raw "addnstr", fastcall!(addnstr), METH_FASTCALL, "addnstr([y, x,] str, n, [attr])\nShow at most n characters of a string.";
        raw "addstr", fastcall!(addstr), METH_FASTCALL, "addstr([y, x,] str, [attr])\nShow a string, at (y, x) or at the cursor, over what is there.";
        "attroff($self, attr, /)" => window_attroff, "Take an attribute out of those for what is written.";
        "attron($self, attr, /)" => window_attron, "Add an attribute to those for what is written.";
        "attrset($self, attr, /)" => window_attrset, "Set the attributes for what is written.";
        "bkgd($self, ch, attr=_curses.A_NORMAL, /)" => bkgd, "Set the background, also where something is.";
        raw "chgat", fastcall!(chgat), METH_FASTCALL, "chgat([y, x,] [n=-1,] attr)\nChange the attributes of n characters, or of all up to the line's end.";
        "bkgdset($self, ch, attr=_curses.A_NORMAL, /)" => bkgdset, "Set the background for what is written from now on.";
        "border($self, ls=_curses.ACS_VLINE, rs=_curses.ACS_VLINE, ts=_curses.ACS_HLINE, bs=_curses.ACS_HLINE, tl=_curses.ACS_ULCORNER, tr=_curses.ACS_URCORNER, bl=_curses.ACS_LLCORNER, br=_curses.ACS_LRCORNER, /)" => border, "Draw a border: sides, then corners. 0 stands for the default.";
        raw "box", fastcall!(window_box), METH_FASTCALL, "box([verch=0, horch=0])\nDraw a border with the default corners.";
        "clear($self, /)" => wclear, "Erase, and redraw all at the next refresh.";
        raw "clearok", fastcall!(clearok), METH_FASTCALL, "clearok(flag)\nWhether the next refresh redraws all.";
        "clrtobot($self, /)" => wclrtobot, "Erase from the cursor to the end.";
        "clrtoeol($self, /)" => wclrtoeol, "Erase from the cursor to the line's end.";
        "cursyncup($self, /)" => wcursyncup, "Move the cursors of the windows that this is part of, too.";
        raw "delch", fastcall!(delch), METH_FASTCALL, "delch([y, x])\nDelete a character.";
        "deleteln($self, /)" => deleteln, "Delete the cursor's line.";
        raw "derwin", fastcall!(derwin), METH_FASTCALL, "derwin([nlines=0, ncols=0,] begin_y, begin_x)\nA part of the window, placed relative to it.";
        "echochar($self, ch, attr=_curses.A_NORMAL, /)" => echochar, "Show a character and refresh.";
        "enclose($self, y, x, /)" => enclose, "Whether a place on the screen is inside.";
        "erase($self, /)" => erase, "Erase all.";
        "getbegyx($self, /)" => getbegyx, "(y, x) of the upper left corner.";
        "getbkgd($self, /)" => getbkgd, "The background.";
        raw "getch", fastcall!(getch), METH_FASTCALL, "getch([y, x])\nThe number of the next key, -1 if there is none.";
        raw "getkey", fastcall!(getkey), METH_FASTCALL, "getkey([y, x])\nThe next key as a str: a character or a special key's name.";
        raw "get_wch", fastcall!(get_wch), METH_FASTCALL, "get_wch([y, x])\nThe next character as a str, or a special key's number.";
        "getmaxyx($self, /)" => getmaxyx, "Height and width.";
        "getparyx($self, /)" => getparyx, "(y, x) in the window that this is part of, (-1, -1) if none.";
        raw "getstr", fastcall!(getstr), METH_FASTCALL, "getstr([y, x,] [n=1023])\nRead a line as bytes.";
        "getyx($self, /)" => getyx, "(y, x) of the cursor.";
        raw "hline", fastcall!(hline), METH_FASTCALL, "hline([y, x,] ch, n, [attr=_curses.A_NORMAL])\nDraw a horizontal line of n characters.";
        raw "idcok", fastcall!(idcok), METH_FASTCALL, "idcok(flag)\nWhether the terminal's insertion of characters may be used.";
        raw "idlok", fastcall!(idlok), METH_FASTCALL, "idlok(flag)\nWhether the terminal's insertion of lines may be used.";
        raw "immedok", fastcall!(immedok), METH_FASTCALL, "immedok(flag)\nWhether each change refreshes.";
        raw "inch", fastcall!(inch), METH_FASTCALL, "inch([y, x])\nThe character there, with its attributes.";
        raw "insch", fastcall!(insch), METH_FASTCALL, "insch([y, x,] ch, [attr=_curses.A_NORMAL])\nInsert a character.";
        raw "insdelln", fastcall!(insdelln), METH_FASTCALL, "insdelln(nlines)\nInsert lines above the cursor's, or delete if negative.";
        "insertln($self, /)" => insertln, "Insert a blank line at the cursor's.";
        raw "insnstr", fastcall!(insnstr), METH_FASTCALL, "insnstr([y, x,] str, n, [attr])\nInsert at most n characters of a string.";
        raw "insstr", fastcall!(insstr), METH_FASTCALL, "insstr([y, x,] str, [attr])\nInsert a string.";
        raw "instr", fastcall!(instr), METH_FASTCALL, "instr([y, x,] [n=1023])\nThe characters that are there, as bytes.";
        "is_linetouched($self, line, /)" => is_linetouched, "Whether a line changed since the last refresh.";
        "is_wintouched($self, /)" => is_wintouched, "Whether anything changed since the last refresh.";
        raw "keypad", fastcall!(keypad), METH_FASTCALL, "keypad(flag)\nWhether sequences of special keys are interpreted.";
        raw "leaveok", fastcall!(leaveok), METH_FASTCALL, "leaveok(flag)\nWhether a refresh may leave the cursor where it is.";
        raw "move", fastcall!(wmove), METH_FASTCALL, "move(y, x)\nMove the cursor.";
        raw "mvderwin", fastcall!(mvderwin), METH_FASTCALL, "mvderwin(y, x)\nShow another part of the window that this is part of.";
        raw "mvwin", fastcall!(mvwin), METH_FASTCALL, "mvwin(y, x)\nMove the window.";
        raw "nodelay", fastcall!(nodelay), METH_FASTCALL, "nodelay(flag)\nWhether reading a key doesn't wait.";
        raw "notimeout", fastcall!(notimeout), METH_FASTCALL, "notimeout(flag)\nWhether escape sequences have no time limit.";
        raw "noutrefresh", fastcall!(noutrefresh), METH_FASTCALL, "noutrefresh([pminrow, pmincol, sminrow, smincol, smaxrow, smaxcol])\nMark for the next update of the screen.";
        raw "overlay", fastcall!(overlay), METH_FASTCALL, "overlay(destwin, [sminrow, smincol, dminrow, dmincol, dmaxrow, dmaxcol])\nCopy what isn't blank onto another window.";
        raw "overwrite", fastcall!(overwrite), METH_FASTCALL, "overwrite(destwin, [sminrow, smincol, dminrow, dmincol, dmaxrow, dmaxcol])\nCopy onto another window.";
        "putwin($self, file, /)" => putwin, "Write the window to a file; getwin() reads it.";
        "redrawln($self, beg, num, /)" => redrawln, "Redraw lines at the next refresh.";
        "redrawwin($self, /)" => redrawwin, "Redraw all at the next refresh.";
        raw "refresh", fastcall!(refresh), METH_FASTCALL, "refresh([pminrow, pmincol, sminrow, smincol, smaxrow, smaxcol])\nUpdate the screen. A pad needs to know which part of it goes where.";
        raw "resize", fastcall!(resize), METH_FASTCALL, "resize(nlines, ncols)\nChange the size.";
        raw "scroll", fastcall!(scroll), METH_FASTCALL, "scroll([lines=1])\nScroll, down if negative.";
        raw "scrollok", fastcall!(scrollok), METH_FASTCALL, "scrollok(flag)\nWhether writing past the end scrolls.";
        "setscrreg($self, top, bottom, /)" => setscrreg, "Set which lines scroll.";
        "standend($self, /)" => standend, "Write without attributes.";
        "standout($self, /)" => standout, "Write with A_STANDOUT.";
        raw "subpad", fastcall!(subwin), METH_FASTCALL, "subwin([nlines=0, ncols=0,] begin_y, begin_x)\nA part of the pad, placed relative to it.";
        raw "subwin", fastcall!(subwin), METH_FASTCALL, "subwin([nlines=0, ncols=0,] begin_y, begin_x)\nA part of the window, placed relative to the screen.";
        "syncdown($self, /)" => wsyncdown, "Take over the changes of the windows that this is part of.";
        raw "syncok", fastcall!(syncok), METH_FASTCALL, "syncok(flag)\nWhether each change calls syncup().";
        "syncup($self, /)" => wsyncup, "Tell the windows that this is part of what changed.";
        raw "timeout", fastcall!(timeout), METH_FASTCALL, "timeout(delay)\nHow many milliseconds reading a key waits; for ever if negative.";
        raw "touchline", fastcall!(touchline), METH_FASTCALL, "touchline(start, count, [changed=True])\nMark lines as changed or unchanged.";
        "touchwin($self, /)" => touchwin, "Mark all as changed.";
        "untouchwin($self, /)" => untouchwin, "Mark all as unchanged.";
        raw "vline", fastcall!(vline), METH_FASTCALL, "vline([y, x,] ch, n, [attr=_curses.A_NORMAL])\nDraw a vertical line of n characters.";
    ];
}

/// `_curses.window`.
#[unsafe(no_mangle)]
pub static mut PyCursesWindow_Type: PyTypeObject = PyTypeObject {
    tp_name: c"_curses.window".as_ptr(),
    tp_basicsize: size_of::<Window>() as Py_ssize_t,
    tp_dealloc: Some(window_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_methods: (&raw mut METHODS).cast(),
    tp_getset: (&raw mut GETSET).cast(),
    ..TYPE_INIT
};
