//! What is used of ncurses with wide characters, ABI 6.

use core::ffi::{c_char, c_int, c_long, c_short, c_void};
use libc::{FILE, wchar_t};

/// A window, which only the library looks into.
pub enum WINDOW {}
/// A character with attributes.
pub type chtype = u32;
/// Attributes.
pub type attr_t = u32;
/// A set of mouse events.
pub type mmask_t = u32;
/// `wint_t`.
pub type wint_t = u32;

/// A wide character with combining ones, attributes and colours.
#[repr(C)]
#[derive(Default)]
pub struct cchar_t {
    attr: attr_t,
    chars: [wchar_t; 5],
    ext_color: c_int,
}

/// A mouse event.
#[repr(C)]
#[derive(Default)]
#[allow(missing_docs, reason = "fields of the library's header")]
pub struct MEVENT {
    pub id: c_short,
    pub x: c_int,
    pub y: c_int,
    pub z: c_int,
    pub bstate: mmask_t,
}

/// What failing functions return.
pub const ERR: c_int = -1;
/// The first number of a special key.
pub const KEY_MIN: c_int = 0o401;
/// The last.
pub const KEY_MAX: c_int = 0o777;
/// `get_wch` read a special key.
pub const KEY_CODE_YES: c_int = 0o400;
/// All bits of a [`chtype`] that are attributes.
pub const A_ATTRIBUTES: u32 = !0xff;
/// Its bits for the number of a colour pair.
pub const A_COLOR: u32 = 0xff00;

/// Attributes by name.
pub const ATTRIBUTES: &[(&str, i64)] = &[
    ("A_ATTRIBUTES", A_ATTRIBUTES as i64),
    ("A_NORMAL", 0),
    ("A_STANDOUT", 1 << 16),
    ("A_UNDERLINE", 1 << 17),
    ("A_REVERSE", 1 << 18),
    ("A_BLINK", 1 << 19),
    ("A_DIM", 1 << 20),
    ("A_BOLD", 1 << 21),
    ("A_ALTCHARSET", 1 << 22),
    ("A_INVIS", 1 << 23),
    ("A_PROTECT", 1 << 24),
    ("A_CHARTEXT", 0xff),
    ("A_COLOR", A_COLOR as i64),
    ("A_HORIZONTAL", 1 << 25),
    ("A_LEFT", 1 << 26),
    ("A_LOW", 1 << 27),
    ("A_RIGHT", 1 << 28),
    ("A_TOP", 1 << 29),
    ("A_VERTICAL", 1 << 30),
    ("A_ITALIC", 1 << 31),
];

/// Colours in the order of their numbers.
pub const COLOURS: [&str; 8] =
    ["COLOR_BLACK", "COLOR_RED", "COLOR_GREEN", "COLOR_YELLOW", "COLOR_BLUE", "COLOR_MAGENTA", "COLOR_CYAN", "COLOR_WHITE"];

/// What a mouse button does, in the order of the bits: five a button.
pub const BUTTON_EVENTS: [&str; 5] = ["RELEASED", "PRESSED", "CLICKED", "DOUBLE_CLICKED", "TRIPLE_CLICKED"];

/// The other bits of mouse events.
pub const MOUSE: &[(&str, i64)] = &[
    ("BUTTON_CTRL", 1 << 25),
    ("BUTTON_SHIFT", 1 << 26),
    ("BUTTON_ALT", 1 << 27),
    ("ALL_MOUSE_EVENTS", (1 << 28) - 1),
    ("REPORT_MOUSE_POSITION", 1 << 28),
];

/// Graphic characters: a name and the index in `acs_map`.
pub const ACS: &[(&str, u8)] = &[
    ("ACS_ULCORNER", b'l'),
    ("ACS_LLCORNER", b'm'),
    ("ACS_URCORNER", b'k'),
    ("ACS_LRCORNER", b'j'),
    ("ACS_LTEE", b't'),
    ("ACS_RTEE", b'u'),
    ("ACS_BTEE", b'v'),
    ("ACS_TTEE", b'w'),
    ("ACS_HLINE", b'q'),
    ("ACS_VLINE", b'x'),
    ("ACS_PLUS", b'n'),
    ("ACS_S1", b'o'),
    ("ACS_S9", b's'),
    ("ACS_DIAMOND", b'`'),
    ("ACS_CKBOARD", b'a'),
    ("ACS_DEGREE", b'f'),
    ("ACS_PLMINUS", b'g'),
    ("ACS_BULLET", b'~'),
    ("ACS_LARROW", b','),
    ("ACS_RARROW", b'+'),
    ("ACS_DARROW", b'.'),
    ("ACS_UARROW", b'-'),
    ("ACS_BOARD", b'h'),
    ("ACS_LANTERN", b'i'),
    ("ACS_BLOCK", b'0'),
    ("ACS_BSSB", b'l'),
    ("ACS_SSBB", b'm'),
    ("ACS_BBSS", b'k'),
    ("ACS_SBBS", b'j'),
    ("ACS_SBSS", b'u'),
    ("ACS_SSSB", b't'),
    ("ACS_SSBS", b'v'),
    ("ACS_BSSS", b'w'),
    ("ACS_BSBS", b'q'),
    ("ACS_SBSB", b'x'),
    ("ACS_SSSS", b'n'),
    ("ACS_S3", b'p'),
    ("ACS_S7", b'r'),
    ("ACS_LEQUAL", b'y'),
    ("ACS_GEQUAL", b'z'),
    ("ACS_PI", b'{'),
    ("ACS_NEQUAL", b'|'),
    ("ACS_STERLING", b'}'),
];

/// The attribute that selects a colour pair.
pub fn color_pair(n: c_int) -> u32 {
    (n as u32) << 8 & A_COLOR
}
/// The colour pair that attributes select.
pub fn pair_number(attr: i64) -> c_short {
    ((attr as u32 & A_COLOR) >> 8) as c_short
}

crate::library! {
    /// ncurses and, through it, libtinfo.
    "_curses", ["libncursesw.so.6"];
    functions {
        fn baudrate() -> c_int;
        fn beep() -> c_int;
        fn can_change_color() -> u8;
        fn cbreak() -> c_int;
        fn copywin(from: *const WINDOW, to: *mut WINDOW, sminrow: c_int, smincol: c_int, dminrow: c_int, dmincol: c_int, dmaxrow: c_int, dmaxcol: c_int, over: c_int) -> c_int;
        fn curs_set(visibility: c_int) -> c_int;
        fn curses_version() -> *const c_char;
        fn def_prog_mode() -> c_int;
        fn def_shell_mode() -> c_int;
        fn delay_output(ms: c_int) -> c_int;
        fn delwin(win: *mut WINDOW) -> c_int;
        fn derwin(win: *mut WINDOW, nlines: c_int, ncols: c_int, y: c_int, x: c_int) -> *mut WINDOW;
        fn doupdate() -> c_int;
        fn echo() -> c_int;
        fn endwin() -> c_int;
        fn erasechar() -> c_char;
        fn extended_color_content(color: c_int, r: *mut c_int, g: *mut c_int, b: *mut c_int) -> c_int;
        fn extended_pair_content(pair: c_int, f: *mut c_int, b: *mut c_int) -> c_int;
        fn filter();
        fn flash() -> c_int;
        fn flushinp() -> c_int;
        fn getattrs(win: *const WINDOW) -> c_int;
        fn getbegx(win: *const WINDOW) -> c_int;
        fn getbegy(win: *const WINDOW) -> c_int;
        fn getbkgd(win: *mut WINDOW) -> chtype;
        fn getcurx(win: *const WINDOW) -> c_int;
        fn getcury(win: *const WINDOW) -> c_int;
        fn getmaxx(win: *const WINDOW) -> c_int;
        fn getmaxy(win: *const WINDOW) -> c_int;
        fn getmouse(event: *mut MEVENT) -> c_int;
        fn getparx(win: *const WINDOW) -> c_int;
        fn getpary(win: *const WINDOW) -> c_int;
        fn getwin(file: *mut FILE) -> *mut WINDOW;
        fn halfdelay(tenths: c_int) -> c_int;
        fn has_colors() -> u8;
        fn has_ic() -> u8;
        fn has_il() -> u8;
        fn has_key(key: c_int) -> c_int;
        fn idcok(win: *mut WINDOW, flag: u8);
        fn idlok(win: *mut WINDOW, flag: u8) -> c_int;
        fn immedok(win: *mut WINDOW, flag: u8);
        fn init_extended_color(color: c_int, r: c_int, g: c_int, b: c_int) -> c_int;
        fn init_extended_pair(pair: c_int, f: c_int, b: c_int) -> c_int;
        fn initscr() -> *mut WINDOW;
        fn intrflush(win: *mut WINDOW, flag: u8) -> c_int;
        fn is_leaveok(win: *const WINDOW) -> u8;
        fn is_linetouched(win: *mut WINDOW, line: c_int) -> u8;
        fn is_pad(win: *const WINDOW) -> u8;
        fn is_term_resized(lines: c_int, columns: c_int) -> u8;
        fn is_wintouched(win: *mut WINDOW) -> u8;
        fn isendwin() -> u8;
        fn keyname(key: c_int) -> *const c_char;
        fn keypad(win: *mut WINDOW, flag: u8) -> c_int;
        fn killchar() -> c_char;
        fn clearok(win: *mut WINDOW, flag: u8) -> c_int;
        fn leaveok(win: *mut WINDOW, flag: u8) -> c_int;
        fn longname() -> *mut c_char;
        fn meta(win: *mut WINDOW, flag: u8) -> c_int;
        fn mouseinterval(interval: c_int) -> c_int;
        fn mousemask(new: mmask_t, old: *mut mmask_t) -> mmask_t;
        fn mvderwin(win: *mut WINDOW, y: c_int, x: c_int) -> c_int;
        fn mvwin(win: *mut WINDOW, y: c_int, x: c_int) -> c_int;
        fn napms(ms: c_int) -> c_int;
        fn newpad(lines: c_int, columns: c_int) -> *mut WINDOW;
        fn newwin(lines: c_int, columns: c_int, y: c_int, x: c_int) -> *mut WINDOW;
        fn nl() -> c_int;
        fn nocbreak() -> c_int;
        fn nodelay(win: *mut WINDOW, flag: u8) -> c_int;
        fn noecho() -> c_int;
        fn nonl() -> c_int;
        fn noqiflush();
        fn noraw() -> c_int;
        fn notimeout(win: *mut WINDOW, flag: u8) -> c_int;
        fn overlay(from: *const WINDOW, to: *mut WINDOW) -> c_int;
        fn overwrite(from: *const WINDOW, to: *mut WINDOW) -> c_int;
        fn pechochar(pad: *mut WINDOW, ch: chtype) -> c_int;
        fn pnoutrefresh(pad: *mut WINDOW, a: c_int, b: c_int, c: c_int, d: c_int, e: c_int, f: c_int) -> c_int;
        fn prefresh(pad: *mut WINDOW, a: c_int, b: c_int, c: c_int, d: c_int, e: c_int, f: c_int) -> c_int;
        fn putp(text: *const c_char) -> c_int;
        fn putwin(win: *mut WINDOW, file: *mut FILE) -> c_int;
        fn qiflush();
        fn raw() -> c_int;
        fn reset_prog_mode() -> c_int;
        fn reset_shell_mode() -> c_int;
        fn resetty() -> c_int;
        fn resize_term(lines: c_int, columns: c_int) -> c_int;
        fn resizeterm(lines: c_int, columns: c_int) -> c_int;
        fn savetty() -> c_int;
        fn scroll(win: *mut WINDOW) -> c_int;
        fn scrollok(win: *mut WINDOW, flag: u8) -> c_int;
        fn set_escdelay(ms: c_int) -> c_int;
        fn set_tabsize(n: c_int) -> c_int;
        fn setcchar(to: *mut cchar_t, text: *const wchar_t, attr: attr_t, pair: c_short, opts: *const c_void) -> c_int;
        fn setupterm(term: *const c_char, fd: c_int, err: *mut c_int) -> c_int;
        fn start_color() -> c_int;
        fn subpad(pad: *mut WINDOW, lines: c_int, columns: c_int, y: c_int, x: c_int) -> *mut WINDOW;
        fn subwin(win: *mut WINDOW, lines: c_int, columns: c_int, y: c_int, x: c_int) -> *mut WINDOW;
        fn syncok(win: *mut WINDOW, flag: u8) -> c_int;
        fn termattrs() -> chtype;
        fn termname() -> *mut c_char;
        fn tigetflag(name: *const c_char) -> c_int;
        fn tigetnum(name: *const c_char) -> c_int;
        fn tigetstr(name: *const c_char) -> *mut c_char;
        fn touchline(win: *mut WINDOW, start: c_int, count: c_int) -> c_int;
        fn touchwin(win: *mut WINDOW) -> c_int;
        fn typeahead(fd: c_int) -> c_int;
        fn unctrl(ch: chtype) -> *const c_char;
        fn unget_wch(ch: wchar_t) -> c_int;
        fn ungetch(ch: c_int) -> c_int;
        fn ungetmouse(event: *mut MEVENT) -> c_int;
        fn untouchwin(win: *mut WINDOW) -> c_int;
        fn use_default_colors() -> c_int;
        fn use_env(flag: u8);
        fn wadd_wch(win: *mut WINDOW, ch: *const cchar_t) -> c_int;
        fn waddch(win: *mut WINDOW, ch: chtype) -> c_int;
        fn waddnstr(win: *mut WINDOW, text: *const c_char, n: c_int) -> c_int;
        fn waddnwstr(win: *mut WINDOW, text: *const wchar_t, n: c_int) -> c_int;
        fn wattroff(win: *mut WINDOW, attr: c_int) -> c_int;
        fn wattron(win: *mut WINDOW, attr: c_int) -> c_int;
        fn wattrset(win: *mut WINDOW, attr: c_int) -> c_int;
        fn wbkgd(win: *mut WINDOW, ch: chtype) -> c_int;
        fn wbkgdset(win: *mut WINDOW, ch: chtype);
        fn wborder(win: *mut WINDOW, a: chtype, b: chtype, c: chtype, d: chtype, e: chtype, f: chtype, g: chtype, h: chtype) -> c_int;
        fn wchgat(win: *mut WINDOW, n: c_int, attr: attr_t, pair: c_short, opts: *const c_void) -> c_int;
        fn wclear(win: *mut WINDOW) -> c_int;
        fn wclrtobot(win: *mut WINDOW) -> c_int;
        fn wclrtoeol(win: *mut WINDOW) -> c_int;
        fn wcursyncup(win: *mut WINDOW);
        fn wdelch(win: *mut WINDOW) -> c_int;
        fn wechochar(win: *mut WINDOW, ch: chtype) -> c_int;
        fn wenclose(win: *const WINDOW, y: c_int, x: c_int) -> u8;
        fn werase(win: *mut WINDOW) -> c_int;
        fn wget_wch(win: *mut WINDOW, ch: *mut wint_t) -> c_int;
        fn wgetch(win: *mut WINDOW) -> c_int;
        fn wgetnstr(win: *mut WINDOW, text: *mut c_char, n: c_int) -> c_int;
        fn whline(win: *mut WINDOW, ch: chtype, n: c_int) -> c_int;
        fn winch(win: *mut WINDOW) -> chtype;
        fn winnstr(win: *mut WINDOW, text: *mut c_char, n: c_int) -> c_int;
        fn wins_nwstr(win: *mut WINDOW, text: *const wchar_t, n: c_int) -> c_int;
        fn winsch(win: *mut WINDOW, ch: chtype) -> c_int;
        fn winsdelln(win: *mut WINDOW, n: c_int) -> c_int;
        fn winsnstr(win: *mut WINDOW, text: *const c_char, n: c_int) -> c_int;
        fn wmove(win: *mut WINDOW, y: c_int, x: c_int) -> c_int;
        fn wnoutrefresh(win: *mut WINDOW) -> c_int;
        fn wredrawln(win: *mut WINDOW, start: c_int, n: c_int) -> c_int;
        fn wrefresh(win: *mut WINDOW) -> c_int;
        fn wresize(win: *mut WINDOW, lines: c_int, columns: c_int) -> c_int;
        fn wscrl(win: *mut WINDOW, n: c_int) -> c_int;
        fn wsetscrreg(win: *mut WINDOW, top: c_int, bottom: c_int) -> c_int;
        fn wsyncdown(win: *mut WINDOW);
        fn wsyncup(win: *mut WINDOW);
        fn wtimeout(win: *mut WINDOW, delay: c_int);
        fn wtouchln(win: *mut WINDOW, start: c_int, n: c_int, changed: c_int) -> c_int;
        fn wvline(win: *mut WINDOW, ch: chtype, n: c_int) -> c_int;
    }
    pointers {
        tparm: unsafe extern "C" fn(*const c_char, c_long, ...) -> *mut c_char;
    }
    variables {
        COLORS: c_int;
        COLOR_PAIRS: c_int;
        COLS: c_int;
        ESCDELAY: c_int;
        LINES: c_int;
        TABSIZE: c_int;
        acs_map: chtype;
        newscr: *mut WINDOW;
        stdscr: *mut WINDOW;
    }
}
