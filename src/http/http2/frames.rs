//! Follows the frames that come in (RFC 9113 §4.1), as far as it takes to know two things that h2 does not tell: whether a
//! head has begun and not ended, for which it has no time limit, and that a stream was reset whose last frame it has in
//! its write buffer already, which it passes over.

/// What a connection begins with (RFC 9113 §3.4).
pub(in crate::http) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Where in the bytes that come the last of them was.
pub(super) struct Frames {
    /// How much of the preface is to come yet.
    preface: usize,
    head: [u8; HEAD],
    /// How much of `head` is here.
    have: usize,
    /// How much of the frame's payload is to come yet.
    left: usize,
    /// In a frame of a head, or between two of them.
    in_block: bool,
    /// The present frame is the last of its head.
    last: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { preface: PREFACE.len(), head: [0; HEAD], have: 0, left: 0, in_block: false, last: false }
    }

    /// Takes note of `bytes`, and has `reset` know of streams that they reset. All else that they mean is h2's matter.
    pub(super) fn came(&mut self, bytes: &[u8], mut reset: impl FnMut(u32)) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let taken = if self.preface > 0 {
                let taken = self.preface.min(bytes.len());
                self.preface -= taken;
                taken
            } else if self.left > 0 {
                self.payload(bytes.len())
            } else {
                self.frame_head(bytes, &mut reset)
            };
            bytes = &bytes[taken..];
        }
    }

    /// Whether the caller owes the rest of the preface or of a head that it has begun.
    pub(super) fn in_head(&self) -> bool {
        let in_preface = self.preface > 0 && self.preface < PREFACE.len();
        in_preface || self.in_block || self.have > 0
    }

    fn frame_head(&mut self, bytes: &[u8], reset: &mut impl FnMut(u32)) -> usize {
        let taken = (HEAD - self.have).min(bytes.len());
        self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
        self.have += taken;
        if self.have == HEAD {
            self.have = 0;
            self.begin(reset);
        }
        taken
    }

    fn begin(&mut self, reset: &mut impl FnMut(u32)) {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_block = true;
            self.last = flags & END_HEADERS != 0;
        }
        if kind == RST_STREAM {
            // The first bit is reserved.
            reset(u32::from_be_bytes(stream) & (u32::MAX >> 1));
        }
        self.payload(0);
    }

    fn payload(&mut self, here: usize) -> usize {
        let taken = self.left.min(here);
        self.left -= taken;
        if self.left == 0 && self.last {
            (self.in_block, self.last) = (false, false);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend(vec![0; length.into()]);
        frame
    }

    fn after(bytes: &[u8]) -> bool {
        seen(&[bytes]).0
    }

    /// Whether a head is open after `pieces`, and which streams they reset.
    fn seen(pieces: &[&[u8]]) -> (bool, Vec<u32>) {
        let (mut frames, mut resets) = (Frames::new(), Vec::new());
        for bytes in pieces {
            frames.came(bytes, |stream| resets.push(stream));
        }
        (frames.in_head(), resets)
    }

    #[test]
    fn a_head_is_open_from_its_first_byte_to_its_last() {
        let settings = [PREFACE, &frame(4, 0, 6)].concat();
        assert!(!after(&[]) && after(&PREFACE[..1]) && after(&PREFACE[..23]) && !after(PREFACE) && !after(&settings));
        let whole = [&*settings, &frame(HEADERS, END_HEADERS, 5)].concat();
        assert!((1..14).all(|missing| after(&whole[..whole.len() - missing])));
        assert!(!after(&whole));
        let begun = [&*settings, &frame(HEADERS, 0, 5)].concat();
        assert!(after(&begun), "CONTINUATION has to come");
        assert!(after(&[&*begun, &frame(CONTINUATION, 0, 0)].concat()));
        assert!(!after(&[&*begun, &frame(CONTINUATION, END_HEADERS, 0)].concat()));
        assert!(!after(&[&*whole, &frame(0, 0, 200)[..100]].concat()), "a body is another matter");
    }

    proptest! {
        #[test]
        fn it_is_no_matter_how_the_bytes_are_cut(
            kinds in prop::collection::vec((0_u8..12, any::<u8>(), any::<u8>()), 0..20),
            cuts in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let mut bytes = PREFACE.to_vec();
            for (kind, flags, length) in &kinds {
                bytes.extend(frame(*kind, *flags, *length));
            }
            let (mut pieces, mut rest, mut cuts) = (Vec::new(), &*bytes, cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(seen(&pieces), seen(&[&bytes]));
            let resets = kinds.iter().filter(|(kind, ..)| *kind == RST_STREAM).count();
            prop_assert_eq!(seen(&pieces).1, vec![1; resets]);
        }
    }
}
