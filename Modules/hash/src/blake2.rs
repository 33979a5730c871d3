//! BLAKE2b and BLAKE2s (RFC 7693) with the whole parameter block: keys, salts, personalisation and tree hashing.

/// Which message word each of a round's sixteen inputs is.
const SIGMA: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// What a hash is parametrised by, besides its key.
#[derive(Clone, Debug)]
pub struct Params {
    /// Bytes of digest.
    pub digest_size: u8,
    /// At most a quarter of the state.
    pub salt: Vec<u8>,
    /// At most a quarter of the state.
    pub person: Vec<u8>,
    /// Children a node.
    pub fanout: u8,
    /// Levels of the tree.
    pub depth: u8,
    /// Bytes a leaf.
    pub leaf_size: u32,
    /// Which node of its level.
    pub node_offset: u64,
    /// Which level.
    pub node_depth: u8,
    /// Bytes of inner digests.
    pub inner_size: u8,
    /// The last of its level.
    pub last_node: bool,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            digest_size: 0,
            salt: Vec::new(),
            person: Vec::new(),
            fanout: 1,
            depth: 1,
            leaf_size: 0,
            node_offset: 0,
            node_depth: 0,
            inner_size: 0,
            last_node: false,
        }
    }
}

macro_rules! blake2 {
    (
        $(#[$m:meta])* $name:ident, $word:ty, $double:ty, block: $block:literal, out: $out:literal, rounds: $rounds:literal,
        rotations: $r:expr, iv: $iv:expr, param: $param:ident
    ) => {
        $(#[$m])*
        #[derive(Clone)]
        pub struct $name {
            h: [$word; 8],
            count: $double,
            buffer: [u8; $block],
            filled: usize,
            digest_size: usize,
            last_node: bool,
        }

        impl $name {
            /// Bytes a block.
            pub const BLOCK: usize = $block;
            /// The longest digest, and the longest key.
            pub const OUT: usize = $out;
            /// The longest salt, and the longest personalisation.
            pub const SALT: usize = $out / 4;
            const IV: [$word; 8] = $iv;

            /// Begins a hash. Sizes are within bounds.
            pub fn new(p: &Params, key: &[u8]) -> Self {
                let block: [u8; $out] = $param(p, key.len() as u8);
                let mut h = Self::IV;
                for (word, bytes) in h.iter_mut().zip(block.chunks_exact(size_of::<$word>())) {
                    let mut le = [0; size_of::<$word>()];
                    le.copy_from_slice(bytes);
                    *word ^= <$word>::from_le_bytes(le);
                }
                let mut s = $name {
                    h,
                    count: 0,
                    buffer: [0; $block],
                    filled: 0,
                    digest_size: p.digest_size as usize,
                    last_node: p.last_node,
                };
                if !key.is_empty() {
                    let mut block = [0; $block];
                    block[..key.len()].copy_from_slice(key);
                    s.update(&block);
                }
                s
            }

            /// Takes in more data.
            pub fn update(&mut self, mut data: &[u8]) {
                while !data.is_empty() {
                    // A full block waits until it is known not to be the last.
                    if self.filled == $block {
                        self.count = self.count.wrapping_add($block);
                        let block = self.buffer;
                        self.compress(&block, false);
                        self.filled = 0;
                    }
                    if self.filled == 0 {
                        while data.len() > $block {
                            let (block, rest) = data.split_at($block);
                            self.count = self.count.wrapping_add($block);
                            let mut whole = [0; $block];
                            whole.copy_from_slice(block);
                            self.compress(&whole, false);
                            data = rest;
                        }
                    }
                    let n = data.len().min($block - self.filled);
                    self.buffer[self.filled..self.filled + n].copy_from_slice(&data[..n]);
                    self.filled += n;
                    data = &data[n..];
                }
            }

            /// The digest.
            pub fn finish(mut self) -> Vec<u8> {
                self.count = self.count.wrapping_add(self.filled as $double);
                self.buffer[self.filled..].fill(0);
                let block = self.buffer;
                self.compress(&block, true);
                let mut out: Vec<u8> = self.h.iter().flat_map(|w| w.to_le_bytes()).collect();
                out.truncate(self.digest_size);
                out
            }

            fn compress(&mut self, block: &[u8; $block], last: bool) {
                let mut m = [0 as $word; 16];
                for (word, bytes) in m.iter_mut().zip(block.chunks_exact(size_of::<$word>())) {
                    let mut le = [0; size_of::<$word>()];
                    le.copy_from_slice(bytes);
                    *word = <$word>::from_le_bytes(le);
                }
                let mut v = [0 as $word; 16];
                v[..8].copy_from_slice(&self.h);
                v[8..].copy_from_slice(&Self::IV);
                v[12] ^= self.count as $word;
                v[13] ^= (self.count >> <$word>::BITS) as $word;
                if last {
                    v[14] = !v[14];
                    if self.last_node {
                        v[15] = !v[15];
                    }
                }
                const R: [u32; 4] = $r;
                macro_rules! mix {
                    ($a:literal $b:literal $c:literal $d:literal $x:expr, $y:expr) => {
                        v[$a] = v[$a].wrapping_add(v[$b]).wrapping_add(m[$x as usize]);
                        v[$d] = (v[$d] ^ v[$a]).rotate_right(R[0]);
                        v[$c] = v[$c].wrapping_add(v[$d]);
                        v[$b] = (v[$b] ^ v[$c]).rotate_right(R[1]);
                        v[$a] = v[$a].wrapping_add(v[$b]).wrapping_add(m[$y as usize]);
                        v[$d] = (v[$d] ^ v[$a]).rotate_right(R[2]);
                        v[$c] = v[$c].wrapping_add(v[$d]);
                        v[$b] = (v[$b] ^ v[$c]).rotate_right(R[3]);
                    };
                }
                for round in 0..$rounds {
                    let s = &SIGMA[round % 10];
                    mix!(0 4 8 12 s[0], s[1]);
                    mix!(1 5 9 13 s[2], s[3]);
                    mix!(2 6 10 14 s[4], s[5]);
                    mix!(3 7 11 15 s[6], s[7]);
                    mix!(0 5 10 15 s[8], s[9]);
                    mix!(1 6 11 12 s[10], s[11]);
                    mix!(2 7 8 13 s[12], s[13]);
                    mix!(3 4 9 14 s[14], s[15]);
                }
                for i in 0..8 {
                    self.h[i] ^= v[i] ^ v[i + 8];
                }
            }
        }
    };
}

fn param_b(p: &Params, key: u8) -> [u8; 64] {
    let mut b = [0; 64];
    b[..4].copy_from_slice(&[p.digest_size, key, p.fanout, p.depth]);
    b[4..8].copy_from_slice(&p.leaf_size.to_le_bytes());
    b[8..16].copy_from_slice(&p.node_offset.to_le_bytes());
    b[16] = p.node_depth;
    b[17] = p.inner_size;
    b[32..32 + p.salt.len()].copy_from_slice(&p.salt);
    b[48..48 + p.person.len()].copy_from_slice(&p.person);
    b
}
fn param_s(p: &Params, key: u8) -> [u8; 32] {
    let mut b = [0; 32];
    b[..4].copy_from_slice(&[p.digest_size, key, p.fanout, p.depth]);
    b[4..8].copy_from_slice(&p.leaf_size.to_le_bytes());
    b[8..14].copy_from_slice(&p.node_offset.to_le_bytes()[..6]);
    b[14] = p.node_depth;
    b[15] = p.inner_size;
    b[16..16 + p.salt.len()].copy_from_slice(&p.salt);
    b[24..24 + p.person.len()].copy_from_slice(&p.person);
    b
}

blake2! {
    /// BLAKE2b.
    Blake2b, u64, u128, block: 128, out: 64, rounds: 12, rotations: [32, 24, 16, 63],
    iv: [
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    ],
    param: param_b
}
blake2! {
    /// BLAKE2s.
    Blake2s, u32, u64, block: 64, out: 32, rounds: 10, rotations: [16, 12, 8, 7],
    iv: [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
    param: param_s
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn examples_of_the_rfc() {
        let p = Params { digest_size: 64, ..Params::default() };
        let mut b = Blake2b::new(&p, b"");
        b.update(b"abc");
        assert!(hex(&b.finish()).starts_with("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"));
        let p = Params { digest_size: 32, ..Params::default() };
        let mut s = Blake2s::new(&p, b"");
        s.update(b"abc");
        assert_eq!(hex(&s.finish()), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    }

    #[test]
    fn pieces_make_no_difference() {
        let p = Params { digest_size: 20, salt: b"salt".to_vec(), ..Params::default() };
        let data: Vec<u8> = (0..1000u32).map(|i| i as u8).collect();
        for cut in [0, 1, 127, 128, 129, 256, 999] {
            let mut whole = Blake2b::new(&p, b"key");
            whole.update(&data);
            let mut parts = Blake2b::new(&p, b"key");
            parts.update(&data[..cut]);
            parts.update(&data[cut..]);
            assert_eq!(whole.finish(), parts.finish());
        }
    }
}
