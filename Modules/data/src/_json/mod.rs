//! The `_json` module: reading and writing JSON text.

mod encoder;
mod scanner;

use crate::support::take;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::add_object;
use taipan_clinic::{methods, module};
use taipan_objects::unicodeobject::{from_ascii, from_units, text_of};

/// `first argument must be a string` unless it is one.
fn check_str(op: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op.ob()) == 0 {
            bail!(PyExc_TypeError, "first argument must be a string, not {:.80}", type_name(op.ob()));
        }
        Ok(())
    }
}

fn encode_basestring_ascii(_: (), string: Borrowed<'_>) -> PyResult<Owned> {
    check_str(string)?;
    // SAFETY: [TYPE] a str.
    let text = unsafe { text_of(string.ob()) };
    let mut out = Vec::with_capacity(text.len() + 2);
    encoder::escape_ascii(text, &mut out);
    from_ascii(&out).map(Owned::into_object)
}

fn encode_basestring(_: (), string: Borrowed<'_>) -> PyResult<Owned> {
    check_str(string)?;
    // SAFETY: [TYPE] a str.
    let text = unsafe { text_of(string.ob()) };
    taipan_objects::with_units!(text, s => {
        let mut out = Vec::with_capacity(s.len() + 2);
        encoder::escape(s, &mut out);
        from_units(&out).map(Owned::into_object)
    })
}

fn scanstring(_: (), string: Borrowed<'_>, end: isize, strict: bool) -> PyResult<Owned> {
    check_str(string)?;
    scanner::scan_string(string, end, strict)
}

methods! {
    static METHODS = [
        "encode_basestring_ascii($module, string, /)" => encode_basestring_ascii, "The JSON form of a str, in ASCII.";
        "encode_basestring($module, string, /)" => encode_basestring, "The JSON form of a str.";
        "scanstring($module, string, end, strict=True, /)" => scanstring, "Read a JSON string whose first character is at index end: the str and the index after the closing quote. Control characters are allowed unless strict.";
    ];
}

/// Which of this module's own functions an encoder's string function is.
fn own_function(f: *mut PyObject) -> Option<bool> {
    // SAFETY: [TYPE] checked; addresses of a static table.
    unsafe {
        if f == null_mut() || PyCFunction_Check(f) == 0 {
            return None;
        }
        let table = (&raw mut METHODS).cast::<PyMethodDef>();
        let def = (*f.cast::<PyCFunctionObject>()).m_ml;
        if def == table {
            Some(true)
        } else if def == table.add(1) {
            Some(false)
        } else {
            None
        }
    }
}

module! {
    /// Entry point.
    pub fn PyInit__json = "_json", "Quick reading and writing of JSON.", methods: METHODS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe {
        for (name, tp) in [(c"make_scanner", &raw mut scanner::SCANNER), (c"make_encoder", &raw mut encoder::ENCODER)] {
            check_status(PyType_Ready(tp))?;
            add_object(module, name, Ok(Owned::from_borrowed(tp.cast())))?;
        }
    }
    Ok(())
}

/// A tuple of a value and an index.
fn value_and_index(value: Owned, index: usize) -> PyResult<Owned> {
    // SAFETY: [GIL]
    let index = unsafe { take(PyLong_FromSize_t(index))? };
    crate::support::tuple([value, index])
}
