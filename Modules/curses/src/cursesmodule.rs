//! The module `_curses`.

use crate::convert::*;
use crate::ncurses::{self as nc, ERR};
use crate::window::{PyCursesWindow_Type, window_new};
use core::ffi::{CStr, c_char, c_int, c_long, c_short, c_ulong, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use taipan_abi::*;
use taipan_clinic::support::{bytes, int, string, tuple};
use taipan_clinic::{BufferView, methods};

unsafe extern "C" {
    fn _PyStructSequence_NewType(desc: *mut PyStructSequence_Desc, flags: c_ulong) -> *mut PyTypeObject;
    fn PyObject_AsFileDescriptor(o: *mut PyObject) -> c_int;
}

/// The module's dictionary, to which initscr() and start_color() add.
static MODULE_DICT: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());

/// Adds a number to the module.
fn set_int(name: &CStr, value: i64) -> PyResult<()> {
    let value = int(value)?;
    // SAFETY: [STATIC] the dictionary lives as long as the module, which is never unloaded.
    unsafe { check_status(PyDict_SetItemString(MODULE_DICT.load(Relaxed), name.as_ptr(), value.as_ptr())) }
}
fn set_ints(values: &[(&str, i64)]) -> PyResult<()> {
    values.iter().try_for_each(|&(name, value)| set_int(&c_string(name.as_bytes(), "character")?, value))
}

// SAFETY of the calls below: the library is bound; what needs a screen or a terminal description is called after the check
// for it.

/// Functions without arguments, told apart by what they return.
macro_rules! simple {
    ($($kind:ident $($f:ident)*;)*) => { $( $( simple!(@$kind $f); )* )* };
    (@status $f:ident) => {
        fn $f(_: ()) -> PyResult<()> {
            initialised()?;
            // SAFETY: initialised.
            check(unsafe { nc::$f() }, stringify!($f))
        }
    };
    (@number $f:ident) => {
        fn $f(_: ()) -> PyResult<i64> {
            initialised()?;
            // SAFETY: initialised.
            Ok(unsafe { nc::$f() } as i64)
        }
    };
    (@truth $f:ident) => {
        fn $f(_: ()) -> PyResult<bool> {
            initialised()?;
            // SAFETY: initialised.
            Ok(unsafe { nc::$f() } != 0)
        }
    };
    (@quiet $f:ident) => {
        fn $f(_: ()) -> PyResult<()> {
            initialised()?;
            // SAFETY: initialised.
            unsafe { nc::$f() };
            Ok(())
        }
    };
    (@text $f:ident) => {
        fn $f(_: ()) -> PyResult<Owned> {
            initialised()?;
            // SAFETY: initialised.
            unsafe { c_bytes(nc::$f()) }
        }
    };
}
simple! {
    status beep def_prog_mode def_shell_mode doupdate endwin flash nocbreak noecho nonl noraw reset_prog_mode reset_shell_mode resetty savetty;
    number baudrate termattrs;
    truth can_change_color has_colors has_ic has_il isendwin;
    quiet flushinp noqiflush;
    text longname termname;
}
/// Modes: a function to turn them on and one to turn them off.
macro_rules! modes {
    ($($f:ident $off:ident;)*) => { $(
        fn $f(_: (), flag: bool) -> PyResult<()> {
            initialised()?;
            if !flag {
                return $off(());
            }
            // SAFETY: initialised.
            check(unsafe { nc::$f() }, stringify!($f))
        }
    )* };
}
modes! { cbreak nocbreak; echo noecho; nl nonl; raw noraw; }

fn filter(_: ()) -> PyResult<()> {
    // SAFETY: to be called before initscr().
    unsafe { nc::filter() };
    Ok(())
}
fn qiflush(_: (), flag: bool) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { if flag { nc::qiflush() } else { nc::noqiflush() } };
    Ok(())
}
fn curs_set(_: (), visibility: i32) -> PyResult<i32> {
    initialised()?;
    // SAFETY: initialised.
    let before = unsafe { nc::curs_set(visibility) };
    check(before, "curs_set")?;
    Ok(before)
}
fn delay_output(_: (), ms: i32) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::delay_output(ms) }, "delay_output")
}
fn erasechar(_: ()) -> PyResult<Owned> {
    initialised()?;
    // SAFETY: initialised.
    bytes(&[unsafe { nc::erasechar() } as u8])
}
fn killchar(_: ()) -> PyResult<Owned> {
    // SAFETY: plain call.
    bytes(&[unsafe { nc::killchar() } as u8])
}
fn halfdelay(_: (), tenths: u8) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::halfdelay(tenths as c_int) }, "halfdelay")
}
fn has_key(_: (), key: i32) -> PyResult<bool> {
    initialised()?;
    // SAFETY: initialised.
    Ok(unsafe { nc::has_key(key) } != 0)
}
fn intrflush(_: (), flag: bool) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::intrflush(null_mut(), flag as u8) }, "intrflush")
}
fn keyname(_: (), key: i32) -> PyResult<Owned> {
    initialised()?;
    if key < 0 {
        bail!(PyExc_ValueError, "invalid key number");
    }
    // SAFETY: initialised.
    unsafe { c_bytes(nc::keyname(key)) }
}
fn meta(_: (), yes: bool) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::meta(*nc::stdscr(), yes as u8) }, "meta")
}
fn napms(_: (), ms: i32) -> PyResult<i32> {
    initialised()?;
    // SAFETY: initialised.
    Ok(unsafe { nc::napms(ms) })
}
fn typeahead(_: (), fd: i32) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::typeahead(fd) }, "typeahead")
}
fn use_env(_: (), flag: bool) -> PyResult<()> {
    // SAFETY: to be called before initscr().
    unsafe { nc::use_env(flag as u8) };
    Ok(())
}

// ---- the terminal description

fn setupterm(_: (), term: Option<&str>, fd: i32) -> PyResult<()> {
    let term = term.map(|t| c_string(t.as_bytes(), "character")).transpose()?;
    let mut fd = fd;
    // SAFETY: [GIL] sys.stdout is kept while it is asked.
    unsafe {
        if fd == -1 {
            let out = Owned::from_borrowed_or_opt(PySys_GetObject(c"stdout".as_ptr()));
            let Some(out) = out.filter(|o| o.as_ptr() != Py_None()) else { return Err(error("lost sys.stdout")) };
            fd = PyObject_AsFileDescriptor(out.as_ptr());
            if fd == -1 {
                return Err(Raised::assume());
            }
        }
        let mut status = 0;
        if !TERMINAL_SET_UP.load(Relaxed) && nc::setupterm(term.as_ref().map_or(null(), |t| t.as_ptr()), fd, &mut status) == ERR {
            return Err(error(match status {
                0 => "setupterm: could not find terminal",
                -1 => "setupterm: could not find terminfo database",
                _ => "setupterm: unknown error",
            }));
        }
    }
    TERMINAL_SET_UP.store(true, Relaxed);
    Ok(())
}
fn tigetflag(_: (), capname: &str) -> PyResult<i32> {
    let name = c_string(capname.as_bytes(), "character")?;
    terminal_set_up()?;
    // SAFETY: set up.
    Ok(unsafe { nc::tigetflag(name.as_ptr()) })
}
fn tigetnum(_: (), capname: &str) -> PyResult<i32> {
    let name = c_string(capname.as_bytes(), "character")?;
    terminal_set_up()?;
    // SAFETY: set up.
    Ok(unsafe { nc::tigetnum(name.as_ptr()) })
}
fn tigetstr(_: (), capname: &str) -> PyResult<Option<Owned>> {
    let name = c_string(capname.as_bytes(), "character")?;
    terminal_set_up()?;
    // SAFETY: set up.
    unsafe {
        let text = nc::tigetstr(name.as_ptr());
        // -1 says that it is no string capability.
        if text.is_null() || text.addr() == usize::MAX { Ok(None) } else { c_bytes(text).map(Some) }
    }
}
#[allow(clippy::too_many_arguments, reason = "the signature's")]
fn tparm(_: (), str: BufferView, i1: i32, i2: i32, i3: i32, i4: i32, i5: i32, i6: i32, i7: i32, i8: i32, i9: i32) -> PyResult<Owned> {
    let text = c_string(str.as_bytes(), "byte")?;
    terminal_set_up()?;
    let [a, b, c, d, e, f, g, h, i] = [i1, i2, i3, i4, i5, i6, i7, i8, i9].map(c_long::from);
    // SAFETY: set up; a capability takes at most nine numbers.
    unsafe {
        let out = nc::tparm()(text.as_ptr(), a, b, c, d, e, f, g, h, i);
        if out.is_null() { Err(error("tparm() returned NULL")) } else { c_bytes(out) }
    }
}
fn putp(_: (), string: BufferView) -> PyResult<()> {
    let text = c_string(string.as_bytes(), "byte")?;
    // SAFETY: a C string.
    check(unsafe { nc::putp(text.as_ptr()) }, "putp")
}

// ---- the screen

fn initscr(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL] variables of the library, valid after initscr().
    unsafe {
        if INITIALISED.load(Relaxed) {
            let screen = *nc::stdscr();
            nc::wrefresh(screen);
            return window_new(screen, null(), null_mut());
        }
        let screen = nc::initscr();
        if screen.is_null() {
            return Err(error("curses function returned NULL"));
        }
        INITIALISED.store(true, Relaxed);
        TERMINAL_SET_UP.store(true, Relaxed);
        for &(name, index) in nc::ACS {
            set_int(&c_string(name.as_bytes(), "character")?, *nc::acs_map().add(index as usize) as i64)?;
        }
        set_int(c"LINES", *nc::LINES() as i64)?;
        set_int(c"COLS", *nc::COLS() as i64)?;
        let window = window_new(screen, null(), null_mut())?;
        let encoding = CStr::from_ptr(crate::window::encoding(window.borrow().cast())).to_owned();
        if let Ok(mut known) = SCREEN_ENCODING.lock() {
            *known = Some(encoding);
        }
        Ok(window)
    }
}
fn newwin(_: Borrowed<'_>, args: &[*mut PyObject]) -> PyResult<Owned> {
    let g = groups(args, "newwin", [0, 2, 2])?;
    let [lines, columns] = ints(Some(g.middle))?.unwrap_or([0, 0]);
    let [y, x] = ints(g.right)?.unwrap_or([0, 0]);
    initialised()?;
    // SAFETY: initialised.
    unsafe { window_new(nc::newwin(lines, columns, y, x), null(), null_mut()) }
}
fn newpad(_: (), nlines: i32, ncols: i32) -> PyResult<Owned> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { window_new(nc::newpad(nlines, ncols), null(), null_mut()) }
}
fn getwin(_: (), file: Borrowed<'_>) -> PyResult<Owned> {
    initialised()?;
    // The library reads from a stream of C alone.
    let through = TemporaryFile::new()?;
    let read = string("read")?;
    // SAFETY: initialised; [TYPE] checked.
    unsafe {
        let data = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(file.ob(), read.as_ptr()))?;
        if PyBytes_Check(data.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "f.read() returned {} instead of bytes", type_name(data.as_ptr()));
        }
        let n = PyBytes_Size(data.as_ptr()) as usize;
        if libc::fwrite(PyBytes_AsString(data.as_ptr()).cast(), 1, n, through.0) != n {
            return Err(taipan_clinic::support::os_error());
        }
        through.rewind();
        window_new(nc::getwin(through.0), null(), null_mut())
    }
}
fn getsyx(_: ()) -> PyResult<Owned> {
    initialised()?;
    // SAFETY: initialised.
    let (y, x) = unsafe {
        let screen = *nc::newscr();
        match () {
            () if screen.is_null() => (0, 0),
            () if nc::is_leaveok(screen) != 0 => (-1, -1),
            () => (nc::getcury(screen), nc::getcurx(screen)),
        }
    };
    tuple(vec![int(y as i64)?, int(x as i64)?])
}
fn setsyx(_: (), y: i32, x: i32) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe {
        let screen = *nc::newscr();
        if !screen.is_null() {
            let leave = y == -1 && x == -1;
            nc::leaveok(screen, leave as u8);
            if !leave {
                nc::wmove(screen, y, x);
            }
        }
    }
    Ok(())
}
/// Tells this module and `curses` the size of the screen.
fn update_lines_cols(_: ()) -> PyResult<()> {
    // SAFETY: [GIL] variables of the library.
    unsafe {
        let curses = Owned::from_owned_or_err(PyImport_ImportModule(c"curses".as_ptr()))?;
        for (name, n) in [(c"LINES", *nc::LINES()), (c"COLS", *nc::COLS())] {
            check_status(PyObject_SetAttrString(curses.as_ptr(), name.as_ptr(), int(n as i64)?.as_ptr()))?;
            set_int(name, n as i64)?;
        }
    }
    Ok(())
}
fn is_term_resized(_: (), nlines: i32, ncols: i32) -> PyResult<bool> {
    initialised()?;
    // SAFETY: initialised.
    Ok(unsafe { nc::is_term_resized(nlines, ncols) } != 0)
}
fn resizeterm(_: (), nlines: i16, ncols: i16) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::resizeterm(nlines as c_int, ncols as c_int) }, "resizeterm")?;
    update_lines_cols(())
}
fn resize_term(_: (), nlines: i16, ncols: i16) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::resize_term(nlines as c_int, ncols as c_int) }, "resize_term")?;
    update_lines_cols(())
}
fn get_escdelay(_: ()) -> PyResult<i32> {
    // SAFETY: [GIL] a variable of the library.
    Ok(unsafe { *nc::ESCDELAY() })
}
fn set_escdelay(_: (), ms: i32) -> PyResult<()> {
    if ms <= 0 {
        bail!(PyExc_ValueError, "ms must be > 0");
    }
    // SAFETY: plain call.
    check(unsafe { nc::set_escdelay(ms) }, "set_escdelay")
}
fn get_tabsize(_: ()) -> PyResult<i32> {
    // SAFETY: [GIL] a variable of the library.
    Ok(unsafe { *nc::TABSIZE() })
}
fn set_tabsize(_: (), size: i32) -> PyResult<()> {
    if size <= 0 {
        bail!(PyExc_ValueError, "size must be > 0");
    }
    // SAFETY: plain call.
    check(unsafe { nc::set_tabsize(size) }, "set_tabsize")
}

// ---- colours

fn start_color(_: ()) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe {
        check(nc::start_color(), "start_color")?;
        COLOURS_STARTED.store(true, Relaxed);
        set_int(c"COLORS", *nc::COLORS() as i64)?;
        set_int(c"COLOR_PAIRS", *nc::COLOR_PAIRS() as i64)
    }
}
fn use_default_colors(_: ()) -> PyResult<()> {
    colours_started()?;
    // SAFETY: initialised.
    check(unsafe { nc::use_default_colors() }, "use_default_colors")
}
fn color_content(_: (), color_number: Color) -> PyResult<Owned> {
    colours_started()?;
    let [mut r, mut g, mut b] = [0; 3];
    // SAFETY: initialised.
    check(unsafe { nc::extended_color_content(color_number.0, &mut r, &mut g, &mut b) }, "extended_color_content")?;
    tuple(vec![int(r as i64)?, int(g as i64)?, int(b as i64)?])
}
fn color_pair(_: (), pair_number: i32) -> PyResult<i64> {
    colours_started()?;
    Ok(nc::color_pair(pair_number) as i64)
}
fn pair_number(_: (), attr: i32) -> PyResult<i32> {
    colours_started()?;
    Ok((attr as u32 & nc::A_COLOR) as i32 >> 8)
}
fn init_color(_: (), color_number: Color, r: Component, g: Component, b: Component) -> PyResult<()> {
    colours_started()?;
    // SAFETY: initialised.
    check(unsafe { nc::init_extended_color(color_number.0, r.0, g.0, b.0) }, "init_extended_color")
}
/// What a function about a pair returned.
fn check_pair(code: c_int, pair: Pair, name: &str) -> PyResult<()> {
    // SAFETY: [GIL] a variable of the library.
    let pairs = unsafe { *nc::COLOR_PAIRS() };
    if code == ERR && pair.0 >= pairs {
        bail!(PyExc_ValueError, "Color pair is greater than COLOR_PAIRS-1 ({}).", pairs.wrapping_sub(1));
    }
    check(code, name)
}
fn init_pair(_: (), pair_number: Pair, fg: ColorOrDefault, bg: ColorOrDefault) -> PyResult<()> {
    colours_started()?;
    // SAFETY: initialised.
    check_pair(unsafe { nc::init_extended_pair(pair_number.0, fg.0, bg.0) }, pair_number, "init_extended_pair")
}
fn pair_content(_: (), pair_number: Pair) -> PyResult<Owned> {
    colours_started()?;
    let [mut f, mut b] = [0; 2];
    // SAFETY: initialised.
    check_pair(unsafe { nc::extended_pair_content(pair_number.0, &mut f, &mut b) }, pair_number, "extended_pair_content")?;
    tuple(vec![int(f as i64)?, int(b as i64)?])
}
fn has_extended_color_support(_: ()) -> PyResult<bool> {
    // The functions that this module calls are the extended ones.
    Ok(true)
}

// ---- mouse and input queue

fn getmouse(_: ()) -> PyResult<Owned> {
    initialised()?;
    let mut e = nc::MEVENT::default();
    // SAFETY: initialised.
    check(unsafe { nc::getmouse(&mut e) }, "getmouse")?;
    tuple(vec![int(e.id as i64)?, int(e.x as i64)?, int(e.y as i64)?, int(e.z as i64)?, int(e.bstate as i64)?])
}
fn ungetmouse(_: (), id: i16, x: i32, y: i32, z: i32, bstate: u64) -> PyResult<()> {
    initialised()?;
    let mut e = nc::MEVENT { id: id as c_short, x, y, z, bstate: bstate as nc::mmask_t };
    // SAFETY: initialised.
    check(unsafe { nc::ungetmouse(&mut e) }, "ungetmouse")
}
fn mouseinterval(_: (), interval: i32) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    check(unsafe { nc::mouseinterval(interval) }, "mouseinterval")
}
fn mousemask(_: (), newmask: u64) -> PyResult<Owned> {
    initialised()?;
    let mut old = 0;
    // SAFETY: initialised.
    let available = unsafe { nc::mousemask(newmask as nc::mmask_t, &mut old) };
    tuple(vec![int(available as i64)?, int(old as i64)?])
}
fn unctrl(_: (), ch: Borrowed<'_>) -> PyResult<Owned> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { c_bytes(nc::unctrl(to_chtype(ch.ob(), null())?)) }
}
fn ungetch(_: (), ch: Borrowed<'_>) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { check(nc::ungetch(to_chtype(ch.ob(), null())? as c_int), "ungetch") }
}
fn unget_wch(_: (), ch: Borrowed<'_>) -> PyResult<()> {
    initialised()?;
    // SAFETY: initialised.
    unsafe { check(nc::unget_wch(to_wchar(ch.ob())?), "unget_wch") }
}

methods! {
    static METHODS = [
        "baudrate($module, /)" => baudrate, "The terminal's speed in bits a second.";
        "beep($module, /)" => beep, "Make a sound.";
        "can_change_color($module, /)" => can_change_color, "Whether colours can be redefined.";
        "cbreak($module, flag=True, /)" => cbreak, "Read keys without waiting for the line's end.";
        "color_content($module, color_number, /)" => color_content, "A colour's parts: (red, green, blue).";
        "color_pair($module, pair_number, /)" => color_pair, "The attribute that selects a colour pair.";
        "curs_set($module, visibility, /)" => curs_set, "Set the cursor's visibility, 0 to 2; returns what it was.";
        "def_prog_mode($module, /)" => def_prog_mode, "Keep the terminal's state as the program's.";
        "def_shell_mode($module, /)" => def_shell_mode, "Keep the terminal's state as the shell's.";
        "delay_output($module, ms, /)" => delay_output, "Pause the output.";
        "doupdate($module, /)" => doupdate, "Bring the screen up to date.";
        "echo($module, flag=True, /)" => echo, "Show what is typed.";
        "endwin($module, /)" => endwin, "Leave curses' mode.";
        "erasechar($module, /)" => erasechar, "The character that erases the last one.";
        "filter($module, /)" => filter, "Use one line only; to be called before initscr().";
        "flash($module, /)" => flash, "Flash the screen.";
        "flushinp($module, /)" => flushinp, "Forget what was typed.";
        "getmouse($module, /)" => getmouse, "The last mouse event: (id, x, y, z, bstate).";
        "ungetmouse($module, id, x, y, z, bstate, /)" => ungetmouse, "Put a mouse event into the queue.";
        "getsyx($module, /)" => getsyx, "(y, x) of the virtual screen's cursor.";
        "getwin($module, file, /)" => getwin, "Read a window that putwin() wrote.";
        "has_colors($module, /)" => has_colors, "Whether the terminal has colours.";
        "has_extended_color_support($module, /)" => has_extended_color_support, "Whether more than 256 colours are supported.";
        "has_ic($module, /)" => has_ic, "Whether the terminal inserts characters.";
        "has_il($module, /)" => has_il, "Whether the terminal inserts lines.";
        "has_key($module, key, /)" => has_key, "Whether the terminal has a key.";
        "halfdelay($module, tenths, /)" => halfdelay, "As cbreak(), but reading a key fails after so many tenths of a second.";
        "init_color($module, color_number, r, g, b, /)" => init_color, "Redefine a colour.";
        "init_pair($module, pair_number, fg, bg, /)" => init_pair, "Define a colour pair.";
        "initscr($module, /)" => initscr, "Enter curses' mode; returns the window of the whole screen.";
        "intrflush($module, flag, /)" => intrflush, "Whether interrupts flush the output.";
        "isendwin($module, /)" => isendwin, "Whether endwin() was called.";
        "is_term_resized($module, nlines, ncols, /)" => is_term_resized, "Whether resize_term() would change anything.";
        "keyname($module, key, /)" => keyname, "A key's name, as bytes.";
        "killchar($module, /)" => killchar, "The character that erases the line.";
        "longname($module, /)" => longname, "The terminal's description.";
        "meta($module, yes, /)" => meta, "Whether typed characters have 8 bits.";
        "mouseinterval($module, interval, /)" => mouseinterval, "Set within how many milliseconds press and release make a click.";
        "mousemask($module, newmask, /)" => mousemask, "Set which mouse events are reported; returns (those available, the former mask).";
        "napms($module, ms, /)" => napms, "Sleep.";
        "newpad($module, nlines, ncols, /)" => newpad, "A pad: a window that may be larger than the screen.";
        raw "newwin", fastcall!(newwin), METH_FASTCALL, "newwin(nlines, ncols, [begin_y=0, begin_x=0])\nA new window.";
        "nl($module, flag=True, /)" => nl, "Translate between newline and the terminal's line ends.";
        "nocbreak($module, /)" => nocbreak, "Undo cbreak().";
        "noecho($module, /)" => noecho, "Undo echo().";
        "nonl($module, /)" => nonl, "Undo nl().";
        "noqiflush($module, /)" => noqiflush, "Undo qiflush().";
        "noraw($module, /)" => noraw, "Undo raw().";
        "pair_content($module, pair_number, /)" => pair_content, "A pair's colours: (foreground, background).";
        "pair_number($module, attr, /)" => pair_number, "The colour pair that an attribute selects.";
        "putp($module, string, /)" => putp, "Write a capability's string to the standard output.";
        "qiflush($module, flag=True, /)" => qiflush, "Whether interrupts flush the queues.";
        "raw($module, flag=True, /)" => raw, "As cbreak(), and signals aren't made from keys.";
        "reset_prog_mode($module, /)" => reset_prog_mode, "Restore what def_prog_mode() kept.";
        "reset_shell_mode($module, /)" => reset_shell_mode, "Restore what def_shell_mode() kept.";
        "resetty($module, /)" => resetty, "Restore what savetty() kept.";
        "resizeterm($module, nlines, ncols, /)" => resizeterm, "Change the size of the standard windows, for a terminal of a new size.";
        "resize_term($module, nlines, ncols, /)" => resize_term, "As resizeterm(), without telling who reads keys.";
        "savetty($module, /)" => savetty, "Keep the terminal's state.";
        "get_escdelay($module, /)" => get_escdelay, "How many milliseconds an escape sequence may take.";
        "set_escdelay($module, ms, /)" => set_escdelay, "Set how many milliseconds an escape sequence may take.";
        "get_tabsize($module, /)" => get_tabsize, "The distance of tabulator stops.";
        "set_tabsize($module, size, /)" => set_tabsize, "Set the distance of tabulator stops.";
        "setsyx($module, y, x, /)" => setsyx, "Move the virtual screen's cursor; (-1, -1) lets it be.";
        "setupterm($module, /, term=None, fd=-1)" => setupterm, "Read a terminal's description: by default that of TERM and of sys.stdout.";
        "start_color($module, /)" => start_color, "Prepare for colours; sets COLORS and COLOR_PAIRS.";
        "termattrs($module, /)" => termattrs, "All attributes that the terminal has.";
        "termname($module, /)" => termname, "The terminal's name.";
        "tigetflag($module, capname, /)" => tigetflag, "A truth capability: 1 or 0, -1 if it is none.";
        "tigetnum($module, capname, /)" => tigetnum, "A number capability: -1 if absent, -2 if it is none.";
        "tigetstr($module, capname, /)" => tigetstr, "A string capability, None if absent.";
        "tparm($module, str, i1=0, i2=0, i3=0, i4=0, i5=0, i6=0, i7=0, i8=0, i9=0, /)" => tparm, "Put numbers into a capability's string.";
        "typeahead($module, fd, /)" => typeahead, "Set whose input postpones updates of the screen; -1 for none.";
        "unctrl($module, ch, /)" => unctrl, "A printable form of a character.";
        "ungetch($module, ch, /)" => ungetch, "Put a character into the input queue.";
        "update_lines_cols($module, /)" => update_lines_cols, "Set LINES and COLS from the terminal's size.";
        "unget_wch($module, ch, /)" => unget_wch, "Put a character of any code point into the input queue.";
        "use_env($module, flag, /)" => use_env, "Whether LINES and COLUMNS of the environment count; to be called before initscr().";
        "use_default_colors($module, /)" => use_default_colors, "Let -1 stand for the terminal's own colours.";
    ];
}

// ---- initialisation

/// The functions that `_curses` hands to other modules in its capsule, after the window type.
mod c_api {
    use super::*;
    pub unsafe extern "C" fn setup_term_called() -> c_int {
        terminal_set_up().is_ok() as c_int
    }
    pub unsafe extern "C" fn curses_initialised() -> c_int {
        initialised().is_ok() as c_int
    }
    pub unsafe extern "C" fn color_initialised() -> c_int {
        if COLOURS_STARTED.load(Relaxed) {
            return 1;
        }
        let _ = error("must call start_color() first");
        0
    }
}
/// Name of the capsule.
const CAPSULE: &CStr = c"_curses._C_API";

unsafe extern "C" fn capsule_free(op: *mut PyObject) {
    // SAFETY: [OWN] made by `capsule`.
    unsafe {
        let table = PyCapsule_GetPointer(op, CAPSULE.as_ptr()).cast::<*mut PyObject>();
        Py_DECREF(*table);
        PyMem_Free(table.cast());
    }
}
fn capsule() -> PyResult<Owned> {
    // SAFETY: [OWN] a table of four pointers, of which the first counts.
    unsafe {
        let table = PyMem_Malloc(4 * size_of::<*mut c_void>()).cast::<*mut c_void>();
        if table.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let tp = (&raw mut PyCursesWindow_Type).cast::<PyObject>();
        Py_INCREF(tp);
        *table = tp.cast();
        *table.add(1) = c_api::setup_term_called as *mut c_void;
        *table.add(2) = c_api::curses_initialised as *mut c_void;
        *table.add(3) = c_api::color_initialised as *mut c_void;
        let made = PyCapsule_New(table.cast(), CAPSULE.as_ptr(), Some(capsule_free));
        if made.is_null() {
            Py_DECREF(tp);
            PyMem_Free(table.cast());
        }
        Owned::from_owned_or_err(made)
    }
}

/// The library's version as a named tuple.
fn ncurses_version() -> PyResult<Owned> {
    // SAFETY: [GIL] [OWN] each field is given to the tuple.
    unsafe {
        let field = |name: &'static CStr, doc: &'static CStr| PyStructSequence_Field { name: name.as_ptr(), doc: doc.as_ptr() };
        let mut fields = [
            field(c"major", c"Major release number"),
            field(c"minor", c"Minor release number"),
            field(c"patch", c"Patch release number"),
            PyStructSequence_Field { name: null(), doc: null() },
        ];
        let mut desc = PyStructSequence_Desc {
            name: c"curses.ncurses_version".as_ptr(),
            doc: c"curses.ncurses_version\n\nThe version of ncurses, as a named tuple.".as_ptr(),
            fields: fields.as_mut_ptr(),
            n_in_sequence: 3,
        };
        let tp = Owned::from_owned_or_err(_PyStructSequence_NewType(&mut desc, Py_TPFLAGS_DISALLOW_INSTANTIATION as c_ulong))?;
        let version = Owned::from_owned_or_err(PyStructSequence_New(tp.as_ptr()))?;
        // "ncurses 6.4.20221231"
        let text = nc::curses_version();
        let text = if text.is_null() { "".into() } else { CStr::from_ptr(text).to_string_lossy() };
        let mut numbers = text
            .trim_start_matches(|c: char| !c.is_ascii_digit())
            .split('.')
            .map(|part| part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<i64>().unwrap_or(0));
        for i in 0..3 {
            PyStructSequence_SetItem(version.as_ptr(), i, int(numbers.next().unwrap_or(0))?.into_raw());
        }
        Ok(version)
    }
}

/// Names of keys: what the library calls them, function keys without parentheses.
fn set_keys() -> PyResult<()> {
    for key in nc::KEY_MIN..nc::KEY_MAX {
        // SAFETY: [GIL] the name is valid until the next call.
        let name: *const c_char = unsafe { nc::keyname(key) };
        if name.is_null() {
            continue;
        }
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(name) };
        match name.to_bytes() {
            b"UNKNOWN KEY" => {}
            n if n.starts_with(b"KEY_F(") => {
                let plain: Vec<u8> = n.iter().copied().filter(|c| !b"()".contains(c)).collect();
                set_int(&c_string(&plain, "character")?, key as i64)?;
            }
            _ => set_int(name, key as i64)?,
        }
    }
    set_int(c"KEY_MIN", nc::KEY_MIN as i64)?;
    set_int(c"KEY_MAX", nc::KEY_MAX as i64)
}

fn fill(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] [STATIC] the dictionary lives as long as the module.
    unsafe {
        let dict = PyModule_GetDict(module.ob());
        MODULE_DICT.store(dict, Relaxed);
        let set = |name: &CStr, value: PyResult<Owned>| check_status(PyDict_SetItemString(dict, name.as_ptr(), value?.as_ptr()));
        set(c"_C_API", capsule())?;
        let class = Owned::from_owned_or_err(PyErr_NewException(c"_curses.error".as_ptr(), null_mut(), null_mut()))?;
        ERROR.store(class.clone().into_raw(), Relaxed);
        set(c"error", Ok(class))?;
        set(c"version", bytes(b"2.2"))?;
        set(c"__version__", bytes(b"2.2"))?;
        set(c"ncurses_version", ncurses_version())?;
        set_int(c"ERR", ERR as i64)?;
        set_int(c"OK", 0)?;
        set_ints(nc::ATTRIBUTES)?;
        for (i, name) in nc::COLOURS.iter().enumerate() {
            set_int(&c_string(name.as_bytes(), "character")?, i as i64)?;
        }
        for button in 1..=5 {
            for (i, event) in nc::BUTTON_EVENTS.iter().enumerate() {
                let name = format!("BUTTON{button}_{event}");
                set_int(&c_string(name.as_bytes(), "character")?, 1 << ((button - 1) * 5 + i))?;
            }
        }
        set_ints(nc::MOUSE)?;
        set_keys()?;
        check_status(PyModule_AddType(module.ob(), &raw mut PyCursesWindow_Type))
    }
}

/// Entry point of `_curses`: one initialisation for the process, because the library knows one screen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__curses() -> *mut PyObject {
    static mut DEF: PyModuleDef = PyModuleDef {
        m_base: PyModuleDef_HEAD_INIT,
        m_name: c"_curses".as_ptr(),
        m_doc: null(),
        m_size: -1,
        m_methods: (&raw mut METHODS).cast(),
        m_slots: null_mut(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    };
    let made = || -> PyResult<Owned> {
        nc::load()?;
        // SAFETY: [STATIC] the definition and the type are static.
        unsafe {
            check_status(PyType_Ready(&raw mut PyCursesWindow_Type))?;
            let module = Owned::from_owned_or_err(PyModule_Create2(&raw mut DEF, PYTHON_API_VERSION))?;
            fill(module.borrow())?;
            Ok(module)
        }
    };
    made().into_c()
}
