//! The scanner: a search that remembers where it stands.

use crate::matchobject::match_of;
use crate::pattern::Pattern;
use crate::subject::Search;
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods};
use taipan_objects::gc::{gc_new, gc_track};
use taipan_objects::typeobject::TYPE_INIT;

/// A scanner.
#[repr(C)]
pub struct Scanner {
    ob_base: PyObject,
    pattern: *mut Pattern,
    search: *mut Search,
    /// It found nothing more.
    finished: bool,
    executing: bool,
}

/// A scanner that goes on with `search`.
pub fn new_scanner(search: Search) -> PyResult<Owned> {
    // SAFETY: [OWN] every field is set before the object is tracked.
    unsafe {
        let s = gc_new::<Scanner>(&raw mut SCANNER);
        if s.is_null() {
            return Err(Raised::assume());
        }
        (*s).pattern = search.pattern().to_owned().into_raw();
        (*s).search = Box::into_raw(Box::new(search));
        (*s).finished = false;
        (*s).executing = false;
        gc_track(s.cast());
        Ok(Owned::from_owned(s.cast()))
    }
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE] the search's own references can't be cleared, so they aren't shown.
    unsafe { py_visit!(visit, arg; (*slf.cast::<Scanner>()).pattern) }
    0
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.cast::<Scanner>()).pattern, null_mut()) }
    0
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        drop(Box::from_raw((*slf.cast::<Scanner>()).search));
        PyObject_GC_Del(slf.cast());
    }
}

fn step(slf: Borrowed<'_, Scanner>, find: fn(&mut Search) -> PyResult<bool>) -> PyResult<Owned> {
    let s = slf.as_ptr();
    // SAFETY: [TYPE] `executing` keeps a signal handler from using the same search.
    unsafe {
        if (*s).executing {
            bail!(PyExc_ValueError, "regular expression scanner already executing");
        }
        if (*s).finished {
            return Ok(Owned::from_borrowed(Py_None()));
        }
        (*s).executing = true;
        let search = &mut *(*s).search;
        let result = find(search).and_then(|found| {
            let m = match_of(search, found);
            if found { search.go_on() } else { (*s).finished = true }
            m
        });
        (*s).executing = false;
        result
    }
}
fn match_(slf: Borrowed<'_, Scanner>) -> PyResult<Owned> {
    step(slf, |s| s.match_here(false))
}
fn search(slf: Borrowed<'_, Scanner>) -> PyResult<Owned> {
    step(slf, Search::search)
}

methods! {
    static METHODS = [
        "match($self, /)" => match_, "";
        "search($self, /)" => search, "";
    ];
}
members! {
    static MEMBERS = [
        "pattern", _Py_T_OBJECT, core::mem::offset_of!(Scanner, pattern), Py_READONLY, "";
    ];
}

/// `_sre.SRE_Scanner`.
pub static mut SCANNER: PyTypeObject = PyTypeObject {
    tp_name: c"_sre.SRE_Scanner".as_ptr(),
    tp_basicsize: size_of::<Scanner>() as Py_ssize_t,
    tp_dealloc: Some(dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    tp_traverse: Some(traverse),
    tp_clear: Some(clear),
    tp_methods: (&raw mut METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    ..TYPE_INIT
};
