//! The fourth pass: from the optimised graph to a code object.

use crate::codegen::Metadata;
use crate::consts::{CodeObject, Const, ConstId, ConstPool, kinds::*};
use crate::error::{Location, NO_LOCATION};
use crate::flowgraph::{Cfg, Layout};
use crate::instruction_sequence::{Instr, NONE};
use crate::names::{Interner, Name, Str};
use crate::opcode::*;

/// What a code object is put together from, the graph aside.
pub(crate) struct Parts<'p, 'a> {
    pub(crate) meta: &'p Metadata,
    pub(crate) consts: &'p [ConstId],
    pub(crate) pool: &'p ConstPool,
    pub(crate) names: &'p mut Interner<'a>,
    pub(crate) locs: &'p [Location],
    pub(crate) layout: Layout,
    pub(crate) flags: u32,
    pub(crate) filename: &'p Str,
}

/// An exception handler as instructions refer to it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Handler {
    /// The index of its first instruction, or `NONE`.
    index: u32,
    startdepth: i32,
    preserve_lasti: bool,
}

const NO_HANDLER: Handler = Handler { index: NONE, startdepth: -1, preserve_lasti: false };

/// The instructions in their final order; jumps have indices.
pub(crate) fn linearize(cfg: &Cfg) -> (Vec<Instr>, Vec<u32>) {
    let mut first = vec![NONE; cfg.block_count()];
    let mut total = 0;
    let mut b = 0;
    while b != NONE {
        first[b as usize] = total;
        total += cfg.instrs(b).len() as u32;
        b = cfg.next(b);
    }
    let mut instrs = Vec::with_capacity(total as usize);
    b = 0;
    while b != NONE {
        for instr in cfg.instrs(b) {
            let mut instr = *instr;
            if has_target(instr.op) {
                instr.arg = first[instr.arg as usize];
            }
            instrs.push(instr);
        }
        b = cfg.next(b);
    }
    (instrs, first)
}

/// Tells jumps ahead from jumps back.
fn resolve_unconditional_jumps(instrs: &mut [Instr]) {
    for (i, instr) in instrs.iter_mut().enumerate() {
        let forward = instr.arg as usize > i;
        match instr.op {
            JUMP => instr.op = if forward { JUMP_FORWARD } else { JUMP_BACKWARD },
            JUMP_NO_INTERRUPT => instr.op = if forward { JUMP_FORWARD } else { JUMP_BACKWARD_NO_INTERRUPT },
            _ => {}
        }
    }
}

/// Code units of an instruction: prefixes, itself, caches.
#[inline]
fn size(instr: &Instr) -> u32 {
    let prefixes = u32::from(instr.arg > 0xFF) + u32::from(instr.arg > 0xFFFF) + u32::from(instr.arg > 0xFF_FFFF);
    prefixes + 1 + u32::from(CACHES[instr.op as usize & 0xFF])
}

/// Replaces indices by distances. Jumps over code whose size depends on
/// jumps: repeated until no size changes.
fn resolve_jump_offsets(instrs: &mut [Instr]) -> Vec<u32> {
    let targets: Vec<(u32, u32)> = instrs
        .iter()
        .enumerate()
        .filter(|(_, instr)| has_jump(instr.op))
        .map(|(i, instr)| (i as u32, instr.arg))
        .collect();
    let mut offsets = Vec::with_capacity(instrs.len());
    loop {
        offsets.clear();
        let mut offset = 0;
        for instr in instrs.iter() {
            offsets.push(offset);
            offset += size(instr);
        }
        let end = offset;
        let mut again = false;
        for &(i, target) in &targets {
            let instr = &mut instrs[i as usize];
            let old_size = size(instr);
            let after = offsets[i as usize] + old_size;
            // A target without an instruction is the end.
            let to = offsets.get(target as usize).copied().unwrap_or(end);
            instr.arg = to.abs_diff(after);
            again |= size(instr) != old_size;
        }
        if !again {
            return offsets;
        }
    }
}

fn emit_code(instrs: &[Instr], units: usize) -> Vec<u8> {
    let mut code = Vec::with_capacity(units * 2);
    for instr in instrs {
        let arg = instr.arg;
        if arg > 0xFF {
            if arg > 0xFFFF {
                if arg > 0xFF_FFFF {
                    code.extend([EXTENDED_ARG as u8, (arg >> 24) as u8]);
                }
                code.extend([EXTENDED_ARG as u8, (arg >> 16) as u8]);
            }
            code.extend([EXTENDED_ARG as u8, (arg >> 8) as u8]);
        }
        code.extend([instr.op as u8, arg as u8]);
        let caches = CACHES[instr.op as usize & 0xFF] as usize;
        code.resize(code.len() + 2 * caches, 0);
    }
    code
}

// The location table: entries of one to eight code units each, see
// InternalDocs of CPython for the format.

struct LocationTable {
    bytes: Vec<u8>,
    line: i32,
}

const SHORT_FORM: u8 = 0;
const ONE_LINE_FORM: u8 = 10;
const NO_COLUMNS: u8 = 13;
const LONG_FORM: u8 = 14;
const NO_LOCATION_FORM: u8 = 15;

impl LocationTable {
    fn first_byte(&mut self, form: u8, length: u32) {
        self.bytes.push(0x80 | form << 3 | (length as u8 - 1));
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 64 {
            self.bytes.push(0x40 | (value & 63) as u8);
            value >>= 6;
        }
        self.bytes.push(value as u8);
    }

    fn signed_varint(&mut self, value: i32) {
        let magnitude = value.unsigned_abs() << 1;
        self.varint(if value < 0 { magnitude | 1 } else { magnitude });
    }

    fn entry(&mut self, loc: Location, length: u32) {
        if loc.lineno == NO_LOCATION.lineno {
            return self.first_byte(NO_LOCATION_FORM, length);
        }
        let delta = loc.lineno.wrapping_sub(self.line);
        let (column, end) = (loc.col_offset, loc.end_col_offset);
        if column < 0 || end < 0 {
            if loc.end_lineno == loc.lineno || loc.end_lineno < 0 {
                self.first_byte(NO_COLUMNS, length);
                self.signed_varint(delta);
                self.line = loc.lineno;
                return;
            }
        } else if loc.end_lineno == loc.lineno {
            if delta == 0 && column < 80 && end >= column && end - column < 16 {
                self.first_byte(SHORT_FORM + (column >> 3) as u8, length);
                self.bytes.push(((column & 7) << 4) as u8 | (end - column) as u8);
                return;
            }
            if (0..3).contains(&delta) && column < 128 && end < 128 {
                self.first_byte(ONE_LINE_FORM + delta as u8, length);
                self.bytes.extend([column as u8, end as u8]);
                self.line = loc.lineno;
                return;
            }
        }
        self.first_byte(LONG_FORM, length);
        self.signed_varint(delta);
        self.varint(loc.end_lineno.wrapping_sub(loc.lineno) as u32);
        self.varint(column.wrapping_add(1) as u32);
        self.varint(end.wrapping_add(1) as u32);
        self.line = loc.lineno;
    }

    fn emit(&mut self, loc: Location, mut length: u32) {
        while length > 8 {
            self.entry(loc, 8);
            length -= 8;
        }
        if length > 0 {
            self.entry(loc, length);
        }
    }
}

fn emit_locations(instrs: &[Instr], locs: &[Location], firstlineno: i32) -> Vec<u8> {
    let mut table = LocationTable { bytes: Vec::with_capacity(instrs.len() * 2), line: firstlineno };
    let mut loc = NO_LOCATION;
    let mut length = 0;
    for instr in instrs {
        let next = locs[instr.loc.0 as usize];
        if next != loc {
            table.emit(loc, length);
            loc = next;
            length = 0;
        }
        length += size(instr);
    }
    table.emit(loc, length);
    table.bytes
}

// The exception table

fn exception_varint(bytes: &mut Vec<u8>, value: u32, first: u8) {
    let mut first = first;
    for shift in [24, 18, 12, 6] {
        if value >= 1 << shift {
            bytes.push((value >> shift) as u8 & 0x3f | 0x40 | first);
            first = 0;
        }
    }
    bytes.push((value & 0x3f) as u8 | first);
}

fn emit_exception_table(instrs: &[Instr], cfg: &Cfg, first: &[u32], offsets: &[u32], units: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut entry = |start: u32, end: u32, handler: Handler| {
        if handler.index == NONE {
            return;
        }
        // On the stack above that depth: the exception, and lasti if it is kept.
        let depth = handler.startdepth - 1 - i32::from(handler.preserve_lasti);
        exception_varint(&mut bytes, start, 0x80);
        exception_varint(&mut bytes, end - start, 0);
        exception_varint(&mut bytes, offsets.get(handler.index as usize).copied().unwrap_or(units), 0);
        exception_varint(&mut bytes, (depth << 1) as u32 | u32::from(handler.preserve_lasti), 0);
    };
    let mut handler = NO_HANDLER;
    let mut start = 0;
    let mut except = NONE;
    for (i, instr) in instrs.iter().enumerate() {
        if instr.except == except {
            continue;
        }
        except = instr.except;
        let next = if except == NONE {
            NO_HANDLER
        } else {
            Handler {
                index: first[except as usize],
                startdepth: cfg.block(except).startdepth,
                preserve_lasti: cfg.preserves_lasti(except),
            }
        };
        if next.index != handler.index {
            entry(start, offsets[i], handler);
            start = offsets[i];
            handler = next;
        }
    }
    entry(start, units, handler);
    bytes
}

/// The names and kinds of locals, cells and free variables.
fn localsplus(meta: &Metadata, names: &mut Interner<'_>, nlocalsplus: u32) -> (Vec<Str>, Vec<u8>) {
    let mut localsplusnames = Vec::with_capacity(nlocalsplus as usize);
    let mut localspluskinds = Vec::with_capacity(nlocalsplus as usize);
    for (name, ()) in meta.varnames.entries() {
        let mut kind = CO_FAST_LOCAL;
        if meta.fasthidden.contains(*name) {
            kind |= CO_FAST_HIDDEN;
        }
        if meta.cellvars.contains(*name) {
            kind |= CO_FAST_CELL;
        }
        localsplusnames.push(names.to_str(Name(*name)));
        localspluskinds.push(kind);
    }
    for (name, ()) in meta.cellvars.entries() {
        if !meta.varnames.contains(*name) {
            localsplusnames.push(names.to_str(Name(*name)));
            localspluskinds.push(CO_FAST_CELL);
        }
    }
    for (name, ()) in meta.freevars.entries() {
        localsplusnames.push(names.to_str(Name(*name)));
        localspluskinds.push(CO_FAST_FREE);
    }
    (localsplusnames, localspluskinds)
}

/// Makes the code object of a graph that is ready.
pub(crate) fn make_code_object(cfg: &Cfg, parts: Parts<'_, '_>) -> CodeObject {
    let Parts { meta, consts, pool, names, locs, layout, flags, filename } = parts;
    let (mut instrs, first) = linearize(cfg);
    resolve_unconditional_jumps(&mut instrs);
    let offsets = resolve_jump_offsets(&mut instrs);
    let units = match (offsets.last(), instrs.last()) {
        (Some(offset), Some(last)) => offset + size(last),
        _ => 0,
    };
    let (localsplusnames, localspluskinds) = localsplus(meta, names, layout.nlocalsplus);
    let name = names.to_str(meta.name);
    CodeObject {
        argcount: meta.posonlyargcount + meta.argcount,
        posonlyargcount: meta.posonlyargcount,
        kwonlyargcount: meta.kwonlyargcount,
        // A frame has room for one value at least.
        stacksize: layout.stacksize.max(1),
        flags,
        code: emit_code(&instrs, units as usize),
        consts: consts.iter().map(|id| pool.get(*id).clone()).collect::<Vec<Const>>(),
        names: meta.names.entries().iter().map(|(name, ())| names.to_str(Name(*name))).collect(),
        localsplusnames,
        localspluskinds,
        filename: filename.clone(),
        qualname: meta.qualname.clone().unwrap_or_else(|| name.clone()),
        name,
        firstlineno: meta.firstlineno,
        linetable: emit_locations(&instrs, locs, meta.firstlineno),
        exceptiontable: emit_exception_table(&instrs, cfg, &first, &offsets, units),
    }
}
