//! The `_string` module: what string.Formatter needs of str.format.

use taipan_abi::*;
use taipan_clinic::{methods, module};
use taipan_objects::unicodeobject::format::{formatter_field_name_split, formatter_parser};

fn check(op: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(op.ob()) == 0 {
            bail!(PyExc_TypeError, "expected str, got {}", type_name(op.ob()));
        }
    }
    Ok(())
}
fn parser(_: (), string: Borrowed<'_>) -> PyResult<Owned> {
    check(string)?;
    formatter_parser(string)
}
fn field_name_split(_: (), string: Borrowed<'_>) -> PyResult<Owned> {
    check(string)?;
    formatter_field_name_split(string)
}

methods! {
    static METHODS = [
        "formatter_field_name_split($module, object, /)" => field_name_split, "Split a replacement field's name into its first part and an iterator over the rest.";
        "formatter_parser($module, object, /)" => parser, "Iterate over the parts of a format string.";
    ];
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__string = "_string", "Native parts of string.", methods: METHODS, exec: exec;
}
