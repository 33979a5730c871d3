//! What an encoding is: how one character is decoded and encoded.

use core::ffi::CStr;

/// What a codec remembers between calls. Incremental codecs show it as a number.
pub type State = [u8; 8];

/// What a decoder finds at the start of its input.
pub enum Decoded {
    /// A code point, of so many bytes.
    Char(u32, usize),
    /// Two code points, of so many bytes.
    Pair(u32, u32, usize),
    /// So many bytes that only change the state.
    Nothing(usize),
    /// The start of something longer.
    Few,
    /// So many bytes that mean nothing.
    Illegal(usize),
}

/// What an encoder did with the start of its input.
pub enum Encoded {
    /// Wrote this many characters.
    Used(usize),
    /// Needs to know the next character.
    Few,
    /// So many characters have no form.
    Illegal(usize),
}

/// Why a run of decoding or encoding ended.
#[derive(Clone, Copy, PartialEq)]
pub enum Stop {
    /// Nothing is left.
    End,
    /// The rest is incomplete.
    Few,
    /// An error so many bytes or characters long.
    Illegal(usize),
}

/// An encoding. The `run` functions are made anew for each, with its `one` function inside.
pub trait Codec: Sync {
    /// The name that errors tell.
    fn name(&self) -> &'static CStr;
    /// Decodes the first character of `input`, which isn't empty.
    fn decode_one(&self, state: &mut State, input: &[u8]) -> Decoded;
    /// Encodes the first character of `input`, which isn't empty; `flush` says that no more will come.
    fn encode_one(&self, state: &mut State, input: &[u32], flush: bool, out: &mut Vec<u8>) -> Encoded;
    /// Whether ASCII characters are written as they are in this state.
    fn plain_ascii(&self, state: &State) -> bool;
    /// The encoder's state at the start.
    fn start_encoder(&self, _state: &mut State) {}
    /// The decoder's state at the start.
    fn start_decoder(&self, _state: &mut State) {}
    /// Writes what brings the encoder back to its first state.
    fn reset_encoder(&self, _state: &mut State, _out: &mut Vec<u8>) {}
    /// Brings the decoder back.
    fn reset_decoder(&self, _state: &mut State) {}

    /// Decodes from `*at` on until something is in the way.
    fn decode_run(&self, state: &mut State, input: &[u8], at: &mut usize, out: &mut Vec<u32>) -> Stop {
        while *at < input.len() {
            if self.plain_ascii(state) {
                let rest = &input[*at..];
                let n = rest.iter().position(|b| !b.is_ascii()).unwrap_or(rest.len());
                if n > 0 {
                    out.extend(rest[..n].iter().map(|&b| b as u32));
                    *at += n;
                    continue;
                }
            }
            *at += match self.decode_one(state, &input[*at..]) {
                Decoded::Char(c, n) => {
                    out.push(c);
                    n
                }
                Decoded::Pair(a, b, n) => {
                    out.extend([a, b]);
                    n
                }
                Decoded::Nothing(n) => n,
                Decoded::Few => return Stop::Few,
                Decoded::Illegal(n) => return Stop::Illegal(n),
            };
        }
        Stop::End
    }

    /// Encodes from `*at` on until something is in the way.
    fn encode_run(&self, state: &mut State, input: &[u32], at: &mut usize, flush: bool, out: &mut Vec<u8>) -> Stop {
        while *at < input.len() {
            *at += match self.encode_one(state, &input[*at..], flush, out) {
                Encoded::Used(n) => n,
                Encoded::Few => return Stop::Few,
                Encoded::Illegal(n) => return Stop::Illegal(n),
            };
        }
        Stop::End
    }
}
