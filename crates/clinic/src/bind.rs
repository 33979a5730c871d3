//! Binding of vectorcall arguments to parameters, with CPython's errors (Argument Clinic's `_PyArg_UnpackKeywords`).

use crate::signature::{Default, Sig};
use core::ptr::null_mut;
use taipan_abi::*;

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Spreads `nargs` positional arguments and the keywords named by `kwnames` (NULL or a tuple) over `out`, one slot a
/// parameter, in order. Slots of absent parameters stay NULL; the slots of `*args` and `**kwargs` are left alone (the
/// caller reads them from the arguments). All references are borrowed. Raises TypeError as CPython does.
///
/// # Safety
/// `args` holds `nargs` objects followed by one for each name in `kwnames`; `out` has a slot for each parameter.
pub unsafe fn bind(
    sig: &Sig<'_>,
    args: *const *mut PyObject,
    nargs: usize,
    kwnames: *mut PyObject,
    out: &mut [*mut PyObject],
) -> PyResult<()> {
    // SAFETY: [ARGS] bounds follow from the contract.
    unsafe {
        let nkw = if kwnames.is_null() { 0 } else { PyTuple_GET_SIZE(kwnames) as usize };
        if nkw != 0 && !sig.varkw && sig.posonly + sig.varargs as usize == sig.params.len() {
            return Err(raise!(PyExc_TypeError, "{}() takes no keyword arguments", sig.name));
        }
        let given = nargs.min(sig.positional);
        for (i, slot) in out.iter_mut().enumerate().take(given) {
            *slot = *args.add(i);
        }
        let total = sig.params.len() - sig.varargs as usize - sig.varkw as usize;
        if !sig.varargs && (nargs > sig.positional || (nargs + nkw > total && !sig.varkw)) {
            return Err(too_many(sig, total, nargs, nkw));
        }
        for k in 0..nkw {
            let name = PyTuple_GET_ITEM(kwnames, k as Py_ssize_t);
            let value = *args.add(nargs + k);
            match find(sig, name) {
                Some(i) => {
                    if !out[i].is_null() {
                        bail!(
                            PyExc_TypeError,
                            "argument for {}() given by name ('{}') and position ({})",
                            sig.name,
                            sig.params[i].name,
                            i + 1
                        );
                    }
                    out[i] = value;
                }
                None if sig.varkw => {}
                None => {
                    missing(sig, out, nkw)?;
                    return Err(unexpected(sig, name, nkw));
                }
            }
        }
        missing(sig, out, nkw)
    }
}

unsafe fn find(sig: &Sig<'_>, name: *mut PyObject) -> Option<usize> {
    // SAFETY: [ARGS] keyword names are strings.
    let text = unsafe { str_utf8(name) }?;
    let start = sig.posonly;
    for (i, p) in sig.params.iter().enumerate().skip(start) {
        let variadic = (sig.varargs && i == sig.positional) || (sig.varkw && i + 1 == sig.params.len());
        if p.name == text && !variadic {
            return Some(i);
        }
    }
    None
}

/// The UTF-8 text of a str object, `None` when it has lone surrogates.
unsafe fn str_utf8<'a>(op: *mut PyObject) -> Option<&'a str> {
    // SAFETY: [ARGS] op is a str; the cached UTF-8 lives as long as it does.
    unsafe {
        let mut size = 0;
        let p = PyUnicode_AsUTF8AndSize(op, &mut size);
        if p.is_null() {
            PyErr_Clear();
            return None;
        }
        core::str::from_utf8(core::slice::from_raw_parts(p.cast(), size as usize)).ok()
    }
}

fn is_absent_slot(sig: &Sig<'_>, i: usize) -> bool {
    (sig.varargs && i == sig.positional) || (sig.varkw && i + 1 == sig.params.len())
}

#[inline]
unsafe fn missing(sig: &Sig<'_>, out: &[*mut PyObject], nkw: usize) -> PyResult<()> {
    for (i, p) in sig.params.iter().enumerate() {
        if out[i] == null_mut() && p.default == Default::Required && !is_absent_slot(sig, i) {
            return Err(missing_error(sig, i, out, nkw));
        }
    }
    Ok(())
}

#[cold]
fn missing_error(sig: &Sig<'_>, i: usize, out: &[*mut PyObject], nkw: usize) -> Raised {
    if i < sig.posonly {
        let given = out.iter().take(sig.positional).take_while(|p| !p.is_null()).count();
        if sig.posonly == sig.params.len() && nkw == 0 {
            // All positional: CPython's _PyArg_CheckPositional wording.
            let (min, max) = (sig.required, sig.positional);
            let how = if min == max && !sig.varargs { "" } else { "at least " };
            return raise!(PyExc_TypeError, "{} expected {}{} argument{}, got {}", sig.name, how, min, plural(min), given);
        }
        let how = if sig.required < sig.positional { "at least" } else { "exactly" };
        return raise!(
            PyExc_TypeError,
            "{}() takes {} {} positional argument{} ({} given)",
            sig.name,
            how,
            sig.required.min(sig.posonly).max(1),
            plural(sig.required.min(sig.posonly).max(1)),
            given
        );
    }
    raise!(PyExc_TypeError, "{}() missing required argument '{}' (pos {})", sig.name, sig.params[i].name, i + 1)
}

#[cold]
fn too_many(sig: &Sig<'_>, total: usize, nargs: usize, nkw: usize) -> Raised {
    if total == 0 {
        return raise!(PyExc_TypeError, "{}() takes no arguments ({} given)", sig.name, nargs);
    }
    if sig.posonly == total && nkw == 0 {
        let (min, max) = (sig.required, sig.positional);
        let how = if min == max { "" } else { "at most " };
        return raise!(PyExc_TypeError, "{} expected {}{} argument{}, got {}", sig.name, how, max, plural(max), nargs);
    }
    if nargs + nkw > total {
        return raise!(
            PyExc_TypeError,
            "{}() takes at most {} {}argument{} ({} given)",
            sig.name,
            total,
            if nargs == 0 { "keyword " } else { "" },
            plural(total),
            nargs + nkw
        );
    }
    if sig.positional == 0 {
        return raise!(PyExc_TypeError, "{}() takes no positional arguments", sig.name);
    }
    let how = if sig.required < sig.positional { "at most" } else { "exactly" };
    raise!(
        PyExc_TypeError,
        "{}() takes {} {} positional argument{} ({} given)",
        sig.name,
        how,
        sig.positional,
        plural(sig.positional),
        nargs
    )
}

unsafe extern "C" {
    /// python: the most similar of a list of names, NULL without an exception if there is none.
    fn _Py_CalculateSuggestions(names: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
}

/// The parameter that a misspelt keyword may have meant.
unsafe fn suggestion(names: &[Owned], name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for known in names {
            check_status(PyList_Append(list.as_ptr(), known.as_ptr()))?;
        }
        let found = _Py_CalculateSuggestions(list.as_ptr(), name);
        if found.is_null() && err_occurred() {
            return Err(Raised::assume());
        }
        Ok(Owned::from_owned_or_opt(found))
    }
}

#[cold]
unsafe fn unexpected(sig: &Sig<'_>, name: *mut PyObject, _nkw: usize) -> Raised {
    // SAFETY: [ARGS] name is a str.
    unsafe {
        if PyUnicode_Check(name) == 0 {
            return raise!(PyExc_TypeError, "keywords must be strings");
        }
        let mut names = Vec::new();
        for p in &sig.params[sig.posonly..] {
            let known = match Owned::from_owned_or_err(PyUnicode_FromStringAndSize(p.name.as_ptr().cast(), p.name.len() as Py_ssize_t)) {
                Ok(known) => known,
                Err(e) => return e,
            };
            // A strange str may say that it equals a parameter's name.
            match PyObject_RichCompareBool(known.as_ptr(), name, Py_EQ) {
                0 => names.push(known),
                -1 => return Raised::assume(),
                _ => return raise!(PyExc_TypeError, "invalid keyword argument for {}()", sig.name),
            }
        }
        let text = str_utf8(name).unwrap_or("?");
        match suggestion(&names, name) {
            Ok(None) => raise!(PyExc_TypeError, "{}() got an unexpected keyword argument '{}'", sig.name, text),
            Ok(Some(meant)) => {
                let meant = str_utf8(meant.as_ptr()).unwrap_or("?");
                raise!(PyExc_TypeError, "{}() got an unexpected keyword argument '{}'. Did you mean '{}'?", sig.name, text, meant)
            }
            Err(e) => e,
        }
    }
}
