//! The algorithms behind one face.

use sha3::digest::{Digest, ExtendableOutput, Update, XofReader};

/// A hash in progress.
#[derive(Clone)]
pub enum Hasher {
    /// MD5.
    Md5(md5::Md5),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-224.
    Sha224(sha2::Sha224),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-384.
    Sha384(sha2::Sha384),
    /// SHA-512.
    Sha512(sha2::Sha512),
    /// SHA3-224.
    Sha3_224(sha3::Sha3_224),
    /// SHA3-256.
    Sha3_256(sha3::Sha3_256),
    /// SHA3-384.
    Sha3_384(sha3::Sha3_384),
    /// SHA3-512.
    Sha3_512(sha3::Sha3_512),
    /// SHAKE128.
    Shake128(sha3::Shake128),
    /// SHAKE256.
    Shake256(sha3::Shake256),
    /// BLAKE2b.
    Blake2b(blake2b_simd::State),
    /// BLAKE2s.
    Blake2s(blake2s_simd::State),
}

macro_rules! each {
    ($self:expr, $h:ident => $e:expr, $b:ident => $be:expr) => {
        match $self {
            Hasher::Md5($h) => $e,
            Hasher::Sha1($h) => $e,
            Hasher::Sha224($h) => $e,
            Hasher::Sha256($h) => $e,
            Hasher::Sha384($h) => $e,
            Hasher::Sha512($h) => $e,
            Hasher::Sha3_224($h) => $e,
            Hasher::Sha3_256($h) => $e,
            Hasher::Sha3_384($h) => $e,
            Hasher::Sha3_512($h) => $e,
            Hasher::Shake128($h) => $e,
            Hasher::Shake256($h) => $e,
            Hasher::Blake2b($b) => $be,
            Hasher::Blake2s($b) => $be,
        }
    };
}

impl Hasher {
    /// A new hash by its Python name.
    pub fn new(name: &str) -> Option<Self> {
        Some(match name {
            "md5" => Hasher::Md5(Digest::new()),
            "sha1" => Hasher::Sha1(Digest::new()),
            "sha224" => Hasher::Sha224(Digest::new()),
            "sha256" => Hasher::Sha256(Digest::new()),
            "sha384" => Hasher::Sha384(Digest::new()),
            "sha512" => Hasher::Sha512(Digest::new()),
            "sha3_224" => Hasher::Sha3_224(Digest::new()),
            "sha3_256" => Hasher::Sha3_256(Digest::new()),
            "sha3_384" => Hasher::Sha3_384(Digest::new()),
            "sha3_512" => Hasher::Sha3_512(Digest::new()),
            "shake_128" => Hasher::Shake128(Default::default()),
            "shake_256" => Hasher::Shake256(Default::default()),
            _ => return None,
        })
    }
    /// Takes more data.
    pub fn update(&mut self, data: &[u8]) {
        each!(self, h => Update::update(h, data), b => { b.update(data); });
    }
    /// The digest so far; `length` counts for the extendable ones only.
    pub fn digest(&self, length: usize) -> Vec<u8> {
        match self.clone() {
            Hasher::Md5(h) => h.finalize().to_vec(),
            Hasher::Sha1(h) => h.finalize().to_vec(),
            Hasher::Sha224(h) => h.finalize().to_vec(),
            Hasher::Sha256(h) => h.finalize().to_vec(),
            Hasher::Sha384(h) => h.finalize().to_vec(),
            Hasher::Sha512(h) => h.finalize().to_vec(),
            Hasher::Sha3_224(h) => h.finalize().to_vec(),
            Hasher::Sha3_256(h) => h.finalize().to_vec(),
            Hasher::Sha3_384(h) => h.finalize().to_vec(),
            Hasher::Sha3_512(h) => h.finalize().to_vec(),
            Hasher::Shake128(h) => {
                let mut out = vec![0; length];
                h.finalize_xof().read(&mut out);
                out
            }
            Hasher::Shake256(h) => {
                let mut out = vec![0; length];
                h.finalize_xof().read(&mut out);
                out
            }
            Hasher::Blake2b(b) => b.finalize().as_bytes().to_vec(),
            Hasher::Blake2s(b) => b.finalize().as_bytes().to_vec(),
        }
    }
    /// Block size in bytes.
    pub fn block_size(&self) -> usize {
        match self {
            Hasher::Sha384(_) | Hasher::Sha512(_) | Hasher::Blake2b(_) => 128,
            Hasher::Sha3_224(_) => 144,
            Hasher::Sha3_256(_) | Hasher::Shake256(_) => 136,
            Hasher::Sha3_384(_) => 104,
            Hasher::Sha3_512(_) => 72,
            Hasher::Shake128(_) => 168,
            _ => 64,
        }
    }
    /// Digest size in bytes; 0 for the extendable ones.
    pub fn digest_size(&self) -> usize {
        match self {
            Hasher::Shake128(_) | Hasher::Shake256(_) => 0,
            other => other.digest(0).len(),
        }
    }
    /// Whether the digest's length is chosen when it is read.
    pub fn extendable(&self) -> bool {
        matches!(self, Hasher::Shake128(_) | Hasher::Shake256(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let hex = |name: &str| Hasher::new(name).map(|h| h.digest(4).iter().take(4).map(|b| format!("{b:02x}")).collect::<String>());
        assert_eq!(hex("md5").as_deref(), Some("d41d8cd9"));
        assert_eq!(hex("sha1").as_deref(), Some("da39a3ee"));
        assert_eq!(hex("sha256").as_deref(), Some("e3b0c442"));
        assert_eq!(hex("sha3_256").as_deref(), Some("a7ffc6f8"));
        assert_eq!(hex("shake_128").as_deref(), Some("7f9c2ba4"));
    }
}
