//! Not written yet: the entries are declared by `taipan-abi` and don't link before.
