//! The `_sysconfig` module: what of the build `sysconfig` can't read from its data file.

use crate::{new_int, own};
use taipan_abi::*;
use taipan_clinic::{methods, module};

fn config_vars(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let vars = own(PyDict_New())?;
        check_status(PyDict_SetItemString(vars.as_ptr(), c"Py_GIL_DISABLED".as_ptr(), new_int(0)?.as_ptr()))?;
        Ok(vars)
    }
}

methods! {
    static METHODS = [
        "config_vars($module, /)" => config_vars, "Return build variables for sysconfig.";
    ];
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__sysconfig = "_sysconfig", "A helper of sysconfig.", methods: METHODS, exec: exec;
}
