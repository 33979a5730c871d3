//! The module `readline`: editing, completing and remembering the lines that the interactive shell and `input()` read.

use crate::libreadline::{self as rl, HIST_ENTRY};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering::Relaxed};
use std::ffi::CString;
use taipan_abi::*;
use taipan_clinic::methods;
use taipan_clinic::module::{add_int, add_str};
use taipan_clinic::support::{errno, int, os_error_of, tuple};

type ReadlineFunction = unsafe extern "C" fn(*mut libc::FILE, *mut libc::FILE, *const c_char) -> *mut c_char;
unsafe extern "C" {
    static mut PyOS_ReadlineFunctionPointer: Option<ReadlineFunction>;
    static mut PyOS_InputHook: Option<unsafe extern "C" fn() -> c_int>;
    static _PyOS_ReadlineTState: AtomicPtr<c_void>;
    fn PyOS_setsig(sig: c_int, handler: usize) -> usize;
    fn _Py_SetLocaleFromEnv(category: c_int) -> *mut c_char;
    fn Py_DecodeLocale(text: *const c_char, size: *mut usize) -> *mut libc::wchar_t;
    fn PyUnicode_EncodeLocale(unicode: *mut PyObject, errors: *const c_char) -> *mut PyObject;
    fn PyUnicode_DecodeLocale(text: *const c_char, errors: *const c_char) -> *mut PyObject;
}

/// What the module keeps; each is NULL or owned.
#[repr(C)]
struct State {
    display_hook: *mut PyObject,
    startup_hook: *mut PyObject,
    pre_input_hook: *mut PyObject,
    completer: *mut PyObject,
    begidx: *mut PyObject,
    endidx: *mut PyObject,
}
impl State {
    fn objects(&mut self) -> [&mut *mut PyObject; 6] {
        [
            &mut self.display_hook,
            &mut self.startup_hook,
            &mut self.pre_input_hook,
            &mut self.completer,
            &mut self.begidx,
            &mut self.endidx,
        ]
    }
}

/// How many lines a history file may have; any number if negative.
static HISTORY_LENGTH: AtomicI32 = AtomicI32::new(-1);
/// Whether lines that are read join the history.
static AUTO_HISTORY: AtomicBool = AtomicBool::new(true);
/// What separates words; memory of `malloc` that the library reads.
static DELIMITERS: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

/// The state of a module object.
fn state(module: Borrowed<'_>) -> *mut State {
    // SAFETY: [TYPE] the module's own functions get their module.
    unsafe { PyModule_GetState(module.ob()).cast() }
}
/// The state of this interpreter's module, if it was imported; for what the library calls.
fn current_state() -> Option<*mut State> {
    // SAFETY: [GIL] the definition is static; a module that is found is alive.
    unsafe {
        let module = PyState_FindModule(&raw mut DEF);
        (!module.is_null()).then(|| PyModule_GetState(module).cast())
    }
}

/// Text for the library, up to a NUL.
fn encode(text: Borrowed<'_>) -> PyResult<CString> {
    // SAFETY: [ARGS] a bytes object is NUL-terminated.
    unsafe {
        let coded = Owned::from_owned_or_err(PyUnicode_EncodeLocale(text.ob(), c"surrogateescape".as_ptr()))?;
        Ok(CStr::from_ptr(PyBytes_AsString(coded.as_ptr())).to_owned())
    }
}
/// Text of the library; empty for NULL.
///
/// # Safety
/// NULL or NUL-terminated.
unsafe fn decode(text: *const c_char) -> PyResult<Owned> {
    let text = if text.is_null() { c"".as_ptr() } else { text };
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PyUnicode_DecodeLocale(text, c"surrogateescape".as_ptr())) }
}

/// Name of a file for the library, which has a default.
fn file_name(name: Option<Borrowed<'_>>) -> PyResult<Option<CString>> {
    let Some(name) = name else { return Ok(None) };
    let mut converted: *mut PyObject = null_mut();
    // SAFETY: [OWN] a new bytes object without NUL.
    unsafe {
        if PyUnicode_FSConverter(name.ob(), (&raw mut converted).cast()) == 0 {
            return Err(Raised::assume());
        }
        let converted = Owned::from_owned(converted);
        Ok(Some(CStr::from_ptr(PyBytes_AsString(converted.as_ptr())).to_owned()))
    }
}
fn as_ptr(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |t| t.as_ptr())
}
/// An error number of the library.
fn check(error: c_int) -> PyResult<()> {
    if error == 0 { Ok(()) } else { Err(os_error_of(error)) }
}

// SAFETY of the calls below: the library is bound and initialised when the module was made; all of it is used under the
// GIL, or by the one thread that reads a line.

/// Pasted text isn't told apart from typed text, unless a program asks for it.
fn disable_bracketed_paste() {
    // SAFETY: constant texts.
    unsafe { rl::rl_variable_bind(c"enable-bracketed-paste".as_ptr(), c"off".as_ptr()) };
}

// ---- configuration and files

fn parse_and_bind(_: (), string: Borrowed<'_>) -> PyResult<()> {
    // The library writes into it.
    let line = encode(string)?.into_raw();
    // SAFETY: [OWN] its length may change, so that what is freed is what was allocated.
    unsafe {
        let size = libc::strlen(line) + 1;
        let copy = libc::malloc(size).cast::<c_char>();
        if copy.is_null() {
            drop(CString::from_raw(line));
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        core::ptr::copy_nonoverlapping(line, copy, size);
        drop(CString::from_raw(line));
        rl::rl_parse_and_bind(copy);
        libc::free(copy.cast());
    }
    Ok(())
}
fn read_init_file(_: (), filename: Option<Borrowed<'_>>) -> PyResult<()> {
    let name = file_name(filename)?;
    // SAFETY: a C string or NULL.
    check(unsafe { rl::rl_read_init_file(as_ptr(&name)) })?;
    disable_bracketed_paste();
    Ok(())
}
fn read_history_file(_: (), filename: Option<Borrowed<'_>>) -> PyResult<()> {
    let name = file_name(filename)?;
    // SAFETY: a C string or NULL.
    check(unsafe { rl::read_history(as_ptr(&name)) })
}
/// Shortens a file that was written to the wanted number of lines.
fn written(error: c_int, name: &Option<CString>) -> PyResult<()> {
    let n = HISTORY_LENGTH.load(Relaxed);
    if error == 0 && n >= 0 {
        // SAFETY: a C string or NULL.
        unsafe { rl::history_truncate_file(as_ptr(name), n) };
    }
    check(error)
}
fn write_history_file(_: (), filename: Option<Borrowed<'_>>) -> PyResult<()> {
    let name = file_name(filename)?;
    // SAFETY: a C string or NULL.
    written(unsafe { rl::write_history(as_ptr(&name)) }, &name)
}
fn append_history_file(_: (), nelements: i32, filename: Option<Borrowed<'_>>) -> PyResult<()> {
    if nelements < 0 {
        bail!(PyExc_ValueError, "nelements must be positive");
    }
    let name = file_name(filename)?;
    // SAFETY: a C string or NULL.
    written(unsafe { rl::append_history(nelements, as_ptr(&name)) }, &name)
}
fn set_history_length(_: (), length: i32) -> PyResult<()> {
    HISTORY_LENGTH.store(length, Relaxed);
    Ok(())
}
fn get_history_length(_: ()) -> PyResult<i32> {
    Ok(HISTORY_LENGTH.load(Relaxed))
}

// ---- the history

/// How many lines it has.
fn history_length() -> c_int {
    // SAFETY: [OWN] the library makes a copy that the caller frees.
    unsafe {
        let history = rl::history_get_history_state();
        if history.is_null() {
            return 0;
        }
        let n = (*history).length;
        libc::free(history.cast());
        n
    }
}
/// Frees an entry that left the history.
unsafe fn free_entry(entry: *mut HIST_ENTRY) {
    // SAFETY: [OWN]
    unsafe { libc::free(rl::free_history_entry(entry)) };
}
fn position(pos: i32) -> PyResult<()> {
    if pos < 0 {
        bail!(PyExc_ValueError, "History index cannot be negative");
    }
    Ok(())
}
/// What was in the place of a history's line, or ValueError.
unsafe fn replaced(old: *mut HIST_ENTRY, pos: i32) -> PyResult<()> {
    if old.is_null() {
        bail!(PyExc_ValueError, "No history item at position {}", pos);
    }
    // SAFETY: [OWN]
    unsafe { free_entry(old) };
    Ok(())
}
fn remove_history_item(_: (), pos: i32) -> PyResult<()> {
    position(pos)?;
    // SAFETY: [OWN] the entry is the caller's.
    unsafe { replaced(rl::remove_history(pos), pos) }
}
fn replace_history_item(_: (), pos: i32, line: taipan_clinic::Str<'_>) -> PyResult<()> {
    position(pos)?;
    let line = encode(line.0)?;
    // SAFETY: [OWN] the old entry is the caller's.
    unsafe { replaced(rl::replace_history_entry(pos, line.as_ptr(), null_mut()), pos) }
}
fn add_history(_: (), string: Borrowed<'_>) -> PyResult<()> {
    let line = encode(string)?;
    // SAFETY: a C string.
    unsafe { rl::add_history(line.as_ptr()) };
    Ok(())
}
fn clear_history(_: ()) -> PyResult<()> {
    // SAFETY: initialised.
    unsafe { rl::clear_history() };
    Ok(())
}
fn get_history_item(_: (), index: i32) -> PyResult<Option<Owned>> {
    // SAFETY: initialised.
    unsafe {
        let entry = rl::history_get(index);
        if entry.is_null() { Ok(None) } else { decode((*entry).line).map(Some) }
    }
}
fn get_current_history_length(_: ()) -> PyResult<i32> {
    Ok(history_length())
}
fn set_auto_history(_: (), enabled: bool) -> PyResult<()> {
    AUTO_HISTORY.store(enabled, Relaxed);
    Ok(())
}

// ---- the line

fn get_line_buffer(_: ()) -> PyResult<Owned> {
    // SAFETY: initialised.
    unsafe { decode(*rl::rl_line_buffer()) }
}
fn insert_text(_: (), string: Borrowed<'_>) -> PyResult<()> {
    let text = encode(string)?;
    // SAFETY: a C string.
    unsafe { rl::rl_insert_text(text.as_ptr()) };
    Ok(())
}
fn redisplay(_: ()) -> PyResult<()> {
    // SAFETY: initialised.
    unsafe { rl::rl_redisplay() };
    Ok(())
}

// ---- hooks

/// Sets a hook, or removes it for `None`.
fn set_hook(name: &str, slot: *mut *mut PyObject, function: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [OWN] the state owns what is in the slot.
    unsafe {
        let new = match function {
            None => null_mut(),
            Some(f) if PyCallable_Check(f.ob()) != 0 => f.to_owned().into_raw(),
            Some(_) => bail!(PyExc_TypeError, "set_{}(func): argument not callable", name),
        };
        let old = core::mem::replace(&mut *slot, new);
        Py_XDECREF(old);
    }
    Ok(())
}
fn set_completer(module: Borrowed<'_>, function: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    set_hook("completer", unsafe { &raw mut (*state(module)).completer }, function)
}
fn set_startup_hook(module: Borrowed<'_>, function: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    set_hook("startup_hook", unsafe { &raw mut (*state(module)).startup_hook }, function)
}
fn set_pre_input_hook(module: Borrowed<'_>, function: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE]
    set_hook("pre_input_hook", unsafe { &raw mut (*state(module)).pre_input_hook }, function)
}
fn set_completion_display_matches_hook(module: Borrowed<'_>, function: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] the library's own display is replaced only while there is a hook.
    unsafe {
        let slot = &raw mut (*state(module)).display_hook;
        let done = set_hook("completion_display_matches_hook", slot, function);
        *rl::rl_completion_display_matches_hook() = if (*slot).is_null() { None } else { Some(on_display_matches) };
        done
    }
}
fn get_completer(module: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt((*state(module)).completer) })
}
fn get_completion_type(_: ()) -> PyResult<i32> {
    // SAFETY: a variable of the library.
    Ok(unsafe { *rl::rl_completion_type() })
}
fn get_begidx(module: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt((*state(module)).begidx) })
}
fn get_endidx(module: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt((*state(module)).endidx) })
}
/// Sets the characters between words.
fn set_delimiters(text: &CStr) -> PyResult<()> {
    // SAFETY: [OWN] the library reads the new memory before the old is freed.
    unsafe {
        let copy = libc::strdup(text.as_ptr());
        if copy.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        *rl::rl_completer_word_break_characters() = copy;
        libc::free(DELIMITERS.swap(copy, Relaxed).cast());
    }
    Ok(())
}
fn set_completer_delims(_: (), string: Borrowed<'_>) -> PyResult<()> {
    set_delimiters(&encode(string)?)
}
fn get_completer_delims(_: ()) -> PyResult<Owned> {
    // SAFETY: initialised.
    unsafe { decode(*rl::rl_completer_word_break_characters()) }
}

/// The GIL for as long as the value lives.
struct Attached(PyGILState_STATE);
impl Attached {
    fn new() -> Self {
        // SAFETY: the library calls on the thread that reads a line.
        Attached(unsafe { PyGILState_Ensure() })
    }
}
impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: paired with the call above.
        unsafe { PyGILState_Release(self.0) }
    }
}

/// Runs what the library asks for. Nobody can handle an exception there: it is forgotten.
fn quietly<R>(fallback: R, f: impl FnOnce(*mut State) -> PyResult<R>) -> R {
    let _attached = Attached::new();
    let Some(state) = current_state() else { return fallback };
    f(state).unwrap_or_else(|e| {
        e.clear();
        fallback
    })
}
/// Calls a hook without arguments; an int that it returns is for the library.
fn call_hook(slot: impl FnOnce(*mut State) -> *mut PyObject) -> c_int {
    quietly(0, |state| {
        // SAFETY: [GIL] the hook is kept while it runs.
        unsafe {
            let Some(hook) = Owned::from_borrowed_or_opt(slot(state)) else { return Ok(0) };
            let r = Owned::from_owned_or_err(PyObject_CallNoArgs(hook.as_ptr()))?;
            if r.as_ptr() == Py_None() {
                return Ok(0);
            }
            let n = PyLong_AsInt(r.as_ptr());
            if n == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(n) }
        }
    })
}
unsafe extern "C" fn on_startup_hook() -> c_int {
    // SAFETY: the state is alive.
    call_hook(|s| unsafe { (*s).startup_hook })
}
unsafe extern "C" fn on_pre_input_hook() -> c_int {
    // SAFETY: the state is alive.
    call_hook(|s| unsafe { (*s).pre_input_hook })
}
unsafe extern "C" fn on_display_matches(matches: *mut *mut c_char, n: c_int, longest: c_int) {
    // SAFETY: [ARGS] the prefix and n matches.
    quietly((), |state| unsafe {
        let Some(hook) = Owned::from_borrowed_or_opt((*state).display_hook) else { return Ok(()) };
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for i in 1..=n.max(0) as usize {
            check_status(PyList_Append(list.as_ptr(), decode(*matches.add(i))?.as_ptr()))?;
        }
        let args = tuple(vec![decode(*matches)?, list, int(longest as i64)?])?;
        drop(Owned::from_owned_or_err(PyObject_CallObject(hook.as_ptr(), args.as_ptr()))?);
        Ok(())
    })
}
/// Asks the completer for the match of a number.
unsafe extern "C" fn on_completion(text: *const c_char, number: c_int) -> *mut c_char {
    // SAFETY: [ARGS] what is returned is freed by the library.
    quietly(null_mut(), |state| unsafe {
        let Some(completer) = Owned::from_borrowed_or_opt((*state).completer) else { return Ok(null_mut()) };
        *rl::rl_attempted_completion_over() = 1;
        let args = tuple(vec![decode(text)?, int(number as i64)?])?;
        let r = Owned::from_owned_or_err(PyObject_CallObject(completer.as_ptr(), args.as_ptr()))?;
        if r.as_ptr() == Py_None() {
            return Ok(null_mut());
        }
        Ok(libc::strdup(encode(r.borrow())?.as_ptr()))
    })
}
/// How many characters the first `n` bytes of a text are.
unsafe fn characters(text: *mut c_char, n: c_int) -> Option<c_int> {
    // SAFETY: [ARGS] the line buffer is writable and as long; a NUL stands there meanwhile.
    unsafe {
        let end = text.offset(n as isize);
        let kept = core::mem::replace(&mut *end, 0);
        let mut size = 0;
        let wide = Py_DecodeLocale(text, &mut size);
        *end = kept;
        if wide.is_null() {
            return None;
        }
        PyMem_RawFree(wide.cast());
        Some(size as c_int)
    }
}
/// Keeps where the word lies before completing it.
unsafe extern "C" fn on_attempted_completion(text: *const c_char, start: c_int, end: c_int) -> *mut *mut c_char {
    let _attached = Attached::new();
    // SAFETY: [GIL] variables of the library.
    unsafe {
        *rl::rl_completion_append_character() = 0;
        *rl::rl_completion_suppress_append() = 0;
        let line = *rl::rl_line_buffer();
        let (mut from, mut to) = (start, end);
        if let Some(before) = characters(line, start)
            && let Some(word) = characters(line.offset(start as isize), end - start)
        {
            (from, to) = (before, before + word);
        }
        quietly((), |state| {
            let (from, to) = (int(from as i64)?, int(to as i64)?);
            setref(&raw mut (*state).begidx, from.into_raw());
            setref(&raw mut (*state).endidx, to.into_raw());
            Ok(())
        });
        rl::rl_completion_matches(text, on_completion)
    }
}

// ---- reading a line

/// The locale for characters, restored when dropped: the library changes it.
struct SavedLocale(Option<CString>);
impl SavedLocale {
    fn new() -> Self {
        // SAFETY: the result is copied at once.
        unsafe {
            let now = libc::setlocale(libc::LC_CTYPE, null());
            SavedLocale((!now.is_null()).then(|| CStr::from_ptr(now).to_owned()))
        }
    }
}
impl Drop for SavedLocale {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            // SAFETY: a C string.
            unsafe { libc::setlocale(libc::LC_CTYPE, name.as_ptr()) };
        }
    }
}

/// Whether the terminal's size changed.
static RESIZED: AtomicBool = AtomicBool::new(false);
/// The handler that was there before.
static FORMER_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

extern "C" fn on_sigwinch(signum: c_int) {
    RESIZED.store(true, Relaxed);
    let former = FORMER_HANDLER.load(Relaxed);
    if ![libc::SIG_DFL, libc::SIG_IGN, libc::SIG_ERR].contains(&former) {
        // SAFETY: the address of a handler, as the system gave it.
        let former = unsafe { core::mem::transmute::<usize, extern "C" fn(c_int)>(former) };
        former(signum);
    }
}

/// Whether the line is complete.
static COMPLETE: AtomicBool = AtomicBool::new(false);
/// That line, NULL at the end of the input.
static LINE: AtomicPtr<c_char> = AtomicPtr::new(null_mut());

unsafe extern "C" fn on_line(text: *mut c_char) {
    LINE.store(text, Relaxed);
    COMPLETE.store(true, Relaxed);
    // SAFETY: installed by `read_line`.
    unsafe { rl::rl_callback_handler_remove() };
}

/// Reads a line: memory of `malloc`, NULL at the end of the input. `Err` when a signal's handler raised.
unsafe fn read_line(prompt: *const c_char) -> Result<*mut c_char, ()> {
    // SAFETY: [ARGS] the thread that reads a line, without the GIL.
    unsafe {
        *rl::rl_catch_signals() = 0;
        COMPLETE.store(false, Relaxed);
        rl::rl_callback_handler_install(prompt, on_line);
        while !COMPLETE.load(Relaxed) {
            let mut ready = 0;
            let mut why = 0;
            while ready == 0 {
                // Without a hook there is no reason to wake up.
                let hook = PyOS_InputHook;
                let timeout = if hook.is_some() { 100 } else { -1 };
                if RESIZED.swap(false, Relaxed) {
                    rl::rl_resize_terminal();
                }
                let mut fd = libc::pollfd { fd: libc::fileno(*rl::rl_instream()), events: libc::POLLIN, revents: 0 };
                ready = libc::poll(&mut fd, 1, timeout);
                why = errno();
                if let Some(hook) = hook {
                    hook();
                }
            }
            if ready > 0 {
                rl::rl_callback_read_char();
            } else if why == libc::EINTR {
                PyEval_RestoreThread(_PyOS_ReadlineTState.load(Relaxed).cast());
                let status = PyErr_CheckSignals();
                PyEval_SaveThread();
                if status < 0 {
                    rl::rl_free_line_state();
                    rl::rl_callback_sigcleanup();
                    rl::rl_cleanup_after_signal();
                    rl::rl_callback_handler_remove();
                    return Err(());
                }
            }
        }
        Ok(LINE.swap(null_mut(), Relaxed))
    }
}

/// What `PyOS_Readline` calls.
unsafe extern "C" fn call_readline(sys_stdin: *mut libc::FILE, sys_stdout: *mut libc::FILE, prompt: *const c_char) -> *mut c_char {
    let _saved = SavedLocale::new();
    // SAFETY: [ARGS] streams of the process; memory of the line is copied, then freed.
    unsafe {
        _Py_SetLocaleFromEnv(libc::LC_CTYPE);
        if sys_stdin != *rl::rl_instream() || sys_stdout != *rl::rl_outstream() {
            *rl::rl_instream() = sys_stdin;
            *rl::rl_outstream() = sys_stdout;
            rl::rl_prep_terminal(1);
        }
        let Ok(line) = read_line(prompt) else { return null_mut() };
        let n = if line.is_null() { 0 } else { libc::strlen(line) };
        if AUTO_HISTORY.load(Relaxed) && n > 0 {
            let last = history_length();
            let entry = if last > 0 { rl::history_get(last) } else { null_mut() };
            let same = !entry.is_null() && !(*entry).line.is_null() && libc::strcmp((*entry).line, line) == 0;
            if !same {
                rl::add_history(line);
            }
        }
        let copy = PyMem_RawMalloc(n + 2).cast::<c_char>();
        if !copy.is_null() {
            *copy = 0;
            if !line.is_null() {
                core::ptr::copy_nonoverlapping(line, copy, n);
                *copy.add(n) = b'\n' as c_char;
                *copy.add(n + 1) = 0;
            }
        }
        libc::free(line.cast());
        copy
    }
}

// ---- initialisation

/// All characters that no identifier has, but for the dot.
const WORD_BREAKS: &CStr = c" \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?";

fn set_up() -> PyResult<()> {
    let _saved = SavedLocale::new();
    // SAFETY: [STATIC] texts and functions are static.
    unsafe {
        *rl::rl_readline_name() = c"python".as_ptr();
        rl::using_history();
        rl::rl_bind_key(b'\t' as c_int, rl::rl_insert());
        rl::rl_bind_key_in_map(b'\t' as c_int, rl::rl_complete(), rl::emacs_meta_keymap());
        rl::rl_bind_key_in_map(0x1b, rl::rl_complete(), rl::emacs_meta_keymap());
        FORMER_HANDLER.store(PyOS_setsig(libc::SIGWINCH, on_sigwinch as *const () as usize), Relaxed);
        *rl::rl_startup_hook() = Some(on_startup_hook);
        *rl::rl_pre_input_hook() = Some(on_pre_input_hook);
        *rl::rl_attempted_completion_function() = Some(on_attempted_completion);
        set_delimiters(WORD_BREAKS)?;
        if libc::isatty(1) == 0 {
            // Else a sequence for the terminal would be written to what is none.
            rl::rl_variable_bind(c"enable-meta-key".as_ptr(), c"off".as_ptr());
        }
        // Reads the user's file, which may override all this.
        rl::rl_initialize();
    }
    disable_bracketed_paste();
    Ok(())
}

methods! {
    static METHODS = [
        "parse_and_bind($module, string, /)" => parse_and_bind, "Run a line as one of the initialisation file.";
        "get_line_buffer($module, /)" => get_line_buffer, "The line as far as it was typed.";
        "insert_text($module, string, /)" => insert_text, "Insert text at the cursor.";
        "redisplay($module, /)" => redisplay, "Show the line as it is now.";
        "read_init_file($module, filename=None, /)" => read_init_file, "Run an initialisation file, by default the last one.";
        "read_history_file($module, filename=None, /)" => read_history_file, "Add the lines of a file to the history; by default of ~/.history.";
        "write_history_file($module, filename=None, /)" => write_history_file, "Write the history to a file, by default ~/.history.";
        "append_history_file($module, nelements, filename=None, /)" => append_history_file, "Append the history's last lines to a file, by default ~/.history.";
        "get_history_item($module, index, /)" => get_history_item, "A line of the history, counted from 1.";
        "get_current_history_length($module, /)" => get_current_history_length, "How many lines the history has.";
        "set_history_length($module, length, /)" => set_history_length, "Set how many lines a history file may have; no limit if negative.";
        "get_history_length($module, /)" => get_history_length, "How many lines a history file may have.";
        "set_completer($module, function=None, /)" => set_completer, "Set what completes words, or nothing.\n\nIt is called as function(text, state) for state in 0, 1, 2, ... until it returns None,\nand returns possible completions.";
        "get_completer($module, /)" => get_completer, "What completes words.";
        "get_completion_type($module, /)" => get_completion_type, "What kind of completion is going on.";
        "get_begidx($module, /)" => get_begidx, "Where the word starts that is to be completed.";
        "get_endidx($module, /)" => get_endidx, "Where the word ends that is to be completed.";
        "set_completer_delims($module, string, /)" => set_completer_delims, "Set the characters between words.";
        "set_auto_history($module, enabled, /)" => set_auto_history, "Set whether lines that are read join the history.";
        "add_history($module, string, /)" => add_history, "Add a line to the history.";
        "remove_history_item($module, pos, /)" => remove_history_item, "Take a line out of the history, counted from 0.";
        "replace_history_item($module, pos, line, /)" => replace_history_item, "Put another line into the place of one of the history, counted from 0.";
        "get_completer_delims($module, /)" => get_completer_delims, "The characters between words.";
        "set_completion_display_matches_hook($module, function=None, /)" => set_completion_display_matches_hook, "Set what shows possible completions, or the default.\n\nIt is called as function(substitution, [matches], longest_match_length).";
        "set_startup_hook($module, function=None, /)" => set_startup_hook, "Set what is called before the first prompt is shown, or nothing.";
        "set_pre_input_hook($module, function=None, /)" => set_pre_input_hook, "Set what is called after the first prompt was shown, or nothing.";
        "clear_history($module, /)" => clear_history, "Forget all lines.";
    ];
}

unsafe extern "C" fn module_traverse(module: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] the state is NULL until the module is complete.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        for slot in state.objects() {
            if !slot.is_null() {
                let r = visit(*slot, arg);
                if r != 0 {
                    return r;
                }
            }
        }
        0
    }
}
unsafe extern "C" fn module_clear(module: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] as above; each reference is released once.
    unsafe {
        let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else { return 0 };
        let old = state.objects().map(|slot| core::mem::replace(slot, null_mut()));
        for op in old {
            Py_XDECREF(op);
        }
        0
    }
}
unsafe extern "C" fn module_free(module: *mut c_void) {
    // SAFETY: [TYPE]
    unsafe { module_clear(module.cast()) };
}

static mut DEF: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"readline".as_ptr(),
    m_doc: c"Editing of the lines that are read from a terminal, by GNU readline.".as_ptr(),
    m_size: size_of::<State>() as Py_ssize_t,
    m_methods: (&raw mut METHODS).cast(),
    m_slots: null_mut(),
    m_traverse: Some(module_traverse),
    m_clear: Some(module_clear),
    m_free: Some(module_free),
};

/// Entry point of `readline`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit_readline() -> *mut PyObject {
    let made = || -> PyResult<Owned> {
        rl::load()?;
        // SAFETY: [STATIC] the definition is static; the new module's state is zeroed.
        unsafe {
            let module = Owned::from_owned_or_err(PyModule_Create2(&raw mut DEF, PYTHON_API_VERSION))?;
            let m = module.borrow();
            add_int(m, c"_READLINE_VERSION", rl::RL_READLINE_VERSION)?;
            add_int(m, c"_READLINE_RUNTIME_VERSION", *rl::rl_readline_version() as i64)?;
            let version = *rl::rl_library_version();
            let version = if version.is_null() { "".into() } else { CStr::from_ptr(version).to_string_lossy() };
            add_str(m, c"_READLINE_LIBRARY_VERSION", &version)?;
            add_str(m, c"backend", "readline")?;
            PyOS_ReadlineFunctionPointer = Some(call_readline);
            set_up()?;
            let state = state(m);
            (*state).begidx = int(0)?.into_raw();
            (*state).endidx = int(0)?.into_raw();
            Ok(module)
        }
    };
    made().into_c()
}
