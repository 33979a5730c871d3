//! Code objects as text, to compare and to read.

use std::fmt::Write as _;

use crate::consts::{BigInt, CodeObject, Const};
use crate::fold::digits_to_big;
use crate::names::Str;
use crate::opcode::{CACHES, EXTENDED_ARG, OPCODE_NAMES};
use crate::unparse::{repr_complex, repr_float, repr_str};

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn hex_strs(strs: &[Str]) -> String {
    strs.iter().map(|s| hex(s.as_bytes())).collect::<Vec<_>>().join(" ")
}

/// The canonical dump: one line an item, strings and bytes in hexadecimal.
pub fn dump(code: &CodeObject, out: &mut String) {
    let _ = writeln!(
        out,
        "code {} {} {} {} {} {} {} {}",
        hex(code.name.as_bytes()),
        hex(code.qualname.as_bytes()),
        code.argcount,
        code.posonlyargcount,
        code.kwonlyargcount,
        code.stacksize,
        code.flags,
        code.firstlineno
    );
    let _ = writeln!(out, "names {}", hex_strs(&code.names));
    let _ = writeln!(out, "locals {}", hex_strs(&code.localsplusnames));
    let _ = writeln!(out, "kinds {}", hex(&code.localspluskinds));
    let _ = writeln!(out, "bytecode {}", hex(&code.code));
    let _ = writeln!(out, "linetable {}", hex(&code.linetable));
    let _ = writeln!(out, "exceptiontable {}", hex(&code.exceptiontable));
    for c in &code.consts {
        let _ = writeln!(out, "const {}", const_text(c));
        if let Const::Code(code) = c {
            dump(code, out);
        }
    }
    out.push_str("end\n");
}

fn big_text(b: &BigInt) -> String {
    digits_to_big(b.negative, &b.digits).to_string()
}

fn const_text(c: &Const) -> String {
    match c {
        Const::None => "None".into(),
        Const::True => "True".into(),
        Const::False => "False".into(),
        Const::Ellipsis => "Ellipsis".into(),
        Const::Int(i) => format!("int {i}"),
        Const::BigInt(b) => format!("int {}", big_text(b)),
        Const::Float(f) => format!("float {}", float_text(*f)),
        Const::Complex { real, imag } => format!("complex {} {}", float_text(*real), float_text(*imag)),
        Const::Str(s) => format!("str {}", hex(s.as_bytes())),
        Const::Bytes(b) => format!("bytes {}", hex(b)),
        Const::Tuple(items) => {
            format!("tuple ({})", items.iter().map(const_text).collect::<Vec<_>>().join(", "))
        }
        Const::FrozenSet(items) => {
            let mut items: Vec<String> = items.iter().map(const_text).collect();
            items.sort();
            format!("frozenset ({})", items.join(", "))
        }
        Const::Code(_) => "code".into(),
        Const::Foreign(number) => format!("foreign {number}"),
    }
}

fn float_text(f: f64) -> String {
    // The sign and payload of a NaN are not a compiler's business.
    if f.is_nan() { "nan".into() } else { format!("{:016x}", f.to_bits()) }
}

/// The locations of a code object's code units.
fn positions(code: &CodeObject) -> Vec<String> {
    let mut out = Vec::new();
    let mut bytes = code.linetable.iter().map(|b| u32::from(*b)).peekable();
    let mut line = code.firstlineno;
    fn varint(bytes: &mut dyn Iterator<Item = u32>) -> i32 {
        let (mut value, mut shift) = (0, 0);
        for b in bytes {
            value |= (b & 63) << shift;
            shift += 6;
            if b & 64 == 0 {
                break;
            }
        }
        value as i32
    }
    fn signed(bytes: &mut dyn Iterator<Item = u32>) -> i32 {
        let v = varint(bytes);
        if v & 1 != 0 { -(v >> 1) } else { v >> 1 }
    }
    while let Some(first) = bytes.next() {
        let form = (first >> 3) & 15;
        let length = (first & 7) + 1;
        let text = match form {
            15 => "None None None None".to_owned(),
            14 => {
                line += signed(&mut bytes);
                let end_line = line + varint(&mut bytes);
                let column = varint(&mut bytes) - 1;
                let end = varint(&mut bytes) - 1;
                let show = |c: i32| if c < 0 { "None".to_owned() } else { c.to_string() };
                format!("{line} {end_line} {} {}", show(column), show(end))
            }
            13 => {
                line += signed(&mut bytes);
                format!("{line} {line} None None")
            }
            10..=12 => {
                line += form as i32 - 10;
                let column = bytes.next().unwrap_or(0);
                let end = bytes.next().unwrap_or(0);
                format!("{line} {line} {column} {end}")
            }
            _ => {
                let second = bytes.next().unwrap_or(0);
                let column = form << 3 | second >> 4;
                format!("{line} {line} {column} {}", column + (second & 15))
            }
        };
        for _ in 0..length {
            out.push(text.clone());
        }
    }
    out
}

/// A dump to read: an instruction a line, with its location.
pub fn dump_verbose(code: &CodeObject, out: &mut String) {
    let _ = writeln!(
        out,
        "code {} {} argcounts {} {} {} stacksize {} flags {:#x} firstlineno {}",
        repr_str(code.name.as_bytes()),
        repr_str(code.qualname.as_bytes()),
        code.argcount,
        code.posonlyargcount,
        code.kwonlyargcount,
        code.stacksize,
        code.flags,
        code.firstlineno
    );
    for (i, name) in code.names.iter().enumerate() {
        let _ = writeln!(out, "  name {i} {}", repr_str(name.as_bytes()));
    }
    for (i, (name, kind)) in code.localsplusnames.iter().zip(&code.localspluskinds).enumerate() {
        let _ = writeln!(out, "  local {i} {} {kind:#x}", repr_str(name.as_bytes()));
    }
    for (i, c) in code.consts.iter().enumerate() {
        let _ = writeln!(out, "  const {i} {}", const_repr(c));
    }
    let positions = positions(code);
    let mut i = 0;
    let mut extended = 0;
    while i < code.code.len() / 2 {
        let (op, arg) = (u16::from(code.code[2 * i]), u32::from(code.code[2 * i + 1]) | extended);
        extended = if op == EXTENDED_ARG { arg << 8 } else { 0 };
        let position = positions.get(i).map_or("?", |p| p);
        let _ = writeln!(out, "  {i} {} {arg} @ {position}", OPCODE_NAMES[op as usize]);
        i += 1 + CACHES[op as usize] as usize;
    }
    let _ = writeln!(out, "  linetable {}", hex(&code.linetable));
    let _ = writeln!(out, "  exceptiontable {}", hex(&code.exceptiontable));
    for c in &code.consts {
        if let Const::Code(code) = c {
            dump_verbose(code, out);
        }
    }
}

fn const_repr(c: &Const) -> String {
    let list = |items: &[Const]| items.iter().map(const_repr).collect::<Vec<_>>().join(", ");
    match c {
        Const::Int(i) => i.to_string(),
        Const::BigInt(b) => big_text(b),
        Const::Float(f) => repr_float(*f),
        Const::Complex { real, imag } => repr_complex(*real, *imag),
        Const::Str(s) => repr_str(s.as_bytes()),
        Const::Bytes(b) => format!("bytes {}", hex(b)),
        Const::Tuple(items) => format!("({})", list(items)),
        Const::FrozenSet(items) => {
            let mut items: Vec<String> = items.iter().map(const_repr).collect();
            items.sort();
            format!("frozenset({})", items.join(", "))
        }
        Const::Code(code) => format!("<code {}>", repr_str(code.name.as_bytes())),
        other => const_text(other),
    }
}
