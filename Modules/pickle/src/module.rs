//! The module: its functions, types and exceptions.

use crate::load::load as run_load;
use crate::output::{flush_to_file, get_string};
use crate::pickler;
use crate::state::{self, state};
use crate::unpickler;
use crate::hold;
use taipan_abi::*;
use taipan_clinic::{methods, module, module::add_object};

type Absent<'a> = Option<Borrowed<'a>>;

fn dump(_: (), obj: Borrowed<'_>, file: Borrowed<'_>, protocol: Absent<'_>, fix_imports: bool, buffer_callback: Absent<'_>) -> PyResult<()> {
    let mut bare = pickler::bare();
    let p = &raw mut bare;
    // SAFETY: [ARGS] the pickler lives to the end of the call.
    unsafe {
        let result = (|| {
            pickler::set_protocol(p, protocol, fix_imports)?;
            pickler::set_output_stream(p, file.ob())?;
            pickler::set_buffer_callback(p, buffer_callback)?;
            pickler::dump(p, core::ptr::null_mut(), obj.ob())?;
            flush_to_file(p)
        })();
        pickler::finish(p);
        result
    }
}

fn dumps(_: (), obj: Borrowed<'_>, protocol: Absent<'_>, fix_imports: bool, buffer_callback: Absent<'_>) -> PyResult<Owned> {
    let mut bare = pickler::bare();
    let p = &raw mut bare;
    // SAFETY: [ARGS] as above.
    unsafe {
        let result = (|| {
            pickler::set_protocol(p, protocol, fix_imports)?;
            pickler::set_buffer_callback(p, buffer_callback)?;
            pickler::dump(p, core::ptr::null_mut(), obj.ob())?;
            get_string(p)
        })();
        pickler::finish(p);
        result
    }
}

fn load(_: (), file: Borrowed<'_>, fix_imports: bool, encoding: &str, errors: &str, buffers: Absent<'_>) -> PyResult<Owned> {
    let mut bare = unpickler::bare();
    let u = &raw mut bare;
    // SAFETY: [ARGS] the unpickler lives to the end of the call.
    unsafe {
        let result = (|| {
            unpickler::set_input_stream(u, file.ob())?;
            unpickler::set_input_encoding(u, encoding, errors)?;
            unpickler::set_buffers(u, buffers)?;
            (*u).fix_imports = fix_imports;
            run_load(u, core::ptr::null_mut())
        })();
        unpickler::finish(u);
        result
    }
}

fn loads(_: (), data: Borrowed<'_>, fix_imports: bool, encoding: &str, errors: &str, buffers: Absent<'_>) -> PyResult<Owned> {
    let mut bare = unpickler::bare();
    let u = &raw mut bare;
    // SAFETY: [ARGS] as above.
    unsafe {
        let result = (|| {
            unpickler::set_string_input(u, data.ob())?;
            unpickler::set_input_encoding(u, encoding, errors)?;
            unpickler::set_buffers(u, buffers)?;
            (*u).fix_imports = fix_imports;
            run_load(u, core::ptr::null_mut())
        })();
        unpickler::finish(u);
        result
    }
}

methods! {
    static METHODS = [
        "dump($module, /, obj, file, protocol=None, *, fix_imports=True,\n     buffer_callback=None)" => dump, "Pickle an object to a binary file.";
        "dumps($module, /, obj, protocol=None, *, fix_imports=True,\n      buffer_callback=None)" => dumps, "Return the pickle of an object as bytes.";
        "load($module, /, file, *, fix_imports=True, encoding='ASCII',\n     errors='strict', buffers=())" => load, "Read a pickle from a binary file and return what it describes.";
        "loads($module, data, /, *, fix_imports=True, encoding='ASCII',\n      errors='strict', buffers=())" => loads, "Return what a pickle in a bytes-like object describes.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL]
    unsafe {
        state::init(module)?;
        add_object(module, c"Pickler", Ok(hold(state().pickler.cast())))?;
        add_object(module, c"Unpickler", Ok(hold(state().unpickler.cast())))?;
        add_object(module, c"PickleError", Ok(hold(state().pickle_error)))?;
        add_object(module, c"PicklingError", Ok(hold(state().pickling_error)))?;
        add_object(module, c"UnpicklingError", Ok(hold(state().unpickling_error)))?;
        add_object(module, c"PickleBuffer", Ok(hold((&raw mut PyPickleBuffer_Type).cast())))
    }
}

unsafe extern "C" {
    static mut PyPickleBuffer_Type: PyTypeObject;
}

module! {
    /// Entry point.
    pub fn PyInit__pickle = "_pickle", "Native part of pickle.", methods: METHODS, exec: exec;
}
