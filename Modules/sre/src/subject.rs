//! What a pattern is applied to, and one application of it.

use crate::engine::matcher::{Env, Mode, State, Stop, run};
use crate::engine::search::search;
use crate::engine::units::Unit;
use crate::pattern::Pattern;
use core::ptr::null_mut;
use taipan_abi::*;

/// The characters of a str or of a bytes-like object, held as long as this lives.
pub struct Text {
    object: Owned,
    /// The buffer of a bytes-like object; exporters may keep its address.
    view: Option<Box<Py_buffer>>,
    data: *const core::ffi::c_void,
    /// In characters.
    pub len: usize,
    /// Bytes a character: 1, 2 or 4.
    pub width: u8,
}

impl Text {
    /// Takes hold of `op`'s characters; TypeError unless it has any.
    ///
    /// # Safety
    /// `op` is live.
    pub unsafe fn of(op: *mut PyObject) -> PyResult<Text> {
        // SAFETY: [ARGS] the result keeps the object.
        unsafe {
            if PyUnicode_Check(op) != 0 {
                return Ok(Text {
                    object: Owned::from_borrowed(op),
                    view: None,
                    data: PyUnicode_DATA(op),
                    len: PyUnicode_GET_LENGTH(op) as usize,
                    width: PyUnicode_KIND(op) as u8,
                });
            }
            let mut view = Box::new(core::mem::zeroed::<Py_buffer>());
            if PyObject_GetBuffer(op, &mut *view, PyBUF_SIMPLE) != 0 {
                bail!(PyExc_TypeError, "expected string or bytes-like object, got '{}'", type_name(op));
            }
            if view.buf.is_null() {
                PyBuffer_Release(&mut *view);
                bail!(PyExc_ValueError, "Buffer is NULL");
            }
            let (data, len) = (view.buf, view.len as usize);
            Ok(Text { object: Owned::from_borrowed(op), view: Some(view), data, len, width: 1 })
        }
    }

    /// Whether it is bytes rather than str.
    pub fn is_bytes(&self) -> bool {
        self.view.is_some()
    }

    /// The object.
    pub fn object(&self) -> *mut PyObject {
        self.object.as_ptr()
    }

    /// The first `n` characters.
    ///
    /// # Safety
    /// `C` has the text's width; `n` is at most its length.
    unsafe fn chars<C: Unit>(&self, n: usize) -> &[C] {
        // SAFETY: by contract; the buffer stays as long as self.
        unsafe { core::slice::from_raw_parts(self.data.cast(), n) }
    }

    /// Whether a backslash is among the characters.
    pub fn has_backslash(&self) -> bool {
        let b = b'\\';
        // SAFETY: the width says which arm fits.
        unsafe {
            match self.width {
                1 => u8::find(b, self.chars(self.len)),
                2 => u16::find(b as u16, self.chars(self.len)),
                _ => u32::find(b as u32, self.chars(self.len)),
            }
            .is_some()
        }
    }

    /// The part from `start` to `end` as a new object (or the whole object itself).
    pub fn slice(&self, start: usize, end: usize) -> PyResult<Owned> {
        // SAFETY: [TYPE] positions lie within the text.
        unsafe {
            let op = self.object();
            if self.is_bytes() {
                if PyBytes_CheckExact(op) != 0 && start == 0 && end == PyBytes_Size(op) as usize {
                    return Ok(self.object.clone());
                }
                let p = self.data.cast::<core::ffi::c_char>().add(start);
                return Owned::from_owned_or_err(PyBytes_FromStringAndSize(p, (end - start) as Py_ssize_t));
            }
            Owned::from_owned_or_err(PyUnicode_Substring(op, start as Py_ssize_t, end as Py_ssize_t))
        }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if let Some(view) = &mut self.view {
            // SAFETY: filled by PyObject_GetBuffer.
            unsafe { PyBuffer_Release(&mut **view) }
        }
    }
}

/// Signal handlers run while a match takes its time.
struct Signals;
impl Env for Signals {
    fn poll(&mut self) -> bool {
        // SAFETY: [GIL]
        unsafe { PyErr_CheckSignals() == 0 }
    }
}

/// The working memory of the last match, for the next one ([GIL]).
static mut SPARE: Option<State> = None;

/// A pattern at work on a subject.
pub struct Search {
    /// The subject.
    pub text: Text,
    pattern: Owned<Pattern>,
    state: State,
    /// Where the next match may begin; after a match, where it began.
    pub start: usize,
    /// After a match, where it ends.
    pub end: usize,
    /// The bounds that the caller set.
    pub pos: usize,
    /// See [`Search::pos`].
    pub endpos: usize,
    advance: bool,
}

impl Search {
    /// Prepares to apply `pattern` to `string` between `pos` and `endpos`.
    pub fn new(pattern: Borrowed<'_, Pattern>, string: Borrowed<'_>, pos: isize, endpos: isize) -> PyResult<Search> {
        // SAFETY: [ARGS] [GIL]
        unsafe {
            let text = Text::of(string.ob())?;
            if text.is_bytes() && pattern.kind() == Some(false) {
                bail!(PyExc_TypeError, "cannot use a string pattern on a bytes-like object");
            }
            if !text.is_bytes() && pattern.kind() == Some(true) {
                bail!(PyExc_TypeError, "cannot use a bytes pattern on a string-like object");
            }
            let clamp = |n: isize| if n < 0 { 0 } else { (n as usize).min(text.len) };
            let (pos, endpos) = (clamp(pos), clamp(endpos));
            let mut state = (*(&raw mut SPARE)).take().unwrap_or_default();
            state.prepare(pattern.program());
            Ok(Search { text, pattern: pattern.to_owned(), state, start: pos, end: pos, pos, endpos, advance: false })
        }
    }

    /// The pattern.
    pub fn pattern(&self) -> Borrowed<'_, Pattern> {
        self.pattern.borrow()
    }

    fn outcome(&mut self, found: Result<Option<(usize, usize)>, Stop>) -> PyResult<bool> {
        match found {
            Ok(Some((a, b))) => {
                (self.start, self.end) = (a, b);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(Stop::Memory) => {
                // SAFETY: [GIL]
                unsafe {
                    PyErr_NoMemory();
                    Err(Raised::assume())
                }
            }
            // SAFETY: [EXC] the signal handler raised it.
            Err(Stop::Interrupted) => Err(unsafe { Raised::assume() }),
        }
    }

    /// Matches right at `start`, up to the end if `whole`.
    pub fn match_here(&mut self, whole: bool) -> PyResult<bool> {
        self.state.reset();
        let mode = Mode { whole, advance: self.advance };
        let p = self.pattern.program();
        let (n, at, st) = (self.endpos, self.start, &mut self.state);
        // SAFETY: the width says which arm fits; endpos is within the text.
        let end = unsafe {
            match self.text.width {
                1 => run(p, st, self.text.chars::<u8>(n), at, mode, &mut Signals),
                2 => run(p, st, self.text.chars::<u16>(n), at, mode, &mut Signals),
                _ => run(p, st, self.text.chars::<u32>(n), at, mode, &mut Signals),
            }
        };
        self.outcome(end.map(|e| e.map(|e| (at, e))))
    }

    /// Finds the next match from `start` on.
    pub fn search(&mut self) -> PyResult<bool> {
        self.state.reset();
        let mode = Mode { whole: false, advance: self.advance };
        let p = self.pattern.program();
        let (n, at, st) = (self.endpos, self.start, &mut self.state);
        // SAFETY: the width says which arm fits; endpos is within the text.
        let found = unsafe {
            match self.text.width {
                1 => search(p, st, self.text.chars::<u8>(n), at, mode, &mut Signals),
                2 => search(p, st, self.text.chars::<u16>(n), at, mode, &mut Signals),
                _ => search(p, st, self.text.chars::<u32>(n), at, mode, &mut Signals),
            }
        };
        self.outcome(found)
    }

    /// The next match begins where the last one ended; after an empty one it must not be empty at the same place.
    pub fn go_on(&mut self) {
        self.advance = self.start == self.end;
        self.start = self.end;
    }

    /// The span of group `g` (from 1); SystemError if it is nonsense.
    pub fn span(&self, g: usize) -> PyResult<Option<(usize, usize)>> {
        match self.state.group(g) {
            Some((a, b)) if a > b => {
                bail!(PyExc_SystemError, "The span of capturing group is wrong, please report a bug for the re module.")
            }
            span => Ok(span),
        }
    }

    /// The text of group `g`, empty if it took no part.
    pub fn group_or_empty(&self, g: usize) -> PyResult<Owned> {
        let (a, b) = self.span(g)?.unwrap_or((0, 0));
        self.text.slice(a, b)
    }

    /// The text of group `g`, None if it took no part.
    pub fn group_or_none(&self, g: usize) -> PyResult<Owned> {
        match self.span(g)? {
            Some((a, b)) => self.text.slice(a, b),
            // SAFETY: [IMMORTAL]
            None => Ok(unsafe { Owned::from_borrowed(Py_None()) }),
        }
    }

    /// The group closed last, 0 if none.
    pub fn lastindex(&self) -> usize {
        self.state.lastindex
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let mut state = core::mem::take(&mut self.state);
        state.trim();
        // SAFETY: [GIL]
        unsafe { *(&raw mut SPARE) = Some(state) }
    }
}

/// A bytes join or str join of `items` (a list), by the subject's kind.
pub fn join(bytes: bool, items: Owned) -> PyResult<Owned> {
    // SAFETY: [TYPE] items is a list.
    unsafe {
        if bytes {
            let empty = Owned::from_owned_or_err(PyBytes_FromStringAndSize(core::ptr::null(), 0))?;
            let args = [empty.as_ptr(), items.as_ptr()];
            return Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("join"), args.as_ptr(), 2, null_mut()));
        }
        let empty = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(c"".as_ptr(), 0))?;
        Owned::from_owned_or_err(PyUnicode_Join(empty.as_ptr(), items.as_ptr()))
    }
}
