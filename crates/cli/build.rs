//! Link options of the executable: extensions resolve the C API against it (architecture.md, D2), and nothing else. What
//! libraries are built in must not take the place of an extension's own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=exports.txt");
    let list = std::path::Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("exports.txt");
    println!("cargo:rustc-link-arg-bins=-Wl,--dynamic-list={}", list.display());
    if glibc_version().is_some_and(|v| v >= (2, 36)) {
        // Tens of thousands of pointers in static types are relocated at each start: packed, their list takes a thirtieth
        // of the memory. glibc reads that form from 2.36 on.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Version of the C library of this machine, on which what is built here will run.
fn glibc_version() -> Option<(u32, u32)> {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const core::ffi::c_char;
    }
    // SAFETY: a static text of the C library.
    let text = unsafe { core::ffi::CStr::from_ptr(gnu_get_libc_version()) };
    let mut numbers = text.to_str().ok()?.split('.').map_while(|n| n.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}
