//! Binding to a shared library of the system at run time.

use core::ffi::CStr;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use taipan_abi::*;

unsafe extern "C" {
    fn PyErr_SetImportError(msg: *mut PyObject, name: *mut PyObject, path: *mut PyObject) -> *mut PyObject;
}

/// Opens the first of `names` that is there, for the module `module`. It stays open until the process ends.
///
/// ImportError with the system's message about the first name if none is.
pub fn open(module: &str, names: &[&str]) -> PyResult<&'static Library> {
    let mut first = None;
    for name in names {
        // SAFETY: constructors of the library run, as they would had it been linked.
        match unsafe { Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) } {
            Ok(library) => return Ok(Box::leak(Box::new(library))),
            Err(e) => _ = first.get_or_insert_with(|| e.to_string()),
        }
    }
    Err(import_error(module, &first.unwrap_or_default()))
}

/// The address of a symbol; ImportError that names it when the library lacks it.
pub fn symbol(module: &str, library: &'static Library, name: &CStr) -> PyResult<*mut core::ffi::c_void> {
    // SAFETY: only the address is taken; who asks knows its type.
    match unsafe { library.get::<*mut core::ffi::c_void>(name.to_bytes_with_nul()) } {
        Ok(found) => Ok(found.into_raw()),
        Err(e) => Err(import_error(module, &e.to_string())),
    }
}

/// ImportError for `module`, with its name as attribute.
fn import_error(module: &str, message: &str) -> Raised {
    let made = || -> PyResult<()> {
        let (text, name) = (taipan_clinic::support::string(message)?, taipan_clinic::support::string(module)?);
        // SAFETY: [GIL] both are live.
        unsafe { PyErr_SetImportError(text.as_ptr(), name.as_ptr(), core::ptr::null_mut()) };
        Ok(())
    };
    let _ = made();
    // SAFETY: [EXC] set above, or by what failed there.
    unsafe { Raised::assume() }
}

/// Declares what is used of a shared library:
///
/// ```text
/// library! {
///     /// What it is.
///     "_curses", ["libncursesw.so.6"];
///     functions { fn beep() -> c_int; }
///     pointers { tparm: unsafe extern "C" fn(*const c_char, ...) -> *mut c_char; }
///     variables { COLORS: c_int; }
/// }
/// ```
///
/// Makes `load`, which binds all of it once, a function for each function, one that gives the pointer for each of
/// `pointers`, and one that gives the address for each variable. Only `load` may be called before `load` has succeeded.
#[macro_export]
macro_rules! library {
    (
        $(#[$m:meta])* $module:literal, [$($soname:literal),*];
        functions { $(fn $f:ident($($a:ident: $t:ty),* $(,)?) $(-> $r:ty)?;)* }
        pointers { $($p:ident: $pt:ty;)* }
        variables { $($v:ident: $vt:ty;)* }
    ) => {
        $(#[$m])*
        struct Library {
            $($f: unsafe extern "C" fn($($t),*) $(-> $r)?,)*
            $($p: $pt,)*
            $($v: *mut $vt,)*
        }
        // SAFETY: addresses of a library that stays open; what lies there is used under the GIL.
        unsafe impl Sync for Library {}
        // SAFETY: as above.
        unsafe impl Send for Library {}
        static LIBRARY: ::std::sync::OnceLock<Library> = ::std::sync::OnceLock::new();

        /// Binds the library, unless that was done; ImportError that names what is missing.
        pub fn load() -> ::taipan_abi::PyResult<()> {
            if LIBRARY.get().is_some() {
                return Ok(());
            }
            let library = $crate::library::open($module, &[$($soname),*])?;
            macro_rules! find {
                ($name:ident) => {
                    $crate::library::symbol($module, library, ::core::concat!(::core::stringify!($name), "\0").as_bytes().try_into_cstr())?
                };
            }
            use $crate::library::TryIntoCStr;
            // SAFETY: the types are those of the library's header.
            let bound = unsafe {
                Library {
                    $($f: ::core::mem::transmute::<*mut ::core::ffi::c_void, unsafe extern "C" fn($($t),*) $(-> $r)?>(find!($f)),)*
                    $($p: ::core::mem::transmute::<*mut ::core::ffi::c_void, $pt>(find!($p)),)*
                    $($v: find!($v).cast(),)*
                }
            };
            let _ = LIBRARY.set(bound);
            Ok(())
        }
        #[inline]
        fn library() -> &'static Library {
            LIBRARY.get().expect("bound when the module was imported")
        }
        $(
            #[doc = concat!("`", stringify!($f), "` of the library.")]
            ///
            /// # Safety
            /// As the library's manual says.
            #[inline]
            pub unsafe fn $f($($a: $t),*) $(-> $r)? {
                // SAFETY: [ARGS]
                unsafe { (library().$f)($($a),*) }
            }
        )*
        $(
            #[doc = concat!("The address of `", stringify!($p), "`.")]
            pub fn $p() -> $pt { library().$p }
        )*
        $(
            #[doc = concat!("Where the variable `", stringify!($v), "` lies.")]
            pub fn $v() -> *mut $vt { library().$v }
        )*
    };
}

/// For [`library!`]: a literal with its NUL as a C string.
#[doc(hidden)]
pub trait TryIntoCStr {
    fn try_into_cstr(&self) -> &CStr;
}
impl TryIntoCStr for [u8] {
    fn try_into_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(self).unwrap_or(c"")
    }
}
