//! The `_typing` module: the native types behind `typing`.

use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object};
use taipan_objects::typevarobject::{_Py_NoDefaultStruct, _PyTypeAlias_Type, generic_types};

fn idfunc(_: (), x: Borrowed<'_>) -> PyResult<Owned> {
    Ok(x.to_owned())
}

methods! {
    static METHODS = [
        "_idfunc($module, x, /)" => idfunc, "Return the argument.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [IMMORTAL] the types live as long as the process.
    unsafe {
        for (name, tp) in generic_types() {
            add_object(module, name, Ok(Owned::from_borrowed(tp.cast())))?;
        }
        add_object(module, c"TypeAliasType", Ok(Owned::from_borrowed((&raw mut _PyTypeAlias_Type).cast())))?;
        add_object(module, c"NoDefault", Ok(Owned::from_borrowed(&raw mut _Py_NoDefaultStruct)))
    }
}

module! {
    /// Entry point.
    pub fn PyInit__typing = "_typing", "Native parts of typing.", methods: METHODS, exec: exec;
}
