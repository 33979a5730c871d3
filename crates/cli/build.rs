//! Link options of the executable: extensions resolve the C API against it (architecture.md, D2).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic");
}
