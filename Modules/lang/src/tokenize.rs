//! The `_tokenize` module: the tokenizer as an iterator.

use crate::{new_int, new_str, own, tuple};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods, module, module::add_type};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_parser::{ErrorKind, Line, LineReader, SyntaxError, TokenizerIter, WarningCategory};

/// Reads lines by calling a Python function.
struct Readline {
    readline: Owned,
    encoding: Option<std::ffi::CString>,
}

impl Readline {
    /// A line of UTF-8; empty at the end.
    fn read(&self) -> PyResult<Vec<u8>> {
        // SAFETY: [GIL] [TYPE] checked.
        unsafe {
            let raw = match own(PyObject_CallNoArgs(self.readline.as_ptr())) {
                Ok(r) => r,
                Err(e) if e.matches(PyExc_StopIteration) => {
                    e.clear();
                    return Ok(Vec::new());
                }
                Err(e) => return Err(e),
            };
            let line = match &self.encoding {
                Some(encoding) => {
                    if PyBytes_Check(raw.as_ptr()) == 0 {
                        bail!(PyExc_TypeError, "readline() returned a non-bytes object");
                    }
                    let (p, n) = (PyBytes_AsString(raw.as_ptr()), PyBytes_Size(raw.as_ptr()));
                    own(PyUnicode_Decode(p, n, encoding.as_ptr(), c"replace".as_ptr()))?
                }
                None => {
                    if PyUnicode_Check(raw.as_ptr()) == 0 {
                        bail!(PyExc_TypeError, "readline() returned a non-string object");
                    }
                    raw
                }
            };
            let mut size = 0;
            let p = PyUnicode_AsUTF8AndSize(line.as_ptr(), &mut size);
            if p.is_null() {
                return Err(Raised::assume());
            }
            Ok(core::slice::from_raw_parts(p.cast::<u8>(), size as usize).to_vec())
        }
    }
}

impl LineReader for Readline {
    fn readline(&mut self, _: bool) -> Line {
        match self.read() {
            Ok(text) => Line::Text(text),
            Err(_) => Line::Failed,
        }
    }
}

/// `TokenizerIter`. It isn't collected, like CPython's.
#[repr(C)]
struct TokenizerIterObject {
    ob_base: PyObject,
    /// NULL until the constructor has run, and while a token is being read.
    iter: *mut TokenizerIter,
    /// The line of the token before.
    last_line: *mut PyObject,
    exhausted: bool,
}

fn tokenizeriter_new(tp: Borrowed<'_, PyTypeObject>, readline: Borrowed<'_>, extra_tokens: bool, encoding: Option<&str>) -> PyResult<Owned> {
    let encoding = match encoding {
        None => None,
        Some(e) => match std::ffi::CString::new(e) {
            Ok(c) => Some(c),
            Err(_) => bail!(PyExc_ValueError, "embedded null character"),
        },
    };
    // SAFETY: [OWN] a fresh object.
    unsafe {
        let slf = own(PyType_GenericAlloc(tp.as_ptr(), 0))?;
        let reader = Readline { readline: readline.to_owned(), encoding };
        let iter = TokenizerIter::new(Box::new(reader), extra_tokens);
        (*slf.as_ptr().cast::<TokenizerIterObject>()).iter = Box::into_raw(Box::new(iter));
        Ok(slf)
    }
}

/// Raises what the tokenizer reports, unless reading has raised already.
fn raise_error(error: &SyntaxError) -> Raised {
    // SAFETY: [GIL]
    unsafe {
        if err_occurred() {
            return Raised::assume();
        }
        let class = match error.kind {
            ErrorKind::Indentation => PyExc_IndentationError,
            ErrorKind::Tab => PyExc_TabError,
            ErrorKind::Interrupt => {
                PyErr_SetNone(PyExc_KeyboardInterrupt);
                return Raised::assume();
            }
            ErrorKind::Memory => {
                PyErr_NoMemory();
                return Raised::assume();
            }
            ErrorKind::Callback => return raise!(PyExc_SystemError, "readline failed without an exception"),
            _ => PyExc_SyntaxError,
        };
        let made: PyResult<()> = (|| {
            let none = || Owned::from_borrowed(Py_None());
            let mut args = vec![new_str(&error.msg)?];
            if let Some(l) = &error.location {
                let text = l.text.as_deref().map_or_else(|| Ok(none()), new_str)?;
                let (end_lineno, end_offset) = match l.end {
                    Some((line, offset)) => (new_int(line as i64)?, new_int(offset as i64)?),
                    None => (none(), none()),
                };
                let place = [new_str("<string>")?, new_int(l.lineno as i64)?, new_int(l.offset as i64)?, text, end_lineno, end_offset];
                args.push(tuple(place.into())?);
            }
            let args = tuple(args)?;
            PyErr_SetObject(class, args.as_ptr());
            Ok(())
        })();
        let _ = made;
        Raised::assume()
    }
}

fn warn(iter: &mut TokenizerIter) -> PyResult<()> {
    for w in iter.take_warnings() {
        // SAFETY: [GIL]
        unsafe {
            let category = match w.category {
                WarningCategory::Syntax => PyExc_SyntaxWarning,
                WarningCategory::Deprecation => PyExc_DeprecationWarning,
            };
            let (msg, filename) = (new_str(&w.msg)?, new_str("<string>")?);
            let r = PyErr_WarnExplicitObject(category, msg.as_ptr(), filename.as_ptr(), w.lineno as i32, null_mut(), null_mut());
            if r < 0 {
                let e = Raised::assume();
                if e.matches(category) {
                    e.clear();
                    return Err(raise_error(&w.error));
                }
                return Err(e);
            }
        }
    }
    Ok(())
}

unsafe extern "C" {
    fn PyErr_WarnExplicitObject(
        category: *mut PyObject,
        message: *mut PyObject,
        filename: *mut PyObject,
        lineno: core::ffi::c_int,
        module: *mut PyObject,
        registry: *mut PyObject,
    ) -> core::ffi::c_int;
}

fn next_token(iter: &mut TokenizerIter, last_line: &mut *mut PyObject) -> PyResult<Option<Owned>> {
    let Some(token) = iter.next_token() else { return Ok(None) };
    let token = match token {
        Ok(t) => t,
        Err(e) => return Err(raise_error(&e)),
    };
    // SAFETY: [GIL] [OWN] last_line owns its reference.
    unsafe {
        let line = if token.same_line && !last_line.is_null() && !token.line.is_empty() {
            Owned::from_borrowed(*last_line)
        } else {
            let line = new_str(&token.line)?;
            setref(last_line, line.clone().into_raw());
            line
        };
        let place = |(line, col): (i64, i64)| tuple(vec![new_int(line)?, new_int(col)?]);
        let parts = [new_int(token.kind as i64)?, new_str(&token.string)?, place(token.start)?, place(token.end)?, line];
        let result = tuple(parts.into())?;
        warn(iter)?;
        Ok(Some(result))
    }
}

unsafe extern "C" fn tokenizeriter_next(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_iternext. The tokenizer is taken out while it runs, as reading a line may come back here.
    let r: PyResult<Option<Owned>> = (|| unsafe {
        let it = slf.cast::<TokenizerIterObject>();
        if (*it).exhausted {
            return Ok(None);
        }
        let iter = core::mem::replace(&mut (*it).iter, null_mut());
        if iter.is_null() {
            bail!(PyExc_ValueError, "tokenizer already executing");
        }
        let mut last_line = core::mem::replace(&mut (*it).last_line, null_mut());
        let item = next_token(&mut *iter, &mut last_line);
        (*it).iter = iter;
        setref(&raw mut (*it).last_line, last_line);
        match item {
            Ok(None) => {
                (*it).exhausted = true;
                Err(raise!(PyExc_StopIteration, "EOF"))
            }
            other => other,
        }
    })();
    r.into_c()
}

unsafe extern "C" fn tokenizeriter_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe {
        let it = slf.cast::<TokenizerIterObject>();
        if !(*it).iter.is_null() {
            drop(Box::from_raw((*it).iter));
        }
        Py_XDECREF((*it).last_line);
        if let Some(free) = (*type_of(slf)).tp_free {
            free(slf.cast());
        }
    }
}

static mut TOKENIZER_ITER: PyTypeObject = PyTypeObject {
    tp_name: c"_tokenize.TokenizerIter".as_ptr(),
    tp_basicsize: size_of::<TokenizerIterObject>() as Py_ssize_t,
    tp_dealloc: Some(tokenizeriter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(tokenizeriter_next),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_new: Some(constructor!("tokenizeriter(readline, /, *, extra_tokens, encoding='utf-8')" => tokenizeriter_new)),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

methods! { static METHODS = []; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe { add_type(module, &raw mut TOKENIZER_ITER) }
}

module! {
    /// Entry point.
    pub fn PyInit__tokenize = "_tokenize", "The tokenizer.", methods: METHODS, exec: exec;
}
