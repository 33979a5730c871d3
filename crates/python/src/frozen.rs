//! Frozen modules: the part of the library that is there before files can be imported.
//!
//! Their code is compiled from the installed library. `python3 -m` needs none of that at start: the installation keeps the
//! marshalled code in one file next to the library; without the file each module is compiled when first asked for.

use crate::pystate::interp;
use crate::util::*;
use core::ffi::{c_char, c_int};
use std::collections::HashMap;
use std::sync::Mutex;
use taipan_abi::*;

/// A frozen module as declared.
struct Entry {
    name: &'static str,
    /// Source, relative to the library.
    path: &'static str,
    is_package: bool,
    /// The module it stands for: its own name unless it is an alias; `<` marks a package's `__init__`.
    origname: Option<&'static str>,
    /// Used even if frozen modules are off.
    essential: bool,
}

const fn entry(name: &'static str, path: &'static str) -> Entry {
    Entry { name, path, is_package: false, origname: Some(name), essential: false }
}
const fn alias(name: &'static str, path: &'static str, origname: &'static str) -> Entry {
    Entry { name, path, is_package: false, origname: Some(origname), essential: false }
}

/// Stands for the path of the module that is in no file: tests look for one.
const HELLO_ONLY: &str = "__hello_only__.py";
const HELLO_ONLY_SOURCE: &[u8] = b"print('Hello world!')\ninitialized = True\n";

static FROZEN: &[Entry] = &[
    Entry { essential: true, ..alias("_frozen_importlib", "importlib/_bootstrap.py", "importlib._bootstrap") },
    Entry { essential: true, ..alias("_frozen_importlib_external", "importlib/_bootstrap_external.py", "importlib._bootstrap_external") },
    Entry { essential: true, ..entry("zipimport", "zipimport.py") },
    entry("abc", "abc.py"),
    entry("codecs", "codecs.py"),
    entry("io", "io.py"),
    entry("_collections_abc", "_collections_abc.py"),
    entry("_sitebuiltins", "_sitebuiltins.py"),
    entry("genericpath", "genericpath.py"),
    entry("ntpath", "ntpath.py"),
    entry("posixpath", "posixpath.py"),
    alias("os.path", "posixpath.py", "posixpath"),
    entry("os", "os.py"),
    entry("site", "site.py"),
    entry("stat", "stat.py"),
    entry("importlib.util", "importlib/util.py"),
    entry("importlib.machinery", "importlib/machinery.py"),
    entry("runpy", "runpy.py"),
    entry("__hello__", "__hello__.py"),
    alias("__hello_alias__", "__hello__.py", "__hello__"),
    Entry { is_package: true, ..alias("__phello_alias__", "__hello__.py", "__hello__") },
    alias("__phello_alias__.spam", "__hello__.py", "__hello__"),
    Entry { is_package: true, ..entry("__phello__", "__phello__/__init__.py") },
    alias("__phello__.__init__", "__phello__/__init__.py", "<__phello__"),
    Entry { is_package: true, ..entry("__phello__.ham", "__phello__/ham/__init__.py") },
    alias("__phello__.ham.__init__", "__phello__/ham/__init__.py", "<__phello__.ham"),
    entry("__phello__.ham.eggs", "__phello__/ham/eggs.py"),
    entry("__phello__.spam", "__phello__/spam.py"),
    Entry { origname: None, ..entry("__hello_only__", HELLO_ONLY) },
];

/// A frozen module that was found.
pub struct Frozen {
    /// Its name.
    pub name: &'static str,
    /// Source, relative to the library.
    path: &'static str,
    /// Whether it is a package.
    pub is_package: bool,
    /// The module it stands for.
    pub origname: Option<&'static str>,
    /// The marshalled code, where an embedding program brings it.
    given: Option<&'static [u8]>,
}

/// A frozen module of an embedding program (`struct _frozen`).
#[repr(C)]
pub struct _frozen {
    name: *const c_char,
    code: *const u8,
    size: c_int,
    is_package: c_int,
}

/// Frozen modules of an embedding program, which are looked for before all others: an array that a NULL name ends.
#[unsafe(no_mangle)]
pub static mut PyImport_FrozenModules: *const _frozen = core::ptr::null();

/// The modules that the import system itself is made of, as C data: an array that a NULL name ends. It and the two below are
/// set once the file with the marshalled code is read, at the first import.
#[unsafe(no_mangle)]
pub static mut _PyImport_FrozenBootstrap: *const _frozen = &raw const NOTHING.0;
/// Those of the library.
#[unsafe(no_mangle)]
pub static mut _PyImport_FrozenStdlib: *const _frozen = &raw const NOTHING.0;
/// Those of the tests.
#[unsafe(no_mangle)]
pub static mut _PyImport_FrozenTest: *const _frozen = &raw const NOTHING.0;

/// The end of a table.
struct Nothing(_frozen);
// SAFETY: nothing in it can be reached.
unsafe impl Sync for Nothing {}
static NOTHING: Nothing = Nothing(_frozen { name: core::ptr::null(), code: core::ptr::null(), size: 0, is_package: 0 });

/// Sets the tables of C data; modules that the file lacks have no code there.
fn publish(codes: &HashMap<&'static str, &'static [u8]>) {
    let stdlib = FROZEN.iter().take_while(|e| e.essential).count();
    let tests = FROZEN.iter().position(|e| e.name == "__hello__").unwrap_or(FROZEN.len());
    let table = |entries: &[Entry]| {
        let mut table: Vec<_frozen> = entries
            .iter()
            .map(|e| {
                let name = std::ffi::CString::new(e.name).unwrap_or_default().into_raw();
                let code = codes.get(e.path).copied().unwrap_or_default();
                let start = if code.is_empty() { core::ptr::null() } else { code.as_ptr() };
                _frozen { name, code: start, size: code.len() as c_int, is_package: e.is_package as c_int }
            })
            .collect();
        table.push(_frozen { name: core::ptr::null(), code: core::ptr::null(), size: 0, is_package: 0 });
        Box::leak(table.into_boxed_slice()).as_ptr()
    };
    // SAFETY: [STATIC] once, by the caller's lock.
    unsafe {
        _PyImport_FrozenBootstrap = table(&FROZEN[..stdlib]);
        _PyImport_FrozenStdlib = table(&FROZEN[stdlib..tests]);
        _PyImport_FrozenTest = table(&FROZEN[tests..]);
    }
}

/// Looks in [`PyImport_FrozenModules`].
fn find_given(name: &str) -> Option<Frozen> {
    // SAFETY: the embedding program's promise: an array of C strings and code that stay.
    unsafe {
        let mut p = PyImport_FrozenModules;
        while !p.is_null() && !(*p).name.is_null() {
            let own = core::ffi::CStr::from_ptr((*p).name);
            if own.to_bytes() == name.as_bytes() {
                let name = own.to_str().unwrap_or_default();
                let code = if (*p).code.is_null() { &[] } else { core::slice::from_raw_parts((*p).code, (*p).size.unsigned_abs() as usize) };
                return Some(Frozen { name, path: "", is_package: (*p).is_package != 0, origname: Some(name), given: Some(code) });
            }
            p = p.add(1);
        }
        None
    }
}

static DATA: Mutex<Option<HashMap<&'static str, &'static [u8]>>> = Mutex::new(None);

/// Name of the file with the marshalled code, next to the library's modules.
pub const CACHE_FILE: &str = "taipan-frozen.bin";
/// Start of that file.
const CACHE_MAGIC: &[u8; 8] = b"TPNFRZ01";

/// Whether the modules that are not essential are used.
fn enabled() -> bool {
    match interp().override_frozen_modules {
        0 => interp().config.use_frozen_modules != 0,
        n => n > 0,
    }
}

/// Finds a frozen module by name.
pub fn find(name: &str) -> Option<Frozen> {
    // SAFETY: [GIL]
    if unsafe { !PyImport_FrozenModules.is_null() }
        && let Some(f) = find_given(name)
    {
        return Some(f);
    }
    FROZEN
        .iter()
        .find(|e| e.name == name && (e.essential || enabled()))
        .map(|e| Frozen { name: e.name, path: e.path, is_package: e.is_package, origname: e.origname, given: None })
}

/// Finds a frozen module by a str.
///
/// # Safety
/// `name` is live.
pub unsafe fn find_str(name: *mut PyObject) -> Option<Frozen> {
    // SAFETY: [ARGS]
    unsafe {
        if PyUnicode_Check(name) == 0 {
            return None;
        }
        match utf8(name) {
            Ok(n) => find(n),
            Err(e) => {
                e.clear();
                None
            }
        }
    }
}

/// The names of all frozen modules.
pub fn names() -> impl Iterator<Item = &'static str> {
    FROZEN.iter().filter(|e| e.essential || enabled()).map(|e| e.name)
}

/// The file name that a frozen module's code has.
fn code_filename(path: &str) -> String {
    let module = path.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
    format!("<frozen {module}>")
}

fn stdlib() -> &'static std::path::Path {
    &interp().config.frozen_dir
}

/// Compiles the source of a frozen module and marshals the code.
fn compile(path: &str) -> PyResult<Vec<u8>> {
    let file = stdlib().join(path);
    let source = match std::fs::read(&file) {
        _ if path == HELLO_ONLY => HELLO_ONLY_SOURCE.to_vec(),
        Ok(s) => s,
        Err(e) => bail!(PyExc_ImportError, "can't read {}: {}", file.display(), e),
    };
    let code = crate::compile::compile_bytes(&source, &code_filename(path), crate::compile::Start::File, 0, -1)?;
    // SAFETY: live.
    unsafe { crate::marshal::dumps(code.as_ptr(), crate::marshal::Py_MARSHAL_VERSION, true) }
}

/// Maps a file for as long as the process lives. What installs the file puts a new one in its place and leaves the old one
/// as it is, so that the mapping stays good.
fn map_file(file: &std::path::Path) -> Option<&'static [u8]> {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open(file).ok()?;
    let len = usize::try_from(file.metadata().ok()?.len()).ok().filter(|&n| n > 0)?;
    // SAFETY: a private mapping of `len` bytes that is never unmapped.
    unsafe {
        let at = libc::mmap(core::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0);
        (at != libc::MAP_FAILED).then(|| core::slice::from_raw_parts(at.cast(), len))
    }
}

/// Reads the file with the marshalled code: for each module the length of its name, the name, the length of the code, the code.
fn read_cache(file: &std::path::Path) -> Option<HashMap<&'static str, &'static [u8]>> {
    let data = map_file(file)?;
    let mut rest = data.strip_prefix(CACHE_MAGIC)?;
    let mut map = HashMap::new();
    while !rest.is_empty() {
        let (n, r) = rest.split_first_chunk::<4>()?;
        let (name, r) = r.split_at_checked(u32::from_le_bytes(*n) as usize)?;
        let (n, r) = r.split_first_chunk::<4>()?;
        let (code, r) = r.split_at_checked(u32::from_le_bytes(*n) as usize)?;
        map.insert(core::str::from_utf8(name).ok()?, code);
        rest = r;
    }
    Some(map)
}

/// The entry of CPython's `getpath.py`, which is no module and not in the library.
const GETPATH: &str = "<getpath>";

/// The code object of CPython's `getpath.py`. Taipan finds its paths in Rust; the code is there for who wants to run it.
pub fn getpath() -> PyResult<Owned> {
    match cached(GETPATH) {
        Some(data) => code_of(data, "getpath"),
        None => bail!(PyExc_NotImplementedError, "the installation has no code of getpath.py"),
    }
}

/// Writes the file with the marshalled code of all frozen modules into the library, and that of `getpath`, a source file of
/// CPython's, if it is given; for the installation.
pub fn write_cache(getpath: Option<&std::path::Path>) -> PyResult<()> {
    let mut out = CACHE_MAGIC.to_vec();
    let mut done: Vec<&str> = Vec::new();
    for e in FROZEN {
        if done.contains(&e.path) {
            continue;
        }
        done.push(e.path);
        let code = compile(e.path)?;
        out.extend_from_slice(&(e.path.len() as u32).to_le_bytes());
        out.extend_from_slice(e.path.as_bytes());
        out.extend_from_slice(&(code.len() as u32).to_le_bytes());
        out.extend_from_slice(&code);
    }
    if let Some(path) = getpath {
        let source = match std::fs::read(path) {
            Ok(s) => s,
            Err(e) => bail!(PyExc_OSError, "can't read {}: {}", path.display(), e),
        };
        let code = crate::compile::compile_bytes(&source, "<frozen getpath>", crate::compile::Start::File, 0, -1)?;
        // SAFETY: live.
        let code = unsafe { crate::marshal::dumps(code.as_ptr(), crate::marshal::Py_MARSHAL_VERSION, true)? };
        out.extend_from_slice(&(GETPATH.len() as u32).to_le_bytes());
        out.extend_from_slice(GETPATH.as_bytes());
        out.extend_from_slice(&(code.len() as u32).to_le_bytes());
        out.extend_from_slice(&code);
    }
    let file = stdlib().join(CACHE_FILE);
    let temporary = file.with_extension(format!("{}", std::process::id()));
    let written = std::fs::write(&temporary, &out).and_then(|()| std::fs::rename(&temporary, &file));
    if let Err(e) = written {
        let _ = std::fs::remove_file(&temporary);
        bail!(PyExc_OSError, "can't write {}: {}", file.display(), e);
    }
    Ok(())
}

/// What the file with marshalled code has under a name.
fn cached(name: &str) -> Option<&'static [u8]> {
    let mut all = DATA.lock().unwrap_or_else(|e| e.into_inner());
    if all.is_none() {
        let file = stdlib().join(CACHE_FILE);
        let codes = if std::env::var_os("TAIPAN_NO_FROZEN_CACHE").is_some() { None } else { read_cache(&file) }.unwrap_or_default();
        publish(&codes);
        *all = Some(codes);
    }
    all.as_ref().and_then(|m| m.get(name)).copied()
}

/// The marshalled code of a frozen module.
pub fn data(f: &Frozen) -> PyResult<&'static [u8]> {
    if let Some(code) = f.given {
        return Ok(code);
    }
    if let Some(d) = cached(f.path) {
        return Ok(d);
    }
    let code: &'static [u8] = Box::leak(compile(f.path)?.into_boxed_slice());
    if let Some(m) = DATA.lock().unwrap_or_else(|e| e.into_inner()).as_mut() {
        m.insert(f.path, code);
    }
    Ok(code)
}

/// The code object of a frozen module.
pub fn code(f: &Frozen) -> PyResult<Owned> {
    code_of(data(f)?, f.name)
}

/// The code object in marshalled form; ImportError or TypeError naming the module otherwise.
pub fn code_of(data: &[u8], name: &str) -> PyResult<Owned> {
    match crate::marshal::loads(data, true) {
        // SAFETY: live.
        Ok(co) if unsafe { PyCode_Check(co.as_ptr()) } != 0 => Ok(co),
        Ok(_) => bail!(PyExc_TypeError, "frozen object '{name}' is not a code object"),
        Err(e) => {
            e.clear();
            bail!(PyExc_ImportError, "Frozen object named '{name}' is invalid")
        }
    }
}
