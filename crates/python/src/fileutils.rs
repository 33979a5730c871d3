//! Files, encodings of the locale and of source files, paths: what C code asks of the operating system.

use crate::ceval_gil::{allow_threads, errno};
use crate::util::*;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use taipan_abi::*;

/// The content of a file named in bytes.
pub fn read_file(path: &[u8]) -> std::io::Result<Vec<u8>> {
    std::fs::read(std::ffi::OsStr::from_bytes(path))
}

/// The line numbered from 1, with its end; lines end with `\n`, `\r` or `\r\n`.
pub fn nth_line(data: &[u8], n: usize) -> Option<&[u8]> {
    let mut rest = data;
    for i in 1.. {
        if rest.is_empty() {
            return None;
        }
        let end = match rest.iter().position(|&b| b == b'\n' || b == b'\r') {
            Some(p) if rest[p] == b'\r' && rest.get(p + 1) == Some(&b'\n') => p + 2,
            Some(p) => p + 1,
            None => rest.len(),
        };
        if i == n {
            return Some(&rest[..end]);
        }
        rest = &rest[end..];
    }
    None
}

/// The encoding that a source file declares (PEP 263), `None` for UTF-8.
pub fn source_encoding(data: &[u8]) -> Option<String> {
    if data.starts_with(b"\xef\xbb\xbf") {
        return None;
    }
    for i in 1..=2 {
        let line = nth_line(data, i)?;
        let start = line.iter().position(|b| !matches!(b, b' ' | b'\t' | 0x0c)).unwrap_or(line.len());
        let body = &line[start..];
        if body.first() == Some(&b'#') {
            if let Some(found) = coding_spec(body) {
                return Some(found);
            }
        } else if !body.is_empty() && !matches!(body[0], b'\n' | b'\r') {
            return None;
        }
    }
    None
}

/// The name in `coding[:=]\s*([-\w.]+)`, normalised.
fn coding_spec(comment: &[u8]) -> Option<String> {
    let mut i = 0;
    while let Some(p) = comment[i..].windows(6).position(|w| w == b"coding") {
        let mut j = i + p + 6;
        if matches!(comment.get(j), Some(b':' | b'=')) {
            j += 1;
            while matches!(comment.get(j), Some(b' ' | b'\t')) {
                j += 1;
            }
            let name: Vec<u8> = comment[j..].iter().copied().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')).collect();
            if !name.is_empty() {
                let text = String::from_utf8(name).ok()?;
                let norm: String = text.chars().take(12).map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect();
                if norm == "utf-8" || norm.starts_with("utf-8-") {
                    return None;
                }
                for l in ["latin-1", "iso-8859-1", "iso-latin-1"] {
                    if norm == l || norm.starts_with(&format!("{l}-")) {
                        return Some("iso-8859-1".into());
                    }
                }
                return Some(text);
            }
        }
        i += p + 6;
    }
    None
}

/// A C string of bytes that may hold a NUL.
pub fn c_path(bytes: &[u8]) -> PyResult<CString> {
    match CString::new(bytes) {
        Ok(c) => Ok(c),
        Err(_) => bail!(PyExc_ValueError, "embedded null byte"),
    }
}

// ---- wide strings and the locale

/// Characters of raw bytes, as `Py_DecodeLocale` in UTF-8 mode: bytes that are no UTF-8 become lone surrogates.
pub fn decode_surrogateescape(bytes: &[u8]) -> Vec<u32> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        match core::str::from_utf8(rest) {
            Ok(s) => {
                out.extend(s.chars().map(|c| c as u32));
                break;
            }
            Err(e) => {
                let good = e.valid_up_to();
                if let Ok(s) = core::str::from_utf8(&rest[..good]) {
                    out.extend(s.chars().map(|c| c as u32));
                }
                out.push(0xdc00 + rest[good] as u32);
                rest = &rest[good + 1..];
            }
        }
    }
    out
}

/// The bytes of characters, the inverse of [`decode_surrogateescape`]; the index of what has no bytes otherwise.
pub fn encode_surrogateescape(chars: &[u32]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(chars.len());
    for (i, &c) in chars.iter().enumerate() {
        match char::from_u32(c) {
            Some(ch) => out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes()),
            None if (0xdc80..=0xdcff).contains(&c) => out.push((c - 0xdc00) as u8),
            None => return Err(i),
        }
    }
    Ok(out)
}

/// Whether the locale's encoding is UTF-8 (or UTF-8 mode is on), which the fast paths need.
pub fn locale_is_utf8() -> bool {
    let ip = crate::pystate::main_interp();
    // SAFETY: the configuration does not change once it is made.
    if !ip.is_null() && unsafe { (*ip).config.utf8_mode } > 0 {
        return true;
    }
    let name = codeset();
    let n: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    // What the C locale claims is ASCII is read as UTF-8, as Python has coerced it since 3.7.
    n == "utf8"
}

/// The name of the locale's encoding (`nl_langinfo(CODESET)`), UTF-8 if it is empty.
pub fn codeset() -> String {
    // SAFETY: the text is copied at once.
    unsafe {
        let p = libc::nl_langinfo(libc::CODESET);
        let s = c_text(p);
        if s.is_empty() { "UTF-8".into() } else { s.into_owned() }
    }
}

unsafe extern "C" {
    fn mbstowcs(dest: *mut libc::wchar_t, src: *const c_char, n: usize) -> usize;
    fn wcstombs(dest: *mut c_char, src: *const libc::wchar_t, n: usize) -> usize;
}

/// Characters of bytes in the locale's encoding; what is invalid becomes lone surrogates.
pub fn decode_locale(bytes: &[u8]) -> Vec<u32> {
    if locale_is_utf8() || bytes.is_ascii() {
        return decode_surrogateescape(bytes);
    }
    let Ok(c) = CString::new(bytes) else { return decode_surrogateescape(bytes) };
    // SAFETY: buffers are as long as told.
    unsafe {
        let n = mbstowcs(null_mut(), c.as_ptr(), 0);
        if n != usize::MAX {
            let mut wide = vec![0 as libc::wchar_t; n + 1];
            mbstowcs(wide.as_mut_ptr(), c.as_ptr(), n + 1);
            wide.truncate(n);
            return wide.into_iter().map(|w| w as u32).collect();
        }
    }
    bytes.iter().map(|&b| if b < 0x80 { b as u32 } else { 0xdc00 + b as u32 }).collect()
}

/// Allocates a NUL-terminated wide string with `PyMem_RawMalloc`.
pub fn raw_wide(chars: &[u32]) -> *mut libc::wchar_t {
    // SAFETY: fresh memory of the size written.
    unsafe {
        let p = PyMem_RawMalloc((chars.len() + 1) * size_of::<libc::wchar_t>()).cast::<libc::wchar_t>();
        if !p.is_null() {
            for (i, &c) in chars.iter().enumerate() {
                *p.add(i) = c as libc::wchar_t;
            }
            *p.add(chars.len()) = 0;
        }
        p
    }
}

/// The characters of a NUL-terminated wide string.
///
/// # Safety
/// `p` is NULL or NUL-terminated.
pub unsafe fn wide_chars(p: *const libc::wchar_t) -> Vec<u32> {
    // SAFETY: [ARGS]
    unsafe {
        let mut out = Vec::new();
        if !p.is_null() {
            let mut q = p;
            while *q != 0 {
                out.push(*q as u32);
                q = q.add(1);
            }
        }
        out
    }
}

/// A new wide string (`PyMem_RawFree` it) of bytes in the locale's encoding; NULL when out of memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_DecodeLocale(arg: *const c_char, wlen: *mut usize) -> *mut libc::wchar_t {
    // SAFETY: [ARGS]
    unsafe {
        let chars = decode_locale(CStr::from_ptr(arg).to_bytes());
        if !wlen.is_null() {
            *wlen = chars.len();
        }
        raw_wide(&chars)
    }
}

unsafe fn encode_to_c(text: *const libc::wchar_t, error_pos: *mut usize, raw: bool) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe {
        if !error_pos.is_null() {
            *error_pos = usize::MAX;
        }
        let chars = wide_chars(text);
        let bytes = if locale_is_utf8() || chars.iter().all(|&c| c < 0x80) {
            match encode_surrogateescape(&chars) {
                Ok(b) => b,
                Err(i) => {
                    if !error_pos.is_null() {
                        *error_pos = i;
                    }
                    return null_mut();
                }
            }
        } else {
            let mut out = Vec::new();
            for (i, &c) in chars.iter().enumerate() {
                if (0xdc80..=0xdcff).contains(&c) {
                    out.push((c - 0xdc00) as u8);
                    continue;
                }
                let w = [c as libc::wchar_t, 0];
                let mut buf = [0 as c_char; 32];
                let n = wcstombs(buf.as_mut_ptr(), w.as_ptr(), buf.len());
                if n == usize::MAX {
                    if !error_pos.is_null() {
                        *error_pos = i;
                    }
                    return null_mut();
                }
                out.extend(buf[..n].iter().map(|&b| b as u8));
            }
            out
        };
        let p = if raw { PyMem_RawMalloc(bytes.len() + 1) } else { PyMem_Malloc(bytes.len() + 1) }.cast::<c_char>();
        if !p.is_null() {
            core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), p, bytes.len());
            *p.add(bytes.len()) = 0;
        }
        p
    }
}

/// A new byte string (`PyMem_Free` it) in the locale's encoding; NULL and the position when a character has no form there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_EncodeLocale(text: *const libc::wchar_t, error_pos: *mut usize) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe { encode_to_c(text, error_pos, false) }
}

/// As [`Py_EncodeLocale`], to be freed with `PyMem_RawFree`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_EncodeLocaleRaw(text: *const libc::wchar_t, error_pos: *mut usize) -> *mut c_char {
    // SAFETY: [ARGS]
    unsafe { encode_to_c(text, error_pos, true) }
}

/// The error handlers that locales know, as `_Py_error_handler` numbers them.
#[derive(Clone, Copy, PartialEq)]
enum LocaleErrors {
    Strict,
    SurrogateEscape,
    SurrogatePass,
}

impl LocaleErrors {
    /// `None` for any other handler: only UTF-8 has a form for surrogates.
    fn of(errors: c_int) -> Option<Self> {
        match errors {
            1 => Some(LocaleErrors::Strict),
            2 => Some(LocaleErrors::SurrogateEscape),
            6 if locale_is_utf8() => Some(LocaleErrors::SurrogatePass),
            _ => None,
        }
    }
}

/// Decodes UTF-8; the position of the first byte that the handler doesn't allow, otherwise.
fn decode_utf8_with(bytes: &[u8], errors: LocaleErrors) -> Result<Vec<u32>, usize> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (good, bad) = match core::str::from_utf8(&bytes[at..]) {
            Ok(s) => (s, None),
            Err(e) => {
                let end = at + e.valid_up_to();
                (core::str::from_utf8(&bytes[at..end]).unwrap_or_default(), Some(end))
            }
        };
        out.extend(good.chars().map(|c| c as u32));
        let Some(bad) = bad else { break };
        at = bad + 1;
        match (errors, &bytes[bad..]) {
            (LocaleErrors::SurrogateEscape, _) => out.push(0xdc00 + bytes[bad] as u32),
            (LocaleErrors::SurrogatePass, &[0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, ..]) => {
                out.push(0xd000 | (b as u32 & 0x3f) << 6 | (c as u32 & 0x3f));
                at = bad + 3;
            }
            _ => return Err(bad),
        }
    }
    Ok(out)
}

/// Decodes by locale with an error handler of `_Py_error_handler`: -1 no memory, -2 an invalid byte, with its position in
/// `wlen`, -3 a handler that the locale doesn't know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_DecodeLocaleEx(arg: *const c_char, wstr: *mut *mut libc::wchar_t, wlen: *mut usize, reason: *mut *const c_char, _current_locale: c_int, errors: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(errors) = LocaleErrors::of(errors) else { return -3 };
        let bytes = CStr::from_ptr(arg).to_bytes();
        let decoded = if locale_is_utf8() {
            decode_utf8_with(bytes, errors)
        } else {
            let chars = decode_locale(bytes);
            let escaped = chars.iter().position(|c| (0xdc80..=0xdcff).contains(c));
            match escaped {
                Some(i) if errors == LocaleErrors::Strict => Err(i),
                _ => Ok(chars),
            }
        };
        let chars = match decoded {
            Ok(chars) => chars,
            Err(i) => {
                if !wlen.is_null() {
                    *wlen = i;
                }
                if !reason.is_null() {
                    *reason = c"decoding error".as_ptr();
                }
                return -2;
            }
        };
        if !wlen.is_null() {
            *wlen = chars.len();
        }
        *wstr = raw_wide(&chars);
        if (*wstr).is_null() { -1 } else { 0 }
    }
}

/// Encodes by locale; as [`_Py_DecodeLocaleEx`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_EncodeLocaleEx(text: *const libc::wchar_t, str_: *mut *mut c_char, error_pos: *mut usize, reason: *mut *const c_char, _current_locale: c_int, errors: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(errors) = LocaleErrors::of(errors) else { return -3 };
        let chars = wide_chars(text);
        let fail = |i: usize| {
            if !error_pos.is_null() {
                *error_pos = i;
            }
            if !reason.is_null() {
                *reason = c"encoding error".as_ptr();
            }
            -2
        };
        match errors {
            LocaleErrors::Strict => {
                if let Some(i) = chars.iter().position(|c| (0xd800..=0xdfff).contains(c)) {
                    return fail(i);
                }
            }
            LocaleErrors::SurrogatePass => {
                let mut out = Vec::with_capacity(chars.len());
                for (i, &c) in chars.iter().enumerate() {
                    match char::from_u32(c) {
                        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                        None if c <= 0xdfff => out.extend([0xe0 | (c >> 12) as u8, 0x80 | (c >> 6 & 0x3f) as u8, 0x80 | (c & 0x3f) as u8]),
                        None => return fail(i),
                    }
                }
                let p = PyMem_RawMalloc(out.len() + 1).cast::<c_char>();
                if p.is_null() {
                    return -1;
                }
                core::ptr::copy_nonoverlapping(out.as_ptr().cast(), p, out.len());
                *p.add(out.len()) = 0;
                *str_ = p;
                return 0;
            }
            LocaleErrors::SurrogateEscape => {}
        }
        let mut at = usize::MAX;
        *str_ = encode_to_c(text, &mut at, true);
        match (*str_).is_null() {
            false => 0,
            true if at == usize::MAX => -1,
            true => fail(at),
        }
    }
}

// ---- files

/// Whether a descriptor is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_IsValidFD(fd: c_int) -> c_int {
    // SAFETY: plain system call.
    unsafe { (fd >= 0 && libc::fcntl(fd, libc::F_GETFD) >= 0) as c_int }
}

fn raise_errno() -> Raised {
    // SAFETY: [GIL]
    unsafe {
        PyErr_SetFromErrno(PyExc_OSError);
        Raised::assume()
    }
}

/// `fstat`, OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_fstat(fd: c_int, status: *mut libc::stat) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if allow_threads(|| libc::fstat(fd, status)) != 0 {
            let _ = raise_errno();
            return -1;
        }
        0
    }
}

/// `fstat`, `errno` on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_fstat_noraise(fd: c_int, status: *mut libc::stat) -> c_int {
    // SAFETY: [ARGS]
    unsafe { libc::fstat(fd, status) }
}

/// `stat` of a str path: -1 `errno`, -2 exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_stat(path: *mut PyObject, status: *mut libc::stat) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(c) = fs_encode(path).and_then(|b| c_path(&b)) else { return -2 };
        libc::stat(c.as_ptr(), status)
    }
}

unsafe fn open_impl(path: *const c_char, flags: c_int, gil: bool) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let flags = flags | libc::O_CLOEXEC;
        if !gil {
            return libc::open(path, flags, 0o666 as c_uint);
        }
        let Ok(name) = own(PyUnicode_DecodeFSDefault(path)) else { return -1 };
        let Ok(n) = new_int(flags as i64) else { return -1 };
        if crate::sysmodule::audit(c"open", &[name.as_ptr(), Py_None(), n.as_ptr()]).is_err() {
            return -1;
        }
        loop {
            let fd = allow_threads(|| libc::open(path, flags, 0o666 as c_uint));
            if fd >= 0 {
                return fd;
            }
            if errno() != libc::EINTR {
                PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
                return -1;
            }
            if PyErr_CheckSignals() != 0 {
                return -1;
            }
        }
    }
}

/// Opens a file, not inherited by child processes; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_open(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { open_impl(path, flags, true) }
}

/// Opens a file, not inherited by child processes; `errno` on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_open_noraise(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe { open_impl(path, flags, false) }
}

/// Most bytes for one `read` or `write`.
const READ_WRITE_MAX: usize = isize::MAX as usize;

/// `read`, repeated when interrupted; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_read(fd: c_int, buf: *mut c_void, count: usize) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let n = allow_threads(|| libc::read(fd, buf, count.min(READ_WRITE_MAX)));
            if n >= 0 {
                return n;
            }
            if errno() != libc::EINTR {
                let _ = raise_errno();
                return -1;
            }
            if PyErr_CheckSignals() != 0 {
                return -1;
            }
        }
    }
}

/// `write`, repeated when interrupted; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_write(fd: c_int, buf: *const c_void, count: usize) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let n = allow_threads(|| libc::write(fd, buf, count.min(READ_WRITE_MAX)));
            if n >= 0 {
                return n;
            }
            if errno() != libc::EINTR {
                let _ = raise_errno();
                return -1;
            }
            if PyErr_CheckSignals() != 0 {
                return -1;
            }
        }
    }
}

/// `write`, repeated when interrupted; `errno` on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_write_noraise(fd: c_int, buf: *const c_void, count: usize) -> Py_ssize_t {
    // SAFETY: [ARGS]
    unsafe {
        loop {
            let n = libc::write(fd, buf, count.min(READ_WRITE_MAX));
            if n >= 0 || errno() != libc::EINTR {
                return n;
            }
        }
    }
}

unsafe fn get_inheritable(fd: c_int, raise_: bool) -> c_int {
    // SAFETY: plain system call.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD, 0);
        if flags == -1 {
            if raise_ {
                let _ = raise_errno();
            }
            return -1;
        }
        (flags & libc::FD_CLOEXEC == 0) as c_int
    }
}

/// Whether child processes inherit a descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_get_inheritable(fd: c_int) -> c_int {
    // SAFETY: plain system call.
    unsafe { get_inheritable(fd, true) }
}

unsafe fn set_inheritable(fd: c_int, inheritable: bool, raise_: bool) -> c_int {
    // SAFETY: plain system calls.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);
        let new = if inheritable { flags & !libc::FD_CLOEXEC } else { flags | libc::FD_CLOEXEC };
        if flags < 0 || (new != flags && libc::fcntl(fd, libc::F_SETFD, new) < 0) {
            if raise_ {
                let _ = raise_errno();
            }
            return -1;
        }
        0
    }
}

/// Lets child processes inherit a descriptor or not; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_inheritable(fd: c_int, inheritable: c_int, _atomic_flag_works: *mut c_int) -> c_int {
    // SAFETY: plain system calls.
    unsafe { set_inheritable(fd, inheritable != 0, true) }
}

/// As [`_Py_set_inheritable`] in a signal handler or after fork; `errno` on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_inheritable_async_safe(fd: c_int, inheritable: c_int, _atomic_flag_works: *mut c_int) -> c_int {
    // SAFETY: plain system calls.
    unsafe { set_inheritable(fd, inheritable != 0, false) }
}

/// Duplicates a descriptor, not inherited by child processes; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_dup(fd: c_int) -> c_int {
    // SAFETY: plain system call.
    unsafe {
        let new = allow_threads(|| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0));
        if new < 0 {
            let _ = raise_errno();
        }
        new
    }
}

/// 1 when a descriptor blocks, 0 when not, -1 with OSError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_get_blocking(fd: c_int) -> c_int {
    // SAFETY: plain system call.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL, 0);
        if flags < 0 {
            let _ = raise_errno();
            return -1;
        }
        (flags & libc::O_NONBLOCK == 0) as c_int
    }
}

/// Lets a descriptor block or not; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_blocking(fd: c_int, blocking: c_int) -> c_int {
    // SAFETY: plain system call.
    unsafe {
        let mut arg: c_int = (blocking == 0) as c_int;
        if libc::ioctl(fd, libc::FIONBIO, &mut arg) < 0 {
            let _ = raise_errno();
            return -1;
        }
        0
    }
}

/// Closes the descriptors from `first` to `last`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_closerange(first: c_int, last: c_int) {
    // SAFETY: plain system calls.
    unsafe {
        let first = first.max(0);
        if last < first || libc::syscall(libc::SYS_close_range, first as c_uint, last as c_uint, 0) == 0 {
            return;
        }
        for fd in first..=last {
            libc::close(fd);
        }
    }
}

/// Opens a file for C's stdio, not inherited by child processes; OSError on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_fopen_obj(path: *mut PyObject, mode: *const c_char) -> *mut libc::FILE {
    // SAFETY: [ARGS]
    unsafe {
        let Ok(m) = own(PyUnicode_FromString(mode)) else { return null_mut() };
        let Ok(zero) = new_int(0) else { return null_mut() };
        if crate::sysmodule::audit(c"open", &[path, m.as_ptr(), zero.as_ptr()]).is_err() {
            return null_mut();
        }
        let mut bytes: *mut PyObject = null_mut();
        if PyUnicode_FSConverter(path, (&raw mut bytes).cast()) == 0 {
            return null_mut();
        }
        let bytes: Owned = Owned::from_owned(bytes);
        let name = PyBytes_AsString(bytes.as_ptr());
        loop {
            let f = allow_threads(|| libc::fopen(name, mode));
            if !f.is_null() {
                set_inheritable(libc::fileno(f), false, false);
                return f;
            }
            if errno() != libc::EINTR {
                PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
                return null_mut();
            }
            if PyErr_CheckSignals() != 0 {
                return null_mut();
            }
        }
    }
}

/// Removes `.`, `..` and doubled slashes from a path, without looking at the file system.
pub fn normpath(path: &[u8]) -> Vec<u8> {
    let absolute = path.first() == Some(&b'/');
    // Two leading slashes, but not three, mean something else to POSIX.
    let root: &[u8] = if path.starts_with(b"//") && !path.starts_with(b"///") {
        b"//"
    } else if absolute {
        b"/"
    } else {
        b""
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for p in path.split(|&b| b == b'/') {
        match p {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|l| *l != b"..") => {
                parts.pop();
            }
            b".." if absolute => {}
            _ => parts.push(p),
        }
    }
    let mut out = root.to_vec();
    out.extend_from_slice(&parts.join(&b'/'));
    out
}

/// Normalises a wide path in place and returns it; see [`normpath`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_normpath(path: *mut libc::wchar_t, size: Py_ssize_t) -> *mut libc::wchar_t {
    // SAFETY: [ARGS] the result is never longer.
    unsafe {
        let mut chars = wide_chars(path);
        if size >= 0 {
            chars.truncate(size as usize);
        }
        if let Ok(bytes) = encode_surrogateescape(&chars) {
            let new = decode_surrogateescape(&normpath(&bytes));
            for (i, &c) in new.iter().enumerate().take(chars.len()) {
                *path.add(i) = c as libc::wchar_t;
            }
            *path.add(new.len().min(chars.len())) = 0;
        }
        path
    }
}

/// `sys.stdin` and the like: the encoding of a terminal's descriptor as a str, None when it is no terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_device_encoding(fd: c_int) -> *mut PyObject {
    // SAFETY: plain system call.
    unsafe {
        if libc::isatty(fd) == 0 {
            return none().into_raw();
        }
        new_str(&if locale_is_utf8() { "utf-8".to_string() } else { codeset() }).into_c()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_encodings() {
        assert_eq!(nth_line(b"a\r\nb\rc\n", 2), Some(&b"b\r"[..]));
        assert_eq!(nth_line(b"a\n", 2), None);
        assert_eq!(source_encoding(b"#!/bin/x\n# -*- coding: Latin-1 -*-\n"), Some("iso-8859-1".into()));
        assert_eq!(source_encoding(b"x = 1\n# coding: latin-1\n"), None);
        assert_eq!(source_encoding(b"# coding=utf-8\n"), None);
    }

    #[test]
    fn paths() {
        assert_eq!(normpath(b"/a//b/./../c/"), b"/a/c");
        assert_eq!(normpath(b"../a/../.."), b"../..");
        assert_eq!(normpath(b"/../x"), b"/x");
        assert_eq!(normpath(b"//x"), b"//x");
    }

    #[test]
    fn surrogateescape_round_trip() {
        let b = b"a\xff\xc3\xa9\xe2\x82";
        assert_eq!(encode_surrogateescape(&decode_surrogateescape(b)).unwrap(), b);
    }
}
