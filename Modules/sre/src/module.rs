//! The module `_sre`: what `re`'s compiler needs besides `compile`.

use crate::engine::opcode::*;
use crate::engine::unicode::{lower_ascii, lower_unicode, to_lower, to_upper};
use crate::matchobject::MATCH;
use crate::pattern::{PATTERN, compile};
use crate::scanner::SCANNER;
use crate::template::{TEMPLATE, template};
use taipan_abi::*;
use taipan_clinic::module::{add_int, add_str};
use taipan_clinic::{methods, module};

fn getcodesize(_: ()) -> PyResult<i32> {
    Ok(CODESIZE as i32)
}
fn ascii_iscased(_: (), character: i32) -> PyResult<bool> {
    Ok(u8::try_from(character).is_ok_and(|c| c.is_ascii_alphabetic()))
}
fn unicode_iscased(_: (), character: i32) -> PyResult<bool> {
    let c = character as u32;
    Ok(to_lower(c) != c || to_upper(c) != c)
}
fn ascii_tolower(_: (), character: i32) -> PyResult<i32> {
    Ok(lower_ascii(character as u32) as i32)
}
fn unicode_tolower(_: (), character: i32) -> PyResult<i32> {
    Ok(lower_unicode(character as u32) as i32)
}

methods! {
    static METHODS = [
        "compile($module, /, pattern, flags, code, groups, groupindex, indexgroup)" => compile, "A pattern object from the code of re's compiler.";
        "template($module, pattern, template, /)" => template, "A replacement object from the list [literal, group, literal, ...] of re's parser.";
        "getcodesize($module, /)" => getcodesize, "";
        "ascii_iscased($module, character, /)" => ascii_iscased, "";
        "unicode_iscased($module, character, /)" => unicode_iscased, "";
        "ascii_tolower($module, character, /)" => ascii_tolower, "";
        "unicode_tolower($module, character, /)" => unicode_tolower, "";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    for tp in [&raw mut PATTERN, &raw mut MATCH, &raw mut SCANNER, &raw mut TEMPLATE] {
        // SAFETY: static types.
        check_status(unsafe { PyType_Ready(tp) })?;
    }
    add_int(module, c"MAGIC", MAGIC)?;
    add_int(module, c"CODESIZE", CODESIZE)?;
    add_int(module, c"MAXREPEAT", MAXREPEAT as i64)?;
    add_int(module, c"MAXGROUPS", MAXGROUPS as i64)?;
    add_str(module, c"copyright", "Taipan's regular expression engine; see LICENSE.")
}

module! {
    /// Entry point.
    pub fn PyInit__sre = "_sre", "Compiled regular expressions.", methods: METHODS, exec: exec;
}
