//! The `_suggestions` module: "did you mean" for `traceback`.

use taipan_abi::*;
use taipan_clinic::{Str, methods, module};

unsafe extern "C" {
    fn _Py_CalculateSuggestions(dir: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
}

fn generate_suggestions(_: (), candidates: Borrowed<'_>, item: Str<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyList_CheckExact(candidates.ob()) == 0 {
            bail!(PyExc_TypeError, "candidates must be a list");
        }
        for i in 0..PyList_GET_SIZE(candidates.ob()) {
            if PyUnicode_Check(PyList_GET_ITEM(candidates.ob(), i)) == 0 {
                bail!(PyExc_TypeError, "all elements in 'candidates' must be strings");
            }
        }
        let found = Owned::from_owned_or_opt(_Py_CalculateSuggestions(candidates.ob(), item.ob()));
        if found.is_none() && err_occurred() { Err(Raised::assume()) } else { Ok(found) }
    }
}

methods! {
    static METHODS = [
        "_generate_suggestions($module, candidates, item, /)" => generate_suggestions, "Return the candidate that is nearest to item, or None.";
    ];
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__suggestions = "_suggestions", "Suggestions for misspelt names.", methods: METHODS, exec: exec;
}
