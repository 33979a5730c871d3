//! HZ: GB 2312 in seven bits, between `~{` and `~}`.

use crate::codec::{Codec, Decoded, Encoded, State};
use crate::table::{Id, Value, table};
use core::ffi::CStr;

/// The encoding. The first byte of its state tells whether it is inside the braces.
pub struct Hz;

impl Codec for Hz {
    fn name(&self) -> &'static CStr {
        c"hz"
    }
    fn plain_ascii(&self, _: &State) -> bool {
        // The tilde isn't itself.
        false
    }
    fn start_encoder(&self, state: &mut State) {
        state[0] = 0;
    }
    fn start_decoder(&self, state: &mut State) {
        state[0] = 0;
    }
    fn reset_encoder(&self, state: &mut State, out: &mut Vec<u8>) {
        if core::mem::take(&mut state[0]) != 0 {
            out.extend(b"~}");
        }
    }
    fn reset_decoder(&self, state: &mut State) {
        state[0] = 0;
    }

    fn decode_one(&self, state: &mut State, input: &[u8]) -> Decoded {
        let inside = state[0] != 0;
        match *input {
            [b'~'] => Decoded::Few,
            [b'~', next, ..] => match (next, inside) {
                (b'~', false) => Decoded::Char('~' as u32, 2),
                (b'{', false) => {
                    state[0] = 1;
                    Decoded::Nothing(2)
                }
                (b'\n', false) => Decoded::Nothing(2),
                (b'}', true) => {
                    state[0] = 0;
                    Decoded::Nothing(2)
                }
                _ => Decoded::Illegal(1),
            },
            [b, ..] if !b.is_ascii() => Decoded::Illegal(1),
            [b, ..] if !inside => Decoded::Char(b as u32, 1),
            [a, b, ..] if b.is_ascii() => match table(Id::Gb2312).two(a | 0x80, b | 0x80) {
                Some(Value::Char(c)) => Decoded::Char(c, 2),
                _ => Decoded::Illegal(1),
            },
            [_, _, ..] => Decoded::Illegal(1),
            _ => Decoded::Few,
        }
    }

    fn encode_one(&self, state: &mut State, input: &[u32], _: bool, out: &mut Vec<u8>) -> Encoded {
        let c = input[0];
        if c < 0x80 {
            self.reset_encoder(state, out);
            out.push(c as u8);
            if c == '~' as u32 {
                out.push(b'~');
            }
            return Encoded::Used(1);
        }
        let Some(code) = table(Id::Gb2312).code(c) else { return Encoded::Illegal(1) };
        if core::mem::replace(&mut state[0], 1) == 0 {
            out.extend(b"~{");
        }
        out.extend((code & 0x7f7f).to_be_bytes());
        Encoded::Used(1)
    }
}
