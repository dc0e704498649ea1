//! The chain: each line names the hash of the one before.

use std::fmt;

use crate::base::secret::sha256;

/// The last line of a chain, as the next one needs it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// Its number; lines are numbered from 1.
    pub seq: u64,
    /// SHA-256 of its bytes, without the line end.
    pub hash: [u8; 32],
}

impl Head {
    /// What is before the first line.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };

    /// The head of which `line` is the last.
    #[must_use]
    pub fn of(seq: u64, line: &[u8]) -> Self {
        Self { seq, hash: sha256(line) }
    }

    /// The hash in hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        use std::fmt::Write as _;
        self.hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The head with this number and hash; `None` if `hex` is not 64 hexadecimal digits in small letters.
    #[must_use]
    pub fn parse(seq: u64, hex: &str) -> Option<Self> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f').then(|| char::from(b).to_digit(16)).flatten();
        let mut hash = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
        }
        Some(Self { seq, hash })
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({}, {})", self.seq, &self.hex()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_as_it_is_shown() {
        let head = Head::of(7, b"abc");
        // FIPS 180-4's example.
        assert_eq!(head.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Head::parse(7, &head.hex()), Some(head));
        for bad in ["", "ba78", &head.hex().to_uppercase(), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(Head::parse(7, bad), None, "{bad}");
        }
    }
}
