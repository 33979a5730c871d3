//! From source text to code objects: the bridge between the parser, the compiler and Python's objects.

use crate::code_builder::Builder;
use crate::pystate::interp;
use crate::util::*;
use crate::warnings::{_PyErr_WarnExplicitObjectWithContext, PyErr_WarnExplicitObject};
use bumpalo::Bump;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_compiler::{CompileError, Const};
use taipan_parser as parser;

// ---- compiler flags

/// Bits of `PyCompilerFlags::cf_flags` that are no future statement.
pub mod flags {
    /// The source is UTF-8 whatever it says.
    pub const PyCF_SOURCE_IS_UTF8: i32 = 0x0100;
    /// The end of the input does not end blocks.
    pub const PyCF_DONT_IMPLY_DEDENT: i32 = 0x0200;
    /// Return the tree.
    pub const PyCF_ONLY_AST: i32 = 0x0400;
    /// A coding cookie is a mere comment.
    pub const PyCF_IGNORE_COOKIE: i32 = 0x0800;
    /// Keep type comments.
    pub const PyCF_TYPE_COMMENTS: i32 = 0x1000;
    /// `await` at the top level.
    pub const PyCF_ALLOW_TOP_LEVEL_AWAIT: i32 = 0x2000;
    /// An early end is an error of its own.
    pub const PyCF_ALLOW_INCOMPLETE_INPUT: i32 = 0x4000;
    /// Return the tree, optimised.
    pub const PyCF_OPTIMIZED_AST: i32 = 0x8000 | PyCF_ONLY_AST;
    /// All future statements that code inherits.
    pub const PyCF_MASK: i32 = taipan_compiler::flags::PyCF_MASK as i32;
    /// Flags that have no effect any more (`CO_NESTED`).
    pub const PyCF_MASK_OBSOLETE: i32 = 0x10;
    /// What `compile()` takes beside the mask.
    pub const PyCF_COMPILE_MASK: i32 = PyCF_ONLY_AST | PyCF_ALLOW_TOP_LEVEL_AWAIT | PyCF_TYPE_COMMENTS | PyCF_DONT_IMPLY_DEDENT | PyCF_ALLOW_INCOMPLETE_INPUT | PyCF_OPTIMIZED_AST;
    /// The future statement of PEP 401.
    pub const CO_FUTURE_BARRY_AS_BDFL: i32 = 0x40_0000;
}
use flags::*;

/// `PyCompilerFlags`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CompilerFlags {
    /// `PyCF_*`.
    pub cf_flags: c_int,
    /// The minor version whose syntax is wanted (for trees).
    pub cf_feature_version: c_int,
}

impl Default for CompilerFlags {
    fn default() -> Self {
        CompilerFlags { cf_flags: 0, cf_feature_version: 13 }
    }
}

/// The start rule and the kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A file that is run: every line is checked.
    File,
    /// A module given as text.
    Exec,
    /// An expression.
    Eval,
    /// One interactive statement.
    Single,
    /// A signature type comment.
    FuncType,
}

impl Start {
    fn mode(self) -> parser::Mode {
        match self {
            Start::File | Start::Exec => parser::Mode::Exec,
            Start::Eval => parser::Mode::Eval,
            Start::Single => parser::Mode::Single,
            Start::FuncType => parser::Mode::FuncType,
        }
    }
    /// From `Py_single_input` and the like.
    pub fn from_c(start: c_int) -> Option<Start> {
        Some(match start {
            256 => Start::Single,
            257 => Start::Exec,
            258 => Start::Eval,
            345 => Start::FuncType,
            _ => return None,
        })
    }
}

/// What is to be compiled.
pub enum Input<'s> {
    /// Text, with a coding cookie unless the flags say otherwise.
    Bytes(&'s [u8]),
    /// Lines of a terminal.
    Lines(&'s mut dyn parser::LineReader),
}

/// Text as a Python str: UTF-8 with lone surrogates as three bytes.
pub fn py_str(text: &[u8]) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe { own(PyUnicode_DecodeUTF8(text.as_ptr().cast(), text.len() as Py_ssize_t, c"surrogatepass".as_ptr())) }
}

/// A str as the compiler wants it: UTF-8 with lone surrogates as three bytes.
pub unsafe fn rust_bytes(op: *mut PyObject) -> PyResult<Vec<u8>> {
    // SAFETY: [ARGS]
    unsafe {
        let b = own(PyUnicode_AsEncodedString(op, c"utf-8".as_ptr(), c"surrogatepass".as_ptr()))?;
        Ok(bytes_of(b.as_ptr()).to_vec())
    }
}

// ---- errors

/// Raises a SyntaxError of class `class` with all its attributes.
#[allow(clippy::too_many_arguments, reason = "the arguments of SyntaxError")]
unsafe fn set_syntax_error(class: *mut PyObject, msg: &str, filename: *mut PyObject, lineno: i32, offset: i32, text: &Owned, end: Option<(i32, i32)>) -> Raised {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        let number = |n: i32| new_int(n as i64);
        let (line, off) = (number(lineno)?, number(offset)?);
        // Where a tokenizer could not even start, CPython gives no end.
        let details = match end {
            Some((end_line, end_offset)) => {
                let (end_line, end_offset) = (number(end_line)?, number(end_offset)?);
                tuple(&[filename, line.as_ptr(), off.as_ptr(), text.as_ptr(), end_line.as_ptr(), end_offset.as_ptr()])?
            }
            None => tuple(&[filename, line.as_ptr(), off.as_ptr(), text.as_ptr()])?,
        };
        let msg = py_str(msg.as_bytes())?;
        let args = tuple(&[msg.as_ptr(), details.as_ptr()])?;
        PyErr_SetObject(class, args.as_ptr());
        Ok(())
    })();
    let _ = r;
    // SAFETY: [EXC] set above, or by what failed.
    unsafe { Raised::assume() }
}

unsafe extern "C" {
    static mut PyExc_IncompleteInputError: *mut PyObject;
}

/// Raises what the parser reports.
unsafe fn raise_parser_error(e: &parser::SyntaxError, filename: *mut PyObject, is_file: bool) -> Raised {
    use parser::ErrorKind::*;
    // SAFETY: [ARGS]
    unsafe {
        let class = match e.kind {
            Syntax => PyExc_SyntaxError,
            Indentation => PyExc_IndentationError,
            Tab => PyExc_TabError,
            IncompleteInput => PyExc_IncompleteInputError,
            Memory => {
                if e.msg.is_empty() {
                    PyErr_NoMemory();
                    return Raised::assume();
                }
                return raise!(PyExc_MemoryError, "{}", e.msg);
            }
            Value => return raise!(PyExc_ValueError, "{}", e.msg),
            Overflow => return raise!(PyExc_OverflowError, "{}", e.msg),
            UnicodeDecode => {
                let r: PyResult<()> = (|| {
                    let enc = new_str("unicodeescape")?;
                    let empty = own(PyBytes_FromStringAndSize(core::ptr::null(), 0))?;
                    let (zero, one) = (new_int(0)?, new_int(1)?);
                    let reason = new_str(&e.msg)?;
                    let args = tuple(&[enc.as_ptr(), empty.as_ptr(), zero.as_ptr(), one.as_ptr(), reason.as_ptr()])?;
                    PyErr_SetObject(PyExc_UnicodeDecodeError, args.as_ptr());
                    Ok(())
                })();
                let _ = r;
                return Raised::assume();
            }
            Interrupt => {
                if !err_occurred() {
                    PyErr_SetNone(PyExc_KeyboardInterrupt);
                }
                return Raised::assume();
            }
            Callback => {
                if !err_occurred() {
                    return raise!(PyExc_SystemError, "reading source failed without an exception");
                }
                return Raised::assume();
            }
            Eof => return raise!(PyExc_EOFError, "no more input"),
        };
        let Some(l) = &e.location else {
            return raise!(PyExc_SyntaxError, "{}", e.msg);
        };
        let mut text = None;
        if is_file && l.text_from_file {
            text = crate::errors::program_text(filename, l.lineno);
        }
        let text = match text {
            Some(t) => t,
            None => match l.text.as_deref().map_or_else(|| Ok(none()), |t| py_str(t.as_bytes())) {
                Ok(t) => t,
                Err(e) => return e,
            },
        };
        set_syntax_error(class, &e.msg, filename, l.lineno, l.offset, &text, l.end)
    }
}

/// Raises what the compiler reports.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn raise_compile_error(e: &CompileError, filename: *mut PyObject) -> Raised {
    use taipan_compiler::ErrorKind::*;
    // SAFETY: [ARGS]
    unsafe {
        let msg = e.message.as_str();
        match e.kind {
            SyntaxError => {
                let raised = raise!(PyExc_SyntaxError, "{msg}");
                if let Some(l) = e.location {
                    crate::errors::PyErr_RangedSyntaxLocationObject(filename, l.lineno, l.col_offset + 1, l.end_lineno, l.end_col_offset + 1);
                }
                raised
            }
            CompilerSyntaxError => match e.location {
                Some(l) => {
                    let text = crate::errors::program_text(filename, l.lineno).unwrap_or_else(none);
                    set_syntax_error(PyExc_SyntaxError, msg, filename, l.lineno, l.col_offset + 1, &text, Some((l.end_lineno, l.end_col_offset + 1)))
                }
                None => raise!(PyExc_SyntaxError, "{msg}"),
            },
            RecursionError => raise!(PyExc_RecursionError, "{msg}"),
            SystemError => raise!(PyExc_SystemError, "{msg}"),
            RuntimeError => raise!(PyExc_RuntimeError, "{msg}"),
            ValueError => raise!(PyExc_ValueError, "{msg}"),
            OverflowError => raise!(PyExc_OverflowError, "{msg}"),
            TypeError => raise!(PyExc_TypeError, "{msg}"),
            UnicodeEncodeError => raise_surrogates(e.text.as_ref().map_or(&[], |t| t.as_bytes())),
        }
    }
}

/// Raises what comes of encoding a text with surrogates in UTF-8.
pub fn raise_surrogates(text: &[u8]) -> Raised {
    match py_str(text) {
        // SAFETY: a str.
        Ok(s) if unsafe { PyUnicode_AsUTF8AndSize(s.as_ptr(), null_mut()) }.is_null() => unsafe { Raised::assume() },
        Ok(_) => raise!(PyExc_SystemError, "a docstring without surrogates was refused"),
        Err(e) => e,
    }
}

/// Issues a DeprecationWarning of folding; false if the filters make an error of it, which is dropped.
pub fn deprecated(message: &str) -> bool {
    let text = std::ffi::CString::new(message).unwrap_or_default();
    // SAFETY: [GIL]
    let issued = unsafe { PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1) == 0 };
    if !issued {
        // SAFETY: [GIL]
        unsafe { PyErr_Clear() };
    }
    issued
}

/// What came of a warning for a line; where the filters make an error of it, `error` raises the SyntaxError that replaces it.
unsafe fn after_warning(category: *mut PyObject, status: c_int, error: impl FnOnce() -> Raised) -> PyResult<()> {
    if let Err(e) = check_status(status) {
        if e.matches(category) {
            e.clear();
            return Err(error());
        }
        return Err(e);
    }
    Ok(())
}

unsafe fn parser_warnings(warnings: &[parser::Warning], filename: *mut PyObject, is_file: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for w in warnings {
            let category = match w.category {
                parser::WarningCategory::Syntax => PyExc_SyntaxWarning,
                parser::WarningCategory::Deprecation => PyExc_DeprecationWarning,
            };
            let text = new_str(&w.msg)?;
            let status = PyErr_WarnExplicitObject(category, text.as_ptr(), filename, w.lineno as c_int, null_mut(), null_mut());
            after_warning(category, status, || raise_parser_error(&w.error, filename, is_file))?;
        }
        Ok(())
    }
}

// ---- parsing

/// How much native stack a pass may use.
pub fn stack_budget() -> usize {
    crate::pystate::stack_left().min(4 << 20)
}

fn decode_source(bytes: &[u8], encoding: &str) -> Result<String, String> {
    let c = std::ffi::CString::new(encoding).map_err(|_| format!("unknown encoding: {encoding}"))?;
    // SAFETY: [GIL]
    unsafe {
        let r = own(PyUnicode_Decode(bytes.as_ptr().cast(), bytes.len() as Py_ssize_t, c.as_ptr(), c"strict".as_ptr()))
            .and_then(|s| rust_bytes(s.as_ptr()));
        match r {
            Ok(b) => Ok(String::from_utf8_lossy(&b).into_owned()),
            Err(e) => {
                if e.matches(PyExc_LookupError) {
                    e.clear();
                    return Err(format!("unknown encoding: {encoding}"));
                }
                let exc = Owned::from_owned_or_opt(PyErr_GetRaisedException());
                let text = exc.and_then(|x| Owned::from_owned_or_opt(PyObject_Str(x.as_ptr()))).map(|s| lossy(s.as_ptr()));
                PyErr_Clear();
                Err(text.unwrap_or_else(|| format!("encoding problem: {encoding}")))
            }
        }
    }
}

/// An identifier in normal form KC, which is a matter of `unicodedata.normalize`.
fn normalize(name: &str) -> Result<String, parser::CallbackFailed> {
    // SAFETY: [GIL]
    let r: PyResult<String> = (|| unsafe {
        let module = own(PyImport_ImportModule(c"unicodedata".as_ptr()))?;
        let function = own(PyObject_GetAttrString(module.as_ptr(), c"normalize".as_ptr()))?;
        let (form, name) = (new_str("NFKC")?, new_str(name)?);
        let args = [form.as_ptr(), name.as_ptr()];
        let normal = own(PyObject_Vectorcall(function.as_ptr(), args.as_ptr(), args.len(), null_mut()))?;
        if PyUnicode_Check(normal.as_ptr()) == 0 {
            let name = type_name(normal.as_ptr());
            bail!(PyExc_TypeError, "unicodedata.normalize() must return a string, not {}", name.rsplit('.').next().unwrap_or(&name));
        }
        Ok(utf8(normal.as_ptr())?.to_owned())
    })();
    r.map_err(|_| parser::CallbackFailed)
}

/// The functions that `unicodedata` offers to C.
#[repr(C)]
struct NameApi {
    getname: unsafe extern "C" fn(u32, *mut c_char, c_int, c_int) -> c_int,
    getcode: unsafe extern "C" fn(*const c_char, c_int, *mut u32, c_int) -> c_int,
}

/// The character of a Unicode name, through `unicodedata`.
fn lookup_name(name: &str) -> Result<Option<u32>, parser::NoNames> {
    // SAFETY: [GIL] the capsule holds such a record.
    unsafe {
        let api = PyCapsule_Import(c"unicodedata._ucnhash_CAPI".as_ptr(), 1).cast::<NameApi>();
        if api.is_null() {
            PyErr_Clear();
            return Err(parser::NoNames);
        }
        let mut code = 0;
        let found = ((*api).getcode)(name.as_ptr().cast(), name.len() as c_int, &mut code, 0);
        Ok((found != 0).then_some(code))
    }
}

/// Parses and hands the tree to `use_tree`, with the arena it lives in.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn with_tree<R>(
    input: Input<'_>,
    filename: *mut PyObject,
    start: Start,
    cf: &CompilerFlags,
    use_tree: impl for<'a> FnOnce(&parser::ast::Mod<'a>, &'a Bump) -> PyResult<R>,
) -> PyResult<R> {
    // SAFETY: [ARGS]
    unsafe {
        if crate::sysmodule::auditing() {
            let text = match &input {
                Input::Bytes(b) => own(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as Py_ssize_t))?,
                Input::Lines(_) => none(),
            };
            crate::sysmodule::audit(c"compile", &[text.as_ptr(), filename])?;
        }
        let name = String::from_utf8_lossy(&rust_bytes(filename)?).into_owned();
        let arena = Bump::new();
        let decoder = |b: &[u8], e: &str| decode_source(b, e);
        let options = parser::Options {
            filename: &name,
            feature_version: if cf.cf_feature_version >= 0 && cf.cf_flags & PyCF_ONLY_AST != 0 { cf.cf_feature_version.min(13) as u8 } else { 13 },
            type_comments: cf.cf_flags & PyCF_TYPE_COMMENTS != 0,
            barry_as_flufl: cf.cf_flags & flags::CO_FUTURE_BARRY_AS_BDFL != 0,
            allow_incomplete_input: cf.cf_flags & PyCF_ALLOW_INCOMPLETE_INPUT != 0,
            dont_imply_dedent: cf.cf_flags & PyCF_DONT_IMPLY_DEDENT != 0,
            int_max_str_digits: taipan_objects::longobject::MAX_STR_DIGITS.max(0) as usize,
            stack_size: stack_budget(),
            decoder: Some(&decoder),
            lookup_name: Some(&lookup_name),
            normalize: Some(&normalize),
        };
        let is_file = start == Start::File;
        let source = match input {
            Input::Lines(r) => parser::Source::Interactive(r),
            Input::Bytes(b) if cf.cf_flags & PyCF_IGNORE_COOKIE != 0 => parser::Source::Utf8(b),
            Input::Bytes(b) if is_file => parser::Source::File(b),
            Input::Bytes(b) => parser::Source::Bytes(b),
        };
        match parser::parse(&arena, source, start.mode(), &options) {
            Ok(parsed) => {
                parser_warnings(&parsed.warnings, filename, is_file)?;
                use_tree(&parsed.module, &arena)
            }
            Err(failure) => {
                parser_warnings(&failure.warnings, filename, is_file)?;
                Err(raise_parser_error(&failure.error, filename, is_file))
            }
        }
    }
}

// ---- compiling

/// 0, 1 or 2 for the parameter `optimize` of `compile()`, where -1 is the interpreter's level.
pub fn optimization_level(optimize: c_int) -> u8 {
    let level = if optimize < 0 { interp().config.optimization_level } else { optimize };
    level.clamp(0, 2) as u8
}

/// Issues the compiler's warnings.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn tree_warnings(warnings: &[taipan_compiler::Warning], filename: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        for w in warnings {
            match w.category {
                taipan_compiler::WarningCategory::SyntaxWarning => {
                    let l = w.location;
                    let text = new_str(&w.message)?;
                    let status = _PyErr_WarnExplicitObjectWithContext(PyExc_SyntaxWarning, text.as_ptr(), filename, l.lineno);
                    after_warning(PyExc_SyntaxWarning, status, || {
                        let text = crate::errors::program_text(filename, l.lineno).unwrap_or_else(none);
                        set_syntax_error(PyExc_SyntaxError, &w.message, filename, l.lineno, l.col_offset + 1, &text, Some((l.end_lineno, l.end_col_offset + 1)))
                    })?;
                }
                taipan_compiler::WarningCategory::DeprecationWarning => {
                    let msg = std::ffi::CString::new(w.message.as_str()).unwrap_or_default();
                    check_status(PyErr_WarnEx(PyExc_DeprecationWarning, msg.as_ptr(), 1))?;
                }
            }
        }
        Ok(())
    }
}

/// Compiles a tree.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn compile_tree<'a>(module: &parser::ast::Mod<'a>, arena: &'a Bump, filename: *mut PyObject, cf: &mut CompilerFlags, optimize: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { compile_tree_with(module, arena, &mut Builder::new(filename, Vec::new()), cf, optimize) }
}

/// Compiles a tree with a builder that may know constants of it already.
///
/// # Safety
/// [GIL]
pub unsafe fn compile_tree_with<'a>(module: &parser::ast::Mod<'a>, arena: &'a Bump, builder: &mut Builder, cf: &mut CompilerFlags, optimize: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let filename = builder.filename();
        let filename = filename.as_ptr();
        let name = rust_bytes(filename)?;
        let mut options = taipan_compiler::Options::new(&name[..]);
        options.flags = (cf.cf_flags & (PyCF_MASK | PyCF_ALLOW_TOP_LEVEL_AWAIT)) as u32;
        options.optimize = optimization_level(optimize);
        options.stack_budget = stack_budget();
        options.deprecated = Some(deprecated);
        let compiled = taipan_compiler::compile(module, arena, &options);
        cf.cf_flags |= compiled.flags as c_int & PyCF_MASK;
        tree_warnings(&compiled.warnings, filename)?;
        match compiled.code {
            Ok(co) => builder.object(&Const::Code(co)),
            Err(e) => Err(raise_compile_error(&e, filename)),
        }
    }
}

/// Compiles source to a code object, or to an `ast` tree when the flags ask for it.
///
/// # Safety
/// `filename` is a str.
pub unsafe fn compile_source(input: Input<'_>, filename: *mut PyObject, start: Start, cf: &mut CompilerFlags, optimize: c_int) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let parse_flags = *cf;
        with_tree(input, filename, start, &parse_flags, |module, arena| {
            if cf.cf_flags & PyCF_ONLY_AST != 0 {
                return crate::ast_object::mod_to_object(module, arena, filename, cf, optimize);
            }
            compile_tree(module, arena, filename, cf, optimize)
        })
    }
}

/// Compiles one statement of a terminal; its code bears another file name than its errors.
///
/// # Safety
/// Both names are strs.
pub unsafe fn compile_interactive(reader: &mut dyn parser::LineReader, filename: *mut PyObject, code_filename: *mut PyObject, cf: &mut CompilerFlags) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let parse_flags = *cf;
        with_tree(Input::Lines(reader), filename, Start::Single, &parse_flags, |module, arena| compile_tree(module, arena, code_filename, cf, -1))
    }
}

/// Compiles text that belongs to the runtime itself.
pub fn compile_bytes(source: &[u8], filename: &str, start: Start, cf_flags: c_int, optimize: c_int) -> PyResult<Owned> {
    let name = new_str(filename)?;
    let mut cf = CompilerFlags { cf_flags, ..CompilerFlags::default() };
    // SAFETY: a str.
    unsafe { compile_source(Input::Bytes(source), name.as_ptr(), start, &mut cf, optimize) }
}

// ---- the C API

/// Compiles text; `optimize` -1 takes the interpreter's level.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_CompileStringObject(text: *const c_char, filename: *mut PyObject, start: c_int, cf: *mut CompilerFlags, optimize: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Some(start) = Start::from_c(start) else {
            PyErr_BadInternalCall();
            return null_mut();
        };
        let mut own_flags = CompilerFlags::default();
        let cf = if cf.is_null() { &mut own_flags } else { &mut *cf };
        compile_source(Input::Bytes(core::ffi::CStr::from_ptr(text).to_bytes()), filename, start, cf, optimize).into_c()
    }
}

/// As [`Py_CompileStringObject`] with a C file name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_CompileStringExFlags(text: *const c_char, filename: *const c_char, start: c_int, cf: *mut CompilerFlags, optimize: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_DecodeFSDefault(filename)) {
            Ok(f) => Py_CompileStringObject(text, f.as_ptr(), start, cf, optimize),
            Err(_) => null_mut(),
        }
    }
}

/// Compiles text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_CompileStringFlags(text: *const c_char, filename: *const c_char, start: c_int, cf: *mut CompilerFlags) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_CompileStringExFlags(text, filename, start, cf, -1) }
}

/// Compiles text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_CompileString(text: *const c_char, filename: *const c_char, start: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { Py_CompileStringExFlags(text, filename, start, null_mut(), -1) }
}

/// Kept for old extensions: the code as it is, since optimisation happens before assembly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_Optimize(code: *mut PyObject, _consts: *mut PyObject, _names: *mut PyObject, _lnotab: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        Py_INCREF(code);
        code
    }
}
