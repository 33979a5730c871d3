//! The `_symtable` module: the compiler's symbol tables.

use crate::{list, new_int, new_str, own};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{members, methods, module, module::add_int};
use taipan_compiler::symtable::{self as st, BlockId, BlockType, Symtable};
use taipan_objects::typeobject::TYPE_INIT;
use taipan_python::bltinmodule::source_as_bytes;
use taipan_python::compile::{CompilerFlags, Input, Start, flags, raise_compile_error, with_tree};

/// A block of names.
#[repr(C)]
struct SymtableEntry {
    ob_base: PyObject,
    id: *mut PyObject,
    name: *mut PyObject,
    symbols: *mut PyObject,
    varnames: *mut PyObject,
    children: *mut PyObject,
    nested: i32,
    ty: i32,
    lineno: i32,
}

unsafe extern "C" fn entry_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN] called as tp_dealloc.
    unsafe {
        let e = slf.cast::<SymtableEntry>();
        for field in [(*e).id, (*e).name, (*e).symbols, (*e).varnames, (*e).children] {
            Py_XDECREF(field);
        }
        PyObject_Free(slf.cast());
    }
}

unsafe extern "C" fn entry_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE] called as tp_repr.
    unsafe {
        let e = slf.cast::<SymtableEntry>();
        PyUnicode_FromFormat(c"<symtable entry %U(%R), line %d>".as_ptr(), (*e).name, (*e).id, (*e).lineno)
    }
}

members! {
    static ENTRY_MEMBERS = [
        "id", 6, offset_of!(SymtableEntry, id), Py_READONLY, "";
        "name", 6, offset_of!(SymtableEntry, name), Py_READONLY, "";
        "symbols", 6, offset_of!(SymtableEntry, symbols), Py_READONLY, "";
        "varnames", 6, offset_of!(SymtableEntry, varnames), Py_READONLY, "";
        "children", 6, offset_of!(SymtableEntry, children), Py_READONLY, "";
        "nested", Py_T_INT, offset_of!(SymtableEntry, nested), Py_READONLY, "";
        "type", Py_T_INT, offset_of!(SymtableEntry, ty), Py_READONLY, "";
        "lineno", Py_T_INT, offset_of!(SymtableEntry, lineno), Py_READONLY, "";
    ];
}

/// `symtable entry`.
#[unsafe(no_mangle)]
pub static mut PySTEntry_Type: PyTypeObject = PyTypeObject {
    tp_name: c"symtable entry".as_ptr(),
    tp_basicsize: size_of::<SymtableEntry>() as Py_ssize_t,
    tp_dealloc: Some(entry_dealloc),
    tp_repr: Some(entry_repr),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_members: (&raw mut ENTRY_MEMBERS).cast(),
    ..TYPE_INIT
};

fn make_entry(table: &Symtable<'_>, id: BlockId) -> PyResult<Owned> {
    let _guard = RecursionGuard::enter(c" while making symbol tables")?;
    let block = table.entry(id);
    let name = |n| new_str(table.names.text(n));
    // SAFETY: [OWN] a fresh object takes over its fields.
    unsafe {
        let symbols = own(PyDict_New())?;
        for &(symbol, bits) in block.symbols.entries() {
            let (key, value) = (name(taipan_compiler::names::Name(symbol))?, new_int(bits as i64)?);
            check_status(PyDict_SetItem(symbols.as_ptr(), key.as_ptr(), value.as_ptr()))?;
        }
        let varnames: PyResult<Vec<Owned>> = block.varnames.iter().map(|&n| name(n)).collect();
        let children: PyResult<Vec<Owned>> = block.children.iter().map(|&c| make_entry(table, c)).collect();
        let (varnames, children) = (list(varnames?)?, list(children?)?);
        let (number, name) = (new_int(table.id(id) as i64)?, name(block.name)?);
        check_status(PyType_Ready(&raw mut PySTEntry_Type))?;
        let entry = own(PyType_GenericAlloc(&raw mut PySTEntry_Type, 0))?;
        let e = entry.as_ptr().cast::<SymtableEntry>();
        (*e).id = number.into_raw();
        (*e).name = name.into_raw();
        (*e).symbols = symbols.into_raw();
        (*e).varnames = varnames.into_raw();
        (*e).children = children.into_raw();
        (*e).nested = block.nested as i32;
        (*e).ty = block.ty as i32;
        (*e).lineno = block.range.lineno as i32;
        Ok(entry)
    }
}

fn symtable(_: (), source: Borrowed<'_>, filename: Borrowed<'_>, startstr: &str) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut name: *mut PyObject = null_mut();
        if PyUnicode_FSDecoder(filename.ob(), (&raw mut name).cast()) == 0 {
            return Err(Raised::assume());
        }
        let filename: Owned = Owned::from_owned(name);
        let mut cf = CompilerFlags { cf_flags: flags::PyCF_SOURCE_IS_UTF8, ..CompilerFlags::default() };
        let text = source_as_bytes(source.ob(), "symtable", "string or bytes", &mut cf)?;
        let start = match startstr {
            "exec" => Start::Exec,
            "eval" => Start::Eval,
            "single" => Start::Single,
            _ => bail!(PyExc_ValueError, "symtable() arg 3 must be 'exec' or 'eval' or 'single'"),
        };
        with_tree(Input::Bytes(&text), filename.as_ptr(), start, &cf, |module, arena| {
            let budget = taipan_python::pystate::stack_left().min(taipan_compiler::DEFAULT_STACK_BUDGET);
            let built = taipan_compiler::future::future_from_ast(module)
                .and_then(|future| Symtable::build(module, arena, future.features, budget));
            match built {
                Ok(table) => make_entry(&table, table.top()),
                Err(e) => Err(raise_compile_error(&e, filename.as_ptr())),
            }
        })
    }
}

methods! {
    static METHODS = [
        "symtable($module, source, filename, startstr, /)" => symtable, "Return the tables of names that the compiler makes.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    let constants = [
        (c"USE", st::USE),
        (c"DEF_GLOBAL", st::DEF_GLOBAL),
        (c"DEF_NONLOCAL", st::DEF_NONLOCAL),
        (c"DEF_LOCAL", st::DEF_LOCAL),
        (c"DEF_PARAM", st::DEF_PARAM),
        (c"DEF_FREE", st::DEF_FREE),
        (c"DEF_FREE_CLASS", st::DEF_FREE_CLASS),
        (c"DEF_IMPORT", st::DEF_IMPORT),
        (c"DEF_BOUND", st::DEF_BOUND),
        (c"DEF_ANNOT", st::DEF_ANNOT),
        (c"TYPE_FUNCTION", BlockType::Function as u32),
        (c"TYPE_CLASS", BlockType::Class as u32),
        (c"TYPE_MODULE", BlockType::Module as u32),
        (c"TYPE_ANNOTATION", BlockType::Annotation as u32),
        (c"TYPE_TYPE_ALIAS", BlockType::TypeAlias as u32),
        (c"TYPE_TYPE_PARAMETERS", BlockType::TypeParameters as u32),
        (c"TYPE_TYPE_VARIABLE", BlockType::TypeVariable as u32),
        (c"LOCAL", st::LOCAL),
        (c"GLOBAL_EXPLICIT", st::GLOBAL_EXPLICIT),
        (c"GLOBAL_IMPLICIT", st::GLOBAL_IMPLICIT),
        (c"FREE", st::FREE),
        (c"CELL", st::CELL),
        (c"SCOPE_OFF", st::SCOPE_OFFSET),
        (c"SCOPE_MASK", st::SCOPE_MASK),
    ];
    for (name, value) in constants {
        add_int(module, name, value as i64)?;
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__symtable = "_symtable", "Symbol tables of the compiler.", methods: METHODS, exec: exec;
}
