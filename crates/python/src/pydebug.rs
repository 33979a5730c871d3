//! The global flags of CPython's first decades. Deprecated, yet extensions read them: they hold what the configuration says.

use crate::initconfig::Config;
use core::ffi::{c_char, c_int};
use core::ptr::null;
use taipan_abi::fatal;

macro_rules! flags {
    ($($(#[$m:meta])* $name:ident = $initial:literal;)*) => {
        $($(#[$m])* #[unsafe(no_mangle)] pub static mut $name: c_int = $initial;)*
        /// Names and values.
        fn all_flags() -> Vec<(&'static str, c_int)> {
            // SAFETY: plain reads.
            unsafe { vec![$((stringify!($name), $name)),*] }
        }
    };
}
flags! {
    /// UTF-8 mode.
    Py_UTF8Mode = 0;
    /// `-d`.
    Py_DebugFlag = 0;
    /// `-v`.
    Py_VerboseFlag = 0;
    /// `-q`.
    Py_QuietFlag = 0;
    /// `-i`.
    Py_InteractiveFlag = 0;
    /// `-i`, or asked for by the program.
    Py_InspectFlag = 0;
    /// `-O`.
    Py_OptimizeFlag = 0;
    /// `-S`.
    Py_NoSiteFlag = 0;
    /// `-b`.
    Py_BytesWarningFlag = 0;
    /// No complaints about paths that weren't found.
    Py_FrozenFlag = 0;
    /// `-E`.
    Py_IgnoreEnvironmentFlag = 0;
    /// `-B`.
    Py_DontWriteBytecodeFlag = 0;
    /// `-s`.
    Py_NoUserSiteDirectory = 0;
    /// `-u`.
    Py_UnbufferedStdioFlag = 0;
    /// A fixed hash seed, or none at all.
    Py_HashRandomizationFlag = 0;
    /// `-I`.
    Py_IsolatedFlag = 0;
    /// Whether the next two are somebody's constants.
    Py_HasFileSystemDefaultEncoding = 0;
}

/// A C string that the configuration sets.
#[repr(transparent)]
pub struct Name(*const c_char);

/// The file system's encoding; NULL before initialisation.
#[unsafe(no_mangle)]
pub static mut Py_FileSystemDefaultEncoding: Name = Name(null());
/// The file system's error handler; NULL before initialisation.
#[unsafe(no_mangle)]
pub static mut Py_FileSystemDefaultEncodeErrors: Name = Name(null());

/// The flags by name.
pub fn flags_dict() -> taipan_abi::PyResult<taipan_abi::Owned> {
    use crate::util::{dict_set_str, new_int, new_str, none, own};
    // SAFETY: [GIL]
    unsafe {
        let d = own(taipan_abi::PyDict_New())?;
        let text = |p: *const c_char| if p.is_null() { Ok(none()) } else { new_str(&crate::util::c_text(p)) };
        dict_set_str(d.as_ptr(), "Py_FileSystemDefaultEncoding", text(Py_FileSystemDefaultEncoding.0)?.as_ptr())?;
        dict_set_str(d.as_ptr(), "Py_FileSystemDefaultEncodeErrors", text(Py_FileSystemDefaultEncodeErrors.0)?.as_ptr())?;
        dict_set_str(d.as_ptr(), "_Py_HasFileSystemDefaultEncodeErrors", new_int(0)?.as_ptr())?;
        for (name, value) in all_flags() {
            dict_set_str(d.as_ptr(), name, new_int(value as i64)?.as_ptr())?;
        }
        Ok(d)
    }
}

/// Makes the flags say what the configuration says.
pub fn set_flags(c: &Config) {
    let name = |text: &str| {
        let Ok(text) = std::ffi::CString::new(text) else { fatal("an encoding with a NUL") };
        Name(text.into_raw())
    };
    // SAFETY: before any Python code runs.
    unsafe {
        Py_UTF8Mode = c.utf8_mode;
        Py_DebugFlag = c.parser_debug;
        Py_VerboseFlag = c.verbose;
        Py_QuietFlag = c.quiet;
        Py_InteractiveFlag = c.interactive;
        Py_InspectFlag = c.inspect;
        Py_OptimizeFlag = c.optimization_level;
        Py_NoSiteFlag = (c.site_import == 0) as c_int;
        Py_BytesWarningFlag = c.bytes_warning;
        Py_FrozenFlag = (c.pathconfig_warnings == 0) as c_int;
        Py_IgnoreEnvironmentFlag = (c.use_environment == 0) as c_int;
        Py_DontWriteBytecodeFlag = (c.write_bytecode == 0) as c_int;
        Py_NoUserSiteDirectory = (c.user_site_directory == 0) as c_int;
        Py_UnbufferedStdioFlag = (c.buffered_stdio == 0) as c_int;
        Py_HashRandomizationFlag = (!c.use_hash_seed || c.hash_seed != 0) as c_int;
        Py_IsolatedFlag = c.isolated;
        Py_FileSystemDefaultEncoding = name(&c.filesystem_encoding);
        Py_FileSystemDefaultEncodeErrors = name(c.filesystem_errors);
    }
}
