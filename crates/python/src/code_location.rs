//! The location table (`co_linetable`) and the exception table (`co_exceptiontable`) of code objects.
//!
//! A location entry begins with a byte that has bit 7 set: bits 3 to 6 are the form, bits 0 to 2 the number of code
//! units less one. Varints have six bits a byte, least significant first, bit 6 says that more follow; signed ones keep
//! the sign in bit 0. In the exception table varints are most significant first, and bit 7 marks the start of an entry.

use crate::ceval_prelude::bytes_size;
use crate::frame::CodeExt;
use taipan_abi::*;

/// A piece of bytecode and where it comes from in the source; -1 for "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// First byte.
    pub start: i32,
    /// Byte after the last.
    pub end: i32,
    /// First line.
    pub line: i32,
    /// Last line.
    pub end_line: i32,
    /// First column, in bytes.
    pub column: i32,
    /// Column after the last.
    pub end_column: i32,
}

/// Forms of location entries.
pub const LOCATION_ONE_LINE0: u8 = 10;
/// Line and no columns.
pub const LOCATION_NO_COLUMNS: u8 = 13;
/// All four given.
pub const LOCATION_LONG: u8 = 14;
/// No location.
pub const LOCATION_NONE: u8 = 15;

/// Decodes a location table, entry by entry.
pub struct LocationIter<'a> {
    table: &'a [u8],
    position: usize,
    address: i32,
    line: i32,
}

impl<'a> LocationIter<'a> {
    /// Starts at the beginning of `table`; `first_line` is what line deltas begin from.
    pub fn new(table: &'a [u8], first_line: i32) -> Self {
        Self { table, position: 0, address: 0, line: first_line }
    }

    /// The locations of a code object.
    ///
    /// # Safety
    /// `code` outlives the iterator.
    pub unsafe fn of_code(code: *mut PyCodeObject) -> Self {
        // SAFETY: [ARGS]
        unsafe { Self::new(bytes_of((*code).co_linetable), (*code).co_firstlineno) }
    }

    /// The line that deltas count from, which stays where it is over entries without a line.
    pub fn computed_line(&self) -> i32 {
        self.line
    }

    fn byte(&mut self) -> u8 {
        let b = self.table.get(self.position).copied().unwrap_or(0);
        self.position += 1;
        b
    }

    fn varint(&mut self) -> i32 {
        let mut value = 0u32;
        let mut shift = 0;
        loop {
            let b = self.byte();
            value |= ((b & 63) as u32).wrapping_shl(shift);
            shift += 6;
            if b & 64 == 0 || shift > 30 {
                return value as i32;
            }
        }
    }

    fn signed_varint(&mut self) -> i32 {
        let v = self.varint() as u32;
        if v & 1 != 0 { -((v >> 1) as i32) } else { (v >> 1) as i32 }
    }
}

impl Iterator for LocationIter<'_> {
    type Item = Location;

    fn next(&mut self) -> Option<Location> {
        if self.position >= self.table.len() {
            return None;
        }
        let first = self.byte();
        let form = first >> 3 & 15;
        let start = self.address;
        let end = start.wrapping_add(((first & 7) as i32 + 1) * 2);
        self.address = end;
        let (mut line, end_line, column, end_column);
        match form {
            LOCATION_NONE => (line, end_line, column, end_column) = (-1, -1, -1, -1),
            LOCATION_LONG => {
                self.line = self.line.wrapping_add(self.signed_varint());
                line = self.line;
                end_line = line.wrapping_add(self.varint());
                column = self.varint().wrapping_sub(1);
                end_column = self.varint().wrapping_sub(1);
            }
            LOCATION_NO_COLUMNS => {
                self.line = self.line.wrapping_add(self.signed_varint());
                (line, end_line, column, end_column) = (self.line, self.line, -1, -1);
            }
            10..=12 => {
                self.line = self.line.wrapping_add((form - LOCATION_ONE_LINE0) as i32);
                line = self.line;
                end_line = line;
                column = self.byte() as i32;
                end_column = self.byte() as i32;
            }
            _ => {
                let second = self.byte();
                line = self.line;
                end_line = line;
                column = (form << 3 | second >> 4) as i32;
                end_column = column + (second & 15) as i32;
            }
        }
        // A damaged table must not go on for ever or backwards.
        if line < -1 {
            line = -1;
        }
        Some(Location { start, end, line, end_line, column, end_column })
    }
}

/// The contents of a bytes object.
///
/// # Safety
/// `bytes` is a bytes object that outlives the slice.
pub unsafe fn bytes_of<'a>(bytes: *mut PyObject) -> &'a [u8] {
    // SAFETY: [TYPE]
    unsafe { core::slice::from_raw_parts(PyBytes_AS_STRING(bytes).cast(), bytes_size(bytes) as usize) }
}

/// Line of the instruction at byte offset `address`; the first line for negative offsets, -1 if there is none.
///
/// # Safety
/// `code` is live.
pub unsafe fn code_addr2line(code: *mut PyCodeObject, address: i32) -> i32 {
    // SAFETY: [ARGS]
    unsafe {
        if address < 0 {
            return (*code).co_firstlineno;
        }
        LocationIter::of_code(code).find(|l| address < l.end).map_or(-1, |l| l.line)
    }
}

/// Location of the instruction at byte offset `address`.
///
/// # Safety
/// `code` is live.
pub unsafe fn code_addr2location(code: *mut PyCodeObject, address: i32) -> Option<Location> {
    // SAFETY: [ARGS]
    unsafe {
        if address < 0 {
            let line = (*code).co_firstlineno;
            return Some(Location { start: -1, end: 0, line, end_line: line, column: 0, end_column: 0 });
        }
        LocationIter::of_code(code).find(|l| address < l.end)
    }
}

/// A handler that an exception goes to.
pub struct ExceptionHandler {
    /// Its first instruction, in code units.
    pub handler: u32,
    /// What is left on the evaluation stack.
    pub depth: u32,
    /// Whether the index of the raising instruction is pushed before the exception.
    pub push_lasti: bool,
}

/// The handler for the instruction at `offset` (in code units).
///
/// # Safety
/// `code` is live.
pub unsafe fn exception_handler(code: *mut PyCodeObject, offset: i32) -> Option<ExceptionHandler> {
    // SAFETY: [ARGS]
    let table = unsafe { bytes_of((*code).co_exceptiontable) };
    debug_assert!(offset < unsafe { code.code_len() } as i32 + 1);
    find_handler(table, offset)
}

fn exception_varint(table: &[u8], position: &mut usize) -> i32 {
    let mut value = 0i32;
    loop {
        let b = table.get(*position).copied().unwrap_or(0);
        *position += 1;
        value = value << 6 | (b & 63) as i32;
        if b & 64 == 0 {
            return value;
        }
    }
}

fn find_handler(table: &[u8], offset: i32) -> Option<ExceptionHandler> {
    // Bisection to a neighbourhood; an entry starts at a byte with bit 7 set.
    let (mut low, mut high) = (0, table.len());
    while high - low > 40 {
        let mut middle = low + (high - low) / 2;
        while middle > low && table[middle] & 128 == 0 {
            middle -= 1;
        }
        if middle == low {
            break;
        }
        if exception_varint(table, &mut { middle }) > offset {
            high = middle;
        } else {
            low = middle;
        }
    }
    let mut position = low;
    while position < table.len() {
        let start = exception_varint(table, &mut position);
        if start > offset {
            return None;
        }
        let size = exception_varint(table, &mut position);
        let handler = exception_varint(table, &mut position);
        let depth_and_lasti = exception_varint(table, &mut position);
        if offset < start.saturating_add(size) {
            return Some(ExceptionHandler {
                handler: handler as u32,
                depth: (depth_and_lasti >> 1) as u32,
                push_lasti: depth_and_lasti & 1 != 0,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_entries() {
        // Two units on the first line, columns 2 to 7; then one unit two lines on, with everything given.
        let table = [0x80 | 1, 0x25, 0x80 | 14 << 3, 4, 1, 3, 9];
        let all: Vec<Location> = LocationIter::new(&table, 10).collect();
        assert_eq!(all[0], Location { start: 0, end: 4, line: 10, end_line: 10, column: 2, end_column: 7 });
        assert_eq!(all[1], Location { start: 4, end: 6, line: 12, end_line: 13, column: 2, end_column: 8 });
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn handlers() {
        // 4..10 goes to 20 at depth 1 with lasti; 10..12 to 30 at depth 0.
        let table = [0x80 | 4, 6, 20, 3, 0x80 | 10, 2, 30, 0];
        assert!(find_handler(&table, 3).is_none());
        let h = find_handler(&table, 9).expect("covered");
        assert_eq!((h.handler, h.depth, h.push_lasti), (20, 1, true));
        let h = find_handler(&table, 11).expect("covered");
        assert_eq!((h.handler, h.depth, h.push_lasti), (30, 0, false));
        assert!(find_handler(&table, 12).is_none());
    }
}
