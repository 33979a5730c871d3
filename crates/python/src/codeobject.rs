//! `code`: construction, comparison, attributes, the C API around it. Its tables are decoded in `code_location`.

#![allow(clippy::missing_safety_doc, reason = "[GIL] [ARGS]: the contract of CPython's C API")]

pub use crate::code_location::*;
use crate::ceval_prelude::{CodeUnit, ob_size, oparg_of, opcode_of, tuple_item, tuple_items};
use crate::ceval_prelude::bytes_size;
use crate::defs::*;
use crate::externs::{_PyFunction_ClearCodeByVersion, _PyObject_NewVar};
use crate::frame::{CodeExt, FRAME_HEADER_WORDS};
use crate::generated::opcode_ids::*;
use crate::generated::opcode_metadata::CACHES;
use crate::instrumentation::{base_opcode, free_monitoring_data, original_line};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use taipan_abi::*;
use taipan_objects::typeobject::TYPE_INIT;

/// Kind of a local (`co_localspluskinds`): hidden from `locals()` (a comprehension's variable outside functions).
pub const CO_FAST_HIDDEN: u8 = 0x10;
/// A plain local.
pub const CO_FAST_LOCAL: u8 = 0x20;
/// A local that inner functions use.
pub const CO_FAST_CELL: u8 = 0x40;
/// A variable of an outer function.
pub const CO_FAST_FREE: u8 = 0x80;

/// Adaptive counter of fresh instructions: one execution, then an attempt.
const ADAPTIVE_WARMUP: u16 = 1 << 4 | 1;
/// Counter of fresh backward jumps.
const JUMP_BACKWARD_INITIAL: u16 = 16 << 4 | 4;
/// History of fresh conditional jumps: alternating.
const JUMP_HISTORY_INITIAL: u16 = 0x5555;

/// Next version number of code objects and functions; zero once they have run out.
static NEXT_VERSION: AtomicU32 = AtomicU32::new(1);

/// Whether fresh code may specialise (`-X` switches and tests turn it off).
pub static SPECIALIZATION_ENABLED: AtomicBool = AtomicBool::new(true);
/// Whether location tables keep columns (`-X no_debug_ranges` turns it off).
pub static CODE_DEBUG_RANGES: AtomicBool = AtomicBool::new(true);

/// A version that no code object and no function has; zero when there are no more.
pub fn next_version() -> u32 {
    let version = NEXT_VERSION.load(Ordering::Relaxed);
    if version != 0 {
        NEXT_VERSION.store(version.wrapping_add(1), Ordering::Relaxed);
    }
    version
}

/// Everything a code object is made of; objects are lent.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the attributes of code objects")]
pub struct CodeConstructor {
    pub filename: *mut PyObject,
    pub name: *mut PyObject,
    pub qualname: *mut PyObject,
    pub flags: c_int,
    /// bytes
    pub code: *mut PyObject,
    pub firstlineno: c_int,
    /// bytes
    pub linetable: *mut PyObject,
    /// tuple
    pub consts: *mut PyObject,
    /// tuple of str
    pub names: *mut PyObject,
    /// tuple of str: locals, cells that are no locals, free variables
    pub localsplusnames: *mut PyObject,
    /// bytes: `CO_FAST_*` of each
    pub localspluskinds: *mut PyObject,
    pub argcount: c_int,
    pub posonlyargcount: c_int,
    pub kwonlyargcount: c_int,
    pub stacksize: c_int,
    /// bytes
    pub exceptiontable: *mut PyObject,
}

/// Numbers of locals, cells and free variables.
fn localsplus_counts(kinds: &[u8]) -> (c_int, c_int, c_int) {
    let count = |bit: u8| kinds.iter().filter(|k| **k & bit != 0).count() as c_int;
    (count(CO_FAST_LOCAL), count(CO_FAST_CELL), count(CO_FAST_FREE))
}

/// Checks what comes from Python code.
pub unsafe fn code_validate(con: &CodeConstructor) -> PyResult<()> {
    // SAFETY: [ARGS] NULL is checked.
    unsafe {
        let tuple = |o: *mut PyObject| !o.is_null() && PyTuple_Check(o) != 0;
        let bytes = |o: *mut PyObject| !o.is_null() && PyBytes_Check(o) != 0;
        let text = |o: *mut PyObject| !o.is_null() && PyUnicode_Check(o) != 0;
        let ok = con.argcount >= con.posonlyargcount
            && con.posonlyargcount >= 0
            && con.kwonlyargcount >= 0
            && con.stacksize >= 0
            && con.flags >= 0
            && bytes(con.code)
            && tuple(con.consts)
            && tuple(con.names)
            && tuple(con.localsplusnames)
            && bytes(con.localspluskinds)
            && ob_size(con.localsplusnames) == bytes_size(con.localspluskinds)
            && text(con.name)
            && text(con.qualname)
            && text(con.filename)
            && bytes(con.linetable)
            && bytes(con.exceptiontable);
        if !ok {
            PyErr_BadInternalCall();
            return Err(Raised::assume());
        }
        let size = bytes_size(con.code);
        if size > c_int::MAX as isize {
            bail!(PyExc_OverflowError, "code: co_code larger than INT_MAX");
        }
        if size % 2 != 0 {
            bail!(PyExc_ValueError, "code: co_code is malformed");
        }
        let (nlocals, _, _) = localsplus_counts(bytes_of(con.localspluskinds));
        let parameters = con.argcount as i64
            + con.kwonlyargcount as i64
            + (con.flags & CO_VARARGS != 0) as i64
            + (con.flags & CO_VARKEYWORDS != 0) as i64;
        if (nlocals as i64) < parameters {
            bail!(PyExc_ValueError, "code: co_varnames is too small");
        }
        Ok(())
    }
}

unsafe extern "C" {
    fn _PyUnicode_InternMortal(interp: *mut PyInterpreterState, p: *mut *mut PyObject);
    fn _PyUnicode_InternImmortal(interp: *mut PyInterpreterState, p: *mut *mut PyObject);
}

/// Interns the names in a tuple.
unsafe fn intern_strings(tuple: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS] tuple items may be replaced by equal ones.
    unsafe {
        let interp = (*current_tstate()).interp;
        for i in 0..ob_size(tuple) as usize {
            let item = tuple_items(tuple).add(i);
            if (*item).is_null() || Py_TYPE(*item) != &raw mut PyUnicode_Type {
                bail!(PyExc_SystemError, "non-string found in code slot");
            }
            _PyUnicode_InternImmortal(interp, item);
        }
        Ok(())
    }
}

/// Whether a string constant looks like an identifier.
///
/// # Safety
/// `text` is a str.
pub(crate) unsafe fn should_intern_string(text: *mut PyObject) -> bool {
    // SAFETY: [TYPE]
    unsafe {
        if PyUnicode_IS_ASCII(text) == 0 {
            return false;
        }
        let data = core::slice::from_raw_parts(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text) as usize);
        data.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_')
    }
}

/// Interns strings among constants, nested ones too. Whether something was replaced.
unsafe fn intern_constants(tuple: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let interp = (*current_tstate()).interp;
        let mut modified = false;
        for i in 0..ob_size(tuple) as usize {
            let item = tuple_items(tuple).add(i);
            let tp = Py_TYPE(*item);
            if tp == &raw mut PyUnicode_Type {
                if should_intern_string(*item) {
                    let old = *item;
                    _PyUnicode_InternMortal(interp, item);
                    modified |= *item != old;
                }
            } else if tp == &raw mut PyTuple_Type {
                intern_constants(*item)?;
            } else if tp == &raw mut PyFrozenSet_Type {
                let items = Owned::from_owned_or_err(PySequence_Tuple(*item))?;
                if intern_constants(items.as_ptr())? {
                    let new = Owned::from_owned_or_err(PyFrozenSet_New(items.as_ptr()))?;
                    setref(item, new.into_raw());
                    modified = true;
                }
            }
        }
        Ok(modified)
    }
}

/// A location table without columns.
fn remove_column_info(table: &[u8], firstlineno: i32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = firstlineno;
    let mut iter = LocationIter::new(table, firstlineno);
    while let Some(entry) = iter.next() {
        let units = ((entry.end - entry.start) / 2 - 1) as u8;
        if entry.line < 0 {
            out.push(0x80 | LOCATION_NONE << 3 | units);
            continue;
        }
        out.push(0x80 | LOCATION_NO_COLUMNS << 3 | units);
        let delta = iter.computed_line().wrapping_sub(line);
        line = iter.computed_line();
        let mut value = (delta.unsigned_abs() << 1) | (delta < 0) as u32;
        while value >= 64 {
            out.push(0x40 | (value & 63) as u8);
            value >>= 6;
        }
        out.push(value as u8);
    }
    out
}

/// Makes a code object; the parts are valid ([`code_validate`], or they come from the compiler).
pub unsafe fn code_new(con: &CodeConstructor) -> PyResult<Owned> {
    // SAFETY: [ARGS] every field is set before the object is seen.
    unsafe {
        intern_strings(con.names)?;
        intern_constants(con.consts)?;
        intern_strings(con.localsplusnames)?;
        let linetable = if CODE_DEBUG_RANGES.load(Ordering::Relaxed) {
            Owned::from_borrowed(con.linetable)
        } else {
            let table = remove_column_info(bytes_of(con.linetable), con.firstlineno);
            Owned::from_owned_or_err(PyBytes_FromStringAndSize(table.as_ptr().cast(), table.len() as isize))?
        };
        let units = (bytes_size(con.code) / 2) as usize;
        let object = _PyObject_NewVar(&raw mut PyCode_Type, units as isize);
        if object.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let co: *mut PyCodeObject = object.cast();
        let (nlocals, ncellvars, nfreevars) = localsplus_counts(bytes_of(con.localspluskinds));
        let nlocalsplus = ob_size(con.localsplusnames) as c_int;
        let stacksize = con.stacksize.max(1);
        let interp = (*current_tstate()).interp;
        (*co).co_filename = Py_NewRef(con.filename);
        (*co).co_name = Py_NewRef(con.name);
        (*co).co_qualname = Py_NewRef(con.qualname);
        _PyUnicode_InternMortal(interp, &raw mut (*co).co_filename);
        _PyUnicode_InternMortal(interp, &raw mut (*co).co_name);
        _PyUnicode_InternMortal(interp, &raw mut (*co).co_qualname);
        (*co).co_flags = con.flags;
        (*co).co_firstlineno = con.firstlineno;
        (*co).co_linetable = linetable.into_raw();
        (*co).co_consts = Py_NewRef(con.consts);
        (*co).co_names = Py_NewRef(con.names);
        (*co).co_localsplusnames = Py_NewRef(con.localsplusnames);
        (*co).co_localspluskinds = Py_NewRef(con.localspluskinds);
        (*co).co_argcount = con.argcount;
        (*co).co_posonlyargcount = con.posonlyargcount;
        (*co).co_kwonlyargcount = con.kwonlyargcount;
        (*co).co_stacksize = stacksize;
        (*co).co_exceptiontable = Py_NewRef(con.exceptiontable);
        (*co).co_nlocalsplus = nlocalsplus;
        (*co).co_nlocals = nlocals;
        (*co).co_framesize = nlocalsplus + stacksize + FRAME_HEADER_WORDS as c_int;
        (*co).co_ncellvars = ncellvars;
        (*co).co_nfreevars = nfreevars;
        (*co).co_version = next_version();
        (*co)._co_monitoring = null_mut();
        (*co)._co_instrumentation_version = 0;
        (*co).co_weakreflist = null_mut();
        (*co).co_extra = null_mut();
        (*co)._co_cached = null_mut();
        (*co).co_executors = null_mut();
        let start = co.code_start();
        core::ptr::copy_nonoverlapping(PyBytes_AS_STRING(con.code).cast::<u8>(), start.cast::<u8>(), units * 2);
        let first = (0..units).find(|i| opcode_of(start.add(*i)) == RESUME);
        (*co)._co_firsttraceable = first.unwrap_or(units) as c_int;
        quicken(co);
        notify_watchers(PY_CODE_EVENT_CREATE, co);
        Ok(Owned::from_owned(co.cast()))
    }
}

/// Sets the counters in the inline caches of fresh code.
unsafe fn quicken(co: *mut PyCodeObject) {
    // SAFETY: [LAYOUT]
    unsafe {
        let (start, len) = (co.code_start(), co.code_len());
        let enabled = SPECIALIZATION_ENABLED.load(Ordering::Relaxed);
        let mut i = 0;
        while i < len {
            let opcode = opcode_of(start.add(i));
            let caches = CACHES[opcode as usize] as usize;
            if caches > 0 && i + 1 < len {
                *start.add(i + 1) = match opcode {
                    _ if !enabled => 0xffff,
                    JUMP_BACKWARD => JUMP_BACKWARD_INITIAL,
                    POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE => JUMP_HISTORY_INITIAL,
                    _ => ADAPTIVE_WARMUP,
                };
            }
            i += 1 + caches;
        }
    }
}

static INIT_CLEANUP: AtomicPtr<PyCodeObject> = AtomicPtr::new(null_mut());

/// The code of the frame that waits for an `__init__` called by a specialised CALL: it checks for None and returns the
/// object below it.
pub unsafe fn init_cleanup_code() -> *mut PyCodeObject {
    let known = INIT_CLEANUP.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: [GIL] made once, kept for ever.
    unsafe {
        let made = make_init_cleanup();
        match made {
            Ok(code) => {
                let code = code.into_raw();
                set_immortal(code);
                // Never traced, never seen in tracebacks.
                (*code.cast::<PyCodeObject>())._co_firsttraceable = 4;
                INIT_CLEANUP.store(code.cast(), Ordering::Relaxed);
                code.cast()
            }
            Err(_) => fatal("out of memory"),
        }
    }
}

unsafe fn make_init_cleanup() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let code = [EXIT_INIT_CHECK, 0, RETURN_VALUE, 0, RESUME, 0];
        let bytes = |b: &[u8]| Owned::from_owned_or_err(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as isize));
        let empty = bytes(&[])?;
        let tuple = Owned::from_owned_or_err(PyTuple_New(0))?;
        let name = Owned::from_owned_or_err(PyUnicode_FromString(c"__init__ cleanup".as_ptr()))?;
        let code = bytes(&code)?;
        code_new(&CodeConstructor {
            filename: name.as_ptr(),
            name: name.as_ptr(),
            qualname: name.as_ptr(),
            flags: CO_OPTIMIZED | CO_NO_MONITORING_EVENTS,
            code: code.as_ptr(),
            firstlineno: 0,
            linetable: empty.as_ptr(),
            consts: tuple.as_ptr(),
            names: tuple.as_ptr(),
            localsplusnames: tuple.as_ptr(),
            localspluskinds: empty.as_ptr(),
            argcount: 0,
            posonlyargcount: 0,
            kwonlyargcount: 0,
            stacksize: 2,
            exceptiontable: empty.as_ptr(),
        })
    }
}

/// Flag of code that `sys.monitoring` leaves alone.
pub const CO_NO_MONITORING_EVENTS: c_int = 0x200_0000;

// ---- derived attributes

/// What a code object remembers once it was asked for it.
struct CodeCached {
    code: *mut PyObject,
    varnames: *mut PyObject,
    cellvars: *mut PyObject,
    freevars: *mut PyObject,
}

unsafe fn cached(co: *mut PyCodeObject) -> *mut CodeCached {
    // SAFETY: [ARGS]
    unsafe {
        if (*co)._co_cached.is_null() {
            let fresh = CodeCached { code: null_mut(), varnames: null_mut(), cellvars: null_mut(), freevars: null_mut() };
            (*co)._co_cached = Box::into_raw(Box::new(fresh)).cast();
        }
        (*co)._co_cached.cast()
    }
}

/// The value in `slot`, new; made on first use.
unsafe fn memoized(slot: *mut *mut PyObject, make: impl FnOnce() -> *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if (*slot).is_null() {
            *slot = make();
        }
        Py_XNewRef(*slot)
    }
}

/// Names of locals of one kind, as a new tuple.
unsafe fn localsplus_names(co: *mut PyCodeObject, kind: u8) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let kinds = bytes_of((*co).co_localspluskinds);
        let indices: Vec<usize> = (0..kinds.len()).filter(|i| kinds[*i] & kind != 0).collect();
        let tuple = PyTuple_New(indices.len() as isize);
        if !tuple.is_null() {
            for (n, i) in indices.into_iter().enumerate() {
                *tuple_items(tuple).add(n) = Py_NewRef(tuple_item((*co).co_localsplusnames, i));
            }
        }
        tuple
    }
}

/// Bytecode as the compiler made it: no specialisation, no monitoring, empty caches.
unsafe fn deopt_code(co: *mut PyCodeObject) -> Vec<u8> {
    // SAFETY: [LAYOUT]
    unsafe {
        let (start, len) = (co.code_start(), co.code_len());
        let mut out = vec![0u8; len * 2];
        let mut i = 0;
        while i < len {
            let opcode = base_opcode(co, i);
            out[2 * i] = opcode;
            out[2 * i + 1] = oparg_of(start.add(i)) as u8;
            i += 1 + CACHES[opcode as usize] as usize;
        }
        out
    }
}

/// `co_code`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_GetCode(co: *mut PyCodeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        memoized(&raw mut (*cached(co)).code, || {
            let code = deopt_code(co);
            PyBytes_FromStringAndSize(code.as_ptr().cast(), code.len() as isize)
        })
    }
}
/// `co_varnames`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_GetVarnames(co: *mut PyCodeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { memoized(&raw mut (*cached(co)).varnames, || localsplus_names(co, CO_FAST_LOCAL)) }
}
/// `co_cellvars`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_GetCellvars(co: *mut PyCodeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { memoized(&raw mut (*cached(co)).cellvars, || localsplus_names(co, CO_FAST_CELL)) }
}
/// `co_freevars`, new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_GetFreevars(co: *mut PyCodeObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { memoized(&raw mut (*cached(co)).freevars, || localsplus_names(co, CO_FAST_FREE)) }
}

unsafe extern "C" fn code_getcode(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyCode_GetCode(slf.cast()) }
}
unsafe extern "C" fn code_getvarnames(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyCode_GetVarnames(slf.cast()) }
}
unsafe extern "C" fn code_getcellvars(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyCode_GetCellvars(slf.cast()) }
}
unsafe extern "C" fn code_getfreevars(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyCode_GetFreevars(slf.cast()) }
}
unsafe extern "C" fn code_getcodeadaptive(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let co: *mut PyCodeObject = slf.cast();
        PyBytes_FromStringAndSize(co.code_start().cast(), co.code_len() as isize * 2)
    }
}

/// The line table of old: pairs of byte delta and line delta.
unsafe extern "C" fn code_getlnotab(slf: *mut PyObject, _: Closure) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if PyErr_WarnEx(PyExc_DeprecationWarning, c"co_lnotab is deprecated, use co_lines instead.".as_ptr(), 1) < 0 {
            return null_mut();
        }
        let co: *mut PyCodeObject = slf.cast();
        let mut out: Vec<u8> = Vec::new();
        let (mut address, mut line) = (0, (*co).co_firstlineno);
        let mut iter = LocationIter::of_code(co);
        while let Some(entry) = iter.next() {
            let computed = iter.computed_line();
            if computed == line {
                continue;
            }
            let (mut bytes, mut lines) = (entry.start - address, computed - line);
            while bytes > 255 {
                out.extend([255, 0]);
                bytes -= 255;
            }
            while lines > 127 {
                out.extend([bytes as u8, 127]);
                bytes = 0;
                lines -= 127;
            }
            while lines < -128 {
                out.extend([bytes as u8, -128i8 as u8]);
                bytes = 0;
                lines += 128;
            }
            out.extend([bytes as u8, lines as i8 as u8]);
            (address, line) = (entry.start, computed);
        }
        PyBytes_FromStringAndSize(out.as_ptr().cast(), out.len() as isize)
    }
}

// ---- comparison

/// The instructions of a code object without specialisation: opcode and operand.
unsafe fn base_instructions(co: *mut PyCodeObject) -> Vec<(u8, u8)> {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut out = Vec::new();
        let mut i = 0;
        while i < co.code_len() {
            let opcode = base_opcode(co, i);
            out.push((opcode, oparg_of(co.code_start().add(i)) as u8));
            i += 1 + CACHES[opcode as usize] as usize;
        }
        out
    }
}

unsafe fn code_equal(a: *mut PyCodeObject, b: *mut PyCodeObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let eq = |x: *mut PyObject, y: *mut PyObject| -> PyResult<bool> {
            let status = PyObject_RichCompareBool(x, y, Py_EQ);
            check_status(status)?;
            Ok(status != 0)
        };
        if !eq((*a).co_name, (*b).co_name)?
            || (*a).co_argcount != (*b).co_argcount
            || (*a).co_posonlyargcount != (*b).co_posonlyargcount
            || (*a).co_kwonlyargcount != (*b).co_kwonlyargcount
            || (*a).co_flags != (*b).co_flags
            || (*a).co_firstlineno != (*b).co_firstlineno
            || a.code_len() != b.code_len()
            || base_instructions(a) != base_instructions(b)
        {
            return Ok(false);
        }
        let keys = (
            Owned::from_owned_or_err(_PyCode_ConstantKey((*a).co_consts))?,
            Owned::from_owned_or_err(_PyCode_ConstantKey((*b).co_consts))?,
        );
        Ok(eq(keys.0.as_ptr(), keys.1.as_ptr())?
            && eq((*a).co_names, (*b).co_names)?
            && eq((*a).co_localsplusnames, (*b).co_localsplusnames)?
            && eq((*a).co_linetable, (*b).co_linetable)?
            && eq((*a).co_exceptiontable, (*b).co_exceptiontable)?)
    }
}

unsafe extern "C" fn code_richcompare(slf: *mut PyObject, other: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let is_code = |o| Py_TYPE(o) == &raw mut PyCode_Type;
        if (op != Py_EQ && op != Py_NE) || !is_code(slf) || !is_code(other) {
            return Py_NewRef(Py_NotImplemented());
        }
        match code_equal(slf.cast(), other.cast()) {
            Ok(equal) => PyBool_FromLong((equal == (op == Py_EQ)) as _),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn code_hash(slf: *mut PyObject) -> Py_hash_t {
    // SAFETY: [ARGS]
    unsafe {
        let co: *mut PyCodeObject = slf.cast();
        let mut hash: usize = 20221211;
        let mut mix = |h: usize| hash = (hash ^ h).wrapping_mul(1000003);
        let parts =
            [(*co).co_name, (*co).co_consts, (*co).co_names, (*co).co_localsplusnames, (*co).co_linetable, (*co).co_exceptiontable];
        for part in parts {
            let h = PyObject_Hash(part);
            if h == -1 {
                return -1;
            }
            mix(h as usize);
        }
        let numbers =
            [(*co).co_argcount, (*co).co_posonlyargcount, (*co).co_kwonlyargcount, (*co).co_flags, (*co).co_firstlineno];
        for n in numbers {
            mix(n as isize as usize);
        }
        mix(co.code_len());
        for (opcode, oparg) in base_instructions(co) {
            mix(opcode as usize);
            mix(oparg as usize);
        }
        if hash as isize == -1 { -2 } else { hash as Py_hash_t }
    }
}

/// A key that is equal for constants that the compiler may merge: it tells 1, 1.0 and True, or 0.0 and -0.0, apart.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCode_ConstantKey(op: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let tp = Py_TYPE(op);
        if op == Py_None()
            || op == Py_Ellipsis()
            || tp == &raw mut PyLong_Type
            || tp == &raw mut PyUnicode_Type
            || tp == &raw mut PyCode_Type
        {
            return Py_NewRef(op);
        }
        if tp == &raw mut PyBool_Type || tp == &raw mut PyBytes_Type {
            return PyTuple_Pack(2, tp, op);
        }
        let negative_zero = |d: f64| d == 0.0 && d.is_sign_negative();
        if tp == &raw mut PyFloat_Type {
            return if negative_zero(PyFloat_AS_DOUBLE(op)) { PyTuple_Pack(3, tp, op, Py_None()) } else { PyTuple_Pack(2, tp, op) };
        }
        if tp == &raw mut PyComplex_Type {
            let marker = match (negative_zero(PyComplex_RealAsDouble(op)), negative_zero(PyComplex_ImagAsDouble(op))) {
                (true, true) => Py_True(),
                (false, true) => Py_False(),
                (true, false) => Py_None(),
                (false, false) => return PyTuple_Pack(2, tp, op),
            };
            return PyTuple_Pack(3, tp, op, marker);
        }
        let items = if tp == &raw mut PyTuple_Type {
            Py_NewRef(op)
        } else if tp == &raw mut PyFrozenSet_Type {
            PySequence_Tuple(op)
        } else {
            let id = PyLong_FromVoidPtr(op.cast());
            if id.is_null() {
                return null_mut();
            }
            let key = PyTuple_Pack(2, id, op);
            Py_DECREF(id);
            return key;
        };
        let Ok(items) = Owned::from_owned_or_err(items) else { return null_mut() };
        let Ok(keys) = Owned::from_owned_or_err(PyTuple_New(ob_size(items.as_ptr()))) else { return null_mut() };
        for i in 0..ob_size(items.as_ptr()) as usize {
            let key = _PyCode_ConstantKey(tuple_item(items.as_ptr(), i));
            if key.is_null() {
                return null_mut();
            }
            *tuple_items(keys.as_ptr()).add(i) = key;
        }
        if tp == &raw mut PyFrozenSet_Type {
            let Ok(set) = Owned::from_owned_or_err(PyFrozenSet_New(keys.as_ptr())) else { return null_mut() };
            return PyTuple_Pack(2, set.as_ptr(), op);
        }
        PyTuple_Pack(2, keys.as_ptr(), op)
    }
}

// ---- construction from Python and C

/// Splits variables into what a code object keeps: names, and a kind for each.
unsafe fn localsplus_from(
    varnames: *mut PyObject,
    cellvars: *mut PyObject,
    freevars: *mut PyObject,
    flags: c_int,
    code: *mut PyObject,
) -> PyResult<(Owned, Owned)> {
    // SAFETY: [ARGS] tuples of str.
    unsafe {
        let mut names: Vec<*mut PyObject> = Vec::new();
        let mut kinds: Vec<u8> = Vec::new();
        for i in 0..ob_size(varnames) as usize {
            names.push(tuple_item(varnames, i));
            kinds.push(CO_FAST_LOCAL);
        }
        let nvarnames = names.len();
        for i in 0..ob_size(cellvars) as usize {
            let name = tuple_item(cellvars, i);
            // An argument that inner functions use is both.
            match (0..nvarnames).find(|j| PyUnicode_Compare(names[*j], name) == 0) {
                Some(j) => kinds[j] |= CO_FAST_CELL,
                None => {
                    names.push(name);
                    kinds.push(CO_FAST_CELL);
                }
            }
        }
        for i in 0..ob_size(freevars) as usize {
            names.push(tuple_item(freevars, i));
            kinds.push(CO_FAST_FREE);
        }
        if flags & CO_OPTIMIZED == 0 && !code.is_null() && PyBytes_Check(code) != 0 {
            mark_hidden(bytes_of(code), &mut kinds)?;
        }
        let tuple = Owned::from_owned_or_err(PyTuple_New(names.len() as isize))?;
        for (i, name) in names.into_iter().enumerate() {
            *tuple_items(tuple.as_ptr()).add(i) = Py_NewRef(name);
        }
        let kinds = Owned::from_owned_or_err(PyBytes_FromStringAndSize(kinds.as_ptr().cast(), kinds.len() as isize))?;
        Ok((tuple, kinds))
    }
}

/// In module and class code, locals that comprehensions save and restore are hidden.
fn mark_hidden(code: &[u8], kinds: &mut [u8]) -> PyResult<()> {
    let mut extended = 0usize;
    let mut i = 0;
    while i + 1 < code.len() {
        let (opcode, arg) = (code[i], code[i + 1] as usize);
        i += 2 + 2 * CACHES[opcode as usize] as usize;
        if opcode == EXTENDED_ARG {
            extended = extended << 8 | arg;
            continue;
        }
        if opcode == LOAD_FAST_AND_CLEAR {
            let oparg = extended << 8 | arg;
            let Some(kind) = kinds.get_mut(oparg) else {
                bail!(PyExc_ValueError, "code: LOAD_FAST_AND_CLEAR oparg {oparg} out of range");
            };
            *kind |= CO_FAST_HIDDEN;
        }
        extended = 0;
    }
    Ok(())
}

/// A code object from its attributes.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "CPython's signature")]
pub unsafe extern "C" fn PyUnstable_Code_NewWithPosOnlyArgs(
    argcount: c_int,
    posonlyargcount: c_int,
    kwonlyargcount: c_int,
    nlocals: c_int,
    stacksize: c_int,
    flags: c_int,
    code: *mut PyObject,
    consts: *mut PyObject,
    names: *mut PyObject,
    varnames: *mut PyObject,
    freevars: *mut PyObject,
    cellvars: *mut PyObject,
    filename: *mut PyObject,
    name: *mut PyObject,
    qualname: *mut PyObject,
    firstlineno: c_int,
    linetable: *mut PyObject,
    exceptiontable: *mut PyObject,
) -> *mut PyCodeObject {
    // SAFETY: [ARGS] NULL is checked.
    unsafe {
        let tuple = |o: *mut PyObject| !o.is_null() && PyTuple_Check(o) != 0;
        if !tuple(varnames) || !tuple(cellvars) || !tuple(freevars) {
            PyErr_BadInternalCall();
            return null_mut();
        }
        let made = localsplus_from(varnames, cellvars, freevars, flags, code).and_then(|(localsplusnames, kinds)| {
            let con = CodeConstructor {
                filename,
                name,
                qualname,
                flags,
                code,
                firstlineno,
                linetable,
                consts,
                names,
                localsplusnames: localsplusnames.as_ptr(),
                localspluskinds: kinds.as_ptr(),
                argcount,
                posonlyargcount,
                kwonlyargcount,
                stacksize,
                exceptiontable,
            };
            code_validate(&con)?;
            if nlocals as isize != ob_size(varnames) {
                bail!(PyExc_ValueError, "code: co_nlocals != len(co_varnames)");
            }
            code_new(&con)
        });
        made.into_c().cast()
    }
}

/// As [`PyUnstable_Code_NewWithPosOnlyArgs`] without positional-only parameters.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "CPython's signature")]
pub unsafe extern "C" fn PyUnstable_Code_New(
    argcount: c_int,
    kwonlyargcount: c_int,
    nlocals: c_int,
    stacksize: c_int,
    flags: c_int,
    code: *mut PyObject,
    consts: *mut PyObject,
    names: *mut PyObject,
    varnames: *mut PyObject,
    freevars: *mut PyObject,
    cellvars: *mut PyObject,
    filename: *mut PyObject,
    name: *mut PyObject,
    qualname: *mut PyObject,
    firstlineno: c_int,
    linetable: *mut PyObject,
    exceptiontable: *mut PyObject,
) -> *mut PyCodeObject {
    // SAFETY: [ARGS]
    unsafe {
        PyUnstable_Code_NewWithPosOnlyArgs(
            argcount, 0, kwonlyargcount, nlocals, stacksize, flags, code, consts, names, varnames, freevars, cellvars,
            filename, name, qualname, firstlineno, linetable, exceptiontable,
        )
    }
}

/// Code that raises AssertionError, for tracebacks of what is not Python.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_NewEmpty(filename: *const c_char, funcname: *const c_char, firstlineno: c_int) -> *mut PyCodeObject {
    // SAFETY: [ARGS]
    unsafe {
        let make = || -> PyResult<Owned> {
            let bytes = |b: &[u8]| Owned::from_owned_or_err(PyBytes_FromStringAndSize(b.as_ptr().cast(), b.len() as isize));
            let filename = Owned::from_owned_or_err(PyUnicode_DecodeFSDefault(filename))?;
            let name = Owned::from_owned_or_err(PyUnicode_FromString(funcname))?;
            let tuple = Owned::from_owned_or_err(PyTuple_New(0))?;
            let empty = bytes(&[])?;
            let code = bytes(&[RESUME, 0, LOAD_ASSERTION_ERROR, 0, RAISE_VARARGS, 1])?;
            let linetable = bytes(&[0x80 | LOCATION_NO_COLUMNS << 3 | 2, 0])?;
            code_new(&CodeConstructor {
                filename: filename.as_ptr(),
                name: name.as_ptr(),
                qualname: name.as_ptr(),
                flags: 0,
                code: code.as_ptr(),
                firstlineno,
                linetable: linetable.as_ptr(),
                consts: tuple.as_ptr(),
                names: tuple.as_ptr(),
                localsplusnames: tuple.as_ptr(),
                localspluskinds: empty.as_ptr(),
                argcount: 0,
                posonlyargcount: 0,
                kwonlyargcount: 0,
                stacksize: 1,
                exceptiontable: empty.as_ptr(),
            })
        };
        make().into_c().cast()
    }
}

/// A copy of a tuple of names, exact str each.
unsafe fn validate_and_copy_tuple(tuple: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let n = ob_size(tuple) as usize;
        let copy = Owned::from_owned_or_err(PyTuple_New(n as isize))?;
        for i in 0..n {
            let item = tuple_item(tuple, i);
            if PyUnicode_Check(item) == 0 {
                let format = c"name tuples must contain only strings, not '%.500s'";
                PyErr_Format(PyExc_TypeError, format.as_ptr(), (*Py_TYPE(item)).tp_name);
                return Err(Raised::assume());
            }
            let exact = Owned::from_owned_or_err(PyUnicode_FromObject(item))?;
            *tuple_items(copy.as_ptr()).add(i) = exact.into_raw();
        }
        Ok(copy)
    }
}

unsafe fn int_arg(value: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsLong(value);
        if n == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        match c_int::try_from(n) {
            Ok(n) => Ok(n),
            Err(_) if n > 0 => bail!(PyExc_OverflowError, "Python int too large to convert to C int"),
            Err(_) => bail!(PyExc_OverflowError, "Python int too large to convert to C int"),
        }
    }
}

unsafe fn check_kind(value: *mut PyObject, function: &CStr, what: &CStr, kind: &CStr) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let ok = match kind.to_bytes() {
            b"bytes" => PyBytes_Check(value),
            b"tuple" => PyTuple_Check(value),
            _ => PyUnicode_Check(value),
        };
        if ok == 0 {
            _PyArg_BadArgument(function.as_ptr(), what.as_ptr(), kind.as_ptr(), value);
            return Err(Raised::assume());
        }
        Ok(())
    }
}

unsafe extern "C" fn code_new_py(_: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if _PyArg_NoKeywords(c"code".as_ptr(), kwargs) == 0
            || _PyArg_CheckPositional(c"code".as_ptr(), ob_size(args), 16, 18) == 0
        {
            return null_mut();
        }
        code_new_impl(args).into_c()
    }
}

unsafe fn code_new_impl(args: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS] 16 to 18 arguments.
    unsafe {
        let n = ob_size(args) as usize;
        let arg = |i: usize| tuple_item(args, i);
        let mut ints = [0; 6];
        for (i, slot) in ints.iter_mut().enumerate() {
            *slot = int_arg(arg(i))?;
        }
        let kinds = [
            (6, c"argument 7", c"bytes"), (7, c"argument 8", c"tuple"), (8, c"argument 9", c"tuple"),
            (9, c"argument 10", c"tuple"), (10, c"argument 11", c"str"), (11, c"argument 12", c"str"),
            (12, c"argument 13", c"str"),
        ];
        for (i, what, kind) in kinds {
            check_kind(arg(i), c"code", what, kind)?;
        }
        let firstlineno = int_arg(arg(13))?;
        for (i, what, kind) in
            [(14, c"argument 15", c"bytes"), (15, c"argument 16", c"bytes"), (16, c"argument 17", c"tuple"), (17, c"argument 18", c"tuple")]
        {
            if i < n {
                check_kind(arg(i), c"code", what, kind)?;
            }
        }
        let [argcount, posonly, kwonly, nlocals, stacksize, flags] = ints;
        check_status(PySys_Audit(
            c"code.__new__".as_ptr(), c"OOOiiiiii".as_ptr(), arg(6), arg(10), arg(11), argcount, posonly, kwonly, nlocals, stacksize, flags,
        ))?;
        for (value, name) in [(argcount, "argcount"), (posonly, "posonlyargcount"), (kwonly, "kwonlyargcount"), (nlocals, "nlocals")] {
            if value < 0 {
                bail!(PyExc_ValueError, "code: {name} must not be negative");
            }
        }
        let names = validate_and_copy_tuple(arg(8))?;
        let varnames = validate_and_copy_tuple(arg(9))?;
        let optional = |i: usize| if i < n { validate_and_copy_tuple(arg(i)) } else { Owned::from_owned_or_err(PyTuple_New(0)) };
        let freevars = optional(16)?;
        let cellvars = optional(17)?;
        let co = PyUnstable_Code_NewWithPosOnlyArgs(
            argcount, posonly, kwonly, nlocals, stacksize, flags, arg(6), arg(7), names.as_ptr(), varnames.as_ptr(),
            freevars.as_ptr(), cellvars.as_ptr(), arg(10), arg(11), arg(12), firstlineno, arg(14), arg(15),
        );
        Owned::from_owned_or_err(co.cast())
    }
}

/// Keywords of `replace`: attribute name, and what it must be.
const REPLACE_KEYWORDS: [(&CStr, &CStr, &CStr); 18] = [
    (c"co_argcount", c"int", c"argument 'co_argcount'"),
    (c"co_posonlyargcount", c"int", c"argument 'co_posonlyargcount'"),
    (c"co_kwonlyargcount", c"int", c"argument 'co_kwonlyargcount'"),
    (c"co_nlocals", c"int", c"argument 'co_nlocals'"),
    (c"co_stacksize", c"int", c"argument 'co_stacksize'"),
    (c"co_flags", c"int", c"argument 'co_flags'"),
    (c"co_firstlineno", c"int", c"argument 'co_firstlineno'"),
    (c"co_code", c"bytes", c"argument 'co_code'"),
    (c"co_consts", c"tuple", c"argument 'co_consts'"),
    (c"co_names", c"tuple", c"argument 'co_names'"),
    (c"co_varnames", c"tuple", c"argument 'co_varnames'"),
    (c"co_freevars", c"tuple", c"argument 'co_freevars'"),
    (c"co_cellvars", c"tuple", c"argument 'co_cellvars'"),
    (c"co_filename", c"str", c"argument 'co_filename'"),
    (c"co_name", c"str", c"argument 'co_name'"),
    (c"co_qualname", c"str", c"argument 'co_qualname'"),
    (c"co_linetable", c"bytes", c"argument 'co_linetable'"),
    (c"co_exceptiontable", c"bytes", c"argument 'co_exceptiontable'"),
];

unsafe extern "C" fn code_replace(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if nargs != 0 {
            PyErr_Format(PyExc_TypeError, c"replace() takes exactly 0 positional arguments (%zd given)".as_ptr(), nargs);
            return null_mut();
        }
        code_replace_impl(slf.cast(), args, kwnames).into_c()
    }
}

unsafe fn code_replace_impl(co: *mut PyCodeObject, args: *const *mut PyObject, kwnames: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let mut given = [null_mut::<PyObject>(); 18];
        let count = if kwnames.is_null() { 0 } else { ob_size(kwnames) as usize };
        for k in 0..count {
            let keyword = tuple_item(kwnames, k);
            let index = REPLACE_KEYWORDS.iter().position(|(n, _, _)| PyUnicode_CompareWithASCIIString(keyword, n.as_ptr()) == 0);
            let Some(i) = index else {
                PyErr_Format(PyExc_TypeError, c"replace() got an unexpected keyword argument '%S'".as_ptr(), keyword);
                return Err(Raised::assume());
            };
            given[i] = *args.add(k);
        }
        let mut ints = [
            (*co).co_argcount, (*co).co_posonlyargcount, (*co).co_kwonlyargcount, (*co).co_nlocals, (*co).co_stacksize,
            (*co).co_flags, (*co).co_firstlineno,
        ];
        for i in 0..18 {
            if given[i].is_null() {
                continue;
            }
            if i < 7 {
                ints[i] = int_arg(given[i])?;
            } else {
                check_kind(given[i], c"replace", REPLACE_KEYWORDS[i].2, REPLACE_KEYWORDS[i].1)?;
            }
        }
        for i in 0..7 {
            if ints[i] < 0 {
                bail!(PyExc_ValueError, "{} must be a positive integer", REPLACE_KEYWORDS[i].0.to_string_lossy());
            }
        }
        let or = |i: usize, own: *mut PyObject| Owned::from_borrowed(if given[i].is_null() { own } else { given[i] });
        let or_made = |i: usize, make: unsafe extern "C" fn(*mut PyCodeObject) -> *mut PyObject| {
            if given[i].is_null() { Owned::from_owned_or_err(make(co)) } else { Ok(Owned::from_borrowed(given[i])) }
        };
        let code = or_made(7, PyCode_GetCode)?;
        let (consts, names) = (or(8, (*co).co_consts), or(9, (*co).co_names));
        let varnames = or_made(10, PyCode_GetVarnames)?;
        let freevars = or_made(11, PyCode_GetFreevars)?;
        let cellvars = or_made(12, PyCode_GetCellvars)?;
        let (filename, name, qualname) = (or(13, (*co).co_filename), or(14, (*co).co_name), or(15, (*co).co_qualname));
        let (linetable, exceptiontable) = (or(16, (*co).co_linetable), or(17, (*co).co_exceptiontable));
        let [argcount, posonly, kwonly, nlocals, stacksize, flags, firstlineno] = ints;
        check_status(PySys_Audit(
            c"code.__new__".as_ptr(), c"OOOiiiiii".as_ptr(), code.as_ptr(), filename.as_ptr(), name.as_ptr(), argcount, posonly, kwonly,
            nlocals, stacksize, flags,
        ))?;
        let new = PyUnstable_Code_NewWithPosOnlyArgs(
            argcount, posonly, kwonly, nlocals, stacksize, flags, code.as_ptr(), consts.as_ptr(), names.as_ptr(),
            varnames.as_ptr(), freevars.as_ptr(), cellvars.as_ptr(), filename.as_ptr(), name.as_ptr(), qualname.as_ptr(),
            firstlineno, linetable.as_ptr(), exceptiontable.as_ptr(),
        );
        Owned::from_owned_or_err(new.cast())
    }
}

// ---- methods

fn none_or_int(value: i32) -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe { if value < 0 { Py_NewRef(Py_None()) } else { PyLong_FromLong(value as _) } }
}

/// A list of tuples, as an iterator.
unsafe fn iterator_of(list: PyResult<Owned>) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match list {
            Ok(list) => PyObject_GetIter(list.as_ptr()),
            Err(_) => null_mut(),
        }
    }
}

unsafe fn tuple_of<const N: usize>(items: [*mut PyObject; N]) -> PyResult<Owned> {
    // SAFETY: [OWN] the items are stolen.
    unsafe {
        if items.iter().any(|i| i.is_null()) {
            for item in items {
                Py_XDECREF(item);
            }
            return Err(Raised::assume());
        }
        Owned::from_owned_or_err(_PyTuple_FromArraySteal(items.as_ptr(), N as isize))
    }
}

unsafe extern "C" fn code_linesiterator(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let build = || -> PyResult<Owned> {
            let list = Owned::from_owned_or_err(PyList_New(0))?;
            let mut entries = LocationIter::of_code(slf.cast()).peekable();
            while let Some(first) = entries.next() {
                let mut end = first.end;
                while let Some(next) = entries.next_if(|e| e.line == first.line) {
                    end = next.end;
                }
                let entry = tuple_of([PyLong_FromLong(first.start as _), PyLong_FromLong(end as _), none_or_int(first.line)])?;
                check_status(PyList_Append(list.as_ptr(), entry.as_ptr()))?;
            }
            Ok(list)
        };
        iterator_of(build())
    }
}

unsafe extern "C" fn code_positionsiterator(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let build = || -> PyResult<Owned> {
            let list = Owned::from_owned_or_err(PyList_New(0))?;
            for e in LocationIter::of_code(slf.cast()) {
                for _ in 0..(e.end - e.start) / 2 {
                    let entry = tuple_of([none_or_int(e.line), none_or_int(e.end_line), none_or_int(e.column), none_or_int(e.end_column)])?;
                    check_status(PyList_Append(list.as_ptr(), entry.as_ptr()))?;
                }
            }
            Ok(list)
        };
        iterator_of(build())
    }
}

unsafe extern "C" fn code_varname_from_oparg(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let given = nargs + if kwnames.is_null() { 0 } else { ob_size(kwnames) };
        if given != 1 {
            PyErr_Format(PyExc_TypeError, c"_varname_from_oparg() takes exactly 1 argument (%zd given)".as_ptr(), given);
            return null_mut();
        }
        let Ok(oparg) = int_arg(*args) else { return null_mut() };
        Py_XNewRef(PyTuple_GetItem((*slf.cast::<PyCodeObject>()).co_localsplusnames, oparg as isize))
    }
}

unsafe extern "C" fn code_sizeof(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: [LAYOUT]
    unsafe {
        let co: *mut PyCodeObject = slf.cast();
        let size = core::mem::offset_of!(PyCodeObject, co_code_adaptive) + co.code_len() * 2;
        PyLong_FromSize_t(size)
    }
}

unsafe extern "C" fn code_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let co: *mut PyCodeObject = slf.cast();
        let line = if (*co).co_firstlineno != 0 { (*co).co_firstlineno } else { -1 };
        PyUnicode_FromFormat(c"<code object %U at %p, file \"%U\", line %d>".as_ptr(), (*co).co_name, slf, (*co).co_filename, line)
    }
}

unsafe extern "C" fn code_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        let co: *mut PyCodeObject = slf.cast();
        if HAS_WATCHERS.load(Ordering::Relaxed) {
            // A watcher may bring the object back to life.
            (*slf).ob_refcnt.ob_refcnt = 1;
            notify_watchers(PY_CODE_EVENT_DESTROY, co);
            (*slf).ob_refcnt.ob_refcnt -= 1;
            if (*slf).ob_refcnt.ob_refcnt > 0 {
                return;
            }
        }
        _PyFunction_ClearCodeByVersion((*co).co_version);
        if !(*co).co_extra.is_null() {
            let extras = Box::from_raw((*co).co_extra.cast::<Vec<*mut c_void>>());
            let free = &*(&raw const EXTRA_FREE);
            for (i, extra) in extras.iter().enumerate() {
                if let Some(Some(free)) = free.get(i) {
                    free(*extra);
                }
            }
        }
        for part in [
            (*co).co_consts, (*co).co_names, (*co).co_localsplusnames, (*co).co_localspluskinds, (*co).co_filename,
            (*co).co_name, (*co).co_qualname, (*co).co_linetable, (*co).co_exceptiontable,
        ] {
            Py_XDECREF(part);
        }
        if !(*co)._co_cached.is_null() {
            let cached = Box::from_raw((*co)._co_cached.cast::<CodeCached>());
            for part in [cached.code, cached.varnames, cached.cellvars, cached.freevars] {
                Py_XDECREF(part);
            }
        }
        if !(*co).co_weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        free_monitoring_data((*co)._co_monitoring);
        PyObject_Free(slf.cast());
    }
}

// ---- watchers and extra data

const PY_CODE_EVENT_CREATE: c_int = 0;
const PY_CODE_EVENT_DESTROY: c_int = 1;
const CODE_MAX_WATCHERS: usize = 8;
/// Called when a code object is made or destroyed.
pub type PyCode_WatchCallback = unsafe extern "C" fn(event: c_int, co: *mut PyCodeObject) -> c_int;

/// The callbacks by number. Each interpreter has its own; the running one's are in the static variable.
pub type CodeWatchers = [Option<PyCode_WatchCallback>; CODE_MAX_WATCHERS];
static mut WATCHERS: CodeWatchers = [None; CODE_MAX_WATCHERS];
static HAS_WATCHERS: AtomicBool = AtomicBool::new(false);

/// Exchanges the watchers when another interpreter runs.
pub fn swap_code_watchers(other: &mut CodeWatchers) {
    // SAFETY: [STATIC]
    let all = unsafe { &mut *(&raw mut WATCHERS) };
    core::mem::swap(all, other);
    HAS_WATCHERS.store(all.iter().any(Option::is_some), Ordering::Relaxed);
}

unsafe fn notify_watchers(event: c_int, co: *mut PyCodeObject) {
    if !HAS_WATCHERS.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: [GIL]
    unsafe {
        for i in 0..CODE_MAX_WATCHERS {
            let Some(watcher) = WATCHERS[i] else { continue };
            let exc = if event == PY_CODE_EVENT_DESTROY { PyErr_GetRaisedException() } else { null_mut() };
            if watcher(event, co) < 0 {
                let what = if event == PY_CODE_EVENT_CREATE { c"PY_CODE_EVENT_CREATE" } else { c"PY_CODE_EVENT_DESTROY" };
                let format = c"Exception ignored in %s watcher callback for %R";
                PyErr_FormatUnraisable(format.as_ptr(), what.as_ptr(), co);
            }
            if !exc.is_null() {
                PyErr_SetRaisedException(exc);
            }
        }
    }
}

/// Registers a watcher; its id, or -1 with RuntimeError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_AddWatcher(callback: PyCode_WatchCallback) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let watchers = &mut *(&raw mut WATCHERS);
        match watchers.iter().position(Option::is_none) {
            Some(i) => {
                watchers[i] = Some(callback);
                HAS_WATCHERS.store(true, Ordering::Relaxed);
                i as c_int
            }
            None => {
                PyErr_SetString(PyExc_RuntimeError, c"no more code watcher IDs available".as_ptr());
                -1
            }
        }
    }
}

/// Removes a watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_ClearWatcher(watcher_id: c_int) -> c_int {
    // SAFETY: [GIL]
    unsafe {
        let watchers = &mut *(&raw mut WATCHERS);
        let Some(slot) = usize::try_from(watcher_id).ok().and_then(|i| watchers.get_mut(i)) else {
            PyErr_Format(PyExc_ValueError, c"Invalid code watcher ID %d".as_ptr(), watcher_id);
            return -1;
        };
        if slot.take().is_none() {
            PyErr_Format(PyExc_ValueError, c"No code watcher set for ID %d".as_ptr(), watcher_id);
            return -1;
        }
        HAS_WATCHERS.store(watchers.iter().any(Option::is_some), Ordering::Relaxed);
        0
    }
}

const MAX_CO_EXTRA_USERS: usize = 255;
static mut EXTRA_FREE: Vec<Option<freefunc>> = Vec::new();

/// Reserves an index for extra data of code objects; -1 if there is none left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Eval_RequestCodeExtraIndex(free: Option<freefunc>) -> Py_ssize_t {
    // SAFETY: [GIL]
    unsafe {
        let table = &mut *(&raw mut EXTRA_FREE);
        if table.len() >= MAX_CO_EXTRA_USERS - 1 {
            return -1;
        }
        table.push(free);
        table.len() as Py_ssize_t - 1
    }
}

/// Extra data of a code object, NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Code_GetExtra(code: *mut PyObject, index: Py_ssize_t, extra: *mut *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if Py_TYPE(code) != &raw mut PyCode_Type {
            PyErr_BadInternalCall();
            return -1;
        }
        let extras = (*code.cast::<PyCodeObject>()).co_extra.cast::<Vec<*mut c_void>>();
        *extra = if extras.is_null() { null_mut() } else { (&*extras).get(index as usize).copied().unwrap_or(null_mut()) };
        0
    }
}

/// Sets extra data of a code object, freeing what was there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Code_SetExtra(code: *mut PyObject, index: Py_ssize_t, extra: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let free = &*(&raw const EXTRA_FREE);
        if Py_TYPE(code) != &raw mut PyCode_Type || index < 0 || index as usize >= free.len() {
            PyErr_BadInternalCall();
            return -1;
        }
        let co: *mut PyCodeObject = code.cast();
        if (*co).co_extra.is_null() {
            (*co).co_extra = Box::into_raw(Box::<Vec<*mut c_void>>::default()).cast();
        }
        let extras = &mut *(*co).co_extra.cast::<Vec<*mut c_void>>();
        if extras.len() < free.len() {
            extras.resize(free.len(), null_mut());
        }
        let old = core::mem::replace(&mut extras[index as usize], extra);
        if let (false, Some(free)) = (old.is_null(), free[index as usize]) {
            free(old);
        }
        0
    }
}

// ---- lines

/// Line of the instruction at a byte offset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_Addr2Line(co: *mut PyCodeObject, address: c_int) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if address >= 0
            && let Some(line) = original_line(co, address / 2)
        {
            return line;
        }
        code_addr2line(co, address)
    }
}

/// Location of the instruction at a byte offset; zero if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyCode_Addr2Location(
    co: *mut PyCodeObject,
    address: c_int,
    start_line: *mut c_int,
    start_column: *mut c_int,
    end_line: *mut c_int,
    end_column: *mut c_int,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let Some(l) = code_addr2location(co, address) else { return 0 };
        *start_line = l.line;
        *start_column = l.column;
        *end_line = l.end_line;
        *end_column = l.end_column;
        1
    }
}

// ---- the type

const INT: c_int = 1;
const OBJECT: c_int = 6;
macro_rules! field {
    ($name:literal, $kind:expr, $field:ident) => {
        member($name, $kind, core::mem::offset_of!(PyCodeObject, $field), c"")
    };
}
static CODE_MEMBERS: Table<PyMemberDef, 15> = Table::new([
    field!(c"co_argcount", INT, co_argcount),
    field!(c"co_posonlyargcount", INT, co_posonlyargcount),
    field!(c"co_kwonlyargcount", INT, co_kwonlyargcount),
    field!(c"co_stacksize", INT, co_stacksize),
    field!(c"co_flags", INT, co_flags),
    field!(c"co_nlocals", INT, co_nlocals),
    field!(c"co_consts", OBJECT, co_consts),
    field!(c"co_names", OBJECT, co_names),
    field!(c"co_filename", OBJECT, co_filename),
    field!(c"co_name", OBJECT, co_name),
    field!(c"co_qualname", OBJECT, co_qualname),
    field!(c"co_firstlineno", INT, co_firstlineno),
    field!(c"co_linetable", OBJECT, co_linetable),
    field!(c"co_exceptiontable", OBJECT, co_exceptiontable),
    END_MEMBER,
]);
static CODE_GETSET: Table<PyGetSetDef, 7> = Table::new([
    attr(c"co_lnotab", code_getlnotab, None, c""),
    attr(c"_co_code_adaptive", code_getcodeadaptive, None, c""),
    attr(c"co_varnames", code_getvarnames, None, c""),
    attr(c"co_cellvars", code_getcellvars, None, c""),
    attr(c"co_freevars", code_getfreevars, None, c""),
    attr(c"co_code", code_getcode, None, c""),
    END_ATTR,
]);
static CODE_METHODS: Table<PyMethodDef, 7> = Table::new([
    noargs(c"__sizeof__", code_sizeof, c"Size in memory, in bytes."),
    noargs(c"co_lines", code_linesiterator, c"Iterate over (start, end, line) of the pieces of bytecode."),
    noargs(c"co_positions", code_positionsiterator, c"Iterate over the source position of each code unit."),
    fast_keywords(c"replace", code_replace, c"replace($self, /, **changes)\n--\n\nMake a copy with some attributes changed."),
    fast_keywords(c"__replace__", code_replace, c"__replace__($self, /, **changes)\n--\n\nThe same as replace()."),
    fast_keywords(
        c"_varname_from_oparg",
        code_varname_from_oparg,
        c"_varname_from_oparg($self, /, oparg)\n--\n\nName of the local variable that an operand stands for (internal).",
    ),
    END,
]);

/// `code`.
#[unsafe(no_mangle)]
pub static mut PyCode_Type: PyTypeObject = PyTypeObject {
    ob_base: immortal_var_head(&raw mut PyType_Type, 0),
    tp_name: c"code".as_ptr(),
    tp_basicsize: core::mem::offset_of!(PyCodeObject, co_code_adaptive) as Py_ssize_t,
    tp_itemsize: size_of::<CodeUnit>() as Py_ssize_t,
    tp_dealloc: Some(code_dealloc),
    tp_repr: Some(code_repr),
    tp_hash: Some(code_hash),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT,
    tp_doc: c"code(argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize,\n     flags, codestring, constants, names, varnames, filename, name,\n     qualname, firstlineno, linetable, exceptiontable, freevars=(),\n     cellvars=(), /)\n--\n\nMake a code object from its parts. The interpreter trusts them.".as_ptr(),
    tp_richcompare: Some(code_richcompare),
    tp_weaklistoffset: core::mem::offset_of!(PyCodeObject, co_weakreflist) as Py_ssize_t,
    tp_methods: CODE_METHODS.ptr(),
    tp_members: CODE_MEMBERS.ptr(),
    tp_getset: CODE_GETSET.ptr(),
    tp_new: Some(code_new_py),
    ..TYPE_INIT
};
