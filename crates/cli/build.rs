//! Link options of the executable: extensions resolve the C API against it (architecture.md, D2), and nothing else. What
//! libraries are built in must not take the place of an extension's own.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=exports.txt");
    let list = std::path::Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("exports.txt");
    println!("cargo:rustc-link-arg-bins=-Wl,--dynamic-list={}", list.display());
}
