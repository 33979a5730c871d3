//! Traceback objects, and printing of tracebacks without the `traceback` module.

use crate::frame::FrameExt;
use crate::pystate::as_interp;
use crate::util::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, getset, members, methods};
use taipan_objects::typeobject::TYPE_INIT;

type Tb = PyTracebackObject;

unsafe fn tb_create_raw(next: *mut Tb, frame: *mut PyFrameObject, lasti: c_int, lineno: c_int) -> PyResult<Owned<Tb>> {
    // SAFETY: [ARGS] a fresh object, tracked when complete.
    unsafe {
        let tb: *mut Tb = own(taipan_objects::gc::gc_new::<Tb>(&raw mut PyTraceBack_Type))?.into_raw();
        Py_XINCREF(next.cast());
        Py_XINCREF(frame.cast());
        (*tb).tb_next = next;
        (*tb).tb_frame = frame;
        (*tb).tb_lasti = lasti;
        (*tb).tb_lineno = lineno;
        taipan_objects::gc::gc_track(tb.cast());
        Ok(Owned::from_owned(tb))
    }
}

fn tb_new(_tp: Borrowed<'_, PyTypeObject>, next: Borrowed<'_>, frame: Borrowed<'_>, lasti: i32, lineno: i32) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if frame.ob_type() != &raw mut PyFrame_Type {
            bail!(PyExc_TypeError, "TracebackType() argument 'tb_frame' must be frame, not {}", type_name(frame.ob()));
        }
        let next = if next.is_none() {
            null_mut()
        } else if next.ob_type() == &raw mut PyTraceBack_Type {
            next.as_ptr().cast()
        } else {
            bail!(PyExc_TypeError, "expected traceback object or None, got '{}'", type_name(next.ob()));
        };
        Ok(tb_create_raw(next, frame.as_ptr().cast(), lasti, lineno)?.into_object())
    }
}

fn tb_dir(_: Borrowed<'_, Tb>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let list = own(PyList_New(0))?;
        for n in ["tb_frame", "tb_next", "tb_lasti", "tb_lineno"] {
            let n = new_str(n)?;
            check_status(PyList_Append(list.as_ptr(), n.as_ptr()))?;
        }
        Ok(list)
    }
}

fn tb_next_get(tb: Borrowed<'_, Tb>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    Ok(unsafe { Owned::from_borrowed_or_opt(tb.tb_next.cast::<PyObject>()) }.unwrap_or_else(none))
}

/// The line of a traceback entry.
///
/// # Safety
/// `tb` is live.
pub unsafe fn tb_lineno(tb: *mut Tb) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if (*tb).tb_lineno != -1 {
            return (*tb).tb_lineno;
        }
        let co = frame_code((*tb).tb_frame);
        PyCode_Addr2Line(co.cast(), (*tb).tb_lasti)
    }
}

/// The code of a frame, borrowed.
///
/// # Safety
/// `f` is live.
#[inline]
pub unsafe fn frame_code(f: *mut PyFrameObject) -> *mut PyCodeObject {
    // SAFETY: [ARGS] a frame object's executable is a code object.
    unsafe { (*(*f).f_frame).f_executable.cast() }
}

fn tb_lineno_get(tb: Borrowed<'_, Tb>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    let n = unsafe { tb_lineno(tb.as_ptr()) };
    if n == -1 { Ok(none()) } else { new_int(n as i64) }
}

fn tb_next_set(tb: Borrowed<'_, Tb>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [TYPE] checked.
    unsafe {
        let Some(value) = value else { bail!(PyExc_TypeError, "can't delete tb_next attribute") };
        let new: *mut Tb = if value.is_none() {
            null_mut()
        } else if value.ob_type() == &raw mut PyTraceBack_Type {
            value.as_ptr().cast()
        } else {
            bail!(PyExc_TypeError, "expected traceback object, got '{}'", type_name(value.ob()));
        };
        let mut cursor = new;
        while !cursor.is_null() {
            if cursor == tb.as_ptr() {
                bail!(PyExc_ValueError, "traceback loop detected");
            }
            cursor = (*cursor).tb_next;
        }
        Py_XINCREF(new.cast());
        setref(&raw mut (*tb.as_ptr()).tb_next, new);
        Ok(())
    }
}

unsafe extern "C" fn tb_dealloc(op: *mut PyObject) {
    // SAFETY: [OWN] last reference; long chains go through the trashcan.
    unsafe {
        let tb: *mut Tb = op.cast();
        taipan_objects::gc::gc_untrack(op);
        if !taipan_objects::gc::trashcan_begin(op, tb_dealloc) {
            return;
        }
        Py_XDECREF((*tb).tb_next.cast());
        Py_XDECREF((*tb).tb_frame.cast());
        PyObject_GC_Del(op.cast());
        taipan_objects::gc::trashcan_end();
    }
}

unsafe extern "C" fn tb_traverse(op: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let tb: *mut Tb = op.cast();
        py_visit!(visit, arg; (*tb).tb_next, (*tb).tb_frame);
        0
    }
}

unsafe extern "C" fn tb_clear(op: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let tb: *mut Tb = op.cast();
        setref(&raw mut (*tb).tb_next, null_mut());
        setref(&raw mut (*tb).tb_frame, null_mut());
        0
    }
}

methods! {
    static TB_METHODS = [
        "__dir__($self, /)" => tb_dir, "The names of the attributes.";
    ];
}
getset! {
    static TB_GETSET = [
        "tb_next" => tb_next_get, tb_next_set, "";
        "tb_lineno" => tb_lineno_get, "";
    ];
}
members! {
    static TB_MEMBERS = [
        "tb_frame", Py_T_OBJECT_EX, core::mem::offset_of!(Tb, tb_frame), Py_READONLY, "";
        "tb_lasti", Py_T_INT, core::mem::offset_of!(Tb, tb_lasti), Py_READONLY, "";
    ];
}

/// `types.TracebackType`.
#[unsafe(no_mangle)]
pub static mut PyTraceBack_Type: PyTypeObject = PyTypeObject {
    tp_name: c"traceback".as_ptr(),
    tp_basicsize: size_of::<Tb>() as Py_ssize_t,
    tp_dealloc: Some(tb_dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"traceback(tb_next, tb_frame, tb_lasti, tb_lineno)\n--\n\nWhere an exception passed, from the outermost frame inwards.".as_ptr(),
    tp_traverse: Some(tb_traverse),
    tp_clear: Some(tb_clear),
    tp_methods: (&raw mut TB_METHODS).cast(),
    tp_members: (&raw mut TB_MEMBERS).cast(),
    tp_getset: (&raw mut TB_GETSET).cast(),
    tp_new: Some(constructor!("TracebackType(tb_next, tb_frame, tb_lasti, tb_lineno)" => tb_new)),
    ..TYPE_INIT
};

/// A traceback entry for where `frame` is now.
///
/// # Safety
/// `frame` is live; `next` is NULL or a traceback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceBack_FromFrame(next: *mut PyObject, frame: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { tb_create_raw(next.cast(), frame, frame_lasti((*frame).f_frame), -1).into_c() }
}

/// The byte offset of a frame's current instruction.
///
/// # Safety
/// `f` is live and runs Python code.
#[inline]
pub unsafe fn frame_lasti(f: *mut _PyInterpreterFrame) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        f.lasti() * 2
    }
}

/// Adds where `frame` is now to the traceback of the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceBack_Here(frame: *mut PyFrameObject) -> c_int {
    // SAFETY: [ARGS] an exception is set.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let base: *mut PyBaseExceptionObject = exc.cast();
        let new = _PyTraceBack_FromFrame((*base).traceback, frame);
        if new.is_null() {
            _PyErr_ChainExceptions1(exc);
            return -1;
        }
        setref(&raw mut (*base).traceback, new);
        PyErr_SetRaisedException(exc);
        0
    }
}

/// Adds an entry for a C function, named and placed, to the traceback of the exception that is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyTraceback_Add(funcname: *const c_char, filename: *const c_char, lineno: c_int) {
    // SAFETY: [ARGS] an exception is set.
    unsafe {
        let exc = PyErr_GetRaisedException();
        let added: PyResult<Owned> = (|| {
            let globals = own(PyDict_New())?;
            let code = own(PyCode_NewEmpty(filename, funcname, lineno))?;
            own(PyFrame_New(current_tstate().cast(), code.as_ptr(), globals.as_ptr(), null_mut()).cast::<PyObject>())
        })();
        match added {
            Ok(frame) => {
                PyErr_SetRaisedException(exc);
                let f: *mut PyFrameObject = frame.as_ptr().cast();
                (*f).f_lineno = lineno;
                PyTraceBack_Here(f);
            }
            Err(_) => _PyErr_ChainExceptions1(exc),
        }
    }
}

// ---- printing

const PyTraceBack_LIMIT: i64 = 1000;
/// How often the same entry is printed before the rest is summed up.
const TB_RECURSIVE_CUTOFF: i64 = 3;

unsafe fn write(text: &str, file: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let s = new_str(text)?;
        check_status(PyFile_WriteObject(s.as_ptr(), file, Py_PRINT_RAW))
    }
}

/// The source line, without indentation and line end; `None` when the file or the line is not there.
///
/// # Safety
/// `filename` is live.
pub unsafe fn source_line(filename: *mut PyObject, lineno: c_int) -> Option<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(filename) == 0 {
            return None;
        }
        let name = lossy(filename);
        if name.starts_with('<') && name.ends_with('>') {
            return None;
        }
        let mut line = crate::errors::program_text(filename, lineno);
        if line.is_none() {
            // The library may have moved since it was compiled: look for the file along sys.path.
            let tail = name.rsplit('/').next().unwrap_or("");
            let path = crate::sysmodule::get_optional_attr(intern!("path")).ok().flatten();
            if let Some(path) = path
                && PyList_Check(path.as_ptr()) != 0
            {
                for i in 0..PyList_GET_SIZE(path.as_ptr()) {
                    let dir = PyList_GET_ITEM(path.as_ptr(), i);
                    if PyUnicode_Check(dir) == 0 || PyUnicode_GetLength(dir) == 0 {
                        continue;
                    }
                    let Ok(file) = new_str(&format!("{}/{tail}", lossy(dir))) else { break };
                    line = crate::errors::program_text(file.as_ptr(), lineno);
                    if line.is_some() {
                        break;
                    }
                }
            }
        }
        PyErr_Clear();
        let line = line?;
        let text = lossy(line.as_ptr());
        let text = text.trim_start_matches([' ', '\t', '\x0c']).trim_end_matches('\n');
        match new_str(text) {
            Ok(t) => Some(t),
            Err(e) => {
                e.clear();
                None
            }
        }
    }
}

/// Writes a source line, indented.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DisplaySourceLine(f: *mut PyObject, filename: *mut PyObject, lineno: c_int, indent: c_int, truncation: *mut c_int, line: *mut *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if filename.is_null() {
            return 0;
        }
        let Some(text) = source_line(filename, lineno) else { return 0 };
        if !truncation.is_null() {
            *truncation = -indent;
        }
        if !line.is_null() {
            Py_INCREF(text.as_ptr());
            *line = text.as_ptr();
        }
        write(&format!("{:w$}{}\n", "", lossy(text.as_ptr()), w = indent as usize), f).into_c()
    }
}

unsafe fn tb_displayline(f: *mut PyObject, filename: *mut PyObject, lineno: c_int, name: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let head = new_str("  File \"")?;
        let middle = new_str(&format!("\", line {lineno}, in "))?;
        let end = new_str("\n")?;
        let mut all = own(PyUnicode_Concat(head.as_ptr(), filename))?;
        for part in [middle.as_ptr(), name, end.as_ptr()] {
            all = own(PyUnicode_Concat(all.as_ptr(), part))?;
        }
        check_status(PyFile_WriteObject(all.as_ptr(), f, Py_PRINT_RAW))?;
        if let Some(line) = source_line(filename, lineno) {
            let indent = new_str("    ")?;
            let text = own(PyUnicode_Concat(indent.as_ptr(), line.as_ptr()))?;
            let text = own(PyUnicode_Concat(text.as_ptr(), end.as_ptr()))?;
            check_status(PyFile_WriteObject(text.as_ptr(), f, Py_PRINT_RAW))?;
        }
        Ok(())
    }
}

unsafe fn print_repeated(f: *mut PyObject, count: i64) -> PyResult<()> {
    let n = count - TB_RECURSIVE_CUTOFF;
    let s = if n > 1 { "s" } else { "" };
    // SAFETY: [ARGS]
    unsafe { write(&format!("  [Previous line repeated {n} more time{s}]\n"), f) }
}

unsafe fn tb_printinternal(mut tb: *mut Tb, f: *mut PyObject, limit: i64) -> PyResult<()> {
    // SAFETY: [ARGS] the chain is kept alive by its head.
    unsafe {
        let mut depth = 0;
        let mut t = tb;
        while !t.is_null() {
            depth += 1;
            t = (*t).tb_next;
        }
        while !tb.is_null() && depth > limit {
            depth -= 1;
            tb = (*tb).tb_next;
        }
        let mut last: (Option<Owned>, c_int, Option<Owned>) = (None, -1, None);
        let mut count = 0;
        while !tb.is_null() {
            let code = frame_code((*tb).tb_frame);
            let line = tb_lineno(tb);
            let same = |o: &Option<Owned>, p: *mut PyObject| o.as_ref().is_some_and(|o| o.as_ptr() == p);
            if !same(&last.0, (*code).co_filename) || last.1 == -1 || line != last.1 || !same(&last.2, (*code).co_name) {
                if count > TB_RECURSIVE_CUTOFF {
                    print_repeated(f, count)?;
                }
                last = (Some(Owned::from_borrowed((*code).co_filename)), line, Some(Owned::from_borrowed((*code).co_name)));
                count = 0;
            }
            count += 1;
            if count <= TB_RECURSIVE_CUTOFF {
                tb_displayline(f, (*code).co_filename, line, (*code).co_name)?;
                check_status(PyErr_CheckSignals())?;
            }
            tb = (*tb).tb_next;
        }
        if count > TB_RECURSIVE_CUTOFF {
            print_repeated(f, count)?;
        }
        Ok(())
    }
}

/// Writes a traceback after `header`.
///
/// # Safety
/// Both objects are live.
pub unsafe fn print_with_header(v: *mut PyObject, header: &str, f: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if (*v).ob_type != &raw mut PyTraceBack_Type {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        let mut limit = PyTraceBack_LIMIT;
        if let Some(l) = crate::sysmodule::get_optional_attr(intern!("tracebacklimit"))?
            && PyLong_Check(l.as_ptr()) != 0
        {
            let mut overflow = 0;
            limit = PyLong_AsLongAndOverflow(l.as_ptr(), &mut overflow);
            if overflow > 0 {
                limit = i64::MAX;
            } else if limit <= 0 {
                return Ok(());
            }
        }
        write(header, f)?;
        tb_printinternal(v.cast(), f, limit)
    }
}

/// Writes a traceback to a Python file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyTraceBack_Print(v: *mut PyObject, f: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if v.is_null() {
            return 0;
        }
        print_with_header(v, "Traceback (most recent call last):\n", f).into_c()
    }
}

// ---- dumping in a signal handler: no allocation, no lock, nothing but write()

const MAX_STRING_LENGTH: usize = 500;
const MAX_FRAME_DEPTH: usize = 100;
const MAX_NTHREADS: usize = 100;

/// Writes bytes to a descriptor, as far as it takes them.
pub fn puts(fd: c_int, text: &[u8]) {
    // SAFETY: plain system call.
    unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
}

/// Writes a decimal number.
pub fn dump_decimal(fd: c_int, mut value: usize) {
    let mut buf = [0u8; 20];
    let mut i = buf.len();
    loop {
        i -= 1;
        buf[i] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    puts(fd, &buf[i..]);
}

/// Writes a hexadecimal number of at least `width` digits.
pub fn dump_hex(fd: c_int, mut value: usize, width: usize) {
    let mut buf = [b'0'; 16];
    let mut i = buf.len();
    while value != 0 || buf.len() - i < width.min(16) {
        i -= 1;
        buf[i] = b"0123456789abcdef"[value & 15];
        value >>= 4;
    }
    puts(fd, &buf[i..]);
}

/// Writes a str, what is not printable ASCII escaped.
///
/// # Safety
/// `text` is a str that is not changing.
pub unsafe fn dump_ascii(fd: c_int, text: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        if text.is_null() || PyUnicode_Check(text) == 0 {
            puts(fd, b"???");
            return;
        }
        let n = PyUnicode_GET_LENGTH(text) as usize;
        let (kind, data) = (PyUnicode_KIND(text), PyUnicode_DATA(text));
        for i in 0..n.min(MAX_STRING_LENGTH) {
            let c = match kind {
                1 => *data.cast::<u8>().add(i) as u32,
                2 => *data.cast::<u16>().add(i) as u32,
                _ => *data.cast::<u32>().add(i),
            };
            if (0x20..0x7f).contains(&c) {
                puts(fd, &[c as u8]);
            } else if c <= 0xff {
                puts(fd, b"\\x");
                dump_hex(fd, c as usize, 2);
            } else if c <= 0xffff {
                puts(fd, b"\\u");
                dump_hex(fd, c as usize, 4);
            } else {
                puts(fd, b"\\U");
                dump_hex(fd, c as usize, 8);
            }
        }
        if n > MAX_STRING_LENGTH {
            puts(fd, b"...");
        }
    }
}

unsafe fn dump_frame(fd: c_int, f: *mut _PyInterpreterFrame) {
    // SAFETY: [ARGS]
    unsafe {
        let code: *mut PyCodeObject = (*f).f_executable.cast();
        puts(fd, b"  File ");
        if !(*code).co_filename.is_null() && PyUnicode_Check((*code).co_filename) != 0 {
            puts(fd, b"\"");
            dump_ascii(fd, (*code).co_filename);
            puts(fd, b"\"");
        } else {
            puts(fd, b"???");
        }
        let line = PyCode_Addr2Line(code.cast(), frame_lasti(f));
        puts(fd, b", line ");
        if line >= 0 {
            dump_decimal(fd, line as usize);
        } else {
            puts(fd, b"???");
        }
        puts(fd, b" in ");
        dump_ascii(fd, (*code).co_name);
        puts(fd, b"\n");
    }
}

unsafe fn dump_traceback(fd: c_int, ts: *mut PyThreadState, header: bool) {
    // SAFETY: [ARGS] the thread does not run, or is this one.
    unsafe {
        if header {
            puts(fd, b"Stack (most recent call first):\n");
        }
        let mut f = (*ts).current_frame;
        if f.is_null() {
            puts(fd, b"  <no Python frame>\n");
            return;
        }
        let mut depth = 0;
        while !f.is_null() {
            if !f.is_incomplete() {
                if depth >= MAX_FRAME_DEPTH {
                    puts(fd, b"  ...\n");
                    break;
                }
                dump_frame(fd, f);
                depth += 1;
            }
            f = (*f).previous;
        }
    }
}

/// Writes where a thread is to a file descriptor, in a signal handler if need be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DumpTraceback(fd: c_int, ts: *mut PyThreadState) {
    // SAFETY: [ARGS]
    unsafe { dump_traceback(fd, ts, true) }
}

/// Writes where all threads are to a file descriptor; an error text or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DumpTracebackThreads(fd: c_int, interp: *mut PyInterpreterState, current: *mut PyThreadState) -> *const c_char {
    // SAFETY: [ARGS] no lock is taken, as the holder may be the thread interrupted.
    unsafe {
        let mut ip = as_interp(interp);
        if ip.is_null() {
            ip = crate::pystate::main_interp();
        }
        if ip.is_null() {
            return c"unable to get the interpreter state".as_ptr();
        }
        let mut t = (*ip).threads_head;
        if t.is_null() {
            return c"unable to get the thread head state".as_ptr();
        }
        let mut n = 0;
        while !t.is_null() {
            if n != 0 {
                puts(fd, b"\n");
            }
            if n >= MAX_NTHREADS {
                puts(fd, b"...\n");
                break;
            }
            puts(fd, if t == current { b"Current thread 0x" } else { b"Thread 0x" });
            dump_hex(fd, (*t).thread_id as usize, 16);
            puts(fd, b" (most recent call first):\n");
            if t == current && taipan_objects::gc::is_collecting() {
                puts(fd, b"  Garbage-collecting\n");
            }
            dump_traceback(fd, t, false);
            t = (*t).next;
            n += 1;
        }
        core::ptr::null()
    }
}


/// Writes the names of the extension modules that are not of the standard library; in a signal handler if need be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DumpExtensionModules(fd: c_int, interp: *mut PyInterpreterState) {
    // SAFETY: [ARGS] dicts and sets are walked as they are: nothing is made, hashed or compared by code of theirs.
    unsafe {
        let ip = as_interp(interp);
        if ip.is_null() || (*ip).modules.is_null() || PyDict_Check((*ip).modules) == 0 {
            return;
        }
        let (mut pos, mut key, mut value) = (0, core::ptr::null_mut(), core::ptr::null_mut());
        let mut stdlib = core::ptr::null_mut();
        if !(*ip).sysdict.is_null() {
            while PyDict_Next((*ip).sysdict, &mut pos, &mut key, &mut value) != 0 {
                if PyUnicode_Check(key) != 0 && PyUnicode_CompareWithASCIIString(key, c"stdlib_module_names".as_ptr()) == 0 {
                    stdlib = value;
                    break;
                }
            }
        }
        if !stdlib.is_null() && (*stdlib).ob_type != &raw mut PyFrozenSet_Type {
            stdlib = core::ptr::null_mut();
        }
        let is_stdlib = |name: *mut PyObject| {
            let (mut i, mut item, mut hash) = (0, core::ptr::null_mut(), 0);
            while !stdlib.is_null() && _PySet_NextEntry(stdlib, &mut i, &mut item, &mut hash) != 0 {
                if PyUnicode_Check(item) != 0 && PyUnicode_Compare(name, item) == 0 {
                    return true;
                }
            }
            false
        };
        let mut count = 0;
        pos = 0;
        while PyDict_Next((*ip).modules, &mut pos, &mut key, &mut value) != 0 {
            if PyUnicode_Check(key) == 0 || PyModule_Check(value) == 0 {
                continue;
            }
            let def = (*value.cast::<PyModuleObject>()).md_def;
            if def.is_null() || (*def).m_methods.is_null() || is_stdlib(key) {
                continue;
            }
            puts(fd, if count == 0 { b"\nExtension modules: " } else { b", " });
            dump_ascii(fd, key);
            count += 1;
        }
        if count != 0 {
            puts(fd, b" (total: ");
            dump_decimal(fd, count);
            puts(fd, b")\n");
        }
    }
}
