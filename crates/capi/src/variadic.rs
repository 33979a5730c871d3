//! Variadic C functions on stable Rust: a naked entry makes a `va_list` of its arguments and calls a typed function.

/// `variadic!(Name(n fixed arguments, register of the next) => target)`: exports `Name(fixed.., ...)`, which calls
/// `target(fixed.., *mut VaListTag)`. The frame made here (System V x86-64 ABI, 3.5.7) is: `va_list` at 0, the register
/// save area at 32, 216 bytes in all, so that the stack is aligned and the first stack argument lies at 224.
macro_rules! variadic {
    ($($(#[$m:meta])* $name:ident($fixed:literal, $reg:literal) => $target:path;)*) => { $(
        $(#[$m])*
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "sub rsp, 216",
                "mov [rsp + 32], rdi",
                "mov [rsp + 40], rsi",
                "mov [rsp + 48], rdx",
                "mov [rsp + 56], rcx",
                "mov [rsp + 64], r8",
                "mov [rsp + 72], r9",
                "test al, al",
                "je 2f",
                "movaps [rsp + 80], xmm0",
                "movaps [rsp + 96], xmm1",
                "movaps [rsp + 112], xmm2",
                "movaps [rsp + 128], xmm3",
                "movaps [rsp + 144], xmm4",
                "movaps [rsp + 160], xmm5",
                "movaps [rsp + 176], xmm6",
                "movaps [rsp + 192], xmm7",
                "2:",
                "mov dword ptr [rsp], {gp}",
                "mov dword ptr [rsp + 4], 48",
                "lea rax, [rsp + 224]",
                "mov [rsp + 8], rax",
                "lea rax, [rsp + 32]",
                "mov [rsp + 16], rax",
                concat!("mov ", $reg, ", rsp"),
                "call {target}",
                "add rsp, 216",
                "ret",
                gp = const $fixed * 8,
                target = sym $target,
            )
        }
    )* };
}
