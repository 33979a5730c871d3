//! Reading a line from the terminal: for the interactive loop and for `input()`.

use crate::ceval_gil::{errno, set_errno};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use taipan_abi::*;

unsafe extern "C" {
    static stderr: *mut libc::FILE;
}

/// A function that reads a line with a prompt: memory of `PyMem_RawMalloc` with the line and its end, empty at the end of
/// the input, or NULL after an interrupt or an error. It is called without the GIL.
pub type ReadlineFunction = unsafe extern "C" fn(*mut libc::FILE, *mut libc::FILE, *const c_char) -> *mut c_char;

/// What reads lines from a terminal; a line editor puts itself here.
#[unsafe(no_mangle)]
pub static mut PyOS_ReadlineFunctionPointer: Option<ReadlineFunction> = None;

/// Called, without the GIL, while the interpreter waits for input.
#[unsafe(no_mangle)]
pub static mut PyOS_InputHook: Option<unsafe extern "C" fn() -> c_int> = None;

/// The thread that reads a line.
#[unsafe(no_mangle)]
pub static _PyOS_ReadlineTState: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Held while a line is read: there is one terminal.
static READING: Mutex<()> = Mutex::new(());

/// Reads a line from a terminal or a file: memory of `PyMem_Malloc`, NULL after an interrupt or with an exception.
/// RuntimeError when this thread reads one already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_Readline(sys_stdin: *mut libc::FILE, sys_stdout: *mut libc::FILE, prompt: *const c_char) -> *mut c_char {
    // SAFETY: [GIL] held on entry; streams and prompt outlive the call.
    unsafe {
        let ts = PyThreadState_Get().cast::<c_void>();
        if _PyOS_ReadlineTState.load(Relaxed) == ts {
            let _ = raise!(PyExc_RuntimeError, "can't re-enter readline");
            return null_mut();
        }
        let main = is_main_interpreter(ts);
        PyEval_SaveThread();
        let guard = READING.lock().unwrap_or_else(PoisonError::into_inner);
        _PyOS_ReadlineTState.store(ts, Relaxed);
        let terminal = main && libc::isatty(libc::fileno(sys_stdin)) != 0 && libc::isatty(libc::fileno(sys_stdout)) != 0;
        let read = PyOS_ReadlineFunctionPointer.filter(|_| terminal).unwrap_or(PyOS_StdioReadline);
        let line = read(sys_stdin, sys_stdout, prompt);
        // Another thread may begin before this one has the GIL again.
        _PyOS_ReadlineTState.store(null_mut(), Relaxed);
        drop(guard);
        PyEval_RestoreThread(ts.cast());
        if line.is_null() {
            return null_mut();
        }
        let size = libc::strlen(line) + 1;
        let copy = PyMem_Malloc(size).cast::<c_char>();
        if copy.is_null() {
            PyErr_NoMemory();
        } else {
            core::ptr::copy_nonoverlapping(line, copy, size);
        }
        PyMem_RawFree(line.cast());
        copy
    }
}

unsafe fn is_main_interpreter(ts: *mut c_void) -> bool {
    // SAFETY: [ARGS]
    unsafe { PyThreadState_GetInterpreter(ts.cast()) == PyInterpreterState_Main() }
}

/// How reading a piece of a line ended.
enum Piece {
    Read,
    /// End of the input, or an error.
    End,
    /// A handler of a signal raised.
    Interrupted,
}

/// `fgets`, begun again after signals.
unsafe fn read_piece(ts: *mut c_void, buf: &mut [c_char], file: *mut libc::FILE) -> Piece {
    // SAFETY: [ARGS] the buffer has that size; the GIL is not held but to run signal handlers.
    unsafe {
        loop {
            if let Some(hook) = PyOS_InputHook
                && is_main_interpreter(ts)
            {
                hook();
            }
            set_errno(0);
            libc::clearerr(file);
            if !libc::fgets(buf.as_mut_ptr(), buf.len() as c_int, file).is_null() {
                return Piece::Read;
            }
            let why = errno();
            if libc::feof(file) != 0 {
                libc::clearerr(file);
                return Piece::End;
            }
            if why != libc::EINTR {
                return Piece::End;
            }
            PyEval_RestoreThread(ts.cast());
            let status = PyErr_CheckSignals();
            PyEval_SaveThread();
            if status < 0 {
                return Piece::Interrupted;
            }
        }
    }
}

/// Reads a line without an editor; the prompt goes to the standard error stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyOS_StdioReadline(sys_stdin: *mut libc::FILE, sys_stdout: *mut libc::FILE, prompt: *const c_char) -> *mut c_char {
    // SAFETY: [ARGS] called by PyOS_Readline: this is the reading thread, without the GIL.
    unsafe {
        let ts = _PyOS_ReadlineTState.load(Relaxed);
        libc::fflush(sys_stdout);
        if !prompt.is_null() {
            libc::fputs(prompt, stderr);
        }
        libc::fflush(stderr);
        let mut line: Vec<u8> = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut buf = [0 as c_char; 1024];
            match read_piece(ts, &mut buf, sys_stdin) {
                Piece::Read => line.extend_from_slice(CStr::from_ptr(buf.as_ptr()).to_bytes()),
                Piece::End => break,
                Piece::Interrupted => return null_mut(),
            }
        }
        let copy = PyMem_RawMalloc(line.len() + 1).cast::<u8>();
        if copy.is_null() {
            PyEval_RestoreThread(ts.cast());
            PyErr_NoMemory();
            PyEval_SaveThread();
            return null_mut();
        }
        core::ptr::copy_nonoverlapping(line.as_ptr(), copy, line.len());
        *copy.add(line.len()) = 0;
        copy.cast()
    }
}
